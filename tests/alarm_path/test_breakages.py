"""Each way in which an alarm path is broken: the answer, the broken link and the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.alarm_path.check_registry import CHECKS, PATH_LINKS
from tests.support.alarm_paths import (
    ACCOUNT,
    ALARM,
    GROUP,
    KEY,
    OTHER_ACCOUNT,
    REGION,
    TOPIC,
    TRAIL,
    Account,
    alarm,
    broken,
    composite,
    error,
    judge,
    metric_filter,
    policy,
    reasons,
    statement,
    subscription,
    topic,
    trail,
)

Change = Callable[[Account], object]


def _selectors(**selector: Any) -> dict[str, Any]:
    return {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True, **selector}]}


def _advanced(*fields: dict[str, Any]) -> dict[str, Any]:
    management = {"Field": "eventCategory", "Equals": ["Management"]}
    return {"AdvancedEventSelectors": [{"Name": "mine", "FieldSelectors": [management, *fields]}]}


def _math(expression: str, **changes: Any) -> dict[str, Any]:
    stat = {"Metric": {"Namespace": "CISBenchmark", "MetricName": "sg-changes"}, "Period": 300, "Stat": "Sum"}
    metrics = [
        {"Id": "m1", "MetricStat": stat, "ReturnData": False},
        {"Id": "e1", "Expression": expression, "ReturnData": True},
    ]
    item = alarm(Metrics=metrics, **changes)
    return {key: value for key, value in item.items() if key not in {"MetricName", "Namespace", "Statistic", "Period"}}


def _set(account: Account, **parts: Any) -> None:
    for name, value in parts.items():
        setattr(account, name, value)


def _trail(**changes: Any) -> Change:
    return lambda account: _set(account, trail=trail(**changes))


def _status(**changes: Any) -> Change:
    return lambda account: account.trail["Status"].update(changes)


def _filter(**changes: Any) -> Change:
    return lambda account: _set(account, filters=[metric_filter(**changes)])


def _alarm(**changes: Any) -> Change:
    return lambda account: _set(account, alarms=[alarm(**changes)])


def _averaged(account: Account) -> None:
    _set(account, filters=[metric_filter(transformation={"defaultValue": 0.0})], alarms=[alarm(Statistic="Average")])


def _topic(**changes: Any) -> Change:
    return lambda account: _set(account, topic=topic(**changes))


def _attributes(**changes: Any) -> Change:
    return lambda account: account.topic["Attributes"].update(changes)


def _subscribed(**changes: Any) -> Change:
    return _topic(Subscriptions=[subscription(**changes)])


def _key(*statements: dict[str, Any]) -> Change:
    key_policy = {"Version": "2012-10-17", "Statement": list(statements)}

    def change(account: Account) -> None:
        account.topic["Attributes"]["KmsMasterKeyId"] = KEY
        account.topic["KeyPolicy"] = key_policy

    return change


def _only_composite(rule: str, **changes: Any) -> Change:
    return lambda account: _set(
        account, alarms=[alarm(AlarmActions=[]), alarm("other", "other")], composites=[composite(rule, **changes)]
    )


DENY_TLS = statement(Sid="tls", Effect="Deny", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}})

BROKEN: dict[str, tuple[Change, str, str]] = {
    "the trail was stopped": (_status(IsLogging=False), "trail-logging", "main is not logging"),
    "the trail cannot write to the log group": (
        _status(LatestCloudWatchLogsDeliveryError="AccessDenied"),
        "trail-delivery",
        "fails to deliver to CloudWatch Logs: AccessDenied",
    ),
    "the trail has delivered nothing for days": (
        _status(LatestCloudWatchLogsDeliveryTime="2026-11-20T00:00:00Z", LatestDeliveryTime="2026-11-20T00:00:00Z"),
        "trail-delivery",
        "since 2026-11-20",
    ),
    "the bucket gets records and the log group does not": (
        _status(LatestCloudWatchLogsDeliveryTime="2026-11-23T04:00:00Z"),
        "trail-delivery",
        "and to its bucket at 2026-11-23 09:56:00Z",
    ),
    "the trail never delivered": (
        lambda account: account.trail["Status"].pop("LatestCloudWatchLogsDeliveryTime"),
        "trail-delivery",
        "has never delivered",
    ),
    "the trail logs reads only": (
        _trail(EventSelectors=_selectors(ReadWriteType="ReadOnly")),
        "trail-events",
        "ReadWriteType is ReadOnly",
    ),
    "the trail logs no management events": (
        _trail(EventSelectors=_selectors(IncludeManagementEvents=False)),
        "trail-events",
        "IncludeManagementEvents is false",
    ),
    "an advanced selector keeps reads only": (
        _trail(EventSelectors=_advanced({"Field": "readOnly", "Equals": ["true"]})),
        "trail-events",
        "readOnly Equals true",
    ),
    "an advanced selector drops EC2": (
        _trail(EventSelectors=_advanced({"Field": "eventSource", "NotEquals": ["ec2.amazonaws.com"]})),
        "trail-events",
        "eventSource NotEquals ec2.amazonaws.com",
    ),
    "an advanced selector drops one event": (
        _trail(EventSelectors=_advanced({"Field": "eventName", "NotEquals": ["ModifySecurityGroupRules"]})),
        "trail-events",
        "does not log every call of ModifySecurityGroupRules",
    ),
    "an advanced selector drops one caller": (
        _trail(
            EventSelectors=_advanced(
                {"Field": "userIdentity.arn", "NotStartsWith": [f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy"]}
            )
        ),
        "trail-events",
        "assumed-role/deploy",
    ),
    "advanced selectors for data events only": (
        _trail(
            EventSelectors={
                "AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]
            }
        ),
        "trail-events",
        "no advanced selector has eventCategory = Management",
    ),
    "the trail is of one region": (_trail(IsMultiRegionTrail=False), "trail-multi-region", f"logs only {REGION}"),
    "the trail has no log group": (
        _trail(CloudWatchLogsLogGroupArn=None),
        "trail-log-group",
        "does not deliver to a CloudWatch Logs log group",
    ),
    "the log group is of another region than the trail": (
        _trail(CloudWatchLogsLogGroupArn=GROUP.replace(REGION, "eu-west-1") + ":*"),
        "trail-log-group",
        "in eu-west-1",
    ),
    "the log group is gone": (
        lambda account: _set(account, group={"logGroupName": "another"}),
        "log-group",
        "trail-logs, to which the trail delivers, does not exist",
    ),
    "the log group is of the infrequent access class": (
        lambda account: account.group.update(logGroupClass="INFREQUENT_ACCESS"),
        "log-group",
        "INFREQUENT_ACCESS",
    ),
    "the filter is on another log group": (
        _filter(logGroupName="created-by-mistake"),
        "filter-exists",
        "on log group created-by-mistake",
    ),
    "there is no filter": (lambda account: _set(account, filters=[]), "filter-exists", "No metric filter"),
    "the filter misses an event": (
        lambda account: _set(account, filters=[metric_filter(events=("CreateSecurityGroup",))]),
        "filter-coverage",
        "does not match AuthorizeSecurityGroupIngress",
    ),
    "the filter publishes 0": (_filter(transformation={"metricValue": "0"}), "alarm-fires", "publishes 0 for a match"),
    "the filter publishes no number": (
        _filter(transformation={"metricValue": "yes"}),
        "filter-value",
        "value of yes, which these records do not hold",
    ),
    "the filter publishes a field that is not there": (
        _filter(transformation={"metricValue": "$.value"}),
        "filter-value",
        "value of $.value",
    ),
    "the filter reads another region only": (
        _filter(fieldSelectionCriteria='@aws.region = "eu-west-1"'),
        "filter-scope",
        "eu-west-1",
    ),
    "the alarm reads another namespace": (
        _alarm(Namespace="CIS"),
        "alarm-exists",
        "alarm sg-changes, which reads CIS/",
    ),
    "the alarm reads another metric": (_alarm(MetricName="sg-change"), "alarm-exists", "reads CISBenchmark/sg-change."),
    "the alarm reads a dimension": (
        _alarm(Dimensions=[{"Name": "Account", "Value": ACCOUNT}]),
        "alarm-metric",
        f"with dimensions Account={ACCOUNT}",
    ),
    "the filter publishes under a dimension": (
        _filter(transformation={"dimensions": {"User": "$.userIdentity.userName"}}),
        "alarm-metric",
        "publishes it with dimensions User",
    ),
    "the filter adds system dimensions": (
        _filter(emitSystemFieldDimensions=["@aws.region"]),
        "alarm-metric",
        "publishes it with dimensions @aws.region",
    ),
    "the alarm reads another unit": (_alarm(Unit="Count"), "alarm-metric", "in the unit Count"),
    "there is no alarm": (lambda account: _set(account, alarms=[]), "alarm-exists", "No alarm in us-east-1"),
    "the alarm's actions are disabled": (_alarm(ActionsEnabled=False), "alarm-actions", "are disabled"),
    "the alarm has no action": (_alarm(AlarmActions=[]), "alarm-actions", "has no action"),
    "the alarm has actions for OK only": (
        _alarm(AlarmActions=[], OKActions=[TOPIC]),
        "alarm-actions",
        "has actions for OK only",
    ),
    "the alarm starts a machine and notifies nobody": (
        _alarm(AlarmActions=[f"arn:aws:swf:{REGION}:{ACCOUNT}:action/actions/AWS_EC2.InstanceId.Stop/1.0"]),
        "alarm-actions",
        "notifies no SNS topic",
    ),
    "the topic is in another region": (
        _alarm(AlarmActions=[TOPIC.replace(REGION, "eu-west-1")]),
        "alarm-actions",
        "topics of its own region",
    ),
    "the alarm wants more than one": (
        _alarm(ComparisonOperator="GreaterThanThreshold"),
        "alarm-fires",
        "is 1, and the alarm wants > 1",
    ),
    "the alarm wants less than one": (_alarm(ComparisonOperator="LessThanThreshold"), "alarm-fires", "wants < 1"),
    "the alarm wants a hundred": (_alarm(Threshold=100.0), "alarm-fires", "wants ≥ 100"),
    "the alarm wants five periods in a row": (
        _alarm(EvaluationPeriods=5),
        "alarm-fires",
        "5 breaching datapoints out of 5",
    ),
    "the alarm averages over the default value": (_averaged, "alarm-fires", "default value"),
    "the alarm waits for more samples of a percentile": (
        _alarm(Statistic=None, ExtendedStatistic="p99", EvaluateLowSampleCountPercentile="ignore"),
        "alarm-fires",
        "ignores percentiles",
    ),
    "missing data is breaching": (_alarm(TreatMissingData="breaching"), "alarm-leaves", "never leaves ALARM"),
    "missing data is ignored": (_alarm(TreatMissingData="ignore"), "alarm-leaves", "missing data as ignore"),
    "the expression needs two": (
        lambda account: _set(account, alarms=[_math("m1 - 1")]),
        "alarm-fires",
        "the expression of it is 0",
    ),
    "the composite needs another alarm too": (
        _only_composite('ALARM("sg-changes") AND ALARM("other")'),
        "composite-alarm",
        "it needs other alarms too",
    ),
    "the composite is suppressed": (
        lambda account: _set(
            account,
            alarms=[alarm(AlarmActions=[]), alarm("maintenance", "other", StateValue="ALARM")],
            composites=[composite('ALARM("sg-changes")', ActionsSuppressor="maintenance")],
        ),
        "composite-alarm",
        "maintenance is in ALARM and suppresses",
    ),
    "the composite's actions are disabled": (
        _only_composite('ALARM("sg-changes")', ActionsEnabled=False),
        "alarm-actions",
        "actions of alarm parent are disabled",
    ),
    "the topic is gone": (
        lambda account: _set(
            account,
            alarms=[alarm(AlarmActions=[TOPIC + "-gone"])],
            errors=[error("sns:GetTopicAttributes", "NotFound", TOPIC + "-gone")],
        ),
        "topic-exists",
        "does not exist",
    ),
    "nobody is subscribed": (_topic(Subscriptions=[]), "subscriber", "nobody is subscribed"),
    "the subscriber has not confirmed": (
        _subscribed(SubscriptionArn="PendingConfirmation", Attributes={}),
        "subscriber",
        "has not confirmed",
    ),
    "the subscriber is deleted": (_subscribed(SubscriptionArn="Deleted"), "subscriber", "is Deleted"),
    "a filter policy drops the notification": (
        _subscribed(Attributes={"FilterPolicy": '{"severity": ["high"]}'}),
        "subscriber",
        "filter policy of email:security@example.com drops",
    ),
    "a filter policy on the body drops the notification": (
        _subscribed(Attributes={"FilterPolicy": '{"NewStateValue": ["OK"]}', "FilterPolicyScope": "MessageBody"}),
        "subscriber",
        "drops the alarm's notification",
    ),
    "the function may not be invoked by SNS": (
        _subscribed(
            Protocol="lambda",
            Endpoint=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:tell",
            EndpointPolicy=policy(statement(Action="lambda:InvokeFunction", Resource="*")),
        ),
        "subscriber",
        "no statement allows lambda:InvokeFunction to sns.amazonaws.com",
    ),
    "the topic's policy does not let CloudWatch publish": (
        _attributes(Policy=policy(statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))),
        "topic-policy",
        "no statement allows sns:Publish",
    ),
    "the topic's policy is for another account": (
        _attributes(Policy=policy(statement(Condition={"StringEquals": {"AWS:SourceOwner": OTHER_ACCOUNT}}))),
        "topic-policy",
        "condition on AWS:SourceOwner",
    ),
    "the topic's policy is for another alarm": (
        _attributes(Policy=policy(statement(Condition={"ArnLike": {"aws:SourceArn": ALARM + "-other*"}}))),
        "topic-policy",
        "condition on aws:SourceArn",
    ),
    "the topic's policy denies": (
        _attributes(Policy=policy(statement(), statement(Sid="no", Effect="Deny", Principal="*", Action="sns:*"))),
        "topic-policy",
        "statement no denies sns:Publish",
    ),
    "the topic is encrypted with the AWS-managed key": (
        _attributes(KmsMasterKeyId="alias/aws/sns"),
        "topic-key",
        "alias/aws/sns",
    ),
    "the key's policy does not know CloudWatch": (
        _key(statement(Action="kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, Resource="*")),
        "topic-key",
        "no statement allows kms:Decrypt",
    ),
    "the key's policy allows decryption only": (
        _key(statement(Action="kms:Decrypt", Resource="*")),
        "topic-key",
        "no statement allows kms:GenerateDataKey",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_link_fails_the_audit_and_is_named(name: str) -> None:
    change, check, reason = BROKEN[name]
    account = Account()
    change(account)
    report = account.report()
    assert report.status == "fail"
    assert (check, "fail") in broken(report)
    assert reason in reasons(report)


def test_no_check_that_can_fail_is_left_out_of_this_table() -> None:
    failing = {check.id for check in CHECKS if check.link in PATH_LINKS and check.fails}
    # Without a trail there is no path to break.
    missing = failing - {check for _, check, _ in BROKEN.values()} - {"trail-exists"}
    assert sorted(missing) == [], "no row in BROKEN of tests/alarm_path/test_breakages.py"


UNREAD = [
    ("cloudtrail:DescribeTrails", None, None),
    ("cloudtrail:GetTrailStatus", TRAIL, "Status"),
    ("cloudtrail:GetEventSelectors", TRAIL, "EventSelectors"),
    ("logs:DescribeLogGroups", None, "log_groups"),
    ("logs:DescribeMetricFilters", None, "metric_filters"),
    ("cloudwatch:DescribeAlarms", None, "metric_alarms"),
    ("sns:GetTopicAttributes", TOPIC, "Attributes"),
    ("sns:ListSubscriptionsByTopic", TOPIC, "Subscriptions"),
]


def _without(document: Any, key: str | None) -> Any:
    if isinstance(document, dict):
        return {name: _without(value, key) for name, value in document.items() if name != key}
    return [_without(item, key) for item in document] if isinstance(document, list) else document


@pytest.mark.parametrize(("call", "resource", "key"), UNREAD)
@pytest.mark.parametrize("code", ["AccessDenied", "ThrottlingException", "InternalFailure"])
def test_what_could_not_be_read_is_unknown_and_the_error_is_named(
    call: str, resource: str | None, key: str | None, code: str
) -> None:
    document = Account().document()
    if key == "EventSelectors":
        document["trails"][0].pop(key)
    else:
        document = _without(document, key or "trails")
    document["errors"] = [error(call, code, resource)]
    report = judge(document)
    assert report.status == "unknown"
    assert f"{code} from {call}" in reasons(report)


@pytest.mark.parametrize(
    "path",
    [
        ("trails",),
        ("regions",),
        ("trails", 0, "Status"),
        ("trails", 0, "EventSelectors"),
        ("regions", REGION, "log_groups"),
        ("regions", REGION, "metric_filters"),
        ("regions", REGION, "metric_alarms"),
        ("regions", REGION, "topics"),
        ("regions", REGION, "topics", TOPIC),
        ("regions", REGION, "topics", TOPIC, "Attributes"),
        ("regions", REGION, "topics", TOPIC, "Subscriptions"),
    ],
)
def test_a_missing_key_was_not_collected_and_is_unknown(path: tuple[Any, ...]) -> None:
    document = Account().document()
    place = document
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    assert judge(document).status == "unknown"


def test_a_missing_key_policy_matters_only_for_an_encrypted_topic() -> None:
    account = Account()
    del account.topic["KeyPolicy"]
    assert account.report().status == "pass"
    account.topic["Attributes"]["KmsMasterKeyId"] = KEY
    assert account.report().status == "unknown"


@pytest.mark.parametrize(("code", "status"), [("NotFoundException", "fail"), ("AccessDeniedException", "unknown")])
def test_a_key_that_is_gone_fails_and_one_that_cannot_be_read_is_unknown(code: str, status: str) -> None:
    account = Account()
    del account.topic["KeyPolicy"]
    account.topic["Attributes"]["KmsMasterKeyId"] = KEY
    account.errors = [error("kms:GetKeyPolicy", code, KEY)]
    assert account.report().status == status


GOOD: dict[str, Change] = {
    "the trail logs writes only": _trail(EventSelectors=_selectors(ReadWriteType="WriteOnly")),
    "advanced selectors log all management events": _trail(EventSelectors=_advanced()),
    "advanced selectors log writes": _trail(EventSelectors=_advanced({"Field": "readOnly", "Equals": ["false"]})),
    "advanced selectors drop KMS": _trail(
        EventSelectors=_advanced({"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]})
    ),
    "two selectors share the callers out": _trail(
        EventSelectors={
            "AdvancedEventSelectors": [
                {
                    "FieldSelectors": [
                        {"Field": "eventCategory", "Equals": ["Management"]},
                        {"Field": "userIdentity.arn", operator: [f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy"]},
                    ]
                }
                for operator in ("StartsWith", "NotStartsWith")
            ]
        }
    ),
    "the default policy of SNS": _attributes(
        Policy=policy(
            statement(
                Principal={"AWS": "*"},
                Action=["SNS:GetTopicAttributes", "SNS:Publish"],
                Condition={"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
            )
        )
    ),
    "a policy that refuses plain HTTP": _attributes(Policy=policy(statement(), DENY_TLS)),
    "a policy for this account's alarms": _attributes(
        Policy=policy(
            statement(
                Action="SNS:Pub*",
                Condition={
                    "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"},
                    "StringEquals": {"aws:SourceAccount": [ACCOUNT]},
                },
            )
        )
    ),
    "a key that CloudWatch may use": _key(statement(Action=["kms:Decrypt", "kms:GenerateDataKey*"], Resource="*")),
    "an old, deleted subscription beside a good one": _topic(
        Subscriptions=[subscription(SubscriptionArn="Deleted"), subscription()]
    ),
    "a filter policy that the notification meets": _subscribed(
        Attributes={"FilterPolicy": json.dumps({"NewStateValue": ["ALARM"]}), "FilterPolicyScope": "MessageBody"}
    ),
    "metric math": lambda account: _set(account, alarms=[_math("FILL(m1, 0)")]),
    "one of three periods": _alarm(EvaluationPeriods=3, DatapointsToAlarm=1),
    "missing data is missing": _alarm(TreatMissingData="missing"),
    "a default value of 0": _filter(transformation={"defaultValue": 0.0}),
    "a composite alarm tells": _only_composite('ALARM("sg-changes") OR ALARM("other")'),
    "a composite alarm that names ARNs": _only_composite(f"ALARM({ALARM}) AND NOT ALARM(other)"),
    "a log group that does not say its class": lambda account: account.group.pop("logGroupClass"),
    "a second, stopped trail": lambda account: account.more_trails.append(
        trail(TrailARN=TRAIL + "2", Name="main2", Status={"IsLogging": False})
    ),
    "something unread beside the path": lambda account: _set(
        account,
        errors=[error("logs:DescribeMetricFilters", region="eu-west-1"), error("sns:GetTopicAttributes", resource="x")],
    ),
    "the alarms could not all be listed": lambda account: _set(account, errors=[error("cloudwatch:DescribeAlarms")]),
    "criteria for this account": _filter(fieldSelectionCriteria=f'@aws.account IN ["{ACCOUNT}"]'),
}


@pytest.mark.parametrize("name", GOOD)
def test_an_unbroken_chain_passes(name: str) -> None:
    account = Account()
    GOOD[name](account)
    report = account.report()
    assert report.status == "pass", reasons(report)


EMPTY: list[tuple[tuple[Any, ...], Any, str, str | None]] = [
    (("trails",), [], "cloudtrail:DescribeTrails", None),
    (("trails", 0, "Status"), {}, "cloudtrail:GetTrailStatus", TRAIL),
    (("trails", 0, "EventSelectors"), {}, "cloudtrail:GetEventSelectors", TRAIL),
    (("regions", REGION, "log_groups"), [], "logs:DescribeLogGroups", None),
    (("regions", REGION, "metric_filters"), [], "logs:DescribeMetricFilters", GROUP),
    (("regions", REGION, "metric_alarms"), [], "cloudwatch:DescribeAlarms", None),
    (("regions", REGION, "topics"), {}, "sns:GetTopicAttributes", TOPIC),
    (("regions", REGION, "topics", TOPIC, "Attributes"), {}, "sns:GetTopicAttributes", TOPIC),
    (("regions", REGION, "topics", TOPIC, "Subscriptions"), [], "sns:ListSubscriptionsByTopic", TOPIC),
    (("regions", REGION, "topics", TOPIC, "Subscriptions", 0, "Attributes"), {}, "sns:GetSubscriptionAttributes", None),
]


@pytest.mark.parametrize(("path", "empty", "call", "resource"), EMPTY)
def test_nothing_beside_a_refusal_is_unknown_and_not_nothing(
    path: tuple[Any, ...], empty: Any, call: str, resource: str | None
) -> None:
    document = Account().document()
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = empty
    document["errors"] = [error(call, "AccessDenied", resource)]
    assert judge(document).status == "unknown"


def test_a_list_read_half_way_without_the_link_is_unknown() -> None:
    account = Account()
    account.alarms = []
    account.errors = [error("cloudwatch:DescribeAlarms", "Throttling")]
    assert account.report().status == "unknown"


def test_a_link_known_to_be_broken_stays_broken_whatever_else_could_not_be_read() -> None:
    account = Account()
    account.trail["Status"]["IsLogging"] = False
    document = _without(account.document(), "topics")
    document["errors"] = [error("cloudwatch:DescribeAlarms"), error("logs:DescribeMetricFilters")]
    assert judge(document).status == "fail"


def test_prowlers_passing_set_ups_are_broken_and_every_reason_is_named() -> None:
    account = Account()
    account.trail = trail(IsMultiRegionTrail=False, Status={"IsLogging": False})
    account.filters = [metric_filter(transformation={"metricValue": "$.value"})]
    account.alarms = [
        alarm(
            Statistic="Average",
            Threshold=2.0,
            EvaluationPeriods=5,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[],
        )
    ]
    found = broken(account.report())
    assert {("trail-logging", "fail"), ("trail-multi-region", "fail"), ("filter-value", "fail")} <= found
    assert {("alarm-fires", "fail"), ("alarm-actions", "fail")} & found
