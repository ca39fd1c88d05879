"""The fix of a finding: the least calls that mend its link, with every other field kept.

Each check has a row here or keeps the sentence of its check. ``repair`` plans from the same calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from chalicelib.alarm_path.check_registry import PathLink
from chalicelib.alarm_path.fix_alarms import (
    alarm_actions,
    alarm_exists,
    alarm_fires,
    alarm_metric,
    beside,
    filter_beside,
    filter_coverage,
    filter_exists,
    filter_scope,
    filter_value,
    named_topic,
    pair,
)
from chalicelib.alarm_path.fix_calls import FixCall, script
from chalicelib.alarm_path.fix_context import CHANGES, FixContext
from chalicelib.alarm_path.fix_topics import subscriber, topic_calls, topic_exists, topic_key, topic_policy
from chalicelib.alarm_path.fix_trails import (
    create_group,
    delivery,
    log_group_arn,
    multi_region,
    new_trail,
    start_logging,
    to_log_group,
    trail_events,
)
from chalicelib.alarm_path.standards import EVENTS
from chalicelib.alarm_path.verdicts import Finding, Status
from chalicelib.aws.arns import log_group_name

SEE_ABOVE = "The fix above mends this as well."
WRONG_TYPE = (AttributeError, TypeError, ValueError, LookupError)
Fix = Callable[[FixContext], tuple[FixCall, ...]]


def _log_group(context: FixContext) -> tuple[FixCall, ...]:
    """The log group made again with the filter that was deleted with it."""
    if context.log_group is None or _is_there(context):
        return ()
    return (create_group(context.region, context.log_group), *filter_exists(context))


def _is_there(context: FixContext) -> bool:
    return any(item.get("logGroupName") == context.log_group for item in context.collected.of_kind("log_groups"))


def _trail_log_group(context: FixContext) -> tuple[FixCall, ...]:
    """A log group for the trail, with what follows it."""
    calls, group = to_log_group(context), log_group_arn(context)
    behind = replace(context, region=group.region, log_group=log_group_name(group), metric_filter=None)
    return (*calls, *filter_exists(behind)) if calls else ()


def trail_exists(context: FixContext) -> tuple[FixCall, ...]:
    """A trail with its log group, and what follows it."""
    group = log_group_arn(context)
    behind = replace(context, region=group.region, log_group=log_group_name(group))
    return (*new_trail(context), *filter_exists(behind))


FIXES: Mapping[str, Fix] = {
    "trail-exists": trail_exists,
    "trail-logging": start_logging,
    "trail-multi-region": multi_region,
    "trail-events": trail_events,
    "trail-log-group": _trail_log_group,
    "trail-delivery": delivery,
    "log-group": _log_group,
    "filter-exists": filter_exists,
    "filter-coverage": filter_coverage,
    "filter-value": filter_value,
    "filter-scope": filter_scope,
    "alarm-exists": alarm_exists,
    "alarm-metric": alarm_metric,
    "alarm-fires": alarm_fires,
    "alarm-leaves": alarm_fires,
    "alarm-actions": alarm_actions,
    "composite-alarm": named_topic,
    "topic-exists": topic_exists,
    "topic-policy": topic_policy,
    "subscriber": subscriber,
}


def calls_for(finding: Finding, context: FixContext) -> tuple[FixCall, ...]:
    """The calls that mend a finding that did not pass; none where no call is known to.

    A snapshot that somebody wrote may hold anything in AWS's items; there is no call for what AWS would not say.
    """
    try:
        return _calls_for(finding, context)
    except WRONG_TYPE:
        return ()


def _calls_for(finding: Finding, context: FixContext) -> tuple[FixCall, ...]:
    if finding.status is Status.PASS or (finding.status is Status.UNKNOWN and finding.check != "filter-scope"):
        return ()
    if finding.check == "topic-key":
        return topic_key(context, finding)
    make = FIXES.get(finding.check)
    return make(context) if make else ()


def calls_beside(findings: tuple[Finding, ...], context: FixContext) -> tuple[FixCall, ...]:
    """The calls that mend a path without a change of what others made; none where there is no such way."""
    try:
        return _beside(findings, context)
    except WRONG_TYPE:
        return ()


def _beside(findings: tuple[Finding, ...], context: FixContext) -> tuple[FixCall, ...]:
    bad = [finding for finding in findings if finding.status is not Status.PASS]
    direct = tuple(call for finding in bad for call in finding.calls)
    if direct and all(call.own for call in direct):
        return direct
    links = {finding.link for finding in bad}
    if links & {PathLink.TRAIL, PathLink.LOG_GROUP}:
        return ()
    if PathLink.METRIC_FILTER not in links:
        return beside(context)
    if links == {PathLink.METRIC_FILTER}:
        return filter_beside(context, context.uncovered or EVENTS)
    calls, topic = topic_calls(context)
    return (*calls, *pair(context, topic, CHANGES))


def with_calls(findings: tuple[Finding, ...], context: FixContext) -> tuple[Finding, ...]:
    """The findings of a path with the calls that mend them, each call with the first finding that needs it."""
    made: set[str] = set()
    done = []
    for finding in findings:
        needed = finding.calls or calls_for(finding, context)
        calls = tuple(call for call in needed if call.command() not in made)
        made |= {call.command() for call in calls}
        fix = SEE_ABOVE if needed and not calls else script(calls, context.profile) or finding.fix
        done.append(replace(finding, calls=calls, fix=fix))
    return tuple(done)
