"""Functions run as Lambda runs them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.alarm_path.snapshot.collect_own_path import OwnPath, collect_own
from localcloud import LocalCloud


def test_a_call_becomes_an_event_that_runs_the_function_and_reaches_the_inbox(small: LocalCloud) -> None:
    before = len(small.inbox.messages())
    small.client("ec2").create_security_group(GroupName="to-be-seen", Description="d")
    assert small.wait_until_idle()
    [message] = small.inbox.messages()[before:]
    assert (message.service, message.title, message.severity) == ("webhook", "CreateSecurityGroup", "high")
    record = next(item for item in small.records if item["eventName"] == "CreateSecurityGroup")
    assert message.payload["id"] == record["eventID"]


def test_calls_that_no_rule_matches_run_nothing(small: LocalCloud) -> None:
    before = len(small.functions.invocations)
    group = small.client("ec2").create_security_group(GroupName="unseen", Description="d")["GroupId"]
    small.wait_until_idle()
    ran = len(small.functions.invocations)
    small.client("ec2").delete_security_group(GroupId=group)
    small.client("ec2").describe_security_groups()
    small.wait_until_idle()
    assert (ran - before, len(small.functions.invocations) - ran) == (1, 0)


def test_an_event_is_delivered_again_when_asked_to_duplicate(small: LocalCloud) -> None:
    small.events.duplicates = 1
    try:
        small.client("ec2").create_security_group(GroupName="twice", Description="d")
        small.wait_until_idle()
    finally:
        small.events.duplicates = 0
    first, second = small.inbox.messages("webhook")[-2:]
    assert first.payload["id"] == second.payload["id"]


def test_held_events_are_delivered_in_the_order_asked_for(small: LocalCloud) -> None:
    small.events.hold()
    for name in ("one", "two"):
        small.client("ec2").create_security_group(GroupName=name, Description="d")
    before = len(small.functions.invocations)
    assert small.events.release(reverse=True) == 2
    small.wait_until_idle()
    events = [json.loads(item.event) for item in list(small.functions.invocations)[before:]]
    assert {item["detail"]["requestParameters"]["groupName"] for item in events} == {"one", "two"}


def test_a_function_that_raises_is_retried_twice_and_then_given_up(small: LocalCloud, run: Callable[..., Any]) -> None:
    before = len(small.functions.invocations)
    small.client("lambda").invoke(FunctionName="small-dev-doing", InvocationType="Event", Payload='{"do": "raise"}')
    assert small.wait_until_idle()
    attempts = list(small.functions.invocations)[before:]
    assert [item.failed for item in attempts] == [True, True, True]
    failure = small.deliveries.failures[-1]
    assert failure.invocation.error is not None
    assert failure.invocation.error["errorType"] == "ValueError"
    assert failure.destination is None


def test_runs_and_errors_are_counted_where_the_audit_looks(small: LocalCloud) -> None:
    def counted() -> dict[str, float]:
        now = datetime.now(UTC)
        own, errors = collect_own(
            lambda service, region: small.client(service, region=region),
            small.region,
            OwnPath({"small-dev-doing": {}}),
            now=now,
        )
        assert errors == []
        (function,) = own["functions"]
        return {name: sum(function["Metrics"][name]["Values"]) for name in ("Invocations", "Errors")}

    before = counted()
    client = small.client("lambda")
    for payload in ('{"do": "raise"}', '{"do": "count"}'):
        client.invoke(FunctionName="small-dev-doing", Payload=payload)
    after = counted()
    assert {name: after[name] - before[name] for name in after} == {"Invocations": 2, "Errors": 1}


def test_an_event_given_up_goes_to_the_on_failure_destination(small: LocalCloud) -> None:
    sqs = small.client("sqs")
    url = sqs.create_queue(QueueName="failed")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    role = small.client("lambda").get_function(FunctionName="small-dev-doing")["Configuration"]["Role"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": arn}]}
    small.client("iam").put_role_policy(
        RoleName=role.rsplit("/")[-1], PolicyName="failures", PolicyDocument=json.dumps(policy)
    )
    client = small.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName="small-dev-doing",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    try:
        client.invoke(FunctionName="small-dev-doing", InvocationType="Event", Payload='{"do": "raise"}')
        assert small.wait_until_idle()
    finally:
        client.delete_function_event_invoke_config(FunctionName="small-dev-doing")
    failure = small.deliveries.failures[-1]
    assert failure.destination_error is None
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    body = json.loads(message["Body"])
    assert body["requestPayload"] == {"do": "raise"}
    assert body["requestContext"]["approximateInvokeCount"] == 1
    assert body["responsePayload"]["errorMessage"] == "asked to"


def test_a_function_past_its_timeout_is_killed(small: LocalCloud, run: Callable[..., Any]) -> None:
    began = time.monotonic()
    answer = run("sleep", seconds=30)
    assert answer.error == "Unhandled"
    assert "Task timed out after 5.00 seconds" in answer.payload["errorMessage"]
    assert time.monotonic() - began < 25
    assert not run("count").error  # the next event gets a new process


def test_a_function_that_takes_too_much_memory_is_killed(run: Callable[..., Any]) -> None:
    answer = run("memory", bytes=600_000_000)
    assert answer.payload["errorType"] == "Runtime.ExitError"
    assert "signal: killed" in answer.payload["errorMessage"]


def test_a_function_that_exits_is_an_error_and_not_the_end(run: Callable[..., Any]) -> None:
    assert "exit status 3" in run("exit").payload["errorMessage"]
    assert run("count").payload == {"count": 1}


def test_a_process_is_kept_warm_and_distinguished_from_a_cold_one(small: LocalCloud, run: Callable[..., Any]) -> None:
    run("exit")
    cold, warm = run("count"), run("count")
    assert (cold.payload["count"], warm.payload["count"]) == (1, 2)
    first, second = list(small.functions.invocations)[-2:]
    assert (first.cold, second.cold) == (True, False)
    assert first.init_seconds > 0
    assert second.init_seconds == 0


def test_what_the_role_does_not_allow_is_denied(run: Callable[..., Any]) -> None:
    assert isinstance(run("describe").payload, int)
    denied = run("delete", group_id="sg-0123456789abcdef0").payload
    assert "UnauthorizedOperation" in denied["errorMessage"]
    assert "assumed-role/small-dev-doing/small-dev-doing" in denied["errorMessage"]


def test_the_package_is_read_only_for_the_function(run: Callable[..., Any]) -> None:
    assert run("write").payload["errorType"] == "PermissionError"


def test_a_function_sees_its_own_variables_and_nothing_of_this_process(
    run: Callable[..., Any], monkeypatch: Any
) -> None:
    monkeypatch.setenv("SGWATCH_TEST_MARK", "seen")
    run("exit")
    environment = run("environment").payload
    assert environment["GREETING"] == "hello"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "small-dev-doing"
    assert "SGWATCH_TEST_MARK" not in environment
    assert environment["HOME"] != os.environ["HOME"] if "HOME" in environment else True


def test_only_the_package_and_lambda_s_own_libraries_can_be_imported(run: Callable[..., Any]) -> None:
    assert run("import", name="moto").payload["errorType"] == "ModuleNotFoundError"
    assert "boto3" in run("import", name="boto3").payload


def test_what_a_function_prints_is_in_its_log_group(small: LocalCloud) -> None:
    small.client("ec2").create_security_group(GroupName="logged", Description="d")
    small.wait_until_idle()
    events = small.client("logs").filter_log_events(logGroupName="/aws/lambda/small-dev-alert")["events"]
    texts = [event["message"] for event in events]
    assert "alerting CreateSecurityGroup" in texts
    assert any(text.startswith("REPORT RequestId:") and "Max Memory Used:" in text for text in texts)


def test_a_schedule_runs_its_function_when_asked_to_tick(small: LocalCloud) -> None:
    assert small.schedules.tick("hourly") == 1
    small.wait_until_idle()
    assert small.inbox.messages("webhook")[-1].title == "hourly"


def test_a_message_in_a_mapped_queue_runs_its_function_once(small: LocalCloud) -> None:
    sqs = small.client("sqs")
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="do it")
    assert small.wait_until_idle()
    done = [item.payload["body"] for item in small.inbox.messages("webhook") if item.title == "worked"]
    assert done.count("do it") == 1
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_message_that_fails_comes_back_after_the_visibility_timeout(small: LocalCloud) -> None:
    sqs = small.client("sqs")
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    before = len(small.functions.invocations)
    sqs.send_message(QueueUrl=url, MessageBody="bad")
    deadline = time.monotonic() + 10
    while len(small.functions.invocations) - before < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    counts = [
        json.loads(item.event)["Records"][0]["attributes"]["ApproximateReceiveCount"]
        for item in list(small.functions.invocations)[before:]
    ]
    assert counts[:2] == ["1", "2"]
    sqs.purge_queue(QueueUrl=url)


@pytest.mark.parametrize("named", ["small-dev-worker", "123456789012:function:small-dev-worker", "ARN"])
def test_the_queue_that_chalice_mapped_is_found_by_any_name_of_its_function(small: LocalCloud, named: str) -> None:
    client = small.client("lambda")
    arn = client.get_function_configuration(FunctionName="small-dev-worker")["FunctionArn"]
    found = client.list_event_source_mappings(FunctionName=arn if named == "ARN" else named)["EventSourceMappings"]
    assert [(item["FunctionArn"], item["State"]) for item in found] == [(arn, "Enabled")]
    assert client.list_event_source_mappings(FunctionName="small-dev-doing")["EventSourceMappings"] == []
