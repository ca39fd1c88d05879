"""The CloudWatch alarm path, live: metric filters on delivered records, alarms, their topics.

What a filter pattern means is given by the caller. An alarm is judged as soon as a datapoint comes,
where AWS takes up to a minute.
"""

from __future__ import annotations

import json
import operator
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import logs_backends
from moto.sns.models import sns_backends

from localcloud import trails
from localcloud.topics import PENDING

if TYPE_CHECKING:
    import threading

PatternMatches = Callable[[str, Mapping[str, Any]], bool]

COMPARISONS = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "SampleCount": len,
    "Minimum": min,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
}
KEPT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Datapoint:
    """One value of a metric."""

    account_id: str
    region: str
    namespace: str
    name: str
    value: float
    at: float


@dataclass(slots=True)
class AlarmEngine:
    """Runs records through metric filters and alarms."""

    lock: threading.RLock
    matches: PatternMatches
    datapoints: list[Datapoint] = field(default_factory=list)

    def take(self, record: Mapping[str, Any]) -> None:
        """Deliver a record to log groups and act on what it sets off."""
        with self.lock:
            made = [
                datapoint
                for group in trails.deliver(record)
                for metric_filter in self._filters(*group)
                for datapoint in self._datapoints(group, metric_filter, record)
            ]
            self.datapoints.extend(made)
        for datapoint in made:
            self._judge_alarms(datapoint)

    def _filters(self, account_id: str, region: str, group: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = logs_backends[account_id][region].filters.metric_filters
        latest = {item["filterName"]: item for item in found if item["logGroupName"] == group}
        return list(latest.values())

    def _datapoints(
        self, group: tuple[str, str, str], metric_filter: Mapping[str, Any], record: Mapping[str, Any]
    ) -> Iterable[Datapoint]:
        if not self.matches(metric_filter["filterPattern"], record):
            return
        for metric in metric_filter["metricTransformations"]:
            value = _value(str(metric["metricValue"]), record)
            if value is not None:
                yield Datapoint(*group[:2], metric["metricNamespace"], metric["metricName"], value, time.time())

    def _judge_alarms(self, datapoint: Datapoint) -> None:
        for alarm in list(cloudwatch_backends[datapoint.account_id][datapoint.region].alarms.values()):
            if (alarm.namespace, alarm.metric_name) == (datapoint.namespace, datapoint.name) and not alarm.dimensions:
                self.judge(alarm, datapoint.account_id)

    def tick(self) -> None:
        """Judge the alarms that are firing: their periods may have passed."""
        oldest = time.time() - KEPT_SECONDS
        self.datapoints = [item for item in self.datapoints if item.at > oldest]
        for account_id, regions in list(cloudwatch_backends.items()):
            for backend in list(regions.values()):
                for alarm in list(backend.alarms.values()):
                    if alarm.state_value == "ALARM" and alarm.metric_name:
                        self.judge(alarm, account_id)

    def judge(self, alarm: Any, account_id: str) -> None:
        """Set an alarm's state from its metric, and act when the state changes."""
        state = self._state(alarm, account_id)
        if state is None or state == alarm.state_value:
            return
        before = alarm.state_value
        reason = f"Threshold Crossed: the state was judged {state} against {alarm.threshold}"
        with self.lock:
            alarm.update_state(reason, json.dumps({"version": "1.0"}), state)
        actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}.get(state, alarm.insufficient_data_actions)
        if alarm.actions_enabled:
            for arn in actions:
                self._act(arn, alarm, account_id, before, reason)

    def _state(self, alarm: Any, account_id: str) -> str | None:
        period, wanted = int(alarm.period or 60), int(alarm.evaluation_periods or 1)
        needed = int(alarm.datapoints_to_alarm or wanted)
        now = time.time()
        mine = [
            item
            for item in self.datapoints
            if (item.account_id, item.region) == (account_id, alarm.region_name)
            and (item.namespace, item.name) == (alarm.namespace, alarm.metric_name)
        ]
        spans = [(now - period * (n + 1), now - period * n) for n in range(wanted)]
        values = [[item.value for item in mine if begin < item.at <= end] for begin, end in spans]
        treat = alarm.treat_missing_data or "missing"
        if not any(values) and treat != "breaching":
            return {"notBreaching": "OK", "ignore": None}.get(treat, "INSUFFICIENT_DATA")
        breaching = sum(_breaches(alarm, span) if span else treat == "breaching" for span in values)
        return "ALARM" if breaching >= needed else "OK"

    def _act(self, arn: str, alarm: Any, account_id: str, before: str, reason: str) -> None:
        if ":sns:" not in arn:
            return
        parts = arn.split(":")
        with self.lock:
            backend = sns_backends[parts[4]][parts[3]]
            if arn in backend.topics:
                subject = f'{alarm.state_value}: "{alarm.name}" in {alarm.region_name}'
                backend.publish(message=_notice(alarm, account_id, before, reason), arn=arn, subject=subject[:100])


def _breaches(alarm: Any, values: list[float]) -> bool:
    statistic = STATISTICS.get(alarm.statistic or "", STATISTICS["Sum"])
    comparison = COMPARISONS.get(alarm.comparison_operator)
    return comparison is not None and bool(comparison(statistic(values), float(alarm.threshold)))


def _value(text: str, record: Mapping[str, Any]) -> float | None:
    value: Any = text
    if text.startswith("$."):
        value = record
        for part in text[2:].split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _notice(alarm: Any, account_id: str, before: str, reason: str) -> str:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html."""
    return json.dumps(
        {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": account_id,
            "NewStateValue": alarm.state_value,
            "NewStateReason": reason,
            "StateChangeTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
            "Region": alarm.region_name,
            "AlarmArn": alarm.alarm_arn,
            "OldStateValue": before,
            "Trigger": {
                "MetricName": alarm.metric_name,
                "Namespace": alarm.namespace,
                "Statistic": str(alarm.statistic).upper(),
                "Period": alarm.period,
                "EvaluationPeriods": alarm.evaluation_periods,
                "ComparisonOperator": alarm.comparison_operator,
                "Threshold": alarm.threshold,
            },
        }
    )


def chain() -> list[dict[str, str]]:
    """The alarm path as it stands, one link per thing found: ``kind``, ``name``, ``state``, ``note``."""
    links = []
    for trail in trails.trails():
        state = "pass" if trail.status.is_logging else "fail"
        links.append(_link("trail", trail.trail_name, state, "logging" if state == "pass" else "not logging"))
        group = trails.log_group_of(trail)
        links.append(_link("log group", group[2] if group else "none", "pass" if group else "fail"))
        filters = logs_backends[group[0]][group[1]].filters.metric_filters if group else []
        links += [_link("metric filter", item["filterName"], "pass") for item in filters]
    for account_id, regions in list(cloudwatch_backends.items()):
        for region, backend in list(regions.items()):
            for alarm in list(backend.alarms.values()):
                if str(alarm.namespace).startswith("AWS/"):  # AWS's own metrics, which no metric filter can publish
                    continue
                links.append(_link("alarm", alarm.name, "pass" if alarm.actions_enabled else "fail", alarm.state_value))
                links += _subscribers(account_id, region, alarm.alarm_actions)
    return links


def _subscribers(account_id: str, region: str, actions: Iterable[str]) -> Iterable[dict[str, str]]:
    backend = sns_backends[account_id][region]
    for arn in actions:
        if ":sns:" not in arn:
            continue
        yield _link("topic", arn.rsplit(":", maxsplit=1)[-1], "pass" if arn in backend.topics else "fail")
        own = [item for item in backend.subscriptions.values() if item.topic.arn == arn]
        for item in own:
            state, note = ("fail", "not confirmed") if item.arn == PENDING else ("pass", "")
            yield _link("subscriber", item.endpoint, state, note)
        if not own:
            yield _link("subscriber", "none", "fail")


def _link(kind: str, name: str, state: str, note: str = "") -> dict[str, str]:
    return {"kind": kind, "name": name, "state": state, "note": note}
