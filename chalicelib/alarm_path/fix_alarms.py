"""Fixes of the metric filter and the alarm: a field put right, or one of sgwatch's own beside what others made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.alarm_path.checks.alarm_mutes import unmute
from chalicelib.alarm_path.fix_calls import FixCall, accepted
from chalicelib.alarm_path.fix_context import (
    CHANGES,
    NAMESPACE,
    FixContext,
    Raw,
    free_name,
    is_about_groups,
    put_alarm,
    put_filter,
)
from chalicelib.alarm_path.fix_topics import topic_calls
from chalicelib.alarm_path.standards import CLASSIC_EVENTS, EVENTS, pattern_for

CLASSIC = f"{CHANGES}-cis-1-to-4"
FILTERS = {CHANGES: EVENTS, CLASSIC: CLASSIC_EVENTS}

# The fields of an alarm that one matching record moves, and that leaves ALARM by itself.
GOOD: Raw = {
    "TreatMissingData": "notBreaching",
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "EvaluationPeriods": 1,
    "DatapointsToAlarm": 1,
    "Statistic": "Sum",
    "Period": 60,
    "Unit": None,
    "Dimensions": [],
    "EvaluateLowSampleCountPercentile": None,
    "ExtendedStatistic": None,
}
# What only goes together with another field.
_TOGETHER = {"Statistic": ("ExtendedStatistic", "EvaluateLowSampleCountPercentile")}


def filter_value(context: FixContext) -> tuple[FixCall, ...]:
    """A filter that publishes 1 for a match."""
    raw = context.raw_filter()
    if raw is None:
        return ()
    changed = [{**found, "metricValue": "1"} for found in raw.get("metricTransformations") or ()]
    return (put_filter(context, raw, {**raw, "metricTransformations": changed}, "Publish 1 for each match."),)


def filter_scope(context: FixContext) -> tuple[FixCall, ...]:
    """A filter that reads every log event as CloudTrail wrote it."""
    raw = context.raw_filter()
    if raw is None:
        return ()
    kept = {key: value for key, value in raw.items() if key not in {"fieldSelectionCriteria", "applyOnTransformedLogs"}}
    return (put_filter(context, raw, kept, "Read every log event as CloudTrail wrote it."),)


def filter_coverage(context: FixContext) -> tuple[FixCall, ...]:
    """A filter beside the one that is there, to the same metric, for the events that it does not always match."""
    raw = context.raw_filter()
    if raw is None:
        return ()
    name = str(raw.get("filterName"))
    if name in FILTERS and raw.get("filterPattern") != pattern_for(FILTERS[name]):
        return (put_filter(context, raw, {**raw, "filterPattern": pattern_for(FILTERS[name])}, "Match every event."),)
    return filter_beside(context, context.uncovered) if context.uncovered else classic_pair(context)


def filter_beside(context: FixContext, events: Sequence[str]) -> tuple[FixCall, ...]:
    """A filter of sgwatch's own that publishes 1 to the metric of the path's filter."""
    (first, *_) = (context.raw_filter() or {}).get("metricTransformations") or [{}]
    published = {**{key: value for key, value in first.items() if key != "defaultValue"}, "metricValue": "1"}
    return (_own_filter(context, events, published),)


def _own_filter(context: FixContext, events: Sequence[str], published: Raw, name: str = CHANGES) -> FixCall:
    group = context.log_group or ""
    there = [raw for raw in context.collected.of_kind("metric_filters") if raw.get("logGroupName") == group]
    before = next((raw for raw in there if raw.get("filterName") == name), None)
    if before is not None and published.get("metricName") != name:
        name, before = free_name(name, {str(raw.get("filterName")) for raw in there}), None
    fields = {
        "logGroupName": group,
        "filterName": name,
        "filterPattern": pattern_for(events),
        "metricTransformations": [published],
    }
    undo = (
        FixCall("logs", "PutMetricFilter", context.region, accepted(before))
        if before
        else FixCall("logs", "DeleteMetricFilter", context.region, {"logGroupName": group, "filterName": name})
    )
    return FixCall("logs", "PutMetricFilter", context.region, fields, f"Count {len(events)} events in {group}.", undo)


def own_metric(name: str) -> Raw:
    """What a filter of sgwatch's own publishes."""
    return {"metricName": name, "metricNamespace": NAMESPACE, "metricValue": "1", "defaultValue": 0.0}


def own_alarm(context: FixContext, published: Raw, topic: str, name: str = CHANGES) -> FixCall:
    """An alarm of sgwatch's own on a metric."""
    there, taken = context.collected.metric_alarms, context.collected.alarm_names
    metric = (published.get("metricNamespace"), published.get("metricName"))
    before = there.get(name)
    if name in taken and (before is None or (before.get("Namespace"), before.get("MetricName")) != metric):
        name, before = free_name(name, taken), None
    wanted = {key: value for key, value in GOOD.items() if value not in (None, [])}
    fields = {
        "AlarmName": name,
        "AlarmDescription": "A security group changed. Made by sgwatch repair.",
        "ActionsEnabled": True,
        "AlarmActions": [topic],
        "Namespace": metric[0],
        "MetricName": metric[1],
        **wanted,
    }
    undo = FixCall("cloudwatch", "DeleteAlarms", context.region, {"AlarmNames": [name]})
    if before is not None:
        kept = accepted(before)
        fields = {**kept, **fields, "AlarmActions": list(dict.fromkeys([*(kept.get("AlarmActions") or ()), topic]))}
        fields = {key: value for key, value in fields.items() if key not in {"Dimensions", "Unit"}}
        undo = FixCall("cloudwatch", "PutMetricAlarm", context.region, kept)
    why = "Go to ALARM on one matching record within a minute."
    return FixCall("cloudwatch", "PutMetricAlarm", context.region, fields, why, undo)


def beside(context: FixContext) -> tuple[FixCall, ...]:
    """An alarm of sgwatch's own on the path's metric, with a filter of its own too where that is not enough."""
    item = context.metric_filter
    calls, topic = topic_calls(context)
    if item is not None and not item.dimensions and not item.system_dimensions:
        published = {"metricName": item.metric, "metricNamespace": item.namespace}
        alarm = own_alarm(context, published, topic)
        if context.would_fire(dict(alarm.parameters), item.value):
            return (*calls, alarm)
    return (*calls, *pair(context, topic, CHANGES))


def pair(context: FixContext, topic: str, name: str) -> tuple[FixCall, ...]:
    """A filter and an alarm of sgwatch's own."""
    published = own_metric(name)
    return (
        _own_filter(context, FILTERS[name], published, name),
        own_alarm(context, published, topic, name),
    )


def filter_exists(context: FixContext) -> tuple[FixCall, ...]:
    """A filter for an alarm that is left without one; where there is none, sgwatch's own filters and alarms."""
    left = _alarm_without_filter(context)
    if left is not None:
        metric = {"metricName": left["MetricName"], "metricNamespace": left["Namespace"], "metricValue": "1"}
        return (_own_filter(context, EVENTS, metric),)
    calls, topic = topic_calls(context)
    return (*calls, *pair(context, topic, CHANGES), *pair(context, topic, CLASSIC))


def _alarm_without_filter(context: FixContext) -> Raw | None:
    """An alarm about security groups that no filter feeds, and that would fire if one did."""
    fed = set()
    for raw in context.collected.of_kind("metric_filters"):
        if raw.get("logGroupName") == context.log_group:
            continue
        published = raw.get("metricTransformations") or ()
        fed |= {(item.get("metricNamespace"), item.get("metricName")) for item in published}
    for raw in context.collected.of_kind("metric_alarms"):
        metric = (raw.get("Namespace"), raw.get("MetricName"))
        lone = all(metric) and metric not in fed and not str(metric[0]).startswith("AWS/")
        if lone and is_about_groups(raw) and _fires_if_fed(raw) and _notifies(context, raw):
            return raw
    return None


def _fires_if_fed(raw: Raw) -> bool:
    kept = all(raw.get(key, GOOD[key]) == GOOD[key] for key in ("EvaluationPeriods", "Statistic", "ComparisonOperator"))
    return kept and raw.get("Threshold") == 1.0 and not raw.get("Dimensions") and not raw.get("Unit")


def _notifies(context: FixContext, raw: Raw) -> bool:
    return bool(raw.get("ActionsEnabled", True)) and any(
        context.collected.topic(action) for action in raw.get("AlarmActions") or ()
    )


def alarm_exists(context: FixContext) -> tuple[FixCall, ...]:
    """An alarm on the filter's metric."""
    return beside(context)


def alarm_fires(context: FixContext) -> tuple[FixCall, ...]:
    """The fewest fields of the alarm that make it fire; the filter's value where that is what is wrong."""
    raw, item = context.raw_alarm(), context.metric_filter
    if raw is None or item is None:
        return ()
    if item.value != "1" and context.would_fire(raw, "1"):
        return filter_value(context)
    if raw.get("Metrics"):
        return beside(context)
    changes = _fewest(raw, context, item.value)
    if changes is None:
        return beside(context)
    return (put_alarm(context, raw, f"Change {', '.join(changes)}, and keep everything else.", **changes),)


def _fewest(raw: Raw, context: FixContext, value: str) -> Raw | None:
    """Which of the good fields are needed; None where all of them are not enough."""
    changes = {key: wanted for key, wanted in GOOD.items() if raw.get(key) != wanted}
    if not context.would_fire(_changed(raw, changes), value):
        return None
    for key in reversed(GOOD):
        without = {name: wanted for name, wanted in changes.items() if name not in (key, *_TOGETHER.get(key, ()))}
        if key in changes and _is_whole(raw, without) and context.would_fire(_changed(raw, without), value):
            changes = without
    return changes


def _changed(raw: Raw, changes: Raw) -> Raw:
    return {key: found for key, found in {**raw, **changes}.items() if found is not None}


def _is_whole(raw: Raw, changes: Raw) -> bool:
    """Whether AWS takes the alarm: one kind of statistic, and no more datapoints than periods."""
    fields = _changed(raw, changes)
    if ("Statistic" in fields) == ("ExtendedStatistic" in fields):
        return False
    periods = int(fields.get("EvaluationPeriods") or 1)
    return int(fields.get("DatapointsToAlarm") or periods) <= periods


def alarm_metric(context: FixContext) -> tuple[FixCall, ...]:
    """The alarm on the metric as the filter publishes it."""
    item = context.metric_filter
    if item is not None and (item.dimensions or item.system_dimensions):
        calls, topic = topic_calls(context)
        return (*calls, *pair(context, topic, CHANGES))
    return alarm_fires(context)


def alarm_actions(context: FixContext) -> tuple[FixCall, ...]:
    """The actions switched on, the mute rule lifted, or a topic named."""
    kind = "metric_alarms" if context.alarm_arn.rpartition(":")[2] == context.alarm else "composite_alarms"
    name = context.alarm_arn.rpartition(":alarm:")[2]
    raw = next((item for item in context.collected.of_kind(kind) if item.get("AlarmName") == name), None)
    if raw is None:
        return ()
    if not raw.get("ActionsEnabled", True):
        names = {"AlarmNames": [name]}
        undo = FixCall("cloudwatch", "DisableAlarmActions", context.region, names)
        return (FixCall("cloudwatch", "EnableAlarmActions", context.region, names, "Switch the actions on.", undo),)
    muting = tuple(unmute(context.collected.of_kind("alarm_mute_rules"), context.region, name))
    return muting or named_topic(context)


def named_topic(context: FixContext) -> tuple[FixCall, ...]:
    """The metric alarm with a topic among its actions."""
    raw = context.raw_alarm()
    if raw is None:
        return ()
    calls, topic = topic_calls(context)
    actions: list[Any] = list(raw.get("AlarmActions") or ())
    return (*calls, put_alarm(context, raw, "Notify the topic.", AlarmActions=[*actions, topic]))


def classic_pair(context: FixContext) -> tuple[FixCall, ...]:
    """The filter that Security Hub asks for, with its alarm."""
    calls, topic = topic_calls(context)
    return (*calls, *pair(context, topic, CLASSIC))
