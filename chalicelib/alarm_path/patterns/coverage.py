"""Which watched events a filter pattern counts: always, sometimes and when, never, or not known.

"Covered" means successful calls. A condition is tried on every kind of caller and request there is,
with the filter's own literals as values where a field could hold them, so that a filter which names
one user, address or group is distinguished from one that names none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from chalicelib.alarm_path.patterns.alternatives import EVENT_NAME, every_alternative, names_another_event
from chalicelib.alarm_path.patterns.doubts import acceptance_doubts
from chalicelib.alarm_path.patterns.evaluate import Verdict, matches
from chalicelib.alarm_path.patterns.parser import parse
from chalicelib.alarm_path.patterns.pattern_error import FilterPatternError
from chalicelib.alarm_path.patterns.sample_callers import UNRELATED_NAMES, unrelated_records
from chalicelib.alarm_path.patterns.sample_lines import LinePattern
from chalicelib.alarm_path.patterns.syntax import (
    Compare,
    Expression,
    FieldCondition,
    JsonPattern,
    Or,
    Pattern,
    Text,
)
from chalicelib.alarm_path.patterns.trial import Trial, try_lines, try_on_event
from chalicelib.cloudtrail import standard_events
from chalicelib.cloudtrail.catalog import EventGroup, events_of

CLASSIC_EVENTS = standard_events.CLASSIC_EVENTS
CIS_5_EVENTS = standard_events.CIS_5_EVENTS

JUDGED_EVENTS = tuple(
    dict.fromkeys((*CIS_5_EVENTS, *(event.name for event in events_of((EventGroup.RULES, EventGroup.GROUPS)))))
)


class Counted(StrEnum):
    """How much of an event's successful calls a filter counts."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    NEVER = "never"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EventCoverage:
    """One event's answer; ``condition`` says when, or what is not known, and is empty for always and never."""

    event: str
    status: Counted
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a filter, or several together, count; ``events`` is empty where the pattern is refused."""

    events: tuple[EventCoverage, ...]
    error: FilterPatternError | None = None
    security_hub_exact: bool = False

    def status(self, event: str) -> Counted:
        """The answer for one event name; NEVER for a refused pattern."""
        return next((item.status for item in self.events if item.event == event), Counted.NEVER)

    @property
    def cis_1_to_4(self) -> bool:
        """Whether the six classic events are always counted."""
        return all(self.status(event) is Counted.ALWAYS for event in CLASSIC_EVENTS)

    @property
    def cis_5(self) -> bool:
        """Whether the six and ModifySecurityGroupRules are always counted."""
        return all(self.status(event) is Counted.ALWAYS for event in CIS_5_EVENTS)


@dataclass(frozen=True, slots=True)
class _Filters:
    """Several filters on one log group, ready to be tried."""

    expressions: tuple[Expression, ...]
    doubtful: tuple[bool, ...]
    lines: tuple[LinePattern, ...]
    doubts: tuple[str, ...]


@lru_cache(maxsize=8192)
def coverage(text: str) -> Coverage:
    """What one filter pattern counts; a pattern that AWS refuses comes back with its error."""
    try:
        pattern = parse(text)
    except FilterPatternError as error:
        return Coverage((), error=error)
    return _judge((pattern,), security_hub_exact=means_exactly_the_six(pattern))


def union_coverage(texts: Iterable[str]) -> Coverage:
    """What several filters on one log group count together: two halves may make a whole.

    Patterns that AWS refuses count nothing; ``security_hub_exact`` is whether one of them is exact.
    """
    patterns: list[Pattern] = []
    for text in dict.fromkeys(texts):
        try:
            patterns.append(parse(text))
        except FilterPatternError:
            continue
    return _judge(tuple(patterns), security_hub_exact=any(map(means_exactly_the_six, patterns)))


def also_counts(text: str) -> tuple[str, ...]:
    """Calls that are no security group changes and are counted too, out of a few representative ones."""
    try:
        pattern = parse(text)
    except FilterPatternError:
        return ()
    # Most filters name an event in every alternative, and none of the unrelated calls.
    if isinstance(pattern, JsonPattern) and every_alternative(pattern.expression, _names_known_event):
        return ()
    counted = (record for record in unrelated_records() if matches(pattern, record) is Verdict.MATCH)
    return tuple(dict.fromkeys(record["eventName"] for record in counted))


def _names_known_event(condition: FieldCondition) -> bool:
    return names_another_event(condition, than=UNRELATED_NAMES)


def means_exactly_the_six(pattern: Pattern) -> bool:
    """Whether a filter is what Security Hub CloudWatch.10 asks for: the six events' names and nothing else.

    "This control fails if the exact metric filters prescribed by CIS are not used. Additional fields
    or terms cannot be added": so the tree must be an OR of ``$.eventName = name``. Order, blanks,
    line ends, quotes and parentheses are form, and taken as equal.
    https://docs.aws.amazon.com/securityhub/latest/userguide/cloudwatch-controls.html
    """
    if not isinstance(pattern, JsonPattern):
        return False
    names: set[str] = set()
    for item in _alternatives(pattern.expression):
        if not isinstance(item, Compare) or item.selector != EVENT_NAME or item.operator != "=":
            return False
        names.add(item.value.text if isinstance(item.value, Text) else "")
    return names == set(CLASSIC_EVENTS)


def _alternatives(expression: Expression) -> tuple[Expression, ...]:
    if isinstance(expression, Or):
        return tuple(inner for item in expression.items for inner in _alternatives(item))
    return (expression,)


def _judge(patterns: tuple[Pattern, ...], *, security_hub_exact: bool) -> Coverage:
    json_patterns = [pattern for pattern in patterns if isinstance(pattern, JsonPattern)]
    filters = _Filters(
        tuple(pattern.expression for pattern in json_patterns),
        tuple(bool(acceptance_doubts(pattern)) for pattern in json_patterns),
        tuple(pattern for pattern in patterns if not isinstance(pattern, JsonPattern)),
        tuple(dict.fromkeys(doubt for pattern in patterns for doubt in acceptance_doubts(pattern))),
    )
    events = tuple(_event_coverage(filters, event) for event in JUDGED_EVENTS)
    return Coverage(events, security_hub_exact=security_hub_exact)


def _trial(filters: _Filters, event: str) -> Trial:
    trials = []
    if filters.expressions:
        trials.append(try_on_event(filters.expressions, filters.doubtful, event))
    if filters.lines:
        trials.append(try_lines(filters.lines, event))
    return _together(trials)


def _together(trials: Sequence[Trial]) -> Trial:
    """Trials of the same event, by conditions and by text: one that always matches settles it."""
    settled = [trial for trial in trials if trial.verdicts == {Verdict.MATCH}]
    open_ones = [trial for trial in trials if trial.verdicts != {Verdict.NO_MATCH}]
    if settled or len(open_ones) == 1:
        return (settled or open_ones)[0]
    if not open_ones:
        return Trial(frozenset({Verdict.NO_MATCH}))
    verdicts = frozenset().union(*(trial.verdicts for trial in open_ones))
    return Trial(verdicts | {Verdict.UNKNOWN}, " or ".join(filter(None, (trial.condition for trial in open_ones))))


def _event_coverage(filters: _Filters, event: str) -> EventCoverage:
    trial = _trial(filters, event)
    status = _status(trial.verdicts)
    if status is Counted.SOMETIMES:
        return EventCoverage(event, status, f"only when {trial.condition}")
    if status is Counted.UNKNOWN:
        subject = ", ".join(filters.doubts) or trial.condition
        return EventCoverage(event, status, f"it is not known what AWS does with {subject}")
    return EventCoverage(event, status)


def _status(verdicts: frozenset[Verdict]) -> Counted:
    if {Verdict.MATCH, Verdict.NO_MATCH} <= verdicts:
        return Counted.SOMETIMES
    if Verdict.UNKNOWN in verdicts:
        return Counted.UNKNOWN
    return Counted.ALWAYS if Verdict.MATCH in verdicts else Counted.NEVER
