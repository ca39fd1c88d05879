"""The templates of a fleet: their patterns are the catalog's, and only what has to may send, invoke or assume."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, MAX_PATTERN_LENGTH, EventGroup
from chalicelib.deployment import ALERT_ON_CHANGE, FORWARDED, WITH_EVENTS, Stage, forwarder_rules, rules
from sgwatch.durable_template import _Loader
from sgwatch.fleet_templates import MAX_TEMPLATE_BYTES, FleetTemplate, filled
from sgwatch.policies import READS_IN_MEMBERS

READING = ("BatchGet", "Describe", "Get", "List", "Lookup", "Select")


def parsed(text: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(text, _Loader)
    return document


def rules_of(text: str) -> dict[str, Any]:
    found = parsed(text)["Resources"].values()
    named = [item["Properties"] for item in found if item["Type"] == "AWS::Events::Rule"]
    return {item["Name"]["Fn::Sub"].replace("${Stage}", "prod"): item for item in named}


@pytest.mark.parametrize("template", FleetTemplate)
def test_a_template_in_the_repository_is_what_the_catalog_makes_of_it(template: FleetTemplate) -> None:
    made, text = filled(template), template.path.read_text()
    missing = [line.strip() for line in made.splitlines() if line not in text.splitlines()]
    assert made == text, f"run `python -m sgwatch.fleet_templates`: {template.path.name} lacks {missing}"


def test_every_function_that_gets_events_has_a_rule_that_forwards_them() -> None:
    assert tuple(FORWARDED) == WITH_EVENTS


def test_a_forwarder_matches_what_the_stages_own_rules_match() -> None:
    wanted = forwarder_rules(Stage("sgwatch-prod-"), DEFAULT_WATCH)
    found = rules_of(filled(FleetTemplate.FORWARDER))
    assert {name: item["EventPattern"] for name, item in found.items()} == wanted
    assert all(len(json.dumps(each["EventPattern"])) <= MAX_PATTERN_LENGTH * 1.1 for each in found.values())


def test_the_central_bus_hands_each_function_what_its_own_rule_would() -> None:
    found = rules_of(filled(FleetTemplate.CENTRAL_BUS))
    by_function = {
        item["Targets"][0]["Arn"]["Fn::Sub"].rpartition("${Stage}-")[2]: item["EventPattern"] for item in found.values()
    }
    assert by_function == {name: pattern for name, pattern in rules(DEFAULT_WATCH).items() if pattern}


@pytest.mark.parametrize("template", [FleetTemplate.FORWARDER, FleetTemplate.CENTRAL_BUS])
def test_every_rule_takes_events_of_aws_alone_and_keeps_what_it_cannot_deliver(template: FleetTemplate) -> None:
    for rule in rules_of(filled(template)).values():
        assert all(source.startswith("aws.") for source in rule["EventPattern"]["source"])
        (target,) = rule["Targets"]
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["Failed", "Arn"]}}
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}


@pytest.mark.parametrize("template", FleetTemplate)
def test_a_template_is_small_enough_to_be_given_as_text(template: FleetTemplate) -> None:
    assert len(template.path.read_bytes()) <= MAX_TEMPLATE_BYTES


def test_a_stage_without_tampering_gets_a_forwarder_without_its_rules() -> None:
    watch = [group for group in DEFAULT_WATCH if group is not EventGroup.TAMPER]
    for template, kept in ((FleetTemplate.FORWARDER, "forward"), (FleetTemplate.CENTRAL_BUS, "receive")):
        document = parsed(filled(template, watch))
        assert list(rules_of(filled(template, watch))) == [f"sgwatch-prod-{kept}-changes"]
        assert not [name for name in document["Resources"] if "Tampering" in name or "Mending" in name]
        assert {"Failed", "FailedPolicy", "FailedAlarm"} <= set(document["Resources"])
        assert document["Outputs"]


def test_a_narrower_watch_narrows_the_pattern() -> None:
    (rule,) = rules_of(filled(FleetTemplate.FORWARDER, [EventGroup.GROUPS])).values()
    assert rule["EventPattern"] == rules([EventGroup.GROUPS])[ALERT_ON_CHANGE]


def test_defaults_are_written_into_the_parameters() -> None:
    bus = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
    parameters = parsed(filled(FleetTemplate.FORWARDER, defaults={"BusArn": bus, "Stage": "dev"}))["Parameters"]
    assert (parameters["BusArn"]["Default"], parameters["Stage"]["Default"]) == (bus, "dev")
    assert parameters["AlarmTopicArn"]["Default"] == ""


def test_only_a_forwarders_role_may_put_events_on_the_central_bus() -> None:
    resources = parsed(filled(FleetTemplate.CENTRAL_BUS))["Resources"]
    for name in ("FromOrganization", "FromAccounts"):
        condition = resources[name]["Properties"]["Statement"]["Condition"]
        assert condition["ArnLike"]["aws:PrincipalArn"]["Fn::Sub"].endswith("role/sgwatch-${Stage}-forward-*")
    organization = resources["FromOrganization"]["Properties"]["Statement"]["Condition"]
    assert organization["StringEquals"] == {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}}


def test_the_role_in_a_member_account_reads_and_needs_the_external_id() -> None:
    role = parsed(filled(FleetTemplate.MEMBER_READ))["Resources"]["ReadRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"]["StringEquals"]["sts:ExternalId"] == {"Ref": "ExternalId"}
    functions, operator = trust["Condition"]["ArnLike"]["aws:PrincipalArn"]
    assert functions["Fn::Sub"].endswith(":role/sgwatch-${Stage}-*")
    assert operator["Fn::If"][2] == {"Ref": "AWS::NoValue"}
    (statement,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert set(statement["Action"]) == READS_IN_MEMBERS
    assert all(action.partition(":")[2].startswith(READING) for action in statement["Action"])
