"""Thousands of small groups, drawn with fixed seeds, against references that count every address and port.

The properties of test_compare.py draw few and shrink what fails; here each costs a fraction of a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import pairwise, product
from random import Random

import pytest

from chalicelib.exposure.already_open import already_open
from chalicelib.exposure.compare import is_within, openings, openings_together
from chalicelib.exposure.traffic import TrafficLine
from chalicelib.security_groups.address_ranges import (
    AddressRange,
    Breadth,
    Interval,
    breadth_of,
    count_public,
    joined,
    merged,
    parse_range,
    weight,
    weight_of,
    without,
    world,
)
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from chalicelib.security_groups.severity import Exposure, ExposureKind, Opens, Severity
from tests.exposure import test_compare as reference
from tests.support.rows import every

# Eight addresses of each version and eight ports, with every range that AWS takes of them.
V4 = [str(net) for prefix in range(29, 33) for net in IPv4Network("203.0.113.0/29").subnets(new_prefix=prefix)]
V6 = [str(net) for prefix in range(126, 129) for net in IPv6Network("2001:db8::/126").subnets(new_prefix=prefix)]
NAMES = ["sg-0a1", "pl-0a1"]
CIDRS_OF_LIST = {"pl-0a1": ("203.0.113.0/30", "2001:db8::/127")}
Cell = tuple[str, str, int, str]


def peer(value: str) -> Peer:
    if value in NAMES:
        return Peer(PeerType.SECURITY_GROUP if value.startswith("sg-") else PeerType.PREFIX_LIST, value)
    return Peer(PeerType.IPV6 if ":" in value else PeerType.IPV4, value)


def drawn(random: Random) -> SecurityGroupRule:
    protocol = random.choice(["tcp", "tcp", "tcp", "udp", "50", "-1"])
    direction = random.choice([Direction.INGRESS, Direction.INGRESS, Direction.EGRESS, None])
    low, high = sorted((random.randrange(8), random.randrange(8)))
    value = random.choice([*V4, *V6, *NAMES * 3])
    if protocol not in ("tcp", "udp"):
        return SecurityGroupRule(direction, protocol, None, None, peer(value))
    return SecurityGroupRule(direction, protocol, low, high, peer(value))


def ranges_of(rule: SecurityGroupRule) -> Sequence[AddressRange]:
    cidrs = CIDRS_OF_LIST.get(rule.peer.value, () if rule.peer.value in NAMES else (rule.peer.value,))
    return [found for found in map(parse_range, cidrs) if found]


def traffic(rule: SecurityGroupRule) -> frozenset[tuple[str, int]]:
    ports = {"tcp": range(8), "udp": range(8), "50": range(1), "other": range(1)}
    if rule.protocol == "-1":
        return frozenset((protocol, port) for protocol, some in ports.items() for port in some)
    low, high = (rule.from_port, rule.to_port) if rule.protocol in ("tcp", "udp") else (0, 0)
    return frozenset((rule.protocol, port) for port in ports[rule.protocol] if (low or 0) <= port <= (high or 0))


def way(rule: SecurityGroupRule) -> str:
    return "out" if rule.direction is Direction.EGRESS else "in"


def addresses(rule: SecurityGroupRule) -> frozenset[str]:
    return frozenset(str(each) for found in ranges_of(rule) for each in ip_network(found.text))


def to_peer(rules: Iterable[SecurityGroupRule], of: SecurityGroupRule) -> frozenset[tuple[str, int]]:
    """The traffic that is open to the very same peer."""
    return frozenset(cell for rule in rules if rule.peer == of.peer and way(rule) == way(of) for cell in traffic(rule))


def open_to(rules: Iterable[SecurityGroupRule], of: str) -> set[tuple[tuple[str, int], str]]:
    """What traffic is open to which address, as far as these are known."""
    here = (rule for rule in rules if way(rule) == of)
    return {cell for rule in here for cell in product(traffic(rule), addresses(rule))}


def is_wider(rule: SecurityGroupRule, than: SecurityGroupRule) -> bool:
    if way(rule) != way(than) or not traffic(rule) >= traffic(than):
        return False
    more = traffic(rule) > traffic(than)
    if rule.peer == than.peer and more:
        return True
    of_rule, of_than = ranges_of(rule), ranges_of(than)
    return bool(of_than) and all(
        any(outer.covers(inner) and (more or outer != inner) for outer in of_rule) for inner in of_than
    )


@pytest.mark.parametrize("seed", range(2))
def test_a_rule_is_already_open_where_every_address_and_port_of_it_is(seed: int) -> None:
    random = Random(seed)
    for _ in range(100):
        before, new = [[drawn(random) for _ in range(random.randint(1, most))] for most in (12, 4)]
        found = already_open(new, before, ranges_of)
        was = {of: open_to(before, of) for of in ("in", "out")}
        for place, rule in enumerate(new):
            asked = set(product(traffic(rule), addresses(rule)))
            allowed = traffic(rule) <= to_peer(before, rule) or (bool(asked) and asked <= was[way(rule)])
            assert (place in found) == allowed, (rule, before)


@pytest.mark.parametrize("seed", range(2))
def test_a_wider_rule_has_all_of_it_and_more(seed: int) -> None:
    random = Random(seed)
    for _ in range(100):
        before, new = [[drawn(random) for _ in range(random.randint(1, most))] for most in (5, 4)]
        new = [rule for rule in new if rule.peer.type is not PeerType.PREFIX_LIST]
        found = already_open(new, before, ranges_of, by_a_wider_rule=True)
        for place, rule in enumerate(new):
            assert (place in found) == any(is_wider(other, rule) for other in before), (rule, before)


def test_a_list_is_wider_only_where_one_rule_is_for_each_of_its_ranges() -> None:
    listed, line = SecurityGroupRule(Direction.INGRESS, "tcp", 1, 1, peer("pl-0a1")), Direction.INGRESS
    outer = [SecurityGroupRule(line, "tcp", 1, 1, peer(value)) for value in ("203.0.113.0/29", "2001:db8::/126")]
    assert already_open([listed], outer, ranges_of, by_a_wider_rule=True) == {0}
    assert already_open([listed], outer[:1], ranges_of, by_a_wider_rule=True) == frozenset()


@pytest.mark.parametrize("seed", range(2))
def test_what_rules_open_together_is_as_broad_as_counting_it(seed: int) -> None:
    random = Random(seed)

    def some(most: int) -> list[SecurityGroupRule]:
        return [whole(random) for _ in range(random.randint(0, most))]

    for _ in range(40):
        items = [ModifiedRule(random.choice([None, None, *some(1)]), rule) for rule in [*some(8), whole(random)]]
        reference.check(items, some(8), some(4))


def whole(random: Random) -> SecurityGroupRule:
    protocol = random.choice(["tcp", "tcp", "udp", "-1"])
    ends = random.choice(reference.STARTS), random.choice(reference.ENDS)
    cidr = random.choice(reference.CIDRS[3:])
    return (
        reference.rule(protocol, min(ends), max(ends), cidr)
        if protocol != "-1"
        else reference.rule("-1", None, None, cidr)
    )


def test_what_a_modified_rule_opens_more_is_every_port_and_address_that_was_not_there() -> None:
    random = Random(0)
    for _ in range(300):
        after, before = drawn(random), drawn(random)
        if way(after) == "out" or after.protocol == "-1":
            continue
        found = openings(ModifiedRule(before, after), TrafficLine((after, before)), ranges_of)
        was = (
            {(cell, address) for cell in traffic(before) for address in addresses(before)}
            if way(before) == "in"
            else set()
        )
        if ranges_of(after):
            more = {cell for cell in product(traffic(after), addresses(after)) if cell not in was}
        else:
            same = before.peer == after.peer and way(before) == "in"
            more = {(cell, "") for cell in traffic(after) - (traffic(before) if same else frozenset())}
        ports = {port for item in found for low, high in item.ports for port in range(low, high + 1)}
        assert bool(found) == bool(more), (before, after)
        if after.protocol != "50":
            assert ports == {port for (_, port), _ in more}, (before, after)


def cut(random: Random, most: int) -> list[Interval]:
    """Intervals of a line of twenty, disjoint and in order, some of them side by side."""
    ends = sorted(random.sample(range(24), 2 * random.randint(0, most)))
    return [(low, high - random.randint(0, 1)) for low, high in zip(ends[::2], ends[1::2], strict=True) if low < high]


def held(intervals: Iterable[Interval]) -> set[int]:
    return {place for low, high in intervals for place in range(low, high + 1)}


def test_intervals_are_joined_and_taken_out_as_sets_are() -> None:
    random = Random(0)
    for _ in range(500):
        some, gone = cut(random, 5), cut(random, 5)
        left = without(some, gone)
        assert held(left) == held(some) - held(gone)
        assert list(left) == sorted(left)
        assert all(low <= high for low, high in left)
        mixed = random.sample([*some, *gone], len(some) + len(gone))
        together = joined(mixed)
        assert held(together) == held(mixed)
        assert all(first[1] + 1 < second[0] for first, second in pairwise(together))


PRIVATE = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    "224.0.0.0/3",
]


def edges() -> Iterator[str]:
    """Addresses on both sides of every edge of what is not public, and the ranges that end there."""
    for net in map(IPv4Network, PRIVATE):
        for address in (int(net[0]) - 1, int(net[0]), int(net[-1]), int(net[-1]) + 1):
            if 0 <= address < 2**32:
                yield f"{IPv4Network((address, 32))}"
        yield from (str(net), str(net.supernet()), *map(str, net.subnets()))
    for net6 in map(IPv6Network, ("2000::/3", "::/3", "4000::/2", "8000::/1")):
        yield from (f"{net6[0]}/128", f"{net6[-1]}/128", str(net6), str(net6.supernet()), *map(str, net6.subnets()))


def public(network: IPv4Network | IPv6Network) -> int:
    if isinstance(network, IPv6Network):
        unicast = IPv6Network("2000::/3")
        return min(network.num_addresses, unicast.num_addresses) if network.overlaps(unicast) else 0
    hidden = [IPv4Network(text) for text in PRIVATE]
    if any(network.subnet_of(net) for net in hidden):
        return 0
    return network.num_addresses - sum(net.num_addresses for net in hidden if net.subnet_of(network))


@every("text", [*dict.fromkeys(edges()), "0.0.0.0/0", "::/0"])
def test_a_range_is_as_public_as_its_addresses(text: str) -> None:
    found = parse_range(text)
    network = ip_network(text)
    assert found == AddressRange(network.version, int(network[0]), int(network[-1]), network.prefixlen, text)
    assert found is not None
    assert count_public(found) == public(network)
    quarter = 925_597_696 if found.version == 4 else 2**123
    wide = 2**24 if found.version == 4 else 2**112
    steps = (1, wide, quarter)
    wanted = Breadth.ALL if found.is_world else Breadth(sum(public(network) >= step for step in steps))
    assert breadth_of(found) is wanted
    assert weight(found.version, found.first, found.last) == weight_of(found.version, merged([found], found.version))


def test_the_world_is_every_address() -> None:
    assert world(4) == parse_range("0.0.0.0/0")
    assert world(6) == parse_range("::/0")


@every(
    ("text", "shown"),
    [
        ("203.0.113.77/24", "203.0.113.0/24"),
        ("203.0.113.77", "203.0.113.77/32"),
        (" 203.0.113.77 ", "203.0.113.77/32"),
        ("255.255.255.255/32", "255.255.255.255/32"),
        ("255.255.255.255/0", "0.0.0.0/0"),
        ("1.2.3.4/31", "1.2.3.4/31"),
        ("0.0.0.0/00", "0.0.0.0/0"),
        ("2001:DB8::1/64", "2001:db8::/64"),
        ("203.0.113.0/255.255.255.0", "203.0.113.0/24"),
        *(
            (text, None)
            for text in ("256.0.0.0/8", "0.256.0.0/8", "0.0.256.0/8", "0.0.0.256/8", "0.0.0.0/33", "1.2.3/8")
        ),
        *((text, None) for text in ("fe80::1%eth0/64", "::/129", "", "text", "01.2.3.4/8", "0.0.0.0/-1")),
    ],
)
def test_a_range_is_read_as_aws_stores_it(text: str, shown: str | None) -> None:
    found = parse_range(text)
    assert (found and found.text) == shown


def test_where_two_things_are_compared_neither_is_taken_for_granted() -> None:
    inner, outer = parse_range("203.0.113.0/25"), parse_range("203.0.113.0/24")
    assert inner is not None
    assert outer is not None
    assert [outer.covers(inner), inner.covers(outer), outer.covers(outer)] == [True, False, True]
    upper = parse_range("203.0.113.128/25")
    assert upper is not None
    assert [upper.covers(outer), upper.covers(inner), outer.covers(upper)] == [False, False, True]


def test_a_quarter_that_several_rules_name_again_is_not_said_to_be_the_world() -> None:
    eighths = [ModifiedRule(None, reference.rule("tcp", 22, 22, cidr)) for cidr in ("32.0.0.0/3", "64.0.0.0/3")]
    everyone, halves = (
        reference.rule("tcp", 22, 22, "0.0.0.0/0"),
        [reference.rule("tcp", 22, 22, cidr) for cidr in ("0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3")],
    )
    assert [found.breadth for found in openings_together(eighths, [everyone])] == [Breadth.QUARTER]
    new = [*eighths, ModifiedRule(None, reference.rule("tcp", 22, 22, "224.0.0.0/3"))]
    assert [found.breadth for found in openings_together(new, halves)] == [Breadth.ALL]


def test_reasons_are_the_same_where_they_are_published_alike() -> None:
    one = Exposure(Severity.LOW, "x", ("EC2.18",), None, Opens.SOME, ExposureKind.OPENING)
    assert one == one._replace(opens=Opens.WORLD, kind=ExposureKind.REMOVAL)
    assert hash(one) == hash(one._replace(opens=None, kind=None))
    others = [one._replace(severity=Severity.HIGH), one._replace(reason="y"), one._replace(controls=()), tuple(one[:4])]
    assert [one == other for other in others] == [False] * 4
    assert [one != other for other in others] == [True] * 4


def test_icmp_is_within_where_every_type_and_code_of_it_is() -> None:
    kinds = [(kind, code) for kind in (-1, 0, 1, 255) for code in (-1, 0, 1, 255)]

    def cells(kind: int, code: int) -> set[tuple[int, int]]:
        types = (0, 1, 2, 254, 255) if kind == -1 else (kind,)
        codes = (0, 1, 2, 254, 255) if code == -1 or kind == -1 else (code,)
        return set(product(types, codes))

    for inner, outer in product(kinds, kinds):
        rules = [reference.rule("icmp", *each, "203.0.113.0/24") for each in (inner, outer)]
        assert is_within(*rules) == (cells(*inner) <= cells(*outer)), (inner, outer)
