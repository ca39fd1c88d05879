"""The CloudWatch alarm path, live: metric filters on delivered records, alarms, their topics.

What a filter pattern means is given by the caller. An alarm is judged as soon as a datapoint comes,
where AWS takes up to a minute; alarms on metric math and composite alarms as well, and mute rules hold
their actions back.
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

from chalicelib.alarm_path.alarms.composite_rule import RuleError, alarms_in, holds, parse_rule
from localcloud import trails
from localcloud.alarm_series import MINUTE, Datapoint, values_of, watched
from localcloud.gaps.mute_rules import is_muted
from localcloud.topics import PENDING

if TYPE_CHECKING:
    import threading

    from localcloud.calls import ApiRequest

PatternMatches = Callable[[str, Mapping[str, Any]], bool]

COMPARISONS = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
KEPT_SECONDS = 86_400


@dataclass(slots=True)
class AlarmEngine:
    """Runs records through metric filters and alarms."""

    lock: threading.RLock
    matches: PatternMatches
    datapoints: list[Datapoint] = field(default_factory=list)

    def take(self, record: Mapping[str, Any]) -> None:
        """Deliver a record to log groups and act on what it sets off."""
        with self.lock:
            made: list[Datapoint] = []
            for group in trails.deliver(record):
                for metric_filter in self._filters(*group):
                    made.extend(self._datapoints(group, metric_filter, record))
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
        matched = self.matches(metric_filter["filterPattern"], record)
        for metric in metric_filter["metricTransformations"]:
            published = metric["metricValue"] if matched else self._default(group, metric)
            value = None if published is None else _value(str(published), record)
            if value is not None:
                yield Datapoint(*group[:2], metric["metricNamespace"], metric["metricName"], value, time.time())

    def _default(self, group: tuple[str, str, str], metric: Mapping[str, Any]) -> Any:
        """What a filter publishes for log events that do not match: once in a minute without another datapoint.

        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html
        """
        wanted, since = (*group[:2], metric["metricNamespace"], metric["metricName"]), time.time() - MINUTE
        recent = (item for item in self.datapoints if item.at > since)
        published = any((item.account_id, item.region, item.namespace, item.name) == wanted for item in recent)
        return None if published else metric.get("defaultValue")

    def _judge_alarms(self, datapoint: Datapoint) -> None:
        for alarm in list(cloudwatch_backends[datapoint.account_id][datapoint.region].alarms.values()):
            if any((each.namespace, each.name) == (datapoint.namespace, datapoint.name) for each in watched(alarm)):
                self.judge(alarm, datapoint.account_id)

    def tick(self) -> None:
        """Judge the alarms with datapoints again: their periods may have passed, or somebody has set their state."""
        oldest = time.time() - KEPT_SECONDS
        self.datapoints = [item for item in self.datapoints if item.at > oldest]
        published = {(item.account_id, item.region, item.namespace, item.name) for item in self.datapoints}
        for account_id, regions in list(cloudwatch_backends.items()):
            for region, backend in list(regions.items()):
                for alarm in list(backend.alarms.values()):
                    metrics = {(account_id, region, each.namespace, each.name) for each in watched(alarm)}
                    if metrics & published:
                        self.judge(alarm, account_id)

    def judge(self, alarm: Any, account_id: str) -> None:
        """Set an alarm's state from its metrics, and act when the state changes."""
        state = self._state(alarm, account_id)
        if state is not None and state != alarm.state_value:
            self._change(alarm, account_id, state, f"Threshold Crossed: {state} against {alarm.threshold}")

    def state_set(self, call: ApiRequest, account_id: str, ask: Callable[[], Any]) -> Any:
        """SetAlarmState, which acts as any change of state does; the next evaluation sets the alarm's own state."""
        alarms = cloudwatch_backends[account_id][call.region].alarms
        alarm = alarms.get(str(call.params["AlarmName"]))
        before = None if alarm is None else alarm.state_value
        answered = ask()
        if alarm is not None and alarm.state_value != before:
            self.changed(alarm, account_id, str(before))
        return answered

    def _change(self, alarm: Any, account_id: str, state: str, reason: str) -> None:
        before = alarm.state_value
        with self.lock:
            alarm.update_state(reason, json.dumps({"version": "1.0"}), state)
        self.changed(alarm, account_id, before)

    def changed(self, alarm: Any, account_id: str, before: str) -> None:
        """Do what an alarm does on a change of its state, and judge the composite alarms that name it."""
        state = alarm.state_value
        actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}.get(state, alarm.insufficient_data_actions)
        if alarm.actions_enabled and not self._is_silent(alarm, account_id):
            for arn in actions:
                self._act(arn, alarm, account_id, before)
        for composite in list(cloudwatch_backends[account_id][alarm.region_name].alarms.values()):
            if composite.rule is not None and {alarm.name, alarm.alarm_arn} & _named_in(composite.rule):
                self.judge_composite(composite, account_id)

    def judge_composite(self, alarm: Any, account_id: str) -> None:
        """Set a composite alarm's state from the states of the alarms that its rule names."""
        alarms = cloudwatch_backends[account_id][alarm.region_name].alarms

        def state_of(name: str) -> str | None:
            named = alarms.get(name.rpartition(":")[2])
            return None if named is None else str(named.state_value)

        try:
            verdict = holds(parse_rule(alarm.rule), state_of)
        except RuleError:
            return
        state = "ALARM" if verdict else "OK"
        if state != alarm.state_value:
            self._change(alarm, account_id, state, f"{alarm.rule} is {str(bool(verdict)).lower()}")

    def _is_silent(self, alarm: Any, account_id: str) -> bool:
        """Whether a mute rule, or the suppressor of a composite alarm, holds the actions back."""
        if is_muted(account_id, alarm.region_name, alarm.name, datetime.now(UTC)):
            return True
        suppressor = getattr(alarm, "suppression", {}).get("ActionsSuppressor")
        if not suppressor:
            return False
        named = cloudwatch_backends[account_id][alarm.region_name].alarms.get(suppressor.rpartition(":")[2])
        return named is not None and named.state_value == "ALARM"

    def _state(self, alarm: Any, account_id: str) -> str | None:
        compare = COMPARISONS.get(alarm.comparison_operator)
        mine = [item for item in self.datapoints if (item.account_id, item.region) == (account_id, alarm.region_name)]
        values = None if compare is None else values_of(alarm, mine, time.time())
        if compare is None or values is None:
            return None
        treat = alarm.treat_missing_data or "missing"
        if treat != "breaching" and all(value is None for value in values):
            return {"notBreaching": "OK", "ignore": None}.get(treat, "INSUFFICIENT_DATA")
        breaching = sum(
            treat == "breaching" if value is None else bool(compare(value, float(alarm.threshold))) for value in values
        )
        return "ALARM" if breaching >= int(alarm.datapoints_to_alarm or alarm.evaluation_periods or 1) else "OK"

    def _act(self, arn: str, alarm: Any, account_id: str, before: str) -> None:
        if ":sns:" not in arn:
            return
        parts = arn.split(":")
        with self.lock:
            backend = sns_backends[parts[4]][parts[3]]
            if arn in backend.topics:
                subject = f'{alarm.state_value}: "{alarm.name}" in {alarm.region_name}'
                backend.publish(message=_notice(alarm, account_id, before), arn=arn, subject=subject[:100])


def _named_in(rule: str) -> frozenset[str]:
    try:
        return alarms_in(parse_rule(rule))
    except RuleError:
        return frozenset()


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


def _notice(alarm: Any, account_id: str, before: str) -> str:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html."""
    return json.dumps(
        {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": account_id,
            "NewStateValue": alarm.state_value,
            "NewStateReason": alarm.state_reason,
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
