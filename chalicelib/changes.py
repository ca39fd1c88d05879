"""What one CloudTrail record did to one security group, as far as the record alone can tell.

A call that did not succeed changed nothing: its rules are ``attempted``. Whatever the record leaves
open is named in ``unknowns``; what should be in it and cannot be read is in ``unread``, and the
judgement treats that as badly as it may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from chalicelib.catalog import EventGroup, WatchedEvent, lookup
from chalicelib.records import CloudTrailRecord, mapping, text
from chalicelib.rule_wire import (
    Reading,
    field,
    item_text,
    items,
    read_flat_permission,
    read_ip_permissions,
    read_rule_set,
)
from chalicelib.rules import Direction, ModifiedRule, SecurityGroupRule


class Outcome(StrEnum):
    """What became of the API call; only ``succeeded`` changes anything."""

    SUCCEEDED = "succeeded"
    DENIED = "denied"
    FAILED = "failed"
    DRY_RUN = "dry_run"


class NotWatched(ValueError):  # noqa: N818 - it is no error of the program
    """The record is of an event that the catalog does not have, or does not touch a security group."""


class NotUnderstood(ValueError):  # noqa: N818
    """A watched record whose inside cannot be read; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The rule diff, or the rules of a call that did not succeed (``attempted``, and then nothing else).

    ``rules_after`` counts the group's rules after the change, None where nobody looked.
    """

    added: tuple[SecurityGroupRule, ...] = ()
    removed: tuple[SecurityGroupRule, ...] = ()
    modified: tuple[ModifiedRule, ...] = ()
    attempted: tuple[SecurityGroupRule, ...] = ()
    before_known: bool = True
    rules_after: int | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """The groups of one resource before and after; None where not known."""

    resource_type: str
    resource_id: str
    groups_before: tuple[str, ...] | None
    groups_after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrefixListChange:
    """Entries that a change added to a prefix list and removed from it, as CIDR texts."""

    prefix_list_id: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What one record did to one security group.

    ``associated_vpc_id`` is the VPC of AssociateSecurityGroupVpc and its opposite. ``rule_ids`` are
    those of rules that the record names by id alone.
    """

    event: WatchedEvent
    outcome: Outcome
    group_id: str | None = None
    group_name: str | None = None
    vpc_id: str | None = None
    description: str | None = None
    changes: Changes = Changes()
    rule_ids: tuple[str, ...] = ()
    associated_vpc_id: str | None = None
    attachment: Attachment | None = None
    prefix_list: PrefixListChange | None = None
    unknowns: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the call did what it was asked."""
        return self.outcome is Outcome.SUCCEEDED


def read_outcome(error_code: str | None) -> Outcome:
    """The outcome by CloudTrail's ``errorCode``; EC2 puts ``Client.`` before its own.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    if error_code is None:
        return Outcome.SUCCEEDED
    code = error_code.removeprefix("Client.").removeprefix("Server.")
    if code == "DryRunOperation":
        return Outcome.DRY_RUN
    if code.startswith(("UnauthorizedOperation", "AccessDenied")):
        return Outcome.DENIED
    return Outcome.FAILED


def read_change(record: CloudTrailRecord) -> Change:
    """The change that a record of the groups rules, groups, attachments or prefix_lists made.

    Raises:
        NotWatched: nothing about security groups in it.
        NotUnderstood: a watched event whose request cannot be read at all.
    """
    event = lookup(record.event_source, record.event_name)
    if event is None or event.group is EventGroup.TAMPER:
        raise NotWatched(f"{record.event_source} {record.event_name} is not an event of a security group")
    if event.needs and record.request_parameters and not _has_any(record.request_parameters, event.needs):
        raise NotWatched(f"{event.name} without {' or '.join(event.needs)} does not touch a security group")
    outcome = read_outcome(record.error_code)
    if outcome is Outcome.SUCCEEDED and not record.request_parameters:
        raise NotUnderstood(_why_no_request(record))
    return _READERS[event.name](_identify(record, event, outcome), record)


def _has_any(parameters: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return any(items(field(parameters, name)) for name in names)


def _why_no_request(record: CloudTrailRecord) -> str:
    if record.raw.get("requestParameters") is None:
        return "requestParameters is null or absent, as when CloudTrail truncates a large record"
    return f"requestParameters is not an object with content but {type(record.raw['requestParameters']).__name__}"


def _parameters(record: CloudTrailRecord) -> Mapping[str, Any]:
    """The request's parameters; some calls have them under ``<Call>Request``."""
    wrapped = mapping(record.request_parameters.get(f"{record.event_name}Request"))
    return wrapped or record.request_parameters


def _identify(record: CloudTrailRecord, event: WatchedEvent, outcome: Outcome) -> Change:
    request, response = _parameters(record), record.response_elements
    group_id = text(field(request, "groupId")) or text(field(response, "groupId")) or _group_of_rules(response)
    unknowns = []
    if record.request_parameters.get("omitted") in (True, "true"):
        unknowns.append("the request: CloudTrail left its parameters out because the record was too large")
    return Change(
        event=event,
        outcome=outcome,
        group_id=group_id,
        group_name=text(field(request, "groupName")),
        vpc_id=text(field(request, "vpcId")) if event.name == "CreateSecurityGroup" else None,
        unknowns=tuple(unknowns),
    )


def _group_of_rules(response: Mapping[str, Any]) -> str | None:
    rules = items(response.get("securityGroupRuleSet")) or items(response.get("revokedSecurityGroupRuleSet"))
    return text(field(mapping(rules[0]), "groupId")) if rules else None


def _direction_of(event_name: str) -> Direction:
    return Direction.EGRESS if event_name.endswith("Egress") else Direction.INGRESS


def _requested(record: CloudTrailRecord) -> Reading:
    parameters = _parameters(record)
    direction = _direction_of(record.event_name or "")
    listed = read_ip_permissions(field(parameters, "ipPermissions"), direction)
    return listed + read_flat_permission(parameters, direction)


def _rule_ids(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    return _texts(
        parameters,
        ("securityGroupRuleIds", "securityGroupRuleId", "securityGroupRuleIdSet"),
        "securityGroupRuleId",
    )


def _texts(parameters: Mapping[str, Any], keys: tuple[str, ...], name: str) -> tuple[str, ...]:
    found = (item_text(item, name) for key in keys for item in items(field(parameters, key)))
    return tuple(dict.fromkeys(filter(None, found)))


def _attempted(change: Change, requested: Reading, rule_ids: tuple[str, ...] = ()) -> Change:
    unknowns = tuple(f"an attempted rule: {problem}" for problem in requested.problems)
    if rule_ids:
        unknowns += (f"the rules {', '.join(rule_ids)}: the record names them by id only",)
    return replace(
        change,
        changes=Changes(attempted=requested.rules),
        rule_ids=rule_ids,
        unknowns=change.unknowns + unknowns,
    )


def _with_unread(change: Change, problems: tuple[str, ...]) -> Change:
    told = tuple(f"part of the request: {problem}" for problem in problems)
    return replace(change, unread=change.unread + problems, unknowns=change.unknowns + told)


def _read_authorize(change: Change, record: CloudTrailRecord) -> Change:
    requested = _requested(record)
    if not change.succeeded:
        return _attempted(change, requested)
    answered = read_rule_set(field(record.response_elements, "securityGroupRuleSet"), _direction_of(change.event.name))
    # The answer is what AWS stored, with ids; a record without it (before 2021, or cut) has only what was asked.
    if answered.rules and not answered.problems:
        return replace(change, changes=Changes(added=_described(answered.rules, requested.rules)))
    problems = requested.problems + answered.problems
    if not requested.rules and not problems:
        problems = ("no rule in the request and none in the answer",)
    return _with_unread(replace(change, changes=Changes(added=requested.rules)), problems)


def _described(
    answered: tuple[SecurityGroupRule, ...], requested: tuple[SecurityGroupRule, ...]
) -> tuple[SecurityGroupRule, ...]:
    """The answer's rules, with the request's descriptions where the answer leaves them out."""
    texts = {rule.identity: rule.description for rule in requested}
    return tuple(
        rule if rule.description is not None else replace(rule, description=texts.get(rule.identity))
        for rule in answered
    )


def _read_revoke(change: Change, record: CloudTrailRecord) -> Change:
    requested, rule_ids = _requested(record), _rule_ids(_parameters(record))
    if not change.succeeded:
        return _attempted(change, requested, rule_ids)
    direction = _direction_of(change.event.name)
    revoked_set = field(record.response_elements, "revokedSecurityGroupRuleSet")
    revoked = read_rule_set(revoked_set, direction)
    if revoked_set is not None and not revoked.problems:
        removed = _described(revoked.rules, requested.rules)
    else:
        absent = read_ip_permissions(field(record.response_elements, "unknownIpPermissionSet"), direction)
        not_there = {rule.identity for rule in absent.rules}
        removed = tuple(rule for rule in requested.rules if rule.identity not in not_there)
    seen = {rule.id for rule in removed}
    unseen = tuple(rule_id for rule_id in rule_ids if rule_id not in seen)
    unknowns = tuple(f"a removed rule: {problem}" for problem in requested.problems if not removed)
    if unseen:
        unknowns += (f"the removed rules {', '.join(unseen)}: the record names them by id only",)
    return replace(
        change,
        changes=Changes(removed=removed, before_known=not unknowns),
        rule_ids=unseen,
        unknowns=change.unknowns + unknowns,
    )


def _read_modify(change: Change, record: CloudTrailRecord) -> Change:
    # The answer tells nothing of the rules and the request only their new values: no direction, no former self.
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html
    parameters = _parameters(record)
    updates = items(field(parameters, "securityGroupRule")) or items(field(parameters, "securityGroupRules"))
    reading, rule_ids = Reading(), []
    for update in updates:
        rule_id = text(field(mapping(update), "securityGroupRuleId"))
        inner = mapping(field(mapping(update), "securityGroupRule"))
        reading += read_rule_set([{**inner, "securityGroupRuleId": rule_id}])
        rule_ids.append(rule_id)
    if not change.succeeded:
        return _attempted(change, reading)
    problems = reading.problems or (() if updates else ("no rule in the request",))
    named = ", ".join(rule_id for rule_id in rule_ids if rule_id) or "the modified rules"
    unknowns = (
        f"the former values of {named}: the record carries new values only",
        f"the direction of {named}: the record does not say it, judged as ingress",
    )
    modified = tuple(ModifiedRule(None, rule) for rule in reading.rules)
    changed = replace(
        change,
        changes=Changes(modified=modified, before_known=False),
        rule_ids=tuple(rule_id for rule_id in rule_ids if rule_id),
        unknowns=change.unknowns + unknowns,
    )
    return _with_unread(changed, problems)


def _read_descriptions(change: Change, record: CloudTrailRecord) -> Change:
    requested = _requested(record)
    by_id = items(field(_parameters(record), "securityGroupRuleDescriptions")) or items(
        field(_parameters(record), "securityGroupRuleDescription")
    )
    rule_ids = tuple(filter(None, (text(field(mapping(item), "securityGroupRuleId")) for item in by_id)))
    if not change.succeeded:
        return _attempted(change, requested, rule_ids)
    unknowns = ["the former descriptions: the record carries new ones only"]
    for item in by_id:
        rule_id, new = (text(field(mapping(item), key)) for key in ("securityGroupRuleId", "description"))
        unknowns.append(f"the rule {rule_id}, now described {new!r}: the record names it by id only")
    unknowns += [f"a described rule: {problem}" for problem in requested.problems]
    return replace(
        change,
        changes=Changes(modified=tuple(ModifiedRule(None, rule) for rule in requested.rules), before_known=False),
        rule_ids=rule_ids,
        unknowns=change.unknowns + tuple(unknowns),
    )


def _read_create(change: Change, record: CloudTrailRecord) -> Change:
    description = text(field(_parameters(record), "groupDescription")) or text(
        field(_parameters(record), "description")
    )
    unknowns = () if change.group_id or not change.succeeded else ("the new group's id: the record has no answer",)
    return replace(change, description=description, unknowns=change.unknowns + unknowns)


def _read_delete(change: Change, _record: CloudTrailRecord) -> Change:
    if not change.succeeded:
        return change
    return replace(
        change,
        changes=Changes(before_known=False),
        unknowns=(*change.unknowns, "the rules that went with the group: the record does not list them"),
    )


def _read_association(change: Change, record: CloudTrailRecord) -> Change:
    return replace(change, associated_vpc_id=text(field(_parameters(record), "vpcId")))


def _read_attachment(change: Change, record: CloudTrailRecord) -> Change:
    parameters = _parameters(record)
    resource_type, key = _RESOURCES[change.event.name]
    resource_id = text(field(parameters, key)) or "unknown"
    groups = _texts(parameters, _GROUP_LISTS, "groupId")
    if not groups and not _texts(parameters, _REMOVED_GROUPS, "groupId"):
        if change.event.name == "ModifyVpcEndpoint":
            raise NotWatched("ModifyVpcEndpoint without security groups")
        if change.succeeded:
            raise NotUnderstood(f"{change.event.name} names no security group that can be read")
    unknowns = (f"the groups of {resource_id} before: the record carries the new ones only",)
    return replace(
        change,
        # One of several groups would be a misleading subject: the attachment lists them all.
        group_id=groups[0] if len(groups) == 1 else None,
        group_name=None,
        changes=Changes(before_known=False),
        attachment=Attachment(resource_type, resource_id, None, groups),
        unknowns=change.unknowns + (unknowns if change.succeeded else ()),
    )


# Where each call names the resource, and how it spells its list of groups.
_RESOURCES = {
    "ModifyNetworkInterfaceAttribute": ("network interface", "networkInterfaceId"),
    "ModifyInstanceAttribute": ("instance", "instanceId"),
    "ModifyVpcEndpoint": ("VPC endpoint", "vpcEndpointId"),
    "SetSecurityGroups": ("load balancer", "loadBalancerArn"),
}
_GROUP_LISTS = (
    "groupSet",
    "securityGroups",
    "addSecurityGroupIds",
    "addSecurityGroupId",
)
_REMOVED_GROUPS = ("removeSecurityGroupIds", "removeSecurityGroupId")


def _read_prefix_list(change: Change, record: CloudTrailRecord) -> Change:
    parameters = _parameters(record)
    prefix_list_id = text(field(parameters, "prefixListId")) or "unknown"

    def cidrs(*keys: str) -> tuple[str, ...]:
        entries = (mapping(item) for key in keys for item in items(field(parameters, key)))
        return tuple(filter(None, (text(field(entry, "cidr")) for entry in entries)))

    return replace(
        change,
        prefix_list=PrefixListChange(
            prefix_list_id, cidrs("addEntries", "addEntry"), cidrs("removeEntries", "removeEntry")
        ),
        unknowns=(*change.unknowns, f"which security groups use {prefix_list_id}: the record does not say"),
    )


_READERS: dict[str, Callable[[Change, CloudTrailRecord], Change]] = {
    "AuthorizeSecurityGroupIngress": _read_authorize,
    "AuthorizeSecurityGroupEgress": _read_authorize,
    "RevokeSecurityGroupIngress": _read_revoke,
    "RevokeSecurityGroupEgress": _read_revoke,
    "ModifySecurityGroupRules": _read_modify,
    "UpdateSecurityGroupRuleDescriptionsIngress": _read_descriptions,
    "UpdateSecurityGroupRuleDescriptionsEgress": _read_descriptions,
    "CreateSecurityGroup": _read_create,
    "DeleteSecurityGroup": _read_delete,
    "AssociateSecurityGroupVpc": _read_association,
    "DisassociateSecurityGroupVpc": _read_association,
    "ModifyNetworkInterfaceAttribute": _read_attachment,
    "ModifyInstanceAttribute": _read_attachment,
    "ModifyVpcEndpoint": _read_attachment,
    "SetSecurityGroups": _read_attachment,
    "ModifyManagedPrefixList": _read_prefix_list,
    "RestoreManagedPrefixListVersion": _read_prefix_list,
}
