"""All traffic of one direction on one line, so that rules of every protocol are compared in one pass.

Each protocol has a stretch of the line: ports, or ICMP's types and codes, or one point where it has neither.
At the end is a point for the protocols that no rule names; a rule of all traffic spans the whole line.
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.address_ranges import AddressRange, joined, parse_range
from chalicelib.security_groups.rules import ALL_PROTOCOLS, ICMP, WITH_PORTS, Direction, PeerType, SecurityGroupRule

# A range of ports, both ends in it.
Ports = tuple[int, int]
ALL_PORTS: Ports = (0, 65535)
_STRETCH = 1 << 16


class Span(NamedTuple):
    """A piece of the line, both ends in it."""

    low: int
    high: int


def is_ingress(rule: SecurityGroupRule) -> bool:
    """Whether the rule lets traffic in; one whose direction is not known is taken to."""
    return rule.direction is not Direction.EGRESS


def address_range(rule: SecurityGroupRule) -> AddressRange | None:
    """The addresses of a rule's peer; None where the peer is no range, or one that cannot be read."""
    return parse_range(rule.peer.value) if rule.peer.type in (PeerType.IPV4, PeerType.IPV6) else None


def ports_of(rule: SecurityGroupRule) -> tuple[Ports, ...]:
    """The rule's ports; () where its protocol has none."""
    return (_port_range(rule),) if rule.protocol in WITH_PORTS else ()


def _port_range(rule: SecurityGroupRule) -> Ports:
    low, high = rule.ports
    if low is None or high is None:
        return ALL_PORTS
    return (low, high) if low <= high else (high, low)


class TrafficLine:
    """Where on the line the traffic of a rule lies, its direction left aside."""

    def __init__(self, rules: Iterable[SecurityGroupRule]) -> None:
        self.protocols = [*sorted({rule.protocol for rule in rules} - {ALL_PROTOCOLS}), ALL_PROTOCOLS]
        self._starts = {protocol: place * _STRETCH for place, protocol in enumerate(self.protocols)}
        self.end = self._starts[ALL_PROTOCOLS]

    def span(self, rule: SecurityGroupRule) -> Span:
        """The traffic of the rule."""
        if rule.protocol == ALL_PROTOCOLS:
            return Span(0, self.end)
        start = self._starts[rule.protocol]
        if rule.protocol in WITH_PORTS:
            low, high = _port_range(rule)
        else:
            low, high = _types(*rule.ports) if rule.protocol in ICMP else (0, 0)
        return Span(start + _clamped(low), start + _clamped(high))

    def protocol_at(self, place: int) -> str:
        """Whose stretch a place of the line is in."""
        return self.protocols[place // _STRETCH]

    def stretches(self) -> list[tuple[str, Span]]:
        """Every protocol with its piece of the line."""
        return [(protocol, Span(start, start + _STRETCH - 1)) for protocol, start in self._starts.items()]

    def ports(self, protocol: str, spans: Iterable[Span]) -> tuple[Ports, ...]:
        """The ports of pieces of one protocol's stretch, those side by side as one; () where it has none."""
        if protocol not in WITH_PORTS:
            return ()
        start = self._starts[protocol]
        return joined((max(low - start, 0), min(high - start, _STRETCH - 1)) for low, high in spans)


def _clamped(offset: int) -> int:
    return offset if 0 <= offset < _STRETCH else min(max(offset, 0), _STRETCH - 1)


def _types(kind: int | None, code: int | None) -> Ports:
    """ICMP type and code as numbers on the line: 256 codes a type, -1 for all of them."""
    if kind is None or kind < 0:
        return ALL_PORTS
    if code is None or not 0 <= code <= 255:
        return (kind * 256, kind * 256 + 255)
    return (kind * 256 + code, kind * 256 + code)
