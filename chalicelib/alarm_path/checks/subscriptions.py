"""Whether a subscription of a topic passes an alarm's notification on to somebody.

A filter policy is judged on the message that CloudWatch sends: it has no message attributes, and a
JSON body whose field names are known but whose values are not all.
https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.alarm_path.checks.resource_policies import ServiceCall, allows
from chalicelib.alarm_path.snapshot.model import Subscription
from chalicelib.alarm_path.verdicts import Status, all_of, any_of, opposite, status_of

SNS = "sns.amazonaws.com"
_POLICY_ACTIONS = {"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage"}
# Something, or nothing at all, and a text of which only that it is there is known.
UNKNOWN_VALUE = object()
SOME_TEXT = object()
# Null, or not there: what CloudWatch writes for a description that an alarm does not have is not documented.
NO_TEXT = object()
_TEXT_TESTS = frozenset({"prefix", "suffix", "equals-ignore-case"})
# Fields whose values are not known beforehand, in the notifications of both kinds of alarm.
_TEXTS = ("Region", "StateChangeTime", "NewStateReason")
# What an alarm may have been in before ALARM.
_BEFORE = frozenset({"OK", "INSUFFICIENT_DATA"})
_ACTION_FIELDS = ("AlarmConfigurationUpdatedTimestamp", "OKActions", "AlarmActions", "InsufficientDataActions")
_METRIC_ALARM_FIELDS = ("Trigger", *_ACTION_FIELDS)
_COMPOSITE_FIELDS = ("AlarmRule", "TriggeringChildren", "Trigger", *_ACTION_FIELDS)


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-tags-in-notifications.html
_TAG_FIELDS = ("AlarmTags", "AlarmTagsStatus")


@dataclass(frozen=True, slots=True)
class Notification:
    """What CloudWatch publishes when an alarm goes to ALARM, as far as it is known beforehand."""

    alarm_name: str
    alarm_arn: str
    account_id: str
    topic_arn: str
    of_composite: bool = False
    metric: tuple[str, str] | None = None
    description: str | None = None
    tagged: bool = False

    def body(self) -> Mapping[str, Any]:
        """The message's fields; ``metric`` is the namespace and name of an alarm on one metric, which they name too.

        ``description`` is empty where the alarm has none, and None where that is not known; ``tagged`` where its tags,
        which are not collected, are among them.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html and AWS's sample
        https://github.com/aws/aws-lambda-go/blob/main/events/testdata/cloudwatch-alarm-sns-payload-single-metric.json
        """
        known: dict[str, Any] = {
            "AlarmName": self.alarm_name,
            "AlarmArn": self.alarm_arn,
            "AWSAccountId": self.account_id,
            "AlarmDescription": UNKNOWN_VALUE if self.description is None else self.description or NO_TEXT,
            "NewStateValue": "ALARM",
            "OldStateValue": _BEFORE,
            **dict.fromkeys(_TEXTS, SOME_TEXT),
        }
        if self.metric:
            known["Trigger"] = _Partly({"Namespace": self.metric[0], "MetricName": self.metric[1]})
        of_kind = _COMPOSITE_FIELDS if self.of_composite else _METRIC_ALARM_FIELDS
        unsure = (*of_kind, *(_TAG_FIELDS if self.tagged else ()))
        return {**dict.fromkeys(unsure, UNKNOWN_VALUE), **known}


class _Partly(dict[str, Any]):
    """An object of the message with other fields beside those that are known."""


@dataclass(frozen=True, slots=True)
class SubscriptionVerdict:
    """Whether a subscription passes the notification on, and a sentence that says why."""

    status: Status
    reason: str
    note: str | None = None


def deliver(subscription: Subscription, notification: Notification) -> SubscriptionVerdict:
    """Judge one subscription of an alarm's topic."""
    attributes = subscription.attributes
    if subscription.arn == "PendingConfirmation" or (attributes or {}).get("PendingConfirmation") == "true":
        return SubscriptionVerdict(Status.FAIL, f"{subscription} has not confirmed its subscription")
    if not subscription.arn.startswith("arn:"):
        return SubscriptionVerdict(Status.FAIL, f"{subscription} is {subscription.arn or 'not a subscription'}")
    passes = _filtered(attributes or {}, notification)
    if passes is Status.FAIL:
        return SubscriptionVerdict(Status.FAIL, f"the filter policy of {subscription} drops the alarm's notification")
    if passes is Status.UNKNOWN:
        return SubscriptionVerdict(
            Status.UNKNOWN, f"whether the filter policy of {subscription} lets the notification through is unclear"
        )
    return _endpoint(subscription, notification)


def _endpoint(subscription: Subscription, notification: Notification) -> SubscriptionVerdict:
    action = _POLICY_ACTIONS.get(subscription.protocol)
    if action is None:
        return SubscriptionVerdict(Status.PASS, f"{subscription} has confirmed", _unseen_filter(subscription))
    if not subscription.policy_collected:
        note = f"The policy of {subscription} was not collected; it has to let SNS in."
        return SubscriptionVerdict(Status.PASS, f"{subscription} is subscribed", note)
    if subscription.function_policy is None:
        return SubscriptionVerdict(Status.FAIL, f"{subscription} has no policy that lets SNS in")
    call = ServiceCall(SNS, action, subscription.endpoint, notification.account_id, notification.topic_arn)
    answer = allows(subscription.function_policy, call)
    return SubscriptionVerdict(answer.status, f"{subscription}: {answer.why}")


def _unseen_filter(subscription: Subscription) -> str | None:
    """ListSubscriptionsByTopic shows no filter policy; only a subscription's own attributes do."""
    if subscription.attributes is not None:
        return None
    return f"The attributes of {subscription} were not collected; a filter policy on it would not be seen here."


def _filtered(attributes: Mapping[str, str], notification: Notification) -> Status:
    policy = _json(attributes.get("FilterPolicy"))
    if not policy:
        return Status.PASS
    if not isinstance(policy, Mapping):
        return Status.UNKNOWN
    if attributes.get("FilterPolicyScope", "MessageAttributes") == "MessageBody":
        return _object_matches(policy, notification.body())
    return _object_matches(policy, {})


def _json(text: object) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text) if text.strip() else None
    except ValueError:
        return UNKNOWN_VALUE


def _object_matches(policy: Mapping[str, Any], message: Mapping[str, Any]) -> Status:
    answers = []
    for key, wanted in policy.items():
        if key == "$or" and isinstance(wanted, list):
            answers.append(any_of(_object_matches(item, message) for item in wanted if isinstance(item, Mapping)))
        else:
            unseen = isinstance(message, _Partly) and key not in message
            value = UNKNOWN_VALUE if unseen else message.get(key)
            answers.append(_key_matches(wanted, value, there=key in message))
    return all_of(answers)


def _key_matches(wanted: object, value: object, *, there: bool) -> Status:
    if value is UNKNOWN_VALUE:
        return Status.UNKNOWN
    if isinstance(wanted, Mapping):
        return _object_matches(wanted, value if isinstance(value, Mapping) else {})
    if not isinstance(wanted, Sequence) or isinstance(wanted, str):
        return Status.UNKNOWN
    return any_of(_condition(item, value, there=there) for item in wanted)


def _condition(item: object, value: object, *, there: bool) -> Status:
    if isinstance(value, Mapping):  # what SNS makes of an object where it looks for a value is not documented
        return Status.UNKNOWN
    if value is NO_TEXT:
        return Status.FAIL if _asks_for_text(item) else Status.UNKNOWN
    if isinstance(item, Mapping) and "exists" in item:
        return status_of(bool(item["exists"]) is there)
    if not there:
        return Status.FAIL
    if isinstance(value, frozenset):
        answers = {_condition(item, one, there=there) for one in value}
        return answers.pop() if len(answers) == 1 else Status.UNKNOWN
    if value is SOME_TEXT:
        return Status.UNKNOWN
    if not isinstance(item, Mapping):
        return status_of(item == value)
    return all_of(_operator(name, operand, str(value)) for name, operand in item.items())


def _asks_for_text(item: object) -> bool:
    """Whether a condition is one that nothing but some text meets."""
    return isinstance(item, str) or (isinstance(item, Mapping) and bool(_TEXT_TESTS & item.keys()))


def _operator(name: str, operand: object, value: str) -> Status:
    match name, operand:
        case "prefix", str(text):
            return status_of(value.startswith(text))
        case "suffix", str(text):
            return status_of(value.endswith(text))
        case "equals-ignore-case", str(text):
            return status_of(value.lower() == text.lower())
        case "anything-but", dict(inner):
            return opposite(all_of(_operator(key, inner[key], value) for key in inner))
        case "anything-but", list(items):
            return status_of(value not in items)
        case "anything-but", other:
            return status_of(value != other)
        case (("numeric" | "cidr"), _):  # of no field that is known: none is a number or an address
            return Status.FAIL
        case _:
            return Status.UNKNOWN
