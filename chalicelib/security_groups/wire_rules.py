"""Security group rules as AWS writes them, read from CloudTrail's shapes.

CloudTrail wraps lists in ``{"items": […]}``, writes an empty one as ``{}``, and spells the same field
``cidrIp`` or ``CidrIp`` depending on the call. What cannot be read is a problem in words, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from chalicelib.cloudtrail.records import mapping, text
from chalicelib.security_groups.address_ranges import parse_range
from chalicelib.security_groups.rules import (
    ALL_PROTOCOLS,
    ICMP,
    WITH_PORTS,
    Direction,
    Peer,
    PeerType,
    SecurityGroupRule,
    Tags,
)

# IANA numbers that AWS shows by name.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
_PROTOCOL_NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": ALL_PROTOCOLS}


@dataclass(frozen=True, slots=True)
class Reading:
    """The rules that could be read, and a sentence for each part that could not.

    ``problems`` are parts that make no sense; ``gaps`` make sense but no rule: an IpPermission without a peer.
    """

    rules: tuple[SecurityGroupRule, ...] = ()
    problems: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()

    def __add__(self, other: Reading) -> Reading:
        return Reading(self.rules + other.rules, self.problems + other.problems, self.gaps + other.gaps)

    @property
    def unread(self) -> tuple[str, ...]:
        """Everything that was there and gave no rule."""
        return self.problems + self.gaps


class _UnreadableError(ValueError):
    """A part of the record that makes no rule; the text says why."""


@dataclass(slots=True)
class _Gathered:
    """A reading in the making: adding up thousands of tuples would take quadratic time."""

    rules: list[SecurityGroupRule] = dataclass_field(default_factory=list)
    problems: list[str] = dataclass_field(default_factory=list)
    gaps: list[str] = dataclass_field(default_factory=list)

    def attempt(self, read: Callable[[], SecurityGroupRule]) -> None:
        try:
            self.rules.append(read())
        except _UnreadableError as error:
            self.problems.append(str(error))

    def reading(self) -> Reading:
        return Reading(tuple(self.rules), tuple(self.problems), tuple(self.gaps))


def items(value: object) -> list[Any]:
    """The members of a CloudTrail list in any of its spellings; an absent one has none."""
    while isinstance(value, Mapping):
        wrapper = next((key for key in ("items", "item", "member") if key in value), None)
        if wrapper is None:
            return [value] if value else []
        value = value[wrapper]
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def field(source: Mapping[str, Any], name: str) -> Any:
    """A field by its lower-camel name, also where the record has it capitalized."""
    value = source.get(name)
    return source.get(name[0].upper() + name[1:]) if value is None else value


def item_text(item: object, name: str) -> str | None:
    """A text in a list of texts: bare, under its name, or as ``{"tag": 1, "content": …}``."""
    if not isinstance(item, Mapping):
        return text(item)
    return text(field(item, name)) or text(item.get("content"))


def read_ip_permissions(value: object, direction: Direction | None) -> Reading:
    """The rules of an ``ipPermissions`` list: one for each peer of each IpPermission."""
    gathered = _Gathered()
    for permission in items(value):
        _read_ip_permission(permission, direction, gathered)
    return gathered.reading()


def read_flat_permission(parameters: Mapping[str, Any], direction: Direction | None) -> Reading:
    """The rule of the short form, where protocol, ports and one peer stand beside the group's id."""
    peers = [text(field(parameters, key)) for key in ("cidrIp", "sourceSecurityGroupName", "sourceSecurityGroupId")]
    if not any(peers):
        return Reading()
    owner = text(field(parameters, "sourceSecurityGroupOwnerId"))
    permission: dict[str, Any] = {key: field(parameters, key) for key in ("ipProtocol", "fromPort", "toPort")}
    cidr, group_name, group_id = peers
    if cidr:
        permission["ipRanges"] = [{"cidrIp": cidr}]
    if group_name or group_id:
        permission["groups"] = [{"groupName": group_name, "groupId": group_id, "userId": owner}]
    if permission["ipProtocol"] is None and group_name:
        # --source-group without a protocol opens everything: https://docs.aws.amazon.com/cli/latest/reference/ec2/
        permission["ipProtocol"] = ALL_PROTOCOLS
    return read_ip_permissions([permission], direction)


def read_rule_set(value: object, direction: Direction | None = None) -> Reading:
    """The rules of a ``securityGroupRuleSet``; ``direction`` is the call's, None where each rule has to say its own."""
    gathered = _Gathered()
    for item in items(value):
        gathered.attempt(lambda item=item: _read_rule(item, direction))  # type: ignore[misc]
    return gathered.reading()


def read_tags(value: object) -> Tags | None:
    """The tags of a list of keys and values; None where there is no list."""
    if value is None:
        return None
    pairs = ((text(field(mapping(item), "key")), text(field(mapping(item), "value"))) for item in items(value))
    return tuple((key, content or "") for key, content in pairs if key)


def _read_ip_permission(permission: object, direction: Direction | None, gathered: _Gathered) -> None:
    if not isinstance(permission, Mapping):
        gathered.problems.append(f"an IpPermission that is not an object: {_shown(permission)}")
        return
    try:
        protocol = _protocol(permission)
        low, high = _ports(permission, protocol)
    except _UnreadableError as error:
        gathered.problems.append(str(error))
        return
    entries = list(_peer_entries(permission))
    for read_peer, entry in entries:

        def read(read_peer: Callable[[object], Peer] = read_peer, entry: object = entry) -> SecurityGroupRule:
            description = text(field(mapping(entry), "description"))
            return SecurityGroupRule(direction, protocol, low, high, read_peer(entry), description)

        gathered.attempt(read)
    if not entries:
        gathered.gaps.append(f"an IpPermission for {_shown(protocol)} that names no peer")


def _peer_entries(permission: Mapping[str, Any]) -> Iterable[tuple[Callable[[object], Peer], object]]:
    groups = items(field(permission, "groups")) or items(field(permission, "userIdGroupPairs"))
    for entries, read_peer in (
        (items(field(permission, "ipRanges")), _ipv4_peer),
        (items(field(permission, "ipv6Ranges")), _ipv6_peer),
        (items(field(permission, "prefixListIds")), _prefix_list_peer),
        (groups, _group_peer),
    ):
        for entry in entries:
            yield read_peer, entry


def _ipv4_peer(entry: object) -> Peer:
    return _cidr_peer(entry, "cidrIp", PeerType.IPV4)


def _ipv6_peer(entry: object) -> Peer:
    return _cidr_peer(entry, "cidrIpv6", PeerType.IPV6)


def _cidr_peer(entry: object, key: str, expected: PeerType) -> Peer:
    value = item_text(entry, key)
    if not value:
        raise _UnreadableError(f"a peer without {key}: {_shown(entry)}")
    return cidr_peer(value, expected)


def cidr_peer(value: str, expected: PeerType) -> Peer:
    """The peer of a CIDR text as AWS stores it, host bits cleared; text that is no range stays as it is."""
    parsed = parse_range(value)
    if parsed is None:
        return Peer(expected, value)
    return Peer(PeerType.IPV4 if parsed.version == 4 else PeerType.IPV6, parsed.text)


def _prefix_list_peer(entry: object) -> Peer:
    value = item_text(entry, "prefixListId")
    if not value:
        raise _UnreadableError(f"a peer without prefixListId: {_shown(entry)}")
    return Peer(PeerType.PREFIX_LIST, value)


def _group_peer(entry: object) -> Peer:
    pair = mapping(entry)
    value = text(field(pair, "groupId")) or text(field(pair, "groupName"))
    if not value:
        raise _UnreadableError(f"a peer group without id and name: {_shown(entry)}")
    return Peer(PeerType.SECURITY_GROUP, value, text(field(pair, "userId")), text(field(pair, "vpcId")))


def _read_rule(item: object, direction: Direction | None) -> SecurityGroupRule:
    rule = mapping(item)
    protocol = _protocol(rule)
    low, high = _ports(rule, protocol)
    return SecurityGroupRule(
        direction=direction or _direction(field(rule, "isEgress")),
        protocol=protocol,
        from_port=low,
        to_port=high,
        peer=_rule_peer(rule),
        description=text(field(rule, "description")),
        id=text(field(rule, "securityGroupRuleId")),
        tags=read_tags(rule.get("tagSet") or rule.get("Tags")),
    )


def _direction(is_egress: object) -> Direction | None:
    if is_egress in (True, "true"):
        return Direction.EGRESS
    return Direction.INGRESS if is_egress in (False, "false") else None


def _rule_peer(rule: Mapping[str, Any]) -> Peer:
    for key, kind in (("cidrIpv4", PeerType.IPV4), ("cidrIpv6", PeerType.IPV6), ("cidrIp", PeerType.IPV4)):
        value = text(field(rule, key))
        if value:
            return cidr_peer(value, kind)
    prefix_list = text(field(rule, "prefixListId"))
    if prefix_list:
        return Peer(PeerType.PREFIX_LIST, prefix_list)
    info = mapping(field(rule, "referencedGroupInfo"))
    group = text(field(info, "groupId")) or text(field(rule, "referencedGroupId"))
    if group:
        return Peer(PeerType.SECURITY_GROUP, group, text(field(info, "userId")), text(field(info, "vpcId")))
    raise _UnreadableError(f"a security group rule without a peer: {_shown(rule)}")


def _protocol(source: Mapping[str, Any]) -> str:
    lowered = (text(field(source, "ipProtocol")) or "").strip().lower()
    if not lowered:
        raise _UnreadableError(f"a rule without a protocol: {_shown(source)}")
    if lowered.isascii() and lowered.isdigit() and len(lowered) <= 5:
        lowered = str(int(lowered))  # "006" is tcp too
    return _PROTOCOL_NAMES.get(lowered, lowered)


def _ports(source: Mapping[str, Any], protocol: str) -> tuple[int | None, int | None]:
    low, high = _port(source, "fromPort"), _port(source, "toPort")
    if protocol in WITH_PORTS or protocol in ICMP:
        return low, high
    # For other protocols AWS takes any ports and keeps none; records show 0, -1 or nothing.
    return None, None


def _port(source: Mapping[str, Any], key: str) -> int | None:
    value = field(source, key)
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise _UnreadableError(f"{key} is not a number: {_shown(value)}")
    try:
        port = int(value)
    except (TypeError, ValueError, OverflowError):
        raise _UnreadableError(f"{key} is not a number: {_shown(value)}") from None
    if port != (float(value) if isinstance(value, float) else port) or not -1 <= port <= 65535:
        raise _UnreadableError(f"{key} is not a port: {_shown(value)}")
    return port


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except RecursionError:
        return "nested too deeply to show"
    except ValueError:  # Python refuses to print integers over 4,300 digits
        return "a number too long to show"
    return shown if len(shown) <= 80 else shown[:77] + "…"
