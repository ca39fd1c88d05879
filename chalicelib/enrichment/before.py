"""What the rules were before a change, from the sources that hold it: pure, and never a guess.

In this order: the record's answer, the snapshot, the live rules with the change undone, AWS Config.
The live rules count only where they show the change; where they contradict it they show a later state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.cloudtrail.catalog import Verb
from chalicelib.enrichment.group_snapshots import is_default
from chalicelib.enrichment.replay_changes import completed, find, same_rule, same_rules
from chalicelib.security_groups.changes import Change, Changes
from chalicelib.security_groups.lookup_result import ResolvedChange, Rules
from chalicelib.security_groups.rules import ModifiedRule, PeerType, SecurityGroupRule
from chalicelib.security_groups.unknowns import Unknown, UnknownTopic, other, without


@dataclass(frozen=True, slots=True)
class RuleSources:
    """The group's rules by each source, None where it is silent.

    ``live`` is after the change, ``snapshot`` and ``config`` before it. ``described`` are the new
    descriptions that the record gives to rules by id.
    """

    live: Rules | None = None
    snapshot: Rules | None = None
    config: Rules | None = None
    described: Mapping[str, str | None] | None = None


def resolve(change: Change, evidence: RuleSources) -> ResolvedChange:
    """Everything about before and after that the sources hold."""
    if not change.succeeded:
        return ResolvedChange(change)
    if change.event.name == "DeleteSecurityGroup":
        return _deleted(change, evidence)
    filled = _with_described(_with_ids(change, evidence), evidence)
    filled = _with_previous(filled, evidence)
    live = evidence.live if evidence.live is not None and reflects(filled, evidence.live) else None
    known = _before(filled, live, evidence.snapshot)
    unknowns = _still_unknown(filled, evidence)
    if evidence.live is not None and live is None:
        unknowns += (_other_state(evidence.live, evidence.snapshot),)
    changes = filled.changes._replace(
        before_known=not _has_gaps(filled),
        rules_after=None if known.after is None else len(known.after),
    )
    return known._replace(change=filled._replace(changes=changes, unknowns=unknowns))


def _other_state(live: Rules, snapshot: Rules | None) -> Unknown:
    """Why the live rules are not those right after the change.

    EC2 answers with what was before a change for a while: https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
    """
    shown = "the live rules show a state from before or after it"
    if snapshot is not None:
        shown = "the live rules show a later state"
        if same_rules(live, snapshot):
            shown = "the live rules still show the state before it"
    return other(f"the rules right after the change: {shown}")


def reflects(change: Change, live: Rules) -> bool:
    """Whether the live rules can be those right after the change."""
    changes = change.changes
    if change.event.name == "CreateSecurityGroup":
        return bool(live) and all(map(is_default, live))
    there = (*changes.added, *(item.after for item in changes.modified))
    if change.event.verb is Verb.REVOKE and any(rule.id in change.rule_ids for rule in live):
        return False
    return all(_stands(rule, live) for rule in there) and not any(
        same_rule(rule, other) for rule in changes.removed for other in live
    )


def _stands(rule: SecurityGroupRule, live: Rules) -> bool:
    place = find(live, rule, None)
    if place is None:
        return False
    other = live[place]
    return (other.identity, other.description) == (rule.identity, rule.description)


def _with_ids(change: Change, evidence: RuleSources) -> Change:
    """The change's new rules with the id, the direction and the peer's account that the record left out."""
    sources = [rules for rules in (evidence.live, evidence.snapshot) if rules is not None]

    def complete(rule: SecurityGroupRule) -> SecurityGroupRule:
        for rules in sources:
            place = find(rules, rule, None)
            if place is not None:
                return completed(rule, rules[place])
        return rule

    changes = change.changes
    modified = tuple(ModifiedRule(item.before, complete(item.after)) for item in changes.modified)
    added = tuple(complete(rule) for rule in changes.added)
    return change._replace(changes=changes._replace(added=added, modified=modified))


def _with_described(change: Change, evidence: RuleSources) -> Change:
    """Rules that were described by id, added to the modified ones where some source knows them."""
    modified = list(change.changes.modified)
    for rule_id, description in (evidence.described or {}).items():
        # Of a rule that was described again since, the live one reflects a later self.
        live = (rule for rule in evidence.live or () if rule.description == description)
        rule = next((rule for rule in (*(evidence.snapshot or ()), *live) if rule.id == rule_id), None)
        if rule is not None:
            modified.append(ModifiedRule(None, rule._replace(description=description)))
    return change._replace(changes=change.changes._replace(modified=tuple(modified)))


def _with_previous(change: Change, evidence: RuleSources) -> Change:
    changes = change.changes
    modified = tuple(_modified(item, change, evidence) for item in changes.modified)
    removed = tuple(_completed(rule, evidence) for rule in changes.removed)
    found = _removed_by_id(change, evidence) if not changes.modified else ()
    seen = {rule.id for rule in found}
    left = tuple(rule_id for rule_id in change.rule_ids if rule_id not in seen) if found else change.rule_ids
    if change.event.verb is Verb.REVOKE:
        unread = any(item.topic is UnknownTopic.UNREAD_RULE for item in change.unknowns)
        changes = changes._replace(before_known=not left and not unread)
    changes = changes._replace(modified=modified, removed=(*removed, *found))
    return change._replace(changes=changes, rule_ids=left)


def _modified(item: ModifiedRule, change: Change, evidence: RuleSources) -> ModifiedRule:
    """The rule with its previous state, whose direction it keeps."""
    before = item.before if item.before is not None else _previous(item.after, change, evidence)
    direction = item.after.direction or (before.direction if before is not None else None)
    return ModifiedRule(before, item.after._replace(direction=direction))


def _completed(rule: SecurityGroupRule, evidence: RuleSources) -> SecurityGroupRule:
    """A removed rule with what its record lacks: without an answer description and id, its tags, its peer's account."""
    for rules in (evidence.snapshot, evidence.config):
        place = find(rules, rule, None) if rules is not None else None
        if rules is not None and place is not None:
            same = rules[place]
            return (completed(rule, same))._replace(description=rule.description or same.description)
    return rule


def _is_complete(rule: SecurityGroupRule, evidence: RuleSources) -> bool:
    return any(
        rules is not None and find(rules, rule, None) is not None for rules in (evidence.snapshot, evidence.config)
    )


def _previous(after: SecurityGroupRule, change: Change, evidence: RuleSources) -> SecurityGroupRule | None:
    only_described = change.event.verb is Verb.DESCRIBE
    for rules in (evidence.snapshot, evidence.config):
        if rules is None:
            continue
        by_id = next((rule for rule in rules if rule.id is not None and rule.id == after.id), None)
        if by_id is not None:
            return by_id._replace(direction=by_id.direction or after.direction)
        if only_described:
            same = next((rule for rule in rules if rule.identity == after.identity), None)
            if same is not None:
                return same._replace(id=after.id)
        elif (left := _left_over(rules, change, evidence.live)) is not None:
            return left._replace(id=after.id)
    return None


def _left_over(previous: Rules, change: Change, live: Rules | None) -> SecurityGroupRule | None:
    """The one previous rule of unknown id that is no longer live, where one rule was changed: then it is that one."""
    if live is None or len(change.changes.modified) != 1:
        return None
    after = change.changes.modified[0].after
    others = [rule for rule in live if rule.id != after.id]
    nameless = [rule for rule in previous if rule.id is None and after.direction in (None, rule.direction)]
    left = [rule for rule in nameless if not any(same_rule(rule, other) for other in others)]
    # The very values that it has now: they were recorded after the change.
    is_new = len(left) == 1 and (left[0].identity, left[0].description) == (after.identity, after.description)
    return left[0] if len(left) == 1 and not is_new else None


def _removed_by_id(change: Change, evidence: RuleSources) -> Rules:
    """The removed rules of which the record has only ids; none unless every one is found."""
    if not change.rule_ids or change.event.verb is not Verb.REVOKE:
        return ()
    for rules in (evidence.snapshot, evidence.config):
        if rules is None:
            continue
        by_id = {rule.id: rule for rule in rules if rule.id is not None}
        if all(rule_id in by_id for rule_id in change.rule_ids):
            return tuple(by_id[rule_id] for rule_id in change.rule_ids)
        known_gone = {rule.identity for rule in change.changes.removed}
        live = evidence.live or ()
        nameless = [rule for rule in rules if rule.id is None and rule.direction is change.direction]
        left = [rule for rule in nameless if rule.identity not in known_gone]
        left = [rule for rule in left if not any(same_rule(rule, other) for other in live)]
        if evidence.live is not None and len(left) == len(change.rule_ids) == 1:
            return (left[0]._replace(id=change.rule_ids[0]),)
    return ()


def _before(change: Change, live: Rules | None, snapshot: Rules | None) -> ResolvedChange:
    after = None if snapshot is None or _has_gaps(change) else _applied(change, snapshot)
    if live is None:
        return ResolvedChange(change, snapshot, is_whole=snapshot is not None, after=after)
    undone, is_whole = _undone(change, live)
    if snapshot is None:
        return ResolvedChange(change, undone, is_whole=is_whole, after=live, is_guessed=True)
    if is_whole and same_rules(undone, snapshot):
        return ResolvedChange(change, snapshot, is_whole=True, after=live)
    # Something else changed at about the same time: only what both know was certainly there.
    both = tuple(rule for rule in undone if any(rule.identity == other.identity for other in snapshot))
    return ResolvedChange(change, both, is_whole=False)


def _undone(change: Change, live: Rules) -> tuple[Rules, bool]:
    """The live rules with the change taken back, and whether that gives all of them."""
    changes = change.changes
    rules, is_whole = list(live), not _has_gaps(change)
    for rule in changes.added:
        place = find(rules, rule, None)
        if place is not None:
            del rules[place]
    for item in changes.modified:
        place = find(rules, item.after, None)
        if place is not None:
            rules[place : place + 1] = [item.before] if item.before is not None else []
    return (*rules, *changes.removed), is_whole


def with_change_reverted(change: Change, live: Rules) -> Rules:
    """The live rules with the change undone; modified rules whose previous state is unknown stay as they are."""
    before_missing = (item.after for item in change.changes.modified if item.before is None)
    return (*_undone(change, live)[0], *before_missing)


def _applied(change: Change, before: Rules) -> Rules:
    gone = (*change.changes.removed, *(item.before for item in change.changes.modified if item.before))
    kept = (rule for rule in before if not any(same_rule(rule, other) for other in gone))
    return (*kept, *(item.after for item in change.changes.modified), *change.changes.added)


def _has_gaps(change: Change) -> bool:
    """Whether some rule's previous state is still missing."""
    if change.event.verb is Verb.REVOKE:
        return bool(change.rule_ids) or not change.changes.before_known
    if change.event.verb is Verb.DESCRIBE:
        known = {item.after.id for item in change.changes.modified}
        return any(rule_id not in known for rule_id in change.rule_ids) or _before_missing(change.changes)
    return _before_missing(change.changes) or bool(change.unread)


def _before_missing(changes: Changes) -> bool:
    return any(item.before is None for item in changes.modified)


def _deleted(change: Change, evidence: RuleSources) -> ResolvedChange:
    previous = evidence.snapshot if evidence.snapshot is not None else evidence.config
    if previous is None:
        return ResolvedChange(change)
    changes = change.changes._replace(removed=previous, before_known=True, rules_after=0)
    filled = change._replace(changes=changes)
    unknowns = without(filled.unknowns, UnknownTopic.DELETED_RULES)
    return ResolvedChange(filled._replace(unknowns=unknowns), previous, is_whole=True, after=())


def _still_unknown(change: Change, evidence: RuleSources) -> tuple[Unknown, ...]:
    unknowns = change.unknowns
    modified = change.changes.modified
    if modified and all(item.after.direction is not None for item in modified):
        unknowns = without(unknowns, UnknownTopic.DIRECTION)
    if all(item.after.peer.account_id for item in modified if item.after.peer.type is PeerType.SECURITY_GROUP):
        unknowns = without(unknowns, UnknownTopic.PEER_ACCOUNT)
    if not _has_gaps(change):
        unknowns = without(unknowns, UnknownTopic.PREVIOUS_VALUES, UnknownTopic.RULE_BY_ID)
    if change.changes.removed and all(_is_complete(rule, evidence) for rule in change.changes.removed):
        unknowns = without(unknowns, UnknownTopic.PREVIOUS_DESCRIPTIONS)
    return unknowns
