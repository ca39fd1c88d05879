"""Whether what a rule allows was allowed already: rules against a set of others, all at once.

Ranges are nested or apart, so they form a tree. Which traffic is open to all of a range is kept as one integer,
a bit for each piece of traffic between the ends of any two rules: what its own rules allow, what those of the
ranges around it do, and what is open to every one of the ranges that it consists of.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from chalicelib.exposure.traffic import Span, TrafficLine, is_ingress
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.address_ranges import AddressRange, joined
from chalicelib.security_groups.rules import SecurityGroupRule

RangesOf = Callable[[SecurityGroupRule], Sequence[AddressRange]]
_Key = tuple[int, int, int]


class _Asked(NamedTuple):
    rule: SecurityGroupRule
    span: Span
    keys: tuple[_Key, ...]


def already_open(
    new: Sequence[SecurityGroupRule],
    before: Iterable[SecurityGroupRule],
    ranges_of: RangesOf,
    *,
    by_a_wider_rule: bool = False,
) -> frozenset[int]:
    """The places in ``new`` of the rules that allow nothing that those before did not allow together.

    With ``by_a_wider_rule`` one rule before has to allow all that the new one does, and more.
    """

    def is_allowed(item: _Asked, by_peer: _ByPeer, by_range: _ByRange) -> bool:
        return by_peer.allows(item, wider=by_a_wider_rule) or by_range.allows(item, wider=by_a_wider_rule)

    return _places(new, tuple(before), ranges_of, is_allowed)


def open_in_part(
    rules: Sequence[SecurityGroupRule], others: Iterable[SecurityGroupRule], ranges_of: RangesOf
) -> frozenset[int]:
    """The places in ``rules`` of those of whose traffic the others together allow some to all of the same addresses."""

    def is_allowed(item: _Asked, by_peer: _ByPeer, by_range: _ByRange) -> bool:
        return by_peer.allows_some(item) or by_range.allows_some(item)

    return _places(rules, tuple(others), ranges_of, is_allowed)


def _places(
    rules: Sequence[SecurityGroupRule],
    others: Sequence[SecurityGroupRule],
    ranges_of: RangesOf,
    is_allowed: Callable[[_Asked, _ByPeer, _ByRange], bool],
) -> frozenset[int]:
    line = TrafficLine((*rules, *others))
    found: set[int] = set()
    for ingress in (True, False):
        asked = {
            place: _Asked(rule, line.span(rule), _keys(rule, ranges_of))
            for place, rule in enumerate(rules)
            if is_ingress(rule) is ingress
        }
        known = [
            _Asked(rule, line.span(rule), _keys(rule, ranges_of)) for rule in others if is_ingress(rule) is ingress
        ]
        if asked and known:
            by_peer = _ByPeer(known)
            by_range = _ByRange(known, asked.values())
            found |= {place for place, item in asked.items() if is_allowed(item, by_peer, by_range)}
    return frozenset(found)


def _keys(rule: SecurityGroupRule, ranges_of: RangesOf) -> tuple[_Key, ...]:
    return tuple((item.version, item.first, item.last) for item in ranges_of(rule))


class Spans:
    """Pieces of traffic that are open to one peer."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = sorted(set(spans))
        self._lows = [span.low for span in self.spans]
        self._highest: list[int] = []
        for span in self.spans:
            self._highest.append(max(span.high, self._highest[-1] if self._highest else -1))

    def overlap(self, span: Span) -> bool:
        """Whether one of them holds some of this piece."""
        beyond = bisect_left(self._lows, span.high + 1)
        return beyond > 0 and self._highest[beyond - 1] >= span.low

    def hold_wider(self, span: Span, *, or_same: bool = False) -> bool:
        """Whether one of them holds all of this piece, and more."""
        beyond = bisect_left(self._lows, span.low + 1)
        if beyond == 0:
            return False
        if or_same or self._highest[beyond - 1] > span.high:
            return self._highest[beyond - 1] >= span.high
        earlier = bisect_left(self._lows, span.low)
        return earlier > 0 and self._highest[earlier - 1] >= span.high


class _ByPeer:
    """Rules of the very same peer, whose addresses need not be known."""

    def __init__(self, known: Iterable[_Asked]) -> None:
        spans: dict[tuple[str, str], list[Span]] = {}
        for item in known:
            spans.setdefault((item.rule.peer.type, item.rule.peer.value), []).append(item.span)
        self._each = {peer: Spans(found) for peer, found in spans.items()}
        self._together = {peer: Spans(Span(*span) for span in joined(found)) for peer, found in spans.items()}

    def allows(self, item: _Asked, *, wider: bool) -> bool:
        peer = (item.rule.peer.type, item.rule.peer.value)
        found = (self._each if wider else self._together).get(peer)
        return found is not None and found.hold_wider(item.span, or_same=not wider)

    def allows_some(self, item: _Asked) -> bool:
        found = self._together.get((item.rule.peer.type, item.rule.peer.value))
        return found is not None and found.overlap(item.span)


class _ByRange:
    """The tree of the ranges, each with its parent before it."""

    def __init__(self, known: Sequence[_Asked], asked: Iterable[_Asked]) -> None:
        everybody = [*known, *asked]
        ends = sorted({end for item in everybody for end in (item.span.low, item.span.high + 1)})
        self._bit = {end: place for place, end in enumerate(ends)}
        keys = sorted({key for item in everybody for key in item.keys}, key=lambda key: (key[0], key[1], -key[2]))
        self._place = {key: place for place, key in enumerate(keys)}
        self._parents = _parents(keys)
        self._spans: list[list[Span]] = [[] for _ in keys]
        for item in known:
            for key in item.keys:
                self._spans[self._place[key]].append(item.span)
        self._wider: dict[int, Spans] = {}
        self._open = self._open_to(keys)

    def _mask(self, span: Span) -> int:
        return (1 << self._bit[span.high + 1]) - (1 << self._bit[span.low])

    def _open_to(self, keys: Sequence[_Key]) -> list[int]:
        """The traffic that is open to the whole of each range."""
        own = [_union(map(self._mask, spans)) for spans in self._spans]
        within = list(own)
        parts: list[tuple[int, int]] = [(0, -1)] * len(keys)  # how much of it its parts hold, open to all of them
        for place in reversed(range(len(keys))):
            (_, first, last), (size, shared) = keys[place], parts[place]
            if size == last - first + 1:
                within[place] |= shared
            parent = self._parents[place]
            if parent >= 0:
                size, shared = parts[parent]
                parts[parent] = (size + last - first + 1, shared & within[place])
        around = list(own)
        for place, parent in enumerate(self._parents):
            if parent >= 0:
                around[place] |= around[parent]
        return [inner | outer for inner, outer in zip(within, around, strict=True)]

    def allows(self, item: _Asked, *, wider: bool) -> bool:
        if not item.keys:
            return False
        if wider:
            return all(self._holds_wider(item.span, self._place[key]) for key in item.keys)
        mask = self._mask(item.span)
        return all(not mask & ~self._open[self._place[key]] for key in item.keys)

    def allows_some(self, item: _Asked) -> bool:
        mask = self._mask(item.span) if item.keys else 0
        for key in item.keys:
            mask &= self._open[self._place[key]]
        return mask != 0

    def _holds_wider(self, span: Span, place: int) -> bool:
        if self._wider_at(place).hold_wider(span):
            return True
        place = self._parents[place]
        while place >= 0:
            if self._wider_at(place).hold_wider(span, or_same=True):
                return True
            place = self._parents[place]
        return False

    def _wider_at(self, place: int) -> Spans:
        if place not in self._wider:
            self._wider[place] = Spans(self._spans[place])
        return self._wider[place]


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _parents(keys: Sequence[_Key]) -> list[int]:
    """For each range the place of the narrowest one around it, -1 where there is none."""
    parents: list[int] = []
    around: list[int] = []
    for place, (version, _, last) in enumerate(keys):
        while around and (keys[around[-1]][0] != version or keys[around[-1]][2] < last):
            around.pop()
        parents.append(around[-1] if around else -1)
        around.append(place)
    return parents
