"""Address ranges: what is of the internet, and what is all of it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.security_groups.address_ranges import (
    QUARTER,
    AddressRange,
    Breadth,
    breadth_of,
    count_public,
    is_public,
    merged,
    parse_range,
    without,
    world,
)
from tests.support.rows import every


@every(
    ("cidr", "public"),
    [
        ("10.0.0.0/8", False),
        ("10.0.0.0/7", True),
        ("172.16.0.0/12", False),
        ("172.16.0.0/11", True),
        ("172.32.0.0/16", True),
        ("192.168.0.0/16", False),
        ("192.169.0.0/16", True),
        ("100.64.0.0/10", False),
        ("100.127.255.255/32", False),
        ("100.128.0.0/16", True),
        ("100.0.0.0/8", True),
        ("127.0.0.1/32", False),
        ("203.0.113.0/24", True),
        ("198.51.100.0/24", True),
        ("192.0.2.0/24", True),
        ("8.8.8.8/32", True),
        ("0.0.0.0/0", True),
        ("::1/128", False),
        ("fd00::/8", False),
        ("fc00::/6", False),
        ("64:ff9b::/96", False),
        ("::ffff:0:0/96", False),
        ("0.0.0.0/8", False),
        ("240.0.0.0/4", False),
        ("169.254.169.254/32", False),
        ("2001:db8::/32", True),
        ("2600::/16", True),
        ("::/0", True),
    ],
)
def test_what_is_public(cidr: str, public: bool) -> None:
    found = parse_range(cidr)
    assert found is not None
    assert is_public(found) is public


@pytest.mark.parametrize(
    ("cidr", "public"),
    [
        ("10.0.0.0/7", 2**24),
        ("203.0.113.0/24", 256),
        ("100.0.0.0/8", 2**24 - 2**22),
        ("0.0.0.0/0", 4 * 925_597_696),
        ("::/0", 2**125),
        ("2000::/16", 2**112),
    ],
)
def test_the_public_addresses_of_a_range_are_counted(cidr: str, public: int) -> None:
    found = parse_range(cidr)
    assert found is not None
    assert count_public(found) == public


def test_a_quarter_is_that_of_the_public_addresses() -> None:
    assert QUARTER == {4: 925_597_696, 6: 2**123}


@pytest.mark.parametrize(
    ("cidr", "breadth"),
    [
        ("0.0.0.0/0", Breadth.ALL),
        ("::/0", Breadth.ALL),
        ("2000::/3", Breadth.QUARTER),
        ("0.0.0.0/1", Breadth.QUARTER),
        ("0.0.0.0/2", Breadth.QUARTER),
        ("0.0.0.0/3", Breadth.WIDE),
        ("8.0.0.0/8", Breadth.WIDE),
        ("8.0.0.0/9", Breadth.NARROW),
        ("2600::/16", Breadth.WIDE),
        ("2600::/17", Breadth.NARROW),
        ("172.16.0.0/12", Breadth.PRIVATE),
    ],
)
def test_how_much_of_the_internet_a_range_is(cidr: str, breadth: Breadth) -> None:
    found = parse_range(cidr)
    assert found is not None
    assert breadth_of(found) is breadth


@pytest.mark.parametrize(
    "text", ["", "text", "0/0", "1.2.3.4/33", "::/129", "1.2.3", "010.0.0.0/8", "fe80::1%eth0/64", "\ud800"]
)
def test_what_is_no_range_is_none(text: str) -> None:
    assert parse_range(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "1.2.3.4",
        " 1.2.3.0/24 ",
        "1.2.3.4/255.255.255.0",
        "1.2.3.9/24",
        "256.1.1.1/8",
        "1.2.3.4/33",
        "1.2.3.4/08",
        "1.2.3.4/0",
    ],
)
def test_the_usual_form_is_read_as_any_other(text: str) -> None:
    try:
        expected = str(ip_network(text.strip(), strict=False))
    except ValueError:
        expected = None
    found = parse_range(text)
    assert (None if found is None else found.text) == expected


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_every_ipv4_range_is_read_as_ipaddress_reads_it(address: int, prefix: int) -> None:
    network = ip_network((address, prefix), strict=False)
    found = parse_range(f"{ip_address(address)}/{prefix}")
    assert found is not None
    assert (found.first, found.last, found.text) == (int(network[0]), int(network[-1]), str(network))


SETS = st.lists(st.tuples(st.integers(0, 31), st.integers(0, 31)).map(lambda ends: (min(ends), max(ends))), max_size=5)


@given(SETS, SETS)
def test_what_is_without_other_intervals_is_what_they_do_not_hold(
    some: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    def ranges(found: list[tuple[int, int]]) -> list[AddressRange]:
        return [AddressRange(4, first, last, 32, "") for first, last in found]

    def held(found: Iterable[tuple[int, int]]) -> set[int]:
        return {address for first, last in found for address in range(first, last + 1)}

    left = without(merged(ranges(some), 4), merged(ranges(others), 4))
    assert held(left) == held(some) - held(others)
    assert sum(last - first + 1 for first, last in left) == len(held(left))


def test_the_whole_of_a_version_is_written_as_aws_does() -> None:
    assert [world(version) for version in (4, 6)] == [parse_range("0.0.0.0/0"), parse_range("::/0")]


NOT_PUBLIC = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8"),
    *("169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"),
)


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_as_many_are_public_as_the_networks_that_are_not_leave(address: int, prefix: int) -> None:
    whole = ip_network((address, prefix), strict=False)
    inside = [each for each in map(ip_network, NOT_PUBLIC) if each.overlaps(whole)]
    found = parse_range(str(whole))
    assert found is not None
    assert count_public(found) == max(0, whole.num_addresses - sum(each.num_addresses for each in inside))


@pytest.mark.parametrize("cidr", NOT_PUBLIC)
def test_the_networks_that_are_not_public_end_where_they_end(cidr: str) -> None:
    network = ip_network(cidr)
    first, last = (int(end) for end in (network.network_address, network.broadcast_address))
    ends = [parse_range(str(ip_network(end))) for end in (first, last)]
    beside = [parse_range(str(ip_network(end))) for end in (first - 1, last + 1) if 0 <= end < 2**32]
    assert [count_public(found) for found in ends if found] == [0, 0]
    assert {count_public(found) for found in beside if found} == {1}


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ([(5, 9)], ((1, 4),)),
        ([(1, 4), (5, 5)], ()),
        ([(0, 1)], ((2, 5),)),
        ([(2, 2), (4, 4)], ((1, 1), (3, 3), (5, 5))),
        ([(6, 9)], ((1, 5),)),
    ],
)
def test_ends_that_meet_are_taken_out(gone: list[tuple[int, int]], left: tuple[tuple[int, int], ...]) -> None:
    assert without([(1, 5)], gone) == left
