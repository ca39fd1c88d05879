"""What an alarm compares with its threshold: one value for each of its latest periods, oldest first.

Metric math is evaluated by sgwatch's own reading of it, as filter patterns are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.alarm_path.alarms.metric_math import UnknownMathError, evaluate

Values = list[float | None]
STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "SampleCount": len,
    "Minimum": min,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
}
PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")
MINUTE = 60


@dataclass(frozen=True, slots=True)
class Datapoint:
    """One value of a metric."""

    account_id: str
    region: str
    namespace: str
    name: str
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class WatchedMetric:
    """One metric of an alarm; ``id`` is that of its query, and ``m`` for an alarm on one metric."""

    id: str
    namespace: str
    name: str
    period: int
    statistic: str


def watched(alarm: Any) -> Iterator[WatchedMetric]:
    """The metrics of an alarm. None of those with dimensions, which no metric filter here publishes."""
    if alarm.metric_name and not alarm.dimensions:
        statistic = alarm.statistic or alarm.extended_statistic or "Sum"
        yield WatchedMetric("m", alarm.namespace, alarm.metric_name, int(alarm.period or MINUTE), statistic)
    for query in alarm.metric_data_queries or ():
        stat = query.metric_stat
        if stat is not None and not stat.metric.dimensions:
            period = int(stat.period or MINUTE)
            yield WatchedMetric(query.id, stat.metric.namespace, stat.metric.metric_name, period, stat.stat)


def period_of(alarm: Any) -> int:
    """An alarm's period in seconds; for metric math the longest of its metrics."""
    return max((metric.period for metric in watched(alarm)), default=MINUTE)


def values_of(alarm: Any, datapoints: Sequence[Datapoint], now: float) -> Values | None:
    """The values of the periods that an alarm evaluates; None where its expression is not understood."""
    period, length = period_of(alarm), int(alarm.evaluation_periods or 1)
    spans = [(now - period * (n + 1), now - period * n) for n in reversed(range(length))]
    series = {metric.id: _statistics(metric, datapoints, spans) for metric in watched(alarm)}
    if not alarm.metric_data_queries:
        return series.get("m", [None] * length)
    try:
        return _returned(alarm.metric_data_queries, series, length, period)
    except UnknownMathError:
        return None


def _statistics(metric: WatchedMetric, datapoints: Iterable[Datapoint], spans: Sequence[tuple[float, float]]) -> Values:
    mine = [item for item in datapoints if (item.namespace, item.name) == (metric.namespace, metric.name)]
    within = ([item.value for item in mine if begin < item.at <= end] for begin, end in spans)
    return [statistic(metric.statistic, values) if values else None for values in within]


def statistic(name: str, values: list[float]) -> float:
    """A statistic of one period's values; a percentile is that of the nearest rank."""
    if percentile := PERCENTILE.fullmatch(name):
        ranked = sorted(values)
        return ranked[min(len(ranked) - 1, int(len(ranked) * float(percentile[1]) / 100))]
    chosen: Callable[[list[float]], float] = STATISTICS.get(name, sum)
    return chosen(values)


def _returned(queries: Sequence[Any], series: Mapping[str, Values], length: int, period: int) -> Values | None:
    """The series of the query that returns data, its expressions evaluated as soon as what they name is known."""
    known: dict[str, Any] = {name: tuple(values) for name, values in series.items()}
    metrics = dict(known)
    waiting = [query for query in queries if query.expression]
    while waiting:
        ready = [query for query in waiting if not _named(query, waiting)]
        if not ready:
            return None
        for query in ready:
            visible = metrics if "METRICS" in query.expression.upper() else known
            known[query.id] = evaluate(query.expression, visible, length, period)
        waiting = [query for query in waiting if query not in ready]
    returning = next((query.id for query in queries if query.return_data in (True, "true", None)), None)
    values = known.get(returning or "")
    return None if values is None else [value if isinstance(value, int | float) else None for value in values]


def _named(query: Any, waiting: Iterable[Any]) -> bool:
    names = set(re.findall(r"[A-Za-z_]\w*", query.expression))
    return any(other.id in names for other in waiting if other is not query)
