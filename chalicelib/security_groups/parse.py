"""From a CloudTrail record to the change it made: which group, which outcome, and the call's own reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.cloudtrail.catalog import EventGroup, WatchedEvent, lookup
from chalicelib.cloudtrail.records import CloudTrailRecord, mapping, text
from chalicelib.security_groups.changes import (
    VPC_ENDPOINT,
    Attachment,
    Change,
    Changes,
    NotUnderstood,
    NotWatched,
    Outcome,
    PrefixListChange,
    read_outcome,
)
from chalicelib.security_groups.parse_rule_calls import RULE_READERS, Parameters, Reader, texts
from chalicelib.security_groups.unknowns import Unknown, UnknownTopic, other
from chalicelib.security_groups.wire_rules import field, items


def read_change(record: CloudTrailRecord) -> Change:
    """The change that a record of the groups rules, groups, attachments or prefix_lists made.

    Raises:
        NotWatched: nothing about security groups in it.
        NotUnderstood: a watched event of which the record tells nothing that can be read.
    """
    event = lookup(record.event_source, record.event_name)
    if event is None or event.group is EventGroup.TAMPER:
        raise NotWatched(f"{record.event_source} {record.event_name} is not an event of a security group")
    request = _unwrapped(record.request_parameters, f"{event.name}Request")
    response = _unwrapped(record.response_elements, f"{event.name}Response")
    no_request = _why_no_request(record)
    if event.needs and not no_request and not _sets_groups(request, event.needs):
        raise NotWatched(f"{event.name} without {' or '.join(event.needs)} does not touch a security group")
    outcome = read_outcome(record.error_code)
    change = _identify(event, outcome, request, *named_group(record))
    if no_request:
        # What the answer tells is still good.
        if change.succeeded and change.group_id is None:
            raise NotUnderstood(no_request)
        unknown = Unknown(UnknownTopic.REQUEST, f"the request: {no_request}")
        change = replace(change, unknowns=(unknown, *change.unknowns))
    return _READERS[event.name](change, request, response)


def named_group(record: CloudTrailRecord) -> tuple[str | None, str | None]:
    """The id and the name of the group that a record speaks of, as far as it tells them."""
    request = _unwrapped(record.request_parameters, f"{record.event_name}Request")
    response = _unwrapped(record.response_elements, f"{record.event_name}Response")
    group_id = text(field(request, "groupId")) or text(field(response, "groupId")) or _group_of_rules(response)
    return group_id, text(field(request, "groupName"))


def _unwrapped(parameters: Mapping[str, Any], wrapper: str) -> Mapping[str, Any]:
    """The parameters themselves; some calls have them one level down, under the call's name."""
    return mapping(parameters.get(wrapper)) or parameters


def _sets_groups(request: Parameters, names: tuple[str, ...]) -> bool:
    # The older spelling of ModifyInstanceAttribute names the attribute it sets.
    return text(field(request, "attribute")) in names or any(items(field(request, name)) for name in names)


def _why_no_request(record: CloudTrailRecord) -> str | None:
    given = record.raw.get("requestParameters")
    if given is None:
        return "requestParameters is null or absent, as when CloudTrail truncates a large record"
    if not isinstance(given, Mapping):
        return "requestParameters is not an object"
    # CloudTrail puts this object in the place of a field over its size limit.
    # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    if given.get("omitted") in (True, "true"):
        return "CloudTrail left requestParameters out because they were too large"
    return None if given else "requestParameters is empty"


def _identify(
    event: WatchedEvent, outcome: Outcome, request: Parameters, group_id: str | None, group_name: str | None
) -> Change:
    unknowns = []
    if event.group in (EventGroup.RULES, EventGroup.GROUPS) and not (group_id or group_name):
        unknowns.append(other("the security group: the record does not name it"))
    return Change(
        event=event,
        outcome=outcome,
        group_id=group_id,
        group_name=group_name,
        vpc_id=text(field(request, "vpcId")) if event.name == "CreateSecurityGroup" else None,
        unknowns=tuple(unknowns),
    )


def _group_of_rules(response: Parameters) -> str | None:
    rules = items(field(response, "securityGroupRuleSet")) or items(field(response, "revokedSecurityGroupRuleSet"))
    return next(filter(None, (text(field(mapping(rule), "groupId")) for rule in rules)), None)


def _read_create(change: Change, request: Parameters, _response: Parameters) -> Change:
    description = text(field(request, "groupDescription")) or text(field(request, "description"))
    no_id = other("the new group's id: the record has no answer")
    unknowns = () if change.group_id or not change.succeeded else (no_id,)
    return replace(change, description=description, unknowns=change.unknowns + unknowns)


def _read_delete(change: Change, _request: Parameters, _response: Parameters) -> Change:
    if not change.succeeded:
        return change
    unknown = Unknown(UnknownTopic.DELETED_RULES, "the rules that went with the group: the record does not list them")
    return replace(change, changes=Changes(before_known=False), unknowns=(*change.unknowns, unknown))


def _read_association(change: Change, request: Parameters, _response: Parameters) -> Change:
    vpc_id = text(field(request, "vpcId"))
    _must_tell(change, change.group_id, change.group_name, vpc_id)
    return replace(change, associated_vpc_id=vpc_id)


def _must_tell(change: Change, *found: object) -> None:
    """A call that did something is not understood where nothing of what it did was found.

    Raises:
        NotUnderstood: so it is.
    """
    if change.succeeded and not any(found):
        raise NotUnderstood(f"{change.event.name} carries nothing that can be read")


def _read_groups_of(change: Change, request: Parameters, _response: Parameters) -> Change:
    """The calls that give a resource a whole new list of groups."""
    resource_type, key = _RESOURCES[change.event.name]
    resource_id = text(field(request, key)) or "unknown"
    groups = texts(request, ("groupSet", "securityGroups"), "groupId")
    if not groups and text(field(request, "attribute")) == "groupSet":
        groups = texts(request, ("value",), "value")
    if not groups and change.succeeded:
        raise NotUnderstood(f"{change.event.name} names no security group that can be read")
    reason = f"the groups of {resource_id} before: the record carries the new ones only"
    unknown = Unknown(UnknownTopic.GROUPS_BEFORE, reason)
    return _attached(change, Attachment(resource_type, resource_id, None, groups), (unknown,))


# Where each call names the resource.
_RESOURCES = {
    "ModifyNetworkInterfaceAttribute": ("network interface", "networkInterfaceId"),
    "ModifyInstanceAttribute": ("instance", "instanceId"),
    "SetSecurityGroups": ("load balancer", "loadBalancerArn"),
}


def _read_endpoint(change: Change, request: Parameters, _response: Parameters) -> Change:
    """ModifyVpcEndpoint adds groups and takes others away; most of its calls do neither."""
    resource_id = text(field(request, "vpcEndpointId")) or "unknown"
    added, removed = (texts(request, _keys_of(request, f"{verb}SecurityGroupId"), "securityGroupId") for verb in _VERBS)
    unknowns: tuple[Unknown, ...] = ()
    if not (added or removed) and change.succeeded and any(items(request[key]) for key in _keys_of(request)):
        raise NotUnderstood(f"{change.event.name} names no security group that can be read")
    _must_tell(change, text(field(request, "vpcEndpointId")), added, removed)
    if added or removed:
        told = ", ".join(f"{verb} {', '.join(ids)}" for verb, ids in (("added", added), ("removed", removed)) if ids)
        reason = f"all groups of {resource_id}, before and after: the record has only those {told}"
        unknowns = (Unknown(UnknownTopic.GROUPS_BEFORE, reason),)
    return _attached(change, Attachment(VPC_ENDPOINT, resource_id, None, added), unknowns)


_VERBS = ("add", "remove")


def _keys_of(request: Parameters, beginning: str = "") -> list[str]:
    """The keys that speak of security groups, whatever they end with: AddSecurityGroupId, addSecurityGroupIdSet."""
    keys = (str(key) for key in request)
    return [key for key in keys if "securitygroup" in key.lower() and key.lower().startswith(beginning.lower())]


def _attached(change: Change, attachment: Attachment, unknowns: tuple[Unknown, ...]) -> Change:
    groups = attachment.groups_after
    return replace(
        change,
        # One of several groups would be a misleading subject: the attachment lists them all.
        group_id=groups[0] if len(groups) == 1 else None,
        group_name=None,
        changes=Changes(before_known=not unknowns),
        attachment=attachment,
        unknowns=change.unknowns + (unknowns if change.succeeded else ()),
    )


def _read_prefix_list(change: Change, request: Parameters, _response: Parameters) -> Change:
    prefix_list_id = text(field(request, "prefixListId")) or "unknown"

    def cidrs(*keys: str) -> list[str | None]:
        entries = (mapping(item) for key in keys for item in items(field(request, key)))
        return [text(field(entry, "cidr")) for entry in entries]

    added, removed = cidrs("addEntries", "addEntry"), cidrs("removeEntries", "removeEntry")
    _must_tell(change, text(field(request, "prefixListId")), added, removed)
    unread = tuple(f"an entry of {prefix_list_id} without a range" for cidr in added if not cidr)
    users = f"which security groups use {prefix_list_id}: not in the record"
    unknowns = [Unknown(UnknownTopic.LIST_USERS, users)]
    unknowns += [Unknown(UnknownTopic.UNREAD_RULE, f"part of the request: {problem}") for problem in unread]
    return replace(
        change,
        prefix_list=PrefixListChange(
            prefix_list_id,
            tuple(filter(None, added)),
            tuple(filter(None, removed)),
            is_renamed=text(field(request, "prefixListName")) is not None,
        ),
        unknowns=(*change.unknowns, *unknowns),
        unread=unread,
    )


_READERS: dict[str, Reader] = {
    **RULE_READERS,
    "CreateSecurityGroup": _read_create,
    "DeleteSecurityGroup": _read_delete,
    "AssociateSecurityGroupVpc": _read_association,
    "DisassociateSecurityGroupVpc": _read_association,
    "ModifyNetworkInterfaceAttribute": _read_groups_of,
    "ModifyInstanceAttribute": _read_groups_of,
    "ModifyVpcEndpoint": _read_endpoint,
    "SetSecurityGroups": _read_groups_of,
    "ModifyManagedPrefixList": _read_prefix_list,
    "RestoreManagedPrefixListVersion": _read_prefix_list,
}
