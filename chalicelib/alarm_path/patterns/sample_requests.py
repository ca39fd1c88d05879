"""Made-up requests and answers of the watched security group calls, as CloudTrail writes them.

Successful calls always have both; which fields are inside depends on how the caller asked, and each parameter of the
API reference may be sent.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

_GROUP = "sg-0abc"
_OTHER_GROUP = "sg-0def"
_RULE = "sgr-0abc"
_RETURN: dict[str, Any] = {"requestId": "11111111-2222-3333-4444-555555555555", "_return": True}

# Calls whose request is nested and capitalized.
_NESTED = ("ModifySecurityGroupRules", "AssociateSecurityGroupVpc", "DisassociateSecurityGroupVpc")

_NESTED_ANSWER = {"requestId": _RETURN["requestId"], "xmlns": "http://ec2.amazonaws.com/doc/2016-11-15/"}


@cache
def requests(event: str) -> tuple[dict[str, Any], ...]:
    """``requestParameters`` and ``responseElements`` in every shape known for this event."""
    if event in _NESTED:
        return _nested(event)
    if event == "CreateSecurityGroup":
        return _created()
    if event == "DeleteSecurityGroup":
        # Older answers do not name the group.
        answers: tuple[dict[str, str], ...] = ({"groupId": _GROUP}, {})
        plain = tuple(_exchange({key: value}, answer) for key, value in _TARGETS for answer in answers)
        return (*plain, _exchange({"groupId": _GROUP, **_NOT_DRY}, {"groupId": _GROUP}))
    return _permissions(event)


_TARGETS = (("groupId", _GROUP), ("groupName", "web"))
_NOT_DRY = {"dryRun": False}


def _exchange(parameters: dict[str, Any], answer: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"requestParameters": parameters, "responseElements": {**_RETURN, **(answer or {})}}


def _created() -> tuple[dict[str, Any], ...]:
    plain = {"groupName": "web", "groupDescription": "web servers"}
    tags = {"items": [{"resourceType": "security-group", "tags": [{"key": "Name", "value": "web"}]}]}
    answer = {"groupId": _GROUP}
    whole = {**answer, "securityGroupArn": f"arn:aws:ec2:us-east-1:123456789012:security-group/{_GROUP}"}
    return (
        _exchange(plain, answer),
        _exchange({**plain, "vpcId": "vpc-0abc"}, whole),
        _exchange({**plain, "vpcId": "vpc-0abc", **_NOT_DRY, "tagSpecificationSet": tags}, {**whole, "tagSet": tags}),
    )


def _nested(event: str) -> tuple[dict[str, Any], ...]:
    if event != "ModifySecurityGroupRules":
        state = "associating" if event.startswith("Associate") else "disassociating"
        body = {"GroupId": _GROUP, "VpcId": "vpc-0abc"}
        return (
            {
                "requestParameters": {f"{event}Request": body},
                "responseElements": {f"{event}Response": {**_NESTED_ANSWER, "state": state}},
            },
        )
    new = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0", "Description": "ssh"}
    one = {"SecurityGroupRuleId": _RULE, "tag": 1, "SecurityGroupRule": new}
    six = {"IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "CidrIpv6": "::/0"}
    two = {"SecurityGroupRuleId": "sgr-0def", "tag": 2, "SecurityGroupRule": six}
    peers = ({"CidrIpv6": "::/0"}, {"PrefixListId": "pl-0abc"}, {"ReferencedGroupId": _OTHER_GROUP})
    others = [{**one, "SecurityGroupRule": {"IpProtocol": "-1", **peer}} for peer in peers]
    answer = {f"{event}Response": {**_NESTED_ANSWER, "return": True}}
    return tuple(
        {
            "requestParameters": {f"{event}Request": {"GroupId": _GROUP, **more, "SecurityGroupRule": rules}},
            "responseElements": answer,
        }
        for rules, more in ((one, {}), ([one, two], {"DryRun": False}), *((other, {}) for other in others))
    )


def _permission(protocol: str, ports: tuple[int, int] | None, **peers: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("groups", "ipRanges", "ipv6Ranges", "prefixListIds")
    spread = {name: {"items": peers[name]} if name in peers else {} for name in names}
    return {"ipProtocol": protocol, **({"fromPort": ports[0], "toPort": ports[1]} if ports else {}), **spread}


def _permissions(event: str) -> tuple[dict[str, Any], ...]:
    asked: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        ({"groupId": _GROUP, "ipPermissions": {"items": items}}, items) for items in _asked()
    ]
    flat = {"cidrIp": "10.0.0.0/8", "ipProtocol": "tcp", "fromPort": 80, "toPort": 80}
    same = _permission("tcp", (80, 80), ipRanges=[{"cidrIp": "10.0.0.0/8"}])
    asked.append(({"groupName": "web", "ipPermissions": {}, **flat}, [same]))
    source = {"sourceSecurityGroupName": "lb", "sourceSecurityGroupOwnerId": "444455556666"}
    asked.append(({"groupName": "web", "ipPermissions": {}, **source}, [_permission("-1", None, groups=_PAIRS)]))
    tags = {"items": [{"resourceType": "security-group-rule", "tags": [{"key": "Name", "value": "web"}]}]}
    more = _NOT_DRY | ({"tagSpecificationSet": tags} if event.startswith("Authorize") else {})
    asked.append(({"groupId": _GROUP, **more, "ipPermissions": {"items": [_DESCRIBED]}}, [_DESCRIBED]))
    if event.startswith(("Revoke", "Update")):
        by_id = {"items": [{"securityGroupRuleId": _RULE}]}
        asked.append(({"groupId": _GROUP, "ipPermissions": {}, "securityGroupRuleIds": by_id}, [same]))
        asked.append(({"groupId": _GROUP, "securityGroupRuleIds": by_id}, [same]))
    return tuple(_exchange(shape, answer) for shape, items in asked for answer in _answers(event, items))


_PAIRS = [
    {
        "groupId": _OTHER_GROUP,
        "userId": "444455556666",
        "vpcId": "vpc-0def",
        "vpcPeeringConnectionId": "pcx-0abc",
        "peeringStatus": "active",
        "description": "peer",
    }
]
_DESCRIBED = _permission(
    "tcp",
    (22, 22),
    groups=_PAIRS,
    ipRanges=[{"cidrIp": "10.0.0.0/8", "description": "office"}],
    ipv6Ranges=[{"cidrIpv6": "2001:db8::/32", "description": "office"}],
    prefixListIds=[{"prefixListId": "pl-0abc", "description": "office"}],
)


def _asked() -> tuple[list[dict[str, Any]], ...]:
    world: dict[str, list[dict[str, Any]]] = {"ipRanges": [{"cidrIp": "0.0.0.0/0"}]}
    everywhere = world | {"ipv6Ranges": [{"cidrIpv6": "::/0"}]}
    several = [{"cidrIp": "10.0.0.0/8"}, {"cidrIp": "198.51.100.0/24"}]
    peers = [{"groupId": _OTHER_GROUP, "userId": "444455556666"}]
    return (
        [_permission("tcp", (22, 22), ipRanges=[{"cidrIp": "0.0.0.0/0", "description": "ssh"}])],
        [
            _permission("tcp", (443, 443), ipRanges=several),
            _permission("udp", (53, 53), ipv6Ranges=[{"cidrIpv6": "::/0"}]),
        ],
        [_permission("-1", None, groups=peers)],
        [_permission("tcp", (0, 65535), groups=[{"groupName": "web"}])],
        [_permission("-1", None, **everywhere)],
        [_permission("-1", (0, 0), **world)],
        [_permission("icmp", (-1, -1), prefixListIds=[{"prefixListId": "pl-0abc"}])],
    )


def _answers(event: str, asked: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """What comes with ``_return``; revoking what is not there succeeds, too."""
    rules = [rule for permission in asked for rule in _rules(permission, event)]
    if event.startswith("Authorize"):
        return ({"securityGroupRuleSet": {"items": [{"groupOwnerId": "123456789012", **rule} for rule in rules]}},)
    if event.startswith("Revoke"):
        revoked = {"revokedSecurityGroupRuleSet": {"items": rules}, "unknownIpPermissionSet": {}}
        return revoked, {"unknownIpPermissionSet": {"items": asked}}, {}
    return ({},)


_PEERS = {"cidrIp": "cidrIpv4", "cidrIpv6": "cidrIpv6", "prefixListId": "prefixListId"}


def _rules(permission: dict[str, Any], event: str) -> Iterator[dict[str, Any]]:
    """A permission as AWS answers it: one rule for each peer, with ports of -1 for all traffic.

    Of a group in a rule that is revoked the answer has the id alone.
    """
    egress = event.endswith("Egress")
    protocol = permission["ipProtocol"]
    ports = {name: -1 if protocol == "-1" else permission[name] for name in ("fromPort", "toPort")}
    own = {"groupId": _GROUP, "securityGroupRuleId": _RULE, "isEgress": egress, "ipProtocol": protocol, **ports}
    for kind in ("groups", "ipRanges", "ipv6Ranges", "prefixListIds"):
        for peer in permission[kind].get("items", ()):
            described = {"description": peer["description"]} if "description" in peer else {}
            if kind == "groups" and event.startswith("Revoke"):
                yield {**own, "referencedGroupId": peer.get("groupId", _OTHER_GROUP), **described}
            elif kind == "groups":
                info = {key: value for key, value in peer.items() if key != "description"}
                yield {**own, "referencedGroupInfo": info, **described}
            else:
                yield {**own, **{_PEERS[key]: peer[key] for key in peer if key in _PEERS}, **described}
