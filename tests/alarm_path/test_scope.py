"""Which records of the tamper group are about the alarm path or sgwatch itself."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.alarm_path.watch import scope
from chalicelib.aws.arns import resource_name
from chalicelib.cloudtrail.tamper_calls import BY_NAME, TAMPER_CALLS, Scope, TamperCall, named_by
from tests.support.alarm_paths import ALARM, GROUP, TOPIC, TRAIL, Account
from tests.support.guards import audited
from tests.support.rows import every

SUBSCRIPTION = f"{TOPIC}:11111111-2222-4333-8444-555555555555"
KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-4333-8444-666666666666"
OWN_RULE = "sgwatch-prod-alert_on_change-event"
PARTS = frozenset(
    {"main", "trail-logs", "sg-changes", "security", resource_name(SUBSCRIPTION), OWN_RULE, resource_name(KEY)}
)
# Event → the parameters that name a part, and the same of something else.
NAMED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # A filter that is new on the trail's log group may publish into the metric that the alarm reads.
    "DeleteMetricFilter": (
        {"logGroupName": "trail-logs", "filterName": "other"},
        {"logGroupName": "/aws/lambda/orders", "filterName": "other"},
    ),
    "PutMetricFilter": ({"filterName": "sg-changes"}, {"logGroupName": "/aws/lambda/orders", "filterName": "other"}),
    "PutTransformer": ({"logGroupIdentifier": GROUP}, {"logGroupIdentifier": "/aws/lambda/orders"}),
    "DeleteTransformer": ({"logGroupIdentifier": "trail-logs"}, {"logGroupIdentifier": "/aws/lambda/orders"}),
    "PutCompositeAlarm": ({"alarmName": "sg-changes"}, {"alarmName": "other"}),
    "SetAlarmState": ({"alarmName": "sg-changes"}, {"alarmName": "other"}),
    "PutAlarmMuteRule": (
        {"name": "quiet", "muteTargets": {"alarmNames": ["other", "sg-changes"]}},
        {"name": "quiet", "muteTargets": {"alarmNames": ["other"]}},
    ),
    "SetSubscriptionAttributes": (
        {"subscriptionArn": SUBSCRIPTION},
        {"subscriptionArn": SUBSCRIPTION.replace("security", "orders")},
    ),
    "AddPermission": ({"topicArn": TOPIC}, {"topicArn": TOPIC.replace("security", "orders")}),
    "RemovePermission": ({"topicArn": TOPIC}, {"topicArn": TOPIC.replace("security", "orders")}),
    "PutTargets": ({"rule": OWN_RULE}, {"rule": "nightly"}),
    "DisableKey": ({"keyId": KEY}, {"keyId": "other"}),
    "ScheduleKeyDeletion": ({"keyId": KEY.rpartition("/")[2]}, {"keyId": "other"}),
    "PutKeyPolicy": ({"keyId": KEY}, {"keyId": "other"}),
    "DeleteLogGroup": ({"logGroupName": "trail-logs"}, {"logGroupName": "/aws/lambda/orders"}),
    "DeleteAlarms": ({"alarmNames": ["other", "sg-changes"]}, {"alarmNames": ["other"]}),
    "DisableAlarmActions": ({"alarmNames": ["sg-changes"]}, {"alarmNames": ["other"]}),
    "PutMetricAlarm": ({"alarmName": "sg-changes"}, {"alarmName": "TargetTracking-x"}),
    "Unsubscribe": (
        {"subscriptionArn": SUBSCRIPTION},
        {"subscriptionArn": SUBSCRIPTION.replace("security", "orders")},
    ),
    "DeleteTopic": ({"topicArn": TOPIC}, {"topicArn": TOPIC.replace("security", "orders")}),
    "SetTopicAttributes": ({"topicArn": TOPIC}, {"topicArn": TOPIC.replace("security", "orders")}),
    "StopLogging": ({"name": TRAIL}, {"name": "other"}),
    "UpdateTrail": ({"name": "main"}, {"name": "other"}),
    "DeleteTrail": ({"name": "main"}, {"name": TRAIL.replace("main", "other")}),
    "PutEventSelectors": ({"trailName": "main"}, {"trailName": "other"}),
    "DisableRule": ({"name": OWN_RULE}, {"name": "nightly"}),
    "DeleteRule": ({"name": OWN_RULE}, {"name": "nightly"}),
    "RemoveTargets": ({"rule": OWN_RULE, "ids": ["1"]}, {"rule": "nightly", "ids": ["1"]}),
    "PutRule": ({"name": OWN_RULE}, {"name": "nightly"}),
}
# Which parameter names the thing → its value for one of sgwatch's and for another's.
OWN = {
    "functionName": ("sgwatch-prod-alert_on_change", "orders"),
    "responseElements.functionArn": ("arn:aws:lambda:us-east-1:123456789012:function:sgwatch-prod-deliver", "orders"),
    "queueUrl": ("https://sqs.us-east-1.amazonaws.com/123456789012/sgwatch-prod-deliveries.fifo", "https://q/1/orders"),
    "tableName": ("sgwatch-prod-state", "orders"),
    "name": ("/sgwatch/prod/slack", "/orders/db"),
    "names": (["/orders/db", "/sgwatch/prod/slack"], ["/orders/db"]),
    "secretId": ("arn:aws:secretsmanager:us-east-1:123456789012:secret:sgwatch/slack-AbCdEf", "orders"),
    "roleName": ("sgwatch-prod", "orders"),
}


def touches(
    name: str, parameters: dict[str, Any], before: frozenset[str] | None, now: frozenset[str] | None
) -> bool | None:
    call = BY_NAME[name]
    answer = {"functionArn": parameters.get("responseElements.functionArn")}
    return scope.touches(
        call, named_by(call, {"requestParameters": parameters, "responseElements": answer}), before, now
    )


@every("call", TAMPER_CALLS, ids=lambda call: call.name)
def test_every_call_on_a_part_is_distinguished_from_others(call: TamperCall) -> None:
    if call.scope is Scope.OWN:
        assert call.names[0] in OWN, f"no row in OWN of tests/alarm_path/test_scope.py for {call.names[0]}"
        part, other = ({call.names[0]: value} for value in OWN[call.names[0]])
    elif call.is_account_wide:
        assert touches(call.name, {"policyName": "p"}, PARTS, PARTS) is None
        return
    else:
        assert call.name in NAMED, "no row in NAMED of tests/alarm_path/test_scope.py"
        part, other = NAMED[call.name]
    assert touches(call.name, part, PARTS, PARTS) is True
    assert touches(call.name, other, PARTS, PARTS) is False


def test_a_function_of_sgwatch_is_known_by_its_name() -> None:
    for name in ("sgwatch-dev-deliver", "arn:aws:lambda:us-east-1:123456789012:function:sgwatch-dev-deliver"):
        assert touches("UpdateFunctionCode20150331v2", {"functionName": name}, PARTS, PARTS) is True


def test_a_subscription_that_no_audit_has_seen_is_known_by_its_topic() -> None:
    young = f"{TOPIC}:99999999-2222-4333-8444-555555555555"
    assert touches("Unsubscribe", {"subscriptionArn": young}, PARTS, PARTS) is True


def test_what_is_gone_is_known_from_before() -> None:
    assert touches("DeleteTopic", {"topicArn": TOPIC}, PARTS, frozenset()) is True


def test_a_deletion_without_a_memory_cannot_be_reported() -> None:
    assert touches("DeleteTopic", {"topicArn": TOPIC}, None, frozenset()) is None


def test_what_was_put_is_there_to_be_seen_without_a_memory() -> None:
    assert touches("PutMetricAlarm", {"alarmName": "other"}, None, PARTS) is False
    assert touches("PutMetricAlarm", {"alarmName": "other"}, None, None) is None


@pytest.mark.parametrize("parameters", [{}, {"topicArn": None}, {"topicArn": 7}, {"name": ""}, {"alarmNames": [None]}])
def test_a_call_that_names_nothing_cannot_be_reported(parameters: dict[str, Any]) -> None:
    assert touches("DeleteTopic", parameters, PARTS, PARTS) is None


@pytest.mark.parametrize(
    ("arn", "name"), [(TRAIL, "main"), (f"{GROUP}:*", "trail-logs"), (ALARM, "sg-changes"), (TOPIC, "security")]
)
def test_an_arn_and_a_name_are_the_same_part(arn: str, name: str) -> None:
    assert resource_name(arn) == resource_name(name) == name


def test_an_audit_knows_the_parts_of_the_path_its_subscriptions_too() -> None:
    parts = audited(Account().document()).standing.parts
    assert parts is not None
    assert {"main", "trail-logs", "sg-changes", "security", resource_name(SUBSCRIPTION)} <= parts
