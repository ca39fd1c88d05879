"""sgwatch's own path, collected from clients that answer as AWS does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.alarm_path.checks.own_path import judge_own_path
from chalicelib.alarm_path.snapshot.collect_own_path import OwnPath, collect_own
from chalicelib.alarm_path.snapshot.model import NOT_IN_SDK
from chalicelib.alarm_path.snapshot.own_metrics import LOOK_BACK, RUN_METRICS, RUN_PERIOD
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.verdicts import Finding
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH
from chalicelib.deployment import Stage, own_rules
from chalicelib.functions.composition.auditing import settings_summary
from tests.support.alarm_paths import ACCOUNT, NOW, REGION, Account

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sgwatch-prod-alert_on_change"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:sgwatch-prod-deliveries.fifo"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/changes"
CONFIGURATION = {
    "FunctionArn": FUNCTION,
    "FunctionName": "sgwatch-prod-alert_on_change",
    "State": "Active",
    "LastUpdateStatus": "Successful",
    "Environment": {"Variables": {"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T0/B0/secret"}},
}
PATTERN = {"detail": {"eventName": ["CreateSecurityGroup"]}}


def counted(
    periods: dict[float, tuple[int, int]], throttled: dict[float, int] | None = None, status: str = "Complete"
) -> dict[str, Any]:
    """GetMetricData's answer: hours before now → runs and errors."""

    def series(name: str, values: dict[float, int]) -> dict[str, Any]:
        times = [NOW - timedelta(hours=hours) for hours in values]
        found = {"Timestamps": times, "Values": [float(value) for value in values.values()]}
        return {"Id": f"f0_{name}", "StatusCode": status, **found}

    runs = series("invocations", {hours: count for hours, (count, _) in periods.items()})
    errors = series("errors", {hours: count for hours, (_, count) in periods.items()})
    return {"MetricDataResults": [runs, errors, series("throttles", throttled or {})]}


def _deployed() -> dict[str, Any]:
    permission = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {"ArnLike": {"AWS:SourceArn": RULE}},
    }
    return {
        "get_function": {"Configuration": CONFIGURATION},
        "get_policy": {"Policy": json.dumps({"Statement": [permission]})},
        "get_function_event_invoke_config": {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:x"}}},
        "list_rule_names_by_target": {"RuleNames": ["changes"]},
        "describe_rule": {"Name": "changes", "Arn": RULE, "State": "ENABLED", "EventPattern": json.dumps(PATTERN)},
        "list_targets_by_rule": {"Targets": [{"Id": "1", "Arn": FUNCTION}]},
        "get_metric_data": counted({1: (4, 0)}),
        "get_queue_url": {"QueueUrl": "https://sqs.example.com/q"},
        "get_queue_attributes": {"Attributes": {"QueueArn": QUEUE, "ApproximateNumberOfMessages": "0"}},
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


def whole(**changes: Any) -> tuple[list[Finding], list[str], list[dict[str, Any]]]:
    """What is found, noted and refused where sgwatch is as deployed but for these answers."""
    client = Canned(_deployed() | changes)
    own, errors = collect_own(
        lambda *_: client, REGION, OwnPath({"sgwatch-prod-alert_on_change": PATTERN}, ("q",)), now=NOW
    )
    findings, notes = judge_own_path(read_snapshot(Account().document() | {"self": own, "errors": errors}))
    return findings, notes, errors


def judged(**changes: Any) -> tuple[dict[str, str], list[dict[str, Any]]]:
    findings, notes, errors = whole(**changes)
    assert notes == []
    worst = sorted(findings, key=lambda finding: finding.status.value != "pass")
    return {finding.check: finding.status.value for finding in worst}, errors


def test_what_is_as_deployed_passes() -> None:
    answers, errors = judged()
    assert set(answers.values()) == {"pass"}
    assert errors == []


def test_a_disabled_rule_is_reported() -> None:
    answers, _ = judged(describe_rule=_deployed()["describe_rule"] | {"State": "DISABLED"})
    assert answers["own-rule"] == "fail"


def test_a_changed_pattern_is_reported() -> None:
    changed = _deployed()["describe_rule"] | {"EventPattern": '{"detail": {"eventName": []}}'}
    assert judged(describe_rule=changed)[0]["own-pattern"] == "fail"


def test_a_rule_without_its_target_and_a_function_that_is_gone_are_reported() -> None:
    assert judged(list_targets_by_rule={"Targets": []})[0]["own-target"] == "fail"
    assert judged(get_function="ResourceNotFoundException")[0]["own-rule"] == "fail"


def test_a_permission_taken_away_is_reported_and_one_that_cannot_be_read_is_unknown() -> None:
    assert judged(get_policy="ResourceNotFoundException")[0]["own-permission"] == "fail"
    answers, errors = judged(get_policy="AccessDeniedException")
    assert answers["own-permission"] == "unknown"
    assert errors[0]["call"] == "lambda:GetPolicy"


@pytest.mark.parametrize(
    ("key", "until", "status"),
    [
        ("aws:CurrentTime", "2026-01-01T00:00:00Z", "fail"),
        ("aws:CurrentTime", "2999-01-01T00:00:00Z", "pass"),
        ("aws:EpochTime", "1767225600", "fail"),
        ("aws:EpochTime", "1767225600000", "unknown"),
        ("aws:EpochTime", "9" * 20, "unknown"),
        ("aws:CurrentTime", "0001-01-01T00:00:00+14:00", "unknown"),
        ("aws:CurrentTime", "tomorrow", "unknown"),
    ],
)
def test_a_permission_that_has_run_out_is_reported(key: str, until: str, status: str) -> None:
    statement = json.loads(_deployed()["get_policy"]["Policy"])["Statement"][0]
    condition = {"DateLessThan": {key: until}}
    policy = {"Policy": json.dumps({"Statement": [{**statement, "Condition": condition}]})}
    assert judged(get_policy=policy)[0]["own-permission"] == status


def test_a_function_that_cannot_run_is_reported() -> None:
    assert (
        judged(get_function={"Configuration": CONFIGURATION, "Concurrency": {"ReservedConcurrentExecutions": 0}})[0][
            "own-function"
        ]
        == "fail"
    )
    # https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
    for state, status in (("Failed", "fail"), ("Pending", "unknown"), ("Inactive", "pass")):
        found = {"Configuration": CONFIGURATION | {"State": state}}
        assert judged(get_function=found)[0]["own-function"] == status


def test_a_missing_on_failure_destination_and_undelivered_alerts_are_reported() -> None:
    findings, _, _ = whole(get_function_event_invoke_config="ResourceNotFoundException")
    (missing,) = [finding for finding in findings if finding.check == "own-on-failure"]
    assert (missing.status.value, missing.fix) == ("fail", "sgwatch setup --stage prod")
    waiting = {"Attributes": {"QueueArn": "arn:q", "ApproximateNumberOfMessages": "3"}}
    assert judged(get_queue_attributes=waiting)[0]["own-dead-letters"] == "fail"


def test_a_function_on_a_schedule_or_a_queue_needs_no_on_failure_destination() -> None:
    client = Canned(_deployed() | {"get_function_event_invoke_config": "AccessDenied"})
    own, errors = collect_own(lambda *_: client, REGION, OwnPath({"hourly": None, "deliver": {}}), now=NOW)
    assert errors == []
    assert all("EventInvokeConfig" not in function for function in own["functions"])


def test_a_schedule_needs_no_pattern() -> None:
    rule = {"Name": "hourly", "Arn": RULE, "State": "ENABLED", "ScheduleExpression": "rate(1 hour)"}
    assert judged(describe_rule=rule)[0]["own-pattern"] == "pass"


def test_a_function_that_is_gone_is_reported_even_where_others_have_rules() -> None:
    client = Canned(_deployed())
    gone = {"FunctionName": "sgwatch-prod-other", "Configuration": None}
    own, _ = collect_own(lambda *_: client, REGION, OwnPath({"sgwatch-prod-alert_on_change": PATTERN}), now=NOW)
    own["functions"].append(gone)
    findings, _ = judge_own_path(read_snapshot(Account().document() | {"self": own}))
    failed = [finding.reason for finding in findings if finding.status.value == "fail"]
    assert failed == ["Function sgwatch-prod-other does not exist."]


def test_a_function_that_no_rule_invokes_is_reported() -> None:
    assert judged(list_rule_names_by_target={"RuleNames": []})[0]["own-target"] == "fail"


def test_rules_and_functions_that_cannot_be_read_are_unknown() -> None:
    answers, errors = judged(list_rule_names_by_target="AccessDeniedException")
    assert answers["own-target"] == "unknown"
    assert errors[0]["call"] == "events:ListRuleNamesByTarget"
    answers, _ = judged(get_function="AccessDeniedException")
    assert set(answers.values()) == {"unknown", "pass"}
    assert answers["own-function"] == "unknown"


def about_runs(answer: Any) -> tuple[Finding, list[str]]:
    findings, notes, _ = whole(get_metric_data=answer)
    (found,) = (finding for finding in findings if finding.check == "own-errors")
    return found, notes


def test_a_function_whose_latest_runs_all_failed_is_broken() -> None:
    found, notes = about_runs(counted({30: (2, 0), 3: (1, 1), 2: (3, 3)}))
    assert (found.status, notes) == ("fail", [])
    assert "The latest 4 runs of function" in found.reason
    assert FUNCTION in found.reason
    assert "since 2026-11-23T07:00:00Z" in found.reason
    assert found.fix == (
        "aws logs tail /aws/lambda/sgwatch-prod-alert_on_change --since 2026-11-23T07:00:00Z --region us-east-1"
    )


def test_a_function_that_failed_days_ago_and_was_not_run_since_is_not_called_mended() -> None:
    assert about_runs(counted({50: (3, 3)}))[0].status == "fail"


def test_errors_that_a_later_run_made_good_are_a_note() -> None:
    found, notes = about_runs(counted({5: (1, 1), 0.5: (3, 2)}))
    assert found.status == "pass"
    (note,) = notes
    assert note.startswith(
        f"Function {FUNCTION} had 3 errors in the last 24 hours (2 in the last hour), the first at 2"
    )
    assert note.endswith(
        "aws logs tail /aws/lambda/sgwatch-prod-alert_on_change --since 2026-11-23T05:00:00Z --region us-east-1"
    )


def test_an_error_that_lambda_still_tries_again_is_a_note() -> None:
    found, notes = about_runs(counted({4: (1, 0), 0.1: (1, 1)}))
    assert found.status == "pass"
    assert len(notes) == 1


def test_errors_of_another_day_that_were_made_good_are_not_reported() -> None:
    assert about_runs(counted({40: (1, 1), 30: (1, 0)}))[1] == []


def test_a_function_that_was_not_run_is_no_fault() -> None:
    found, notes = about_runs(counted({}))
    assert (found.status, notes) == ("pass", [])
    assert found.reason.endswith("was not run in the last 24 hours.")


def test_throttled_runs_are_a_note() -> None:
    _, notes = about_runs(counted({2: (1, 0)}, throttled={3: 2, 30: 9}))
    assert notes == [f"Function {FUNCTION} was throttled 2 times in the last 24 hours, since 2026-11-23T07:00:00Z."]


def test_runs_that_were_not_or_not_wholly_read_are_unknown() -> None:
    found, _ = about_runs("AccessDenied")
    assert (found.status, "AccessDenied from cloudwatch:GetMetricData" in found.reason) == ("unknown", True)
    assert about_runs({"MetricDataResults": []})[0].status == "unknown"
    assert about_runs(counted({2: (1, 0)}, status="InternalError"))[0].status == "unknown"


class Pages:
    """CloudWatch in two pages, which keeps what it was asked."""

    def __init__(self, canned: Canned) -> None:
        self.canned, self.asked = canned, list[dict[str, Any]]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.canned, name)

    def get_metric_data(self, **parameters: Any) -> dict[str, Any]:
        self.asked.append(parameters)
        pages: Sequence[dict[str, Any]] = counted({2: (1, 0)})["MetricDataResults"]
        if "NextToken" in parameters:
            return {"MetricDataResults": pages[1:]}
        return {"MetricDataResults": pages[:1], "NextToken": "more"}


def test_all_functions_are_asked_about_in_one_call_of_whole_periods() -> None:
    client = Pages(Canned(_deployed()))
    names = {f"sgwatch-prod-{place}": PATTERN for place in range(16)}
    own, _ = collect_own(lambda *_: client, REGION, OwnPath(names), now=datetime(2026, 11, 23, 10, 1, 30, tzinfo=UTC))
    assert len(client.asked) == 2, "one call, and its second page"
    assert own["functions"][0]["Metrics"]["Invocations"]["Values"] == [1.0]
    assert own["functions"][0]["Metrics"]["Errors"]["Values"] == [], "zeros are left out"
    asked = client.asked[0]
    assert (asked["StartTime"], asked["EndTime"]) == (datetime(2026, 11, 16, 10, 5, tzinfo=UTC), NOW + RUN_PERIOD)
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
    assert len(asked["MetricDataQueries"]) == 16 * len(RUN_METRICS) <= 500
    assert len(asked["MetricDataQueries"]) * (LOOK_BACK / RUN_PERIOD) <= 100_800


@pytest.mark.parametrize("key", ["Input", "InputPath", "InputTransformer"])
def test_a_target_that_hands_over_something_else_than_the_event_fails(key: str) -> None:
    answers, _ = judged(list_targets_by_rule={"Targets": [{"Id": "1", "Arn": FUNCTION, key: "x"}]})
    assert answers["own-target"] == "fail"


MAPPING = {"UUID": "6d9bce8e", "State": "Enabled", "EventSourceArn": QUEUE}
DURABLE = {
    "list_event_source_mappings": {"EventSourceMappings": [MAPPING]},
    "describe_table": {"Table": {"TableName": "sgwatch-prod-state", "TableStatus": "ACTIVE"}},
    "describe_alarms": {
        "MetricAlarms": [{"AlarmName": "sgwatch-prod-undelivered", "ActionsEnabled": True, "AlarmActions": ["arn:t"]}]
    },
    "list_subscriptions_by_topic": {"Subscriptions": [{"SubscriptionArn": "arn:aws:sns:x"}]},
}


def durable(**changes: Any) -> dict[str, str]:
    """Check → the worst answer, with durable delivery deployed but for these answers."""
    client = Canned(_deployed() | DURABLE | changes)
    functions = {"sgwatch-prod-alert_on_change": PATTERN}
    path = OwnPath(
        functions,
        ("q",),
        delivery_queue="sgwatch-prod-deliveries.fifo",
        table="sgwatch-prod-state",
        consumer="sgwatch-prod-deliver",
        alarm_prefix="sgwatch-prod-",
        alarms=("sgwatch-prod-undelivered",),
        settings_of=settings_summary,
    )
    own, errors = collect_own(lambda *_: client, REGION, path, now=NOW)
    assert "secret" not in json.dumps(own)
    findings, _ = judge_own_path(read_snapshot(Account().document() | {"self": own, "errors": errors}))
    order = ["pass", "unknown", "fail"]
    return {item.check: item.status.value for item in sorted(findings, key=lambda item: order.index(item.status))}


def age(seconds: float) -> dict[str, Any]:
    results = counted({1: (4, 0)})["MetricDataResults"]
    return {"MetricDataResults": [*results, {"Id": "queue_age", "Timestamps": [NOW], "Values": [seconds]}]}


def deliveries(sent: float | None, failed: float | None) -> dict[str, Any]:
    """Hours before now of the last alert that Slack took, and of the last that failed."""
    found = [
        {
            "Id": f"d0_0_{name}",
            "Timestamps": [] if hours is None else [NOW - timedelta(hours=hours)],
            "Values": [] if hours is None else [1.0],
        }
        for name, hours in (("alertssent", sent), ("deliveryfailures", failed))
    ]
    return {"MetricDataResults": [*counted({1: (4, 0)})["MetricDataResults"], *found]}


def environment(**variables: str) -> dict[str, Any]:
    return {"Configuration": CONFIGURATION | {"Environment": {"Variables": variables}}}


def test_durable_delivery_as_deployed_passes() -> None:
    assert set(durable().values()) == {"pass"}
    wanted = {"own-queue", "own-event-source", "own-table", "own-alarms", "own-settings", "own-delivery"}
    assert wanted <= set(durable())


@pytest.mark.parametrize(
    ("check", "status", "changes"),
    [
        ("own-event-source", "fail", {"list_event_source_mappings": {"EventSourceMappings": []}}),
        *(
            (
                "own-event-source",
                status,
                {"list_event_source_mappings": {"EventSourceMappings": [{**MAPPING, **changed}]}},
            )
            for status, changed in (
                ("fail", {"State": "Disabled"}),
                ("fail", {"State": "Disabling"}),
                ("unknown", {"State": "Creating"}),
                ("fail", {"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}),
                ("fail", {"EventSourceArn": f"{QUEUE}-of-others"}),
            )
        ),
        (
            "own-event-source",
            "pass",
            {
                "list_event_source_mappings": {
                    "EventSourceMappings": [MAPPING, {**MAPPING, "State": "Disabled", "EventSourceArn": "arn:other"}]
                }
            },
        ),
        ("own-queue", "fail", {"get_queue_url": "AWS.SimpleQueueService.NonExistentQueue"}),
        ("own-dead-letters", "fail", {"get_queue_url": "AWS.SimpleQueueService.NonExistentQueue"}),
        ("own-queue", "unknown", {"get_metric_data": "AccessDenied"}),
        ("own-queue", "fail", {"get_metric_data": age(3_600.0)}),
        ("own-queue", "pass", {"get_metric_data": age(30.0)}),
        ("own-table", "fail", {"describe_table": "ResourceNotFoundException"}),
        ("own-table", "fail", {"describe_table": {"Table": {"TableStatus": "DELETING"}}}),
        ("own-alarms", "fail", {"list_subscriptions_by_topic": {"Subscriptions": []}}),
        (
            "own-alarms",
            "fail",
            {"list_subscriptions_by_topic": {"Subscriptions": [{"SubscriptionArn": "PendingConfirmation"}]}},
        ),
        ("own-alarms", "fail", {"describe_alarms": {"MetricAlarms": []}}),
        ("own-alarms", "unknown", {"list_subscriptions_by_topic": "AccessDenied"}),
        ("own-alarms", "fail", {"describe_alarms": {"MetricAlarms": [{"AlarmName": "sgwatch-prod-x"}]}}),
        ("own-settings", "fail", {"get_function": environment()}),
        ("own-settings", "fail", {"get_function": environment(SLACK_WEBHOOK_URL="http://example.com/secret")}),
        ("own-delivery", "fail", {"get_metric_data": deliveries(None, 2)}),
        ("own-delivery", "fail", {"get_metric_data": deliveries(9, 2)}),
        ("own-delivery", "pass", {"get_metric_data": deliveries(2, 9)}),
        ("own-delivery", "pass", {"get_metric_data": deliveries(2, None)}),
    ],
)
def test_what_durable_delivery_needs_is_judged(check: str, status: str, changes: dict[str, Any]) -> None:
    assert durable(**changes)[check] == status


@pytest.mark.parametrize(
    ("state", "status"), [("ACTIVE", "fail"), ("SCHEDULED", "pass"), ("EXPIRED", "pass"), (None, "unknown")]
)
def test_an_own_alarm_that_a_mute_rule_silences_notifies_nobody(state: str | None, status: str) -> None:
    document = _with_own_alarm()
    rule = {"Name": "night", "Status": state, "MuteTargets": {"AlarmNames": ["sgwatch-prod-undelivered", "other"]}}
    document["regions"][REGION]["alarm_mute_rules"] = [rule]
    found = _of_alarms(document)
    assert found.status == status
    if status == "fail":
        assert found.fix == (
            "aws cloudwatch put-alarm-mute-rule --region us-east-1 --cli-input-json "
            """'{"Name": "night", "MuteTargets": {"AlarmNames": ["other"]}}'"""
        )


@pytest.mark.parametrize(("code", "status"), [("AccessDeniedException", "unknown"), (NOT_IN_SDK, "pass")])
def test_mute_rules_that_aws_refused_may_silence_an_own_alarm(code: str, status: str) -> None:
    document = _with_own_alarm()
    document["errors"] = [{"call": "cloudwatch:ListAlarmMuteRules", "region": REGION, "code": code, "message": "no"}]
    assert _of_alarms(document).status == status


def _with_own_alarm() -> dict[str, Any]:
    client = Canned(_deployed() | DURABLE)
    path = OwnPath({"sgwatch-prod-alert_on_change": PATTERN}, alarm_prefix="sgwatch-prod-")
    own, _ = collect_own(lambda *_: client, REGION, path, now=NOW)
    return Account().document() | {"self": own}


def _of_alarms(document: dict[str, Any]) -> Finding:
    findings, _ = judge_own_path(read_snapshot(document))
    (found,) = (item for item in findings if item.check == "own-alarms")
    return found


def test_what_could_not_be_read_of_durable_delivery_is_not_judged_and_is_an_error() -> None:
    assert "own-table" not in durable(describe_table="AccessDeniedException")
    assert "own-event-source" not in durable(list_event_source_mappings="AccessDeniedException")


def test_outside_the_region_of_iams_events_a_forwarder_is_not_known() -> None:
    own, errors = collect_own(lambda *_: Canned(_deployed()), "eu-west-1", OwnPath({"f": PATTERN}), now=NOW)
    findings, _ = judge_own_path(read_snapshot(Account().document() | {"self": own, "errors": errors}))
    (found,) = [finding for finding in findings if finding.check == "own-forwarding"]
    assert found.status.value == "unknown"


def test_lambda_is_asked_less_than_twenty_times_for_a_whole_stage() -> None:
    asked: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            return getattr(Canned(_deployed() | DURABLE), name)

    functions = own_rules(Stage("sgwatch-prod-"), DEFAULT_WATCH, durable=True)
    path = OwnPath(functions, consumer="sgwatch-prod-deliver")
    collect_own(
        lambda service, _: Counting() if service == "lambda" else Canned(_deployed() | DURABLE), REGION, path, now=NOW
    )
    assert len(asked) <= 20
    assert len([name for name in asked if name not in ("get_function", "get_policy")]) <= 5
