"""Rules, peers and attacker-chosen text in words that are safe to print anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from chalicelib.security_groups.address_ranges import parse_range
from chalicelib.security_groups.rules import (
    ALL_PROTOCOLS,
    ICMP,
    WITH_PORTS,
    Direction,
    Peer,
    PeerType,
    SecurityGroupRule,
)
from chalicelib.text import clip, visible


def printable(text: str, limit: int | None = None) -> str:
    """The text on one line with nothing hidden in it, cut with an ellipsis where it is longer than ``limit``."""
    shown = visible(text)
    return shown if limit is None else clip(shown, limit)[0]


def is_world(peer: Peer) -> bool:
    """Whether the peer is 0.0.0.0/0 or ::/0."""
    parsed = parse_range(peer.value) if peer.type in (PeerType.IPV4, PeerType.IPV6) else None
    return parsed is not None and parsed.is_world


def service_phrase(rule: SecurityGroupRule) -> str:
    """Protocol and ports: ``tcp/22``, ``udp/1000-2000``, ``all traffic``, ``icmp type 8``, ``protocol 50``."""
    low, high = rule.ports
    if rule.protocol == ALL_PROTOCOLS:
        return "all traffic"
    if rule.protocol in WITH_PORTS:
        if (low, high) == (0, 65535):
            return f"all {rule.protocol} ports"
        return f"{rule.protocol}/{low}" if low == high else f"{rule.protocol}/{low}-{high}"
    if rule.protocol in ICMP:
        kind = "" if low == -1 else f" type {low}"
        return f"{rule.protocol}{kind}" + ("" if high == -1 or low == -1 else f" code {high}")
    return f"protocol {printable(rule.protocol, 20)}"


# What lists and groups are called, by id.
PeerNames = Mapping[str, str]
NO_PEER_NAMES: PeerNames = MappingProxyType({})


def peer_phrase(peer: Peer, names: PeerNames = NO_PEER_NAMES) -> str:
    """The peer as a person says it: ``the internet``, a range, ``prefix list corp (pl-…)``, ``group sg-…``."""
    if is_world(peer):
        return "the internet" if peer.type is PeerType.IPV4 else "the internet (IPv6)"
    value = printable(peer.value, 60)
    if name := names.get(peer.value):
        value = f"{printable(name, 48)} ({value})"
    if peer.type is PeerType.PREFIX_LIST:
        return f"prefix list {value}"
    if peer.type is PeerType.SECURITY_GROUP:
        return f"group {value}"
    return value


def rule_phrase(rule: SecurityGroupRule) -> str:
    """The whole rule: ``ingress tcp/22 from 0.0.0.0/0``."""
    direction = rule.direction or "rule"
    preposition = {Direction.INGRESS: "from", Direction.EGRESS: "to", None: "from/to"}[rule.direction]
    peer = peer_phrase(rule.peer) if rule.peer.type not in (PeerType.IPV4, PeerType.IPV6) else None
    return f"{direction} {service_phrase(rule)} {preposition} {peer or printable(rule.peer.value, 120)}"


def previous_peer_phrase(peer: Peer, names: PeerNames = NO_PEER_NAMES, *, beside_ipv6: bool) -> str:
    """The peer as it was before; beside IPv6 the internet is said to be that of IPv4."""
    if beside_ipv6 and peer.type is PeerType.IPV4 and is_world(peer):
        return "the internet (IPv4)"
    return peer_phrase(peer, names)


def group_phrase(name: str | None, group_id: str | None) -> str:
    """The group: ``web (sg-0a1)``, its id or its name alone, ``an unnamed security group``."""
    if name and group_id:
        return f"{printable(name, 48)} ({printable(group_id, 40)})"
    known = group_id or name
    return printable(known, 80) if known else "a security group the record does not name"


def named_group_phrase(name: str | None, group_id: str | None) -> str:
    """The group with the words before it: ``security group web (sg-0a1)``."""
    phrase = group_phrase(name, group_id)
    return f"security group {phrase}" if name or group_id else phrase
