"""The words of an alert: its rules, facts and reasons, each as a line of text.

Every function returns text in which ``visible`` has been applied to what others chose; none of it is
escaped, which is for the destination to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from chalicelib.alert.model import (
    Alert,
    Changes,
    Event,
    Outcome,
    Severity,
    Undo,
)
from chalicelib.exposure.list_entries import widest_first
from chalicelib.security_groups.rules import (
    ALL_PROTOCOLS,
    ICMP,
    WITH_PORTS,
    Direction,
    ModifiedRule,
    Peer,
    PeerType,
    SecurityGroupRule,
)
from chalicelib.text import clip, is_plain, number_of, visible

# EC2 takes 255 characters of a name or description and IAM 64 of a session name; what is longer never took effect.
LONGEST_VALUE = 255

# An event's id as CloudTrail gives it, or one of our own.
_ID = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+){1,8}")

_PEERS = {PeerType.PREFIX_LIST: "prefix list ", PeerType.SECURITY_GROUP: "group "}


def value(text: str, limit: int = LONGEST_VALUE) -> str:
    """A value that somebody chose: visible, on one line, truncated to the limit."""
    return clip(visible(text), limit)[0]


def quoted(text: str) -> str:
    """A description between quotation marks that it cannot close."""
    return '"' + value(text.replace('"', '\\"')) + '"'


def headline(alert: Alert) -> str:
    """The line that has to be enough at three in the morning."""
    return f"{alert.severity.upper()}: {visible(alert.title)}"


def is_attempt(alert: Alert) -> bool:
    """Whether the call did not succeed, so that nothing changed."""
    return alert.event.outcome not in (None, Outcome.SUCCEEDED)


def is_closing(alert: Alert) -> bool:
    """Whether ways in were only taken away."""
    changes = alert.changes
    only_removed = bool(changes.removed) and not (changes.added or changes.modified)
    return only_removed and not is_attempt(alert) and alert.severity.rank <= Severity.LOW.rank


def outcome_sentence(event: Event) -> str | None:
    """What AWS answered a call that did not succeed; None for one that did."""
    if event.outcome in (None, Outcome.SUCCEEDED):
        return None
    said = [value(event.error_code)] if event.error_code else []
    said += [value(event.error_message, 300)] if event.error_message else []
    return f"AWS answered {': '.join(said)}" if said else None


def rule_line(rule: SecurityGroupRule) -> str:
    """``ingress tcp 22 from 0.0.0.0/0  "ssh for all"``."""
    description = f"  {quoted(rule.description)}" if rule.description else ""
    return f"{_traffic(rule)} {_preposition(rule)} {_peer(rule.peer)}{description}"


def ports(rule: SecurityGroupRule) -> str:
    """``tcp 22``, ``udp 8000-8100``, ``tcp all ports``, ``icmp type 8 code 0``, ``all traffic``, ``protocol 50``."""
    low, high = rule.ports
    if rule.protocol == ALL_PROTOCOLS:
        return "all traffic"
    if rule.protocol in ICMP:
        kind = "all types" if low == -1 else f"type {low}" + ("" if high == -1 else f" code {high}")
        return f"{rule.protocol} {kind}"
    if rule.protocol in WITH_PORTS:
        if (low, high) == (0, 65535):
            return f"{rule.protocol} all ports"
        return f"{rule.protocol} {low}" if low == high else f"{rule.protocol} {low}-{high}"
    return f"protocol {value(rule.protocol, 40)}"


def rule_count(changes: Changes) -> int:
    """How many rules ``diff_entries`` has entries for."""
    return sum(map(len, (changes.added, changes.removed, changes.modified, changes.attempted)))


def range_entries(alert: Alert) -> Iterator[str]:
    """An entry for each range that a call adds to a prefix list or takes from it, the widest first."""
    item = alert.prefix_list
    if item is None:
        return
    add, remove = ("× add", "× remove") if is_attempt(alert) else ("+", "-")
    described = {entry.cidr: entry.description for entry in item.added}
    for cidr in widest_first(described):
        description = described[cidr]
        yield f"{add} {value(cidr)}" + (f"  {quoted(description)}" if description else "")
    yield from (f"{remove} {value(cidr)}" for cidr in widest_first(item.removed))


def rule_ranks(alert: Alert) -> dict[SecurityGroupRule, int]:
    """The rules of which something is said, the worst with the highest number: removals, too, are all low."""
    ranks: dict[SecurityGroupRule, int] = {}
    count = len(alert.exposures)
    for place, exposure in enumerate(sorted(alert.exposures, key=lambda item: -item.severity.rank)):
        if exposure.rule is not None:
            ranks.setdefault(exposure.rule, count - place)
    return ranks


def diff_entries(alert: Alert) -> Iterator[str]:
    """An entry for each rule, its sign first, what is worst first: a list that is cut must not hide it.

    ``+`` added, ``-`` removed, ``~`` modified (in two lines), ``×``
    attempted.
    """
    changes = alert.changes
    entries: list[tuple[str, SecurityGroupRule, ModifiedRule | None]] = [
        *(("+", rule, None) for rule in changes.added),
        *(("~", item.after, item) for item in changes.modified),
        *(("-", rule, None) for rule in changes.removed),
        *(("×", rule, None) for rule in changes.attempted),
    ]
    if len(entries) > 1:
        ranks = rule_ranks(alert)
        entries.sort(key=lambda entry: -ranks.get(entry[1], -1))
    for sign, rule, modified in entries:
        yield f"{sign} {rule_line(rule)}" if modified is None else modified_entry(modified)


def modified_entry(item: ModifiedRule) -> str:
    """What a rule was and what it is now."""
    before, after = item.before, item.after
    if before is None:
        return f"~ {rule_line(after)}\n  (what it was before is not known)"
    if before.identity == after.identity:
        was, now = (quoted(text) if text else "none" for text in (before.description, after.description))
        return f"~ {_traffic(after)} {_preposition(after)} {_peer(after.peer)}\n  description: {was} → {now}"
    return f"~ {rule_line(before)}\n  → {rule_line(after)}"


def changes_title(alert: Alert) -> str:
    """What stands above the diff."""
    if is_attempt(alert):
        return "What was attempted"
    return "What was closed" if is_closing(alert) else "What changed"


def reasons(alert: Alert) -> Iterator[str]:
    """The exposures as sentences, worst first and each once, with the controls they break."""
    said: set[str] = set()
    for exposure in sorted(alert.exposures, key=lambda item: -item.severity.rank):
        controls = f" [{value(', '.join(exposure.controls))}]" if exposure.controls else ""
        sentence = f"{value(exposure.reason, 500)}{controls}"
        if sentence not in said:
            said.add(sentence)
            yield sentence


def utc(moment: datetime) -> str:
    """``2026-11-23 10:00:00 UTC``."""
    return f"{moment.astimezone(UTC).isoformat(' ', 'seconds').removesuffix('+00:00')} UTC"


def unshowable(undo: Undo, extra: Mapping[str, str]) -> str | None:
    """Why the undo commands cannot be shown exactly; ``extra`` maps a forbidden text to what it is called."""
    for command in undo.commands or ():
        if not is_plain(command):
            return "it holds characters that would not be seen here"
        for text, name in extra.items():
            if text in command:
                return f"it holds {name}"
    return None


def undo_elsewhere(alert: Alert, reason: str) -> str:
    """The sentence in place of commands that are not shown: never part of one."""
    count = number_of(len(alert.undo.commands or ()), "command")
    printed = f" and sgwatch undo {alert.id} prints it" if _ID.fullmatch(alert.id) else ""
    return f"Not shown ({count}): {reason}. The alert's JSON has it whole{printed}."


def _traffic(rule: SecurityGroupRule) -> str:
    direction = rule.direction.value if rule.direction else "ingress or egress (not known)"
    return f"{direction} {ports(rule)}"


def _preposition(rule: SecurityGroupRule) -> str:
    if rule.direction is None:
        return "from/to"
    return "to" if rule.direction is Direction.EGRESS else "from"


def _peer(peer: Peer) -> str:
    owner = [f"account {value(peer.account_id, 40)}"] if peer.account_id else []
    network = [value(peer.vpc_id, 40)] if peer.vpc_id else []
    inside = ", ".join([*owner, *network])
    return f"{_PEERS.get(peer.type, '')}{value(peer.value)}" + (f" ({inside})" if inside else "")
