"""Security group rules as AWS reads them from a request: canonical, one per peer."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from localcloud.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}
WITH_PORTS = ("tcp", "udp")
FLAT_FORM = ("IpProtocol", "CidrIp", "SourceSecurityGroupName")
# A request without a protocol that names a source group opens everything that EC2-Classic had.
ALL_OF_A_GROUP = (("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1))


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One protocol, port range and peer. ``kind`` is ipv4, ipv6, group or prefix_list."""

    protocol: str
    from_port: int
    to_port: int
    kind: str
    peer: str
    owner: str | None = None
    description: str | None = None

    @property
    def identity(self) -> tuple[str, int, int, str, str]:
        """What makes two rules the same: all but the description."""
        return (self.protocol, self.from_port, self.to_port, self.kind, self.peer)

    def sentence(self) -> str:
        """The rule in the words of EC2's error messages."""
        return (
            f"peer: {self.peer}, {self.protocol.upper()}, from port: {self.from_port}, to port: {self.to_port}, ALLOW"
        )


def invalid(message: str) -> AwsError:
    """EC2's error for a value that it does not take."""
    return AwsError("InvalidParameterValue", message)


def requested(params: Mapping[str, Any]) -> list[RuleSpec]:
    """The rules in a request's IpPermissions, or in its flat form."""
    permissions = params.get("IpPermissions") or _flat(params)
    specs = [spec for permission in permissions for spec in of_permission(permission)]
    if not specs:
        raise AwsError("MissingParameter", "The request must contain the parameter ipPermissions")
    return specs


def _flat(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not any(name in params for name in FLAT_FORM):
        return []
    permission = {name: params[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in params}
    if "CidrIp" in params:
        kind = "Ipv6Ranges" if ":" in params["CidrIp"] else "IpRanges"
        permission[kind] = [{"CidrIpv6" if kind == "Ipv6Ranges" else "CidrIp": params["CidrIp"]}]
    if name := params.get("SourceSecurityGroupName"):
        pair = {"GroupName": name}
        if owner := params.get("SourceSecurityGroupOwnerId"):
            pair["UserId"] = owner
        permission["UserIdGroupPairs"] = [pair]
        if "IpProtocol" not in params:
            ports = [dict(zip(("IpProtocol", "FromPort", "ToPort"), item, strict=True)) for item in ALL_OF_A_GROUP]
            return [permission | item for item in ports]
    return [permission]


def of_permission(permission: Mapping[str, Any]) -> Iterator[RuleSpec]:
    """The rules of one IpPermission: one per peer. A group known by name keeps the name as its peer."""
    protocol, from_port, to_port = ports_of(permission)
    bare = RuleSpec(protocol, from_port, to_port, "", "")
    for item in permission.get("UserIdGroupPairs", ()):
        peer = item.get("GroupId") or item.get("GroupName", "")
        yield replace(bare, kind="group", peer=peer, owner=item.get("UserId"), description=item.get("Description"))
    for item in permission.get("IpRanges", ()):
        yield replace(bare, kind="ipv4", peer=network(item["CidrIp"], 4), description=item.get("Description"))
    for item in permission.get("Ipv6Ranges", ()):
        yield replace(bare, kind="ipv6", peer=network(item["CidrIpv6"], 6), description=item.get("Description"))
    for item in permission.get("PrefixListIds", ()):
        yield replace(bare, kind="prefix_list", peer=item["PrefixListId"], description=item.get("Description"))


def ports_of(permission: Mapping[str, Any]) -> tuple[str, int, int]:
    """Protocol and port range; -1 to -1 where the protocol has no ports, as EC2 answers them."""
    given = str(permission.get("IpProtocol", "")).lower()
    protocol = PROTOCOLS.get(given, given)
    if not protocol:
        raise invalid("Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.")
    from_port, to_port = permission.get("FromPort"), permission.get("ToPort")
    if protocol in WITH_PORTS:
        if from_port is None or to_port is None:
            raise invalid("Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")
        if not 0 <= from_port <= to_port <= 65535:
            raise invalid(f"Invalid value '{from_port}-{to_port}' for portRange.")
        return protocol, from_port, to_port
    if protocol in ("icmp", "icmpv6"):
        return protocol, -1 if from_port is None else from_port, -1 if to_port is None else to_port
    return protocol, -1, -1


def network(cidr: str, version: int) -> str:
    """A CIDR block in the canonical form in which EC2 keeps it: no host bits."""
    try:
        parsed = ipaddress.ip_network(cidr, strict=False)
    except ValueError as error:
        raise invalid(f"CIDR block {cidr} is malformed") from error
    if parsed.version != version or "/" not in cidr:
        raise invalid(f"CIDR block {cidr} is malformed")
    return str(parsed)
