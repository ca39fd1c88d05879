"""Composite alarms, alarms on log queries, and what DescribeAlarms returns of each kind.

moto has composite alarms in its backend and no call that makes one, answers every kind whatever was asked for,
and begins an alarm that is put again from OK. A log alarm is kept as a moto alarm with its own parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.utils import parse_timestamp
from moto.cloudwatch.models import cloudwatch_backends

from localcloud.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from localcloud.calls import ApiRequest

COMPOSITE = "CompositeAlarm"
METRIC = "MetricAlarm"
LOG = "LogAlarm"
LISTS = {METRIC: "MetricAlarms", COMPOSITE: "CompositeAlarms", LOG: "LogAlarms"}
SUPPRESSION = ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
# What an alarm on a log query has of its own: the rest is as with every alarm.
LOG_MEMBERS = (
    "ScheduledQueryConfiguration",
    "QueryResultsToEvaluate",
    "QueryResultsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "ActionLogLineCount",
    "ActionLogLineRoleArn",
)


def kind_of(alarm: Any) -> str:
    """One of the values of DescribeAlarms' AlarmTypes."""
    if getattr(alarm, "log_query", None):
        return LOG
    return METRIC if alarm.rule is None else COMPOSITE


def put_metric_alarm(call: ApiRequest, account_id: str, ask: Callable[[], Any]) -> Any:
    """PutMetricAlarm: an alarm of the same name is replaced, and keeps its state."""
    alarms, name = cloudwatch_backends[account_id][call.region].alarms, str(call.params["AlarmName"])
    before = alarms.get(name)
    answered = ask()
    if name in alarms and alarms[name] is not before:
        keep_state(alarms[name], before)
    return answered


def put_composite_alarm(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """PutCompositeAlarm: an alarm of the same name is replaced, and keeps its state."""
    alarm = _put(call, account_id, str(call.params["AlarmRule"]))
    alarm.suppression = {name: call.params[name] for name in SUPPRESSION if name in call.params}
    return {}


def put_log_alarm(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """PutLogAlarm: kept and described; log queries are not run here."""
    alarm = _put(call, account_id, None)
    alarm.log_query = {name: call.params[name] for name in LOG_MEMBERS if name in call.params}
    return {}


def _put(call: ApiRequest, account_id: str, rule: str | None) -> Any:
    backend, params = cloudwatch_backends[account_id][call.region], call.params
    existing = backend.alarms.get(params["AlarmName"])
    if existing is not None and (kind_of(existing) == COMPOSITE) != (rule is not None):
        raise AwsError("ValidationError", f"Alarm {params['AlarmName']} exists and is of another type.")
    alarm = backend.put_metric_alarm(
        name=params["AlarmName"],
        namespace=None,
        metric_name=None,
        comparison_operator=None,
        evaluation_periods=None,
        period=None,
        threshold=None,
        statistic=None,
        description=params.get("AlarmDescription"),
        dimensions=[],
        alarm_actions=list(params.get("AlarmActions", [])),
        ok_actions=list(params.get("OKActions", [])),
        insufficient_data_actions=list(params.get("InsufficientDataActions", [])),
        actions_enabled=params.get("ActionsEnabled", True),
        rule=rule,
        tags=params.get("Tags"),
    )
    keep_state(alarm, existing)
    return alarm


def keep_state(alarm: Any, before: Any | None) -> None:
    """Give an alarm that was put again the state that it had; putting an alarm evaluates nothing."""
    if before is not None:
        for name in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
            setattr(alarm, name, getattr(before, name))


def describe_alarms(call: ApiRequest, account_id: str, answered: Mapping[str, Any]) -> Mapping[str, Any]:
    """DescribeAlarms by type, a hundred at a time: metric alarms alone where no type is asked for."""
    alarms = cloudwatch_backends[account_id][call.region].alarms
    wanted = call.params.get("AlarmTypes") or [METRIC]
    described: list[tuple[str, dict[str, Any]]] = [
        (kind, _described(kind, alarms[item["AlarmName"]], item))
        for item in (*answered.get("MetricAlarms", ()), *answered.get("CompositeAlarms", ()))
        if (kind := kind_of(alarms[item["AlarmName"]])) in wanted
    ]
    start = int(call.params.get("NextToken") or 0)
    end = start + int(call.params.get("MaxRecords") or 100)
    page: dict[str, Any] = {LISTS[kind]: _of(kind, described[start:end]) for kind in (METRIC, COMPOSITE, *wanted)}
    return page | {"NextToken": str(end)} if end < len(described) else page


def _of(kind: str, described: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [item for each, item in described if each == kind]


def _described(kind: str, alarm: Any, item: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: _time(value) if name.endswith("Timestamp") else value for name, value in item.items()}
    if kind == COMPOSITE:
        return shown | getattr(alarm, "suppression", {})
    return shown | alarm.log_query if kind == LOG else shown


def _time(value: Any) -> Any:
    return parse_timestamp(value) if isinstance(value, str) else value


ANSWERS: dict[str, Callable[[ApiRequest, str], Mapping[str, Any]]] = {
    "PutCompositeAlarm": put_composite_alarm,
    "PutLogAlarm": put_log_alarm,
}
