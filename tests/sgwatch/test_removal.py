"""What ``sgwatch uninstall`` finds of a stage, takes away and leaves, against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from botocore.exceptions import ClientError
from moto import mock_aws

from chalicelib.aws.clients import ClientFactory, patient_clients
from sgwatch import durable_setup
from sgwatch.commands import deploy
from sgwatch.durable_template import StagePlace
from sgwatch.project_files import CONFIG
from sgwatch.removal import forwarding, made_resources
from tests.support.deployment import copy_project

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


def make_function(clients: ClientFactory, tags: dict[str, str]) -> None:
    role = clients("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    clients("lambda").create_function(
        FunctionName=PLACE.function("audit_on_schedule"),
        Runtime="python3.13",
        Handler="app.x",
        Role=role,
        Code={"S3Bucket": "code", "S3Key": "app.zip"},
        Tags=tags,
    )


def make_table(clients: ClientFactory) -> None:
    clients("dynamodb").create_table(
        TableName=PLACE.table,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
    )


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        (
            {"aws:cloudformation:stack-name": "alerts"},
            "it belongs to the CloudFormation stack alerts: aws cloudformation delete-stack --stack-name alerts",
        ),
        ({"deployed-by": "terraform"}, "it belongs to Terraform: terraform destroy"),
    ],
)
def test_what_a_package_made_stays_and_its_table_is_let_go(
    clients: ThreeRegions, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str], kept: str
) -> None:
    monkeypatch.setenv("VALIDATE_LAMBDA_S3", "false")
    make_function(clients, tags)
    make_table(clients)
    clients("cloudformation").create_stack(StackName=PLACE.stack, TemplateBody=TEMPLATE)
    clients("logs").create_log_group(logGroupName=f"/aws/lambda/{PLACE.function('deliver')}")
    found = list(made_resources(PLACE, clients))
    assert {each.kind for each in found if each.kept == kept} == {"function", "log group", "stack of durable delivery"}
    (protection,) = (each for each in found if not each.kept)
    assert (protection.kind, protection.name) == ("deletion protection", "of table sgwatch-dev-state")
    protection.remove()
    assert [each for each in made_resources(PLACE, clients) if not each.kept] == []


def test_a_packages_stage_is_neither_deployed_over_nor_given_a_stack(
    clients: ThreeRegions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("VALIDATE_LAMBDA_S3", "false")
    make_function(clients, {"aws:cloudformation:stack-name": "alerts"})
    project = copy_project(tmp_path)
    with pytest.raises(typer.Exit):
        deploy.run(PLACE, clients, project, direct=True, yes=True)
    assert "stage dev belongs to the CloudFormation stack alerts: deploy its package again" in capsys.readouterr().err
    with pytest.raises(typer.Exit):
        durable_setup.make(PLACE, clients, project / CONFIG, yes=True)
    assert "its durable delivery comes with make package DURABLE=1 STAGE=dev" in capsys.readouterr().err
    assert clients("cloudformation").describe_stacks()["Stacks"] == []
