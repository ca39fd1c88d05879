"""What a call did to the thing that it names, read from the record's own parameters.

Each function takes the request parameters as CloudTrail writes them and gives an Effect, or None where the
parameters say nothing beyond the call's name. Nothing is cut here; who shows an effect makes it safe to show.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chalicelib.cloudtrail.standard_events import CIS_5_EVENTS
from chalicelib.named_tuple import NamedTuple

TamperRequest = Mapping[str, Any]


class Effect(NamedTuple):
    """``said`` is a clause with ``{things}`` in it: "management events are no longer logged by {things}".

    ``weakens``: the record itself shows that the call can only weaken what it names; ``changes_nothing``: that it
    changed nothing.
    """

    said: str
    weakens: bool = False
    changes_nothing: bool = False


ReadEffect = Callable[[TamperRequest], Effect | None]


class CliCall(NamedTuple):
    """One call of the AWS CLI: ``service`` and ``operation`` in its spelling, ``parameters`` in the API's."""

    service: str
    operation: str
    parameters: Mapping[str, Any]


# The calls that take a tamper call back; None where the record does not hold what they need. Given the request, with
# what AWS answered under ``responseElements``.
Inverse = Callable[[TamperRequest], tuple[CliCall, ...] | None]


_MAX_DEPTH = 12
# Under these the keys are names that people or services chose.
_CHOSEN_KEYS = frozenset({"attributes", "variables", "tags"})
_LIST_WRAPPERS = frozenset({"items", "item", "member"})


def respelled(request: TamperRequest) -> TamperRequest:
    """The request with keys as CloudTrail spells them: exports and tables also have the API's capitals."""
    found = _respelled(request, 0)
    return found if isinstance(found, Mapping) else {}


def _respelled(value: object, depth: int) -> object:
    if depth > _MAX_DEPTH:
        return value
    if isinstance(value, list):
        return [_respelled(item, depth + 1) for item in value]
    if not isinstance(value, Mapping):
        return value
    if value and value.keys() <= _LIST_WRAPPERS:
        return [_respelled(item, depth + 1) for inner in value.values() for item in listed(inner)]
    pairs = ((str(key)[:1].lower() + str(key)[1:], inner) for key, inner in value.items())
    return {key: inner if key in _CHOSEN_KEYS else _respelled(inner, depth + 1) for key, inner in pairs}


def listed(value: object) -> list[Any]:
    """A list; a single value in the place of one is a list of it."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _mapping(value: object) -> TamperRequest:
    decoded = _decoded(value)
    return decoded if isinstance(decoded, Mapping) else {}


def _list(value: object) -> list[Any]:
    """A list, also as JSON text, and where an export has a list of one as the one alone."""
    decoded = _respelled(_decoded(value), 0)
    return [] if decoded == "" else listed(decoded)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is(value: object, wanted: bool) -> bool:
    """CloudTrail writes booleans as such, exports often as text."""
    return value is wanted or (isinstance(value, str) and value.lower() == str(wanted).lower())


def _decoded(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


# --- CloudTrail


def event_selectors(request: TamperRequest) -> Effect | None:
    """PutEventSelectors, by the management events of EC2 that the new selectors leave out."""
    basic, advanced = _list(request.get("eventSelectors")), _list(request.get("advancedEventSelectors"))
    if not all(isinstance(_decoded(item), Mapping) for item in (*basic, *advanced)):
        return None  # what cannot be read may leave out anything
    if basic:
        return _basic_selectors([_mapping(item) for item in basic])
    if advanced:
        return _advanced_selectors([_mapping(item) for item in advanced])
    return None


_NO_MANAGEMENT = Effect("management events are no longer logged by {things}", weakens=True)
_READS_ONLY = Effect("management write events are no longer logged by {things}", weakens=True)


# All where none is given: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
_KNOWN_TYPES = (None, "", "All", "ReadOnly", "WriteOnly")


def _basic_selectors(selectors: Iterable[TamperRequest]) -> Effect | None:
    management = [item for item in selectors if not _is(item.get("includeManagementEvents", True), False)]
    if not management:
        return _NO_MANAGEMENT
    writes = [item for item in management if item.get("readWriteType") != "ReadOnly"]
    if not writes:
        return _READS_ONLY
    if all(_list(item.get("excludeManagementEventSources")) for item in writes):
        excluded = sorted({str(name) for item in writes for name in _list(item["excludeManagementEventSources"])})
        return Effect(f"{{things}} no longer logs management events of {', '.join(excluded)}")
    if not all(item.get("readWriteType") in _KNOWN_TYPES for item in writes):
        return None
    return Effect("{things} logs management write events after a change of its event selectors")


def _advanced_selectors(selectors: Iterable[TamperRequest]) -> Effect | None:
    fields = [[_mapping(each) for each in _list(item.get("fieldSelectors"))] for item in selectors]
    management = [item for item in fields if any(_asks(each, "eventCategory", "Management") for each in item)]
    if not management:
        return _NO_MANAGEMENT
    writes = [item for item in management if not any(_asks(each, "readOnly", "true") for each in item)]
    if not writes:
        return _READS_ONLY
    of_ec2 = [item for item in writes if _admits(item, "eventSource", "ec2.amazonaws.com")]
    if not of_ec2:
        what = "management events" if len(writes) == len(management) else "management write events"
        return Effect(f"{what} of EC2 are no longer logged by {{things}}", weakens=True)
    lost = [name for name in CIS_5_EVENTS if not any(_admits(item, "eventName", name) for item in of_ec2)]
    if len(lost) == len(CIS_5_EVENTS):
        return Effect("security group calls are no longer logged by {things}", weakens=True)
    if lost:
        return Effect(f"{{things}} no longer logs {', '.join(lost)}", weakens=True)
    narrowed = [{str(each.get("field")) for each in item} - _OF_EVERY_WRITE for item in of_ec2]
    if all(narrowed):
        return Effect(f"{{things}} logs only management events selected by {', '.join(sorted(set().union(*narrowed)))}")
    return Effect("{things} logs management write events after a change of its event selectors")


# What these ask, every write of EC2 that is admitted meets.
_OF_EVERY_WRITE = frozenset({"eventCategory", "readOnly", "eventSource"})


def _asks(condition: TamperRequest, field: str, value: str) -> bool:
    return condition.get("field") == field and [str(item).lower() for item in _list(condition.get("equals"))] == [
        value.lower()
    ]


def _admits(conditions: Iterable[TamperRequest], field: str, value: str) -> bool:
    return all(_fits(condition, value) for condition in conditions if condition.get("field") == field)


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "equals": lambda value, wanted: value == wanted,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}


def _fits(condition: TamperRequest, value: str) -> bool:
    for name, holds in _OPERATORS.items():
        wanted = [str(item) for item in _list(condition.get(name))]
        unwanted = [str(item) for item in _list(condition.get(f"not{name[0].upper()}{name[1:]}"))]
        if (wanted and not any(holds(value, each) for each in wanted)) or any(holds(value, each) for each in unwanted):
            return False
    return True


def trail_update(request: TamperRequest) -> Effect | None:
    """UpdateTrail, by what it names of the trail's reach and log group."""
    group = request.get("cloudWatchLogsLogGroupArn")
    losses = {
        "logs other regions than its own": _is(request.get("isMultiRegionTrail"), False),
        "delivers to CloudWatch Logs": group == "",
        "logs global services": _is(request.get("includeGlobalServiceEvents"), False),
        "logs other accounts": _is(request.get("isOrganizationTrail"), False),
    }
    if lost := [loss for loss, applies in losses.items() if applies]:
        *most, last = lost
        said = f"{', '.join(most)} or {last}" if most else last
        moved = f", and now delivers to log group {group}" if _text(group) else ""
        return Effect(f"{{things}} no longer {said}{moved}", weakens=True)
    if _text(group):
        return Effect(f"{{things}} now delivers to log group {group}")
    changed = _names(request, "name")
    return Effect(f"{changed} of {{things}} changed") if changed else None


# --- EventBridge


def rule_state(request: TamperRequest) -> Effect | None:
    """PutRule: it replaces the rule's pattern or schedule and its state."""
    if request.get("state") == "DISABLED":
        return Effect("{things} is now disabled", weakens=True)
    if "eventPattern" in request:
        return Effect("the event pattern of {things} was set")
    return Effect("the schedule of {things} was set") if "scheduleExpression" in request else None


def rule_targets(request: TamperRequest) -> Effect | None:
    """PutTargets: a target with an input of its own no longer gets the event."""
    targets = [_mapping(item) for item in _list(request.get("targets"))]
    if any(target.get(key) for target in targets for key in ("input", "inputPath", "inputTransformer")):
        return Effect("a target of {things} now gets something else than the event itself", weakens=True)
    return None


# --- CloudWatch


def alarm_actions(request: TamperRequest) -> Effect | None:
    """PutMetricAlarm and PutCompositeAlarm, by the actions that the alarm has afterwards."""
    if _is(request.get("actionsEnabled"), False):
        return Effect("{things} was created or changed with its actions disabled", weakens=True)
    if suppressor := _text(request.get("actionsSuppressor")):
        return Effect(f"the actions of {{things}} are now suppressed while {suppressor} is in ALARM")
    if not _list(request.get("alarmActions")):
        return Effect("{things} was created or changed without any action for ALARM")
    return None


def alarm_state(request: TamperRequest) -> Effect | None:
    """SetAlarmState."""
    state = _text(request.get("stateValue"))
    return Effect(f"the state of {{things}} was set to {state} by hand") if state else None


def mute_rule(request: TamperRequest) -> Effect | None:
    """PutAlarmMuteRule."""
    schedule = _mapping(_mapping(request.get("rule")).get("schedule"))
    when = " ".join(filter(None, (_text(schedule.get("expression")), _text(schedule.get("duration")))))
    by = f" by mute rule {request['name']}" if _text(request.get("name")) else ""
    return Effect(f"the actions of {{things}} are muted{by}{f' ({when})' if when else ''}", weakens=True)


# --- CloudWatch Logs


def account_policy(request: TamperRequest) -> Effect | None:
    """PutAccountPolicy: it holds for every log group that its criteria select."""
    kind = _text(request.get("policyType")).replace("_", " ").lower().removesuffix(" policy")
    return Effect(f"a {kind} policy for the account's log groups was put: {{things}}") if kind else None


def filter_pattern(request: TamperRequest) -> Effect | None:
    """PutMetricFilter."""
    pattern = request.get("filterPattern")
    if not isinstance(pattern, str):
        return None
    return Effect("{things} now matches every log event" if not pattern.strip() else "the pattern of {things} was set")


# --- SNS


def topic_attribute(request: TamperRequest) -> Effect | None:
    """SetTopicAttributes."""
    return _attribute(request, {"Policy": "the access policy of {things} was replaced"})


def subscription_attribute(request: TamperRequest) -> Effect | None:
    """SetSubscriptionAttributes: CloudWatch's notifications have no attributes that a filter policy could match."""
    if request.get("attributeName") == "FilterPolicy":
        if _decoded(request.get("attributeValue")) in (None, "", {}):
            return Effect("the filter policy of {things} was removed")
        return Effect("notifications to {things} are now filtered by a filter policy", weakens=True)
    return _attribute(request, {})


def _attribute(request: TamperRequest, known: Mapping[str, str]) -> Effect | None:
    name = _text(request.get("attributeName"))
    return Effect(known.get(name, f"attribute {name} of {{things}} was set")) if name else None


# --- sgwatch's own resources


def role_policy(said: str, *keys: str, weakens: bool = False) -> ReadEffect:
    """A policy that a role is given or loses, named behind ``said`` by the first of ``keys`` that the request has."""

    def read(request: TamperRequest) -> Effect | None:
        name = next(filter(None, (_text(request.get(key)) for key in keys)), None)
        return Effect(f"{{things}} was {said} {name}", weakens) if name else None

    return read


def secret_deletion(request: TamperRequest) -> Effect | None:
    """DeleteSecret, which can be taken back within its recovery window only."""
    forced = _is(request.get("forceDeleteWithoutRecovery"), True)
    return Effect("{things} was deleted without recovery", weakens=True) if forced else None


def concurrency(request: TamperRequest) -> Effect | None:
    """PutFunctionConcurrency."""
    reserved = request.get("reservedConcurrentExecutions")
    if reserved in (0, "0"):
        return Effect("{things} can no longer run (reserved concurrency of 0)", weakens=True)
    return Effect(f"the concurrency of {{things}} is now limited to {reserved}") if reserved is not None else None


def function_code(request: TamperRequest) -> Effect | None:
    """UpdateFunctionCode; a dry run checks the code and leaves the function as it is."""
    if _is(request.get("dryRun"), True):
        return Effect("new code for {things} was checked in a dry run; nothing changed", changes_nothing=True)
    return None


def function_settings(request: TamperRequest) -> Effect | None:
    """UpdateFunctionConfiguration; CloudTrail leaves the environment's values out."""
    changed = _names(request, "functionName", "revisionId")
    return Effect(f"{changed} of {{things}} changed") if changed else None


def event_source_mapping(request: TamperRequest) -> Effect | None:
    """UpdateEventSourceMapping."""
    if _is(request.get("enabled"), False):
        return Effect("{things} is now disabled", weakens=True)
    changed = _names(request, "uUID", "uuid", "functionName")
    return Effect(f"{changed} of {{things}} changed") if changed else None


def queue_attributes(request: TamperRequest) -> Effect | None:
    """SetQueueAttributes."""
    changed = ", ".join(sorted(map(str, _mapping(request.get("attributes")))))
    return Effect(f"{changed} of {{things}} changed") if changed else None


def _names(request: TamperRequest, *without: str) -> str:
    return ", ".join(name for name in request if name not in without)


# --- Inverses that need no other state than the record's


def inverse(service: str, operation: str, **parameters: str) -> Inverse:
    """One call whose parameters are the request's: ``inverse("cloudtrail", "start-logging", Name="name")``."""

    def build(request: TamperRequest) -> tuple[CliCall, ...] | None:
        found = {name: request.get(key) for name, key in parameters.items()}
        if not all(map(_is_text, found.values())):
            return None
        return (CliCall(service, operation, found),)

    return build


def _is_text(value: object) -> bool:
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(item, str) and item for item in values)


def enable_rule(request: TamperRequest) -> tuple[CliCall, ...] | None:
    """DisableRule, on whatever bus."""
    bus = {"EventBusName": "eventBusName"} if request.get("eventBusName") else {}
    return inverse("events", "enable-rule", Name="name", **bus)(request)


def keep_key(request: TamperRequest) -> tuple[CliCall, ...] | None:
    """ScheduleKeyDeletion; a key whose deletion is canceled is disabled.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html
    """
    cancel = inverse("kms", "cancel-key-deletion", KeyId="keyId")(request)
    enable = inverse("kms", "enable-key", KeyId="keyId")(request)
    return None if cancel is None or enable is None else (*cancel, *enable)


def restore_secret(request: TamperRequest) -> tuple[CliCall, ...] | None:
    """DeleteSecret, unless it was deleted at once."""
    if _is(request.get("forceDeleteWithoutRecovery"), True):
        return None
    return inverse("secretsmanager", "restore-secret", SecretId="secretId")(request)


def enable_mapping(request: TamperRequest) -> tuple[CliCall, ...] | None:
    """UpdateEventSourceMapping that did no more than disable it."""
    uuid = request.get("uUID") or request.get("uuid")
    if not _is_text(uuid) or not _is(request.get("enabled"), False):
        return None
    if _names(request, "uUID", "uuid", "functionName", "enabled", "responseElements"):
        return None
    return (CliCall("lambda", "update-event-source-mapping", {"UUID": uuid, "Enabled": True}),)


def delete_mapping(request: TamperRequest) -> tuple[CliCall, ...] | None:
    """CreateEventSourceMapping; AWS's answer names the new one."""
    answer = _mapping(request.get("responseElements"))
    uuid = answer.get("uUID") or answer.get("uuid")
    return (CliCall("lambda", "delete-event-source-mapping", {"UUID": uuid}),) if _is_text(uuid) else None


def move_stage_back(request: TamperRequest) -> tuple[CliCall, ...] | None:
    """UpdateSecretVersionStage that took a label from a version."""
    found = inverse("secretsmanager", "update-secret-version-stage", SecretId="secretId", VersionStage="versionStage")(
        request
    )
    left, taken = request.get("removeFromVersionId"), request.get("moveToVersionId")
    if found is None or not _is_text(left):
        return None
    (call,) = found
    moved = {"MoveToVersionId": left} | ({"RemoveFromVersionId": taken} if _is_text(taken) else {})
    return (call._replace(parameters={**call.parameters, **moved}),)


def withdraw_permission(request: TamperRequest) -> tuple[CliCall, ...] | None:
    """AddPermission of Lambda: it fails where a statement of that id exists, so the statement is new."""
    version = {"Qualifier": "qualifier"} if request.get("qualifier") else {}
    return inverse("lambda", "remove-permission", FunctionName="functionName", StatementId="statementId", **version)(
        request
    )
