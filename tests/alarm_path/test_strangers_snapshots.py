"""Snapshots as somebody writes them who has only the format's description: the fewest keys, every spelling."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.standards import CLASSIC_EVENTS, EVENTS

Document = dict[str, Any]
Change = Callable[[Document], object]

ACCOUNT, OTHER, REGION = "123456789012", "444455556666", "us-east-1"
TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:trail:*"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"


def names(events: tuple[str, ...]) -> str:
    return " || ".join(f"($.eventName = {event})" for event in events)


def statement(**keys: Any) -> Document:
    service = {"Service": "cloudwatch.amazonaws.com"}
    return {"Effect": "Allow", "Principal": service, "Action": "sns:Publish", "Resource": TOPIC, **keys}


# What the console gives a topic that is made without a policy, its actions shortened.
# https://github.com/awsdocs/iam-user-guide/issues/111
DEFAULT_POLICY = {
    "Version": "2008-10-17",
    "Id": "__default_policy_ID",
    "Statement": [
        statement(
            Sid="__default_statement_ID",
            Principal={"AWS": "*"},
            Action=["SNS:GetTopicAttributes", "SNS:Subscribe", "SNS:Publish"],
            Condition={"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
        )
    ],
}


def minimal() -> Document:
    """A sound account with only the keys that AWS always returns."""
    subscription = {"SubscriptionArn": f"{TOPIC}:1", "Protocol": "email", "Endpoint": "security@example.com"}
    return {
        "version": "1",
        "account_id": ACCOUNT,
        "partition": "aws",
        "collected_at": "2026-11-23T10:00:00Z",
        "trails": [
            {
                "Name": "main",
                "TrailARN": TRAIL,
                "HomeRegion": REGION,
                "IsMultiRegionTrail": True,
                "CloudWatchLogsLogGroupArn": GROUP,
                "Status": {"IsLogging": True, "LatestCloudWatchLogsDeliveryTime": "2026-11-23T09:57:00Z"},
                "EventSelectors": {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]},
            }
        ],
        "regions": {
            REGION: {
                "log_groups": [{"logGroupName": "trail"}],
                "metric_filters": [
                    {
                        "filterName": "changes",
                        "filterPattern": f"{{ {names(EVENTS)} }}",
                        "logGroupName": "trail",
                        "metricTransformations": [
                            {"metricName": "Changes", "metricNamespace": "CIS", "metricValue": "1"}
                        ],
                    }
                ],
                "metric_alarms": [
                    {
                        "AlarmName": "changes",
                        "ActionsEnabled": True,
                        "AlarmActions": [TOPIC],
                        "MetricName": "Changes",
                        "Namespace": "CIS",
                        "Statistic": "Sum",
                        "Period": 300,
                        "EvaluationPeriods": 1,
                        "Threshold": 1,
                        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                    }
                ],
                "composite_alarms": [],
                "topics": {
                    TOPIC: {
                        "Attributes": {"Policy": json.dumps(DEFAULT_POLICY)},
                        "Subscriptions": [subscription],
                        "KeyPolicy": None,
                    }
                },
            }
        },
        "errors": [],
    }


def trail(document: Document) -> Document:
    found: Document = document["trails"][0]
    return found


def region(document: Document) -> Document:
    found: Document = document["regions"][REGION]
    return found


def metric_filter(document: Document) -> Document:
    found: Document = region(document)["metric_filters"][0]
    return found


def transformation(document: Document) -> Document:
    found: Document = metric_filter(document)["metricTransformations"][0]
    return found


def alarm(document: Document) -> Document:
    found: Document = region(document)["metric_alarms"][0]
    return found


def topic(document: Document) -> Document:
    found: Document = region(document)["topics"][TOPIC]
    return found


def put(part: Callable[[Document], Document], **keys: Any) -> Change:
    return lambda document: part(document).update(keys)


def without(part: Callable[[Document], Document], key: str) -> Change:
    return lambda document: part(document).pop(key)


def both(*changes: Change) -> Change:
    return lambda document: [change(document) for change in changes]


def refused(call: str, resource: str | None = None, code: str = "AccessDenied", where: str = REGION) -> Change:
    error = {"call": call, "region": where, "resource": resource, "code": code, "message": "no"}
    return lambda document: document["errors"].append(error)


def policy(*statements: Document) -> Change:
    return lambda document: topic(document)["Attributes"].update(Policy=json.dumps({"Statement": list(statements)}))


def subscribed(**keys: Any) -> Change:
    item = {"SubscriptionArn": f"{TOPIC}:1", "Protocol": "email", "Endpoint": "security@example.com", **keys}
    return put(topic, Subscriptions=[item])


def encrypted(*statements: Document) -> Change:
    return both(
        lambda document: topic(document)["Attributes"].update(KmsMasterKeyId=KEY),
        put(topic, KeyPolicy={"Statement": list(statements)}),
    )


def on_math(expression: str, **returned: bool) -> Change:
    """The alarm on an expression over m1, the filter's metric, and m2, of which nothing is known."""
    metrics: list[Document] = [
        {"Id": name, "MetricStat": {"Metric": {"Namespace": "CIS", "MetricName": metric}, "Period": 300, "Stat": "Sum"}}
        for name, metric in (("m1", "Changes"), ("m2", "Elsewhere"))
    ]
    entries = [*metrics, {"Id": "e1", "Expression": expression}]
    shown = [{**entry, "ReturnData": returned.get(entry["Id"], False)} for entry in entries]
    keys = ("MetricName", "Namespace", "Statistic", "Period")
    return both(put(alarm, Metrics=shown), *(without(alarm, key) for key in keys))


def composite(rule: str) -> Change:
    above = {"AlarmName": "above", "AlarmRule": rule, "ActionsEnabled": True, "AlarmActions": [TOPIC]}
    return both(put(alarm, AlarmActions=[]), put(region, composite_alarms=[above]))


def advanced(*conditions: Document) -> Change:
    management = {"Field": "eventCategory", "Equals": ["Management"]}
    selector = {"Name": "all", "FieldSelectors": [management, *conditions]}
    return put(trail, EventSelectors={"AdvancedEventSelectors": [selector]})


def second_filter(*events: str, metric: str) -> Change:
    def change(document: Document) -> None:
        other = copy.deepcopy(metric_filter(document))
        other.update(filterName="second", filterPattern=f"{{ {names(events)} }}")
        other["metricTransformations"][0]["metricName"] = metric
        region(document)["metric_filters"].append(other)
        region(document)["metric_alarms"].append({**alarm(document), "AlarmName": "second", "MetricName": metric})

    return change


def shadow(document: Document) -> None:
    bare = {key: value for key, value in trail(document).items() if key not in {"Status", "EventSelectors"}}
    document["trails"].append(bare)


def judge(document: Document) -> Document:
    return audit(read_snapshot(document), coverage_of, checked_at=datetime(2026, 11, 23, 10, tzinfo=UTC)).to_json()


def judged(change: Change) -> Document:
    document = minimal()
    change(document)
    return judge(document)


SPELLINGS: dict[str, Change] = {
    "as it is": lambda _: None,
    "times as numbers": put(trail, Status={"IsLogging": True, "LatestCloudWatchLogsDeliveryTime": 1795427820.5}),
    "times as text of Python": put(
        trail, Status={"IsLogging": True, "LatestCloudWatchLogsDeliveryTime": "2026-11-23 09:57:00.1+00:00"}
    ),
    "no errors key": lambda document: document.pop("errors"),
    "no composite alarms collected": without(region, "composite_alarms"),
    "no key policy of a topic without a key": without(topic, "KeyPolicy"),
    "the log group's ARN without its star": put(trail, CloudWatchLogsLogGroupArn=GROUP[:-2]),
    "the trail a second time": lambda document: document["trails"].append(trail(document)),
    "the trail's shadow after it": shadow,
    "the trail's shadow before it": both(shadow, lambda document: document["trails"].reverse()),
    "a blank line behind the pattern": put(metric_filter, filterPattern=f"{{ {names(EVENTS)} }}\n"),
    "the policy as an object": lambda document: topic(document)["Attributes"].update(Policy=DEFAULT_POLICY),
    "one statement, not a list": lambda document: topic(document)["Attributes"].update(
        Policy=json.dumps({"Statement": statement(Action="SNS:Pub*", Resource="*")})
    ),
    "writes only": put(
        trail, EventSelectors={"EventSelectors": [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]}
    ),
    "advanced selectors": advanced(),
    "advanced selectors without KMS": advanced({"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}),
    "subscription attributes": subscribed(Attributes={"PendingConfirmation": "false", "RawMessageDelivery": "false"}),
    "source account": policy(statement(Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}})),
    "source accounts": policy(statement(Condition={"StringLike": {"AWS:SourceAccount": [ACCOUNT, OTHER]}})),
    "a policy for alarms by their ARN, which the alarm does not tell": policy(
        statement(Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:cha*"}})
    ),
    "a composite above by an ARN that the alarm does not tell": composite(
        f"ALARM(arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:changes)"
    ),
    "any of the source accounts": policy(
        statement(Condition={"ForAnyValue:StringEquals": {"aws:SourceAccount": [ACCOUNT, OTHER]}})
    ),
    "a set operator on a key that CloudWatch's call lacks": policy(
        statement(Condition={"ForAllValues:StringEquals": {"aws:PrincipalOrgID": ["o-example"]}})
    ),
    "a Deny of plain HTTP": policy(
        statement(),
        statement(Effect="Deny", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}}),
    ),
    "a key for CloudWatch": encrypted(statement(Action=["kms:Decrypt", "kms:GenerateDataKey*"], Resource="*")),
    "one of five periods": put(alarm, EvaluationPeriods=5, DatapointsToAlarm=1),
    "a default value": put(transformation, defaultValue=0.0),
    "ignoring missing data beside a default value": both(
        put(transformation, defaultValue=0.0), put(alarm, TreatMissingData="ignore")
    ),
    "metric math": on_math("SUM([m1])", e1=True),
    "metric math beside a metric that does not matter": on_math("FILL(m1, 0)", e1=True),
    "a composite above": composite("ALARM(changes)"),
    "a composite that holds unless the alarm is OK, which it soon is": both(
        composite("NOT OK(changes)"), put(alarm, TreatMissingData="notBreaching")
    ),
    "a composite over an alarm that is gone": composite('ALARM("changes") OR ALARM("gone")'),
    "two filters share the events out": both(
        put(metric_filter, filterPattern=f"{{ {names(EVENTS[:4])} }}"), second_filter(*EVENTS[4:], metric="Second")
    ),
    "two filters feed one metric": both(
        put(metric_filter, filterPattern=f"{{ {names(EVENTS[:4])} }}"), second_filter(*EVENTS[4:], metric="Changes")
    ),
}


@pytest.mark.parametrize("change", SPELLINGS.values(), ids=SPELLINGS)
def test_a_sound_account_passes_however_it_is_written(change: Change) -> None:
    report = judged(change)
    broken = [finding for path in report["paths"] for finding in path["findings"] if finding["status"] != "pass"]
    assert (report["status"], broken) == ("pass", [])
    assert report["standards"]["cis_1_to_4"] == report["standards"]["cis_5"] == "pass"
    assert {answer["status"] for answer in report["coverage"].values()} == {"pass"}


def unread_filters(*changes: Change) -> Change:
    return both(without(region, "metric_filters"), refused("logs:DescribeMetricFilters"), *changes)


BROKEN: dict[str, tuple[Change, str]] = {
    "filters unread, and the only alarm is disabled": (
        unread_filters(put(alarm, ActionsEnabled=False)),
        "alarm-actions",
    ),
    "filters unread, and the only alarm wants five periods": (
        unread_filters(put(alarm, EvaluationPeriods=5, TreatMissingData="notBreaching")),
        "alarm-fires",
    ),
    "filters unread, and nobody is subscribed": (unread_filters(put(topic, Subscriptions=[])), "subscriber"),
    "filters unread, and the only alarm reads a service's metric": (
        unread_filters(put(alarm, Namespace="AWS/EC2")),
        "alarm-exists",
    ),
    "filters unread, and no alarm is there": (unread_filters(put(region, metric_alarms=[])), "alarm-exists"),
    "stopped": (put(trail, Status={"IsLogging": False}), "trail-logging"),
    "gone": (
        both(without(trail, "Status"), refused("cloudtrail:GetTrailStatus", TRAIL, "TrailNotFoundException")),
        "trail-logging",
    ),
    "gone, as another region was told": (
        both(
            without(trail, "Status"),
            refused("cloudtrail:GetTrailStatus", TRAIL, "TrailNotFoundException", where="eu-west-1"),
        ),
        "trail-logging",
    ),
    "one region": (put(trail, IsMultiRegionTrail=False), "trail-multi-region"),
    "reads only": (
        put(trail, EventSelectors={"EventSelectors": [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]}),
        "trail-events",
    ),
    "a selector without EC2": (advanced({"Field": "eventSource", "NotEquals": ["ec2.amazonaws.com"]}), "trail-events"),
    "a log group of another region": (
        put(trail, CloudWatchLogsLogGroupArn=GROUP.replace(REGION, "eu-west-1")),
        "trail-log-group",
    ),
    "no filter": (put(region, metric_filters=[]), "filter-exists"),
    "a filter on another group": (put(metric_filter, logGroupName="other"), "filter-exists"),
    "a value that is no number": (put(transformation, metricValue="$.value"), "filter-value"),
    "a value that is in some requests only": (
        put(transformation, metricValue="$.requestParameters.ipPermissions.items[0].fromPort"),
        "filter-value",
    ),
    "another namespace": (put(alarm, Namespace="Other"), "alarm-exists"),
    "a unit on the alarm alone": (put(alarm, Unit="Count"), "alarm-metric"),
    "a dimension on the filter alone": (put(transformation, dimensions={"who": "$.userIdentity.arn"}), "alarm-metric"),
    "a threshold out of reach": (put(alarm, Threshold=100), "alarm-fires"),
    "an average beside a default value": (
        both(put(transformation, defaultValue=0), put(alarm, Statistic="Average")),
        "alarm-fires",
    ),
    "another filter's default value that breaches between matches": (
        both(
            put(transformation, defaultValue=0),
            second_filter("RunInstances", metric="Changes"),
            lambda document: region(document)["metric_filters"][1]["metricTransformations"][0].update(defaultValue=1),
        ),
        "alarm-leaves",
    ),
    "missing data breaching": (put(alarm, TreatMissingData="breaching"), "alarm-leaves"),
    "an expression that does not use the metric": (on_math("m2 * 2", e1=True), "alarm-exists"),
    "metric math of which another metric is compared": (on_math("m1", m2=True), "alarm-exists"),
    "actions disabled": (put(alarm, ActionsEnabled=False), "alarm-actions"),
    "actions for OK only": (put(alarm, AlarmActions=[], OKActions=[TOPIC]), "alarm-actions"),
    "a composite that needs an alarm that is gone": (
        composite('ALARM("changes") AND ALARM("gone")'),
        "composite-alarm",
    ),
    "a composite that is always true": (composite("OK(changes)"), "composite-alarm"),
    "a composite that also holds without data, of which there is none between changes": (
        composite("ALARM(changes) OR INSUFFICIENT_DATA(changes)"),
        "composite-alarm",
    ),
    "a composite that holds unless the alarm is OK, which it never is again": (
        composite("NOT OK(changes)"),
        "composite-alarm",
    ),
    "a topic that is gone": (
        both(put(region, topics={}), refused("sns:GetTopicAttributes", TOPIC, "NotFound")),
        "topic-exists",
    ),
    "a policy for the owner only": (
        policy(statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})),
        "topic-policy",
    ),
    "a policy for the service's name in China": (
        policy(statement(Principal={"Service": "cloudwatch.amazonaws.com.cn"})),
        "topic-policy",
    ),
    "a policy for another account's alarms": (
        policy(statement(Condition={"StringEquals": {"AWS:SourceOwner": OTHER}})),
        "topic-policy",
    ),
    "a key without GenerateDataKey": (encrypted(statement(Action="kms:Decrypt", Resource="*")), "topic-key"),
    "a condition on any value of a key that CloudWatch's call lacks": (
        policy(statement(Condition={"ForAnyValue:StringLike": {"aws:PrincipalOrgID": ["o-*"]}})),
        "topic-policy",
    ),
    "nobody subscribed": (put(topic, Subscriptions=[]), "subscriber"),
    "nobody subscribed to a topic whose attributes were refused": (
        both(put(topic, Subscriptions=[]), without(topic, "Attributes"), refused("sns:GetTopicAttributes", TOPIC)),
        "subscriber",
    ),
    "a pending subscriber": (subscribed(SubscriptionArn="PendingConfirmation"), "subscriber"),
    "a filter policy on attributes": (subscribed(Attributes={"FilterPolicy": '{"severity":["high"]}'}), "subscriber"),
}


@pytest.mark.parametrize(("change", "check"), BROKEN.values(), ids=BROKEN)
def test_a_broken_link_fails_and_is_named_with_its_fix(change: Change, check: str) -> None:
    report = judged(change)
    failed = [item for path in report["paths"] for item in path["findings"] if item["status"] == "fail"]
    assert report["status"] == "fail"
    assert check in {item["check"] for item in failed}
    assert all(item["fix"] for item in failed)
    assert {answer["seconds"] for answer in report["coverage"].values()} == {None}


UNREAD: dict[str, Change] = {
    "filters unread": unread_filters(),
    "filters unread before a threshold that some value could reach": unread_filters(put(alarm, Threshold=100)),
    "filters unread, and one of two alarms is disabled": unread_filters(
        lambda document: region(document)["metric_alarms"].append(
            {**alarm(document), "AlarmName": "second", "ActionsEnabled": False}
        )
    ),
    "filters unread, and alarms read half-way": unread_filters(
        put(alarm, ActionsEnabled=False), refused("cloudwatch:DescribeAlarms", None, "Throttling")
    ),
    "a service by the name that some have in China": both(
        policy(statement(Principal={"Service": "cloudwatch.amazonaws.com.cn"})),
        put(alarm, AlarmArn=f"arn:aws-cn:cloudwatch:{REGION}:{ACCOUNT}:alarm:changes"),
    ),
    "a value that is a number in text": put(transformation, metricValue="$.recipientAccountId"),
    "a region of which nothing was collected": lambda document: document["regions"].update({REGION: None}),
    "no regions collected": lambda document: document.update(regions=None),
    "a log class of which no document says whether it has filters": put(
        region, log_groups=[{"logGroupName": "trail", "logGroupClass": "ESSENTIALS"}]
    ),
    "a composite's alarm in single quotes": composite("ALARM('changes')"),
    "subscription attributes refused": refused("sns:GetSubscriptionAttributes", f"{TOPIC}:1", "AuthorizationError"),
    "subscription attributes refused for the topic": refused("sns:GetSubscriptionAttributes", TOPIC),
    "subscriptions refused": both(without(topic, "Subscriptions"), refused("sns:ListSubscriptionsByTopic", TOPIC)),
    "a topic that nobody asked about": put(region, topics={}),
    "filters throttled half-way": both(
        put(metric_filter, filterPattern=f"{{ {names(CLASSIC_EVENTS)} }}"),
        refused("logs:DescribeMetricFilters", None, "ThrottlingException"),
    ),
    "composite alarms not collected, and no action below": both(
        put(alarm, AlarmActions=[]), without(region, "composite_alarms")
    ),
    "a composite over an alarm that was not read": both(
        composite('ALARM("changes") AND ALARM("unread")'), refused("cloudwatch:DescribeAlarms")
    ),
    "an organization's trail": put(
        trail,
        IsOrganizationTrail=True,
        TrailARN=TRAIL.replace(ACCOUNT, OTHER),
        CloudWatchLogsLogGroupArn=GROUP.replace(ACCOUNT, OTHER),
    ),
}


@pytest.mark.parametrize("change", UNREAD.values(), ids=UNREAD)
def test_what_could_not_be_read_is_unknown(change: Change) -> None:
    assert judged(change)["status"] == "unknown"


def test_a_refusal_over_subscription_attributes_that_were_read_elsewhere_does_not_matter() -> None:
    other = {
        "SubscriptionArn": f"{TOPIC}:2",
        "Protocol": "email",
        "Endpoint": "b@example.com",
        "Attributes": {"a": "b"},
    }
    report = judged(
        both(
            lambda document: topic(document)["Subscriptions"].append(other),
            refused("sns:GetSubscriptionAttributes", f"{TOPIC}:1"),
        )
    )
    assert report["status"] == "pass"


def test_a_filter_policy_that_nobody_looked_for_is_a_note() -> None:
    notes = judged(lambda _: None)["notes"]
    assert any("email:security@example.com were not collected" in note for note in notes)


def test_an_alarm_that_would_not_fire_anyway_is_named_beside_a_filter_without_a_number() -> None:
    report = judged(
        both(
            put(transformation, metricValue="$.value"),
            put(
                alarm,
                Statistic="Average",
                Threshold=2.0,
                ComparisonOperator="GreaterThanThreshold",
                EvaluationPeriods=5,
            ),
        )
    )
    reasons = {item["check"]: item["reason"] for item in report["paths"][0]["findings"] if item["status"] == "fail"}
    assert set(reasons) == {"filter-value", "alarm-fires"}
    assert "would not fire even if metric filter changes published 1" in reasons["alarm-fires"]
    assert "> 2 in 5 of 5 periods" in reasons["alarm-fires"]


def test_one_filter_for_each_text_satisfies_all_standards() -> None:
    report = judged(
        both(
            put(metric_filter, filterPattern=f"{{ {names(CLASSIC_EVENTS)} }}"),
            second_filter("ModifySecurityGroupRules", metric="Second"),
        )
    )
    assert report["standards"] == {"cis_1_to_4": "pass", "cis_5": "pass", "security_hub": "pass"}


def test_the_fix_of_an_alarm_keeps_its_region_and_actions() -> None:
    report = judged(put(alarm, Threshold=100))
    (fix,) = (item["fix"] for item in report["paths"][0]["findings"] if item["check"] == "alarm-fires")
    assert f"--region {REGION}" in fix
    assert f'"AlarmActions": ["{TOPIC}"]' in fix
