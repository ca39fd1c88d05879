"""EC2's requests and responses in the forms in which CloudTrail writes them down.

There are two. Older calls have EC2's XML names, lists wrapped in ``items`` and empty sets as ``{}``;
newer ones are the query string's own names under ``<Operation>Request``, with a ``tag`` that numbers
list members and no list at all around a single one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

XMLNS = "http://ec2.amazonaws.com/doc/2016-11-15/"

# The calls seen (ModifySecurityGroupRules, ModifyManagedPrefixList, the VPC endpoint calls) or, being
# as young as those, taken to be written in the newer form.
NEWER_FORM = frozenset(
    {
        "AssociateSecurityGroupVpc",
        "CreateManagedPrefixList",
        "CreateVpcEndpoint",
        "DeleteManagedPrefixList",
        "DescribeManagedPrefixLists",
        "DescribeSecurityGroupRules",
        "DescribeSecurityGroupVpcAssociations",
        "DisassociateSecurityGroupVpc",
        "GetManagedPrefixListEntries",
        "ModifyManagedPrefixList",
        "ModifySecurityGroupRules",
        "ModifyVpcEndpoint",
        "RestoreManagedPrefixListVersion",
    }
)

# Sets that EC2 writes even when they are empty.
ALWAYS_WRITTEN = {
    "IpPermission": ("UserIdGroupPairs", "IpRanges", "Ipv6Ranges", "PrefixListIds"),
    "AuthorizeSecurityGroupIngressRequest": ("IpPermissions",),
    "AuthorizeSecurityGroupEgressRequest": ("IpPermissions",),
    "RevokeSecurityGroupIngressRequest": ("IpPermissions",),
    "RevokeSecurityGroupEgressRequest": ("IpPermissions",),
}

# Lists of plain ids, which CloudTrail writes as lists of objects: (operation, member) → set, id's name.
ID_SETS = {
    ("ModifyNetworkInterfaceAttribute", "Groups"): ("groupSet", "groupId"),
    ("ModifyInstanceAttribute", "Groups"): ("groupSet", "groupId"),
    ("RevokeSecurityGroupIngress", "SecurityGroupRuleIds"): ("securityGroupRuleIds", "securityGroupRuleId"),
    ("RevokeSecurityGroupEgress", "SecurityGroupRuleIds"): ("securityGroupRuleIds", "securityGroupRuleId"),
    ("DescribeSecurityGroups", "GroupIds"): ("securityGroupIdSet", "groupId"),
    ("DescribeSecurityGroups", "GroupNames"): ("securityGroupSet", "groupName"),
    ("DescribeInstances", "InstanceIds"): ("instancesSet", "instanceId"),
}

# Names that CloudTrail has and the service model does not.
RENAMED = {"TagSpecification": "tagSpecificationSet", "SecurityGroupRuleDescription": "securityGroupRuleDescriptions"}

NEVER_WRITTEN = frozenset({"DryRun"})
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-cloudtrail.html
SENSITIVE = frozenset({"UserData"})


def request_parameters(operation: Any, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """``requestParameters`` of an EC2 call, null where it has none."""
    if operation.name in NEWER_FORM:
        shown = {name: value for name, value in params.items() if name not in NEVER_WRITTEN}
        return {f"{operation.name}Request": _newer(operation.input_shape, shown)}
    written: dict[str, Any] = {}
    for name, value in _in_order(operation.input_shape, params):
        if name in NEVER_WRITTEN:
            continue
        if name in SENSITIVE:
            written[_older_name(operation.input_shape, name)] = "<sensitiveDataRemoved>"
        elif id_set := ID_SETS.get((operation.name, name)):
            written[id_set[0]] = {"items": [{id_set[1]: item} for item in value]}
        else:
            written[_older_name(operation.input_shape, name)] = _older(operation.input_shape.members[name], value)
    return written or None


def response_elements(operation: Any, result: Mapping[str, Any], request_id: str) -> dict[str, Any]:
    """``responseElements`` of an EC2 call that changed something and succeeded."""
    shape = operation.output_shape
    if operation.name in NEWER_FORM:
        content = _newer_response(shape, result) if shape else {"return": True}
        return {f"{operation.name}Response": {"xmlns": XMLNS, "requestId": request_id, **content}}
    content = {}
    for name, value in _in_order(shape, result) if shape else ():
        if value not in (None, [], {}):
            content[_older_name(shape, name)] = _older(shape.members[name], value)
    answered = content.pop("return", True)
    return {"requestId": request_id, "_return": answered, **content}


def _in_order(shape: Any, value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    always = ALWAYS_WRITTEN.get(shape.name, ())
    return [(name, value.get(name, [])) for name in shape.members if value.get(name) is not None or name in always]


def _older_name(shape: Any, member: str) -> str:
    name: str = shape.members[member].serialization.get("name", member)
    return RENAMED.get(name) or name[:1].lower() + name[1:]


def _older(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        written = {}
        for name, inner in _in_order(shape, value):
            member = shape.members[name]
            # A tag specification's own tags are the one list without the wrapper.
            bare = shape.name == "TagSpecification" and member.type_name == "list"
            content = _older(member, inner)
            written["tags" if bare else _older_name(shape, name)] = content["items"] if bare else content
        return written
    if shape.type_name == "list":
        return {"items": [_older(shape.member, item) for item in value]} if value else {}
    return value


def _newer_name(shape: Any, member: str) -> str:
    serialization = shape.members[member].serialization
    name: str = serialization.get("queryName") or serialization.get("name") or member
    return name[:1].upper() + name[1:]


def _newer(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        return {_newer_name(shape, name): _newer(shape.members[name], inner) for name, inner in value.items()}
    if shape.type_name == "list":
        members = [_tagged(_newer(shape.member, item), number) for number, item in enumerate(value, start=1)]
        return members[0] if len(members) == 1 else members
    return value


def _tagged(item: Any, number: int) -> dict[str, Any]:
    return {**item, "tag": number} if isinstance(item, dict) else {"tag": number, "content": item}


def _newer_response(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        return {
            _older_name(shape, name): _newer_response(shape.members[name], inner)
            for name, inner in value.items()
            if name in shape.members and inner not in (None, [], {})
        }
    if shape.type_name == "list":
        members = [_newer_response(shape.member, item) for item in value]
        return {"item": members[0] if len(members) == 1 else members}
    return value
