"""What `chalice package` makes, and the policies that go with it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from chalicelib.cloudtrail.catalog import DEFAULT_WATCH
from chalicelib.deployment import AUDIT_ON_SCHEDULE, Stage, rules
from chalicelib.functions.composition.auditing import parameter_name
from tests.support.deployment import ROOT, chalice, copy_project

MOST_BYTES = 1_500_000
# The IAM actions behind the calls that the deployed code makes, by how they read in the code.
CALLS = {
    "get_parameter": "ssm:GetParameter",
    "get_secret_value": "secretsmanager:GetSecretValue",
    "publish": "sns:Publish",
    "put_parameter": "ssm:PutParameter",
    "get_caller_identity": "sts:GetCallerIdentity",
    "change_message_visibility": "sqs:ChangeMessageVisibility",
    "get_queue_attributes": "sqs:GetQueueAttributes",
    "get_queue_url": "sqs:GetQueueUrl",
    "send_message": "sqs:SendMessage",
    "send_message_batch": "sqs:SendMessage",
    "get_item": "dynamodb:GetItem",
    "put_item": "dynamodb:PutItem",
    "query": "dynamodb:Query",
    "update_item": "dynamodb:UpdateItem",
    "list_event_source_mappings": "lambda:ListEventSourceMappings",
    "lookup_events": "cloudtrail:LookupEvents",
}
# Conditions in a transaction have an action of their own; the puts in it are dynamodb:PutItem.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
IN_TRANSACTIONS = {"dynamodb:ConditionCheckItem"}
# What Lambda itself does with the function's role: it reads the queue.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
POLLER = {"sqs:ReceiveMessage", "sqs:DeleteMessage"}
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
LOOK_UPS = {
    "config:GetResourceConfigHistory",
    "ec2:DescribeManagedPrefixLists",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVpcEndpoints",
    "ec2:GetManagedPrefixListEntries",
    "iam:ListAccountAliases",
}
WITHOUT_RESOURCE = {"cloudtrail:LookupEvents", "lambda:ListEventSourceMappings", *LOOK_UPS}
LOGS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
DOCUMENTED = {"OwnLogs", "AlertTopics", "Parameters", "Secrets"}
# What the audit reads cannot be known beforehand, and DescribeAlarms hides composite alarms from a narrower one.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
ABOUT_EVERYTHING = {"Audit"}


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    chalice(copy_project(folder), "package", "--stage", "prod", str(folder / "out"))
    return folder / "out"


def names(packaged: Path) -> list[str]:
    with zipfile.ZipFile(packaged / "deployment.zip") as bundle:
        return bundle.namelist()


def test_the_bundle_is_small(packaged: Path) -> None:
    assert (packaged / "deployment.zip").stat().st_size <= MOST_BYTES


def test_the_bundle_holds_what_is_deployed_and_nothing_else(packaged: Path) -> None:
    found = names(packaged)
    assert {"app.py", "chalicelib/functions/composition/alerting.py", "chalice/app.py", "requests/__init__.py"} <= set(
        found
    )
    unwanted = re.compile(r"^(boto3|botocore|pip|setuptools|tests|sgwatch|localcloud)/|__pycache__|\.(so|pyc|pyd)$")
    assert [name for name in found if unwanted.search(name)] == []


def test_the_template_passes_cfn_lint(packaged: Path) -> None:
    # W3002: the code is a local file until `aws cloudformation package` uploads it.
    command: list[str | Path] = [
        Path(sys.executable).with_name("cfn-lint"),
        "--ignore-checks",
        "W3002",
        "--",
        packaged / "sam.json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_template_holds_the_pattern_the_policy_and_the_retention(packaged: Path) -> None:
    resources = json.loads((packaged / "sam.json").read_text())["Resources"]
    functions = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Serverless::Function"]
    events = {each["Handler"]: event["Properties"] for each in functions for event in each["Events"].values()}
    schedule = events.pop(f"app.{AUDIT_ON_SCHEDULE}")
    assert schedule == {"Schedule": "rate(1 hour)"}
    patterns = {handler: pattern for handler, pattern in rules(DEFAULT_WATCH).items() if pattern is not None}
    assert {handler: event["Pattern"] for handler, event in events.items()} == {
        f"app.{handler}": pattern for handler, pattern in patterns.items()
    }
    roles = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::IAM::Role"]
    assert all(role["Policies"][0]["PolicyDocument"] == policy("prod") for role in roles)
    groups = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Logs::LogGroup"]
    assert [group["RetentionInDays"] for group in groups] == [365] * len(functions)


def policy(stage: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / ".chalice" / f"policy-{stage}.json").read_text())
    return document


def called() -> set[str]:
    source = "".join(path.read_text() for path in (ROOT / "chalicelib").rglob("*.py"))
    return {action for method, action in CALLS.items() if re.search(rf"(\.{method}\(|\"{method}\")", source)}


def without_lookups(stage: str) -> list[dict[str, Any]]:
    """The statements of a policy but for the look-ups', which tests/enrichment/test_lookups.py holds to what is asked.

    AWS lets no policy limit describing to a resource: https://docs.aws.amazon.com/service-authorization/latest/reference/
    """
    return [statement for statement in policy(stage)["Statement"] if not statement["Sid"].startswith("LookUps")]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_a_policy_allows_what_the_code_calls_and_no_more(stage: str) -> None:
    allowed = {action for statement in without_lookups(stage) for action in statement["Action"]}
    assert called() == set(CALLS.values())
    assert allowed == called() | LOGS | IN_TRANSACTIONS | POLLER | audited() | repaired()


def alarm_path(module: str) -> str:
    return (ROOT / "chalicelib" / "alarm_path" / f"{module}.py").read_text()


def audited() -> set[str]:
    """Collecting names each call by service and action, in the code itself or as an error would have it."""
    listed = re.findall(r'"([a-z]+)", [\w.]*region, "([A-Z]\w+)"', alarm_path("snapshot/collect"))
    found = {f"{service}:{action}" for service, action in listed}
    return found | set(
        re.findall(r'"([a-z]+:[A-Z]\w+)"', alarm_path("snapshot/collect_own_path") + alarm_path("checks/own_runs"))
    )


def repaired() -> set[str]:
    """Every step of a plan but Subscribe, for which the function has nobody's address."""
    listed = re.findall(r'Step\("([a-z]+)", "([A-Z]\w+)"', alarm_path("repair"))
    return {f"{service}:{action}" for service, action in listed} - {"sns:Subscribe"}


def test_what_the_audit_and_the_repair_call_is_found_in_their_code() -> None:
    assert {"cloudtrail:DescribeTrails", "cloudwatch:DescribeAlarms", "events:DescribeRule"} <= audited()
    assert repaired() == {
        "sns:CreateTopic",
        "sns:SetTopicAttributes",
        "logs:PutMetricFilter",
        "cloudwatch:PutMetricAlarm",
    }


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_audit_only_reads_and_repairing_has_statements_of_its_own(stage: str) -> None:
    by_sid = {each["Sid"]: set(each["Action"]) for each in policy(stage)["Statement"]}
    assert by_sid["Audit"] == audited() | {"sts:GetCallerIdentity"}
    assert all(re.match(r"[a-z]+:(Get|List|Describe)", action) for action in by_sid["Audit"])
    assert set().union(*(by_sid[sid] for sid in by_sid if sid.startswith("AutoRepair"))) == repaired()


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_a_stage_keeps_the_status_in_its_own_parameter_only(stage: str) -> None:
    (statement,) = (each for each in policy(stage)["Statement"] if "ssm:PutParameter" in each["Action"])
    name = parameter_name(Stage(f"sgwatch-{stage}-"))
    assert statement["Resource"] == [f"arn:*:ssm:*:*:parameter{name}"]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_no_statement_is_about_everything(stage: str) -> None:
    for statement in without_lookups(stage):
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in statement["Action"])
        if statement["Sid"] in ABOUT_EVERYTHING or set(statement["Action"]) <= WITHOUT_RESOURCE:
            continue
        assert all(resource.count(":") >= 5 and resource != "*" for resource in statement["Resource"])


@pytest.mark.parametrize(
    ("arn", "allowed"),
    [
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/sgwatch/slack", True),
        ("arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/sgwatch/slack", True),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/database/password", False),
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:sgwatch/slack-a1b2c3", True),
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:database-a1b2c3", False),
        ("arn:aws:sns:eu-west-1:123456789012:security", True),
        ("arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/other", False),
        ("arn:aws:sqs:eu-west-1:123456789012:orders.fifo", False),
        ("arn:aws:dynamodb:eu-west-1:123456789012:table/orders", False),
    ],
)
@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_documented_prefixes_are_allowed_and_others_are_not(stage: str, arn: str, allowed: bool) -> None:
    statements = [each for each in policy(stage)["Statement"] if each["Sid"] in DOCUMENTED]
    resources = [resource for statement in statements for resource in statement["Resource"]]
    assert any(fnmatchcase(arn, resource) for resource in resources) is allowed


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_a_stage_may_use_its_own_queues_and_table_only(stage: str) -> None:
    own = [each for each in policy(stage)["Statement"] if each["Sid"] in ("DeliveryQueue", "DeadLetters", "State")]
    resources = [resource.rpartition(":")[2] for statement in own for resource in statement["Resource"]]
    assert resources == [
        f"sgwatch-{stage}-deliveries.fifo",
        f"sgwatch-{stage}-undelivered.fifo",
        f"sgwatch-{stage}-failed-events",
        f"table/sgwatch-{stage}-state",
    ]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_a_stage_may_write_its_own_logs_only(stage: str) -> None:
    (statement,) = (each for each in policy(stage)["Statement"] if set(each["Action"]) == LOGS)
    assert statement["Resource"] == [f"arn:*:logs:*:*:log-group:/aws/lambda/sgwatch-{stage}-*"]
