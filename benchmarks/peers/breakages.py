"""Ways in which an alarm path in the local cloud is broken, so that nobody would be notified of a change."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from localcloud.baseline import EVENTS
from localcloud.cloud import LocalCloud

Breakage = Callable[[LocalCloud], object]
ALARM, FILTER, GROUP, TRAIL = "security-group-changes", "security-group-changes", "cloudtrail", "management"


def _alarm(cloud: LocalCloud, **changes: Any) -> None:
    """Put the alarm again with other fields; those given as None are left out."""
    client = cloud.client("cloudwatch")
    (now,) = client.describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
    kept = (
        *("AlarmName", "Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods", "Threshold"),
        *("ComparisonOperator", "TreatMissingData", "AlarmActions", "ActionsEnabled"),
    )
    fields = {**{name: now[name] for name in kept if name in now}, **changes}
    client.put_metric_alarm(**{name: value for name, value in fields.items() if value is not None})


def _filter(cloud: LocalCloud, pattern: str | None = None, **transformation: Any) -> None:
    client = cloud.client("logs")
    (now,) = client.describe_metric_filters(logGroupName=GROUP)["metricFilters"]
    published = {**now["metricTransformations"][0], **transformation}
    client.put_metric_filter(
        logGroupName=GROUP,
        filterName=FILTER,
        filterPattern=pattern or now["filterPattern"],
        metricTransformations=[published],
    )


def _selectors(cloud: LocalCloud, **selector: Any) -> None:
    cloud.client("cloudtrail").put_event_selectors(
        TrailName=TRAIL,
        EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], **selector}],
    )


def _topic(cloud: LocalCloud) -> str:
    arn: str = cloud.client("sns").list_topics()["Topics"][0]["TopicArn"]
    return arn


def _subscription(cloud: LocalCloud) -> str:
    found = cloud.client("sns").list_subscriptions_by_topic(TopicArn=_topic(cloud))["Subscriptions"]
    arn: str = found[0]["SubscriptionArn"]
    return arn


def _unconfirmed(cloud: LocalCloud) -> None:
    sns = cloud.client("sns")
    sns.unsubscribe(SubscriptionArn=_subscription(cloud))
    sns.subscribe(TopicArn=_topic(cloud), Protocol="email", Endpoint="new@example.com")


def _deny(cloud: LocalCloud) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": _topic(cloud),
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cloud.client("sns").set_topic_attributes(TopicArn=_topic(cloud), AttributeName="Policy", AttributeValue=policy)


def _filtered(cloud: LocalCloud) -> None:
    cloud.client("sns").set_subscription_attributes(
        SubscriptionArn=_subscription(cloud), AttributeName="FilterPolicy", AttributeValue='{"severity": ["critical"]}'
    )


def _averaged(cloud: LocalCloud) -> None:
    _filter(cloud, defaultValue=0)
    _alarm(cloud, Statistic="Average")


def _any_of(names: tuple[str, ...], extra: str = "") -> str:
    return "{ (" + " || ".join(f"($.eventName = {name})" for name in names) + f"){extra} }}"


BREAKAGES: dict[str, Breakage] = {
    "the trail does not log": lambda cloud: cloud.client("cloudtrail").stop_logging(Name=TRAIL),
    "the trail logs one region": lambda cloud: cloud.client("cloudtrail").update_trail(
        Name=TRAIL, IsMultiRegionTrail=False
    ),
    "management events are not logged": lambda cloud: _selectors(cloud, IncludeManagementEvents=False),
    "only reads are logged": lambda cloud: _selectors(cloud, ReadWriteType="ReadOnly"),
    "the log group is deleted": lambda cloud: cloud.client("logs").delete_log_group(logGroupName=GROUP),
    "the filter is deleted": lambda cloud: cloud.client("logs").delete_metric_filter(
        logGroupName=GROUP, filterName=FILTER
    ),
    "the filter lacks ModifySecurityGroupRules": lambda cloud: _filter(cloud, _any_of(EVENTS[:-1])),
    "the filter leaves root out": lambda cloud: _filter(cloud, _any_of(EVENTS, ' && ($.userIdentity.type != "Root")')),
    "the filter wants failed calls": lambda cloud: _filter(cloud, _any_of(EVENTS, ' && ($.errorCode = "*")')),
    "the filter publishes 0": lambda cloud: _filter(cloud, metricValue="0"),
    "the filter publishes another metric": lambda cloud: _filter(cloud, metricName="Other"),
    "the alarm wants six changes": lambda cloud: _alarm(cloud, Threshold=6),
    "the alarm wants three periods": lambda cloud: _alarm(cloud, EvaluationPeriods=3),
    "the alarm averages over a default of 0": _averaged,
    "the alarm compares the wrong way": lambda cloud: _alarm(cloud, ComparisonOperator="LessThanThreshold"),
    "the alarm's actions are disabled": lambda cloud: cloud.client("cloudwatch").disable_alarm_actions(
        AlarmNames=[ALARM]
    ),
    "the alarm has no action": lambda cloud: _alarm(cloud, AlarmActions=[]),
    "the topic is deleted": lambda cloud: cloud.client("sns").delete_topic(TopicArn=_topic(cloud)),
    "the subscriber has not confirmed": _unconfirmed,
    "nobody is subscribed": lambda cloud: cloud.client("sns").unsubscribe(SubscriptionArn=_subscription(cloud)),
    "the topic denies CloudWatch": _deny,
    "the subscription filters notifications away": _filtered,
}
