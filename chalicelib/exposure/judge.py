"""What a change opens, how bad that is, and which controls it breaks.

The change is judged, not the group: only what the rules after it let in and the rules before it, where
known, did not. Removing and narrowing are good news. What cannot be read is judged as badly as it may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chalicelib.cloudtrail.catalog import EventGroup, Verb
from chalicelib.exposure.compare import Opening, is_ingress, opening, openings_together
from chalicelib.exposure.explain import judge_opening, known_ranges, together_exposure
from chalicelib.security_groups.address_ranges import is_public, parse_range
from chalicelib.security_groups.changes import Change, Changes, ListContents, Outcome
from chalicelib.security_groups.controls import DEFAULT_GROUP
from chalicelib.security_groups.lookup_result import Facts, PrefixList
from chalicelib.security_groups.phrases import is_world, peer_phrase, printable, rule_phrase, service_phrase
from chalicelib.security_groups.rules import ModifiedRule, SecurityGroupRule
from chalicelib.security_groups.severity import Exposure, Opens, Severity, severity_of
from chalicelib.text import number_of

# Whoever judges changes finds what it takes and gives here.
__all__ = ["Exposure", "Facts", "Opens", "PrefixList", "Severity", "judge", "severity_of"]


def judge(change: Change, *, by_root: bool, facts: Facts) -> tuple[Exposure, ...]:
    """Every reason for the change's severity, worst first; never empty."""
    if not change.succeeded:
        return (_attempt(change, by_root=by_root),)
    exposures = list(_unread(change))
    if by_root:
        exposures.append(Exposure(Severity.HIGH, "The account's root user made this change."))
    exposures += _JUDGES[change.event.group](change, facts)
    return tuple(sorted(exposures, key=lambda item: -item.severity.rank))


def _attempt(change: Change, *, by_root: bool) -> Exposure:
    rules = change.changes.attempted
    rule = rules[0] if len(rules) == 1 else None
    asked = f" ({rule_phrase(rule) if rule else number_of(len(rules), 'rule')})" if rules else ""
    what = change.event.name + (asked or _entries(change))
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
    if change.event.verb is Verb.DESCRIBE:
        yield Exposure(Severity.INFO, "Only descriptions changed; nothing opened or closed.")
        return
    # A new rule counts in full even where other rules allow the same already: they may go, and it stays.
    found: list[tuple[ModifiedRule | None, Opening | None]]
    found = [(None, opening(rule, ())) for rule in changes.added]
    found += [(item, opening(item.after, (item.before,) if item.before else ())) for item in changes.modified]
    for item, opened in found:
        if opened is not None:
            yield from judge_opening(opened, facts)
        elif item is not None:
            yield _narrowed(item)
    yield from _together(changes, facts)
    if _is_default_group(change, facts):
        yield from _in_default_group([opened.rule for _, opened in found if opened])
    yield from (_removed(rule) for rule in changes.removed)
    if not (found or changes.removed or change.unread):
        yield Exposure(Severity.LOW, _nothing_listed(change))


def _is_default_group(change: Change, facts: Facts) -> bool:
    return "default" in (change.group_name, facts.group_name)


def _in_default_group(opening_rules: list[SecurityGroupRule]) -> Iterator[Exposure]:
    ways = {is_ingress(rule) for rule in opening_rules}
    if True in ways:
        reason = "Ingress was added to a VPC's default group, which should allow none."
        yield Exposure(Severity.HIGH, reason, DEFAULT_GROUP)
    if False in ways:
        reason = "Egress was added to a VPC's default group, which should allow none."
        yield Exposure(Severity.LOW, reason, DEFAULT_GROUP)


def _together(changes: Changes, facts: Facts) -> Iterator[Exposure]:
    """What the new rules open with each other, or with those that the group had and kept."""
    new = [*changes.added, *(item.after for item in changes.modified)]
    known = [item.before for item in changes.modified if item.before is not None]
    before = facts.before if facts.before is not None else known
    replaced = {rule.identity for rule in (*changes.removed, *known)}
    kept = [rule for rule in before if rule.identity not in replaced]
    gone = [rule for rule in before if rule.identity in replaced]
    for found in openings_together(new, kept, gone, lambda rule: known_ranges(rule, facts)):
        yield together_exposure(found, facts)


def _nothing_listed(change: Change) -> str:
    if change.rule_ids or not change.changes.before_known:
        return "Rules were removed that the record does not list."
    return "Nothing was removed: the group had no such rules."


def _narrowed(item: ModifiedRule) -> Exposure:
    if item.before is not None and item.before.identity == item.after.identity:
        reason = "Only the description changed; nothing opened or closed."
        return Exposure(Severity.INFO, reason, rule=item.after, opens=Opens.NOTHING)
    was = f" ({rule_phrase(item.before)} before)" if item.before else ""
    reason = f"Good news: {rule_phrase(item.after)} allows nothing that was not allowed already{was}."
    return Exposure(Severity.LOW, reason, rule=item.after, opens=Opens.NOTHING)


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
    if change.skips_privatelink:
        reason = "Inbound rules no longer apply to traffic that reaches the load balancer through AWS PrivateLink."
        yield Exposure(Severity.MEDIUM, reason)
    if change.keeps_groups:
        yield Exposure(Severity.LOW, f"The {what} was modified; its security groups are not part of the request.")
    else:
        yield Exposure(Severity.LOW, f"Which security groups protect this {what} has changed.")


def _judge_prefix_list(change: Change, _facts: Facts) -> Iterator[Exposure]:
    entries = change.prefix_list.added if change.prefix_list else ()
    public = [cidr for cidr in entries if (found := parse_range(cidr)) is None or is_public(found)]
    contents = change.prefix_list.contents if change.prefix_list else ListContents.ENTRIES
    if contents is ListContents.EARLIER_VERSION:
        reason = "An earlier version of the list is in force again; its entries are not in the record."
        yield Exposure(Severity.MEDIUM, reason)
    if contents is ListContents.IPAM:
        reason = "IPAM now decides what is in the list: its contents are not known, and can change without a call."
        yield Exposure(Severity.MEDIUM, reason)
    if public:
        reason = f"Rules that name this list now also mean {printable(', '.join(public), 200)}{_entries(change)}."
        yield Exposure(Severity.MEDIUM, reason)
    elif contents is ListContents.ENTRIES:
        reason = f"The list's change adds no public range to the rules that name it{_entries(change)}."
        yield Exposure(Severity.LOW, reason)


def _entries(change: Change) -> str:
    """What the call adds to a prefix list and takes from it, in brackets."""
    if change.prefix_list is None:
        return ""
    entries = (("adds", change.prefix_list.added), ("removes", change.prefix_list.removed))
    said = [f"{verb} {printable(', '.join(cidrs), 200)}" for verb, cidrs in entries if cidrs]
    return f" (the call {' and '.join(said)})" if said else ""


_JUDGES: dict[EventGroup, Callable[[Change, Facts], Iterator[Exposure]]] = {
    EventGroup.RULES: _judge_rules,
    EventGroup.GROUPS: _judge_groups,
    EventGroup.ATTACHMENTS: _judge_attachments,
    EventGroup.PREFIX_LISTS: _judge_prefix_list,
}
