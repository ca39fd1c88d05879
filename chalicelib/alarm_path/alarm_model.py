"""What a CloudWatch metric alarm does when one record matches the filter that feeds it.

The alarm starts from OK, the record publishes one datapoint at the beginning of a period (the worst
place for it), and the alarm is evaluated at the end of that period and of each following one. Two
surroundings are tried: *quiet*, where no other log event arrives, and *busy*, where others arrive in
every minute and the filter publishes its default value for them. The alarm fires only if it fires in
both. CloudWatch may be quicker (its window slides); the seconds given are the upper bound, counted
from the moment the record is in the log group.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from chalicelib.alarm_path.metric_math import UNSURE, Series, UnknownMathError, Unsure, Value, evaluate
from chalicelib.alarm_path.snapshot_alarms import MetricAlarm, MetricQuery
from chalicelib.alarm_path.verdicts import Status

# A metric filter publishes once a minute; no alarm can know of a record sooner.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html
FILTER_INTERVAL = 60

# The smallest share that one datapoint can have of an average: more log events a period nobody has.
_DILUTION = 1e-9

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
_WORDS = {
    "GreaterThanOrEqualToThreshold": "≥",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
}
# p99, tm90, TM(10%:90%), tc, ts, wm, PR(:5), IQM
_EXTENDED = re.compile(r"(?P<name>p|tm|wm|tc|ts|pr|iqm)(?P<rest>\d*(?:\.\d+)?|\(.*\))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Emission:
    """What a metric filter publishes: ``value`` for a match, ``default`` for log events that do not match.

    ``value`` None: the matching record publishes nothing to this metric.
    """

    value: float | None
    default: float | None = None


class Point(Enum):
    """One period as the alarm sees it."""

    BREACHING = "X"
    OK = "0"
    MISSING = "-"
    EITHER = "?"  # depends on what else arrives in the period
    UNKNOWN = "!"  # cannot be told from what was collected


class State(Enum):
    """An alarm's state."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether one matching record drives the alarm to ALARM, at most how many seconds later, and why.

    ``leaves``: whether the alarm leaves ALARM again without anybody's doing. ``notes`` are facts
    beside the answer.
    """

    fires: Status
    seconds: int | None
    reason: str
    leaves: Status = Status.PASS
    leaves_reason: str = ""
    notes: tuple[str, ...] = ()


Sources = Callable[[MetricQuery], Emission | None]


def simulate(alarm: MetricAlarm, sources: Sources) -> Outcome:
    """Run one matching record through the alarm.

    ``sources`` tells what the record publishes to the metric of a query; None where nothing collected
    says what that metric holds.
    """
    if alarm.is_anomaly or alarm.threshold is None or alarm.comparison not in _COMPARISONS:
        why = "it compares with an anomaly detection band" if alarm.is_anomaly else "its threshold is not understood"
        return Outcome(Status.UNKNOWN, None, f"Whether alarm {alarm.name} would fire cannot be told: {why}.")
    try:
        quiet, busy = _points(alarm, sources, busy=False), _points(alarm, sources, busy=True)
        resting = _points(alarm, _without_match(sources), busy=_has_default(alarm, sources))
    except UnknownMathError as error:
        return Outcome(Status.UNKNOWN, None, f"Whether alarm {alarm.name} would fire cannot be told: {error}.")
    return _outcome(alarm, sources, quiet, busy, resting)


def _outcome(
    alarm: MetricAlarm, sources: Sources, quiet: Sequence[Point], busy: Sequence[Point], resting: Sequence[Point]
) -> Outcome:
    leaves, leaves_reason = _leaves(alarm, resting)
    if quiet[alarm.evaluation_periods + 1] is Point.BREACHING and _needs_more_samples(alarm):
        reason = f"Alarm {alarm.name} ignores percentiles of few samples, and one record is one sample."
        return Outcome(Status.FAIL, None, reason, leaves, leaves_reason)
    runs = [_fires(alarm, points, hopeful=False) for points in (quiet, busy)]
    if all(step is not None for step in runs):
        steps = max(step for step in runs if step is not None)
        seconds = max(FILTER_INTERVAL, (steps + 1) * period_of(alarm))
        reason = f"One matching record puts alarm {alarm.name} into ALARM within {seconds} seconds."
        return Outcome(Status.PASS, seconds, reason, leaves, leaves_reason, _notes(alarm, sources))
    hopes = [_fires(alarm, points, hopeful=True) for points in (quiet, busy)]
    if all(step is not None for step in hopes):
        reason = f"Whether one matching record drives alarm {alarm.name} to ALARM depends on what AWS does not document"
        return Outcome(Status.UNKNOWN, None, f"{reason}, or on metrics that were not collected.", leaves, leaves_reason)
    return Outcome(Status.FAIL, None, _why_not(alarm, sources, quiet, busy), leaves, leaves_reason)


def period_of(alarm: MetricAlarm) -> int:
    """The alarm's period in seconds; for metric math the longest of its metrics."""
    return max((query.period for query in alarm.queries), default=0) or FILTER_INTERVAL


def next_state(points: Sequence[Point], alarm: MetricAlarm, current: State) -> State:
    """The state after an evaluation that sees ``points``, oldest first, of the alarm's evaluation range."""
    needed, periods = alarm.datapoints_to_alarm, alarm.evaluation_periods
    real = [point for point in points if point is not Point.MISSING][-periods:]
    breaching = real.count(Point.BREACHING)
    if len(real) == periods or breaching >= needed:
        return State.ALARM if breaching >= needed else State.OK
    filled = periods - len(real)
    match alarm.treat_missing:
        case "breaching":
            return State.ALARM if breaching + filled >= needed else State.OK
        case "notBreaching":
            return State.OK
        case "ignore":
            return State.OK if real and breaching + filled < needed else current
        case _:
            return _without_enough_data(points[-periods:], real, needed, current)


def _without_enough_data(recent: Sequence[Point], real: Sequence[Point], needed: int, current: State) -> State:
    """Missing data treated as missing: an old enough breach followed by nothing is an alarm too."""
    if not real:
        return State.INSUFFICIENT_DATA
    if Point.OK in real:
        return State.OK
    age = len(recent) - recent.index(Point.BREACHING) if Point.BREACHING in recent else 0
    return State.ALARM if age >= needed else current


def _fires(alarm: MetricAlarm, points: Sequence[Point], *, hopeful: bool) -> int | None:
    """The number of whole periods after the record's own until ALARM, or None where it never comes."""
    swap = {Point.EITHER: Point.OK, Point.UNKNOWN: Point.BREACHING if hopeful else Point.OK}
    seen = [swap.get(point, point) for point in points]
    reach, state = alarm.evaluation_periods + 2, State.OK
    start = alarm.evaluation_periods + 1
    for end in range(start, len(seen)):
        state = next_state(seen[max(0, end + 1 - reach) : end + 1], alarm, state)
        if state is State.ALARM:
            return end - start
    return None


def _leaves(alarm: MetricAlarm, resting: Sequence[Point]) -> tuple[Status, str]:
    """Whether the alarm, once in ALARM, leaves it when no further record matches."""
    if Point.UNKNOWN in resting:
        reason = f"Whether alarm {alarm.name} ever leaves ALARM depends on metrics that were not collected."
        return Status.UNKNOWN, reason
    if Point.EITHER in resting or next_state(resting, alarm, State.ALARM) is not State.ALARM:
        return Status.PASS, ""
    stuck = f"Alarm {alarm.name} never leaves ALARM by itself, and actions run only on a change of state"
    if set(resting) != {Point.MISSING}:
        return Status.FAIL, f"{stuck}: it is breaching even when no record matches."
    return Status.FAIL, f"{stuck}: no data comes between matches, and it treats missing data as {alarm.treat_missing}."


def _needs_more_samples(alarm: MetricAlarm) -> bool:
    percentile = any(re.fullmatch(r"p\d.*", query.statistic) for query in alarm.queries)
    return percentile and alarm.low_sample_percentile == "ignore"


def _has_default(alarm: MetricAlarm, sources: Sources) -> bool:
    emissions = [sources(query) for query in alarm.queries if not query.expression]
    return any(emission is not None and emission.default is not None for emission in emissions)


def _without_match(sources: Sources) -> Sources:
    def emission(query: MetricQuery) -> Emission | None:
        found = sources(query)
        return None if found is None else Emission(None, found.default)

    return emission


def _notes(alarm: MetricAlarm, sources: Sources) -> tuple[str, ...]:
    if alarm.treat_missing == "breaching" and _has_default(alarm, sources):
        return (
            f"Alarm {alarm.name} treats missing data as breaching: it also fires when no log events arrive at all.",
        )
    return ()


def _points(alarm: MetricAlarm, sources: Sources, *, busy: bool) -> list[Point]:
    """The alarm's periods around the record, which is in period ``evaluation_periods`` + 1."""
    ends = [_values(alarm, sources, busy=busy, low=low) for low in (True, False)]
    compare, threshold = _COMPARISONS[alarm.comparison], alarm.threshold or 0.0
    points = [_point(low, high, lambda value: compare(value, threshold)) for low, high in zip(*ends, strict=True)]
    # A minute that has both a match and other log events: AWS says both that the default value stands for a
    # minute without a match and that it stands for a log event without one.
    if busy and period_of(alarm) <= FILTER_INTERVAL:
        return [Point.UNKNOWN if point is Point.EITHER else point for point in points]
    return points


def _point(low: Value, high: Value, breaches: Callable[[float], bool]) -> Point:
    if isinstance(low, Unsure) or isinstance(high, Unsure):
        return Point.UNKNOWN
    if low is None or high is None:
        return Point.MISSING if low is high else Point.UNKNOWN
    answers = {breaches(low), breaches(high)}
    if len(answers) == 2:
        return Point.EITHER
    return Point.BREACHING if True in answers else Point.OK


def _values(alarm: MetricAlarm, sources: Sources, *, busy: bool, low: bool) -> Series:
    """The series that the alarm compares, with every uncertain value at its low or its high end."""
    length = 2 * alarm.evaluation_periods + 3
    series: dict[str, Series] = {}
    for query in alarm.queries:
        if not query.expression:
            series[query.id] = _metric_series(query, sources(query), length, busy=busy, low=low)
    metrics = dict(series)
    period = period_of(alarm)
    for query in _in_order(alarm.queries):
        series[query.id] = evaluate(query.expression or "", _visible(query, series, metrics), length, period)
    shown = [query for query in alarm.queries if query.returns]
    if len(shown) != 1:
        raise UnknownMathError("it does not return exactly one time series")
    return series[shown[0].id]


def _visible(query: MetricQuery, series: Mapping[str, Series], metrics: Mapping[str, Series]) -> Mapping[str, Series]:
    """METRICS() means the metrics and not the other expressions."""
    return metrics if "METRICS" in (query.expression or "").upper() else series


def _in_order(queries: Sequence[MetricQuery]) -> list[MetricQuery]:
    """Expressions after the expressions they use."""
    waiting = {query.id: query for query in queries if query.expression}
    ordered: list[MetricQuery] = []
    while waiting:
        ready = [
            query
            for query in waiting.values()
            if not any(re.search(rf"\b{re.escape(other)}\b", query.expression or "") for other in waiting)
        ]
        if not ready:
            raise UnknownMathError("its expressions refer to each other in a circle")
        ordered += ready
        for query in ready:
            del waiting[query.id]
    return ordered


def _metric_series(query: MetricQuery, emission: Emission | None, length: int, *, busy: bool, low: bool) -> Series:
    if emission is None:
        return (UNSURE,) * length
    record = (length - 1) // 2
    others = emission.default if busy else None
    resting = _statistic(query.statistic, None, others, query.period, low=low)
    hit = _statistic(query.statistic, emission.value, others, query.period, low=low)
    return tuple(hit if place == record else resting for place in range(length))


def _statistic(name: str, value: float | None, other: float | None, period: int, *, low: bool) -> Value:
    """One period's value: ``value`` once where a record matched, ``other`` for every other log event.

    The two ends of what is possible are those with as few and as many other log events as can be.
    """
    if value is None and other is None:
        return None
    if value is None or other is None:
        return _alone(name, value if value is not None else other, many=value is None, period=period, low=low)
    return _mixed(name, value, other, low=low)


def _alone(name: str, value: float | None, *, many: bool, period: int, low: bool) -> Value:
    """Only one kind of datapoint in the period: one of them, or (``many``) one for each minute at least."""
    if value is None:
        return None
    count = max(1, period // FILTER_INTERVAL) if many else 1
    match name:
        case "Sum":
            return value if low or not many else value * count
        case "SampleCount":
            return 1.0 if low or not many else float(count)
        case "Average" | "Minimum" | "Maximum":
            return value
        case _:
            return _extended(name, value, value, 1.0 if low or not many else float(count), low=low)


def _mixed(name: str, value: float, other: float, *, low: bool) -> Value:
    """One match among other log events: from no others in the period to very many of them."""
    diluted = other + (value - other) * _DILUTION
    extremes = {
        "Sum": (value, value + other * 1440),
        "SampleCount": (1.0, 1440.0),
        "Average": (diluted, value),
        "Minimum": (min(value, other), value),
        "Maximum": (value, max(value, other)),
    }
    if name in extremes:
        return min(extremes[name]) if low else max(extremes[name])
    return _extended(name, min(value, other), max(value, other), 1440.0, low=low)


def _extended(name: str, smallest: float, largest: float, count: float, *, low: bool) -> Value:
    """Percentiles and trimmed statistics lie between the smallest and the largest datapoint."""
    match = _EXTENDED.fullmatch(name)
    if match is None:
        raise UnknownMathError(f"the statistic {name or '(none)'} is not known here")
    kind = match["name"].lower()
    if kind in {"p", "tm", "wm", "iqm"}:
        return smallest if low else largest
    return UNSURE if count > 1 or kind in {"pr", "tc"} else smallest


def _why_not(alarm: MetricAlarm, sources: Sources, quiet: Sequence[Point], busy: Sequence[Point]) -> str:
    place = alarm.evaluation_periods + 1
    needed, periods = alarm.datapoints_to_alarm, alarm.evaluation_periods
    wants = f"{_WORDS[alarm.comparison]} {alarm.threshold:g}"
    if quiet[place] is Point.MISSING:
        return f"One matching record gives alarm {alarm.name} no datapoint to compare."
    if quiet[place] in {Point.OK, Point.EITHER}:
        return (
            f"One matching record does not breach alarm {alarm.name}: {_measures(alarm)} of it is "
            f"{_shown(alarm, sources)}, and the alarm wants {wants}."
        )
    if busy[place] is not Point.BREACHING:
        return (
            f"Alarm {alarm.name} wants {_measures(alarm)} {wants}, which the filter's default value for other log "
            f"events in the same {period_of(alarm)} seconds prevents."
        )
    return (
        f"Alarm {alarm.name} wants {needed} breaching datapoints out of {periods}, and one matching record gives one "
        f"(missing data is treated as {alarm.treat_missing})."
    )


def _measures(alarm: MetricAlarm) -> str:
    if alarm.is_math:
        return "the expression"
    return alarm.queries[0].statistic or "the statistic"


def _shown(alarm: MetricAlarm, sources: Sources) -> str:
    values = _values(alarm, sources, busy=False, low=True)
    value = values[(len(values) - 1) // 2]
    return f"{value:g}" if isinstance(value, float | int) else str(value)
