"""What is reachable now that was not: the judgement of a record, sharpened by what was looked up.

Knowing more may raise a severity. It takes one down only where a rule opens nothing that other rules
did not allow already, and then not below medium: the others may go, and it stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.exposure.compare import address_range, is_ingress, opening
from chalicelib.exposure.explain import judge_opening
from chalicelib.security_groups.address_ranges import is_public, parse_range, union_covers
from chalicelib.security_groups.address_ranges import world as everywhere
from chalicelib.security_groups.changes import Change, PrefixListChange
from chalicelib.security_groups.lookup_result import (
    Facts,
    GroupInfo,
    Interface,
    LookupResult,
    PrefixList,
    ResolvedChange,
)
from chalicelib.security_groups.phrases import group_phrase, peer_phrase, printable, rule_phrase
from chalicelib.security_groups.rules import ALL_PROTOCOLS, WITH_PORTS, PeerType, SecurityGroupRule
from chalicelib.security_groups.severity import Exposure, Opens, Severity
from chalicelib.text import number_of

_SHOWN = 3
_GROUPS_SHOWN = 20


def refine(
    exposures: Iterable[Exposure], known: ResolvedChange, world: LookupResult, facts: Facts
) -> tuple[Exposure, ...]:
    """The exposures with what the look-ups add to them, worst first."""
    change = known.change
    if not change.succeeded:
        return tuple(exposures)
    told = [_sharpened(item, known, world) for item in exposures]
    if change.event.group is EventGroup.ATTACHMENTS:
        told += _of_attachment(change, world, facts)
    elif change.event.group is EventGroup.PREFIX_LISTS:
        told += _of_prefix_list(change, world, facts)
    return tuple(sorted(told, key=lambda item: -item.severity.rank))


def _sharpened(exposure: Exposure, known: ResolvedChange, world: LookupResult) -> Exposure:
    rule, changes = exposure.rule, known.change.changes
    if rule is None:
        return exposure
    if any(rule == other for other in changes.removed):
        return _of_removed(exposure, rule, known)
    if all(rule != other for other in (*changes.added, *(item.after for item in changes.modified))):
        return exposure
    exposure = _named(exposure, rule, world.groups or {})
    if known.before is not None and known.is_whole:
        if exposure.opens in (Opens.WORLD, Opens.SOME) and _opens_nothing(rule, known.before, known):
            return _nothing_new(exposure, rule)
        exposure = _with_former(exposure, rule, known) if is_ingress(rule) else exposure
    return _with_public_addresses(exposure, rule, world.interfaces or ())


def _opens_nothing(rule: SecurityGroupRule, before: Sequence[SecurityGroupRule], known: ResolvedChange) -> bool:
    """Whether what the rule allows was allowed before.

    Live rules may be newer than the change. Of new rules that allow the same between them each would then be
    taken for the former of the others, and none be told in full; so there one rule has to allow more by itself.
    """
    if not known.is_guessed:
        return opening(rule, before) is None
    return any(opening(rule, (other,)) is None and opening(other, (rule,)) is not None for other in before)


def _of_removed(exposure: Exposure, rule: SecurityGroupRule, known: ResolvedChange) -> Exposure:
    if known.after is None or opening(rule, known.after) is not None:
        return exposure
    return replace(exposure, reason=f"{exposure.reason} Other rules of the group still allow the same.")


def _named(exposure: Exposure, rule: SecurityGroupRule, groups: Mapping[str, GroupInfo]) -> Exposure:
    """With the name of the group that the rule names by its id."""
    group = groups.get(rule.peer.value) if rule.peer.type is PeerType.SECURITY_GROUP else None
    if group is None or not group.name:
        return exposure
    bare, named = f"group {group.id}", f"group {group_phrase(group.name, group.id)}"
    return replace(exposure, reason=exposure.reason.replace(bare, named))


def _nothing_new(exposure: Exposure, rule: SecurityGroupRule) -> Exposure:
    severity = min(exposure.severity, Severity.MEDIUM, key=lambda item: item.rank)
    reason = f"{rule_phrase(rule)} opens nothing new: other rules of the group allow the same already."
    return replace(exposure, severity=severity, reason=reason[0].upper() + reason[1:], opens=Opens.NOTHING)


def _with_former(exposure: Exposure, rule: SecurityGroupRule, known: ResolvedChange) -> Exposure:
    """With who could use the same ports before."""
    if exposure.severity.rank < Severity.MEDIUM.rank:
        return exposure
    before = known.before or ()
    peers = [peer_phrase(other.peer) for other in before if is_ingress(other) and _share_ports(other, rule)]
    peers = list(dict.fromkeys(peers))
    who = _few(peers) if peers else "nobody"
    return replace(exposure, reason=f"{exposure.reason} Before, {who} could.")


def _share_ports(other: SecurityGroupRule, rule: SecurityGroupRule) -> bool:
    if ALL_PROTOCOLS in (other.protocol, rule.protocol):
        return True
    if other.protocol != rule.protocol or rule.protocol not in WITH_PORTS:
        return other.protocol == rule.protocol
    (low, high), (first, last) = rule.ports, other.ports
    return None in (low, high, first, last) or (int(first or 0) <= int(high or 0) and int(low or 0) <= int(last or 0))


def _few(items: Sequence[str]) -> str:
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _with_public_addresses(exposure: Exposure, rule: SecurityGroupRule, interfaces: Iterable[Interface]) -> Exposure:
    """Raised where the rule lets the internet in and something attached has an address there."""
    if exposure.severity.rank < Severity.MEDIUM.rank or not _from_internet(rule):
        return exposure
    addresses = _addresses(interfaces, rule)
    if not addresses:
        return exposure
    have = "has a public address" if len(addresses) == 1 else "have public addresses"
    reason = f"{exposure.reason} What is attached {have}: {_few(addresses)}."
    severity = Severity.CRITICAL if exposure.severity is Severity.HIGH else exposure.severity
    return replace(exposure, severity=severity, reason=reason)


def _from_internet(rule: SecurityGroupRule) -> bool:
    if not is_ingress(rule) or rule.peer.type is PeerType.SECURITY_GROUP:
        return False
    found = address_range(rule)
    return rule.peer.type is PeerType.PREFIX_LIST or found is None or is_public(found)


def _addresses(interfaces: Iterable[Interface], rule: SecurityGroupRule) -> list[str]:
    """The public addresses of the rule's IP version; of either where it does not tell one."""
    peers = {PeerType.IPV4: 4, PeerType.IPV6: 6}
    version = peers.get(rule.peer.type)
    found = [(address, parse_range(address)) for item in interfaces for address in item.public_addresses]
    wanted = (address for address, parsed in found if parsed and version in (None, parsed.version))
    return list(dict.fromkeys(wanted))


def _of_attachment(change: Change, world: LookupResult, facts: Facts) -> Iterator[Exposure]:
    """What newly attached groups open to the internet, where the resource has an address there."""
    attachment, groups = change.attachment, world.groups or {}
    if attachment is None:
        return
    before = attachment.groups_before or ()
    kept = [rule for group_id in before if group_id in groups for rule in groups[group_id].rules]
    for group_id in attachment.groups_after or ():
        group = groups.get(group_id)
        if group is None or group_id in before:
            continue
        for rule in filter(is_ingress, group.rules):
            found = opening(rule, kept)
            for exposure in judge_opening(found, facts) if found else ():
                raised = _with_public_addresses(exposure, rule, world.interfaces or ())
                if raised.reason != exposure.reason:
                    where = group_phrase(group.name, group.id)
                    how = "newly attached" if attachment.groups_before is not None else "perhaps newly attached"
                    yield replace(raised, reason=f"Through {where}, {how}: {raised.reason}")


def _of_prefix_list(change: Change, world: LookupResult, facts: Facts) -> Iterator[Exposure]:
    """What new entries open, group by group."""
    list_id = change.prefix_list.prefix_list_id if change.prefix_list else None
    if change.prefix_list is None or list_id is None or world.groups is None:
        return
    known = world.prefix_lists.get(list_id)
    new = _new_entries(change.prefix_list, world)
    facts = replace(facts, prefix_lists={list_id: PrefixList(known.name if known else None, False, new)})
    users = [group for group in world.groups.values() if _names(group, list_id)]
    for group in users[:_GROUPS_SHOWN] if new else ():
        for rule in group.rules:
            found = opening(rule, ()) if is_ingress(rule) and rule.peer.value == list_id else None
            for exposure in judge_opening(found, facts) if found else ():
                where = group_phrase(group.name, group.id)
                yield replace(exposure, reason=f"On {where}: {exposure.reason}")
    yield Exposure(Severity.LOW, _used_by(users))


def _new_entries(change: PrefixListChange, looked_up: LookupResult) -> tuple[str, ...]:
    """The entries that the list did not have; all addresses, where it has come to hold these in several."""
    had = looked_up.entries_before or ()
    gone = {*change.removed, *change.added}
    entries = looked_up.entries_after
    if entries is None:
        entries = (*(cidr for cidr in had if cidr not in gone), *change.added)
    ranges = {cidr: found for cidr in (*had, *entries) if (found := parse_range(cidr))}
    all_of_it = [
        everything.text
        for everything in map(everywhere, (4, 6))
        if union_covers([ranges[cidr] for cidr in entries if cidr in ranges], everything)
        and not union_covers([ranges[cidr] for cidr in had if cidr in ranges], everything)
    ]
    return tuple(dict.fromkeys((*(cidr for cidr in entries if cidr not in had), *all_of_it)))


def _names(group: GroupInfo, list_id: str) -> bool:
    return any(rule.peer.value == list_id for rule in group.rules)


def _used_by(users: Sequence[GroupInfo]) -> str:
    if not users:
        return "No security group of this account and region names the list in an ingress rule."
    names = _few([printable(group.name or group.id, 80) for group in users])
    verb = "names" if len(users) == 1 else "name"
    return f"{number_of(len(users), 'security group')} {verb} the list in ingress rules: {names}."
