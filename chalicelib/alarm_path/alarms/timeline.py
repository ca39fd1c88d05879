"""What a record and the log events around it publish to the metrics of an alarm, as a few columns of periods.

Before, in and after the period of the record traffic is uniform, so six columns stand for any number of
periods: two before, the record's own, and three after (RATE, DIFF and FILL look at a period's neighbors).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from chalicelib.alarm_path.alarms.metric_math import Interpretation, evaluate
from chalicelib.alarm_path.alarms.metric_series import UNSURE, Series, UnknownMathError, Value
from chalicelib.alarm_path.alarms.statistics import Sample, statistic
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import MetricAlarm, MetricQuery

# A metric filter publishes once a minute; no alarm can know of a record sooner.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html
FILTER_INTERVAL = 60

COLUMNS = 6
RECORD_COLUMN = 2


@dataclass(frozen=True, slots=True)
class Publication:
    """What one metric filter publishes for one log event, and to which query's metric.

    ``matched``: the value of a match, else the default value. ``value`` None: nobody can say what.
    """

    query: str
    publisher: int
    value: float | None
    matched: bool


@dataclass(frozen=True, slots=True)
class Published:
    """What one log event brings to one query: how often each value, of matches and of defaults by their filter.

    ``unknown``: nobody can say what value; ``publishers`` are the filters that match.
    """

    unknown: bool
    matches: Counter[float]
    defaults: Counter[float]
    default_of: Mapping[int, Sequence[float]]
    publishers: frozenset[int]


class LogEvent(tuple[Publication, ...]):
    """Everything that the filters publish for one log event; many scenes count one by query, which is done once."""

    @cached_property
    def by_query(self) -> Mapping[str, Published]:
        """What it brings to each query."""
        found: dict[str, list[Publication]] = {}
        for item in self:
            found.setdefault(item.query, []).append(item)
        return {query: _counted(items) for query, items in found.items()}


def _counted(items: Sequence[Publication]) -> Published:
    matches, defaults = Counter[float](), Counter[float]()
    default_of: dict[int, list[float]] = {}
    for item in items:
        if item.value is not None and item.matched:
            matches[item.value] += 1
        elif item.value is not None:
            defaults[item.value] += 1
            default_of.setdefault(item.publisher, []).append(item.value)
    unknown = any(item.value is None for item in items)
    return Published(unknown, matches, defaults, default_of, frozenset(i.publisher for i in items if i.matched))


# Log events of one kind, and how many of them.
Traffic = tuple[tuple[LogEvent, int], ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """The record, and the other log events in the periods before it, in its own and in those after it.

    ``outside`` are the values of metrics that no collected filter publishes, by query: None for no datapoint.
    """

    record: LogEvent
    before: Traffic = ()
    beside: Traffic = ()
    after: Traffic = ()
    outside: Mapping[str, Value] = field(default_factory=dict)


def period_of(alarm: MetricAlarm) -> int:
    """The alarm's period in seconds; for metric math the longest of its metrics."""
    return max((query.period for query in alarm.queries), default=0) or FILTER_INTERVAL


def series_of(alarm: MetricAlarm, scene: Scene, reading: Interpretation) -> Series:
    """The six columns that the alarm compares. Raises UnknownMathError."""
    periods = [_by_query(traffic) for traffic in (scene.before, ((scene.record, 1), *scene.beside), scene.after)]
    metrics = {
        query.id: _metric(query, scene, periods, reading)
        for query in alarm.queries
        if not query.expression or query.insights is not None
    }
    series, period = dict(metrics), period_of(alarm)
    for query in _in_order(alarm.queries):
        # METRICS() means the metrics and not the other expressions.
        visible = metrics if "METRICS" in (query.expression or "").upper() else series
        series[query.id] = evaluate(query.expression or "", visible, COLUMNS, period, reading)
    shown = [query for query in alarm.queries if query.returns]
    if len(shown) != 1:
        raise UnknownMathError("it does not return exactly one time series")
    return series[shown[0].id]


def _in_order(queries: Sequence[MetricQuery]) -> list[MetricQuery]:
    """Expressions after the expressions they use."""
    waiting = {query.id: query for query in queries if query.expression and query.insights is None}
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


_ByQuery = Mapping[str, Sequence[tuple[Published, int]]]


def _metric(query: MetricQuery, scene: Scene, periods: Sequence[_ByQuery], reading: Interpretation) -> Series:
    if query.id in scene.outside:
        return (scene.outside[query.id],) * COLUMNS
    before, record, after = (_value(query, period.get(query.id, ()), reading) for period in periods)
    return (before, before, record, after, after, after)


def _by_query(traffic: Traffic) -> _ByQuery:
    """What is published in one period, by query."""
    found: dict[str, list[tuple[Published, int]]] = {}
    for log_event, count in traffic:
        for query, published in log_event.by_query.items():
            found.setdefault(query, []).append((published, count))
    return found


def _value(query: MetricQuery, found: Sequence[tuple[Published, int]], reading: Interpretation) -> Value:
    if not found:
        return None if query.insights is not None else statistic(query.statistic, ())
    # How often AWS runs a Metrics Insights query of an alarm, and over which datapoints, is not documented.
    if query.insights is not None or any(published.unknown for published, _ in found):
        return UNSURE
    return statistic(query.statistic, _samples(found, reading))


def _samples(found: Sequence[tuple[Published, int]], reading: Interpretation) -> list[Sample]:
    silenced = frozenset[int]()
    if not reading.defaults_beside_match:
        silenced = silenced.union(*(published.publishers for published, _ in found))
    samples = Counter[float]()
    for published, count in found:
        for value, times in published.matches.items():
            samples[value] += times * count
        if silenced.issuperset(published.default_of):
            continue
        for value, times in published.defaults.items():
            samples[value] += times * count
        for publisher in silenced & published.default_of.keys():
            for value in published.default_of[publisher]:
                samples[value] -= count
    return [(value, count) for value, count in samples.items() if count]
