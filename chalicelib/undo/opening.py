"""What running an undo would open: said before its commands, wherever they are shown.

A person who looks for the undo of a change that opened something may be reading the alert of the one that closed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chalicelib.security_groups.changes import Attachment, Change, Changes, PrefixListChange
from chalicelib.security_groups.controls import ADMINISTRATION_PORTS, HIGH_RISK_PORTS
from chalicelib.security_groups.phrases import is_world, peer_phrase, printable, service_phrase
from chalicelib.security_groups.rules import ALL_PROTOCOLS, Direction, SecurityGroupRule
from chalicelib.undo.aws_cli import Undo

_SHOWN = 3


def with_warning(undo: Undo, change: Change) -> Undo:
    """The undo with what it would open in the first words of its reason."""
    warning = _warning(change) if undo.commands else None
    if warning is None:
        return undo
    return undo._replace(reason=f"{warning} {undo.reason}" if undo.reason else warning)


def rules_warning(changes: Changes) -> str | None:
    """What bringing back the rules of before would open; None where it opens nothing."""
    rules = sorted(_reopened(changes), key=_weight, reverse=True)
    if not rules:
        return None
    return f"This opens {_few([_traffic(rule) for rule in rules])} again."


def _warning(change: Change) -> str | None:
    if change.attachment is not None:
        return _attachment_warning(change.attachment)
    if change.prefix_list is not None:
        return _prefix_list_warning(change.prefix_list)
    return rules_warning(change.changes)


def _reopened(changes: Changes) -> Iterable[SecurityGroupRule]:
    """The rules that an undo brings back; a modified one where more changed than its description."""
    yield from changes.removed
    for item in changes.modified:
        if item.before is not None and item.before.identity != item.after.identity:
            yield item.before


def _attachment_warning(attachment: Attachment) -> str | None:
    gone = [item for item in attachment.groups_before or () if item not in (attachment.groups_after or ())]
    if not gone:
        return None
    return f"This puts {_few([printable(item, 60) for item in gone])} back on the {attachment.resource_type}."


def _prefix_list_warning(change: PrefixListChange) -> str | None:
    if change.restored_version is not None:
        return f"This puts version {change.version} of the list in force again, which may let more in than now."
    if not change.removed:
        return None
    ranges = _few([printable(item, 60) for item in change.removed])
    return f"This lets {ranges} in again through every rule that names the list."


def _weight(rule: SecurityGroupRule) -> tuple[bool, bool, bool]:
    low, high = rule.ports
    is_risky = rule.protocol == ALL_PROTOCOLS or any(
        low is None or high is None or low <= port <= high for port in (*ADMINISTRATION_PORTS, *HIGH_RISK_PORTS)
    )
    return rule.direction is not Direction.EGRESS, is_world(rule.peer), is_risky


def _traffic(rule: SecurityGroupRule) -> str:
    way = "out to" if rule.direction is Direction.EGRESS else "to"
    return f"{service_phrase(rule)} {way} {peer_phrase(rule.peer)}"


def _few(items: Sequence[str]) -> str:
    shown = list(items[:_SHOWN])
    if len(items) > _SHOWN:
        shown.append(f"{len(items) - _SHOWN:,} more")
    return ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1]
