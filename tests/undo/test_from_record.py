"""Undo commands: what they say, and that no text in a record reaches the shell as anything but text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from chalicelib.alert.build import alert_of
from chalicelib.cloudtrail.records import read_record
from chalicelib.security_groups.parse import read_change
from chalicelib.undo.from_record import undo
from tests.support import records as r
from tests.support.records import Json, authorize, items, permission, revoke, stored, world

RECORDER = """#!/bin/sh
printf '%s\\0' "$@"
"""
HOSTILE = [
    "it's",
    '"quoted"',
    "$(touch owned)",
    "`touch owned`",
    "a\nb",
    "; touch owned #",
    "file:///etc/passwd",
    "http://203.0.113.9/x",
    "--profile=other",
    "-1",
    "'\"'\"'; touch owned; '",
    "\\",
    "!!",
    "*",
    "~",
    "{}",
    "\u202eevil",
    "naïve ✓",
    "\ud800",
    "a\x00b",
]


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose ``aws`` prints its own arguments, each with a null byte behind it."""
    folder = tmp_path_factory.mktemp("bin")
    aws = folder / "aws"
    aws.write_text(RECORDER)
    aws.chmod(0o755)
    return folder


def run(commands: tuple[str, ...] | None, recorder: Path) -> list[list[str]]:
    """The arguments of each command as the shell gives them to ``aws``, in an empty folder that stays empty."""
    assert commands is not None
    folder = recorder / "work"
    folder.mkdir(exist_ok=True)
    environment = {"PATH": f"{recorder}:/usr/bin:/bin"}
    called = []
    for command in commands:
        assert "\n" not in command
        done = subprocess.run(["sh", "-c", command], env=environment, cwd=folder, capture_output=True, check=True)
        called.append([os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1]])
    assert list(folder.iterdir()) == []
    return called


def parameters(arguments: list[str]) -> Json:
    """The API parameters that the arguments after ``aws ec2 <name> --region <region>`` stand for."""
    assert arguments[0] == "ec2"
    assert arguments[2:4] == ["--region", r.REGION]
    option, value, *more = arguments[4:]
    assert option == "--cli-input-json"
    assert more == []
    assert value.startswith("{")
    found: Json = json.loads(value)
    return found


WORLD = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def test_an_authorize_is_taken_back_by_values_where_no_id_is_known(recorder: Path) -> None:
    (called,) = run(alert_of(authorize(world())).undo.commands, recorder)
    assert called[1] == "revoke-security-group-ingress"
    assert parameters(called) == {"GroupId": r.GROUP_ID, "IpPermissions": [WORLD]}


def test_an_authorize_is_taken_back_by_ids_where_the_answer_has_them(recorder: Path) -> None:
    answer = {"securityGroupRuleSet": items(stored(egress=True, cidrIpv4="0.0.0.0/0"))}
    (called,) = run(alert_of(authorize(world(), direction="Egress", answer=answer)).undo.commands, recorder)
    assert called == [
        *("ec2", "revoke-security-group-egress", "--region", r.REGION),
        *("--group-id", r.GROUP_ID, "--security-group-rule-ids", r.RULE_ID),
    ]


def test_a_revoke_is_taken_back_with_descriptions_and_the_peers_account(recorder: Path) -> None:
    peer = {"groupId": r.PEER_ID, "userId": r.OTHER_ACCOUNT}
    answer = {"revokedSecurityGroupRuleSet": items(stored(referencedGroupId=r.PEER_ID, description="partner"))}
    (called,) = run(alert_of(revoke(permission(groups=(peer,)), answer=answer)).undo.commands, recorder)
    assert called[1] == "authorize-security-group-ingress"
    pair = {"GroupId": r.PEER_ID, "UserId": r.OTHER_ACCOUNT, "Description": "partner"}
    assert parameters(called)["IpPermissions"] == [
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [pair]}
    ]


@pytest.mark.parametrize(
    ("record", "arguments"),
    [
        (r.create(), ["delete-security-group", "--group-id", r.GROUP_ID]),
        (r.association(), ["disassociate-security-group-vpc", "--group-id", r.GROUP_ID, "--vpc-id", r.VPC_ID]),
        (
            r.association("DisassociateSecurityGroupVpc"),
            ["associate-security-group-vpc", "--group-id", r.GROUP_ID, "--vpc-id", r.VPC_ID],
        ),
    ],
)
def test_groups_and_associations(record: Json, arguments: list[str], recorder: Path) -> None:
    (called,) = run(alert_of(record).undo.commands, recorder)
    name, *options = arguments
    assert called == ["ec2", name, "--region", r.REGION, *options]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (r.modify(r.new_values(CidrIpv4="0.0.0.0/0")), "previous values"),
        (r.describe_by_values(), "previous values"),
        (r.delete(), "went with the group"),
        (r.revoke_by_ids(r.RULE_ID), "not all removed rules"),
        (revoke(world(), "text"), "not all removed rules"),
        (authorize(world(), "text"), "could not be read"),
        (authorize(world(), group={"other": 1}), "does not name the group"),
        (r.create(responseElements=None), "new group"),
        (authorize(world(), awsRegion=None), "region"),
        (authorize(world(), awsRegion="-x; touch owned"), "region"),
        (authorize(requestParameters=None), "the record could not be parsed"),
    ],
)
def test_what_cannot_be_undone_says_why(record: Json, reason: str) -> None:
    undo = alert_of(record).undo
    assert undo.commands is None
    assert reason in (undo.reason or "")


@pytest.mark.parametrize(
    "record",
    [authorize(world(), errorCode=r.DENIED), revoke(world(), answer={"unknownIpPermissionSet": items(world())})],
)
def test_where_nothing_changed_there_is_nothing_to_undo(record: Json) -> None:
    undo = alert_of(record).undo
    assert (undo.commands, undo.reason) == ((), "the call changed nothing")


def test_no_command_is_longer_than_one_argument_may_be(recorder: Path) -> None:
    said = "'" * 255
    answer = [stored(f"sgr-{number}", low=number, cidrIpv4="0.0.0.0/0", description=said) for number in range(1000)]
    commands = alert_of(revoke(answer={"revokedSecurityGroupRuleSet": items(*answer)})).undo.commands
    called = run(commands, recorder)
    assert sum(len(parameters(arguments)["IpPermissions"]) for arguments in called) == 1000
    assert all(len(word) < 128 * 1024 for arguments in called for word in arguments)


@pytest.mark.parametrize("text", HOSTILE)
def test_tags_come_back_rule_by_rule_whatever_is_in_them(text: str, recorder: Path) -> None:
    change = read_change(read_record(revoke(world(22), world(80), world(443))))
    ssh, http, https = change.changes.removed
    why, aws = ("why", encodable(text)), ("aws:cloudformation:stack-name", "web")
    removed = (ssh._replace(tags=(why,)), http._replace(tags=(aws,)), https._replace(tags=(why,)))
    undone = undo(change._replace(changes=change.changes._replace(removed=removed)), r.REGION)
    tagged, bare = map(parameters, run(undone.commands, recorder))
    assert [permission["FromPort"] for permission in tagged["IpPermissions"]] == [22, 443]
    (specification,) = tagged["TagSpecifications"]
    assert specification == {
        "ResourceType": "security-group-rule",
        "Tags": [{"Key": "why", "Value": encodable(text)}],
    }
    assert [permission["FromPort"] for permission in bare["IpPermissions"]] == [80]
    assert "TagSpecifications" not in bare


def encodable(text: str) -> str:
    return text.replace("\ud800", "\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_nothing_but_text(text: str, recorder: Path) -> None:
    entry = {"cidrIp": "203.0.113.0/24", "description": text}
    answer = {"revokedSecurityGroupRuleSet": items(stored(cidrIpv4="203.0.113.0/24", description=text))}
    (called,) = run(
        alert_of(revoke(permission(v4=(entry,)), group={"groupName": text}, answer=answer)).undo.commands, recorder
    )
    found = parameters(called)
    assert found["IpPermissions"][0]["IpRanges"][0]["Description"] == encodable(text)
    (called,) = run(
        alert_of(authorize(permission(groups=({"groupName": text},)), group={"groupId": text})).undo.commands, recorder
    )
    found = parameters(called)
    assert found["GroupId"] == encodable(text)
    assert found["IpPermissions"][0]["UserIdGroupPairs"] == [{"GroupName": encodable(text)}]


@settings(max_examples=25)
@given(st.text(min_size=1), st.text(min_size=1), st.text())
def test_no_text_at_all_gets_out_of_its_word(recorder: Path, group: str, vpc: str, rule_id: str) -> None:
    answer = {"securityGroupRuleSet": items(stored(rule_id, cidrIpv4="0.0.0.0/0"))}
    for record in (
        r.wrapped("AssociateSecurityGroupVpc", {"GroupId": group, "VpcId": vpc}),
        authorize(world(), group={"groupId": group}, answer=answer),
    ):
        for arguments in run(alert_of(record).undo.commands, recorder):
            assert parameters(arguments)["GroupId"]


AWS = Path(sys.executable).with_name("aws")


@pytest.fixture(scope="module")
def ec2() -> Iterator[Any]:
    """moto's EC2 on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield boto3.client(
        "ec2",
        region_name=r.REGION,
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    server.stop()


@pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI is not installed beside this Python")
def test_the_real_aws_cli_takes_a_revoke_back(ec2: Any) -> None:
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group_id = ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc_id)["GroupId"]
    said = "it's (a) file:///x"
    wanted = {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "IpRanges": [{"CidrIp": "203.0.113.0/24", "Description": said}],
    }
    ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[wanted])
    before = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]["IpPermissions"]
    ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=[wanted])

    entry = {"cidrIp": "203.0.113.0/24", "description": said}
    commands = alert_of(revoke(permission(v4=(entry,)), group={"groupId": group_id})).undo.commands
    assert commands is not None
    environment = {
        "PATH": f"{AWS.parent}:{os.defpath}",
        "AWS_ENDPOINT_URL": ec2.meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    for command in commands:
        subprocess.run(["sh", "-c", command], env=environment, check=True, capture_output=True)
    assert ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]["IpPermissions"] == before


def test_no_command_names_a_list_that_the_record_does_not() -> None:
    request = {"addEntries": r.items({"cidr": "203.0.113.0/24"}), "currentVersion": 3}
    found = alert_of(r.record("ModifyManagedPrefixList", request)).undo
    assert (found.commands, found.reason) == (None, "the record does not name the list")
