"""The registry of tamper calls: complete, spelled as AWS spells it, and told apart by EventBridge."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters
from moto.events.models import EventPattern

from chalicelib.cloudtrail.catalog import MAX_PATTERN_LENGTH, own_tamper_pattern, pattern_length, tamper_pattern
from chalicelib.cloudtrail.tamper_calls import (
    MENDING,
    TAMPER_CALLS,
    Scope,
    TamperCall,
    effect_of,
    named_by,
    own_conditions,
    subjects_of,
)
from tests.support.rows import every

# DESIGN's table of what is watched, by the service's source.
PATH = {
    "logs": "DeleteMetricFilter PutMetricFilter DeleteLogGroup PutTransformer DeleteTransformer PutAccountPolicy",
    "monitoring": "DeleteAlarms DisableAlarmActions PutMetricAlarm PutCompositeAlarm SetAlarmState PutAlarmMuteRule",
    "sns": "Unsubscribe DeleteTopic SetTopicAttributes SetSubscriptionAttributes AddPermission RemovePermission",
    "cloudtrail": "StopLogging UpdateTrail DeleteTrail PutEventSelectors",
    "events": "DisableRule DeleteRule RemoveTargets PutRule PutTargets",
    "kms": "DisableKey ScheduleKeyDeletion PutKeyPolicy",
}
OWN = {
    "lambda": "DeleteFunction UpdateFunctionCode UpdateFunctionConfiguration PutFunctionConcurrency RemovePermission "
    "UpdateEventSourceMapping DeleteEventSourceMapping",
    "sqs": "DeleteQueue PurgeQueue SetQueueAttributes",
    "dynamodb": "DeleteTable",
    "ssm": "PutParameter DeleteParameter DeleteParameters",
    "secretsmanager": "PutSecretValue UpdateSecret DeleteSecret",
    "iam": "DeleteRole PutRolePolicy DeleteRolePolicy AttachRolePolicy DetachRolePolicy",
}
# What can only weaken, by DESIGN's rule of names; and these, which the rule does not name.
WEAKENING = ("Delete", "Stop", "Disable", "Remove", "Unsubscribe", "Purge", "PutAlarmMuteRule")
ALSO_WEAKENING = {"ScheduleKeyDeletion", "DetachRolePolicy"}
# The few places where CloudTrail's spelling is not that of the API with a small first letter.
SPELLINGS = {"uUID": "UUID", "aWSAccountId": "AWSAccountId"}
SERVICES = {"monitoring": "cloudwatch"}
CALLS = every("call", TAMPER_CALLS, ids=lambda call: call.name)


def service_of(call: TamperCall) -> str:
    return call.source.removesuffix(".amazonaws.com")


def operation(call: TamperCall) -> Any:
    service = SERVICES.get(service_of(call), service_of(call))
    return botocore.session.get_session().get_service_model(service).operation_model(call.api_name)


def event(source: str, name: str, request: object, response: object = None) -> Any:
    detail = {"eventSource": f"{source}.amazonaws.com", "eventName": name, "requestParameters": request}
    envelope = {"source": f"aws.{source}", "detail-type": "AWS API Call via CloudTrail"}
    return json.loads(json.dumps({**envelope, "detail": {**detail, "responseElements": response}}))


def matches(pattern: dict[str, Any], document: Any) -> bool:
    return bool(EventPattern.load(json.dumps(pattern)).matches_event(document))


@pytest.mark.parametrize(("listed", "scope"), [(PATH, Scope.PATH), (OWN, Scope.OWN)])
def test_every_call_of_the_table_has_a_row(listed: dict[str, str], scope: Scope) -> None:
    rows = {(service_of(call), call.api_name, call.scope) for call in TAMPER_CALLS}
    wanted = {(service, name, scope) for service, names in listed.items() for name in names.split()}
    assert wanted <= rows


@CALLS
def test_a_row_names_parameters_that_its_operation_has(call: TamperCall) -> None:
    model = operation(call)
    for path in call.names:
        shape = model.output_shape if path.startswith("responseElements.") else model.input_shape
        for key in path.removeprefix("responseElements.").split("."):
            name = SPELLINGS.get(key) or next(
                name for name in shape.members if name[:1].lower() + name[1:] == key or name == key
            )
            shape = shape.members[name]
        assert shape.type_name == "string" or shape.member.type_name == "string"


@CALLS
def test_what_can_only_weaken_is_known_by_its_name(call: TamperCall) -> None:
    assert call.weakens == (call.api_name.startswith(WEAKENING) or call.api_name in ALSO_WEAKENING)


@pytest.mark.parametrize("pattern", [tamper_pattern(), own_tamper_pattern()])
def test_a_pattern_is_short_enough(pattern: dict[str, Any]) -> None:
    assert pattern_length(pattern) < MAX_PATTERN_LENGTH


def request_naming(call: TamperCall, path: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    value: Any = [name] if path.rpartition(".")[2].endswith("ames") else name
    keys = path.removeprefix("responseElements.").split(".")
    for key in reversed(keys):
        value = {key: value}
    return ({}, value) if path.startswith("responseElements.") else (value, {})


@CALLS
def test_each_call_reaches_one_function_by_whatever_names_its_thing(call: TamperCall) -> None:
    service = service_of(call)
    for path in call.names:
        for name in ("sgwatch-prod", "arn:aws:x:eu-west-1:123456789012:y/sgwatch-prod", "/sgwatch/prod/z", "orders"):
            request, response = request_naming(call, path, name)
            document = event(service, call.name, request, response)
            own = call.scope is Scope.OWN
            assert matches(tamper_pattern(), document) is not own
            assert matches(own_tamper_pattern(), document) is (own and name != "orders")
            raw = {"requestParameters": request, "responseElements": response}
            assert named_by(call, raw) == (name,) == subjects_of(call, raw)


def test_a_request_that_cloudtrail_left_out_for_its_size_reaches_the_function() -> None:
    omitted = {"omitted": True, "originalSize": 104_857, "reason": "requestParameters too large"}
    assert matches(own_tamper_pattern(), event("iam", "PutRolePolicy", omitted))
    assert not matches(own_tamper_pattern(), event("iam", "PutRolePolicy", None))
    assert len(own_conditions()) == len({json.dumps(condition) for condition in own_conditions()})


def test_a_mending_call_is_no_tamper_call() -> None:
    tampering = {(call.source, call.name) for call in TAMPER_CALLS}
    assert not tampering & {(source, name) for source, names in MENDING.items() for name in names}


@CALLS
def test_the_inverse_is_a_call_that_its_service_takes(call: TamperCall) -> None:
    if call.inverse is None:
        return
    request = {
        "alarmNames": ["a"],
        "enabled": False,
        "uUID": "6d9bce8e-836b-442c-8070-74e77903c815",
        **dict.fromkeys(("topicArn", "label", "name", "keyId", "secretId", "functionName", "statementId"), "x"),
        "roleName": "r",
        "policyArn": "arn:aws:iam::123456789012:policy/p",
        "versionStage": "AWSCURRENT",
        **dict.fromkeys(("removeFromVersionId", "moveToVersionId"), "6d9bce8e-836b-442c-8070-74e77903c815"),
        "responseElements": {"uUID": "6d9bce8e-836b-442c-8070-74e77903c815"},
    }
    if call.api_name == "UpdateEventSourceMapping":
        request = {key: request[key] for key in ("uUID", "enabled")}
    calls = call.inverse(request)
    assert calls
    for item in calls:
        model = botocore.session.get_session().get_service_model(item.service)
        by_cli_name = {name.replace("_", "-"): name for name in map(_snake, model.operation_names)}
        assert item.operation in by_cli_name
        name = next(name for name in model.operation_names if _snake(name).replace("_", "-") == item.operation)
        shape = model.operation_model(name).input_shape
        assert shape is not None
        validate_parameters(item.parameters, shape)
    assert call.inverse({}) is None, "nothing can be taken back without its name"


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


MANAGEMENT = {"includeManagementEvents": True, "readWriteType": "All", "excludeManagementEventSources": []}


def advanced(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"advancedEventSelectors": [{"name": "n", "fieldSelectors": list(conditions)}]}


def selecting(*selectors: list[dict[str, Any]]) -> dict[str, Any]:
    return {"advancedEventSelectors": [{"name": "n", "fieldSelectors": conditions} for conditions in selectors]}


KMS_OUT = {"excludeManagementEventSources": ["kms.amazonaws.com"]}
READS = {"field": "readOnly", "equals": ["true"]}
EC2_OUT = {"field": "eventSource", "notEquals": ["ec2.amazonaws.com"]}
CATEGORY = {"field": "eventCategory", "equals": ["Management"]}


@every(
    ("name", "request_parameters", "said", "weakens"),
    [
        ("PutRule", {"state": "DISABLED"}, "is now disabled", True),
        ("PutRule", {"state": "ENABLED", "eventPattern": "{}"}, "the event pattern of {things} was set", False),
        ("PutTargets", {"targets": [{"id": "1", "arn": "a", "input": "{}"}]}, "something else than the event", True),
        ("PutTargets", {"targets": [{"id": "1", "inputPath": "$.x"}]}, "something else than the event", True),
        ("PutTargets", {"targets": [{"id": "1", "inputTransformer": {"t": ""}}]}, "something else", True),
        ("PutTargets", {"targets": [{"id": "1", "arn": "a"}]}, "given new or changed targets", False),
        (
            "PutEventSelectors",
            {"eventSelectors": [{**MANAGEMENT, "includeManagementEvents": False}]},
            "no longer",
            True,
        ),
        ("PutEventSelectors", {"eventSelectors": [{**MANAGEMENT, "readWriteType": "ReadOnly"}]}, "write events", True),
        ("PutEventSelectors", {"eventSelectors": [MANAGEMENT]}, "logs management write events", False),
        ("PutEventSelectors", {"eventSelectors": [{}]}, "logs management write events", False),
        ("PutEventSelectors", {"eventSelectors": ["x"]}, "given other event selectors", False),
        ("PutEventSelectors", {"eventSelectors": [MANAGEMENT, 7]}, "given other event selectors", False),
        ("PutEventSelectors", {"advancedEventSelectors": [7]}, "given other event selectors", False),
        ("PutEventSelectors", {"eventSelectors": [{**MANAGEMENT, "readWriteType": "x"}]}, "other event selec", False),
        (
            "PutEventSelectors",
            {"eventSelectors": [{**MANAGEMENT, "excludeManagementEventSources": "kms.amazonaws.com"}]},
            "no longer logs management events of kms.amazonaws.com",
            False,
        ),
        ("PutEventSelectors", advanced({"field": "eventCategory", "equals": ["Data"]}), "no longer logged", True),
        ("PutEventSelectors", advanced(CATEGORY, {"field": "readOnly", "equals": ["true"]}), "write events", True),
        ("PutEventSelectors", advanced(CATEGORY, EC2_OUT), "of EC2 are no longer logged", True),
        ("PutEventSelectors", advanced(CATEGORY, {"field": "eventName", "notEquals": ["X"]}), "by eventName", False),
        (
            "PutEventSelectors",
            advanced(CATEGORY, {"field": "eventName", "notStartsWith": ["Revoke", "Modify"]}),
            "{things} no longer logs RevokeSecurityGroupIngress, RevokeSecurityGroupEgress, ModifySecurityGroupRules",
            True,
        ),
        (
            "PutEventSelectors",
            advanced(CATEGORY, {"field": "eventName", "equals": ["RunInstances"]}),
            "security group calls are no longer logged by {things}",
            True,
        ),
        (
            "PutEventSelectors",
            selecting([CATEGORY, READS], [CATEGORY, EC2_OUT]),
            "management write events of EC2 are no longer logged by {things}",
            True,
        ),
        (
            "PutEventSelectors",
            selecting([CATEGORY, READS], [CATEGORY, {"field": "eventType", "equals": ["x"]}]),
            "logs only management events selected by eventType",
            False,
        ),
        (
            "PutEventSelectors",
            selecting([CATEGORY, EC2_OUT, {"field": "eventType", "equals": ["x"]}], [CATEGORY]),
            "logs management write events",
            False,
        ),
        (
            "PutEventSelectors",
            {"eventSelectors": [{**MANAGEMENT, "readWriteType": "ReadOnly"}, {**MANAGEMENT, **KMS_OUT}]},
            "no longer logs management events of kms.amazonaws.com",
            False,
        ),
        ("PutEventSelectors", advanced(CATEGORY), "logs management write events", False),
        ("UpdateTrail", {"name": "t", "isOrganizationTrail": False}, "no longer logs other accounts", True),
        ("UpdateTrail", {"name": "t", "isOrganizationTrail": True}, "isOrganizationTrail of {things}", False),
        ("AttachRolePolicy", {"policyArn": "p"}, "{things} was given policy p", False),
        ("PutRolePolicy", {"policyName": "p"}, "{things} was given inline policy p", False),
        ("DetachRolePolicy", {"policyArn": "p"}, "{things} was left without policy p", True),
        ("DeleteRolePolicy", {"policyName": "p"}, "{things} was left without inline policy p", True),
        ("PutRolePermissionsBoundary", {"permissionsBoundary": "p"}, "given permissions boundary p", False),
        ("DeleteSecret", {"forceDeleteWithoutRecovery": True}, "was deleted without recovery", True),
        ("DeleteSecret", {"forceDeleteWithoutRecovery": False}, "{things} {was} deleted", True),
        ("UpdateTrail", {"name": "t", "isMultiRegionTrail": False}, "no longer logs other regions", True),
        ("UpdateTrail", {"name": "t", "cloudWatchLogsLogGroupArn": ""}, "no longer delivers to CloudWatch Logs", True),
        (
            "UpdateTrail",
            {"name": "t", "isMultiRegionTrail": False, "cloudWatchLogsLogGroupArn": "g"},
            "no longer logs other regions than its own, and now delivers to log group g",
            True,
        ),
        ("UpdateTrail", {"name": "t", "s3BucketName": "b"}, "s3BucketName of {things} changed", False),
        ("PutMetricAlarm", {"actionsEnabled": False}, "with its actions disabled", True),
        ("PutMetricAlarm", {"alarmActions": []}, "without any action for ALARM", False),
        ("PutCompositeAlarm", {"alarmActions": ["a"], "actionsSuppressor": "quiet"}, "while quiet is in ALARM", False),
        ("SetAlarmState", {"stateValue": "ALARM"}, "set to ALARM by hand", False),
        ("PutAlarmMuteRule", {"name": "quiet"}, "are muted by mute rule quiet", True),
        (
            "SetSubscriptionAttributes",
            {"attributeName": "FilterPolicy", "attributeValue": '{"x":["never"]}'},
            "now filtered",
            True,
        ),
        (
            "SetSubscriptionAttributes",
            {"attributeName": "FilterPolicy", "attributeValue": "{}"},
            "the filter policy of {things} was removed",
            False,
        ),
        ("SetTopicAttributes", {"attributeName": "Policy"}, "the access policy of {things} was replaced", False),
        ("PutFunctionConcurrency20171031", {"reservedConcurrentExecutions": 0}, "can no longer run", True),
        ("UpdateEventSourceMapping20150331", {"uUID": "u", "enabled": False}, "is now disabled", True),
        ("UpdateEventSourceMapping20150331", {"uUID": "u", "enabled": "false"}, "is now disabled", True),
        ("UpdateEventSourceMapping20150331", {"uUID": "u", "batchSize": 1}, "batchSize of {things} changed", False),
        ("UpdateFunctionConfiguration20150331v2", {"functionName": "f", "timeout": 1}, "timeout of {things}", False),
        ("SetQueueAttributes", {"attributes": {"Policy": "{}"}}, "Policy of {things} changed", False),
        ("PutAccountPolicy", {"policyType": "TRANSFORMER_POLICY"}, "a transformer policy", False),
    ],
)
def test_an_effect_is_read_from_the_request(
    name: str, request_parameters: dict[str, Any], said: str, weakens: bool
) -> None:
    (call,) = (call for call in TAMPER_CALLS if call.name == name)
    effect = effect_of(call, request_parameters)
    assert said in effect.said
    assert effect.weakens is weakens


@CALLS
@every("junk", [None, 7, [], [None], {}, {"x": 1}, "", "\ud800"])
def test_parameters_of_the_wrong_type_break_nothing(call: TamperCall, junk: Any) -> None:
    keys = ["eventSelectors", "advancedEventSelectors", "targets", "rule", "attributes", "attributeName", "policyType"]
    request = dict.fromkeys([*keys, "enabled", "state", "actionsSuppressor", *call.names, "attributeValue"], junk)
    assert effect_of(call, request).said
    if call.inverse is not None:
        call.inverse(request)
