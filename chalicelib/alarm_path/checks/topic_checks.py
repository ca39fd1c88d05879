"""Checks of a topic: it exists, lets CloudWatch publish, its key does too, and somebody is subscribed."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from chalicelib.alarm_path.checks.resource_policies import CLOUDWATCH, ServiceCall, allows
from chalicelib.alarm_path.checks.subscriptions import Notification, SubscriptionVerdict, deliver
from chalicelib.alarm_path.checks.trail_checks import unread
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import CompositeAlarm, MetricAlarm
from chalicelib.alarm_path.snapshot.model import AccessError, KeyUse, Snapshot, Subscription, Topic
from chalicelib.alarm_path.verdicts import Finding, Status, all_of, any_of
from chalicelib.aws.arns import parse_arn

# States of a key in which no cryptographic operation succeeds.
# https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
_UNUSABLE = {
    "Creating": "still being created",
    "Disabled": "disabled",
    "PendingDeletion": "pending deletion",
    "PendingReplicaDeletion": "pending deletion",
    "PendingImport": "without its key material",
    "Unavailable": "unavailable",
}
_KEY_CALLS = ("kms:GetKeyPolicy", "kms:DescribeKey")
# Where no command is known: the policy cannot be read, or the key cannot be used by CloudWatch at all.
_POLICY_FIX = "Let cloudwatch.amazonaws.com publish to the topic by its policy."
_KEY_FIX = (
    "Encrypt the topic with a customer-managed key whose policy allows kms:Decrypt and kms:GenerateDataKey* to "
    "cloudwatch.amazonaws.com."
)
_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
_ENDPOINT_CALLS = {"lambda": "lambda:GetPolicy", "sqs": "sqs:GetQueueAttributes"}
_SUBSCRIPTION_CALLS = ("sns:ListSubscriptionsByTopic",)


def judge_topic(
    snapshot: Snapshot, arn: str, alarm_name: str, alarm_arn: str, alarm: MetricAlarm | None = None
) -> tuple[list[Finding], list[str]]:
    """Every check of a topic that an alarm publishes to, and notes beside them; a composite alarm has no ``alarm``."""
    topic = _find(snapshot, arn)
    if topic is None:
        return [_unread_topic(snapshot, arn, topic)], []
    composite = _composite(snapshot, alarm_name, alarm_arn)
    publisher = composite or alarm
    notification = Notification(
        alarm_name,
        alarm_arn,
        snapshot.account_id,
        arn,
        of_composite=composite is not None,
        metric=alarm.only_metric if alarm else None,
        description=publisher.description if publisher else None,
        tagged=publisher is None or publisher.actions.sends_tags,
    )
    subscriber, notes = _subscribers(snapshot, topic, notification)
    if topic.attributes is None:
        return [_unread_topic(snapshot, arn, topic), subscriber], notes
    exists = Finding("topic-exists", Status.PASS, arn, f"Topic {_name(arn)} exists.")
    return [exists, _policy(snapshot, topic, alarm_arn), _key(snapshot, topic, alarm_arn), subscriber], notes


def _composite(snapshot: Snapshot, name: str, arn: str) -> CompositeAlarm | None:
    found = snapshot.region(_region(arn)).composite_alarms or ()
    return next((alarm for alarm in found if (alarm.name, alarm.arn) == (name, arn)), None)


def _name(arn: str) -> str:
    parsed = parse_arn(arn)
    return parsed.resource if parsed else arn


def _region(arn: str) -> str:
    parsed = parse_arn(arn)
    return parsed.region if parsed else ""


def _find(snapshot: Snapshot, arn: str) -> Topic | None:
    return (snapshot.region(_region(arn)).topics or {}).get(arn)


def _unread_topic(snapshot: Snapshot, arn: str, topic: Topic | None) -> Finding:
    errors = snapshot.errors_of("sns:GetTopicAttributes", region=_region(arn), resource=arn)
    if topic is None:
        errors += snapshot.errors_of(*_SUBSCRIPTION_CALLS, region=_region(arn), resource=arn)
    status, reason = unread(errors, f"Topic {_name(arn)}")
    parsed = parse_arn(arn)
    if status is Status.UNKNOWN and parsed is not None and parsed.account != snapshot.account_id:
        reason += f" It belongs to account {parsed.account}: look there."
    return Finding("topic-exists", status, arn, reason)


def _policy(snapshot: Snapshot, topic: Topic, alarm_arn: str) -> Finding:
    at = snapshot.collected_at
    call = ServiceCall(CLOUDWATCH, "sns:Publish", topic.arn, snapshot.account_id, alarm_arn, at)
    text = (topic.attributes or {}).get("Policy")
    if topic.arn.endswith(".fifo"):
        # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
        reason = (
            f"Topic {_name(topic.arn)} is a FIFO topic, to which nothing can be published without a message group id; "
            "whether CloudWatch alarms give one is not documented."
        )
        return Finding("topic-policy", Status.UNKNOWN, topic.arn, reason)
    if not text:
        reason = f"Topic {_name(topic.arn)} has no policy, so CloudWatch may not publish to it."
        return Finding("topic-policy", Status.FAIL, topic.arn, reason, _POLICY_FIX)
    answer = allows(_document(text), call)
    if answer.status is Status.PASS:
        return Finding("topic-policy", Status.PASS, topic.arn, f"Topic {_name(topic.arn)} lets CloudWatch publish.")
    verb = "does not let" if answer.status is Status.FAIL else "may not let"
    reason = f"Topic {_name(topic.arn)} {verb} CloudWatch publish: {answer.why}."
    return Finding("topic-policy", answer.status, topic.arn, reason, _POLICY_FIX)


def _document(text: object) -> Any:
    return _parsed(text) if isinstance(text, str) else text


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def publish_statement(account_id: str, topic_arn: str) -> dict[str, Any]:
    """The statement that lets this account's alarms publish."""
    return {
        "Sid": "sgwatch-alarms",
        "Effect": "Allow",
        "Principal": {"Service": CLOUDWATCH},
        "Action": "sns:Publish",
        "Resource": topic_arn,
        "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
    }


def _key(snapshot: Snapshot, topic: Topic, alarm_arn: str) -> Finding:
    key = str((topic.attributes or {}).get("KmsMasterKeyId") or "")
    name = _name(topic.arn)
    if not key:
        return Finding("topic-key", Status.PASS, topic.arn, f"Topic {name} is not encrypted with a KMS key.")
    if key.endswith("alias/aws/sns") or topic.key_use is KeyUse.AWS_MANAGED:
        reason = f"Topic {name} is encrypted with {key}, an AWS-managed key that CloudWatch alarms may not use."
        return Finding("topic-key", Status.FAIL, key, reason, _KEY_FIX)
    if topic.key_state in _UNUSABLE:
        reason = f"Key {key} of topic {name} is {_UNUSABLE[topic.key_state]}, so nothing can be published to the topic."
        return Finding("topic-key", Status.FAIL, key, reason, _KEY_FIX)
    if topic.key_use is KeyUse.NOT_SYMMETRIC:
        reason = f"Key {key} of topic {name} is not a symmetric encryption key, and SNS takes no other."
        return Finding("topic-key", Status.FAIL, key, reason, _KEY_FIX)
    parsed = parse_arn(key)
    if parsed is not None and parsed.region != _region(topic.arn):
        reason = f"Key {key} of topic {name} is in {parsed.region}, and SNS uses keys of the topic's own region."
        return Finding("topic-key", Status.UNKNOWN, key, reason)
    if topic.key_policy is None:
        return _no_key_policy(snapshot, topic, key)
    account, at = snapshot.account_id, snapshot.collected_at
    calls = [ServiceCall(CLOUDWATCH, action, key, account, alarm_arn, at) for action in _KEY_ACTIONS]
    answers = [allows(_without_resources(topic.key_policy), call) for call in calls]
    status = all_of(answer.status for answer in answers)
    if status is Status.PASS:
        return Finding("topic-key", status, key, f"Key {key} of topic {name} lets CloudWatch use it.")
    why = next(answer.why for answer in answers if answer.status is status)
    verb = "does not let" if status is Status.FAIL else "may not let"
    return Finding("topic-key", status, key, f"Key {key} of topic {name} {verb} CloudWatch use it: {why}.", _KEY_FIX)


def _without_resources(policy: Any) -> Any:
    """A key policy's Resource always means the key itself.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
    """
    if not isinstance(policy, dict) or not isinstance(policy.get("Statement"), list | dict):
        return policy
    found = policy["Statement"]
    kept = [
        {name: value for name, value in item.items() if name != "Resource"} if isinstance(item, dict) else item
        for item in (found if isinstance(found, list) else [found])
    ]
    return {**policy, "Statement": kept}


def _no_key_policy(snapshot: Snapshot, topic: Topic, key: str) -> Finding:
    errors = [
        error for error in snapshot.errors_of(*_KEY_CALLS, region=_region(topic.arn)) if _about(error, topic, key)
    ]
    if errors or not topic.key_policy_collected:
        status, reason = unread(errors, f"The policy of key {key} of topic {_name(topic.arn)}")
        return Finding("topic-key", status, key, reason, _KEY_FIX if status is Status.FAIL else None)
    reason = (
        f"Topic {_name(topic.arn)} is encrypted with the AWS-managed key {key}, which CloudWatch alarms may not use."
    )
    return Finding("topic-key", Status.FAIL, key, reason, _KEY_FIX)


def _about(error: AccessError, topic: Topic, key: str) -> bool:
    """Whether an error on a key is about this topic's: ids, aliases and ARNs name the same key."""
    resource = error.resource
    same_kind = bool(resource) and (("alias/" in key) == ("alias/" in str(resource)))
    return (
        not resource
        or resource == topic.arn
        or not same_kind
        or str(resource).rsplit("/", 1)[-1] == key.rsplit("/", 1)[-1]
    )


def _subscribers(snapshot: Snapshot, topic: Topic, notification: Notification) -> tuple[Finding, list[str]]:
    check, name = "subscriber", _name(topic.arn)
    errors = snapshot.errors_of(*_SUBSCRIPTION_CALLS, region=_region(topic.arn), resource=topic.arn)
    if topic.subscriptions is None:
        status, reason = unread(errors, f"Who is subscribed to topic {name}")
        return Finding(check, status, topic.arn, reason), []
    deliveries = [_delivery(snapshot, item, notification) for item in topic.subscriptions]
    incomplete = [error for error in errors if not error.not_found]
    status = any_of([*(item.status for item in deliveries), *(Status.UNKNOWN for _ in incomplete)])
    if status is Status.PASS:
        good = [item for item in deliveries if item.status is Status.PASS]
        notes = [item.note for item in good if item.note]
        reason = f"Topic {name} reaches somebody: {good[0].reason}."
        return Finding(check, status, topic.arn, reason), notes
    why = "; ".join(item.reason for item in deliveries if item.status is status) or "nobody is subscribed"
    if status is Status.UNKNOWN and incomplete:
        why = f"its subscriptions could not all be read ({incomplete[0]})"
    verb = "reaches nobody" if status is Status.FAIL else "may reach nobody"
    return Finding(check, status, topic.arn, f"Topic {name} {verb}: {why}."), []


def _delivery(snapshot: Snapshot, subscription: Subscription, notification: Notification) -> SubscriptionVerdict:
    found = deliver(subscription, notification)
    if found.status is Status.FAIL:
        return found
    errors = _unread_about(snapshot, subscription, notification)
    if not errors:
        return found
    status, reason = unread(errors, f"subscription {subscription}")
    return SubscriptionVerdict(status, reason.rstrip("."))


def _unread_about(snapshot: Snapshot, subscription: Subscription, notification: Notification) -> list[AccessError]:
    """The refusals over what the snapshot lacks of a subscription."""
    region = _region(notification.topic_arn)
    errors = []
    if subscription.attributes is None:
        for resource in (subscription.arn, notification.topic_arn):
            errors += snapshot.errors_of("sns:GetSubscriptionAttributes", region=region, resource=resource)
    call = _ENDPOINT_CALLS.get(subscription.protocol)
    if call and not subscription.policy_collected:
        errors += snapshot.errors_of(call, region=region, resource=subscription.endpoint)
    return errors
