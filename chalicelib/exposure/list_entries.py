"""What a change of a prefix list means for the groups whose rules name the list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chalicelib.exposure.explain import Surroundings, few
from chalicelib.exposure.opened_rules import OtherRules, in_order, judge_opened
from chalicelib.exposure.traffic import is_ingress
from chalicelib.security_groups.address_ranges import is_public, parse_range
from chalicelib.security_groups.changes import Change, ListContents, PrefixListChange
from chalicelib.security_groups.lookup_result import GroupInfo, LookupResult, PrefixList
from chalicelib.security_groups.phrases import group_phrase, printable
from chalicelib.security_groups.rules import ModifiedRule, SecurityGroupRule
from chalicelib.security_groups.severity import Exposure, ExposureKind, Severity
from chalicelib.text import number_of

# All are judged; an alert of thousands of reasons would reach nobody.
_SHOWN = 50


def judge_prefix_list(change: Change, looked_up: LookupResult, around: Surroundings) -> Iterator[Exposure]:
    """What new entries open, group by group, the worst first and the rest counted."""
    if change.prefix_list is None:
        return
    yield from _of_entries(change.prefix_list, is_read=not change.unread)
    list_id = change.prefix_list.prefix_list_id
    if list_id is None or looked_up.groups is None:
        return
    users = [
        group
        for group in looked_up.groups.values()
        if any(rule.peer.value == list_id and is_ingress(rule) for rule in group.rules)
    ]
    around = _with_entries(list_id, change.prefix_list, looked_up, around)
    opened = in_order(item for group in users for item in _opened_on(group, list_id, around))
    yield from opened[:_SHOWN]
    if rest := [item for item in opened[_SHOWN:] if item.kind is ExposureKind.OPENING]:
        reason = f"The list's new entries open {number_of(len(rest), 'more way')} in, none of them worse than these."
        yield Exposure(rest[0].severity, reason, kind=ExposureKind.PREFIX_LIST)
    yield Exposure(Severity.LOW, _used_by(users), kind=ExposureKind.PREFIX_LIST)


def _contents(entries: PrefixListChange) -> Iterator[Exposure]:
    """Where the list's contents come from, if that is not what the record lists."""
    if entries.contents is ListContents.EARLIER_VERSION:
        which = "An earlier version" if entries.restored_version is None else f"Version {entries.restored_version}"
        reason = f"{which} of the list is in force again; its entries are not in the record."
    elif entries.contents is ListContents.IPAM and entries.prefix_list_id is None:
        reason = "IPAM decides what is in these lists: their contents are not known, and can change without a call."
    elif entries.contents is ListContents.IPAM:
        reason = "IPAM now decides what is in the list: its contents are not known, and can change without a call."
    else:
        return
    yield Exposure(Severity.MEDIUM, reason, kind=ExposureKind.PREFIX_LIST)


def _of_entries(entries: PrefixListChange, *, is_read: bool) -> Iterator[Exposure]:
    """What the record by itself says: of a resolver first the ranges in its rules, which its lists surely hold."""
    is_list = entries.prefix_list_id is not None
    if is_list:
        yield from _contents(entries)
    added = [(cidr, parse_range(cidr)) for cidr in entries.added]
    public = [found.text for _, found in added if found is not None and is_public(found)]
    unread = [printable(cidr, 60) for cidr, found in added if found is None]
    if public or unread:
        parts = [few(_shown(public))] if public else []
        parts += [f"{few(unread)}, which cannot be read"] if unread else []
        less = f", and no longer {few(_shown(entries.removed))}" if entries.removed else ""
        lists = "this list" if is_list else "a list of the resolver"
        reason = f"Rules that name {lists} now also mean {' and '.join(parts)}{less}."
        yield Exposure(Severity.MEDIUM, reason, kind=ExposureKind.PREFIX_LIST)
    elif is_read and entries.contents is ListContents.ENTRIES:
        whose = "The list's change" if is_list else "The resolver's change"
        named = "it" if is_list else "its lists"
        reason = f"{whose} adds no public range to the rules that name {named}{entries_phrase(entries)}."
        yield Exposure(Severity.LOW, reason, kind=ExposureKind.PREFIX_LIST)
    if not is_list:
        yield from _contents(entries)


def entries_phrase(entries: PrefixListChange | None) -> str:
    """How many entries the call adds to a prefix list, and which it takes from it, in brackets."""
    if entries is None:
        return ""
    counted = (("adds", entries.added), ("removes", entries.removed))
    said = [f"{verb} {few(_shown(cidrs))}" for verb, cidrs in counted if cidrs]
    return f" (the call {' and '.join(said)})" if said else ""


def _shown(cidrs: Iterable[str]) -> list[str]:
    return [printable(cidr, 60) for cidr in widest_first(cidrs)]


def widest_first(cidrs: Iterable[str]) -> list[str]:
    """The ranges, what cannot be read before all."""

    def size(cidr: str) -> tuple[bool, int]:
        found = parse_range(cidr)
        return (found is not None, 0 if found is None else found.first - found.last)

    return sorted(cidrs, key=size)


def _with_entries(
    list_id: str, change: PrefixListChange, looked_up: LookupResult, around: Surroundings
) -> Surroundings:
    """The list as it is after the change and, under a name of its own, as it was."""
    known = looked_up.prefix_lists.get(list_id)
    had = looked_up.entries_before or ()
    touched = {*change.removed, *change.added}
    entries = looked_up.entries_after
    if entries is None:
        entries = (*(cidr for cidr in had if cidr not in touched), *change.added)
    name = known.name if known is not None and known.name is not None else list_id
    now = PrefixList(name, aws_managed=False, cidrs=entries, owner_id=known.owner_id if known is not None else None)
    was = PrefixList(name, aws_managed=False, cidrs=had)
    return around._replace(prefix_lists={**around.prefix_lists, list_id: now, _was(list_id): was})


def _was(list_id: str) -> str:
    return f"{list_id} before"


def _opened_on(group: GroupInfo, list_id: str, around: Surroundings) -> list[Exposure]:
    """What the entries open through the rules of one group."""
    named = [rule for rule in group.rules if rule.peer.value == list_id]
    previous = [_of_list(rule, _was(list_id)) for rule in named]
    modified = [ModifiedRule(before, rule) for before, rule in zip(previous, named, strict=True)]
    kept = tuple(rule for rule in group.rules if rule.peer.value != list_id)
    # The live rules may hold a later change, which is then reported in full: there no list is a rule's past.
    others = OtherRules(kept, tuple(previous), kept, are_all=False)
    where = group_phrase(group.name, group.id)
    return [
        item._replace(reason=f"On {where}: {item.reason}")
        for item in judge_opened(modified, others, around)
        if _is_news(item) and item.rule is not None and is_ingress(item.rule)
    ]


def _is_news(item: Exposure) -> bool:
    """Whether the entries open something, or would if other rules did not allow the same."""
    would_open = item.kind is ExposureKind.NOTHING_NEW and item.severity.rank >= Severity.MEDIUM.rank
    return item.kind is ExposureKind.OPENING or would_open


def _of_list(rule: SecurityGroupRule, list_id: str) -> SecurityGroupRule:
    return rule._replace(peer=rule.peer._replace(value=list_id))


def _used_by(users: Sequence[GroupInfo]) -> str:
    if not users:
        return "No security group of this account and region names the list in an ingress rule."
    names = few([printable(group.name or group.id, 80) for group in users])
    verb = "names" if len(users) == 1 else "name"
    return f"{number_of(len(users), 'security group')} {verb} the list in ingress rules: {names}."
