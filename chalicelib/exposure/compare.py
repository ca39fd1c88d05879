"""What rules open that was not open before: each by itself, and several together.

A rule stands as boxes: a piece of the traffic line by intervals of addresses. One sweep along the line keeps three
measures up to date: the addresses open through the new rules, open after the change, open before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from chalicelib.exposure.already_open import RangesOf
from chalicelib.exposure.traffic import Ports, Span, TrafficLine, address_range, is_ingress, ports_of
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.address_ranges import (
    AddressRange,
    Breadth,
    Interval,
    breadth,
    breadth_of,
    is_narrow,
    merged,
    weight_below,
    weight_of,
    weight_of_range,
    without,
)
from chalicelib.security_groups.rules import ALL_PROTOCOLS, ModifiedRule, SecurityGroupRule

_VERSIONS = (4, 6)


class Opening(NamedTuple):
    """Traffic that was not let in before, or out.

    ``ports`` are those newly open, () where the protocol has none; ``rule`` is the rule that opens it.
    ``breadth`` is None where the addresses are not known or are those of a group; ``version`` is then None, too.
    ``together`` says that it takes several rules; the protocol is then that of the narrowest of them.
    """

    rule: SecurityGroupRule
    protocol: str
    ports: tuple[Ports, ...] = ()
    breadth: Breadth | None = None
    version: int | None = None
    range: AddressRange | None = None
    together: bool = False


class _Box(NamedTuple):
    """Traffic by addresses of one IP version: what they weigh, and how much of the internet counts for the rule."""

    span: Span
    version: int
    intervals: tuple[Interval, ...]
    weight: int
    breadth: Breadth
    rule: SecurityGroupRule


def own_ranges(rule: SecurityGroupRule) -> tuple[AddressRange, ...]:
    """The addresses of a rule whose peer is a range."""
    found = address_range(rule)
    return () if found is None else (found,)


def is_within(rule: SecurityGroupRule, other: SecurityGroupRule) -> bool:
    """Whether the other rule allows all that the rule does."""
    return not openings(ModifiedRule(other, rule), TrafficLine((rule, other)), own_ranges)


def openings(item: ModifiedRule, line: TrafficLine, ranges_of: RangesOf) -> list[Opening]:
    """What the rule by itself opens beyond what it was; all that it allows where that is not known."""
    rule, before = item.after, item.before
    if before is not None and is_ingress(before) is not is_ingress(rule):
        before = None
    found = address_range(rule)
    if before is None and found is not None:  # nearly always, and it takes no boxes
        return [Opening(rule, rule.protocol, ports_of(rule), breadth_of(found), found.version, found)]
    if not ranges_of(rule):
        return _of_peer(rule, before, line)
    boxes = _boxes(rule, before, line, ranges_of)
    widest = max((box.breadth for box in boxes), default=None)
    kinds = dict.fromkeys((box.version, box.breadth) for box in boxes)
    if found is None or rule.protocol == ALL_PROTOCOLS:  # of a list's addresses the worst count
        kinds = dict.fromkeys(kind for kind in kinds if kind[1] is widest)
    return [
        Opening(rule, rule.protocol, line.ports(rule.protocol, spans), kind, version, found)
        for version, kind in kinds
        if (spans := [box.span for box in boxes if (box.version, box.breadth) == (version, kind)])
    ]


def spans_of(found: Opening, line: TrafficLine) -> list[Span]:
    """Where on the line the opening's traffic lies."""
    whole = found.rule._replace(protocol=found.protocol, from_port=None, to_port=None)
    if found.ports:
        start = line.span(whole).low
        return [Span(start + low, start + high) for low, high in found.ports]
    return [line.span(found.rule if found.protocol == found.rule.protocol else whole)]


def _of_peer(rule: SecurityGroupRule, before: SecurityGroupRule | None, line: TrafficLine) -> list[Opening]:
    """What is open to a peer whose addresses are not known, or to a group."""
    pieces = [line.span(rule)]
    if before is not None and (before.peer.type, before.peer.value) == (rule.peer.type, rule.peer.value):
        pieces = _outside(line.span(rule), line.span(before))
    return [Opening(rule, rule.protocol, line.ports(rule.protocol, pieces))] if pieces else []


def _outside(span: Span, other: Span) -> list[Span]:
    """What of a piece of the line is not in the other."""
    below, above = Span(span.low, min(span.high, other.low - 1)), Span(max(span.low, other.high + 1), span.high)
    return [piece for piece in (below, above) if piece.low <= piece.high]


def _boxes(
    rule: SecurityGroupRule, before: SecurityGroupRule | None, line: TrafficLine, ranges_of: RangesOf
) -> list[_Box]:
    span, ranges = line.span(rule), ranges_of(rule)
    if before is None and len(ranges) == 1:
        (only,) = ranges
        size = weight_of_range(only)
        return [_Box(span, only.version, ((only.first, only.last),), size, breadth(only.version, size), rule)]
    boxes: list[_Box] = []
    for version in _VERSIONS:
        own = merged(ranges, version)
        if not own:
            continue
        size = weight_of(version, own)
        whole = breadth(version, size)
        if before is None:
            boxes.append(_Box(span, version, own, size, whole, rule))
            continue
        was = line.span(before)
        boxes += [_Box(piece, version, own, size, whole, rule) for piece in _outside(span, was)]
        both = Span(max(span.low, was.low), min(span.high, was.high))
        had = merged(ranges_of(before), version)
        more = without(own, had) if both.low <= both.high else ()
        if more:
            size = weight_of(version, more)
            boxes.append(_Box(both, version, more, size, _widened(version, had, size, whole), rule))
    return boxes


def _widened(version: int, had: Iterable[Interval], more: int, whole: Breadth) -> Breadth:
    """The breadth of what a widened rule opens more: all that it has where it comes to be of the world by that.

    ``more`` is what the addresses weigh that the rule allows now and did not before.
    """
    kind = breadth(version, more)
    was = breadth(version, weight_of(version, had))
    return whole if kind >= Breadth.QUARTER or was < Breadth.QUARTER <= whole else kind


def openings_together(
    new: Sequence[ModifiedRule],
    kept: Sequence[SecurityGroupRule] = (),
    gone: Sequence[SecurityGroupRule] = (),
    ranges_of: RangesOf = own_ranges,
) -> list[Opening]:
    """What new rules open with each other or with those kept, where that is more of the internet than each alone does.

    ``kept`` are the rules that the group had before and still has, ``gone`` those that it has no more. Egress is
    put together where it is of all traffic, the only kind whose breadth counts.
    """
    found: list[Opening] = []
    for ingress in (True, False):
        modified = [item for item in new if _counts(item.after, ingress=ingress)]
        others = [[rule for rule in rules if _counts(rule, ingress=ingress)] for rules in (kept, gone)]
        if not modified or len(modified) + len(others[0]) == 1:
            continue
        line = TrafficLine((*(item.after for item in modified), *(rule for rules in others for rule in rules)))
        boxes = [box for item in modified for box in _boxes(item.after, _previous(item), line, ranges_of)]
        widened = [item.after for item in modified if _previous(item) is not None]
        had, went, stay = (
            [box for rule in rules for box in _boxes(rule, None, line, ranges_of)] for rules in (*others, widened)
        )
        for version in _VERSIONS:
            found += _of_version(version, line, *(_only(version, some) for some in (boxes, had, went, stay)))
    return found


def _counts(rule: SecurityGroupRule, *, ingress: bool) -> bool:
    return is_ingress(rule) is ingress and (ingress or rule.protocol == ALL_PROTOCOLS)


def _previous(item: ModifiedRule) -> SecurityGroupRule | None:
    before = item.before
    return before if before is not None and is_ingress(before) is is_ingress(item.after) else None


def _only(version: int, boxes: Iterable[_Box]) -> list[_Box]:
    return [box for box in boxes if box.version == version]


def _of_version(
    version: int, line: TrafficLine, new: list[_Box], kept: list[_Box], gone: list[_Box], stay: list[_Box]
) -> list[Opening]:
    most = sum(box.weight for box in (*new, *kept, *stay))  # addresses of several boxes counted for each
    if not new or is_narrow(version, most):
        return []  # which is nearly always, and saves the sweep
    pieces: dict[tuple[str, Breadth], list[Span]] = {}
    for span, kind in _sweep(version, line, ((_NEW, new), (_KEPT, kept), (_GONE, gone), (_STAY, stay))):
        pieces.setdefault((line.protocol_at(span.low), kind), []).append(span)
    widest = max((kind for protocol, kind in pieces if protocol == ALL_PROTOCOLS), default=Breadth.PRIVATE)
    return [
        Opening(_opener(new, spans[0].low), protocol, line.ports(protocol, spans), kind, version, together=True)
        for (protocol, kind), spans in pieces.items()
        if protocol == ALL_PROTOCOLS or kind > widest
    ]


def _opener(new: Iterable[_Box], at: int) -> SecurityGroupRule:
    """The first new rule of this traffic; one of a narrower protocol says better what is open than all traffic."""
    here = [box for box in new if box.span.low <= at <= box.span.high]
    return min(here, key=lambda box: (box.breadth is Breadth.PRIVATE, box.rule.protocol == ALL_PROTOCOLS)).rule


class _Measure:
    """How much the intervals hold that are in it, each as often as it was put in: a segment tree of coverage counts."""

    def __init__(self, version: int, bounds: Sequence[int]) -> None:
        self._size = 1 << max(len(bounds) - 2, 0).bit_length()
        below = [weight_below(version, bound) for bound in bounds]
        leaves = [upper - lower for lower, upper in pairwise(below)]
        self._whole = [0] * self._size + leaves + [0] * (self._size - len(leaves))
        for node in range(self._size - 1, 0, -1):
            self._whole[node] = self._whole[2 * node] + self._whole[2 * node + 1]
        self._count = [0] * (2 * self._size)
        self._held = [0] * (4 * self._size)  # below the leaves nothing is held

    @property
    def weight(self) -> int:
        """What they weigh together."""
        return self._held[1]

    def put(self, first: int, end: int, times: int) -> None:
        """Put an interval in (1) or take it out (-1); it is given by the places of its bounds."""
        count, held, whole = self._count, self._held, self._whole
        low, high = first + self._size, end + self._size
        left, right = low, high - 1
        levels = (left ^ right).bit_length()
        node = left >> levels  # the lowest that holds the whole interval
        before = held[node]
        while low < high:
            if low & 1:
                count[low] += times
                held[low] = whole[low] if count[low] else held[2 * low] + held[2 * low + 1]
                low += 1
            if high & 1:
                high -= 1
                count[high] += times
                held[high] = whole[high] if count[high] else held[2 * high] + held[2 * high + 1]
            low >>= 1
            high >>= 1
        for _ in range(levels):
            left >>= 1
            right >>= 1
            held[left] = whole[left] if count[left] else held[2 * left] + held[2 * left + 1]
            held[right] = whole[right] if count[right] else held[2 * right] + held[2 * right + 1]
        change = held[node] - before
        while node > 1:
            node >>= 1
            if count[node]:  # it is held whole, whatever is below
                break
            held[node] += change


class _Role(NamedTuple):
    """Where a box counts: as newly opened, as open after the change, as open before it."""

    is_new: bool
    is_after: bool
    was: bool


_NEW = _Role(is_new=True, is_after=True, was=False)
_KEPT = _Role(is_new=False, is_after=True, was=True)
_GONE = _Role(is_new=False, is_after=False, was=True)
# A modified rule as it is now, of which what is newly open is only a part.
_STAY = _Role(is_new=False, is_after=True, was=False)
# Boxes that count alike.
_Boxes = tuple[_Role, Sequence[_Box]]


class _LineSweep:
    """The measures at one place of the line, and how broad the broadest single new rule is there."""

    def __init__(self, version: int, placed: Sequence[_Boxes]) -> None:
        intervals = [ends for _, boxes in placed for box in boxes for ends in box.intervals]
        bounds = sorted({low for low, _ in intervals} | {high + 1 for _, high in intervals})
        self._place = {bound: place for place, bound in enumerate(bounds)}
        self._version = version
        self._own = _Measure(version, bounds)
        # Without rules before the change what is open after it is what is new.
        has_before = any(boxes for role, boxes in placed if not role.is_new)
        self._after = _Measure(version, bounds) if has_before else self._own
        self._before = _Measure(version, bounds) if has_before else None
        self._measures = {role: list(self._measures_of(role)) for role, _ in placed}
        self._alone = [0] * len(Breadth)

    def _measures_of(self, role: _Role) -> Iterator[_Measure]:
        if role.is_new:
            yield self._own
        if role.is_after and self._after is not self._own:
            yield self._after
        if role.was and self._before is not None:
            yield self._before

    def put(self, role: _Role, box: _Box, times: int) -> None:
        """Put a box in (1) or take it out (-1)."""
        for measure in self._measures[role]:
            for first, last in box.intervals:
                measure.put(self._place[first], self._place[last + 1], times)
        if role.is_new:
            self._alone[box.breadth] += times

    def breadth_together(self) -> Breadth | None:
        """How broad it is together; None where a single rule is as broad, or nothing of it is new."""
        broadest = len(self._alone) - 1
        while broadest >= 0 and not self._alone[broadest]:
            broadest -= 1
        if broadest < 0:
            return None
        found = breadth(self._version, self._own.weight)
        if self._before is not None:
            after, before = (breadth(self._version, item.weight) for item in (self._after, self._before))
            if before < Breadth.QUARTER <= after:
                found = max(found, Breadth.QUARTER)
            if after is Breadth.ALL and before is not Breadth.ALL and found is Breadth.QUARTER:
                found = Breadth.ALL
        return found if found > max(broadest, Breadth.NARROW) else None


def _sweep(version: int, line: TrafficLine, placed: Sequence[_Boxes]) -> Iterator[tuple[Span, Breadth]]:
    """The pieces of the line where it takes several rules, and how broad these are together."""
    here = _LineSweep(version, placed)
    events: dict[int, list[tuple[_Role, _Box, int]]] = {span.low: [] for _, span in line.stretches()}
    for role, boxes in placed:
        for box in boxes:
            events.setdefault(box.span.low, []).append((role, box, 1))
            events.setdefault(box.span.high + 1, []).append((role, box, -1))
    for stop, following in pairwise([*sorted(events), line.end + 1]):
        for role, box, times in events[stop]:
            here.put(role, box, times)
        found = here.breadth_together()
        if found is not None and stop < following:
            yield Span(stop, following - 1), found
