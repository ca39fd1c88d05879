"""The datapoints that an alarm compares, around one record that matches the filter feeding it.

What a period holds besides the record is not known, so every uncertain statistic is worked out at both
ends of what is possible; a period whose two ends disagree is neither breaching nor not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from chalicelib.alarm_path.alarms.metric_math import evaluate
from chalicelib.alarm_path.alarms.metric_series import UNSURE, Series, UnknownMathError, Unsure, Value
from chalicelib.alarm_path.snapshot.alarms import MetricAlarm, MetricQuery

# A metric filter publishes once a minute; no alarm can know of a record sooner.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html
FILTER_INTERVAL = 60

# The smallest share that one datapoint can have of an average: more log events a period nobody has.
_DILUTION = 1e-9

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
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


Sources = Callable[[MetricQuery], Emission | None]


def period_of(alarm: MetricAlarm) -> int:
    """The alarm's period in seconds; for metric math the longest of its metrics."""
    return max((query.period for query in alarm.queries), default=0) or FILTER_INTERVAL


def points_around(alarm: MetricAlarm, sources: Sources, *, busy: bool) -> list[Point]:
    """The alarm's periods around the record, which is in period ``evaluation_periods`` + 1."""
    ends = [values_around(alarm, sources, busy=busy, low=low) for low in (True, False)]
    compare, threshold = COMPARISONS[alarm.comparison], alarm.threshold or 0.0
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


def values_around(alarm: MetricAlarm, sources: Sources, *, busy: bool, low: bool) -> Series:
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
