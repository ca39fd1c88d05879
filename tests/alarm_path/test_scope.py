"""Which records of the tamper group are about the alarm path or sgwatch itself."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.alarm_path.watch.health import part_name
from chalicelib.alarm_path.watch.scope import touches
from chalicelib.cloudtrail.catalog import EventGroup, events_of
from tests.support.alarm_paths import ALARM, GROUP, TOPIC, TRAIL, Account
from tests.support.guards import audited

SUBSCRIPTION = f"{TOPIC}:11111111-2222-4333-8444-555555555555"
OWN_RULE = "sgwatch-prod-alert_on_change-event"
PARTS = frozenset(
    {"main", "trail-logs", "sg-changes", "security", part_name(SUBSCRIPTION), OWN_RULE, "sgwatch-prod-alert_on_change"}
)
# Event → the parameters that name a part, and the same of something else.
NAMED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "DeleteMetricFilter": (
        {"logGroupName": "trail-logs", "filterName": "sg-changes"},
        {"logGroupName": "trail-logs", "filterName": "other"},
    ),
    "PutMetricFilter": ({"filterName": "sg-changes"}, {"logGroupName": "trail-logs", "filterName": "other"}),
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
LAMBDA = ({"functionName": "sgwatch-prod-alert_on_change"}, {"functionName": "orders"})
TAMPERING = [event.name for event in events_of([EventGroup.TAMPER])]


@pytest.mark.parametrize("name", TAMPERING)
def test_every_event_of_the_group_is_told_apart(name: str) -> None:
    part, other = NAMED.get(name, LAMBDA)
    assert touches(name, part, PARTS, PARTS) is True
    assert touches(name, other, PARTS, PARTS) is False


def test_a_function_of_sgwatch_is_known_by_its_name() -> None:
    for name in ("sgwatch-dev-deliver", "arn:aws:lambda:us-east-1:123456789012:function:sgwatch-dev-deliver"):
        assert touches("UpdateFunctionCode20150331v2", {"functionName": name}, PARTS, PARTS) is True


def test_a_subscription_that_no_audit_has_seen_is_known_by_its_topic() -> None:
    young = f"{TOPIC}:99999999-2222-4333-8444-555555555555"
    assert touches("Unsubscribe", {"subscriptionArn": young}, PARTS, PARTS) is True


def test_what_is_gone_is_known_from_before() -> None:
    assert touches("DeleteTopic", {"topicArn": TOPIC}, PARTS, frozenset()) is True


def test_a_deletion_without_a_memory_cannot_be_told() -> None:
    assert touches("DeleteTopic", {"topicArn": TOPIC}, None, frozenset()) is None


def test_what_was_put_is_there_to_be_seen_without_a_memory() -> None:
    assert touches("PutMetricAlarm", {"alarmName": "other"}, None, PARTS) is False
    assert touches("PutMetricAlarm", {"alarmName": "other"}, None, None) is None


@pytest.mark.parametrize("parameters", [{}, {"topicArn": None}, {"topicArn": 7}, {"name": ""}, {"alarmNames": [None]}])
def test_a_call_that_names_nothing_cannot_be_told(parameters: dict[str, Any]) -> None:
    assert touches("DeleteTopic", parameters, PARTS, PARTS) is None


@pytest.mark.parametrize(
    ("arn", "name"), [(TRAIL, "main"), (f"{GROUP}:*", "trail-logs"), (ALARM, "sg-changes"), (TOPIC, "security")]
)
def test_an_arn_and_a_name_are_the_same_part(arn: str, name: str) -> None:
    assert part_name(arn) == part_name(name) == name


def test_an_audit_knows_the_parts_of_the_path_its_subscriptions_too() -> None:
    parts = audited(Account().document()).standing.parts
    assert parts is not None
    assert {"main", "trail-logs", "sg-changes", "security", part_name(SUBSCRIPTION)} <= parts
