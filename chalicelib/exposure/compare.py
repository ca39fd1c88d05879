"""Which traffic a rule lets in that other rules did not: ports and addresses, cut into pieces and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from chalicelib.security_groups.address_ranges import AddressRange, parse_range, union_covers, world
from chalicelib.security_groups.rules import ALL_PROTOCOLS, ICMP, WITH_PORTS, Direction, PeerType, SecurityGroupRule

# A range of ports, both ends in it.
Ports = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Opening:
    """Traffic from one peer that was not let in before.

    ``ports`` are those newly open, () where the protocol has none; ``rule`` is the rule that opens it.
    ``together`` says that the range is open through several rules at once and not through one; the
    protocol is then that of the narrowest of them, which need not be that of ``rule``.
    """

    rule: SecurityGroupRule
    protocol: str
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
        return None if _peers_cover(same, rule, own_range) else Opening(rule, rule.protocol, (), own_range)
    low, high = _span(rule)
    closed = [
        piece
        for piece in _pieces(low, high, same)
        if not _peers_cover([other for other in same if _holds(other, piece)], rule, own_range)
    ]
    return Opening(rule, rule.protocol, _joined(closed), own_range) if closed else None


def _own_range(rule: SecurityGroupRule) -> tuple[AddressRange, ...]:
    found = address_range(rule)
    return () if found is None else (found,)


def openings_together(
    new: Sequence[SecurityGroupRule],
    kept: Sequence[SecurityGroupRule] = (),
    gone: Sequence[SecurityGroupRule] = (),
    ranges_of: Callable[[SecurityGroupRule], Iterable[AddressRange]] = _own_range,
) -> list[Opening]:
    """Where several ranges, at least one of them new, cover the whole of IPv4 or IPv6 though none does alone.

    ``kept`` are the rules that the group had before and still has, ``gone`` those that it has no more;
    ``ranges_of`` tells the addresses of a rule's peer.
    """
    found = []
    for ingress in (True, False):
        for version in (4, 6):
            ranged = [
                _Ranged(rule, span, is_new=is_new, is_gone=is_gone)
                for rules, is_new, is_gone in ((new, True, False), (kept, False, False), (gone, False, True))
                for rule in rules
                if is_ingress(rule) is ingress
                for span in ranges_of(rule)
                if span.version == version
            ]
            found += _openings_of_version(ranged, world(version))
    return found


@dataclass(frozen=True, slots=True)
class _Ranged:
    """A rule with its addresses, and whether it stands before the change, after it, or both."""

    rule: SecurityGroupRule
    range: AddressRange
    is_new: bool
    is_gone: bool

    @property
    def standing(self) -> tuple[int, int, bool, bool]:
        """What alone counts of it where ranges are put together."""
        return (self.range.first, self.range.last, self.is_new, self.is_gone)


def _openings_of_version(ranged: list[_Ranged], everything: AddressRange) -> list[Opening]:
    partial = [item.range for item in ranged if not item.is_gone and not item.range.is_world]
    if not union_covers(partial, everything):  # which is nearly always, and saves the rest
        return []
    found = []
    for protocol in dict.fromkeys(item.rule.protocol for item in ranged):
        same = [item for item in ranged if item.rule.protocol in (protocol, ALL_PROTOCOLS)]
        if protocol in WITH_PORTS:
            found += _together_by_ports(protocol, same, everything)
        elif protocol in ICMP:
            found += _together_by_type(protocol, same, everything)
        elif opener := _opener(same, everything):
            found.append(Opening(opener, protocol, (), everything, together=True))
    return [item for item in found if item.protocol == ALL_PROTOCOLS] or found


def _opener(here: list[_Ranged], everything: AddressRange) -> SecurityGroupRule | None:
    """The first new rule of those that together cover everything, where nothing did alone or before."""
    after = [item for item in here if not item.is_gone]
    if any(item.range.is_world for item in after) or not union_covers((item.range for item in after), everything):
        return None
    former = [item.range for item in here if not item.is_new]
    if union_covers(former, everything):
        return None
    # One that adds to what was open: a new rule may well lie within the former ones.
    new = (item.rule for item in after if item.is_new and not union_covers(former, item.range))
    first = next(new)
    # The rule of the narrower protocol tells better what is open than one of all traffic.
    return next((rule for rule in chain((first,), new) if rule.protocol != ALL_PROTOCOLS), first)


def _together_by_ports(protocol: str, same: list[_Ranged], everything: AddressRange) -> list[Opening]:
    """A sweep over the ports, which stops wherever a rule begins or ends.

    Rules of one range count once at each stop, so that many rules of few ranges take no quadratic time.
    """
    beginning = sorted(same, key=lambda item: _span(item.rule)[0])[::-1]
    ending = sorted(same, key=lambda item: _span(item.rule)[1])[::-1]
    here: dict[tuple[int, int, bool, bool], dict[int, _Ranged]] = {}
    open_pieces, opener = [], None
    for piece in _pieces(0, 65535, [item.rule for item in same]):
        while beginning and _span(beginning[-1].rule)[0] <= piece[0]:
            item = beginning.pop()
            here.setdefault(item.standing, {})[id(item)] = item
        while ending and _span(ending[-1].rule)[1] < piece[0]:
            item = ending.pop()
            del here[item.standing][id(item)]
        if found := _opener([next(iter(alike.values())) for alike in here.values() if alike], everything):
            open_pieces.append(piece)
            opener = opener or found
    return [Opening(opener, protocol, _joined(open_pieces), everything, together=True)] if opener else []


def _together_by_type(protocol: str, same: list[_Ranged], everything: AddressRange) -> list[Opening]:
    kinds = {item.rule.ports: item.rule for item in same if item.rule.protocol == protocol}
    for kind in kinds.values():
        if opener := _opener([item for item in same if _applies(item.rule, kind)], everything):
            return [Opening(opener, protocol, (), everything, together=True)]
    return []


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
