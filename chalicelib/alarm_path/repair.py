"""Repair: the missing links of an alarm path, planned from a snapshot and made with the clients given.

Only things named ``sgwatch-…`` are made or changed; what others own is left alone, and a repair that
would have to touch it is refused with the steps for a human. Making the same links twice changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

from chalicelib.alarm_path.checks.topic_checks import publish_statement
from chalicelib.alarm_path.checks.trail_checks import judge_trail
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import MetricAlarm
from chalicelib.alarm_path.snapshot.model import MetricFilter, Snapshot, Trail
from chalicelib.alarm_path.standards import CLASSIC_EVENTS, EVENTS, Standard, pattern_for
from chalicelib.alarm_path.verdicts import Status, all_of, worst
from chalicelib.aws.arns import Arn, log_group_name

NAMESPACE = "sgwatch"
TOPIC = "sgwatch-alarms"
FILTERS: Mapping[str, tuple[str, ...]] = {
    "sgwatch-security-group-changes": EVENTS,
    "sgwatch-security-group-changes-cis-1-to-4": CLASSIC_EVENTS,
}
MAX_FILTERS = 100  # per log group: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the plan, why it is made, and the command that takes it back."""

    service: str
    action: str
    parameters: Mapping[str, Any]
    why: str
    undo: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What repair would do: the steps in order, or why it refuses; and what is left for a human."""

    region: str
    steps: tuple[Step, ...]
    refusals: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    human: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who is to be told: ``email`` or ``https`` and the address."""

    protocol: str
    endpoint: str


def plan(snapshot: Snapshot, report: Report, subscriber: Subscriber | None = None) -> Plan:
    """What is missing for both readings of the standards on the best trail of the account."""
    if _sound(report):
        return Plan("", ())
    if snapshot.trails is None or any(error.call == "cloudtrail:DescribeTrails" for error in snapshot.errors):
        return _refusal(
            "The trails could not be read.", "Let the caller use cloudtrail:DescribeTrails, then run again."
        )
    chosen = _trail(snapshot)
    if isinstance(chosen, Plan):
        return chosen
    wanted = _wanted(report)
    planned = _links(snapshot, chosen[1], wanted, subscriber)
    if planned.steps or planned.refusals or planned.human:
        return planned
    return replace(planned, human=_left(report, wanted))


def apply(steps: Sequence[Step], region: str, clients: Callable[[str, str], Any]) -> None:
    """Make the calls in order. Raises botocore's ClientError of the first that AWS refuses."""
    for step in steps:
        method = "".join(f"_{char.lower()}" if char.isupper() else char for char in step.action).lstrip("_")
        getattr(clients(step.service, region), method)(**step.parameters)


def _sound(report: Report) -> bool:
    return all(status is Status.PASS for status in report.standards.values())


def _refusal(why: str, *next_steps: str) -> Plan:
    return Plan("", (), (why,), next_steps)


def _trail(snapshot: Snapshot) -> tuple[Trail, Arn] | Plan:
    """A trail whose own links are sound (at worst: not known to be broken), or why there is none and what to do."""
    if not snapshot.trails:
        return _refusal(
            f"Account {snapshot.account_id} has no trail, and a trail needs a bucket that sgwatch should not choose.",
            "aws cloudtrail create-trail --name NAME --s3-bucket-name BUCKET --is-multi-region-trail "
            "--cloud-watch-logs-log-group-arn LOG_GROUP_ARN --cloud-watch-logs-role-arn ROLE_ARN",
            "aws cloudtrail start-logging --name NAME",
            "sgwatch repair --apply",
        )
    verdicts = [(trail, judge_trail(snapshot, trail)) for trail in snapshot.trails]
    for acceptable in (Status.PASS, Status.UNKNOWN):
        for trail, verdict in verdicts:
            group = verdict.log_group
            answer = all_of([worst(verdict.findings), *verdict.events.values()])
            if answer is acceptable and group is not None and not verdict.elsewhere:
                return trail, group
    findings = [finding for _, verdict in verdicts for finding in verdict.findings if finding.status is not Status.PASS]
    fixes = dict.fromkeys(finding.fix for finding in findings if finding.fix)
    return Plan("", (), tuple(finding.reason for finding in findings), (*fixes, "sgwatch repair --apply"))


def _left(report: Report, wanted: Sequence[str]) -> tuple[str, ...]:
    """What stands in the way of the links that sgwatch makes, all of which are there."""
    made = [path for path in report.paths if path.metric_filter in wanted and path.alarm in wanted]
    findings = [item for path in made for item in path.findings if item.check != "filter-coverage"]
    bad = [item for item in (*findings, *report.findings) if item.status is not Status.PASS]
    return tuple(dict.fromkeys(f"{item.reason} {item.fix or ''}".rstrip() for item in bad))


def _wanted(report: Report) -> list[str]:
    """The filters without which a standard is not met: one text wants seven events, the other six and no more."""
    seven, six = FILTERS
    wanted = {
        seven: report.standards[Standard.CIS_5],
        six: report.standards[Standard.SECURITY_HUB],
    }
    return [name for name, status in wanted.items() if status is not Status.PASS]


def _links(snapshot: Snapshot, group: Arn, wanted: Sequence[str], subscriber: Subscriber | None) -> Plan:
    region = snapshot.region(group.region)
    unread = [name for name in ("metric_filters", "metric_alarms", "topics") if getattr(region, name) is None]
    if unread:
        why = f"{', '.join(unread)} of {group.region} could not be read, so what is missing is not known."
        return _refusal(why, "Let the caller read them, then run again.")
    topic_arn = str(Arn(snapshot.partition, "sns", group.region, snapshot.account_id, TOPIC))
    filters = _filter_steps(snapshot, group, wanted)
    if isinstance(filters, Plan):
        return filters
    steps = [
        *_topic_steps(snapshot, topic_arn, group.region),
        *filters,
        *_alarm_steps(snapshot, group.region, topic_arn, wanted),
    ]
    subscribing, human = _subscribe_steps(snapshot, topic_arn, group.region, subscriber)
    return Plan(group.region, (*steps, *subscribing), human=human)


def _filter_steps(snapshot: Snapshot, group: Arn, wanted: Sequence[str]) -> list[Step] | Plan:
    name = log_group_name(group)
    there = {item.name: item for item in snapshot.region(group.region).metric_filters or () if item.log_group == name}
    missing = [one for one in wanted if not _same_filter(there.get(one), FILTERS[one], one)]
    if len(there) + len([item for item in missing if item not in there]) > MAX_FILTERS:
        why = f"Log group {name} has {len(there)} metric filters, and AWS allows {MAX_FILTERS}."
        return _refusal(
            why, f"aws logs describe-metric-filters --log-group-name {quote(name)}", "Delete one that is unused."
        )
    return [_filter_step(snapshot, group, item) for item in missing]


def _same_filter(item: MetricFilter | None, events: Sequence[str], name: str) -> bool:
    if item is None or item.dimensions or item.system_dimensions or item.criteria or item.on_transformed:
        return False
    made = (item.pattern, item.namespace, item.metric, item.value)
    return made == (pattern_for(events), NAMESPACE, name, "1")


def _filter_step(snapshot: Snapshot, arn: Arn, name: str) -> Step:
    group, region = log_group_name(arn), arn.region
    transformation = {"metricName": name, "metricNamespace": NAMESPACE, "metricValue": "1", "defaultValue": 0.0}
    parameters = {
        "logGroupName": group,
        "filterName": name,
        "filterPattern": pattern_for(FILTERS[name]),
        "metricTransformations": [transformation],
    }
    undo = _as_before(snapshot, region, "metric_filters", {"logGroupName": group, "filterName": name}) or (
        f"aws logs delete-metric-filter --region {region} --log-group-name {quote(group)} --filter-name {name}"
    )
    return Step("logs", "PutMetricFilter", parameters, f"Count the {len(FILTERS[name])} events in {group}.", undo)


_PUTS = {"metric_filters": ("logs", "PutMetricFilter"), "metric_alarms": ("cloudwatch", "PutMetricAlarm")}
# What AWS tells of a filter or an alarm and does not take.
_NOT_PUT = re.compile(r"creationTime|AlarmArn|State.*|AlarmConfigurationUpdatedTimestamp|EvaluationState")


def _as_before(snapshot: Snapshot, region: str, kind: str, named: Mapping[str, str]) -> str | None:
    """The command that puts a filter or an alarm as it is now; None where there is none of that name."""
    for item in (snapshot.document.get("regions") or {}).get(region, {}).get(kind) or ():
        if all(item.get(key) == value for key, value in named.items()):
            parameters = {key: value for key, value in item.items() if not _NOT_PUT.fullmatch(key)}
            return _command(*_PUTS[kind], region, parameters)
    return None


def _command(service: str, action: str, region: str, parameters: Mapping[str, Any]) -> str:
    """A call for the AWS CLI."""
    verb = "".join(f"-{char.lower()}" if char.isupper() else char for char in action).lstrip("-")
    return f"aws {service} {verb} --region {region} --cli-input-json {quote(json.dumps(dict(parameters)))}"


def _topic_steps(snapshot: Snapshot, arn: str, region: str) -> list[Step]:
    topics = snapshot.region(region).topics or {}
    policy = {"Version": "2012-10-17", "Statement": [publish_statement(snapshot.account_id, arn)]}
    topic = topics.get(arn)
    text = ((topic.attributes if topic else None) or {}).get("Policy")
    if topic is not None and text and json.loads(text) == policy:
        return []
    parameters = {"TopicArn": arn, "AttributeName": "Policy", "AttributeValue": json.dumps(policy)}
    why = "Let this account's alarms publish to it, and nobody else."
    before = {**parameters, "AttributeValue": text}
    undo = _command("sns", "SetTopicAttributes", region, before) if text else "Goes with the topic."
    allow = Step("sns", "SetTopicAttributes", parameters, why, undo)
    if topic is not None:
        return [allow]
    undo = f"aws sns delete-topic --region {region} --topic-arn {arn}"
    return [Step("sns", "CreateTopic", {"Name": TOPIC}, "The topic that the alarms tell.", undo), allow]


def _alarm_steps(snapshot: Snapshot, region: str, topic_arn: str, wanted: Sequence[str]) -> list[Step]:
    there = {alarm.name: alarm for alarm in snapshot.region(region).metric_alarms or ()}
    missing = [name for name in wanted if not _same_alarm(there.get(name), name, topic_arn)]
    return [_alarm_step(snapshot, region, name, topic_arn) for name in missing]


def _same_alarm(alarm: MetricAlarm | None, name: str, topic_arn: str) -> bool:
    if alarm is None or alarm.is_math or len(alarm.queries) != 1 or not alarm.actions.enabled:
        return False
    query = alarm.queries[0]
    reads = (query.key, query.statistic, query.period, dict(query.dimensions), query.unit)
    acts = (alarm.evaluation_periods, alarm.datapoints_to_alarm, alarm.threshold, alarm.comparison, alarm.treat_missing)
    return (
        reads == ((NAMESPACE, name), "Sum", 60, {}, None)
        and acts == (1, 1, 1.0, "GreaterThanOrEqualToThreshold", "notBreaching")
        and topic_arn in alarm.actions.on_alarm
    )


def _alarm_step(snapshot: Snapshot, region: str, name: str, topic_arn: str) -> Step:
    parameters = {
        "AlarmName": name,
        "AlarmDescription": f"A security group changed ({len(FILTERS[name])} events). Made by sgwatch repair.",
        "ActionsEnabled": True,
        "AlarmActions": [topic_arn],
        "Namespace": NAMESPACE,
        "MetricName": name,
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }
    undo = _as_before(snapshot, region, "metric_alarms", {"AlarmName": name}) or (
        f"aws cloudwatch delete-alarms --region {region} --alarm-names {name}"
    )
    return Step("cloudwatch", "PutMetricAlarm", parameters, "Go to ALARM on one matching record within a minute.", undo)


def _subscribe_steps(
    snapshot: Snapshot, topic_arn: str, region: str, subscriber: Subscriber | None
) -> tuple[list[Step], tuple[str, ...]]:
    topic = (snapshot.region(region).topics or {}).get(topic_arn)
    there = (topic.subscriptions if topic else None) or ()
    confirmed = [item for item in there if item.arn.startswith("arn:")]
    pending = [item for item in there if item.arn == "PendingConfirmation"]
    if subscriber is None:
        missing = f"Nobody is subscribed to {TOPIC}: run sgwatch repair --apply --email ADDRESS (or --https URL)."
        asked = tuple(_to_confirm(item.endpoint) for item in pending) or (missing,)
        return [], (() if confirmed else asked)
    wait = _to_confirm(subscriber.endpoint)
    mine = [item for item in there if (item.protocol, item.endpoint) == (subscriber.protocol, subscriber.endpoint)]
    if any(item in confirmed for item in mine):
        return [], ()
    if any(item in pending for item in mine):
        return [], (wait,)
    parameters = {"TopicArn": topic_arn, "Protocol": subscriber.protocol, "Endpoint": subscriber.endpoint}
    undo = f"aws sns unsubscribe --region {region} --subscription-arn ARN (an unconfirmed subscription goes by itself)"
    return [Step("sns", "Subscribe", parameters, f"Tell {subscriber.endpoint}.", undo)], (wait,)


def _to_confirm(endpoint: str) -> str:
    return f"Confirm the subscription: AWS sends a message to {endpoint} with a link to follow."
