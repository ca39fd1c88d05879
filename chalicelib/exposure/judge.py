"""What a change opens, how bad that is, and which controls it breaks.

The change is judged, not the group: only what the rules after it let in and the rules before it, where
known, did not. Removing and narrowing are good news. What cannot be read is judged as badly as it may be.
Look-ups replace what was assumed, and may raise a severity. They lower one only where a rule opens nothing that
the group is known to have let in already, and then not below medium: the other rules may go, and it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from chalicelib.cloudtrail.catalog import EventGroup, Verb
from chalicelib.exposure.attached_groups import groups_phrase, judge_attachment
from chalicelib.exposure.compare import openings
from chalicelib.exposure.explain import Surroundings, explain, ranges_in, removed
from chalicelib.exposure.list_entries import entries_phrase, judge_prefix_list
from chalicelib.exposure.opened_rules import OtherRules, in_order, judge_opened
from chalicelib.exposure.traffic import TrafficLine, is_ingress
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.address_ranges import AddressRange
from chalicelib.security_groups.changes import Change, Outcome
from chalicelib.security_groups.controls import DEFAULT_GROUP
from chalicelib.security_groups.lookup_result import LookupResult, PrefixList, ResolvedChange
from chalicelib.security_groups.phrases import rule_phrase
from chalicelib.security_groups.rules import ALL_PROTOCOLS, ModifiedRule, PeerType, SecurityGroupRule
from chalicelib.security_groups.severity import (
    Exposure,
    ExposureKind,
    Opens,
    Severity,
    most_telling_rule,
    severity_of,
)
from chalicelib.security_groups.unknowns import shortened
from chalicelib.text import number_of

# Callers import what judging takes and gives from here.
__all__ = ["Exposure", "Opens", "PrefixList", "Severity", "judge", "most_telling_rule", "severity_of"]

NO_LOOK_UPS = LookupResult()


class _Case(NamedTuple):
    """A change with all that is known of it."""

    known: ResolvedChange
    looked_up: LookupResult
    around: Surroundings

    @property
    def change(self) -> Change:
        return self.known.change


def judge(
    resolved: ResolvedChange,
    looked_up: LookupResult = NO_LOOK_UPS,
    *,
    by_root: bool,
    of_root: bool = False,
    account_id: str | None = None,
) -> tuple[Exposure, ...]:
    """Every reason for the change's severity, worst first; never empty.

    ``account_id`` is the account in which the change was made. ``of_root`` is set where root issued the session
    that made it.
    """
    change = resolved.change
    around = Surroundings(account_id, looked_up.prefix_lists, looked_up.groups or {})
    if not change.succeeded:
        return (_attempt(change, around, by_root=by_root or of_root),)
    exposures = list(_unread(change))
    if by_root or of_root:
        what = "made this change" if by_root else "issued the session that made this change"
        reason = f"The account's root user {what}."
        exposures.append(Exposure(Severity.HIGH, reason, kind=ExposureKind.ROOT))
    exposures += _JUDGES[change.event.group](_Case(resolved, looked_up, around))
    return in_order(exposures)


def _attempt(change: Change, around: Surroundings, *, by_root: bool) -> Exposure:
    rules = change.changes.attempted
    rule = rules[_worst_first(rules, around)[0]] if rules else None
    more = f" and {number_of(len(rules) - 1, 'more rule')}" if len(rules) > 1 else ""
    asked = f" ({rule_phrase(rule)}{more})" if rule else ""
    what = change.event.name + (asked or groups_phrase(change) or entries_phrase(change.prefix_list))
    severity, became = {
        Outcome.DENIED: (Severity.MEDIUM, "was denied"),
        Outcome.DRY_RUN: (Severity.INFO, "was a dry run"),
    }.get(change.outcome, (Severity.MEDIUM, "failed (as root)") if by_root else (Severity.INFO, "failed"))
    return Exposure(severity, f"{what} {became}; nothing changed.", rule=rule, kind=ExposureKind.ATTEMPT)


def _unread(change: Change) -> Iterator[Exposure]:
    for problem in shortened(change.unread):
        reason = f"Part of the change could not be read, so it may open anything: {problem}."
        yield Exposure(Severity.HIGH, reason, kind=ExposureKind.UNREAD)


def _judge_rules(case: _Case) -> Iterator[Exposure]:
    change, changes = case.change, case.change.changes
    if change.event.verb is Verb.DESCRIBE:
        reason = "Only descriptions changed; nothing opened or closed."
        yield Exposure(Severity.INFO, reason, kind=ExposureKind.DESCRIPTION)
        return
    # A new rule counts in full even where other rules allow the same already: they may go, and it stays.
    new = [*(ModifiedRule(None, rule) for rule in changes.added), *map(_without_list_before, changes.modified)]
    opened = judge_opened(new, _other_rules(case), case.around, case.looked_up.interfaces or ())
    yield from opened
    if _is_default_group(case):
        yield from _in_default_group([item.rule for item in opened if item.opens is not Opens.NOTHING and item.rule])
    yield from _removals(case)
    if not (new or changes.removed or change.unread):
        yield Exposure(Severity.LOW, _nothing_listed(change), kind=ExposureKind.REMOVAL)


def _without_list_before(item: ModifiedRule) -> ModifiedRule:
    """The rule without its past where that was another list: what the list holds may be newer than the change."""
    before, after = item.before, item.after
    was_list = before is not None and before.peer.type is PeerType.PREFIX_LIST and before.peer.value != after.peer.value
    return ModifiedRule(None, after) if was_list else item


def _other_rules(case: _Case) -> OtherRules:
    """What the group had beside the new rules, as far as it is known."""
    known, changes = case.known, case.change.changes
    previous = [item.before for item in changes.modified if item.before is not None]
    before = known.before if known.before is not None else previous
    replaced = {rule.identity for rule in (*changes.removed, *previous)}
    kept = tuple(rule for rule in before if rule.identity not in replaced)
    gone = tuple(rule for rule in before if rule.identity in replaced and rule.peer.type is not PeerType.PREFIX_LIST)
    return OtherRules(kept, gone, known.before if known.is_whole else None, known.is_guessed)


def _is_default_group(case: _Case) -> bool:
    group = (case.looked_up.groups or {}).get(case.change.group_id or "")
    return "default" in (case.change.group_name, group.name if group else None)


def _in_default_group(opening_rules: Sequence[SecurityGroupRule]) -> Iterator[Exposure]:
    ways = {is_ingress(rule) for rule in opening_rules}
    if True in ways:
        reason = "Ingress was added to a VPC's default group, which should allow none."
        yield Exposure(Severity.HIGH, reason, DEFAULT_GROUP, kind=ExposureKind.DEFAULT_GROUP)
    if False in ways:
        reason = "Egress was added to a VPC's default group, which should allow none."
        yield Exposure(Severity.LOW, reason, DEFAULT_GROUP, kind=ExposureKind.DEFAULT_GROUP)


def _removals(case: _Case) -> Iterator[Exposure]:
    """The removed rules, first those that would be the worst to add."""
    rules, after = case.change.changes.removed, case.known.after
    if not rules:
        return

    def ranges_of(rule: SecurityGroupRule) -> Sequence[AddressRange]:
        return ranges_in(rule, case.around)

    whole: frozenset[int] = frozenset()
    part: frozenset[int] = frozenset()
    if after:
        from chalicelib.exposure.still_open import still_open  # noqa: PLC0415 - a cold alert on a new rule does without

        whole, part = still_open(rules, after, ranges_of)
    for place in _worst_first(rules, case.around):
        yield removed(rules[place], still_allowed=place in whole, in_part=place in part)


def _worst_first(rules: Sequence[SecurityGroupRule], around: Surroundings) -> list[int]:
    """The places of the rules, first those that would be the worst to add."""
    if len(rules) == 1:
        return [0]
    line = TrafficLine(rules)

    def ranges_of(rule: SecurityGroupRule) -> Sequence[AddressRange]:
        return ranges_in(rule, around)

    def worth(place: int) -> tuple[int, int, bool, bool]:
        rule = rules[place]
        opened = openings(ModifiedRule(None, rule), line, ranges_of)
        worst = max((explain(found, around).severity.rank, found.breadth or 0) for found in opened)
        return (-worst[0], -worst[1], not is_ingress(rule), rule.protocol != ALL_PROTOCOLS)

    return sorted(range(len(rules)), key=worth)


def _nothing_listed(change: Change) -> str:
    if change.no_answer or change.answered_no:
        why = "is false" if change.answered_no else "is not in the record"
        return f"Which rules were removed is not known: AWS's answer {why}."
    if change.rule_ids or not change.changes.before_known:
        return "Rules were removed that the record does not list."
    return "Nothing was removed: the group had no such rules."


_GROUP_CALLS = {
    Verb.CREATE: (Severity.LOW, "A new group allows no ingress, and all egress until that is changed."),
    Verb.DELETE: (Severity.MEDIUM, "The group and all its rules are gone."),
    Verb.ASSOCIATE: (Severity.LOW, "The group may now be used in another VPC."),
    Verb.DISASSOCIATE: (Severity.LOW, "The group may no longer be used in that VPC."),
}


def _judge_groups(case: _Case) -> Iterator[Exposure]:
    severity, reason = _GROUP_CALLS[case.change.event.verb]
    yield Exposure(severity, reason, kind=ExposureKind.GROUP)


_JUDGES: dict[EventGroup, Callable[[_Case], Iterator[Exposure]]] = {
    EventGroup.RULES: _judge_rules,
    EventGroup.GROUPS: _judge_groups,
    EventGroup.ATTACHMENTS: lambda case: judge_attachment(case.change, case.looked_up, case.around),
    EventGroup.PREFIX_LISTS: lambda case: judge_prefix_list(case.change, case.looked_up, case.around),
}
