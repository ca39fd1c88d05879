"""What the calls that change rules did: authorize, revoke, modify and describe.

AWS's answer is trusted over the request, because it holds what was stored and under which id; answers
are missing from records before 2021 and from those that CloudTrail cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chalicelib.cloudtrail.records import mapping, text
from chalicelib.security_groups.changes import Change, Changes, NotUnderstood
from chalicelib.security_groups.phrases import printable, rule_phrase
from chalicelib.security_groups.rules import ModifiedRule, PeerType, SecurityGroupRule, Tags
from chalicelib.security_groups.unknowns import Unknown, UnknownTopic, other, unread_parts
from chalicelib.security_groups.wire_rules import (
    Reading,
    read_flat_permission,
    read_ip_permissions,
    read_rule_requests,
    read_rule_set,
    read_tags,
)
from chalicelib.security_groups.wire_shapes import canonical, field, item_text, items, key_names
from chalicelib.text import number_of

Parameters = Mapping[str, Any]
CallReader = Callable[[Change, Parameters, Parameters], Change]


def _requested(change: Change, request: Parameters) -> Reading:
    direction = change.direction
    listed = read_ip_permissions(request.get("ipPermissions"), direction)
    return listed.joined(read_flat_permission(request, direction))


def _rule_ids(request: Parameters) -> tuple[str, ...]:
    found = (item_text(item, "securityGroupRuleId") for item in items(request.get("securityGroupRuleIds")))
    return tuple(dict.fromkeys(filter(None, found)))


# A call may name a thousand rules, and each sentence has to be read to its end. What only a sentence names
# gets more of them.
_SHOWN, _SHOWN_HERE_ALONE = 5, 20


def _few(ids: tuple[str, ...], most: int = _SHOWN) -> str:
    more = len(ids) - most
    return ", ".join(ids[:most]) + (f" and {more:,} more" if more > 0 else "")


def _attempted(change: Change, requested: Reading, rule_ids: tuple[str, ...] = ()) -> Change:
    unknowns = unread_parts("an attempted rule", (*requested.unread, *_not_known(requested)))
    if rule_ids:
        by_id = f"the rules {_few(rule_ids, _SHOWN_HERE_ALONE)}: the record names them by id only"
        unknowns += (Unknown(UnknownTopic.RULE_BY_ID, by_id),)
    return change._replace(
        changes=Changes(attempted=requested.rules),
        rule_ids=rule_ids,
        unknowns=change.unknowns + unknowns,
    )


def _with_unread(change: Change, unread: tuple[str, ...]) -> Change:
    if not unread:
        return change
    unknowns = change.unknowns + unread_parts("part of the request", unread)
    return change._replace(unread=change.unread + unread, unknowns=unknowns)


def _not_known(requested: Reading) -> tuple[str, ...]:
    """A sentence for each key in the rules of a request that is set and that nobody here knows."""
    return tuple(f"the key {printable(key, 60)}, which sgwatch does not know" for key in requested.unknown_keys)


_BY_ID = key_names("securityGroupRuleId", "description")


def _with_keys_of(requested: Reading, by_id: object) -> Reading:
    """The reading with the keys that rules named by id were not known to carry."""
    keys = (key for item in items(by_id) for key in canonical(mapping(item), _BY_ID).unknown)
    return requested.joined(Reading(unknown_keys=tuple(keys)))


def _nothing_read(problems: tuple[str, ...]) -> NotUnderstood:
    if not problems:
        return NotUnderstood("the record names no rule, neither in the request nor in the answer")
    more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
    return NotUnderstood(f"no rule could be read: {problems[0]}{more}")


def read_authorize(change: Change, request: Parameters, response: Parameters) -> Change:
    """AuthorizeSecurityGroupIngress and -Egress."""
    requested = _requested(change, request)
    if not change.succeeded:
        return _attempted(change, requested)
    answered = read_rule_set(field(response, "securityGroupRuleSet"), change.direction)
    tags = _given_tags(request)
    added = _completed(answered.rules, requested.rules, tags)
    if len(added) < len(requested.rules):
        # AWS authorizes all rules of a call or none: an answer with fewer was cut, or is not there.
        known = {rule.identity for rule in added}
        asked = (rule for rule in requested.rules if not known or rule.identity not in known)
        added += tuple(rule._replace(tags=tags) for rule in asked)
    # Nor does what the request holds and nobody can read go unsaid, where the answer may be short of it.
    short = len(answered.rules) < len(requested.rules) + len(requested.unread)
    unread = (requested.unread if short else ()) + answered.problems + _not_known(requested)
    if not added and not requested.gaps:
        raise _nothing_read(unread)
    if change.no_answer:
        unknown = other(f"whether AWS stored the rules as asked: {change.no_answer}")
        change = change._replace(unknowns=(*change.unknowns, unknown))
    return _with_unread(change._replace(changes=Changes(added=added)), unread)


def _given_tags(request: Parameters) -> Tags:
    """The tags that the call gives to each of its rules; a new rule has no others."""
    listed = (mapping(item) for item in items(request.get("tagSpecificationSet")))
    wanted = (item for item in listed if text(field(item, "resourceType")) == "security-group-rule")
    read = (read_tags(field(item, "tags") or field(item, "tag")) for item in wanted)
    return tuple(tag for tags in read for tag in tags or ())


def _completed(
    answered: tuple[SecurityGroupRule, ...], requested: tuple[SecurityGroupRule, ...], tags: Tags | None = None
) -> tuple[SecurityGroupRule, ...]:
    """The answer's rules, with what only the request holds: a description, the account of a peer group, ``tags``."""
    asked = {rule.identity: rule for rule in requested} if answered else {}

    def complete(rule: SecurityGroupRule) -> SecurityGroupRule:
        same = asked.get(rule.identity)
        own = tags if rule.tags is None else rule.tags
        if same is None:
            return rule if own is None else rule._replace(tags=own)
        peer, described = rule.peer.completed(same.peer), rule.description or same.description
        return SecurityGroupRule(
            rule.direction, rule.protocol, rule.from_port, rule.to_port, peer, described, rule.id, own
        )

    return tuple(complete(rule) for rule in answered)


def read_revoke(change: Change, request: Parameters, response: Parameters) -> Change:
    """RevokeSecurityGroupIngress and -Egress, by values or by ids."""
    requested = _with_keys_of(_requested(change, request), request.get("securityGroupRuleIds"))
    rule_ids = _rule_ids(request)
    if not change.succeeded:
        return _attempted(change, requested, rule_ids)
    if change.no_answer:
        return _perhaps_revoked(change, change.no_answer, requested, rule_ids)
    direction = change.direction
    revoked = read_rule_set(field(response, "revokedSecurityGroupRuleSet"), direction)
    if change.answered_no and not revoked.rules:
        return _perhaps_revoked(change, "AWS's answer is false", requested, rule_ids)
    absent = read_ip_permissions(field(response, "unknownIpPermissionSet"), direction)
    if revoked.rules:
        removed, problems = _completed(revoked.rules, requested.rules), revoked.problems
    else:
        not_there = {rule.identity for rule in absent.rules}
        # Where none was there, AWS may name them otherwise: a group by its id that was asked for by its name.
        none_there = len(absent.rules) >= len(requested.rules) + len(requested.unread)
        removed = tuple(rule for rule in requested.rules if not none_there and rule.identity not in not_there)
        problems = requested.unread + revoked.problems + absent.unread
    problems += _not_known(requested)
    if not (removed or rule_ids or absent.rules or requested.gaps):
        raise _nothing_read(problems)
    seen = {rule.id for rule in removed}
    unseen = tuple(rule_id for rule_id in rule_ids if rule_id not in seen)
    unknowns = unread_parts("a removed rule", problems)
    if unseen:
        by_id = f"the removed rules {_few(unseen, _SHOWN_HERE_ALONE)}: the record names them by id only"
        unknowns += (Unknown(UnknownTopic.RULE_BY_ID, by_id),)
    before_known = not unknowns
    if any(rule.id is None and rule.description is None for rule in removed):
        unknowns += (_NO_DESCRIPTIONS,)
    return change._replace(
        changes=Changes(removed=removed, before_known=before_known),
        rule_ids=unseen,
        unknowns=change.unknowns + unknowns,
    )


def _perhaps_revoked(change: Change, no_answer: str, requested: Reading, rule_ids: tuple[str, ...]) -> Change:
    """A revoke without AWS's answer, which alone says which of the rules were there: an undo might open new ones."""
    if not (requested.rules or requested.gaps or rule_ids):
        raise _nothing_read(requested.problems)
    shown = [rule_phrase(rule) for rule in requested.rules[:_RULES_SHOWN]] + list(rule_ids[:_RULES_SHOWN])
    more = len(requested.rules) + len(rule_ids) - len(shown)
    asked = ", ".join(shown) + (f" and {more} more" if more > 0 else "")
    unknown = Unknown(UnknownTopic.UNREAD_RULE, f"which of the rules asked for ({asked}) were removed: {no_answer}")
    return change._replace(
        changes=Changes(before_known=False),
        rule_ids=rule_ids,
        unknowns=(*change.unknowns, unknown, *unread_parts("a removed rule", requested.unread)),
    )


_RULES_SHOWN = 5
_NO_DESCRIPTIONS = Unknown(
    UnknownTopic.PREVIOUS_DESCRIPTIONS, "the previous descriptions of the removed rules: the record has no answer"
)


def read_modify(change: Change, request: Parameters, _response: Parameters) -> Change:
    """ModifySecurityGroupRules: the request has new values only, no direction, and the answer nothing.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html
    """
    given = [canonical(mapping(item), _UPDATE) for item in items(request.get("securityGroupRules"))]
    updates = [update.values for update in given]
    reading = read_rule_requests([_new_values(update) for update in updates])
    reading = reading.joined(Reading(unknown_keys=tuple(key for update in given for key in update.unknown)))
    given_ids = (text(field(update, "securityGroupRuleId")) for update in updates)
    rule_ids = tuple(dict.fromkeys(filter(None, given_ids)))
    named = _few(rule_ids) or "the modified rules"
    direction = f"the direction of {named}: not in the record"
    if not change.succeeded:
        attempt = _attempted(change, reading)
        unknown = Unknown(UnknownTopic.DIRECTION, direction)
        return attempt._replace(unknowns=(*attempt.unknowns, unknown)) if reading.rules else attempt
    if not reading.rules:
        raise _nothing_read(reading.problems)
    unknowns = (
        Unknown(UnknownTopic.PREVIOUS_VALUES, f"the previous values of {named}: the record carries new values only"),
        Unknown(UnknownTopic.DIRECTION, f"{direction}, judged as ingress"),
        *_unknown_owners(reading.rules),
    )
    changed = change._replace(
        changes=Changes(modified=tuple(ModifiedRule(None, rule) for rule in reading.rules), before_known=False),
        rule_ids=rule_ids,
        unknowns=change.unknowns + unknowns,
    )
    return _with_unread(changed, reading.problems + _not_known(reading))


# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRuleUpdate.html
_UPDATE = key_names("securityGroupRuleId", "securityGroupRule")


def _unknown_owners(rules: Iterable[SecurityGroupRule]) -> Iterable[Unknown]:
    """The call names a group by its id alone, also one of another account."""
    groups = [rule.peer.value for rule in rules if rule.peer.type is PeerType.SECURITY_GROUP]
    if groups:
        named = _few(tuple(dict.fromkeys(groups)))
        assumed = f"the account of group {named}: not in the record, judged as the same account's"
        yield Unknown(UnknownTopic.PEER_ACCOUNT, assumed)


def _new_values(update: Parameters) -> dict[str, Any]:
    return {**mapping(update.get("securityGroupRule")), "securityGroupRuleId": update.get("securityGroupRuleId")}


def read_descriptions(change: Change, request: Parameters, _response: Parameters) -> Change:
    """UpdateSecurityGroupRuleDescriptionsIngress and -Egress, by values or by ids."""
    requested = _with_keys_of(_requested(change, request), request.get("securityGroupRuleDescriptions"))
    by_id = [mapping(item) for item in items(request.get("securityGroupRuleDescriptions"))]
    described = {text(field(item, "securityGroupRuleId")): text(field(item, "description")) for item in by_id}
    rule_ids = tuple(filter(None, described))
    if not change.succeeded:
        return _attempted(change, requested, rule_ids)
    named = bool(requested.rules or rule_ids or requested.gaps)
    if requested.problems and not named:
        raise _nothing_read(requested.problems)
    unknowns = [] if named else [other("which descriptions changed: the record names no rule")]
    unknowns.append(
        Unknown(UnknownTopic.PREVIOUS_VALUES, "the previous descriptions: the record carries new ones only")
    )
    for key in rule_ids[:_SHOWN_HERE_ALONE]:
        named_only = f"the rule {key}, now {_described(described[key])}: the record names it by id only"
        unknowns.append(Unknown(UnknownTopic.RULE_BY_ID, named_only))
    if more := len(rule_ids[_SHOWN_HERE_ALONE:]):
        described_too = f"{number_of(more, 'more rule')} that got a description: the record names them by id only"
        unknowns.append(Unknown(UnknownTopic.RULE_BY_ID, described_too))
    unknowns += unread_parts("a described rule", (*requested.unread, *_not_known(requested)))
    return change._replace(
        changes=Changes(modified=tuple(ModifiedRule(None, rule) for rule in requested.rules), before_known=False),
        rule_ids=rule_ids,
        unknowns=change.unknowns + tuple(unknowns),
    )


def _described(description: str | None) -> str:
    return "without a description" if description is None else f"described {description!r}"


RULE_READERS: dict[str, CallReader] = {
    "AuthorizeSecurityGroupIngress": read_authorize,
    "AuthorizeSecurityGroupEgress": read_authorize,
    "RevokeSecurityGroupIngress": read_revoke,
    "RevokeSecurityGroupEgress": read_revoke,
    "ModifySecurityGroupRules": read_modify,
    "UpdateSecurityGroupRuleDescriptionsIngress": read_descriptions,
    "UpdateSecurityGroupRuleDescriptionsEgress": read_descriptions,
}
