"""``sgwatch undo``: prints, asks, runs, and refuses where something changed again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert, to_json
from chalicelib.aws.clients import process_clients
from chalicelib.delivery.alert_archive import AlertArchive
from chalicelib.enrichment.enrich import Enricher
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.group_snapshots import GroupKey
from chalicelib.enrichment.lookups import Lookups
from chalicelib.reconciliation.drift import Drift, drift_alert
from chalicelib.security_groups.rules import Direction, Peer, PeerType, SecurityGroupRule
from chalicelib.state.state_table import StateTable
from chalicelib.undo.from_lookups import rule_request
from localcloud.cloud import LocalCloud
from sgwatch.commands.undo import undo
from tests.enrichment.world import World
from tests.support.memory_table import MemoryTable
from tests.support.shell_aws import AwsShell

WORLD_SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
INGRESS_BY_NAME = {
    "ipProtocol": "tcp",
    "fromPort": 22,
    "toPort": 22,
    "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
}
INNER_SSH = {**WORLD_SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}


def run(*arguments: str, **given: Any) -> Result:
    app = typer.Typer()
    app.command()(undo)
    return CliRunner().invoke(app, list(arguments), **given)


@pytest.fixture
def table(cloud: LocalCloud, lookups: Lookups, monkeypatch: pytest.MonkeyPatch) -> StateTable:
    """The state table of durable delivery."""
    client = cloud.client("dynamodb")
    name = f"sgwatch-{uuid.uuid4().hex[:8]}-state"
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    monkeypatch.setenv("STATE_TABLE", name)
    return StateTable(lambda: client, name)


@pytest.fixture(autouse=True)
def clients_of_this_cloud() -> Iterator[None]:
    """Clients live as long as the process, the local cloud as long as the module."""
    process_clients.cache_clear()
    yield
    process_clients.cache_clear()


@pytest.fixture
def on_path(shell: AwsShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", shell.path)


def authorize(world: World, group_id: str, permission: dict[str, Any]) -> dict[str, Any]:
    return world.call("authorize-security-group-ingress", {"GroupId": group_id, "IpPermissions": [permission]})


def written(alert: Alert, folder: Path) -> str:
    path = folder / "alert.json"
    path.write_text(json.dumps(to_json(alert)))
    return str(path)


@pytest.fixture
def opened(world: World, lookups: Lookups, tmp_path: Path, on_path: None) -> tuple[str, str]:
    """A group that was opened, and the file with the alert of it."""
    group_id = world.new_group((), {})
    alert = Enricher(lookups).alert_of(authorize(world, group_id, WORLD_SSH))
    return group_id, written(alert, tmp_path)


def ingress(world: World, group_id: str) -> int:
    return sum(rule.direction == "ingress" for rule in world.rules(group_id))


def test_the_commands_are_printed_and_nothing_is_run(world: World, opened: tuple[str, str]) -> None:
    group_id, path = opened
    done = run(path)
    assert done.exit_code == 0
    assert done.stdout.startswith("aws ec2 revoke-security-group-ingress --region eu-west-1")
    assert ingress(world, group_id) == 1


def test_apply_shows_the_difference_and_asks(world: World, opened: tuple[str, str]) -> None:
    group_id, path = opened
    done = run(path, "--apply", input="n\n")
    assert done.exit_code == 1
    assert "- ingress tcp/22 from 0.0.0.0/0" in done.stderr
    assert ingress(world, group_id) == 1


def test_apply_runs_them_after_a_yes(world: World, opened: tuple[str, str]) -> None:
    group_id, path = opened
    done = run(path, "--apply", input="y\n")
    assert done.exit_code == 0, done.stderr
    assert ingress(world, group_id) == 0


def test_yes_runs_them_without_asking(world: World, opened: tuple[str, str]) -> None:
    group_id, path = opened
    assert run(path, "--apply", "--yes").exit_code == 0
    assert ingress(world, group_id) == 0


def test_nothing_is_run_where_the_group_has_changed_again(world: World, opened: tuple[str, str]) -> None:
    group_id, path = opened
    authorize(world, group_id, INNER_SSH)
    done = run(path, "--apply", "--yes")
    assert done.exit_code == 1
    assert "has changed again since" in done.stderr
    assert "live: 3 rules, and 2 after the change" in done.stderr
    assert ingress(world, group_id) == 2


def test_a_group_that_is_known_by_name_alone_is_not_touched(tmp_path: Path, on_path: None) -> None:
    request = {"groupName": "web", "ipPermissions": {"items": [INGRESS_BY_NAME]}}
    record = {"eventID": "1", "eventName": "AuthorizeSecurityGroupIngress", "eventSource": "ec2.amazonaws.com"}
    alert = alert_of({**record, "awsRegion": "eu-west-1", "requestParameters": request})
    assert alert.undo.commands
    done = run(written(alert, tmp_path), "--apply", "--yes")
    assert done.exit_code == 1
    assert "the alert does not name the group's id" in done.stderr


def test_the_live_rule_is_shown_where_it_is_another_now(world: World, opened: tuple[str, str]) -> None:
    group_id, path = opened
    (rule,) = (rule for rule in world.rules(group_id) if rule.direction == "ingress")
    update = {"SecurityGroupRuleId": rule.id, "SecurityGroupRule": rule_request(rule._replace(description="mine"))}
    world.call("modify-security-group-rules", {"GroupId": group_id, "SecurityGroupRules": [update]})
    done = run(path, "--apply", "--yes")
    assert done.exit_code == 1
    assert 'live: ingress tcp/22 from 0.0.0.0/0 is now ingress tcp/22 from 0.0.0.0/0 "mine"' in done.stderr


@pytest.mark.parametrize("verb", ["associate", "disassociate"])
def test_an_association_is_undone_unless_it_has_changed_again(
    world: World, lookups: Lookups, tmp_path: Path, on_path: None, verb: str
) -> None:
    group_id = world.new_group((), {})
    vpc_id = world.ec2.create_vpc(CidrBlock="10.10.0.0/16")["Vpc"]["VpcId"]
    both = {"GroupId": group_id, "VpcId": vpc_id}
    record = world.call("associate-security-group-vpc", both)
    if verb == "disassociate":
        record = world.call("disassociate-security-group-vpc", both)
    path = written(Enricher(lookups).alert_of(record), tmp_path)
    assert run(path, "--apply", "--yes").exit_code == 0
    found = world.ec2.describe_security_group_vpc_associations(Filters=[{"Name": "group-id", "Values": [group_id]}])
    assert len(found["SecurityGroupVpcAssociations"]) == (verb == "disassociate")
    again = run(path, "--apply", "--yes")
    assert again.exit_code == 1
    assert f"the association of {group_id} with {vpc_id} has changed again since" in again.stderr
    assert ("live: associated" if verb == "disassociate" else "live: not associated") in again.stderr


def test_a_change_that_was_undone_already_is_not_undone_twice(world: World, opened: tuple[str, str]) -> None:
    _, path = opened
    assert run(path, "--apply", "--yes").exit_code == 0
    assert run(path, "--apply", "--yes").exit_code == 1


def test_a_deleted_group_comes_back_with_its_rules_and_says_that_its_id_differs(
    world: World, lookups: Lookups, tmp_path: Path, on_path: None
) -> None:
    enricher = Enricher(lookups, Snapshots(MemoryTable()))
    mark = len(world.cloud.records)
    group_id = world.new_group((), {"Team": "a 'b' $c"})
    authorize(world, group_id, WORLD_SSH)
    for record in list(world.cloud.records)[mark:]:
        if not record["readOnly"]:
            enricher.alert_of(record)
    former = world.state(group_id)
    alert = enricher.alert_of(world.call("delete-security-group", {"GroupId": group_id}))
    done = run(written(alert, tmp_path), "--apply", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "new id" in done.stderr
    assert "This opens tcp/22 to the internet" in done.stderr
    now = world.group_named(former.name)
    assert now != group_id
    assert world.state(now) == former
    assert run(written(alert, tmp_path), "--apply", "--yes").exit_code == 1
    # An undo that was broken off is taken up, and one that is pasted again ends with the same group.
    world.call("revoke-security-group-ingress", {"GroupId": now, "IpPermissions": [WORLD_SSH]})
    again = run(written(alert, tmp_path), "--apply", "--yes")
    assert again.exit_code == 0, again.stderr
    assert world.state(now) == former
    ran = world.shell.run(alert.undo.commands or ())
    assert ran.code == 0, ran.err
    assert (world.group_named(former.name), world.state(now)) == (now, former)


def test_a_drift_is_undone_with_the_tags_of_its_rules_unless_the_group_changed_again(
    world: World, lookups: Lookups, tmp_path: Path, on_path: None
) -> None:
    tagged = SecurityGroupRule(
        Direction.INGRESS, "tcp", 22, 22, Peer(PeerType.IPV4, "10.0.0.0/8"), tags=(("why", "it's $HOME"),)
    )
    group_id = world.new_group([tagged], {})
    former, before = world.state(group_id), world.rules(group_id)
    world.call("revoke-security-group-ingress", {"GroupId": group_id, "IpPermissions": [INNER_SSH]})
    authorize(world, group_id, WORLD_SSH)
    key = GroupKey(world.cloud.account_id, world.cloud.region, group_id)
    path = written(
        drift_alert(Drift(key, "web", world.vpc_id, before, world.rules(group_id), datetime.now(UTC))), tmp_path
    )
    done = run(path, "--apply", "--yes")
    assert done.exit_code == 0, done.stderr
    assert world.state(group_id) == former
    again = run(path, "--apply", "--yes")
    assert again.exit_code == 1
    assert "live: ingress tcp/22 from 10.0.0.0/8 is there again" in again.stderr


def test_a_record_is_enriched_first(world: World, lookups: Lookups, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(authorize(world, world.new_group((), {}), WORLD_SSH)))
    done = run(str(path))
    assert done.exit_code == 0
    assert "revoke-security-group-ingress" in done.stdout


def test_an_event_is_found_by_its_id(world: World, lookups: Lookups) -> None:
    done = run(authorize(world, world.new_group((), {}), WORLD_SSH)["eventID"])
    assert done.exit_code == 0, done.stderr
    assert "revoke-security-group-ingress" in done.stdout


def test_an_event_that_nobody_knows_is_refused_with_where_was_looked(lookups: Lookups, table: StateTable) -> None:
    done = run("0f9c2f2e-0000-4000-8000-000000000000", "--region", "eu-west-1")
    assert done.exit_code == 2
    assert f"the state table {table.name} keeps no alert of it" in done.stderr
    assert "has no such event of the last 90 days in eu-west-1" in done.stderr


def test_without_durable_delivery_the_missing_table_is_named_and_cloudtrail_asked(
    world: World, lookups: Lookups
) -> None:
    done = run("0f9c2f2e-0000-4000-8000-000000000000", "--stage", "absent")
    assert done.exit_code == 2
    assert "ResourceNotFoundException on dynamodb:Query of the state table sgwatch-absent-state" in done.stderr
    assert "an event may take 15 minutes to appear there" in done.stderr
    event_id = authorize(world, world.new_group((), {}), WORLD_SSH)["eventID"]
    assert "revoke-security-group-ingress" in run(event_id, "--stage", "absent").stdout


def test_an_event_is_found_in_the_state_table_as_it_was_reported(
    world: World, lookups: Lookups, table: StateTable, on_path: None
) -> None:
    enricher = Enricher(lookups, Snapshots(MemoryTable()))
    mark = len(world.cloud.records)
    group_id = world.new_group((), {})
    authorize(world, group_id, WORLD_SSH)
    for heard in list(world.cloud.records)[mark:]:
        if not heard["readOnly"]:
            enricher.alert_of(heard)
    former = world.state(group_id)
    (rule,) = (rule for rule in world.rules(group_id) if rule.direction == "ingress")
    update = {
        "SecurityGroupRuleId": rule.id,
        "SecurityGroupRule": rule_request(rule._replace(from_port=23, to_port=23)),
    }
    record = world.call("modify-security-group-rules", {"GroupId": group_id, "SecurityGroupRules": [update]})
    told = enricher.alert_of(record)
    assert told.changes.before_known
    assert run(told.id).exit_code == 1, "CloudTrail does not know what was before"
    AlertArchive(table, lambda: datetime.now(UTC)).keep(told)
    done = run(told.id, "--apply", "--yes")
    assert done.exit_code == 0, done.stderr
    assert world.state(group_id) == former


def test_what_cannot_be_undone_says_why(world: World, lookups: Lookups, tmp_path: Path) -> None:
    group_id = world.new_group((), {})
    alert = Enricher(lookups).alert_of(world.call("delete-security-group", {"GroupId": group_id}))
    done = run(written(alert, tmp_path))
    assert done.exit_code == 1
    assert "not in the record" in done.stderr


@pytest.fixture
def elsewhere(cloud: LocalCloud, lookups: Lookups, tmp_path: Path) -> tuple[Any, str, str]:
    """EC2 of another account, a group there that was opened, and the file with the alert on it."""
    admin = cloud.identities.administrator(MEMBER)
    iam, ec2 = (cloud.client(service, credentials=admin) for service in ("iam", "ec2"))
    trusted = {"Effect": "Allow", "Principal": {"AWS": cloud.account_id}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    if not any(role["RoleName"] == "fixer" for role in iam.list_roles()["Roles"]):
        iam.create_role(RoleName="fixer", AssumeRolePolicyDocument=document)
        allowed = json.dumps(cloud.identities.allowing(["ec2:*"]))
        iam.put_role_policy(RoleName="fixer", PolicyName="p", PolicyDocument=allowed)
    group_id = ec2.create_security_group(GroupName=f"g-{uuid.uuid4().hex[:6]}", Description="d")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[WORLD_SSH])
    return ec2, group_id, written(alert_of(cloud.records[-1]), tmp_path)


MEMBER = "111122223333"


def test_a_change_of_another_account_is_not_undone_with_ones_own_credentials(
    elsewhere: tuple[Any, str, str], on_path: None
) -> None:
    _, _, path = elsewhere
    done = run(path, "--apply", "--yes")
    assert done.exit_code == 2
    assert f"to be run in account {MEMBER}, region eu-west-1" in done.stderr
    assert f"these are credentials of account 123456789012, and the change was made in account {MEMBER}" in done.stderr


def test_a_role_in_the_changes_account_undoes_it_and_stands_before_the_commands(
    elsewhere: tuple[Any, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ec2, group_id, path = elsewhere
    printed = run(path, "--role", "fixer").stdout.splitlines()
    assert printed[0].startswith("export $(printf ")
    assert f"--role-arn arn:aws:iam::{MEMBER}:role/fixer --role-session-name sgwatch-undo" in printed[0]
    assert printed[1].startswith("aws ec2 revoke-security-group-ingress --region eu-west-1")
    # The shell's own AWS CLI: the one that is kept loaded has credentials of its own.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    done = run(path, "--role", "fixer", "--apply", "--yes")
    assert done.exit_code == 0, done.stderr
    (group,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    assert group["IpPermissions"] == []


@pytest.mark.slow
def test_the_line_that_assumes_a_role_works_in_a_shell(elsewhere: tuple[Any, str, str]) -> None:
    ec2, group_id, path = elsewhere
    script = run(path, "--role", "fixer").stdout
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["/bin/sh", "-ec", script], check=False, capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr
    (group,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    assert group["IpPermissions"] == []
