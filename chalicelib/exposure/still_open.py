"""What of removed rules the rules that are left still allow: all of it, or a part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chalicelib.exposure.already_open import RangesOf, Spans, already_open, open_in_part
from chalicelib.exposure.compare import openings, openings_together, spans_of
from chalicelib.exposure.traffic import Span, TrafficLine, is_ingress
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.address_ranges import Breadth, breadth, merged, weight_of
from chalicelib.security_groups.rules import ModifiedRule, SecurityGroupRule


class StillOpen(NamedTuple):
    """The places of the removed rules that others allow wholly, and of those that they allow in part."""

    whole: frozenset[int] = frozenset()
    part: frozenset[int] = frozenset()


def still_open(
    removed: Sequence[SecurityGroupRule], left: Sequence[SecurityGroupRule], ranges_of: RangesOf
) -> StillOpen:
    """What the rules that are left allow of those removed.

    A part is traffic that they allow to all of the same addresses, or to a quarter or more of the internet where the
    removed rule was open to all of it. Narrower ranges beside the internet are no part: it is closed to everybody else.
    """
    whole = already_open(removed, left, ranges_of)
    rest = [place for place in range(len(removed)) if place not in whole]
    if not rest or not left:
        return StillOpen(whole)
    asked = [removed[place] for place in rest]
    part = {*open_in_part(asked, left, ranges_of), *_open_to_the_internet(asked, left, ranges_of)}
    return StillOpen(whole, frozenset(rest[place] for place in part))


def _open_to_the_internet(
    rules: Sequence[SecurityGroupRule], left: Sequence[SecurityGroupRule], ranges_of: RangesOf
) -> Iterable[int]:
    """The places of the rules for the whole internet of whose traffic some is left for a quarter of it or more."""
    wanted = [(place, version) for place, rule in enumerate(rules) for version in _whole_internet(rule, ranges_of)]
    if not wanted:
        return
    line = TrafficLine((*rules, *left))
    new = [ModifiedRule(None, rule) for rule in left if is_ingress(rule)]
    opened = [found for item in new for found in openings(item, line, ranges_of)]
    opened += openings_together(new, ranges_of=ranges_of)
    spans: dict[int | None, list[Span]] = {}
    for found in opened:
        if found.breadth is not None and found.breadth >= Breadth.QUARTER:
            spans.setdefault(found.version, []).extend(spans_of(found, line))
    by_version = {version: Spans(some) for version, some in spans.items()}
    for place, version in wanted:
        if version in by_version and by_version[version].overlap(line.span(rules[place])):
            yield place


def _whole_internet(rule: SecurityGroupRule, ranges_of: RangesOf) -> Iterable[int]:
    """The IP versions of which the rule lets everybody in."""
    if is_ingress(rule):
        ranges = ranges_of(rule)
        for version in {found.version for found in ranges}:
            if breadth(version, weight_of(version, merged(ranges, version))) is Breadth.ALL:
                yield version
