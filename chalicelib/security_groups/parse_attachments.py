"""What the calls that give a resource its security groups did.

They carry the new groups only, under as many names as there are calls; which the resource had before is not in
the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from chalicelib.cloudtrail.records import text
from chalicelib.security_groups.changes import (
    CLIENT_VPN,
    NOT_NAMED,
    VPC_ENDPOINT,
    Attachment,
    Change,
    Changes,
    NotUnderstood,
)
from chalicelib.security_groups.parse_rule_calls import CallReader, Parameters
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.request_keys import REQUEST_KEYS
from chalicelib.security_groups.unknowns import Unknown, UnknownTopic, unread_parts
from chalicelib.security_groups.wire_shapes import fold, is_set

# What kind of resource each call is about, and where it names it.
_RESOURCES = {
    "ModifyNetworkInterfaceAttribute": ("network interface", "networkInterfaceId"),
    "ModifyInstanceAttribute": ("instance", "instanceId"),
    "ModifyVpcEndpoint": (VPC_ENDPOINT, "vpcEndpointId"),
    "ModifyInstanceConnectEndpoint": ("EC2 Instance Connect endpoint", "instanceConnectEndpointId"),
    "ModifyClientVpnEndpoint": (CLIENT_VPN, "clientVpnEndpointId"),
    "ApplySecurityGroupsToClientVpnTargetNetwork": (CLIENT_VPN, "clientVpnEndpointId"),
    "SetSecurityGroups": ("load balancer", "loadBalancerArn"),
    "ApplySecurityGroupsToLoadBalancer": ("classic load balancer", "loadBalancerName"),
}
_ENDPOINT_GROUPS = {"added": "addSecurityGroupIds", "removed": "removeSecurityGroupIds"}


def sets_groups(request: Parameters) -> bool:
    """Whether a call that may set a resource's groups does so."""
    return is_set(request.get("groupSet")) or _is_attribute(request)


def _is_attribute(request: Parameters) -> bool:
    # The older spelling of ModifyInstanceAttribute names the attribute that it sets.
    return fold(text(request.get("attribute")) or "") in {"group", "groupid", "securitygroup", "securitygroupid"}


# A list may be a text: JSON, or ids with commas between.
_GROUP_ID = re.compile(r"(?<![\w-])sg-\w+")


def _group_ids(value: object) -> Iterator[str]:
    """Every security group id anywhere in a part of the request."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _group_ids(item)
    elif isinstance(value, str):
        yield from _GROUP_ID.findall(value)


# A group of a classic load balancer, or in an odd record, may go by another text than an id.
_TEXTS = ("groupid", "groupname", "securitygroupid", "securitygroup", "content", "value", "item", "member", "id")


def _texts(value: object) -> Iterator[str]:
    """The texts that a list of groups holds, however deep in lists and objects."""
    if isinstance(value, Mapping):
        known = [inner for key, inner in value.items() if fold(str(key)) in _TEXTS]
        for inner in known:
            yield from _texts(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) and (found := text(value.strip())):
        yield found


def _groups(value: object) -> tuple[str, ...]:
    """The groups in a parameter, each once: their ids, or what else it names them by."""
    return tuple(dict.fromkeys(_group_ids(value))) or tuple(dict.fromkeys(_texts(value)))


def _unknown_keys(value: object) -> Iterator[str]:
    """The keys in a list of groups that no group was known to carry, however deep."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if fold(str(key)) not in _TEXTS and key != "tag" and is_set(inner):
                yield str(key)
            else:
                yield from _unknown_keys(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _unknown_keys(item)


def _with_unknown_keys(change: Change, *given: object) -> Change:
    keys = dict.fromkeys(key for value in given for key in _unknown_keys(value))
    unread = tuple(f"the key {printable(key, 60)} of a group, which sgwatch does not know" for key in keys)
    return change._replace(
        unread=change.unread + (unread if change.succeeded else ()),
        unknowns=change.unknowns + unread_parts("part of the request", unread),
    )


def _resource(change: Change, request: Parameters) -> tuple[str, str]:
    resource_type, key = _RESOURCES[change.event.name]
    return resource_type, text(request.get(key)) or NOT_NAMED


def _called(resource_type: str, resource_id: str) -> str:
    return f"the {resource_type}" if resource_id == NOT_NAMED else resource_id


def _read_groups_of(change: Change, request: Parameters, _response: Parameters) -> Change:
    """The calls that give a resource a whole new list of groups."""
    resource_type, resource_id = _resource(change, request)
    called = _called(resource_type, resource_id)
    given = request.get("groupSet") if is_set(request.get("groupSet")) else None
    if given is None and _is_attribute(request):
        given = request.get("value")
    # An unknown parameter that holds groups is named in the alert, and they count.
    known = REQUEST_KEYS[change.event.name].spelled
    unknown = [value for key, value in request.items() if key not in known]
    groups = _groups(given) or tuple(dict.fromkeys(_group_ids(unknown)))
    if not groups and change.succeeded and (is_set(given) or not _is_about(change, request)):
        raise NotUnderstood(f"{change.event.name} names no security group that can be read")
    change = _with_unknown_keys(change, given)._replace(
        skips_privatelink=_skips_privatelink(request), associated_vpc_id=text(request.get("vpcId")), attached=groups
    )
    if groups:
        before = f"the groups of {called} before: the record carries the new ones only"
        return _attached(change, Attachment(resource_type, resource_id, None, groups), (_before(before),))
    attachment = Attachment(resource_type, resource_id, None, None)
    if text(request.get("vpcId")):
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyClientVpnEndpoint.html
        before = f"the groups of {called}: the call names a VPC and no group, and AWS may apply the VPC's default"
        return _attached(change, attachment, (_before(before),))
    return _attached(change, attachment, ())


def _before(text: str) -> Unknown:
    return Unknown(UnknownTopic.GROUPS_BEFORE, text)


def _is_about(change: Change, request: Parameters) -> bool:
    """Whether the call may leave the groups alone, and names the resource that it is about."""
    resource_id = request.get(_RESOURCES[change.event.name][1])
    return not _always_sets(change) and is_set(resource_id)


def _always_sets(change: Change) -> bool:
    """Whether the call is about nothing but a resource's groups."""
    return change.event.name.startswith(("Set", "Apply"))


def _skips_privatelink(request: Parameters) -> bool:
    # "on" or "off"; what is neither may be off.
    enforced = request.get("enforceSecurityGroupInboundRulesOnPrivateLinkTraffic")
    return is_set(enforced) and str(enforced).strip().lower() not in {"on", "true"}


def _read_endpoint(change: Change, request: Parameters, _response: Parameters) -> Change:
    """ModifyVpcEndpoint adds groups and takes others away; most of its calls do neither."""
    resource_type, resource_id = _resource(change, request)
    listed = {verb: _groups(request.get(key)) for verb, key in _ENDPOINT_GROUPS.items()}
    unknowns: tuple[Unknown, ...] = ()
    if change.succeeded and any(
        is_set(request.get(key)) and not listed[verb] for verb, key in _ENDPOINT_GROUPS.items()
    ):
        raise NotUnderstood(f"{change.event.name} names no security group that can be read")
    if change.succeeded and not (is_set(request.get("vpcEndpointId")) or any(listed.values())):
        raise NotUnderstood(f"{change.event.name} carries nothing that can be read")
    if any(listed.values()):
        named = " and ".join(f"{verb} ({', '.join(ids)})" for verb, ids in listed.items() if ids)
        called = _called(resource_type, resource_id)
        unknowns = (_before(f"all groups of {called}, before and after: the record names only those {named}"),)
    attachment = Attachment(resource_type, resource_id, None, listed["added"] or None)
    change = _with_unknown_keys(change, *map(request.get, _ENDPOINT_GROUPS.values()))
    change = change._replace(attached=listed["added"], detached=listed["removed"])
    return _attached(change, attachment, unknowns)


def _attached(change: Change, attachment: Attachment, unknowns: tuple[Unknown, ...]) -> Change:
    groups = attachment.groups_after or ()
    return change._replace(
        # One of several groups would be a misleading subject: the attachment lists them all.
        group_id=groups[0] if len(groups) == 1 else None,
        group_name=None,
        changes=Changes(before_known=not (unknowns or _always_sets(change))),
        attachment=attachment if change.succeeded else attachment._replace(groups_after=None),
        unknowns=change.unknowns + (unknowns if change.succeeded else ()),
    )


ATTACHMENT_READERS: dict[str, CallReader] = {
    **dict.fromkeys(_RESOURCES, _read_groups_of),
    "ModifyVpcEndpoint": _read_endpoint,
}
