"""What ``sgwatch uninstall`` finds of a stage, takes away and leaves, against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from chalicelib.aws.clients import ClientFactory, patient_clients
from sgwatch.durable_template import StagePlace
from sgwatch.removal import forwarding

REGION, OTHERS = "eu-west-1", ("us-east-1", "us-west-2")
PLACE = StagePlace("dev", "aws", REGION, "123456789012")
TEMPLATE = json.dumps({"Resources": {"Failed": {"Type": "AWS::SNS::Topic"}}})


class ThreeRegions:
    """Clients of an account that has three regions; with ``denied``, of somebody who may not list them."""

    def __init__(self) -> None:
        self.denied = False
        self._clients = patient_clients()

    def __call__(self, service: str, region: str | None = None, /) -> Any:
        return self if service == "ec2" else self._clients(service, region)

    def describe_regions(self) -> dict[str, Any]:
        if self.denied:
            raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}, "DescribeRegions")
        return {"Regions": [{"RegionName": region} for region in (REGION, *OTHERS)]}


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreeRegions]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield ThreeRegions()


def make_fleet(clients: ClientFactory) -> None:
    for region in OTHERS:
        clients("cloudformation", region).create_stack(StackName=PLACE.forwarder, TemplateBody=TEMPLATE)
    clients("cloudformation", REGION).create_stack(StackName=PLACE.fleet, TemplateBody=TEMPLATE)


def test_forwarders_and_the_fleets_bus_are_found_and_removed(clients: ThreeRegions) -> None:
    make_fleet(clients)
    found = list(forwarding(PLACE, clients))
    names = [*(f"sgwatch-dev-forwarder in {region}" for region in OTHERS), "sgwatch-dev-fleet"]
    assert [each.name for each in found] == names
    assert [each.kept for each in found] == ["", "", ""]
    for each in found:
        each.remove()
    assert list(forwarding(PLACE, clients)) == []


def test_a_stack_set_stays_and_is_named(clients: ThreeRegions) -> None:
    clients("cloudformation", REGION).create_stack_set(StackSetName=PLACE.forwarder, TemplateBody=TEMPLATE)
    (found,) = forwarding(PLACE, clients)
    assert (found.kind, found.name) == ("StackSet", "sgwatch-dev-forwarder")
    assert found.kept.startswith("its stacks are in other accounts")


def test_regions_that_cannot_be_listed_are_said(clients: ThreeRegions) -> None:
    clients.denied = True
    (found,) = forwarding(PLACE, clients)
    assert found.kept == "not looked for: ec2:DescribeRegions: UnauthorizedOperation"
