"""Security group rules as AWS writes them, read from CloudTrail's shapes.

What cannot be read is a problem in words, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.cloudtrail.records import account_id, mapping, text
from chalicelib.named_tuple import NamedTuple
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
from chalicelib.security_groups.wire_shapes import KeyNames, canonical, field, is_set, item_text, items, key_names

# IANA numbers that AWS shows by name.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
_PROTOCOL_NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": ALL_PROTOCOLS}


class Reading(NamedTuple):
    """The rules that could be read, and a sentence for each part that could not.

    ``problems`` are parts that make no sense; ``gaps`` make sense but no rule: an IpPermission without a peer.
    ``unknown_keys`` are keys that are set and that no IpPermission or peer was known to carry.
    """

    rules: tuple[SecurityGroupRule, ...] = ()
    problems: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    unknown_keys: tuple[str, ...] = ()

    def joined(self, other: Reading) -> Reading:
        """Both readings as one."""
        return Reading(
            self.rules + other.rules,
            self.problems + other.problems,
            self.gaps + other.gaps,
            tuple(dict.fromkeys(self.unknown_keys + other.unknown_keys)),
        )

    @property
    def unread(self) -> tuple[str, ...]:
        """Everything that was there and gave no rule."""
        return self.problems + self.gaps


class _UnreadableError(ValueError):
    """A part of the record that makes no rule; the text says why."""


class _Gathered:
    """A reading in the making: adding up thousands of tuples would take quadratic time."""

    def __init__(self) -> None:
        self.rules: list[SecurityGroupRule] = []
        self.problems: list[str] = []
        self.gaps: list[str] = []
        self.unknown_keys: dict[str, None] = {}

    def known(self, source: object, names: KeyNames) -> Mapping[str, Any]:
        """The object under the names that code reads; its unknown keys are noted."""
        given = mapping(source)
        if given.keys() <= names.spelled:  # nearly always
            return given
        found = canonical(given, names)
        if found.unknown:
            self.unknown_keys.update(dict.fromkeys(found.unknown))
        return found.values

    def reading(self) -> Reading:
        return Reading(tuple(self.rules), tuple(self.problems), tuple(self.gaps), tuple(self.unknown_keys))


def read_ip_permissions(value: object, direction: Direction | None) -> Reading:
    """The rules of an ``ipPermissions`` list: one for each peer of each IpPermission."""
    gathered = _Gathered()
    for permission in items(value):
        _read_ip_permission(permission, direction, gathered)
    return gathered.reading()


def read_flat_permission(parameters: Mapping[str, Any], direction: Direction | None) -> Reading:
    """The rules of the short form, where protocol, ports and peers stand beside the group's id."""
    cidrs = {key: text(parameters.get(key)) for key in ("cidrIp", "cidrIpv6")}
    group_name, group_id = (text(parameters.get(key)) for key in ("sourceSecurityGroupName", "sourceSecurityGroupId"))
    unread = tuple(_unreadable_text(parameters, key) for key in _FLAT_PEERS if _is_unreadable(parameters.get(key)))
    if not (any(cidrs.values()) or group_name or group_id):
        return Reading(problems=unread)
    service = {key: parameters.get(key) for key in ("ipProtocol", "fromPort", "toPort")}
    peers: dict[str, Any] = {"ipRanges": cidrs["cidrIp"], "ipv6Ranges": cidrs["cidrIpv6"]}
    reading = read_ip_permissions([{**service, **peers}] if any(peers.values()) else [], direction)
    if group_name or group_id:
        owner = text(parameters.get("sourceSecurityGroupOwnerId"))
        pair = {"groupName": group_name, "groupId": group_id, "userId": owner}
        services = [service] if text(service["ipProtocol"]) else _EVERYTHING
        by_group = read_ip_permissions([{**each, "groups": [pair]} for each in services], direction)
        reading = reading.joined(by_group)
    return reading.joined(Reading(problems=unread)) if unread else reading


_FLAT_PEERS = ("cidrIp", "cidrIpv6", "sourceSecurityGroupName", "sourceSecurityGroupId")


def _is_unreadable(value: object) -> bool:
    """Whether something is there that should be a text and is none."""
    return value is not None and text(value) is None and is_set(value)


def _unreadable_text(source: Mapping[str, Any], key: str) -> str:
    return f"{key} is not a text: {_shown(source.get(key))}"


# What a source group is given where the call names no protocol: "full ICMP, UDP, and TCP access".
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
_EVERYTHING: tuple[dict[str, Any], ...] = (
    {"ipProtocol": "tcp", "fromPort": 0, "toPort": 65535},
    {"ipProtocol": "udp", "fromPort": 0, "toPort": 65535},
    {"ipProtocol": "icmp", "fromPort": -1, "toPort": -1},
)


def read_rule_set(value: object, direction: Direction | None = None) -> Reading:
    """The rules of a ``securityGroupRuleSet``; ``direction`` is the call's, None where each rule has to say its own."""
    gathered = _Gathered()
    for item in items(value):
        rule = gathered.known(item, RULE)
        _read_rule(rule, direction or _direction(rule.get("isEgress")), gathered)
    return gathered.reading()


def read_rule_requests(value: object) -> Reading:
    """The rules of a request that modifies some: it has no key for their direction, and none is believed."""
    gathered = _Gathered()
    for item in items(value):
        _read_rule(gathered.known(item, RULE_REQUEST), None, gathered)
    return gathered.reading()


def read_tags(value: object) -> Tags | None:
    """The tags of a list of keys and values; None where there is no list."""
    if value is None:
        return None
    pairs = ((text(field(mapping(item), "key")), text(field(mapping(item), "value"))) for item in items(value))
    return tuple((key, content or "") for key, content in pairs if key)


# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
PERMISSION = key_names(
    *("ipProtocol", "fromPort", "toPort", "ipRanges", "ipv6Ranges", "prefixListIds"), groups=("userIdGroupPairs",)
)
IPV4_RANGE = key_names("cidrIp", "description")
IPV6_RANGE = key_names("cidrIpv6", "description")
PREFIX_LIST = key_names("prefixListId", "description")
GROUP_PAIR = key_names(
    *("groupId", "groupName", "userId", "vpcId", "description", "vpcPeeringConnectionId", "peeringStatus")
)
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
RULE = key_names(
    *("groupId", "groupOwnerId", "isEgress", "ipProtocol", "fromPort", "toPort", "cidrIpv4", "cidrIpv6", "cidrIp"),
    *("prefixListId", "referencedGroupId", "referencedGroupInfo", "description", "securityGroupRuleId"),
    *("securityGroupRuleArn", "tagSet"),
)
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRuleRequest.html, with the id from beside it.
RULE_REQUEST = key_names(
    *("ipProtocol", "fromPort", "toPort", "cidrIpv4", "cidrIpv6", "prefixListId", "referencedGroupId", "description"),
    "securityGroupRuleId",
)


def _read_ip_permission(given: object, direction: Direction | None, gathered: _Gathered) -> None:
    if not isinstance(given, (dict, Mapping)):
        gathered.problems.append(f"an IpPermission that is not an object: {_shown(given)}")
        return
    permission = gathered.known(given, PERMISSION)
    try:
        protocol = _protocol(permission)
        low, high = _ports(permission, protocol)
    except _UnreadableError as error:
        gathered.problems.append(str(error))
        return
    has_peer = False
    for key, names, read_peer in _PEERS:
        for entry in items(permission.get(key)):
            has_peer = True
            known = gathered.known(entry, names) if isinstance(entry, (dict, Mapping)) else entry
            try:
                peer = read_peer(known)
            except _UnreadableError as error:
                gathered.problems.append(str(error))
                continue
            description = text(mapping(known).get("description"))
            gathered.rules.append(SecurityGroupRule(direction, protocol, low, high, peer, description))
    if not has_peer:
        gathered.gaps.append(f"an IpPermission for {_shown(protocol)} that names no peer")


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
    return Peer(PeerType.SECURITY_GROUP, value, account_id(field(pair, "userId")), text(field(pair, "vpcId")))


_PEERS: tuple[tuple[str, KeyNames, Callable[[object], Peer]], ...] = (
    ("ipRanges", IPV4_RANGE, _ipv4_peer),
    ("ipv6Ranges", IPV6_RANGE, _ipv6_peer),
    ("prefixListIds", PREFIX_LIST, _prefix_list_peer),
    ("groups", GROUP_PAIR, _group_peer),
)


def _read_rule(rule: Mapping[str, Any], direction: Direction | None, gathered: _Gathered) -> None:
    """One rule for each peer; AWS takes one, and a record may have more."""
    try:
        protocol = _protocol(rule)
        low, high = _ports(rule, protocol)
        gathered.problems += [_unreadable_text(rule, key) for key in _RULE_PEERS if _is_unreadable(rule.get(key))]
        peers = _rule_peers(rule)
    except _UnreadableError as error:
        gathered.problems.append(str(error))
        return
    gathered.rules += [
        SecurityGroupRule(
            direction=direction,
            protocol=protocol,
            from_port=low,
            to_port=high,
            peer=peer,
            description=text(rule.get("description")),
            id=text(rule.get("securityGroupRuleId")),
            tags=read_tags(rule.get("tagSet") or None),
        )
        for peer in peers
    ]


def _direction(is_egress: object) -> Direction | None:
    if is_egress in (True, "true"):
        return Direction.EGRESS
    return Direction.INGRESS if is_egress in (False, "false") else None


_RULE_PEERS = ("cidrIpv4", "cidrIpv6", "cidrIp", "prefixListId", "referencedGroupId")


def _rule_peers(rule: Mapping[str, Any]) -> list[Peer]:
    peers = []
    for key, kind in (("cidrIpv4", PeerType.IPV4), ("cidrIpv6", PeerType.IPV6), ("cidrIp", PeerType.IPV4)):
        if value := text(rule.get(key)):
            peers.append(cidr_peer(value, kind))
    if prefix_list := text(rule.get("prefixListId")):
        peers.append(Peer(PeerType.PREFIX_LIST, prefix_list))
    info = mapping(rule.get("referencedGroupInfo"))
    if group := text(field(info, "groupId")) or text(rule.get("referencedGroupId")):
        peers.append(
            Peer(PeerType.SECURITY_GROUP, group, account_id(field(info, "userId")), text(field(info, "vpcId")))
        )
    if not peers:
        raise _UnreadableError(f"a security group rule without a peer: {_shown(rule)}")
    return peers


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
