"""The template of the durable resources: valid, deployable, and what moto cannot show of it is named."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

TEMPLATE = Path(__file__).parents[2] / "infra" / "durable.yaml"
# Not in moto 5.2.5's CloudFormation; their texts are judged by cfn-lint and read below.
NOT_IN_MOTO = {"AWS::SQS::QueuePolicy", "AWS::CloudWatch::Alarm"}


class _Tagged(yaml.SafeLoader):  # type: ignore[misc]
    """Reads CloudFormation's short forms as {tag: value}."""


def _tagged(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_scalar(node)}


_Tagged.add_multi_constructor("!", _tagged)
RESOURCES: dict[str, Any] = yaml.load(TEMPLATE.read_text(), _Tagged)["Resources"]


pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


@pytest.fixture(scope="module")
def deployed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment, mock_aws(), warnings.catch_warnings():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "testing")
        environment.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        warnings.simplefilter("ignore", UserWarning)
        boto3.client("cloudformation").create_stack(
            StackName="sgwatch-dev-durable",
            TemplateBody=TEMPLATE.read_text(),
            Parameters=[{"ParameterKey": "Stage", "ParameterValue": "dev"}],
        )
        yield


def attributes(name: str) -> dict[str, str]:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found: Any = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return dict(found)


def test_every_template_passes_cfn_lint() -> None:
    templates = sorted(str(path) for path in TEMPLATE.parent.glob("*.yaml"))
    program = "import sys; from cfnlint.runner import main; sys.exit(main())"
    result = subprocess.run([sys.executable, "-c", program, *templates], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_what_moto_does_not_deploy_is_named_here(deployed: None) -> None:
    answer = boto3.client("cloudformation").describe_stack_resources(StackName="sgwatch-dev-durable")
    made = {item.get("ResourceType") for item in answer["StackResources"]}
    assert {item["Type"] for item in RESOURCES.values()} - made == NOT_IN_MOTO
    table = boto3.client("dynamodb")
    # Also not in moto's CloudFormation; on AWS both are on.
    ttl = table.describe_time_to_live(TableName="sgwatch-dev-state")["TimeToLiveDescription"]
    backups = table.describe_continuous_backups(TableName="sgwatch-dev-state")["ContinuousBackupsDescription"]
    assert ttl["TimeToLiveStatus"] == "DISABLED"
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"


def test_alerts_that_cannot_be_delivered_go_to_the_dead_letter_queue(deployed: None) -> None:
    policy = json.loads(attributes("sgwatch-dev-deliveries.fifo")["RedrivePolicy"])
    assert policy["deadLetterTargetArn"] == attributes("sgwatch-dev-undelivered.fifo")["QueueArn"]


@pytest.mark.parametrize("name", ["deliveries.fifo", "undelivered.fifo", "failed-events"])
def test_queues_keep_messages_as_long_and_as_large_as_sqs_can_and_encrypt_them(deployed: None, name: str) -> None:
    found = attributes(f"sgwatch-dev-{name}")
    assert (found["MessageRetentionPeriod"], found["MaximumMessageSize"]) == ("1209600", "1048576")
    assert found["SqsManagedSseEnabled"] == "true"
    assert found.get("FifoQueue", "false") == ("true" if name.endswith(".fifo") else "false")


def test_the_table_is_on_demand_expiring_recoverable_and_encrypted(deployed: None) -> None:
    table = boto3.client("dynamodb").describe_table(TableName="sgwatch-dev-state")["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["pk", "sk"]
    written = RESOURCES["State"]["Properties"]
    assert written["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert written["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert written["SSESpecification"] == {"SSEEnabled": True}


def test_every_alarm_treats_silence_as_good_and_shows_the_topic() -> None:
    alarms = {name: item["Properties"] for name, item in RESOURCES.items() if item["Type"] == "AWS::CloudWatch::Alarm"}
    assert set(alarms) == {"UndeliveredAlarm", "FailedEventsAlarm", "BacklogAlarm", "DeliverErrorsAlarm"}
    for alarm in alarms.values():
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"] == alarm["OKActions"]
        assert alarm["AlarmActions"]["If"][1] == [{"Ref": "AlarmTopicArn"}]
