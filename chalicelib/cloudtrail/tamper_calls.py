"""The calls that can weaken the alarm path or sgwatch itself: one row each, from which all else about them follows.

The EventBridge patterns, the alert's words and severity, whether a call touches the alarm path, its undo and the table
in docs/alarm-path.md are made from these rows. ``names`` are the request's parameters, as CloudTrail spells them, that
name what the call touches; one that begins with ``responseElements.`` is in the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from chalicelib.cloudtrail import tamper_effects as effects
from chalicelib.cloudtrail.tamper_effects import Effect, Inverse, ReadEffect, inverse
from chalicelib.named_tuple import NamedTuple


class Scope(StrEnum):
    """What a tamper call is watched on."""

    PATH = "path"  # whatever it names; the audit finds what of that belongs to the alarm path
    OWN = "own"  # sgwatch's own resources alone


class TamperCall(NamedTuple):
    """One CloudTrail event name of one source.

    ``thing`` is the kind of what it names, ``doing`` and ``done`` are what it does, as "deleting" and "deleted".
    ``weakens``: it can only weaken; else it may (Put…, Set…, Update…, Create…, Add…). ``whose`` stands before a name
    that is not the thing's own but its owner's. ``undo_note`` is what else the inverse does, or why there is none.
    ``is_account_wide``: it acts on what it does not name.
    """

    name: str
    source: str
    scope: Scope
    thing: str
    doing: str
    done: str
    names: tuple[str, ...]
    weakens: bool = False
    effect: ReadEffect | None = None
    inverse: Inverse | None = None
    whose: str = ""
    undo_note: str | None = None
    is_account_wide: bool = False

    @property
    def api_name(self) -> str:
        """The operation: Lambda's event names end in the version of its API (UpdateFunctionCode20150331v2)."""
        return _API_VERSION.sub("", self.name)


# https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
_API_VERSION = re.compile(r"\d{8}(v\d+)?$")

_RESPONSE = "responseElements"
_LOGS, _MONITORING, _SNS = "logs.amazonaws.com", "monitoring.amazonaws.com", "sns.amazonaws.com"
_CLOUDTRAIL, _EVENTS, _KMS = "cloudtrail.amazonaws.com", "events.amazonaws.com", "kms.amazonaws.com"
_LAMBDA, _SQS, _DYNAMODB = "lambda.amazonaws.com", "sqs.amazonaws.com", "dynamodb.amazonaws.com"
_SSM, _SECRETS, _IAM = "ssm.amazonaws.com", "secretsmanager.amazonaws.com", "iam.amazonaws.com"

_FUNCTION = ("functionName",)
_MAPPING = ("functionName", f"{_RESPONSE}.functionArn")
_OF_FUNCTION = "of function "
_KEY = ("keyId",)


def _path(name: str, source: str, thing: str, words: str, *names: str, **more: Any) -> TamperCall:
    doing, done = words.split("|")
    return TamperCall(name, source, Scope.PATH, thing, doing, done, names, **more)


def _own(name: str, source: str, thing: str, words: str, *names: str, **more: Any) -> TamperCall:
    doing, done = words.split("|")
    return TamperCall(name, source, Scope.OWN, thing, doing, done, names, **more)


_DELETE, _CHANGE, _PUT = "deleting|deleted", "changing|changed", "creating or changing|created or changed"

TAMPER_CALLS: tuple[TamperCall, ...] = (
    # A filter that is new on the trail's log group may publish into the same metric.
    _path("DeleteMetricFilter", _LOGS, "metric filter", _DELETE, "filterName", "logGroupName", weakens=True),
    _path("PutMetricFilter", _LOGS, "metric filter", _PUT, "filterName", "logGroupName", effect=effects.filter_pattern),
    _path("DeleteLogGroup", _LOGS, "log group", _DELETE, "logGroupName", weakens=True),
    _path(
        "PutTransformer",
        _LOGS,
        "log group",
        "setting the log transformer of|given another log transformer",
        "logGroupIdentifier",
    ),
    _path(
        "DeleteTransformer",
        _LOGS,
        "log group",
        "deleting the log transformer of|left without its log transformer",
        "logGroupIdentifier",
        weakens=True,
    ),
    _path(
        "PutAccountPolicy",
        _LOGS,
        "account policy",
        _PUT,
        "policyName",
        effect=effects.account_policy,
        is_account_wide=True,
    ),
    _path("DeleteAlarms", _MONITORING, "alarm", _DELETE, "alarmNames", weakens=True),
    _path(
        "DisableAlarmActions",
        _MONITORING,
        "alarm",
        "disabling the actions of|left with actions disabled",
        "alarmNames",
        weakens=True,
        inverse=inverse("cloudwatch", "enable-alarm-actions", AlarmNames="alarmNames"),
    ),
    _path("PutMetricAlarm", _MONITORING, "alarm", _PUT, "alarmName", effect=effects.alarm_actions),
    _path("PutCompositeAlarm", _MONITORING, "alarm", _PUT, "alarmName", effect=effects.alarm_actions),
    _path(
        "SetAlarmState",
        _MONITORING,
        "alarm",
        "setting the state of|set to another state",
        "alarmName",
        effect=effects.alarm_state,
    ),
    _path(
        "PutAlarmMuteRule",
        _MONITORING,
        "alarm",
        "muting|muted",
        "muteTargets.alarmNames",
        weakens=True,
        effect=effects.mute_rule,
    ),
    _path("Unsubscribe", _SNS, "subscription", _DELETE, "subscriptionArn", weakens=True),
    _path("DeleteTopic", _SNS, "topic", _DELETE, "topicArn", weakens=True),
    _path("SetTopicAttributes", _SNS, "topic", _CHANGE, "topicArn", effect=effects.topic_attribute),
    _path(
        "SetSubscriptionAttributes",
        _SNS,
        "subscription",
        _CHANGE,
        "subscriptionArn",
        effect=effects.subscription_attribute,
    ),
    _path(
        "AddPermission",
        _SNS,
        "topic",
        "adding a permission to|given another permission",
        "topicArn",
        inverse=inverse("sns", "remove-permission", TopicArn="topicArn", Label="label"),
    ),
    _path(
        "RemovePermission",
        _SNS,
        "topic",
        "removing a permission from|left without a permission",
        "topicArn",
        weakens=True,
    ),
    _path(
        "StopLogging",
        _CLOUDTRAIL,
        "trail",
        "stopping|stopped",
        "name",
        weakens=True,
        inverse=inverse("cloudtrail", "start-logging", Name="name"),
    ),
    _path("UpdateTrail", _CLOUDTRAIL, "trail", _CHANGE, "name", effect=effects.trail_update),
    _path("DeleteTrail", _CLOUDTRAIL, "trail", _DELETE, "name", weakens=True),
    _path(
        "PutEventSelectors",
        _CLOUDTRAIL,
        "trail",
        "changing the event selectors of|given other event selectors",
        "trailName",
        effect=effects.event_selectors,
    ),
    _path("DisableRule", _EVENTS, "rule", "disabling|disabled", "name", weakens=True, inverse=effects.enable_rule),
    _path("DeleteRule", _EVENTS, "rule", _DELETE, "name", weakens=True),
    _path(
        "RemoveTargets",
        _EVENTS,
        "rule",
        "removing targets of|left without some or all of its targets",
        "rule",
        weakens=True,
    ),
    _path("PutRule", _EVENTS, "rule", _PUT, "name", effect=effects.rule_state),
    _path(
        "PutTargets",
        _EVENTS,
        "rule",
        "changing the targets of|given new or changed targets",
        "rule",
        effect=effects.rule_targets,
    ),
    _path(
        "DisableKey",
        _KMS,
        "key",
        "disabling|disabled",
        *_KEY,
        weakens=True,
        inverse=inverse("kms", "enable-key", KeyId="keyId"),
    ),
    _path(
        "ScheduleKeyDeletion",
        _KMS,
        "key",
        "scheduling the deletion of|scheduled for deletion",
        *_KEY,
        weakens=True,
        inverse=effects.keep_key,
        undo_note="The key is enabled, too, as it was before unless somebody had disabled it.",
    ),
    _path("PutKeyPolicy", _KMS, "key", "replacing the policy of|given another policy", *_KEY),
    _own("DeleteFunction20150331", _LAMBDA, "function", _DELETE, *_FUNCTION, weakens=True),
    _own(
        "UpdateFunctionCode20150331v2",
        _LAMBDA,
        "function",
        "changing the code of|given other code",
        *_FUNCTION,
        effect=effects.function_code,
    ),
    _own(
        "UpdateFunctionConfiguration20150331v2",
        _LAMBDA,
        "function",
        "changing the settings of|given other settings",
        *_FUNCTION,
        effect=effects.function_settings,
    ),
    _own(
        "PutFunctionConcurrency20171031",
        _LAMBDA,
        "function",
        "limiting the concurrency of|limited in concurrency",
        *_FUNCTION,
        effect=effects.concurrency,
    ),
    _own(
        "AddPermission20150331v2",
        _LAMBDA,
        "function",
        "adding a permission to|given another permission",
        *_FUNCTION,
        inverse=effects.withdraw_permission,
    ),
    _own(
        "RemovePermission20150331v2",
        _LAMBDA,
        "function",
        "removing a permission from|left without a permission",
        *_FUNCTION,
        weakens=True,
    ),
    _own(
        "DeleteFunctionEventInvokeConfig",
        _LAMBDA,
        "function",
        "deleting the asynchronous settings of|left without its asynchronous settings",
        *_FUNCTION,
        weakens=True,
    ),
    _own(
        "PutFunctionEventInvokeConfig",
        _LAMBDA,
        "function",
        "changing the asynchronous settings of|given other asynchronous settings",
        *_FUNCTION,
    ),
    _own(
        "UpdateFunctionEventInvokeConfig",
        _LAMBDA,
        "function",
        "changing the asynchronous settings of|given other asynchronous settings",
        *_FUNCTION,
    ),
    _own(
        "CreateEventSourceMapping20150331",
        _LAMBDA,
        "event source mapping",
        "adding|added",
        *_MAPPING,
        whose=_OF_FUNCTION,
        inverse=effects.delete_mapping,
    ),
    _own(
        "UpdateEventSourceMapping20150331",
        _LAMBDA,
        "event source mapping",
        _CHANGE,
        *_MAPPING,
        whose=_OF_FUNCTION,
        effect=effects.event_source_mapping,
        inverse=effects.enable_mapping,
    ),
    _own(
        "DeleteEventSourceMapping20150331",
        _LAMBDA,
        "event source mapping",
        _DELETE,
        f"{_RESPONSE}.functionArn",
        whose=_OF_FUNCTION,
        weakens=True,
    ),
    _own("DeleteQueue", _SQS, "queue", _DELETE, "queueUrl", weakens=True),
    _own(
        "PurgeQueue",
        _SQS,
        "queue",
        "emptying|emptied",
        "queueUrl",
        weakens=True,
        undo_note="purged messages cannot be brought back",
    ),
    _own("SetQueueAttributes", _SQS, "queue", _CHANGE, "queueUrl", effect=effects.queue_attributes),
    _own("DeleteTable", _DYNAMODB, "table", _DELETE, "tableName", weakens=True),
    _own("PutParameter", _SSM, "parameter", _PUT, "name"),
    _own("DeleteParameter", _SSM, "parameter", _DELETE, "name", weakens=True),
    _own("DeleteParameters", _SSM, "parameter", _DELETE, "names", weakens=True),
    _own("PutSecretValue", _SECRETS, "secret", "changing|given another value", "secretId"),
    _own("UpdateSecret", _SECRETS, "secret", _CHANGE, "secretId"),
    _own(
        "UpdateSecretVersionStage",
        _SECRETS,
        "secret",
        "changing the version of|given another version",
        "secretId",
        inverse=effects.move_stage_back,
        # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
        undo_note="Where AWSCURRENT moves, AWS moves AWSPREVIOUS to the version that it leaves.",
    ),
    _own("PutResourcePolicy", _SECRETS, "secret", "replacing the policy of|given another policy", "secretId"),
    _own(
        "DeleteSecret",
        _SECRETS,
        "secret",
        _DELETE,
        "secretId",
        weakens=True,
        effect=effects.secret_deletion,
        inverse=effects.restore_secret,
    ),
    _own("DeleteRole", _IAM, "role", _DELETE, "roleName", weakens=True),
    _own(
        "PutRolePolicy",
        _IAM,
        "role",
        "changing the policy of|given another policy",
        "roleName",
        effect=effects.role_policy("given inline policy", "policyName"),
    ),
    _own(
        "DeleteRolePolicy",
        _IAM,
        "role",
        "deleting a policy of|left without a policy",
        "roleName",
        weakens=True,
        effect=effects.role_policy("left without inline policy", "policyName", weakens=True),
    ),
    _own(
        "AttachRolePolicy",
        _IAM,
        "role",
        "attaching a policy to|given another policy",
        "roleName",
        effect=effects.role_policy("given policy", "policyArn"),
    ),
    _own(
        "DetachRolePolicy",
        _IAM,
        "role",
        "detaching a policy from|left without a policy",
        "roleName",
        weakens=True,
        effect=effects.role_policy("left without policy", "policyArn", weakens=True),
        inverse=inverse("iam", "attach-role-policy", RoleName="roleName", PolicyArn="policyArn"),
    ),
    _own("UpdateAssumeRolePolicy", _IAM, "role", "changing the trust policy of|given another trust policy", "roleName"),
    _own(
        "PutRolePermissionsBoundary",
        _IAM,
        "role",
        "setting the permissions boundary of|given another permissions boundary",
        "roleName",
        effect=effects.role_policy("given permissions boundary", "permissionsBoundary"),
    ),
)

BY_NAME: Mapping[str, TamperCall] = {call.name: call for call in TAMPER_CALLS}

# Calls that may mend what one of these broke. They are nothing to alert on; the audit runs after them, so that a
# recovery is reported in seconds and not within the hour.
MENDING: Mapping[str, tuple[str, ...]] = {
    _MONITORING: ("EnableAlarmActions", "DeleteAlarmMuteRule"),
    _SNS: ("Subscribe", "ConfirmSubscription"),
    _CLOUDTRAIL: ("StartLogging",),
    _EVENTS: ("EnableRule",),
    _KMS: ("EnableKey", "CancelKeyDeletion"),
}


def named_by(call: TamperCall, raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Every name in the record of what the call touches, as it is written there, none twice."""
    return tuple(dict.fromkeys(name for path in call.names for name in _at(raw, path)))


def subjects_of(call: TamperCall, raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the things that the call is about: those of the first path that has any."""
    for path in call.names:
        if names := tuple(dict.fromkeys(_at(raw, path))):
            return names
    return ()


def effect_of(call: TamperCall, request: Mapping[str, Any]) -> Effect:
    """What the call did, from its parameters where they say it, else from its name."""
    said = call.effect(effects.respelled(request)) if call.effect is not None else None
    return said or Effect(f"{{things}} {{was}} {call.done}", call.weakens)


def _keys(path: str) -> list[str]:
    keys = path.split(".")
    return keys if keys[0] == _RESPONSE else ["requestParameters", *keys]


def _at(raw: Mapping[str, Any], path: str) -> Iterator[str]:
    first, *keys = _keys(path)
    within = raw.get(first)
    value: object = effects.respelled(within) if isinstance(within, Mapping) else None
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    for item in effects.listed(value):
        if isinstance(item, str) and item:
            yield item


def own_conditions() -> list[dict[str, Any]]:
    """EventBridge conditions, one of which holds where a record names a resource of sgwatch's own.

    Names also come as ARNs and URLs, so the wildcard stands on both sides. A request that CloudTrail left out for its
    size names nothing and is let through.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    """
    paths = dict.fromkeys(path for call in TAMPER_CALLS if call.scope is Scope.OWN for path in call.names)
    found = [_nested(path, [{"wildcard": "*sgwatch*"}]) for path in paths]
    return [*found, _nested("omitted", [True])]


def _nested(path: str, value: list[Any]) -> dict[str, Any]:
    nested: Any = value
    for key in reversed(_keys(path)):
        nested = {key: nested}
    document: dict[str, Any] = nested
    return document
