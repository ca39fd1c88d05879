"""Address ranges as intervals of integers: what is private, what covers what, what is the whole internet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network


@dataclass(frozen=True, slots=True)
class AddressRange:
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


@lru_cache(maxsize=8192)
def parse_range(text: str) -> AddressRange | None:
    """The range of a CIDR text, host bits cleared as AWS does; None where it is not one.

    A bare address is a range of one.
    """
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    # An IPv6 scope id ("fe80::%eth0/64") parses, but AWS has no such thing.
    return None if "%" in text else _range(network)


def _range(network: IPv4Network | IPv6Network) -> AddressRange:
    first = int(network.network_address)
    last = int(network.broadcast_address)
    return AddressRange(network.version, first, last, network.prefixlen, str(network))


def _known(*texts: str) -> tuple[AddressRange, ...]:
    return tuple(_range(ip_network(text)) for text in texts)


# Not reachable from the internet: RFC 1918, RFC 6598 (shared), loopback, link-local, RFC 4193.
# The documentation ranges are left out on purpose: they count as public.
NOT_PUBLIC = _known(
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)
_LAST_ADDRESS = {4: 2**32 - 1, 6: 2**128 - 1}


def is_public(candidate: AddressRange) -> bool:
    """Whether any address of the range can be one of the internet's."""
    return not any(known.covers(candidate) for known in NOT_PUBLIC)


def holds_private(candidate: AddressRange) -> bool:
    """Whether any address of the range is not one of the internet's."""
    return any(
        known.version == candidate.version and known.first <= candidate.last and candidate.first <= known.last
        for known in NOT_PUBLIC
    )


def union_covers(ranges: Iterable[AddressRange], target: AddressRange) -> bool:
    """Whether the ranges together hold every address of the target."""
    wanted = target.first
    same = (item for item in ranges if item.version == target.version and item.last >= target.first)
    for item in sorted(same, key=lambda item: item.first):
        if item.first > wanted:
            return False
        wanted = max(wanted, item.last + 1)
        if wanted > target.last:
            return True
    return False


def world(version: int) -> AddressRange:
    """The whole of IPv4 or IPv6."""
    return AddressRange(version, 0, _LAST_ADDRESS[version], 0, "0.0.0.0/0" if version == 4 else "::/0")
