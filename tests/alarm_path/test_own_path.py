"""sgwatch's own path, collected from clients that answer as AWS does."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.alarm_path.own_collect import collect_own
from chalicelib.alarm_path.own_path import judge_own_path
from chalicelib.alarm_path.snapshot_reader import read_snapshot
from tests.support.alarm_paths import ACCOUNT, REGION, Account

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sgwatch-prod-alert"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/changes"
PATTERN = {"detail": {"eventName": ["CreateSecurityGroup"]}}


def _deployed() -> dict[str, Any]:
    permission = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {"ArnLike": {"AWS:SourceArn": RULE}},
    }
    return {
        "get_function_configuration": {"FunctionArn": FUNCTION, "State": "Active", "LastUpdateStatus": "Successful"},
        "get_policy": {"Policy": json.dumps({"Statement": [permission]})},
        "get_function_event_invoke_config": {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:x"}}},
        "get_function_concurrency": {},
        "list_rule_names_by_target": {"RuleNames": ["changes"]},
        "describe_rule": {"Name": "changes", "Arn": RULE, "State": "ENABLED", "EventPattern": json.dumps(PATTERN)},
        "list_targets_by_rule": {"Targets": [{"Id": "1", "Arn": FUNCTION}]},
        "get_queue_url": {"QueueUrl": "https://sqs.example.com/q"},
        "get_queue_attributes": {"Attributes": {"QueueArn": "arn:q", "ApproximateNumberOfMessages": "0"}},
    }


class Canned:
    """A client whose answers are given; an answer that is text is the code of an error."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def __getattr__(self, name: str) -> Any:
        answer = self.answers[name]
        if isinstance(answer, str):
            raise ClientError({"Error": {"Code": answer, "Message": "no"}}, name)
        return lambda **_: answer


def judged(**changes: Any) -> tuple[dict[str, str], list[dict[str, Any]]]:
    client = Canned(_deployed() | changes)
    own, errors = collect_own(lambda *_: client, REGION, {"sgwatch-prod-alert": PATTERN}, ["q"])
    findings, notes = judge_own_path(read_snapshot(Account().document() | {"self": own}))
    assert notes == []
    worst = sorted(findings, key=lambda finding: finding.status.value != "pass")
    return {finding.check: finding.status.value for finding in worst}, errors


def test_what_is_as_deployed_passes() -> None:
    answers, errors = judged()
    assert set(answers.values()) == {"pass"}
    assert errors == []


def test_a_disabled_rule_is_told() -> None:
    answers, _ = judged(describe_rule=_deployed()["describe_rule"] | {"State": "DISABLED"})
    assert answers["own-rule"] == "fail"


def test_a_changed_pattern_is_told() -> None:
    changed = _deployed()["describe_rule"] | {"EventPattern": '{"detail": {"eventName": []}}'}
    assert judged(describe_rule=changed)[0]["own-pattern"] == "fail"


def test_a_rule_without_its_target_and_a_function_that_is_gone_are_told() -> None:
    assert judged(list_targets_by_rule={"Targets": []})[0]["own-target"] == "fail"
    assert judged(get_function_configuration="ResourceNotFoundException")[0]["own-rule"] == "fail"


def test_a_permission_taken_away_is_told_and_one_that_cannot_be_read_is_unknown() -> None:
    assert judged(get_policy="ResourceNotFoundException")[0]["own-permission"] == "fail"
    answers, errors = judged(get_policy="AccessDeniedException")
    assert answers["own-permission"] == "unknown"
    assert errors[0]["call"] == "lambda:GetPolicy"


def test_a_function_that_cannot_run_is_told() -> None:
    assert judged(get_function_concurrency={"ReservedConcurrentExecutions": 0})[0]["own-function"] == "fail"
    failed = _deployed()["get_function_configuration"] | {"State": "Failed"}
    assert judged(get_function_configuration=failed)[0]["own-function"] == "fail"


def test_a_missing_on_failure_destination_and_undelivered_alerts_are_told() -> None:
    assert judged(get_function_event_invoke_config="ResourceNotFoundException")[0]["own-on-failure"] == "fail"
    waiting = {"Attributes": {"QueueArn": "arn:q", "ApproximateNumberOfMessages": "3"}}
    assert judged(get_queue_attributes=waiting)[0]["own-dead-letters"] == "fail"


def test_a_schedule_needs_no_pattern() -> None:
    rule = {"Name": "hourly", "Arn": RULE, "State": "ENABLED", "ScheduleExpression": "rate(1 hour)"}
    assert judged(describe_rule=rule)[0]["own-pattern"] == "pass"


def test_a_function_that_is_gone_is_told_even_where_others_have_rules() -> None:
    client = Canned(_deployed())
    gone = {"FunctionName": "sgwatch-prod-other", "Configuration": None}
    own, _ = collect_own(lambda *_: client, REGION, {"sgwatch-prod-alert": PATTERN})
    own["functions"].append(gone)
    findings, _ = judge_own_path(read_snapshot(Account().document() | {"self": own}))
    failed = [finding.reason for finding in findings if finding.status.value == "fail"]
    assert failed == ["Function sgwatch-prod-other does not exist."]


def test_a_function_that_no_rule_invokes_is_told() -> None:
    assert judged(list_rule_names_by_target={"RuleNames": []})[0]["own-target"] == "fail"


def test_rules_and_functions_that_cannot_be_read_are_unknown() -> None:
    answers, errors = judged(list_rule_names_by_target="AccessDeniedException")
    assert answers["own-target"] == "unknown"
    assert errors[0]["call"] == "events:ListRuleNamesByTarget"
    answers, _ = judged(get_function_configuration="AccessDeniedException")
    assert set(answers.values()) == {"unknown", "pass"}
    assert answers["own-function"] == "unknown"
