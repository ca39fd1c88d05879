"""What rules open, against a reference that counts every address and port of a small world."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.exposure.already_open import already_open
from chalicelib.exposure.compare import Opening, is_within, openings, openings_together, own_ranges
from chalicelib.exposure.traffic import TrafficLine
from chalicelib.security_groups.address_ranges import Breadth
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from tests.support.examples import examples

# The rules below begin and end at these ports and at the edges of these slices only.
PORTS = [(0, 21), (22, 22), (23, 79), (80, 80), (81, 65535)]
STARTS, ENDS = [low for low, _ in PORTS], [high for _, high in PORTS]
TYPES = [(-1, -1), (3, -1), (3, 0), (3, 4), (8, -1), (8, 0)]
PROBED_TYPES = [(0, 0), (3, 0), (3, 1), (3, 4), (8, 0), (8, 9)]
SLICES = [*(f"{first}.0.0.0/4" for first in range(0, 256, 16) if first not in (0, 16)), "10.0.0.0/8", "8.0.0.0/8"]
SLICES += ["0.0.0.0/5", "9.0.0.0/8", "11.0.0.0/8", "12.0.0.0/6", "16.0.0.0/5", "24.0.0.0/5"]
CIDRS = ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"]
CIDRS += [f"{first}.0.0.0/3" for first in range(0, 256, 32)]
CIDRS += ["16.0.0.0/4", "16.0.0.0/5", "24.0.0.0/5", "32.0.0.0/4", "10.0.0.0/8", "8.0.0.0/8", "9.0.0.0/8", "8.0.0.0/6"]
NOT_PUBLIC = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    "224.0.0.0/3",
]


def public_in(cidr: str) -> int:
    """How many addresses of a slice are public; a slice holds a range that is not, or is within it."""
    slice_ = IPv4Network(cidr)
    hidden = [IPv4Network(text) for text in NOT_PUBLIC]
    if any(slice_.subnet_of(net) for net in hidden):
        return 0
    return slice_.num_addresses - sum(net.num_addresses for net in hidden if net.subnet_of(slice_))


PUBLIC = {cidr: public_in(cidr) for cidr in SLICES}
WITHIN = {
    cidr: frozenset(piece for piece in SLICES if IPv4Network(piece).subnet_of(IPv4Network(cidr))) for cidr in CIDRS
}
EVERYTHING = frozenset(SLICES)


def rule(
    protocol: str, low: int | None, high: int | None, cidr: str, direction: Direction = Direction.INGRESS
) -> SecurityGroupRule:
    return SecurityGroupRule(
        direction, protocol, low, high, Peer(PeerType.IPV6 if ":" in cidr else PeerType.IPV4, cidr)
    )


def _with_ports(protocol: str, ends: tuple[int, int], kind: tuple[int, int], cidr: str) -> SecurityGroupRule:
    if protocol == "icmp":
        return rule(protocol, *kind, cidr)
    return (
        rule(protocol, min(ends), max(ends), cidr) if protocol in ("tcp", "udp") else rule(protocol, None, None, cidr)
    )


RULES = st.builds(
    _with_ports,
    st.sampled_from(["tcp", "tcp", "udp", "icmp", "50", "-1"]),
    st.tuples(st.sampled_from(STARTS), st.sampled_from(ENDS)).filter(lambda ends: ends[0] <= ends[1]),
    st.sampled_from(TYPES),
    st.sampled_from(CIDRS),
)
SOME = st.lists(RULES, max_size=6)
ITEMS = st.lists(st.builds(ModifiedRule, st.none() | RULES, RULES), min_size=1, max_size=5)
# Protocol and port, or ICMP type and code; "esp" stands for the protocols that no rule names.
Traffic = tuple[str, int, int]
TRAFFIC: list[Traffic] = [
    *((protocol, start, 0) for protocol in ("tcp", "udp") for start in STARTS),
    *(("icmp", kind, code) for kind, code in PROBED_TYPES),
    *(("50", 0, 0), ("esp", 0, 0)),
]


def lets(item: SecurityGroupRule, traffic: Traffic) -> bool:
    protocol, first, second = traffic
    if item.protocol == "-1":
        return True
    if item.protocol != protocol:
        return False
    low, high = item.ports
    if protocol == "icmp":
        return low in (-1, first) and high in (-1, second)
    return protocol == "50" or (low is not None and high is not None and low <= first <= high)


def reach(rules: Iterable[SecurityGroupRule], traffic: Traffic) -> frozenset[str]:
    """The slices of the address space from which this traffic is let in."""
    return frozenset(piece for item in rules if lets(item, traffic) for piece in WITHIN[item.peer.value])


def kind_of(slices: frozenset[str]) -> Breadth:
    public = sum(PUBLIC[piece] for piece in slices)
    if slices == EVERYTHING:
        return Breadth.ALL
    steps = (1, 2**24, 925_597_696)
    return Breadth(sum(public >= step for step in steps))


def expected(
    items: Sequence[ModifiedRule], kept: list[SecurityGroupRule], gone: list[SecurityGroupRule], traffic: Traffic
) -> Breadth:
    """How broad the traffic opened is, by the words of the severity table."""
    befores = [item.before for item in items if item.before is not None]
    own = [reach([item.after], traffic) - reach([item.before] if item.before else [], traffic) for item in items]
    if not any(own):
        return Breadth.PRIVATE
    found = max(kind_of(frozenset().union(*own)), *map(kind_of, own))
    after = kind_of(reach([*(item.after for item in items), *kept], traffic))
    before = kind_of(reach([*kept, *gone, *befores], traffic))
    for item in items:  # the rule alone counts, too
        mine, was = kind_of(reach([item.after], traffic)), reach([item.before] if item.before else [], traffic)
        if reach([item.after], traffic) - was and (
            kind_of(was) < Breadth.QUARTER <= mine or kind_of(reach([item.after], traffic) - was) >= Breadth.QUARTER
        ):
            found = max(found, mine)
    if before < Breadth.QUARTER <= after:
        found = max(found, Breadth.QUARTER)
    if found is Breadth.QUARTER and after is Breadth.ALL and before is not Breadth.ALL:
        found = Breadth.ALL
    return found


def covers(found: Opening, traffic: Traffic) -> bool:
    protocol, first, _ = traffic
    if found.protocol == "-1":
        return True
    if found.protocol != protocol:
        return False
    return not found.ports or any(low <= first <= high for low, high in found.ports)


def judged(
    items: Sequence[ModifiedRule], kept: list[SecurityGroupRule], gone: list[SecurityGroupRule]
) -> list[Opening]:
    befores = [item.before for item in items if item.before is not None]
    line = TrafficLine([*(item.after for item in items), *befores])
    alone = [found for item in items for found in openings(item, line, own_ranges)]
    return [*alone, *openings_together(items, kept, [*gone, *befores], own_ranges)]


def check(items: Sequence[ModifiedRule], kept: list[SecurityGroupRule], gone: list[SecurityGroupRule]) -> None:
    found = judged(items, kept, gone)
    for traffic in TRAFFIC:
        at_most = max(
            (item.breadth or Breadth.PRIVATE for item in found if covers(item, traffic)), default=Breadth.PRIVATE
        )
        wanted = expected(items, kept, gone, traffic)
        if wanted >= Breadth.WIDE:
            assert at_most >= wanted, (traffic, found)
        # An opening of all traffic, and one of ICMP, names its rule's traffic and not the pieces of it that are new.
        exact = not any(item.protocol in ("-1", "icmp") and covers(item, traffic) for item in found)
        if exact and at_most >= Breadth.WIDE:
            assert at_most == wanted, (traffic, found)
    assert all(item.rule in [new.after for new in items] for item in found)


@settings(max_examples=examples(150), deadline=None)
@given(ITEMS, SOME, SOME)
def test_what_rules_open_is_as_broad_as_counting_it_piece_by_piece(
    items: list[ModifiedRule], kept: list[SecurityGroupRule], gone: list[SecurityGroupRule]
) -> None:
    check(items, kept, gone)


@pytest.mark.slow
@settings(max_examples=examples(5000), deadline=None)
@given(ITEMS, SOME, SOME)
def test_what_many_rules_open_is_as_broad_as_counting_it_piece_by_piece(
    items: list[ModifiedRule], kept: list[SecurityGroupRule], gone: list[SecurityGroupRule]
) -> None:
    check(items, kept, gone)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(RULES, min_size=1, max_size=3), st.lists(RULES, max_size=8))
def test_a_rule_opens_nothing_new_where_the_others_let_in_all_of_it(
    new: list[SecurityGroupRule], before: list[SecurityGroupRule]
) -> None:
    found = already_open(new, before, own_ranges)
    for place, item in enumerate(new):
        allowed = all(reach([item], traffic) <= reach(before, traffic) for traffic in TRAFFIC)
        assert (place in found) == allowed


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(RULES, min_size=1, max_size=3), st.lists(RULES, max_size=8))
def test_a_wider_rule_is_one_that_lets_in_all_of_it_and_more(
    new: list[SecurityGroupRule], before: list[SecurityGroupRule]
) -> None:
    found = already_open(new, before, own_ranges, by_a_wider_rule=True)
    for place, item in enumerate(new):
        assert (place in found) == any(is_within(item, other) and not is_within(other, item) for other in before)


def test_a_way_out_is_no_way_in() -> None:
    way_in, way_out = rule("tcp", 22, 22, "8.0.0.0/8"), rule("-1", None, None, "0.0.0.0/0", Direction.EGRESS)
    assert not already_open([way_in], [way_out], own_ranges)
    assert already_open([way_in._replace(direction=Direction.EGRESS)], [way_out], own_ranges) == {0}


def added(*rules: SecurityGroupRule) -> list[ModifiedRule]:
    return [ModifiedRule(None, item) for item in rules]


HALF, OTHER_HALF = "0.0.0.0/1", "128.0.0.0/1"


def test_two_halves_open_the_ports_that_both_have() -> None:
    (found,) = openings_together(added(rule("tcp", 22, 100, HALF), rule("tcp", 80, 3389, OTHER_HALF)))
    assert (found.ports, found.breadth, found.together) == (((80, 100),), Breadth.ALL, True)


def test_a_half_that_was_there_before_counts() -> None:
    (found,) = openings_together(added(rule("tcp", 22, 22, HALF)), [rule("-1", None, None, OTHER_HALF)])
    assert (found.ports, found.breadth) == (((22, 22),), Breadth.ALL)


def test_a_half_that_went_does_not_count() -> None:
    assert openings_together(added(rule("tcp", 22, 22, HALF)), [], [rule("tcp", 22, 22, OTHER_HALF)]) == []


def test_icmp_of_different_types_is_not_put_together() -> None:
    assert openings_together(added(rule("icmp", 8, 0, "0.0.0.0/3"), rule("icmp", 3, 4, "32.0.0.0/3"))) == []
    assert openings_together(added(rule("icmp", 8, 0, "0.0.0.0/3"), rule("icmp", -1, -1, "32.0.0.0/3")))


def test_all_traffic_counts_beside_icmp() -> None:
    for way in (added, lambda *rules: added(*reversed(rules))):
        (found,) = openings_together(way(rule("icmp", 8, 0, "0.0.0.0/3"), rule("-1", None, None, "32.0.0.0/3")))
        assert (found.protocol, found.breadth, found.rule.protocol) == ("icmp", Breadth.QUARTER, "icmp")


def test_icmp_type_and_code_are_compared() -> None:
    assert is_within(rule("icmp", 8, 0, HALF), rule("icmp", 8, -1, HALF))
    assert not is_within(rule("icmp", 8, -1, HALF), rule("icmp", 8, 0, HALF))


def test_of_ipv6_global_unicast_counts_as_the_internet() -> None:
    (found,) = openings_together(added(rule("tcp", 22, 22, "2000::/6"), rule("tcp", 22, 22, "2400::/6")))
    assert (found.version, found.breadth) == (6, Breadth.QUARTER)
    assert openings_together(added(rule("tcp", 22, 22, "2000::/6"), rule("tcp", 22, 22, "4000::/2"))) == []


def test_all_traffic_out_to_a_quarter_is_put_together() -> None:
    out = [rule("-1", None, None, cidr, Direction.EGRESS) for cidr in ("0.0.0.0/3", "32.0.0.0/3")]
    (found,) = openings_together(added(*out))
    assert (found.protocol, found.breadth) == ("-1", Breadth.QUARTER)
    assert openings_together(added(*(item._replace(protocol="tcp") for item in out))) == []
