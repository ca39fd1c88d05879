"""What the audit needs to know of a metric filter's pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from chalicelib.alarm_path.patterns.alternatives import every_alternative, names_another_event
from chalicelib.alarm_path.patterns.coverage import also_counts, coverage, union_coverage
from chalicelib.alarm_path.patterns.parser import parse
from chalicelib.alarm_path.patterns.pattern_error import FilterPatternError
from chalicelib.alarm_path.patterns.syntax import Compare, FieldCondition, JsonPattern, Selector
from chalicelib.alarm_path.patterns.trial import is_absent
from chalicelib.alarm_path.standards import EVENTS
from chalicelib.alarm_path.verdicts import Status

ANSWERS = {"always": Status.PASS, "sometimes": Status.FAIL, "never": Status.FAIL, "unknown": Status.UNKNOWN}


@dataclass(frozen=True, slots=True)
class PatternCoverage:
    """Which successful calls a pattern matches.

    ``events`` maps event names to always, sometimes, never or unknown; ``conditions`` says for the
    sometimes in words when; ``exact`` whether the pattern means the six classic events and holds
    nothing else; ``over_matches`` whether it matches other calls too; ``error`` is AWS's complaint
    about an invalid pattern.
    """

    events: Mapping[str, str]
    conditions: Mapping[str, str] = field(default_factory=dict)
    exact: bool | None = False
    over_matches: bool | None = None
    error: str | None = None

    def covers(self, event: str) -> Status:
        """Whether every successful call of the event matches."""
        return ANSWERS[self.events.get(event, "never")]


# What one pattern, or several together, match.
CoverageOf = Callable[[tuple[str, ...]], PatternCoverage]


_NOTHING = PatternCoverage(dict.fromkeys(EVENTS, "never"))


def coverage_of(patterns: tuple[str, ...]) -> PatternCoverage:
    """What one filter pattern, or several together, match of the standards' events.

    These patterns are AWS's own answers: a filter that is there was taken, so blanks around its pattern
    are none that AWS refused.
    """
    patterns = tuple(pattern.strip() or pattern for pattern in patterns)
    if all(_about_other_events(pattern) for pattern in patterns):
        return _NOTHING
    found = coverage(patterns[0]) if len(patterns) == 1 else union_coverage(patterns)
    conditions = {item.event: item.condition for item in found.events if item.condition}
    events = {event: found.status(event).value for event in EVENTS}
    concerned = any(answer != "never" for answer in events.values())
    return PatternCoverage(
        events=events,
        conditions=conditions,
        exact=found.security_hub_exact,
        over_matches=concerned and any(also_counts(pattern) for pattern in patterns),
        error=None if found.error is None else str(found.error),
    )


def _about_other_events(pattern: str) -> bool:
    """Whether every alternative asks for what no call of the standards' events has; most filters do."""
    try:
        parsed = parse(pattern)
    except FilterPatternError:
        return False
    return isinstance(parsed, JsonPattern) and every_alternative(parsed.expression, _asks_for_other)


def _asks_for_other(condition: FieldCondition) -> bool:
    if names_another_event(condition, than=EVENTS):
        return True
    return isinstance(condition, Compare) and _never_there(condition.selector)


@lru_cache(maxsize=1024)
def _never_there(selector: Selector) -> bool:
    """A comparison with a missing field is false, whatever its operator."""
    return all(is_absent(selector, event) for event in EVENTS)
