"""Several filter patterns on the same record: which of them match together.

Filters of one log group read the same record. What an alarm over several of them does depends on the combinations
that occur, and not on each filter by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

from chalicelib.alarm_path.patterns.alternatives import every_alternative, names_another_event
from chalicelib.alarm_path.patterns.doubts import acceptance_doubts
from chalicelib.alarm_path.patterns.evaluate import Verdict, matches
from chalicelib.alarm_path.patterns.parser import parse
from chalicelib.alarm_path.patterns.pattern_error import FilterPatternError
from chalicelib.alarm_path.patterns.sample_callers import UNRELATED_NAMES, unrelated_records
from chalicelib.alarm_path.patterns.sample_lines import LinePattern, verdicts_by_pattern
from chalicelib.alarm_path.patterns.syntax import FieldCondition, JsonPattern, Pattern
from chalicelib.alarm_path.patterns.trial import Verdicts, try_each
from chalicelib.alarm_path.standards import EVENTS


def joint_verdicts(texts: tuple[str, ...], event: str) -> frozenset[Verdicts]:
    """Every combination of verdicts that successful calls of an event get from these patterns.

    A pattern that AWS refuses matches nothing. Of patterns on conditions beside patterns on text every pair of
    combinations is taken to occur.
    """
    return _tried(texts, event)[0]


def all_tried(texts: tuple[str, ...], event: str) -> bool:
    """Whether the combinations are all there are; patterns with very many conditions have more than can be tried."""
    return _tried(texts, event)[1]


@lru_cache(maxsize=2048)
def _tried(texts: tuple[str, ...], event: str) -> tuple[frozenset[Verdicts], bool]:
    patterns = [_parsed(text) for text in texts]
    on_json = [place for place, pattern in enumerate(patterns) if isinstance(pattern, JsonPattern)]
    on_text = [place for place, pattern in enumerate(patterns) if pattern is not None and place not in on_json]
    of_json, complete = _on_conditions([patterns[place] for place in on_json], event)
    of_text = _on_lines([patterns[place] for place in on_text], event)
    combined = (_placed(len(texts), on_json, first, on_text, second) for first, second in product(of_json, of_text))
    return frozenset(combined), complete


@lru_cache(maxsize=4096)
def may_match_together(text: str, other: str) -> bool:
    """Whether some watched change may match both patterns."""
    pairs = (pair for event in EVENTS for pair in joint_verdicts((text, other), event))
    return any(Verdict.NO_MATCH not in pair for pair in pairs)


def unrelated_verdicts(texts: tuple[str, ...]) -> frozenset[Verdicts]:
    """Every combination of verdicts that a few calls get which are no security group changes."""
    return frozenset(zip(*map(_on_unrelated, texts), strict=True)) if texts else frozenset()


def matches_everything(text: str) -> bool:
    """Whether a pattern matches every record there is, as far as unrelated calls show."""
    return all(verdict is Verdict.MATCH for verdict in _on_unrelated(text))


def is_refused(text: str) -> bool:
    """Whether AWS refuses the pattern, so that a filter with it matches nothing."""
    return _parsed(text) is None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Pattern | None:
    try:
        return parse(text.strip() or text)
    except FilterPatternError:
        return None


def _on_conditions(patterns: Sequence[Pattern | None], event: str) -> tuple[frozenset[Verdicts], bool]:
    found = [pattern for pattern in patterns if isinstance(pattern, JsonPattern)]
    if not found:
        return frozenset({()}), True
    doubtful = [bool(acceptance_doubts(pattern)) for pattern in found]
    return try_each([pattern.expression for pattern in found], doubtful, event)


def _on_lines(patterns: Sequence[Pattern | None], event: str) -> frozenset[Verdicts]:
    found: list[LinePattern] = [item for item in patterns if item is not None and not isinstance(item, JsonPattern)]
    return verdicts_by_pattern(tuple(found), event) if found else frozenset({()})


def _placed(length: int, places: Sequence[int], found: Verdicts, more: Sequence[int], others: Verdicts) -> Verdicts:
    by_place = dict(zip((*places, *more), (*found, *others), strict=True))
    return tuple(by_place.get(place, Verdict.NO_MATCH) for place in range(length))


@lru_cache(maxsize=1024)
def _on_unrelated(text: str) -> Verdicts:
    pattern = _parsed(text)
    records = unrelated_records()
    if pattern is None or (isinstance(pattern, JsonPattern) and every_alternative(pattern.expression, _names_other)):
        return (Verdict.NO_MATCH,) * len(records)
    return tuple(matches(pattern, record) for record in records)


def _names_other(condition: FieldCondition) -> bool:
    return names_another_event(condition, than=UNRELATED_NAMES)
