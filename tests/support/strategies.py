"""Hypothesis strategies for security group rules as AWS stores them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from hypothesis import strategies as st

from chalicelib.security_groups.rules import Direction, Peer, PeerType, SecurityGroupRule


def _network4(bits: int, prefix: int) -> str:
    return str(IPv4Network((bits, prefix), strict=False))


def _network6(bits: int, prefix: int) -> str:
    return str(IPv6Network((bits, prefix), strict=False))


IPV4 = st.builds(_network4, st.integers(0, 2**32 - 1), st.integers(0, 32))
IPV6 = st.builds(_network6, st.integers(0, 2**128 - 1), st.integers(0, 128))
_HEX = st.text("0123456789abcdef", min_size=8, max_size=17)
_ACCOUNTS = st.none() | st.sampled_from(["123456789012", "444455556666"])
PEERS = st.one_of(
    st.builds(Peer, st.just(PeerType.IPV4), IPV4, st.none(), st.none()),
    st.builds(Peer, st.just(PeerType.IPV6), IPV6, st.none(), st.none()),
    st.builds(Peer, st.just(PeerType.PREFIX_LIST), _HEX.map("pl-{}".format), st.none(), st.none()),
    st.builds(Peer, st.just(PeerType.SECURITY_GROUP), _HEX.map("sg-{}".format), _ACCOUNTS, st.none()),
)
_PORT = st.sampled_from([0, 22, 80, 443, 3389, 65535]) | st.integers(0, 65535)
_PORTS = st.tuples(_PORT, _PORT).map(lambda pair: (min(pair), max(pair)))
_TRAFFIC = st.one_of(
    st.tuples(st.sampled_from(["tcp", "udp"]), _PORTS),
    st.tuples(st.sampled_from(["icmp", "icmpv6"]), st.sampled_from([(-1, -1), (8, -1), (8, 0), (3, 4)])),
    st.tuples(st.sampled_from(["-1", "50", "47"]), st.just((None, None))),
)
DESCRIPTIONS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def rules(direction: Direction | None = None, *, with_id: bool = True) -> st.SearchStrategy[SecurityGroupRule]:
    """Rules of any direction, or of one."""
    directions = st.sampled_from(list(Direction)) if direction is None else st.just(direction)
    ids = st.none() | _HEX.map("sgr-{}".format) if with_id else st.none()

    def build(
        way: Direction,
        traffic: tuple[str, tuple[int | None, int | None]],
        peer: Peer,
        said: str | None,
        rule_id: str | None,
    ) -> SecurityGroupRule:
        protocol, (low, high) = traffic
        return SecurityGroupRule(way, protocol, low, high, peer, said, rule_id)

    return st.builds(build, directions, _TRAFFIC, PEERS, DESCRIPTIONS, ids)
