"""Ways in which an alarm path in the local cloud is broken, so that nobody would be notified of a change."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from localcloud.baseline import EVENTS
from localcloud.cloud import LocalCloud

Breakage = Callable[[LocalCloud], object]
ALARM, FILTER, GROUP, TRAIL = "security-group-changes", "security-group-changes", "cloudtrail", "management"


def _alarm(cloud: LocalCloud, **changes: Any) -> None:
    """Put the alarm again with other fields."""
    client = cloud.client("cloudwatch")
    (now,) = client.describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
    kept = (
        *("AlarmName", "AlarmDescription", "Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods"),
        *("Threshold", "ComparisonOperator", "TreatMissingData", "ActionsEnabled"),
        *("AlarmActions", "OKActions", "InsufficientDataActions"),
    )
    fields = {**{name: now[name] for name in kept if name in now}, **changes}
    client.put_metric_alarm(**fields)


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
    client = cloud.client("cloudtrail")
    found = client.get_event_selectors(TrailName=TRAIL).get("EventSelectors")
    (now,) = found or [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}]
    client.put_event_selectors(TrailName=TRAIL, EventSelectors=[{**now, **selector}])


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


def _described(cloud: LocalCloud) -> None:
    _alarm(cloud, AlarmDescription="Runbook 7", OKActions=[_topic(cloud)], Threshold=6, Period=120)


def _data_events_alone(cloud: LocalCloud) -> None:
    objects = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::management-trail/"]}]
    _selectors(cloud, IncludeManagementEvents=False, ReadWriteType="WriteOnly", DataResources=objects)


def _advanced_selectors(cloud: LocalCloud) -> None:
    management = [
        {"Field": "eventCategory", "Equals": ["Management"]},
        {"Field": "eventSource", "NotEquals": ["ec2.amazonaws.com", "kms.amazonaws.com"]},
    ]
    data = [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
    ]
    selectors = [{"Name": "management", "FieldSelectors": management}, {"Name": "data", "FieldSelectors": data}]
    cloud.client("cloudtrail").put_event_selectors(TrailName=TRAIL, AdvancedEventSelectors=selectors)


def _transformed(cloud: LocalCloud) -> None:
    logs = cloud.client("logs")
    (now,) = logs.describe_metric_filters(logGroupName=GROUP)["metricFilters"]
    fields = {name: now[name] for name in ("filterName", "filterPattern", "metricTransformations")}
    logs.put_metric_filter(logGroupName=GROUP, applyOnTransformedLogs=True, **fields)
    logs.put_transformer(logGroupIdentifier=GROUP, transformerConfig=[{"parseJSON": {}}])


def _key(cloud: LocalCloud, *, shared: bool = True) -> str:
    """A key of the topic; without ``shared`` only the account may use it."""
    account = cloud.account_id
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"}
    ]
    if shared:
        principal, actions = {"Service": "cloudwatch.amazonaws.com"}, ["kms:Decrypt", "kms:GenerateDataKey*"]
        statements.append({"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"})
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    arn: str = cloud.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    cloud.client("sns").set_topic_attributes(TopicArn=_topic(cloud), AttributeName="KmsMasterKeyId", AttributeValue=arn)
    return arn


def _muted(cloud: LocalCloud, *others: str) -> None:
    began = datetime.now(UTC) - timedelta(hours=1)
    cloud.client("cloudwatch").put_alarm_mute_rule(
        Name="maintenance",
        Rule={"Schedule": {"Expression": f"at({began:%Y-%m-%dT%H:%M})", "Duration": "P1D"}},
        MuteTargets={"AlarmNames": [ALARM, *others]},
    )


def _composite_of_two(cloud: LocalCloud) -> None:
    cloudwatch, topic = cloud.client("cloudwatch"), _topic(cloud)
    _alarm(cloud, AlarmActions=[])
    cloudwatch.put_metric_alarm(
        AlarmName="other",
        Namespace="CIS",
        MetricName="Other",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule=f"ALARM({ALARM}) AND ALARM(other)", AlarmActions=[topic])


MORE_BREAKAGES: dict[str, Breakage] = {
    "the alarm with OK actions wants six changes": _described,
    "the alarm wants three datapoints of three": lambda cloud: _alarm(cloud, EvaluationPeriods=3, DatapointsToAlarm=3),
    "the alarm reads a dimension": lambda cloud: _alarm(cloud, Dimensions=[{"Name": "a", "Value": "b"}]),
    "the alarm reads another unit": lambda cloud: _alarm(cloud, Unit="Count"),
    "the alarm takes missing data as breaching": lambda cloud: _alarm(cloud, TreatMissingData="breaching"),
    "the alarm is muted": _muted,
    "the alarm is muted with another": lambda cloud: _muted(cloud, "other"),
    "a composite alarm needs another alarm, too": _composite_of_two,
    "the filter publishes a field": lambda cloud: _filter(cloud, metricValue="$.eventID"),
    "the filter reads transformed logs": _transformed,
    "the trail with data events logs no management events": _data_events_alone,
    "the advanced selectors leave EC2 out": _advanced_selectors,
    "the topic's key is disabled": lambda cloud: cloud.client("kms").disable_key(KeyId=_key(cloud)),
    "the topic's key leaves CloudWatch out": lambda cloud: _key(cloud, shared=False),
}
