"""Made-up requests and answers of the watched security group calls, as CloudTrail writes them.

Successful calls always have both; which fields are inside depends on how the caller asked.
"""

from __future__ import annotations

from functools import cache
from typing import Any

_GROUP = "sg-0abc"
_OTHER_GROUP = "sg-0def"
_RULE = "sgr-0abc"
_RETURN: dict[str, Any] = {"requestId": "11111111-2222-3333-4444-555555555555", "_return": True}

# What these two calls carry is not told by their names: a nested, capitalized request.
_NESTED = ("ModifySecurityGroupRules", "AssociateSecurityGroupVpc", "DisassociateSecurityGroupVpc")


@cache
def requests(event: str) -> tuple[dict[str, Any], ...]:
    """``requestParameters`` and ``responseElements`` in every shape known for this event."""
    if event in _NESTED:
        return _nested(event)
    if event == "CreateSecurityGroup":
        return _created()
    if event == "DeleteSecurityGroup":
        return tuple(_exchange({key: value}, {"groupId": _GROUP}) for key, value in _TARGETS)
    return _permissions(event)


_TARGETS = (("groupId", _GROUP), ("groupName", "web"))


def _exchange(parameters: dict[str, Any], answer: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"requestParameters": parameters, "responseElements": {**_RETURN, **(answer or {})}}


def _created() -> tuple[dict[str, Any], ...]:
    plain = {"groupName": "web", "groupDescription": "web servers"}
    tags = {"items": [{"resourceType": "security-group", "tags": [{"key": "Name", "value": "web"}]}]}
    answer = {"groupId": _GROUP}
    return (
        _exchange(plain, answer),
        _exchange({**plain, "vpcId": "vpc-0abc"}, answer),
        _exchange({**plain, "vpcId": "vpc-0abc", "tagSpecificationSet": tags}, {**answer, "tagSet": tags}),
    )


def _nested(event: str) -> tuple[dict[str, Any], ...]:
    if event != "ModifySecurityGroupRules":
        state = "associating" if event.startswith("Associate") else "disassociating"
        body = {"GroupId": _GROUP, "VpcId": "vpc-0abc"}
        return (
            {
                "requestParameters": {f"{event}Request": body},
                "responseElements": {f"{event}Response": {"state": state}},
            },
        )
    new = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0", "Description": "ssh"}
    one = {"SecurityGroupRuleId": _RULE, "tag": 1, "SecurityGroupRule": new}
    six = {"IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "CidrIpv6": "::/0"}
    two = {"SecurityGroupRuleId": "sgr-0def", "tag": 2, "SecurityGroupRule": six}
    answer = {f"{event}Response": {"return": True, "xmlns": "http://ec2.amazonaws.com/doc/2016-11-15/"}}
    return tuple(
        {
            "requestParameters": {f"{event}Request": {"GroupId": _GROUP, "SecurityGroupRule": rules}},
            "responseElements": answer,
        }
        for rules in (one, [one, two])
    )


def _permission(protocol: str, ports: tuple[int, int] | None, **peers: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("groups", "ipRanges", "ipv6Ranges", "prefixListIds")
    spread = {name: {"items": peers[name]} if name in peers else {} for name in names}
    return {"ipProtocol": protocol, **({"fromPort": ports[0], "toPort": ports[1]} if ports else {}), **spread}


def _permissions(event: str) -> tuple[dict[str, Any], ...]:
    world = [{"cidrIp": "0.0.0.0/0", "description": "ssh"}]
    several = [{"cidrIp": "10.0.0.0/8"}, {"cidrIp": "198.51.100.0/24"}]
    peers = [{"groupId": _OTHER_GROUP, "userId": "444455556666"}]
    asked = (
        [_permission("tcp", (22, 22), ipRanges=world)],
        [
            _permission("tcp", (443, 443), ipRanges=several),
            _permission("udp", (53, 53), ipv6Ranges=[{"cidrIpv6": "::/0"}]),
        ],
        [_permission("-1", None, groups=peers)],
        [_permission("icmp", (-1, -1), prefixListIds=[{"prefixListId": "pl-0abc"}])],
    )
    shapes: list[dict[str, Any]] = [{"groupId": _GROUP, "ipPermissions": {"items": items}} for items in asked]
    flat = {
        "groupName": "web",
        "ipPermissions": {},
        "cidrIp": "10.0.0.0/8",
        "ipProtocol": "tcp",
        "fromPort": 80,
        "toPort": 80,
    }
    shapes.append(flat)
    if event.startswith(("Revoke", "Update")):
        shapes.append(
            {
                "groupId": _GROUP,
                "ipPermissions": {},
                "securityGroupRuleIds": {"items": [{"securityGroupRuleId": _RULE}]},
            }
        )
    return tuple(_exchange(shape, _rule_set(event)) for shape in shapes)


def _rule_set(event: str) -> dict[str, Any]:
    egress = event.endswith("Egress")
    ports = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "0.0.0.0/0"}
    rule = {"groupId": _GROUP, "securityGroupRuleId": _RULE, "isEgress": egress, **ports}
    if event.startswith("Authorize"):
        return {"securityGroupRuleSet": {"items": [rule]}}
    if event.startswith("Revoke"):
        return {"revokedSecurityGroupRuleSet": {"items": [rule]}, "unknownIpPermissionSet": {}}
    return {}
