"""Address ranges as intervals of integers, and how much of the internet they are."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from chalicelib.named_tuple import NamedTuple

# The first and the last address.
Interval = tuple[int, int]


class AddressRange(NamedTuple):
    """An IPv4 or IPv6 range: first and last address as integers, prefix length, and how AWS writes it."""

    version: int
    first: int
    last: int
    prefix: int
    text: str

    @property
    def is_world(self) -> bool:
        """0.0.0.0/0 or ::/0."""
        return self.prefix == 0

    def covers(self, other: AddressRange) -> bool:
        """Whether every address of the other range is in this one."""
        return self.version == other.version and self.first <= other.first and other.last <= self.last


_OCTET = r"(0|[1-9][0-9]{0,2})"
_IPV4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}/(0|[1-9][0-9]?)")


@lru_cache(maxsize=32768)
def parse_range(text: str) -> AddressRange | None:
    """The range of a CIDR text, host bits cleared as AWS does; None where it is not one.

    A bare address is a range of one.
    """
    # The usual form by itself: ipaddress takes ten times as long, which a change of 10,000 rules would feel.
    usual = _IPV4.fullmatch(text)
    if usual is not None:
        return _parse_usual(*map(int, usual.groups()))
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    # An IPv6 scope id ("fe80::%eth0/64") parses, but AWS has no such thing.
    return None if "%" in text else _range(network)


def _parse_usual(a: int, b: int, c: int, d: int, prefix: int) -> AddressRange | None:
    if max(a, b, c, d) > 255 or prefix > 32:
        return None
    host_bits = 32 - prefix
    first = (a << 24 | b << 16 | c << 8 | d) >> host_bits << host_bits
    shown = f"{first >> 24}.{first >> 16 & 255}.{first >> 8 & 255}.{first & 255}/{prefix}"
    return AddressRange(4, first, first + (1 << host_bits) - 1, prefix, shown)


def _range(network: IPv4Network | IPv6Network) -> AddressRange:
    first = int(network.network_address)
    last = int(network.broadcast_address)
    return AddressRange(network.version, first, last, network.prefixlen, str(network))


# Nobody on the internet has one of these: "this network", RFC 1918, RFC 6598 (shared), loopback, link-local,
# multicast and reserved; of IPv6 all but global unicast. The documentation ranges count as public on purpose.
_NOT_PUBLIC = {
    4: (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8"),
        *("169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"),
    ),
    6: ("::/3", "4000::/2", "8000::/1"),
}
_BITS = {4: 32, 6: 128}


def _public_below(version: int) -> tuple[list[int], list[int], list[int]]:
    """Where public and other addresses begin, how many are public below there, and whether the next are."""
    bounds, below, follows = [0], [0], [1]
    for network in map(ip_network, _NOT_PUBLIC[version]):
        first, end = int(network.network_address), int(network.broadcast_address) + 1
        public = below[-1] + first - bounds[-1]
        bounds += [first, end]
        below += [public, public]
        follows += [0, 1]
    return bounds, below, follows


_PUBLIC_BELOW = {version: _public_below(version) for version in _BITS}


def weight_below(version: int, address: int) -> int:
    """What all the addresses below this one weigh together."""
    bounds, below, follows = _PUBLIC_BELOW[version]
    place = bisect_right(bounds, address) - 1
    public = below[place] + (address - bounds[place]) * follows[place]
    return (public << _BITS[version] + 1) + (address - public)


def weight(version: int, first: int, last: int) -> int:
    """What an interval counts for, additive over disjoint intervals: public addresses above, the others below.

    ``breadth`` reads it. One number for both, since the judgement adds up and compares them by the ten thousand.
    """
    return weight_below(version, last + 1) - weight_below(version, first)


@lru_cache(maxsize=32768)  # each rule's range is weighed several times
def weight_of_range(found: AddressRange) -> int:
    """What one range weighs."""
    return weight(found.version, found.first, found.last)


def public_addresses(version: int, weighed: int) -> int:
    """How many public addresses are in what weighs this much."""
    return weighed >> _BITS[version] + 1


class Breadth(IntEnum):
    """How much of the internet can use an opening, in rising order."""

    PRIVATE = 0
    NARROW = 1
    WIDE = 2
    QUARTER = 3
    ALL = 4


_BREADTHS = tuple(Breadth)
_EVERYTHING = {version: weight(version, 0, (1 << bits) - 1) for version, bits in _BITS.items()}
QUARTER = {version: public_addresses(version, whole) // 4 for version, whole in _EVERYTHING.items()}
# A /8 of IPv4, a /16 of IPv6.
WIDE = {4: 1 << 24, 6: 1 << 112}


_THRESHOLDS = {
    version: tuple(size << bits + 1 for size in (1, WIDE[version], QUARTER[version])) for version, bits in _BITS.items()
}


def breadth(version: int, weighed: int) -> Breadth:
    """The breadth of what weighs this much; ALL is every address there is, private ones included."""
    return Breadth.ALL if weighed == _EVERYTHING[version] else _BREADTHS[bisect_right(_THRESHOLDS[version], weighed)]


def is_narrow(version: int, weighed: int) -> bool:
    """Whether what weighs this much, or less, can be no wider than ``Breadth.NARROW``."""
    return weighed < _THRESHOLDS[version][1]


def breadth_of(found: AddressRange) -> Breadth:
    """The breadth of one range."""
    return breadth(found.version, weight_of_range(found))


def is_public(candidate: AddressRange) -> bool:
    """Whether any address of the range can be one of the internet's."""
    return breadth_of(candidate) > Breadth.PRIVATE


def count_public(candidate: AddressRange) -> int:
    """How many addresses of the range are public."""
    return public_addresses(candidate.version, weight_of_range(candidate))


def merged(ranges: Iterable[AddressRange], version: int) -> tuple[Interval, ...]:
    """What the ranges of this IP version hold together, as disjoint intervals in order."""
    return joined((item.first, item.last) for item in ranges if item.version == version)


def joined(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The intervals in order, those that touch or overlap as one."""
    found: list[Interval] = []
    for low, high in sorted(intervals):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def without(intervals: Iterable[Interval], gone: Iterable[Interval]) -> tuple[Interval, ...]:
    """What is in the first and not in the second; both are disjoint and in order."""
    left: list[Interval] = []
    taken = list(gone)
    place = 0
    for start, last in intervals:
        first = start
        while place < len(taken) and taken[place][1] < first:
            place += 1
        ahead = place
        while ahead < len(taken) and taken[ahead][0] <= last and first <= last:
            if first < taken[ahead][0]:
                left.append((first, taken[ahead][0] - 1))
            first = max(first, taken[ahead][1] + 1)
            ahead += 1
        if first <= last:
            left.append((first, last))
    return tuple(left)


def weight_of(version: int, intervals: Iterable[Interval]) -> int:
    """What disjoint intervals weigh together."""
    return sum(weight(version, first, last) for first, last in intervals)


def world(version: int) -> AddressRange:
    """The whole of IPv4 or IPv6."""
    return AddressRange(version, 0, (1 << _BITS[version]) - 1, 0, "0.0.0.0/0" if version == 4 else "::/0")
