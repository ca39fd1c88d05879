"""What a change opens, how bad that is, and which controls it breaks.

The change is judged, not the group: only what the rules after it let in and the rules before it, where
known, did not. Removing and narrowing are good news. What cannot be read is judged as badly as it may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chalicelib.catalog import EventGroup
from chalicelib.changes import Change, Outcome
from chalicelib.controls import ADMINISTRATION_PORTS, DEFAULT_GROUP, HIGH_RISK_PORTS, WEB_PORTS, world_controls
from chalicelib.networks import AddressRange, is_public, parse_range
from chalicelib.openings import Opening, Ports, is_ingress, opening, openings_together
from chalicelib.rules import ALL_PROTOCOLS, ICMP, WITH_PORTS, ModifiedRule, PeerType, SecurityGroupRule
from chalicelib.wording import count_phrase, is_world, peer_phrase, printable, rule_phrase, service_phrase


class Severity(StrEnum):
    """How bad it is; the members stand in rising order and compare by ``rank``."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info up to 4 for critical."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Exposure:
    """One reason for the severity: a sentence, the controls it breaks, the rule it is about (if one)."""

    severity: Severity
    reason: str
    controls: tuple[str, ...] = ()
    rule: SecurityGroupRule | None = None


@dataclass(frozen=True, slots=True)
class PrefixList:
    """What was looked up about a prefix list: its name, whether AWS manages it, its CIDR texts."""

    name: str | None
    aws_managed: bool
    cidrs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What look-ups know beyond the record; everything is optional.

    ``before`` are all the group's rules before the change.
    """

    account_id: str | None = None
    group_name: str | None = None
    before: tuple[SecurityGroupRule, ...] | None = None
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)


def judge(change: Change, *, by_root: bool, facts: Facts) -> tuple[Exposure, ...]:
    """Every reason for the change's severity, worst first; never empty."""
    if not change.succeeded:
        return (_attempt(change, by_root=by_root),)
    exposures = list(_unread(change))
    if by_root:
        exposures.append(Exposure(Severity.HIGH, "The account's root user made this change."))
    exposures += _JUDGES[change.event.group](change, facts)
    return tuple(sorted(exposures, key=lambda item: -item.severity.rank))


def severity_of(exposures: tuple[Exposure, ...]) -> Severity:
    """The worst severity of the exposures."""
    return max((item.severity for item in exposures), key=lambda severity: severity.rank, default=Severity.INFO)


def _attempt(change: Change, *, by_root: bool) -> Exposure:
    rules = change.changes.attempted
    asked = f": {rule_phrase(rules[0])}" if len(rules) == 1 else f": {count_phrase(len(rules), 'rule')}"
    what = change.event.name + (asked if rules else "")
    rule = rules[0] if len(rules) == 1 else None
    if change.outcome is Outcome.DENIED:
        return Exposure(Severity.MEDIUM, f"{what} was denied; nothing changed.", rule=rule)
    if change.outcome is Outcome.DRY_RUN:
        return Exposure(Severity.INFO, f"{what} was a dry run; nothing changed.", rule=rule)
    severity = Severity.MEDIUM if by_root else Severity.INFO
    return Exposure(severity, f"{what} failed{' (as root)' if by_root else ''}; nothing changed.", rule=rule)


def _unread(change: Change) -> Iterator[Exposure]:
    for problem in change.unread:
        yield Exposure(Severity.HIGH, f"Part of the change could not be read, so it may open anything: {problem}.")


def _judge_rules(change: Change, facts: Facts) -> Iterator[Exposure]:
    changes = change.changes
    if change.event.name.startswith("UpdateSecurityGroupRuleDescriptions"):
        yield Exposure(Severity.INFO, "Only descriptions changed; nothing opened or closed.")
        return
    before = _rules_before(change, facts)
    new = [*changes.added, *(item.after for item in changes.modified)]
    opened = False
    for rule in changes.added:
        found = opening(rule, before)
        opened = opened or (found is not None and is_ingress(rule))
        yield from _judge_opening(found, facts) if found else (_adds_nothing(rule),)
    for item in changes.modified:
        found = opening(item.after, before)
        opened = opened or (found is not None and is_ingress(item.after))
        yield from _judge_opening(found, facts) if found else (_narrowed(item),)
    for found in openings_together(new, before):
        yield _world(found)
    if opened and "default" in (change.group_name, facts.group_name):
        yield Exposure(
            Severity.HIGH, "Ingress was added to a VPC's default group, which should allow none.", DEFAULT_GROUP
        )
    yield from (_removed(rule) for rule in changes.removed)
    if not (new or changes.removed or change.unread):
        yield Exposure(Severity.LOW, "Rules were removed that the record names by id only.")


def _rules_before(change: Change, facts: Facts) -> list[SecurityGroupRule]:
    if facts.before is not None:
        return list(facts.before)
    return [item.before for item in change.changes.modified if item.before is not None]


def _judge_opening(found: Opening, facts: Facts) -> Iterator[Exposure]:
    rule = found.rule
    if not is_ingress(rule):
        yield _egress(rule)
    elif rule.peer.type is PeerType.SECURITY_GROUP:
        yield _from_group(rule, facts)
    elif rule.peer.type is PeerType.PREFIX_LIST:
        yield from _from_prefix_list(found, facts)
    elif found.range is None:
        reason = f"The range {printable(rule.peer.value, 60)} cannot be read, so it may be anybody."
        yield Exposure(Severity.HIGH, reason, rule=rule)
    else:
        yield _from_range(found, found.range)


def _from_range(found: Opening, source: AddressRange) -> Exposure:
    rule = found.rule
    if source.is_world:
        return _world(found)
    if not is_public(source):
        reason = f"{source.text} is not reachable from the internet; it may now use {_service(found)}."
        return Exposure(Severity.LOW, reason, rule=rule)
    wide = source.prefix <= (8 if source.version == 4 else 16)
    addresses = source.last - source.first + 1
    size = (
        f"{addresses:,} public address{'' if addresses == 1 else 'es'}" if source.version == 4 else "public addresses"
    )
    reason = f"{source.text} ({size}) can reach {_service(found)}"
    if wide and _is_risky(rule.protocol, found.ports):
        return Exposure(Severity.HIGH, f"{reason}{_risk(found)}. The range is a large part of the internet.", rule=rule)
    return Exposure(Severity.MEDIUM, f"{reason}{_risk(found)}.", rule=rule)


def _world(found: Opening) -> Exposure:
    rule, source = found.rule, found.range
    protocol, ports = rule.protocol, found.ports
    if protocol in ICMP or (protocol in WITH_PORTS and _only_web(ports)):
        severity = Severity.MEDIUM
    elif _is_risky(protocol, ports):
        severity = Severity.CRITICAL
    else:
        severity = Severity.HIGH
    version = source.version if source else 4
    who = "Anyone on the internet" + (f" ({source.text})" if source else "")
    how = " through several ranges that together cover it" if found.together else ""
    reason = f"{who} can reach {_service(found)}{how}{_risk(found)}."
    return Exposure(severity, reason, world_controls(protocol, ports, version), rule)


def _service(found: Opening) -> str:
    """What became reachable, in words: the rule's own ports, or of a widened rule only the new ones."""
    low, high = found.rule.ports
    if found.rule.protocol not in WITH_PORTS or found.ports == ((low, high),):
        return service_phrase(found.rule)
    parts = (str(first) if first == last else f"{first}-{last}" for first, last in found.ports)
    return f"{found.rule.protocol}/{','.join(parts)}"


def _only_web(ports: tuple[Ports, ...]) -> bool:
    return all(low == high and low in WEB_PORTS for low, high in ports)


def _risky_ports(ports: tuple[Ports, ...]) -> list[int]:
    risky = sorted(HIGH_RISK_PORTS.keys() | ADMINISTRATION_PORTS.keys())
    return [port for port in risky if any(low <= port <= high for low, high in ports)]


def _is_risky(protocol: str, ports: tuple[Ports, ...]) -> bool:
    return protocol == ALL_PROTOCOLS or (protocol in WITH_PORTS and bool(_risky_ports(ports)))


def _risk(found: Opening) -> str:
    """What makes the newly open ports worse than others, as the end of a sentence."""
    if found.rule.protocol == ALL_PROTOCOLS:
        return ", administration ports included"
    risky = _risky_ports(found.ports) if found.rule.protocol in WITH_PORTS else []
    if not risky:
        return ""
    names = {**HIGH_RISK_PORTS, **ADMINISTRATION_PORTS}
    if len(risky) == 1:
        return f": {risky[0]} is a high-risk port ({names[risky[0]]})"
    shown = ", ".join(f"{port} ({names[port]})" for port in risky[:3])
    return f", high-risk ports among them: {shown}{f' and {len(risky) - 3} more' if len(risky) > 3 else ''}"


def _from_group(rule: SecurityGroupRule, facts: Facts) -> Exposure:
    owner = rule.peer.account_id
    if owner and facts.account_id and owner != facts.account_id:
        reason = f"A group of another account ({printable(owner, 40)}) can reach {service_phrase(rule)}."
        return Exposure(Severity.MEDIUM, reason, rule=rule)
    reason = f"Members of {peer_phrase(rule.peer)} can reach {service_phrase(rule)}."
    return Exposure(Severity.LOW, reason, rule=rule)


def _from_prefix_list(found: Opening, facts: Facts) -> Iterator[Exposure]:
    rule = found.rule
    known = facts.prefix_lists.get(rule.peer.value)
    if known is None:
        reason = f"The addresses in {peer_phrase(rule.peer)} are not known; they can reach {service_phrase(rule)}."
        yield Exposure(Severity.MEDIUM, reason, rule=rule)
    elif known.aws_managed:
        name = printable(known.name or rule.peer.value, 80)
        reason = f"{name}, a prefix list managed by AWS, can reach {service_phrase(rule)}."
        yield Exposure(Severity.LOW, reason, rule=rule)
    else:
        yield from _from_entries(found, known)


def _from_entries(found: Opening, known: PrefixList) -> Iterator[Exposure]:
    """The worst of a list's entries speaks for it."""
    ranges = [parse_range(cidr) for cidr in known.cidrs]
    judged = [_from_range(Opening(found.rule, found.ports or _all_ports(found), item), item) for item in ranges if item]
    worst = max(judged, key=lambda item: item.severity.rank, default=None)
    name = printable(known.name or found.rule.peer.value, 80)
    if worst is None:
        reason = f"Prefix list {name} is empty; it lets nobody reach {service_phrase(found.rule)} yet."
        yield Exposure(Severity.LOW, reason, rule=found.rule)
    else:
        yield Exposure(worst.severity, f"Through prefix list {name}: {worst.reason}", worst.controls, found.rule)


def _all_ports(found: Opening) -> tuple[Ports, ...]:
    return ((0, 65535),) if found.rule.protocol in WITH_PORTS else ()


def _egress(rule: SecurityGroupRule) -> Exposure:
    if rule.protocol == ALL_PROTOCOLS and is_world(rule.peer):
        return Exposure(Severity.MEDIUM, "All traffic may leave to the internet.", rule=rule)
    return Exposure(Severity.LOW, f"{service_phrase(rule)} may leave to {peer_phrase(rule.peer)}.", rule=rule)


def _adds_nothing(rule: SecurityGroupRule) -> Exposure:
    reason = f"{rule_phrase(rule)} opens nothing new: other rules of the group already allow it."
    return Exposure(Severity.LOW, reason, rule=rule)


def _narrowed(item: ModifiedRule) -> Exposure:
    if item.before is not None and item.before.identity == item.after.identity:
        return Exposure(Severity.INFO, "Only the description changed; nothing opened or closed.", rule=item.after)
    was = f" ({rule_phrase(item.before)} before)" if item.before else ""
    reason = f"Good news: {rule_phrase(item.after)} lets in nothing that was not allowed already{was}."
    return Exposure(Severity.LOW, reason, rule=item.after)


def _removed(rule: SecurityGroupRule) -> Exposure:
    if is_ingress(rule) and is_world(rule.peer):
        reason = f"Good news: {service_phrase(rule)} is no longer open to {peer_phrase(rule.peer)} through this rule."
    else:
        reason = f"Removed: {rule_phrase(rule)}."
    return Exposure(Severity.LOW, reason, rule=rule)


def _judge_groups(change: Change, _facts: Facts) -> Iterator[Exposure]:
    yield {
        "CreateSecurityGroup": Exposure(
            Severity.LOW, "A new group allows no ingress, and all egress until that is changed."
        ),
        "DeleteSecurityGroup": Exposure(Severity.MEDIUM, "The group and all its rules are gone."),
        "AssociateSecurityGroupVpc": Exposure(Severity.LOW, "The group may now be used in another VPC."),
        "DisassociateSecurityGroupVpc": Exposure(Severity.LOW, "The group may no longer be used in that VPC."),
    }[change.event.name]


def _judge_attachments(change: Change, _facts: Facts) -> Iterator[Exposure]:
    what = change.attachment.resource_type if change.attachment else "resource"
    yield Exposure(Severity.LOW, f"Which security groups protect this {what} has changed.")


def _judge_prefix_list(change: Change, _facts: Facts) -> Iterator[Exposure]:
    entries = change.prefix_list.added if change.prefix_list else ()
    public = [cidr for cidr in entries if (found := parse_range(cidr)) is None or is_public(found)]
    if change.event.name == "RestoreManagedPrefixListVersion":
        reason = "An earlier version of the list is in force again; its entries are not in the record."
        yield Exposure(Severity.MEDIUM, reason)
    elif public:
        reason = f"Rules that name this list now also mean {printable(', '.join(public), 200)}."
        yield Exposure(Severity.MEDIUM, reason)
    else:
        yield Exposure(Severity.LOW, "The list's change adds no public range to the rules that name it.")


_JUDGES: dict[EventGroup, Callable[[Change, Facts], Iterator[Exposure]]] = {
    EventGroup.RULES: _judge_rules,
    EventGroup.GROUPS: _judge_groups,
    EventGroup.ATTACHMENTS: _judge_attachments,
    EventGroup.PREFIX_LISTS: _judge_prefix_list,
}
