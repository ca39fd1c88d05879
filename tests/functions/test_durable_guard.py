"""The guard beside durable delivery: its status in the state table, further functions and queues in its own path."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.notification_policy import RememberedStatus
from chalicelib.alarm_path.watch.status_store import TableMemory
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH
from chalicelib.deployment import NO_RULE, Stage, dead_letter_queues, durable_alarms, own_rules
from chalicelib.functions.composition.auditing import assemble_guard
from chalicelib.settings.environment import read_settings
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable
from tests.support.alarm_paths import NO_RUNS, NOW, Account
from tests.support.guards import audited

REGION = "eu-west-1"
DURABLE = {"DELIVERY_QUEUE": "sgwatch-prod-deliveries.fifo", "STATE_TABLE": "sgwatch-prod-state"}


def table() -> StateTable:
    client: Any = boto3.client(
        "dynamodb", region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    keys = [{"AttributeName": name, "KeyType": kind} for name, kind in (("pk", "HASH"), ("sk", "RANGE"))]
    types = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    client.create_table(
        TableName="sgwatch-prod-state", KeySchema=keys, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST"
    )
    return StateTable(lambda: client, "sgwatch-prod-state")


def test_the_status_is_kept_in_the_state_table() -> None:
    with mock_aws():
        memory = TableMemory(table(), StateError)
        assert memory.load() is None
        kept = RememberedStatus(Status.FAIL, NOW, frozenset({"main"}))
        assert memory.save(kept, None) is None
        assert memory.load() == replace(kept, revision=1)
        other = memory.save(RememberedStatus(Status.PASS, NOW), None)
        assert other == replace(kept, revision=1)
        assert memory.save(RememberedStatus(Status.PASS, NOW), other) is None


def test_the_table_takes_the_parameters_place() -> None:
    settings = read_settings({"WEBHOOK_URL": "https://example.com/hook", **DURABLE})
    guard = assemble_guard(settings, (), "sgwatch-prod-audit_on_schedule", lambda *_: pytest.fail("no call"), REGION)
    assert isinstance(guard.memory, TableMemory)


def test_the_functions_and_queues_of_durable_delivery_are_part_of_the_own_path() -> None:
    stage = Stage("sgwatch-prod-")
    own = own_rules(stage, DEFAULT_WATCH, durable=True)
    assert own["sgwatch-prod-deliver"] == NO_RULE
    assert own["sgwatch-prod-reconcile"] is None
    assert dead_letter_queues(stage) == ("sgwatch-prod-undelivered.fifo", "sgwatch-prod-failed-events")


def test_the_alarms_of_the_own_path_are_those_of_durable_deliverys_template() -> None:
    template = (Path(__file__).parents[2] / "infra" / "durable.yaml").read_text(encoding="utf-8")
    made = re.findall(r"AlarmName: !Sub (\S+)", template)
    assert made == [name.replace("prod", "${Stage}") for name in durable_alarms(Stage("sgwatch-prod-"))]


@pytest.mark.parametrize(
    ("function", "durable", "status"),
    [
        ("alert_on_change", True, "fail"),
        ("alert_on_change", False, "pass"),
        ("alert_on_tampering", True, "fail"),
        ("audit_on_schedule", True, "pass"),
    ],
)
def test_a_missing_on_failure_destination_counts_where_setup_would_give_one(
    function: str, durable: bool, status: str
) -> None:
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:sgwatch-prod-{function}"
    rule = {"Name": "r", "Arn": "arn:aws:events:us-east-1:123456789012:rule/r", "State": "ENABLED"}
    permission = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
    }
    document = Account().document()
    document["self"] = {
        "rules": [{**rule, "ScheduleExpression": "rate(1 hour)", "Targets": [{"Arn": arn}]}],
        "functions": [
            {
                "Configuration": {"FunctionArn": arn},
                "EventInvokeConfig": None,
                "Policy": {"Statement": [permission]},
                "Metrics": NO_RUNS,
            }
        ],
    }
    assert audited(document, durable=durable).standing.status == status
