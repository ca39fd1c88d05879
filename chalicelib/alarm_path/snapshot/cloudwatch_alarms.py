"""CloudWatch alarms as DescribeAlarms gives them, read into types.

An alarm on one metric and an alarm on metric math differ only in ``queries``: the single metric is
read as one query, so that checks read one shape.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Json = Mapping[str, Any]

# Seven days of one-minute periods: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
MOST_PERIODS = 10_080

# What an expression names: metrics and expressions by their ids, and functions, of which METRICS() is every metric.
_NAME = re.compile(r"[A-Za-z_]\w*")
_EVERY_METRIC = {"METRICS", "metrics"}


@dataclass(frozen=True, slots=True)
class InsightsQuery:
    """What a Metrics Insights query reads: the dimensions of FROM SCHEMA(…), and what WHERE asks of them.

    ``schema`` is None where any dimensions will do; ``where`` is None where the condition is more than an AND of
    equalities. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
    """

    schema: frozenset[str] | None
    where: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """One entry of an alarm's Metrics: a metric with a statistic, or an expression over the others.

    A Metrics Insights query is an expression that names a metric, and has ``insights``.
    """

    id: str
    expression: str | None
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    period: int
    statistic: str
    unit: str | None
    returns: bool
    account_id: str | None
    insights: InsightsQuery | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name of the metric."""
        return self.namespace, self.metric


@dataclass(frozen=True, slots=True)
class Actions:
    """What an alarm does on a change of state; ``sends_tags``: whether its notifications hold its tags."""

    enabled: bool
    on_alarm: tuple[str, ...]
    on_ok: tuple[str, ...]
    on_insufficient_data: tuple[str, ...]
    sends_tags: bool

    @classmethod
    def read(cls, item: Json) -> Actions:
        """From either kind of alarm."""
        propagation = (item.get("ActionConfiguration") or {}).get("AlarmTagsPropagation") or {}
        return cls(
            enabled=bool(item.get("ActionsEnabled", True)),
            on_alarm=_actions(item.get("AlarmActions")),
            on_ok=_actions(item.get("OKActions")),
            on_insufficient_data=_actions(item.get("InsufficientDataActions")),
            sends_tags=bool(propagation.get("Enabled")),
        )


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The time after an alarm's creation or change in which it does not act, as ``WarmUpConfiguration`` has it."""

    minutes: int
    since: datetime | None

    @classmethod
    def read(cls, item: Json) -> WarmUp | None:
        """From an item of DescribeAlarms; None where the alarm has no such time."""
        found = item.get("WarmUpConfiguration")
        minutes = _whole(found.get("WarmUpPeriodDurationInMinutes"), 0) if isinstance(found, Mapping) else 0
        since = parse_time(item.get("AlarmConfigurationUpdatedTimestamp"))
        return cls(minutes, since) if minutes > 0 else None

    def over(self, now: datetime | None) -> bool | None:
        """Whether the time is over; None where that is not known."""
        if self.since is None or now is None:
            return None
        return now >= self.since + timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class MetricAlarm:
    """One item of DescribeAlarms' MetricAlarms."""

    name: str
    arn: str
    state: str | None
    actions: Actions
    queries: tuple[MetricQuery, ...]
    threshold: float | None
    comparison: str
    evaluation_periods: int
    datapoints_to_alarm: int
    treat_missing: str
    low_sample_percentile: str
    is_math: bool
    is_anomaly: bool
    wall_clock: bool
    evaluation_state: str | None
    state_reason: str
    description: str
    warm_up: WarmUp | None = None

    # What the series compared is made of, and the metrics among it; others of its Metrics do not matter to the alarm.
    used: tuple[MetricQuery, ...] = field(init=False, compare=False, repr=False)
    watched: tuple[MetricQuery, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        used = _used(self.queries)
        watched = tuple(query for query in used if query.insights is not None or not query.expression)
        object.__setattr__(self, "used", used)
        object.__setattr__(self, "watched", watched)

    @property
    def only_metric(self) -> tuple[str, str] | None:
        """Namespace and name of the metric of an alarm that is on one alone."""
        return None if self.is_math or len(self.watched) != 1 else self.watched[0].key

    @classmethod
    def read(cls, item: Json) -> MetricAlarm:
        """From an item of DescribeAlarms."""
        periods = min(max(1, _whole(item.get("EvaluationPeriods"), 1)), MOST_PERIODS)
        threshold = item.get("Threshold")
        window = item.get("EvaluationWindow")
        return cls(
            name=str(item.get("AlarmName") or ""),
            arn=str(item.get("AlarmArn") or ""),
            state=text_or_none(item.get("StateValue")),
            actions=Actions.read(item),
            queries=_queries(item),
            threshold=number_of(threshold) if isinstance(threshold, int | float) else None,
            comparison=str(item.get("ComparisonOperator") or ""),
            evaluation_periods=periods,
            datapoints_to_alarm=min(max(1, _whole(item.get("DatapointsToAlarm"), periods)), periods),
            treat_missing=str(item.get("TreatMissingData") or "missing"),
            low_sample_percentile=str(item.get("EvaluateLowSampleCountPercentile") or "evaluate"),
            is_math=bool(item.get("Metrics")),
            is_anomaly=bool(item.get("ThresholdMetricId")),
            wall_clock=isinstance(window, Mapping) and "WallClockWindow" in window,
            evaluation_state=text_or_none(item.get("EvaluationState")),
            state_reason=str(item.get("StateReason") or ""),
            description=str(item.get("AlarmDescription") or ""),
            warm_up=WarmUp.read(item),
        )


@dataclass(frozen=True, slots=True)
class CompositeAlarm:
    """One item of DescribeAlarms' CompositeAlarms."""

    name: str
    arn: str
    state: str | None
    actions: Actions
    description: str
    rule: str
    suppressor: str | None
    suppressor_wait: int

    @classmethod
    def read(cls, item: Json) -> CompositeAlarm:
        """From an item of DescribeAlarms."""
        return cls(
            name=str(item.get("AlarmName") or ""),
            arn=str(item.get("AlarmArn") or ""),
            state=text_or_none(item.get("StateValue")),
            actions=Actions.read(item),
            description=str(item.get("AlarmDescription") or ""),
            rule=str(item.get("AlarmRule") or ""),
            suppressor=text_or_none(item.get("ActionsSuppressor")),
            suppressor_wait=_whole(item.get("ActionsSuppressorWaitPeriod"), 0),
        )


@dataclass(frozen=True, slots=True)
class LogAlarm:
    """One item of DescribeAlarms' LogAlarms: a composite alarm may name it."""

    name: str
    arn: str
    state: str | None

    @classmethod
    def read(cls, item: Json) -> LogAlarm:
        """From an item of DescribeAlarms."""
        return cls(
            str(item.get("AlarmName") or ""), str(item.get("AlarmArn") or ""), text_or_none(item.get("StateValue"))
        )


def _used(queries: tuple[MetricQuery, ...]) -> tuple[MetricQuery, ...]:
    wanted = [query for query in queries if query.returns]
    by_id: dict[str, list[MetricQuery]] = {}
    for query in queries:
        by_id.setdefault(query.id, []).append(query)
    found: dict[str, MetricQuery] = {}
    while wanted:
        query = wanted.pop()
        if query.id not in found:
            found[query.id] = query
            named = set(_NAME.findall(query.expression or "")) if query.insights is None else set()
            wanted += queries if named & _EVERY_METRIC else (other for name in named for other in by_id.get(name, ()))
    return tuple(query for query in queries if query.id in found)


def parse_time(value: object) -> datetime | None:
    """An ISO 8601 time or a number of seconds since 1970, as an aware UTC time; None where it is beyond the years."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if not isinstance(value, str) or not value:
            return None
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def number_of(value: Any) -> float:
    """A number; one beyond what a float holds is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def text_or_none(value: object) -> str | None:
    """Text, or None where AWS gave none."""
    return None if value is None or value == "" else str(value)


def _queries(item: Json) -> tuple[MetricQuery, ...]:
    entries = item.get("Metrics")
    if entries:
        return tuple(_query(entry, _whole(item.get("Period"), 0)) for entry in entries)
    if not item.get("MetricName"):
        return ()
    return (
        MetricQuery(
            id="",
            expression=None,
            namespace=str(item.get("Namespace") or ""),
            metric=str(item.get("MetricName") or ""),
            dimensions=_dimensions(item.get("Dimensions")),
            period=_whole(item.get("Period"), 60),
            statistic=str(item.get("Statistic") or item.get("ExtendedStatistic") or ""),
            unit=text_or_none(item.get("Unit")),
            returns=True,
            account_id=None,
        ),
    )


def _query(entry: Json, alarm_period: int) -> MetricQuery:
    stat: Json = entry.get("MetricStat") or {}
    metric: Json = stat.get("Metric") or {}
    expression = text_or_none(entry.get("Expression"))
    selected = _SELECT.match(expression or "")
    return MetricQuery(
        id=str(entry.get("Id") or ""),
        expression=expression,
        namespace=_unquoted(selected["schema_namespace"] or selected["plain"])
        if selected
        else str(metric.get("Namespace") or ""),
        metric=_unquoted(selected["metric"]) if selected else str(metric.get("MetricName") or ""),
        dimensions=_dimensions(metric.get("Dimensions")),
        period=_whole(stat.get("Period") or entry.get("Period"), alarm_period),
        statistic=str(stat.get("Stat") or ""),
        unit=text_or_none(stat.get("Unit")),
        returns=bool(entry.get("ReturnData", True)),
        account_id=text_or_none(entry.get("AccountId")),
        insights=_insights(selected) if selected else None,
    )


_WORD = r"(?:\"[^\"]+\"|[\w./-]+)"
_SELECT = re.compile(
    rf"\s*SELECT\s+\w+\s*\(\s*(?P<metric>{_WORD})\s*\)\s+FROM\s+"
    rf"(?:SCHEMA\s*\(\s*(?P<schema>(?P<schema_namespace>{_WORD})(?:\s*,\s*{_WORD})*)\s*\)|(?P<plain>{_WORD}))"
    r"(?:\s+WHERE\s+(?P<where>.+?))?(?:\s+(?:GROUP\s+BY|ORDER\s+BY|LIMIT)\b.*)?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_EQUALITY = re.compile(rf"\s*(?P<name>{_WORD})\s*=\s*'(?P<value>[^']*)'\s*")


def _unquoted(word: str) -> str:
    return word.strip('"')


def _insights(selected: re.Match[str]) -> InsightsQuery:
    schema = selected["schema"]
    names = None if schema is None else frozenset(map(_unquoted, re.findall(_WORD, schema)[1:]))
    parts = re.split(r"\bAND\b", selected["where"] or "", flags=re.IGNORECASE)
    found = [_EQUALITY.fullmatch(part) for part in parts if part.strip()]
    where = {_unquoted(item["name"]): item["value"] for item in found if item is not None}
    return InsightsQuery(names, where if None not in found else None)


def _dimensions(items: object) -> dict[str, str]:
    if not isinstance(items, list | tuple):
        return {}
    return {str(item.get("Name")): str(item.get("Value")) for item in items}


def _actions(items: object) -> tuple[str, ...]:
    return tuple(str(item) for item in items) if isinstance(items, list | tuple) else ()


def _whole(value: object, default: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return default
    try:
        return int(value)
    except (ValueError, OverflowError):
        return default
