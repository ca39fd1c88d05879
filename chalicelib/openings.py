"""Which traffic a rule lets in that other rules did not: ports and addresses, cut into pieces and compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from chalicelib.networks import AddressRange, parse_range, union_covers, world
from chalicelib.rules import ALL_PROTOCOLS, ICMP, WITH_PORTS, Direction, PeerType, SecurityGroupRule

# A range of ports, both ends in it.
Ports = tuple[int, int]
_ADDRESSES = {4: 2**32, 6: 2**128}


@dataclass(frozen=True, slots=True)
class Opening:
    """Traffic from one peer that was not let in before.

    ``ports`` are those newly open, () where the protocol has none; ``rule`` is the rule that opens it.
    ``together`` says that the range is open through several rules at once and not through one.
    """

    rule: SecurityGroupRule
    ports: tuple[Ports, ...] = ()
    range: AddressRange | None = None
    together: bool = False


def is_ingress(rule: SecurityGroupRule) -> bool:
    """Whether the rule lets traffic in; one whose direction is not known is taken to."""
    return rule.direction is not Direction.EGRESS


def address_range(rule: SecurityGroupRule) -> AddressRange | None:
    """The addresses of a rule's peer; None where the peer is no range, or one that cannot be read."""
    return parse_range(rule.peer.value) if rule.peer.type in (PeerType.IPV4, PeerType.IPV6) else None


def opening(rule: SecurityGroupRule, before: Sequence[SecurityGroupRule]) -> Opening | None:
    """What the rule opens beyond the rules before it; None where it opens nothing new."""
    same = [other for other in before if _applies(other, rule)]
    own_range = address_range(rule)
    if rule.protocol not in WITH_PORTS:
        return None if _peers_cover(same, rule, own_range) else Opening(rule, (), own_range)
    low, high = _span(rule)
    closed = [
        piece
        for piece in _pieces(low, high, same)
        if not _peers_cover([other for other in same if _holds(other, piece)], rule, own_range)
    ]
    return Opening(rule, _joined(closed), own_range) if closed else None


def openings_together(new: Sequence[SecurityGroupRule], before: Sequence[SecurityGroupRule]) -> list[Opening]:
    """Where several ranges, at least one of them new, cover the whole of IPv4 or IPv6 though none does alone."""
    found = []
    for version in (4, 6):
        ranged = [(rule, address_range(rule)) for rule in (*new, *before) if is_ingress(rule)]
        wide = [(rule, span) for rule, span in ranged if span is not None and span.version == version]
        if sum(span.last - span.first + 1 for _, span in wide if not span.is_world) < _ADDRESSES[version]:
            continue
        added = {id(rule) for rule in new}
        for protocol in dict.fromkeys(rule.protocol for rule, _ in wide):
            found += _together(protocol, version, wide, added)
    return [item for item in found if item.rule.protocol == ALL_PROTOCOLS] or found


def _together(
    protocol: str, version: int, wide: list[tuple[SecurityGroupRule, AddressRange]], added: set[int]
) -> list[Opening]:
    same = [(rule, span) for rule, span in wide if rule.protocol in (protocol, ALL_PROTOCOLS)]
    everything = world(version)
    pieces = _pieces(0, 65535, [rule for rule, _ in same]) if protocol in WITH_PORTS else [(0, 65535)]
    open_pieces, opener = [], None
    for piece in pieces:
        here = [(rule, span) for rule, span in same if protocol not in WITH_PORTS or _holds(rule, piece)]
        alone = any(span.is_world for _, span in here)
        already = union_covers((span for rule, span in here if id(rule) not in added), everything)
        if not alone and not already and union_covers((span for _, span in here), everything):
            open_pieces.append(piece)
            opener = opener or next(rule for rule, _ in here if id(rule) in added)
    if opener is None:
        return []
    ports = _joined(open_pieces) if protocol in WITH_PORTS else ()
    return [Opening(opener, ports, everything, together=True)]


def _applies(other: SecurityGroupRule, rule: SecurityGroupRule) -> bool:
    """Whether the other rule lets through (part of) the same direction and protocol."""
    if is_ingress(other) != is_ingress(rule) or other.protocol not in (rule.protocol, ALL_PROTOCOLS):
        return False
    if rule.protocol in ICMP and other.protocol == rule.protocol:
        return all(theirs in (-1, own) for theirs, own in zip(other.ports, rule.ports, strict=True))
    return True


def _peers_cover(others: Iterable[SecurityGroupRule], rule: SecurityGroupRule, own: AddressRange | None) -> bool:
    if own is None:
        return any(other.peer.type is rule.peer.type and other.peer.value == rule.peer.value for other in others)
    return union_covers(filter(None, map(address_range, others)), own)


def _span(rule: SecurityGroupRule) -> Ports:
    low, high = rule.ports
    if rule.protocol not in WITH_PORTS or low is None or high is None:
        return (0, 65535)
    return (min(low, high), max(low, high))


def _holds(rule: SecurityGroupRule, piece: Ports) -> bool:
    low, high = _span(rule)
    return low <= piece[0] and piece[1] <= high


def _pieces(low: int, high: int, rules: Iterable[SecurityGroupRule]) -> list[Ports]:
    """The range cut wherever one of the rules begins or ends."""
    cuts = {low, high + 1}
    for rule in rules:
        start, end = _span(rule)
        cuts |= {cut for cut in (start, end + 1) if low < cut <= high}
    ordered = sorted(cuts)
    return [(start, end - 1) for start, end in pairwise(ordered)]


def _joined(pieces: Iterable[Ports]) -> tuple[Ports, ...]:
    joined: list[Ports] = []
    for low, high in pieces:
        if joined and joined[-1][1] + 1 == low:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return tuple(joined)
