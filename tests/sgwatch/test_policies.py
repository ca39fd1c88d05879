"""The functions' policies: one table, held against what the code calls."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alarm_path.audit_run import UNATTENDED
from chalicelib.deployment import ALERT_ON_CHANGE, AUDIT_ON_SCHEDULE, DELIVER, HANDLERS, RECONCILE, WITH_EVENTS, Stage
from chalicelib.functions.composition.auditing import parameter_name
from sgwatch.policies import ALERTING, AUDITING, STATEMENTS, PolicyStatement, policy, stale_policies, write_policies
from sgwatch.project_files import CONFIG, StageError, read_json, write_json
from tests.support.deployment import ROOT
from tests.support.rows import every

DURABLE = {"DELIVERY_QUEUE": "sgwatch-prod-deliveries.fifo", "STATE_TABLE": "sgwatch-prod-state"}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:security"
EVERY_SWITCH = {
    "AUTO_REPAIR": "true",
    "ENRICH": "true",
    "ENRICH_CONFIG": "true",
    "ENRICH_ROLE": "sgwatch-reader",
    "RECONCILE_REGIONS": "all",
    "SECURITY_HUB": "true",
    "EVENT_BUS_ARN": "arn:aws:events:eu-west-1:123456789012:event-bus/alerts",
}
# The IAM actions behind the calls that the deployed code makes, by how they read in the code.
CALLS = {
    "get_parameter": "ssm:GetParameter",
    "get_secret_value": "secretsmanager:GetSecretValue",
    "publish": "sns:Publish",
    "put_events": "events:PutEvents",
    "batch_import_findings": "securityhub:BatchImportFindings",
    "put_parameter": "ssm:PutParameter",
    "get_caller_identity": "sts:GetCallerIdentity",
    "assume_role": "sts:AssumeRole",
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
    "describe_regions": "ec2:DescribeRegions",
}
# Conditions in a transaction have an action of their own; the puts in it are dynamodb:PutItem.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
IN_TRANSACTIONS = {"dynamodb:ConditionCheckItem"}
# What Lambda itself does with the function's role: it reads the queue.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
POLLER = {"sqs:ReceiveMessage", "sqs:DeleteMessage"}
LOGS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
# What AWS limits to no resource, or what the audit cannot know beforehand.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
ABOUT_EVERYTHING = {"Audit", "LookUps", "LookUpsInConfig", "HowAnswersAreRead", "WhoDidIt", "EnabledRegions"}


def actions(document: Mapping[str, Any]) -> set[str]:
    return {action for statement in document["Statement"] for action in statement["Action"]}


def granted(handler: str, variables: Mapping[str, str] = EVERY_SWITCH) -> set[str]:
    return actions(policy("prod", handler, variables))


def called() -> set[str]:
    source = "".join(path.read_text() for path in (ROOT / "chalicelib").rglob("*.py"))
    return {action for method, action in CALLS.items() if re.search(rf"(\.{method}\(|\"{method}\")", source)}


def alarm_path(module: str) -> str:
    return (ROOT / "chalicelib" / "alarm_path" / f"{module}.py").read_text()


def audited() -> set[str]:
    """Collecting names each call by service and action, in the code itself or as an error would have it."""
    listed = re.findall(r'"([a-z]+)", [\w.]*region, "([A-Z]\w+)"', alarm_path("snapshot/collect"))
    found = {f"{service}:{action}" for service, action in listed}
    others = ("snapshot/collect_own_path", "snapshot/collect_forwarders", "snapshot/own_metrics")
    return found | set(re.findall(r'"([a-z0-9]+:[A-Z]\w+)"', "".join(map(alarm_path, others))))


def repaired() -> set[str]:
    """What the functions repair; a plan's other calls are left to a person."""
    return set(UNATTENDED)


def looked_up() -> set[str]:
    """tests/enrichment/test_lookups.py holds the statement against what is asked of each event."""
    source = (ROOT / "chalicelib" / "enrichment" / "plan.py").read_text()
    return set(re.findall(r'"((?:ec2|iam|config):[A-Z]\w+)"', source))


def test_all_policies_together_allow_what_the_code_calls_and_no_more() -> None:
    together = set().union(*map(granted, HANDLERS))
    assert called() == set(CALLS.values())
    assert together == called() | LOGS | IN_TRANSACTIONS | POLLER | audited() | repaired() | looked_up()


def test_what_the_audit_and_the_repair_call_is_found_in_their_code() -> None:
    assert {"cloudtrail:DescribeTrails", "cloudwatch:DescribeAlarms", "events:DescribeRule"} <= audited()
    source = "".join(alarm_path(module) for module in ("fix_alarms", "fix_context", "fix_topics"))
    planned = {f"{service}:{action}" for service, action in re.findall(r'FixCall\("([a-z]+)", "([A-Z]\w+)"', source)}
    assert repaired() <= planned


def test_the_audit_only_reads() -> None:
    by_sid = {each.sid: set(each.actions) for each in STATEMENTS}
    reads = by_sid["Audit"] | by_sid["AuditOwnFunctions"] | by_sid["AuditOwnTable"]
    assert reads == audited() | {"sts:GetCallerIdentity"}
    assert all(re.match(r"[a-z0-9]+:(Get|List|Describe)", action) for action in reads)


def test_the_function_that_delivers_may_neither_audit_nor_repair_nor_look_up() -> None:
    forbidden = (audited() | repaired() | looked_up() | {"ssm:PutParameter", "cloudtrail:LookupEvents"}) - {
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "lambda:ListEventSourceMappings",
    }
    for variables in (EVERY_SWITCH, EVERY_SWITCH | DURABLE):
        assert granted(DELIVER, variables) & forbidden == set()


def test_the_function_that_alerts_on_changes_may_neither_audit_nor_repair() -> None:
    assert granted(ALERT_ON_CHANGE) & (audited() | repaired() - looked_up()) == {"sqs:GetQueueUrl"}


@pytest.mark.parametrize("handler", HANDLERS)
def test_repairing_is_granted_with_auto_repair_alone(handler: str) -> None:
    assert granted(handler, {}) & repaired() == set()
    assert granted(handler, {"AUTO_REPAIR": "false"}) & repaired() == set()
    assert granted(handler, {"AUTO_REPAIR": " True"}) & repaired() == (repaired() if handler in AUDITING else set())


def test_with_durable_delivery_one_function_reaches_the_destinations() -> None:
    reaching = {"sns:Publish", "events:PutEvents", "securityhub:BatchImportFindings"}
    holders = [handler for handler in HANDLERS if granted(handler, EVERY_SWITCH | DURABLE) & reaching]
    assert holders == [DELIVER]
    assert granted(ALERT_ON_CHANGE, DURABLE) & {"ssm:GetParameter", "secretsmanager:GetSecretValue"} == set()
    assert all(reaching <= granted(handler) for handler in ALERTING)


def resources(sid: str, handler: str, variables: Mapping[str, str], stage: str = "prod") -> list[str]:
    made = policy(stage, handler, variables)["Statement"]
    return [resource for each in made if each["Sid"] == sid for resource in each["Resource"]]


def test_publishing_is_for_the_topics_that_the_settings_name() -> None:
    other = TOPIC.replace("security", "oncall")
    assert resources("AlertTopics", DELIVER, {"SNS_TOPIC_ARN": TOPIC}) == [TOPIC]
    assert resources("AlertTopics", DELIVER, {"SNS__A__TOPIC_ARN": TOPIC, "SNS__B__TOPIC_ARN": other}) == [TOPIC, other]
    unknown = {"SNS_TOPIC_ARN": TOPIC, "SNS__B__TOPIC_ARN": "ssm:/sgwatch/prod/topic"}
    assert resources("AlertTopics", DELIVER, unknown) == ["arn:*:sns:*:*:*"]


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("reader", ["arn:*:iam::*:role/reader"]),
        ("arn:aws:iam::{account}:role/security/reader", ["arn:aws:iam::*:role/security/reader"]),
        ("arn:aws:iam::111122223333:role/reader", ["arn:aws:iam::111122223333:role/reader"]),
        ("", []),
    ],
)
def test_one_role_alone_may_be_assumed(role: str, expected: list[str]) -> None:
    assert resources("LookUpsInOtherAccounts", ALERT_ON_CHANGE, {"ENRICH_ROLE": role}) == expected


def test_a_stage_keeps_the_status_in_its_own_parameter_only() -> None:
    name = parameter_name(Stage("sgwatch-prod-"))
    assert resources("AuditStatus", AUDIT_ON_SCHEDULE, {}) == [f"arn:*:ssm:*:*:parameter{name}"]
    assert resources("AuditStatus", AUDIT_ON_SCHEDULE, DURABLE) == []


@every("statement", STATEMENTS, ids=lambda each: each.sid)
def test_no_statement_is_broader_than_aws_makes_it(statement: PolicyStatement) -> None:
    assert not any("*" in action for action in statement.actions)
    if statement.sid in ABOUT_EVERYTHING:
        assert statement.resources == ("*",)
    else:
        assert all(resource.count(":") >= 5 for resource in statement.resources)


def test_the_sids_are_all_different() -> None:
    assert len({each.sid for each in STATEMENTS}) == len(STATEMENTS)


@pytest.mark.parametrize(
    ("arn", "allowed"),
    [
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/sgwatch/prod/slack", True),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/sgwatch/shared/slack", True),
        ("arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/sgwatch/prod/slack", True),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/sgwatch/dev/slack", False),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/sgwatch/slack", False),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/sgwatch/production/slack", False),
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:sgwatch/prod/slack-a1b2c3", True),
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:sgwatch/dev/slack-a1b2c3", False),
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:database-a1b2c3", False),
        ("arn:aws:sqs:eu-west-1:123456789012:orders.fifo", False),
        ("arn:aws:sqs:eu-west-1:123456789012:sgwatch-dev-deliveries.fifo", False),
        ("arn:aws:dynamodb:eu-west-1:123456789012:table/sgwatch-dev-state", False),
        ("arn:aws:lambda:eu-west-1:123456789012:function:sgwatch-dev-deliver", False),
    ],
)
def test_a_stage_reaches_its_own_and_the_shared_names_only(arn: str, allowed: bool) -> None:
    named = [
        resource
        for handler in HANDLERS
        for each in policy("prod", handler, EVERY_SWITCH | {"SNS_TOPIC_ARN": TOPIC})["Statement"]
        if each["Sid"] not in ABOUT_EVERYTHING
        for resource in each["Resource"]
    ]
    assert any(fnmatchcase(arn, resource) for resource in named) is allowed


def test_a_function_writes_its_own_log_only() -> None:
    expected = "arn:*:logs:*:*:log-group:/aws/lambda/sgwatch-prod-deliver"
    assert resources("OwnLogs", DELIVER, {}) == [expected, f"{expected}:*"]


def test_only_functions_with_events_of_their_own_put_failed_events_away() -> None:
    holders = tuple(handler for handler in HANDLERS if resources("FailedEvents", handler, {}))
    assert holders == WITH_EVENTS
    assert resources("ReadQueue", RECONCILE, DURABLE) == []


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_files_of_this_project_are_those_of_the_table(stage: str) -> None:
    assert list(stale_policies(ROOT / CONFIG, stage)) == [], "run python -m sgwatch.policies"
    assert all("iam_policy_file" in each for each in functions(ROOT / CONFIG, stage).values())


def functions(path: Path, stage: str) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = read_json(path)["stages"][stage]["lambda_functions"]
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config.json as versions before had it, of another stage."""
    path = tmp_path / CONFIG
    path.parent.mkdir()
    stage = {"iam_policy_file": "policy-eu.json", "environment_variables": {"SNS_TOPIC_ARN": TOPIC, "ENRICH": True}}
    write_json(path, {"version": "2.0", "app_name": "sgwatch", "stages": {"eu": stage}})
    path.with_name("policy-eu.json").write_text("{}")
    return path


def test_any_stage_gets_a_policy_for_each_function_and_the_old_one_goes(config: Path) -> None:
    assert config.name in write_policies(config, "eu")
    names = {handler: f"policy-eu-{handler}.json" for handler in HANDLERS}
    assert {handler: each["iam_policy_file"] for handler, each in functions(config, "eu").items()} == names
    assert sorted(path.name for path in config.parent.glob("policy-*")) == sorted(names.values())
    assert resources_in(config.with_name(names[DELIVER]), "AlertTopics") == [TOPIC]
    assert "iam_policy_file" not in read_json(config)["stages"]["eu"]


def resources_in(path: Path, sid: str) -> Iterable[str]:
    statements = json.loads(path.read_text())["Statement"]
    return [resource for each in statements if each["Sid"] == sid for resource in each["Resource"]]


def test_writing_again_changes_nothing_and_changed_settings_are_noticed(config: Path) -> None:
    write_policies(config, "eu")
    assert write_policies(config, "eu") == ()
    document = read_json(config)
    document["stages"]["eu"]["environment_variables"]["AUTO_REPAIR"] = "true"
    write_json(config, document)
    assert list(stale_policies(config, "eu")) == [f"policy-eu-{handler}.json" for handler in AUDITING]


def test_a_stage_that_is_not_there_is_said_with_those_that_are(config: Path) -> None:
    with pytest.raises(StageError, match=r'"us" is not a stage of .*; it has eu'):
        write_policies(config, "us")
