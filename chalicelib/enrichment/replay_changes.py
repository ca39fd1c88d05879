"""What one change did to a group's rules, and the rules after a row of such changes.

A rule is found again by its id, else by what it allows. What cannot be found leaves the outcome
uncertain, which is returned with it: ``is_certain``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.cloudtrail.catalog import Verb, is_egress, verb_of
from chalicelib.security_groups.lookup_result import Rules
from chalicelib.security_groups.rules import Direction, ModifiedRule, RuleIdentity, SecurityGroupRule

# What the reconciliation calls a change for which no event was received.
DRIFT = "drift"


@dataclass(frozen=True, slots=True)
class PastChange:
    """One change of a group as its alert reported it.

    ``gone`` are ids of removed rules, and ``described`` those of described ones with their new
    descriptions, of which no more is known; ``is_partial`` where some of the change could not be read.
    """

    event_id: str
    event_time: datetime
    event_name: str
    principal: str
    added: Rules = ()
    removed: Rules = ()
    modified: tuple[ModifiedRule, ...] = ()
    gone: tuple[str, ...] = ()
    described: tuple[tuple[str, str | None], ...] = ()
    is_partial: bool = False

    @property
    def touched_ids(self) -> set[str | None]:
        """The ids of the rules that it takes or changes."""
        ids = {rule.id for rule in self.removed} | {item.after.id for item in self.modified}
        return ids | set(self.gone) | {rule_id for rule_id, _ in self.described}


def replay(base: Rules, history: Iterable[PastChange]) -> Rules:
    """The rules after these changes; one whose effect is there already changes nothing."""
    return replay_with_certainty(base, history)[0]


def is_certain(base: Rules, history: Iterable[PastChange]) -> bool:
    """Whether the rules after these changes are certain."""
    return replay_with_certainty(base, history)[1]


def replay_with_certainty(base: Rules, history: Iterable[PastChange]) -> tuple[Rules, bool]:
    """The rules after these changes, and whether they are certain."""
    rules, certain = list(base), True
    for past in history:
        change = _describe if verb_of(past.event_name) is Verb.DESCRIBE else _modify
        found = [_remove(rules, past), *[change(rules, item) for item in past.modified]]
        found += [_describe_by_id(rules, rule_id, description) for rule_id, description in past.described]
        rules += _missing(rules, past.added)
        # A drift is what makes the rules those that are live.
        certain = past.event_name == DRIFT or (certain and all(found) and not past.is_partial)
    return tuple(rules), certain


def _remove(rules: list[SecurityGroupRule], past: PastChange) -> bool:
    """Take the change's removed rules away; says whether all were found that are known by id only."""
    if not (past.removed or past.gone):
        return True
    unfound = set(past.gone) - {rule.id for rule in rules}
    rules[:] = [
        rule for rule in rules if rule.id not in past.gone and not any(same_rule(rule, item) for item in past.removed)
    ]
    if unfound:
        direction = Direction.EGRESS if is_egress(past.event_name) else Direction.INGRESS
        place = _only_rule_without_id(rules, direction)
        if place is not None:
            del rules[place]
            return False
    return True


def _modify(rules: list[SecurityGroupRule], item: ModifiedRule) -> bool:
    after, certain = item.after, True
    place = find(rules, after, item.before)
    if place is None and after.id is not None:
        place = _only_rule_without_id(rules, after.direction)
        certain = place is None and after.direction is not None
    if place is not None:
        old = rules[place]
        rules[place] = after._replace(id=after.id or old.id, direction=after.direction or old.direction)
    elif certain and after.id is not None:
        rules.append(after)
    else:
        return False
    return certain


def _describe(rules: list[SecurityGroupRule], item: ModifiedRule) -> bool:
    """Only the description: what else the rule allows may be in an event that is still to come."""
    place = find(rules, item.after, None)
    if place is None:
        return item.after.id is not None and _describe_by_id(rules, item.after.id, item.after.description)
    rules[place] = rules[place]._replace(description=item.after.description, id=rules[place].id or item.after.id)
    return True


def _describe_by_id(rules: list[SecurityGroupRule], rule_id: str, description: str | None) -> bool:
    found = next((place for place, rule in enumerate(rules) if rule.id == rule_id), None)
    place = _only_rule_without_id(rules, None) if found is None else found
    if place is not None:
        rules[place] = rules[place]._replace(description=description, id=rule_id)
    return found is not None


def _only_rule_without_id(rules: Iterable[SecurityGroupRule], direction: Direction | None) -> int | None:
    """The one rule whose id is not known, which an id that no other rule has may well be of."""
    places = [place for place, rule in enumerate(rules) if rule.id is None and direction in (None, rule.direction)]
    return places[0] if len(places) == 1 else None


def _missing(rules: Sequence[SecurityGroupRule], added: Rules) -> list[SecurityGroupRule]:
    """Those of the added rules that are not there: by id where both have one, else by what they allow."""
    return list(_not_among(rules, added)) if added else []


def _not_among(rules: Sequence[SecurityGroupRule], added: Rules) -> Iterator[SecurityGroupRule]:
    ids = {rule.id for rule in rules}
    nameless = {rule.identity for rule in rules if rule.id is None}
    every = {rule.identity for rule in rules} if any(rule.id is None for rule in added) else set()
    for rule in added:
        known = rule.id in ids or rule.identity in nameless if rule.id is not None else rule.identity in every
        if not known:
            yield rule


def same_rule(rule: SecurityGroupRule, other: SecurityGroupRule) -> bool:
    """Whether both are the same rule: by id where both have one, else by what they allow."""
    if rule.id is not None and other.id is not None:
        return rule.id == other.id
    return rule.identity == other.identity


def completed(rule: SecurityGroupRule, same: SecurityGroupRule) -> SecurityGroupRule:
    """The rule with what else another source has of it: id, direction, tags, the account and VPC of its peer."""
    return rule._replace(
        direction=rule.direction or same.direction,
        peer=rule.peer.completed(same.peer),
        id=rule.id or same.id,
        tags=same.tags if rule.tags is None else rule.tags,
    )


def find(rules: Iterable[SecurityGroupRule], rule: SecurityGroupRule, previous: SecurityGroupRule | None) -> int | None:
    """Where the rule stands: by its id, else by what it allows or used to allow."""
    wanted: set[RuleIdentity] = {rule.identity} if previous is None else {previous.identity}
    by_identity = None
    for place, other in enumerate(rules):
        if rule.id is not None and other.id == rule.id:
            return place
        if by_identity is None and (rule.id is None or other.id is None) and other.identity in wanted:
            by_identity = place
    return by_identity


def same_rules(one: Iterable[SecurityGroupRule], other: Iterable[SecurityGroupRule]) -> bool:
    """Whether two lists hold the same rules with the same descriptions, whatever their order."""
    return not different(one, other)


def different(one: Iterable[SecurityGroupRule], other: Iterable[SecurityGroupRule]) -> Rules:
    """The rules of either list that the other does not hold with the same description."""
    both = [{(rule.identity, rule.description): rule for rule in rules} for rules in (one, other)]
    return tuple(mine[key] for mine, others in (both, both[::-1]) for key in mine if key not in others)
