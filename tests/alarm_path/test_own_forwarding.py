"""The forwarders of the other regions, collected from clients that answer as AWS does, and judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.alarm_path.checks.forwarders import ForwarderState, judge_forwarder
from chalicelib.alarm_path.checks.own_forwarding import judge_forwarding
from chalicelib.alarm_path.snapshot.collect_forwarders import collect_forwarding
from chalicelib.alarm_path.verdicts import Finding
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, EventGroup
from chalicelib.deployment import Stage, forwarder_rules

STAGE = Stage("sgwatch-prod-")
EXPECTED = forwarder_rules(STAGE, DEFAULT_WATCH)
ACCOUNT, HOME = "123456789012", "eu-west-1"
BUS = f"arn:aws:events:{HOME}:{ACCOUNT}:event-bus/default"
NARROWED = forwarder_rules(STAGE, [EventGroup.RULES])["sgwatch-prod-forward-changes"]
Region = dict[str, Any]


def sound() -> Region:
    rules = [
        {"Name": name, "State": "ENABLED", "EventPattern": json.dumps(pattern), "Targets": [{"Id": "bus", "Arn": BUS}]}
        for name, pattern in EXPECTED.items()
    ]
    return {"rules": rules, "dead_letters": 0}


def with_rule(**changes: Any) -> Region:
    region = deepcopy(sound())
    region["rules"][0] |= changes
    return region


BROKEN = {
    ForwarderState.MISSING: {"rules": []},
    ForwarderState.INCOMPLETE: sound() | {"rules": sound()["rules"][1:]},
    ForwarderState.DISABLED: with_rule(State="DISABLED"),
    ForwarderState.NARROWED: with_rule(EventPattern=json.dumps(NARROWED)),
    ForwarderState.NO_TARGET: with_rule(Targets=[{"Id": "bus", "Arn": BUS.replace("default", "other")}]),
    ForwarderState.DEAD_LETTERS: sound() | {"dead_letters": 3},
    ForwarderState.UNREAD: {},
}


def findings(regions: Mapping[str, Region] | None, home: str = HOME) -> dict[str, Finding]:
    own = {"region": home, "forwarding": {"regions": regions, "expected": EXPECTED}}
    return {finding.subject: finding for finding in judge_forwarding(own, ACCOUNT, "aws")}


def test_a_forwarder_as_deployed_is_sound_whatever_the_order_of_its_pattern() -> None:
    assert judge_forwarder(sound(), EXPECTED, BUS).state is ForwarderState.OK
    backwards = {
        key: value[::-1] if isinstance(value, list) else value
        for key, value in EXPECTED["sgwatch-prod-forward-changes"].items()
    }
    assert judge_forwarder(with_rule(EventPattern=json.dumps(backwards)), EXPECTED, BUS).state is ForwarderState.OK


def test_every_state_but_a_sound_one_can_be_found() -> None:
    assert set(BROKEN) == set(ForwarderState) - {ForwarderState.OK}


@pytest.mark.parametrize("state", BROKEN)
def test_what_is_wrong_with_a_forwarder_is_named(state: ForwarderState) -> None:
    verdict = judge_forwarder(BROKEN[state], EXPECTED, BUS)
    assert verdict.state is state
    assert verdict.is_hole is (state is not ForwarderState.UNREAD)
    finding = findings({"us-east-1": sound(), "us-west-2": BROKEN[state]})["us-west-2"]
    assert (finding.check, finding.status.value) == ("own-forwarder", "fail" if verdict.is_hole else "unknown")


@pytest.mark.parametrize("key", ["Input", "InputPath", "InputTransformer"])
def test_a_target_that_gets_something_else_than_the_event_is_none(key: str) -> None:
    region = with_rule(Targets=[{"Id": "bus", "Arn": BUS, key: "{}"}])
    assert judge_forwarder(region, EXPECTED, BUS).state is ForwarderState.NO_TARGET


def test_targets_or_a_queue_that_could_not_be_read_are_unknown() -> None:
    unread = deepcopy(sound())
    del unread["rules"][0]["Targets"]
    assert judge_forwarder(unread, EXPECTED, BUS).state is ForwarderState.UNREAD
    assert judge_forwarder({"rules": sound()["rules"]}, EXPECTED, BUS).state is ForwarderState.UNREAD


def test_a_stage_without_any_forwarder_is_reported_what_it_does_not_see_and_not_failed() -> None:
    (finding,) = findings({"us-east-1": {"rules": []}, "us-west-2": {"rules": []}}).values()
    assert (finding.check, finding.status.value) == ("own-forwarding", "unknown")
    assert finding.reason == (
        "Events of 2 other regions are not forwarded to eu-west-1, nor are IAM's, "
        "which EventBridge delivers in us-east-1."
    )
    (finding,) = findings({"us-west-2": {"rules": []}}, home="us-east-1").values()
    assert "IAM" not in finding.reason


def test_a_newly_opted_in_region_is_a_hole_where_the_others_forward() -> None:
    found = findings({"us-east-1": sound(), "mx-central-1": {"rules": []}})
    assert found["us-east-1"].status.value == "pass"
    assert found["mx-central-1"].status.value == "fail"
    assert found["mx-central-1"].fix == "sgwatch fleet deploy"


def test_regions_that_could_not_be_listed_are_unknown() -> None:
    (finding,) = findings(None).values()
    assert finding.status.value == "unknown"


class Client:
    """A client of one region; ``refused`` are the operations that AWS denies."""

    def __init__(self, rules: list[dict[str, Any]], refused: frozenset[str], error: str = "AccessDenied") -> None:
        self.rules, self.refused, self.error = rules, refused, error

    def __getattr__(self, name: str) -> Any:
        def call(**parameters: Any) -> Any:
            if name in self.refused:
                raise ClientError({"Error": {"Code": self.error, "Message": "no"}}, name)
            return self.answer(name, parameters)

        return call

    def answer(self, name: str, parameters: Mapping[str, Any]) -> Any:
        match name:
            case "describe_regions":
                return {"Regions": [{"RegionName": each} for each in ("us-east-1", HOME, "us-west-2")]}
            case "list_rules":  # a page each
                place = int(parameters.get("NextToken", "0"))
                more = {"NextToken": str(place + 1)} if place + 1 < len(self.rules) else {}
                return {"Rules": self.rules[place : place + 1], **more}
            case "list_targets_by_rule":
                return {"Targets": [{"Id": "bus", "Arn": BUS}]}
            case "get_queue_url":
                return {"QueueUrl": "https://sqs.example.com/q"}
        return {"Attributes": {"ApproximateNumberOfMessages": "0"}}


def collected(refused: frozenset[str] = frozenset(), error: str = "AccessDenied") -> tuple[Region, list[Region]]:
    rules = [{key: value for key, value in rule.items() if key != "Targets"} for rule in sound()["rules"]]
    clients = {HOME: Client([], refused, error), "us-east-1": Client(rules, refused, error)}
    nothing = Client([], frozenset())
    found, errors = collect_forwarding(
        lambda _, region: clients.get(region, nothing), HOME, STAGE.forwarder_prefix, STAGE.forwarder_queue
    )
    return found, errors


def test_every_other_region_is_asked_and_every_page_read() -> None:
    found, errors = collected()
    assert (sorted(found["regions"]), errors) == (["us-east-1", "us-west-2"], [])
    assert judge_forwarder(found["regions"]["us-east-1"], EXPECTED, BUS).state is ForwarderState.OK
    assert judge_forwarder(found["regions"]["us-west-2"], EXPECTED, BUS).state is ForwarderState.MISSING


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("describe_regions", "ec2:DescribeRegions"),
        ("list_rules", "events:ListRules"),
        ("list_targets_by_rule", "events:ListTargetsByRule"),
        ("get_queue_url", "sqs:GetQueueAttributes"),
    ],
)
def test_what_is_refused_is_an_error_and_never_a_pass(operation: str, call: str) -> None:
    found, errors = collected(frozenset({operation}))
    assert {error["call"] for error in errors} == {call}
    own = {"region": HOME, "forwarding": found | {"expected": EXPECTED}}
    assert "pass" not in {finding.status.value for finding in judge_forwarding(own, ACCOUNT, "aws")}


def test_a_dead_letter_queue_that_is_gone_is_a_hole() -> None:
    found, errors = collected(frozenset({"get_queue_url"}), "AWS.SimpleQueueService.NonExistentQueue")
    assert errors == []
    assert judge_forwarder(found["regions"]["us-east-1"], EXPECTED, BUS).state is ForwarderState.INCOMPLETE


def test_a_trail_of_another_region_needs_a_forwarder_there() -> None:
    own = {"region": "us-east-1"}
    assert list(judge_forwarding(own, ACCOUNT, "aws", ["us-east-1"])) == []
    (finding,) = judge_forwarding(own, ACCOUNT, "aws", ["us-east-1", "eu-west-1"])
    assert finding.status.value == "unknown"
    assert "the calls on trails in eu-west-1" in finding.reason
    (finding,) = judge_forwarding(
        {**own, "forwarding": {"regions": {"eu-west-1": {"rules": []}}}}, ACCOUNT, "aws", ["eu-west-1"]
    )
    assert "nor the calls on trails of eu-west-1" in finding.reason
