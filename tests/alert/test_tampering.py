"""What the alert about a tamper call says from its record alone."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.alarm_path.watch.alerts import follow_up
from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert, to_json
from chalicelib.cloudtrail.tamper_calls import TAMPER_CALLS, Scope, TamperCall
from chalicelib.security_groups.changes import NotWatched
from tests.support import records as r
from tests.support.rows import every
from tests.support.schema import assert_valid

CALLS = every("call", TAMPER_CALLS, ids=lambda call: call.name)


def tampering(name: str, parameters: Any, **fields: Any) -> Alert:
    (call,) = (call for call in TAMPER_CALLS if call.name.startswith(name))
    return alert_of(r.record(call.name, parameters, eventSource=call.source, **fields))


def request_of(call: TamperCall, name: str = "sgwatch-prod-x") -> dict[str, Any]:
    """A request that names one thing, in every parameter that can."""
    request: dict[str, Any] = {}
    for path in call.names:
        if not path.startswith("responseElements."):
            *above, last = path.split(".")
            inner: Any = {last: [name] if last.endswith("ames") else name}
            for key in reversed(above):
                inner = {key: inner}
            request |= inner
    return request


@CALLS
def test_each_call_is_alerted_in_words_that_hold_the_name_and_its_operation(call: TamperCall) -> None:
    response = {"functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:sgwatch-prod-x"}
    raw = r.record(call.name, request_of(call), eventSource=call.source, responseElements=response)
    alert = alert_of(raw)
    assert_valid(to_json(alert))
    assert (alert.kind, alert.severity) == ("alarm_path", "high" if call.weakens else alert.severity)
    assert alert.severity in ("medium", "high")
    assert "sgwatch-prod-x" in alert.title
    assert f"({call.api_name} by alice)" in alert.title
    assert alert.principal is not None
    assert alert.principal.name == "alice"
    assert "{" not in alert.summary
    assert not alert.unknowns


@CALLS
def test_a_call_that_was_refused_changed_nothing_and_says_so(call: TamperCall) -> None:
    for code, word, severity in ((r.DENIED, "Denied", "medium"), ("ValidationError", "Failed", "info")):
        raw = r.record(call.name, request_of(call), eventSource=call.source, errorCode=code, responseElements=None)
        alert = alert_of(raw)
        assert alert.title.startswith(f"{word}: {call.doing}")
        assert (alert.severity, alert.undo.commands) == (severity, ())
        assert "nothing changed" in alert.summary


@CALLS
def test_a_record_without_its_request_says_what_it_does_not_say(call: TamperCall) -> None:
    alert = alert_of(r.record(call.name, None, eventSource=call.source, responseElements=None))
    assert [item.text for item in alert.unknowns] == [f"which {call.thing} it was: the record does not say"]


@CALLS
def test_root_is_high_and_a_services_own_is_information(call: TamperCall) -> None:
    root = {"type": "Root", "accountId": "123456789012", "arn": "arn:aws:iam::123456789012:root"}
    assert (
        alert_of(r.record(call.name, request_of(call), eventSource=call.source, userIdentity=root)).severity == "high"
    )
    service = {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}
    raw = r.record(call.name, request_of(call, "other"), eventSource=call.source, userIdentity=service)
    if call.scope is Scope.OWN and request_of(call):
        with pytest.raises(NotWatched):
            alert_of(raw)
    elif request_of(call):
        assert alert_of(raw).severity == "info"


def test_a_role_that_is_named_like_a_services_is_none() -> None:
    issuer = {"type": "Role", "arn": "arn:aws:iam::123456789012:role/AWSServiceRoleForMe", "userName": "x"}
    identity = {
        "type": "AssumedRole",
        "arn": "arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForMe/s",
        "accountId": "123456789012",
        "sessionContext": {"sessionIssuer": issuer},
    }
    for invoked_by in ({}, {"invokedBy": "cloudformation.amazonaws.com"}):
        alert = tampering("DeleteAlarms", {"alarmNames": ["a"]}, userIdentity={**identity, **invoked_by})
        assert alert.severity == "high"


@given(st.lists(st.text("abc-", min_size=1, max_size=255), unique=True, max_size=100), st.integers(0, 100))
def test_no_name_is_cut_and_sgwatchs_own_comes_first(others: list[str], at: int) -> None:
    names = [*others[:at], "sgwatch-security-group-changes", *others[at:]]
    alert = tampering("DeleteAlarms", {"alarmNames": names})
    said = " ".join([alert.summary, *(exposure.reason for exposure in alert.exposures)])
    assert all(name in said for name in names)
    assert "(sgwatch-security-group-changes, " in alert.summary or len(names) == 1
    assert len(alert.title) <= 140
    if len(names) > 1:
        assert f"{len(names)} alarms" in alert.summary


def test_more_names_than_a_sentence_holds_are_counted() -> None:
    alert = tampering("DeleteAlarms", {"alarmNames": [f"cpu-{place:03}" for place in range(60)]})
    shown = "cpu-000, cpu-001, cpu-002, cpu-003, cpu-004 and 55 more"
    assert alert.title == f"60 alarms ({shown}) were deleted (DeleteAlarms by alice)"
    assert "cpu-059" in alert.exposures[1].reason


@pytest.mark.parametrize(
    ("name", "parameters", "commands"),
    [
        ("StopLogging", {"name": "main"}, ["aws cloudtrail start-logging {'Name': 'main'}"]),
        (
            "DisableAlarmActions",
            {"alarmNames": ["a b"]},
            ["aws cloudwatch enable-alarm-actions {'AlarmNames': ['a b']}"],
        ),
        (
            "ScheduleKeyDeletion",
            {"keyId": "k"},
            ["aws kms cancel-key-deletion {'KeyId': 'k'}", "aws kms enable-key {'KeyId': 'k'}"],
        ),
        (
            "UpdateEventSourceMapping",
            {"uUID": "u", "functionName": "sgwatch-prod-deliver", "enabled": False},
            ["aws lambda update-event-source-mapping {'UUID': 'u', 'Enabled': True}"],
        ),
    ],
)
def test_what_inverts_without_state_is_undone_by_a_command(name: str, parameters: Any, commands: list[str]) -> None:
    found = tampering(name, parameters).undo.commands or ()
    told = []
    for line in found:
        aws, service, operation, *options = shlex.split(line)
        assert options[:3] == ["--region", "eu-west-1", "--cli-input-json"]
        told.append(f"{aws} {service} {operation} {json.loads(options[3])}")
    assert told == commands


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("DeleteAlarms", {"alarmNames": ["a"]}),
        ("UpdateEventSourceMapping", {"uUID": "u", "functionName": "sgwatch-x", "enabled": False, "batchSize": 9}),
        ("DeleteSecret", {"secretId": "sgwatch/x", "forceDeleteWithoutRecovery": True}),
    ],
)
def test_what_is_gone_for_good_has_a_reason_in_place_of_an_undo(name: str, parameters: Any) -> None:
    undo = tampering(name, parameters).undo
    assert undo.commands is None
    assert undo.reason


def test_a_function_is_known_by_the_name_that_sam_gives_it() -> None:
    name = "secmon-AlertOnChange-1A2B3C4D5E6F"
    assert tampering("UpdateFunctionCode", {"functionName": name}).severity == "medium"
    with pytest.raises(NotWatched):
        tampering("UpdateFunctionCode", {"functionName": "secmon-Orders-1A2B3C4D5E6F"})


def test_text_of_the_callers_does_not_fill_places_in_a_sentence() -> None:
    name = "{was} {things} {0} \u202e"
    alert = tampering("PutAlarmMuteRule", {"name": name, "muteTargets": {"alarmNames": [name]}})
    assert alert.summary.count("{was}") == 2
    assert "\u202e" not in alert.summary


NO_MANAGEMENT = [{"readWriteType": "All", "includeManagementEvents": False}]


@pytest.mark.parametrize(
    "request_parameters",
    [
        {"trailName": "main", "eventSelectors": NO_MANAGEMENT},
        {"trailName": "main", "eventSelectors": NO_MANAGEMENT[0]},
        {"trailName": "main", "eventSelectors": {"items": NO_MANAGEMENT}},
        {"trailName": "main", "eventSelectors": {"member": NO_MANAGEMENT[0]}},
        {"trailName": "main", "eventSelectors": json.dumps(NO_MANAGEMENT)},
        {"TrailName": "main", "EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": "false"}]},
        {
            "trailName": "main",
            "advancedEventSelectors": [{"FieldSelectors": [{"Field": "readOnly", "Equals": "true"}]}],
        },
    ],
)
def test_no_spelling_of_a_request_hides_what_a_trail_loses(request_parameters: Any) -> None:
    alert = tampering("PutEventSelectors", request_parameters)
    assert alert.severity == "high"
    assert alert.title.startswith("Management events are no longer logged by trail main")


@pytest.mark.parametrize(
    ("name", "request_parameters", "clause"),
    [
        ("PutTargets", {"rule": "r", "targets": {"id": "1", "inputPath": "$.x"}}, "something else than the event"),
        ("PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "Input": "{}"}]}, "something else than the event"),
        ("PutMetricAlarm", {"AlarmName": "a", "ActionsEnabled": "false"}, "alarm a was created or changed with its"),
        ("PutRule", {"Name": "r", "State": "DISABLED"}, "rule r is now disabled"),
        ("UpdateTrail", {"Name": "main", "IsMultiRegionTrail": False}, "trail main no longer logs other regions"),
    ],
)
def test_what_a_request_weakens_is_read_in_every_spelling(name: str, request_parameters: Any, clause: str) -> None:
    alert = tampering(name, request_parameters)
    assert alert.severity == "high"
    assert clause in f"{alert.title[:1].lower()}{alert.title[1:]}"


def test_everything_that_a_trail_loses_is_said() -> None:
    request = {"name": "main", "isMultiRegionTrail": False, "cloudWatchLogsLogGroupArn": ""}
    said = tampering("UpdateTrail", request).summary
    assert "no longer logs other regions than its own or delivers to CloudWatch Logs" in said
    whole = tampering("UpdateTrail", {**request, "isOrganizationTrail": False, "includeGlobalServiceEvents": False})
    assert whole.title == (
        "Trail main no longer logs other regions than its own, delivers to CloudWatch Logs, logs global services "
        "or logs other accounts (by alice)"
    )


def test_parameters_that_aws_did_not_delete_are_named() -> None:
    answer = {"deletedParameters": ["/other/x"], "invalidParameters": ["/sgwatch/prod/slack"]}
    request = {"names": ["/other/x", "/sgwatch/prod/slack"]}
    (unknown,) = tampering("DeleteParameters", request, responseElements=answer).unknowns
    assert unknown.text == "how much of it took effect: AWS did not delete /sgwatch/prod/slack"


def test_names_are_found_in_every_spelling() -> None:
    for names in ({"AlarmNames": ["a", "b"]}, {"alarmNames": {"member": ["a", "b"]}}):
        assert tampering("DeleteAlarms", names).title.startswith("2 alarms (a, b) were deleted")


def test_a_dry_run_of_new_code_changes_nothing() -> None:
    alert = tampering("UpdateFunctionCode", {"functionName": "sgwatch-prod-deliver", "dryRun": True})
    assert (alert.severity, alert.undo.commands) == ("info", ())
    assert "nothing changed" in alert.title


def test_targets_that_aws_refused_are_said() -> None:
    answer = {"failedEntryCount": 1, "failedEntries": [{"targetId": "1"}]}
    alert = tampering("RemoveTargets", {"rule": "r", "ids": ["1"]}, responseElements=answer)
    assert [item.text for item in alert.unknowns] == ["how much of it took effect: AWS refused 1 target"]


def linked_role(path: str, **more: str) -> dict[str, Any]:
    arn = f"arn:aws:iam::123456789012:role/{path}AWSServiceRoleForScaling"
    session = "arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForScaling/AutoScaling"
    issuer = {"type": "Role", "arn": arn, "userName": "AWSServiceRoleForScaling"}
    context = {"sessionIssuer": issuer}
    return {"type": "AssumedRole", "arn": session, "accountId": "123456789012", "sessionContext": context, **more}


@pytest.mark.parametrize("invoked_by", [{}, {"invokedBy": "ssm.amazonaws.com"}, {"invokedBy": "AWS Internal"}])
def test_a_service_linked_role_is_known_by_its_path_alone(invoked_by: dict[str, str]) -> None:
    names = {"alarmNames": ["TargetTracking-table/orders"]}
    real = linked_role("aws-service-role/dynamodb.application-autoscaling.amazonaws.com/", **invoked_by)
    assert tampering("DeleteAlarms", names, userIdentity=real).severity == "info"
    for path in ("", "team/", "x/aws-service-role/"):
        assert tampering("DeleteAlarms", names, userIdentity=linked_role(path, **invoked_by)).severity == "high"


def test_a_label_of_a_secret_goes_back_to_the_version_that_it_was_taken_from() -> None:
    request = {"secretId": "sgwatch/prod/slack", "versionStage": "AWSCURRENT", "removeFromVersionId": "old"}
    undo = tampering("UpdateSecretVersionStage", {**request, "moveToVersionId": "new"}).undo
    assert undo.commands is not None
    assert parameters_of(undo.commands[0]) == {
        "SecretId": "sgwatch/prod/slack",
        "VersionStage": "AWSCURRENT",
        "MoveToVersionId": "old",
        "RemoveFromVersionId": "new",
    }
    assert "AWSPREVIOUS" in str(undo.reason)
    (taken,) = tampering("UpdateSecretVersionStage", request).undo.commands or ()
    assert "RemoveFromVersionId" not in parameters_of(taken)
    # Where it says only where the label went, that version may have had it already.
    given = {key: value for key, value in request.items() if key != "removeFromVersionId"} | {"moveToVersionId": "new"}
    assert tampering("UpdateSecretVersionStage", given).undo.commands is None


def test_an_event_source_mapping_that_was_added_is_deleted_by_the_id_in_the_answer() -> None:
    request = {"functionName": "sgwatch-prod-deliver", "eventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:other"}
    (added,) = tampering("CreateEventSourceMapping", request, responseElements={"UUID": "u-1"}).undo.commands or ()
    assert added.startswith("aws lambda delete-event-source-mapping --region eu-west-1 ")
    assert parameters_of(added) == {"UUID": "u-1"}
    assert tampering("CreateEventSourceMapping", request, responseElements=None).undo.commands is None


def parameters_of(command: str) -> Any:
    return json.loads(shlex.split(command)[-1])


@every(
    ("name", "request_parameters", "shown"),
    [
        ("PutFunctionConcurrency", {"functionName": "123456789012:function:sgwatch-x"}, "function sgwatch-x "),
        ("PutParameter", {"name": "arn:aws:ssm:eu-west-1:123456789012:parameter/sgwatch/x"}, "parameter /sgwatch/x "),
    ],
)
def test_a_thing_named_by_an_arn_or_its_end_is_shown_by_its_own_name(
    name: str, request_parameters: dict[str, str], shown: str
) -> None:
    assert shown in tampering(name, request_parameters).title.lower()


def test_a_title_without_room_for_what_was_done_still_names_the_thing() -> None:
    left_out = {"field": "eventName", "notStartsWith": ["Authorize", "Revoke", "Create"]}
    fields = [{"field": "eventCategory", "equals": ["Management"]}, left_out]
    request = {"trailName": "main", "advancedEventSelectors": [{"fieldSelectors": fields}]}
    alert = tampering("PutEventSelectors", request)
    assert alert.title == "Trail main was given other event selectors (PutEventSelectors by alice)"
    assert "no longer logs AuthorizeSecurityGroupIngress, " in alert.summary


def test_further_calls_are_undone_the_last_one_first() -> None:
    stopped = tampering("StopLogging", {"name": "main"}, eventID="1", eventTime="2026-11-23T10:00:01Z")
    muted = tampering("DisableAlarmActions", {"alarmNames": ["a"]}, eventID="2", eventTime="2026-11-23T10:00:02Z")
    undo = follow_up([stopped, muted], "further").undo
    assert [shlex.split(text)[2] for text in undo.commands or ()] == ["enable-alarm-actions", "start-logging"]
    assert follow_up([stopped, muted], "further", unreadable=1).undo.commands is None
    deleted = tampering("DeleteAlarms", {"alarmNames": ["a"]}, eventID="3")
    reason = "of DeleteAlarms it is not known: the settings before are not in the record"
    assert follow_up([stopped, deleted], "further").undo == (None, reason)
