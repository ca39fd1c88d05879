"""What a rule opens beyond others, against a reference that looks at every address and port of a small world."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.exposure.compare import opening, openings_together
from chalicelib.security_groups.address_ranges import parse_range
from chalicelib.security_groups.rules import Direction, Peer, PeerType, SecurityGroupRule

# Eight addresses stand for IPv4 (one for each /3), these ports for all: the rules below begin and end at them only.
SLICES = [f"{first}.0.0.0/3" for first in range(0, 256, 32)]
PORTS = [(0, 21), (22, 22), (23, 79), (80, 80), (81, 65535)]
STARTS, ENDS = [low for low, _ in PORTS], [high for _, high in PORTS]
CIDRS = ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2", *SLICES]


def rule(protocol: str, low: int | None, high: int | None, cidr: str) -> SecurityGroupRule:
    return SecurityGroupRule(Direction.INGRESS, protocol, low, high, Peer(PeerType.IPV4, cidr))


def _with_ports(protocol: str, ends: tuple[int, int], cidr: str) -> SecurityGroupRule:
    return rule(protocol, min(ends), max(ends), cidr) if protocol != "-1" else rule("-1", None, None, cidr)


RULES = st.builds(
    _with_ports,
    st.sampled_from(["tcp", "udp", "-1"]),
    st.tuples(st.sampled_from(STARTS), st.sampled_from(ENDS)).filter(lambda ends: ends[0] <= ends[1]),
    st.sampled_from(CIDRS),
)
SOME = st.lists(RULES, max_size=6)
Traffic = tuple[str, int, str]
EVERYTHING = frozenset(product(("tcp", "udp", "esp"), STARTS, SLICES))


def allowed(*found: SecurityGroupRule) -> frozenset[Traffic]:
    """The traffic that the rules let in, looked at piece by piece."""
    return frozenset(piece for piece in EVERYTHING if any(_lets(item, piece) for item in found))


def _lets(item: SecurityGroupRule, piece: Traffic) -> bool:
    protocol, start, cidr = piece
    whole, part = parse_range(item.peer.value), parse_range(cidr)
    assert whole is not None
    assert part is not None
    low, high = item.ports
    in_ports = item.protocol == "-1" or (low is not None and high is not None and low <= start <= high)
    return item.protocol in (protocol, "-1") and in_ports and whole.covers(part)


@given(RULES, SOME)
def test_a_rule_opens_what_it_lets_in_and_the_others_did_not(
    new: SecurityGroupRule, before: list[SecurityGroupRule]
) -> None:
    # Rules of all protocols are compared with their like only: what tcp and udp had is not all traffic.
    like = [item for item in before if new.protocol != "-1" or item.protocol == "-1"]
    opened = allowed(new) - allowed(*like)
    found = opening(new, before)
    assert (found is None) == (not opened)
    if found is not None and new.protocol != "-1":
        ports = {start for start in STARTS if any(low <= start <= high for low, high in found.ports)}
        assert ports == {start for _, start, _ in opened}


def whole_world(protocol: str, start: int, *found: SecurityGroupRule) -> bool:
    return {(protocol, start, cidr) for cidr in SLICES} <= allowed(*found)


@given(SOME, SOME, SOME)
def test_ranges_together_open_the_world_where_none_does_alone(
    new: list[SecurityGroupRule], kept: list[SecurityGroupRule], gone: list[SecurityGroupRule]
) -> None:
    after, before = [*new, *kept], [*kept, *gone]
    found = openings_together(new, kept, gone)
    assert all(item.together and item.rule in new for item in found)
    if any(item.protocol == "-1" for item in found):
        assert whole_world("esp", 0, *after)
        assert not whole_world("esp", 0, *before)
        return
    got = {
        (item.protocol, start)
        for item in found
        for start in STARTS
        if any(low <= start <= high for low, high in item.ports)
    }
    assert got == {
        (protocol, start)
        for protocol, start in product({item.protocol for item in (*after, *gone)} - {"-1"}, STARTS)
        if whole_world(protocol, start, *after)
        and not whole_world(protocol, start, *before)
        and not any(whole_world(protocol, start, item) for item in after)
    }


HALF, OTHER_HALF = "0.0.0.0/1", "128.0.0.0/1"


def test_two_halves_open_the_ports_that_both_have() -> None:
    (found,) = openings_together([rule("tcp", 22, 100, HALF), rule("tcp", 80, 3389, OTHER_HALF)])
    assert (found.ports, found.range and found.range.text) == (((80, 100),), "0.0.0.0/0")


def test_a_half_that_was_there_before_counts() -> None:
    (found,) = openings_together([rule("tcp", 22, 22, HALF)], [rule("-1", None, None, OTHER_HALF)])
    assert found.ports == ((22, 22),)


def test_a_half_that_went_does_not_count() -> None:
    assert openings_together([rule("tcp", 22, 22, HALF)], [], [rule("tcp", 22, 22, OTHER_HALF)]) == []


def test_what_was_open_before_is_not_opened_again() -> None:
    halves = [rule("tcp", 22, 22, HALF), rule("tcp", 22, 22, OTHER_HALF)]
    assert openings_together([rule("tcp", 22, 22, "0.0.0.0/2")], halves) == []
    assert openings_together([halves[0]], [halves[1]], [halves[0]]) == []


def test_icmp_of_different_types_is_not_put_together() -> None:
    assert openings_together([rule("icmp", 8, 0, HALF), rule("icmp", 3, 4, OTHER_HALF)]) == []
    assert openings_together([rule("icmp", 8, 0, HALF), rule("icmp", -1, -1, OTHER_HALF)])


def test_icmp_type_and_code_are_compared() -> None:
    assert opening(rule("icmp", 8, 0, HALF), [rule("icmp", 8, -1, HALF)]) is None
    assert opening(rule("icmp", 8, -1, HALF), [rule("icmp", 8, 0, HALF)]) is not None
