"""The real `chalice deploy` against a local AWS, and the deployed bundle run as Lambda would."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from benchmarks.cold_start import EVENT, RECORD
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH
from chalicelib.deployment import rules
from tests.support.deployment import ROOT, chalice, copy_project, documents, invoke, unpack
from tests.support.receiver import Answer, Receiver, receiver

REGION = "eu-west-1"
SLACK_PATH = "/services/T00000000/B00000000/abcdefghijklmnop"
SECRET = "whsec_c2d3YXRjaCB0ZXN0cyBzaWduIHdpdGggdGhpcw=="


@dataclass(frozen=True, slots=True)
class Cloud:
    """What was deployed where."""

    endpoint: str
    slack: Receiver
    webhook: Receiver
    topic: str
    queue: str
    project: Path

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def environment(self) -> dict[str, str]:
        """What Lambda would give the function: what was deployed with it, and the runtime's own."""
        configured = self.client("lambda").get_function_configuration(FunctionName="sgwatch-dev-alert_on_change")
        return {
            **configured["Environment"]["Variables"],
            "AWS_LAMBDA_FUNCTION_NAME": configured["FunctionName"],
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }

    def messages(self) -> list[dict[str, Any]]:
        """What has arrived at the topic's subscriber since the last look."""
        answer = self.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            self.client("sqs").delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with receiver() as slack, receiver() as webhook:
            yield deployed(f"http://{host}:{port}", slack, webhook, tmp_path_factory.mktemp("deploy"))
    finally:
        server.stop()


def deployed(endpoint: str, slack: Receiver, webhook: Receiver, folder: Path) -> Cloud:
    cloud = Cloud(endpoint, slack, webhook, "", "", folder)
    topic = cloud.client("sns").create_topic(Name="security")["TopicArn"]
    queue = cloud.client("sqs").create_queue(QueueName="inbox")["QueueUrl"]
    arn = cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cloud.client("ssm").put_parameter(Name="/sgwatch/dev/webhook", Value=SECRET, Type="SecureString")
    settings = {
        "SLACK_WEBHOOK_URL": slack.url + SLACK_PATH,
        "SNS_TOPIC_ARN": topic,
        "WEBHOOK_URL": webhook.url + "/alerts-of-tests",
        "WEBHOOK_SECRET": "ssm:/sgwatch/dev/webhook",
    }
    project = copy_project(folder, settings)
    nothing = str(folder / "no-such-file")
    chalice(
        project,
        "deploy",
        AWS_ENDPOINT_URL=endpoint,
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_CONFIG_FILE=nothing,
        AWS_SHARED_CREDENTIALS_FILE=nothing,
    )
    return Cloud(endpoint, slack, webhook, topic, queue, project)


@pytest.fixture(scope="module")
def task(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (bundle,) = (cloud.project / ".chalice" / "deployments").glob("*.zip")
    code = cloud.client("lambda").get_function(FunctionName="sgwatch-dev-alert_on_change")["Configuration"]
    assert code["CodeSha256"] == base64.b64encode(hashlib.sha256(bundle.read_bytes()).digest()).decode()
    return unpack(bundle, tmp_path_factory.mktemp("task"))


def test_the_rule_its_pattern_its_target_and_its_permission_are_there(cloud: Cloud) -> None:
    function = cloud.client("lambda").get_function(FunctionName="sgwatch-dev-alert_on_change")["Configuration"]
    assert (function["Handler"], function["Timeout"], function["MemorySize"]) == ("app.alert_on_change", 60, 512)
    found = {rule["Name"]: rule for rule in cloud.client("events").list_rules()["Rules"]}
    expected = rules(DEFAULT_WATCH)
    assert sorted(found) == sorted(f"sgwatch-dev-{handler}-event" for handler in expected)
    assert {rule["State"] for rule in found.values()} == {"ENABLED"}
    for handler, pattern in expected.items():
        rule = found[f"sgwatch-dev-{handler}-event"]
        assert json.loads(rule.get("EventPattern", "null")) == pattern
        assert rule.get("ScheduleExpression") == ("rate(1 hour)" if pattern is None else None)
    rule = found["sgwatch-dev-alert_on_change-event"]
    (target,) = cloud.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"] == function["FunctionArn"]
    permission = json.loads(cloud.client("lambda").get_policy(FunctionName=function["FunctionName"])["Policy"])
    (statement,) = permission["Statement"]
    assert statement["Action"] == "lambda:InvokeFunction"
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"]["ArnLike"]["AWS:SourceArn"] == rule["Arn"]


def test_each_function_has_a_role_with_its_policy_and_no_other(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    for handler in rules(DEFAULT_WATCH):
        function = cloud.client("lambda").get_function(FunctionName=f"sgwatch-dev-{handler}")["Configuration"]
        role = function["Role"].rpartition("/")[2]
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        assert document == json.loads((cloud.project / ".chalice" / f"policy-dev-{handler}.json").read_text())
        assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []


def test_the_log_group_keeps_its_lines_as_long_as_the_stage_says(cloud: Cloud) -> None:
    groups = cloud.client("logs").describe_log_groups()["logGroups"]
    assert {group["logGroupName"]: group["retentionInDays"] for group in groups} == {
        f"/aws/lambda/sgwatch-dev-{handler}": 14 for handler in rules(DEFAULT_WATCH)
    }


def test_the_functions_that_audit_have_the_time_for_it(cloud: Cloud) -> None:
    functions = cloud.client("lambda").list_functions()["Functions"]
    assert {each["FunctionName"].removeprefix("sgwatch-dev-"): each["Timeout"] for each in functions} == {
        "alert_on_change": 60,
        "alert_on_tampering": 180,
        "alert_on_own_tampering": 180,
        "audit_on_mending": 120,
        "audit_on_schedule": 300,
    }


def test_the_bundle_alone_alerts_slack_sns_and_the_webhook(cloud: Cloud, task: Path) -> None:
    cloud.slack.requests.clear()
    cloud.webhook.requests.clear()
    done = invoke(task, "app.alert_on_change", EVENT, cloud.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sg-0a1b2c3d4e5f60718" in cloud.slack.requests[0].body.decode()
    (message,) = cloud.messages()
    assert "sg-0a1b2c3d4e5f60718" in message["Message"]
    (request,) = cloud.webhook.requests
    assert json.loads(request.body)["id"] == RECORD["eventID"]
    assert request.headers["webhook-signature"].startswith("v1,")
    sent = [line for line in documents(done.stdout) if line.get("event") == "alert sent"]
    assert sorted(line["destination"] for line in sent) == ["slack", "sns", "webhook"]
    for secret in (SLACK_PATH, SECRET, "/alerts-of-tests"):
        assert secret not in done.stdout


def test_nothing_but_the_bundle_boto3_and_python_was_imported(cloud: Cloud, task: Path) -> None:
    done = invoke(task, "app.alert_on_change", EVENT, cloud.environment())
    cloud.messages()
    files = json.loads(done.stderr.splitlines()[-1])
    assert any(file.startswith(str(task)) for file in files)
    assert [
        file for file in files if "site-packages" in file and not file.startswith(str(task.parent / "runtime"))
    ] == []
    assert not any(str(ROOT) in file for file in files)


def test_a_refused_webhook_fails_the_deployed_function_and_the_others_have_theirs(cloud: Cloud, task: Path) -> None:
    cloud.webhook.requests.clear()
    cloud.slack.will(Answer(404, b"no_service"))
    done = invoke(
        task, "app.alert_on_change", {**EVENT, "detail": {**RECORD, "eventID": "refused"}}, cloud.environment()
    )
    cloud.slack.will(Answer())
    assert done.returncode == 1
    assert "NotDelivered: alert refused was not delivered to slack" in done.stderr
    assert SLACK_PATH not in done.stdout + done.stderr
    assert len(cloud.webhook.requests) == 1
    assert len(cloud.messages()) == 1
