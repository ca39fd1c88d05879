"""Security group rules as EC2's calls take them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chalicelib.security_groups.rules import PeerType, SecurityGroupRule

_RANGES = {
    PeerType.IPV4: ("IpRanges", "CidrIp"),
    PeerType.IPV6: ("Ipv6Ranges", "CidrIpv6"),
    PeerType.PREFIX_LIST: ("PrefixListIds", "PrefixListId"),
}


def to_ip_permissions(rules: Iterable[SecurityGroupRule], *, described: bool = True) -> list[dict[str, Any]]:
    """The rules as IpPermissions of the EC2 API, one for each, so that nothing is merged away."""
    return [_to_ip_permission(rule, described=described) for rule in rules]


def _ports_of(rule: SecurityGroupRule) -> dict[str, int]:
    low, high = rule.ports
    return {key: port for key, port in (("FromPort", low), ("ToPort", high)) if port is not None}


def _to_ip_permission(rule: SecurityGroupRule, *, described: bool) -> dict[str, Any]:
    peer: dict[str, Any] = {}
    if rule.peer.type is PeerType.SECURITY_GROUP:
        peer["GroupId" if rule.peer.value.startswith("sg-") else "GroupName"] = rule.peer.value
        if rule.peer.account_id:
            peer["UserId"] = rule.peer.account_id
        if rule.peer.vpc_id:
            peer["VpcId"] = rule.peer.vpc_id
        where = "UserIdGroupPairs"
    else:
        where, key = _RANGES[rule.peer.type]
        peer[key] = rule.peer.value
    if described and rule.description is not None:
        peer["Description"] = rule.description
    return {"IpProtocol": rule.protocol, **_ports_of(rule), where: [peer]}
