"""What an enriched alert says of attachments, prefix lists, reach, reverts and repetitions."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from chalicelib.alert.model import Alert, Severity, from_json, to_json
from chalicelib.aws.read_calls import AwsReader
from chalicelib.enrichment.enrich import TAGS_NOT_SEEN, Enricher
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.lookups import Lookups
from tests.enrichment.world import World
from tests.support.memory_table import MemoryTable
from tests.support.unknowns import sentences

WORLD_SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@pytest.fixture
def enricher(lookups: Lookups) -> Enricher:
    return Enricher(lookups, Snapshots(MemoryTable()))


def authorize(world: World, group_id: str, permission: dict[str, Any]) -> dict[str, Any]:
    return world.call("authorize-security-group-ingress", {"GroupId": group_id, "IpPermissions": [permission]})


def new_group(world: World, enricher: Enricher) -> str:
    mark = len(world.cloud.records)
    group_id = world.new_group((), {})
    for record in list(world.cloud.records)[mark:]:
        if not record["readOnly"]:
            enricher.alert_of(record)
    return group_id


def interface(world: World, group_ids: list[str], *, public: bool) -> tuple[str, str | None]:
    ec2 = world.ec2
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [world.vpc_id]}])["Subnets"]
    subnet = subnets[0] if subnets else ec2.create_subnet(VpcId=world.vpc_id, CidrBlock="10.9.1.0/24")["Subnet"]
    made = ec2.create_network_interface(SubnetId=subnet["SubnetId"], Groups=group_ids)["NetworkInterface"]
    interface_id = str(made["NetworkInterfaceId"])
    if not public:
        return interface_id, None
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface_id)
    return interface_id, str(address["PublicIp"])


def worst(alert: Alert) -> str:
    return alert.exposures[0].reason


def test_who_could_before_is_reported(world: World, enricher: Enricher) -> None:
    group_id = new_group(world, enricher)
    inner = {**WORLD_SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    enricher.alert_of(authorize(world, group_id, inner))
    alert = enricher.alert_of(authorize(world, group_id, WORLD_SSH))
    assert alert.severity is Severity.CRITICAL
    assert worst(alert).endswith("Before, 10.0.0.0/8 could.")


def test_a_rule_that_opens_nothing_new_is_not_critical(world: World, enricher: Enricher) -> None:
    group_id = new_group(world, enricher)
    enricher.alert_of(authorize(world, group_id, {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}))
    alert = enricher.alert_of(authorize(world, group_id, WORLD_SSH))
    assert alert.severity is Severity.MEDIUM
    assert "opens nothing new" in worst(alert)
    assert alert.title.startswith("Rule for tcp/22 from the internet added on ")
    assert alert.title.endswith(", which opens nothing new")
    assert "EC2.13" in alert.exposures[0].controls


def test_an_attached_public_address_raises_the_severity_and_is_named(world: World, enricher: Enricher) -> None:
    group_id = new_group(world, enricher)
    _, address = interface(world, [group_id], public=True)
    odd = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    alert = enricher.alert_of(authorize(world, group_id, odd))
    assert alert.severity is Severity.CRITICAL
    assert f"What is attached has a public address: {address}." in worst(alert)
    assert alert.security_group is not None
    assert alert.security_group.attached is not None
    assert alert.security_group.attached.public_addresses == (address,)


def test_without_a_public_address_it_stays_as_the_table_says(world: World, enricher: Enricher) -> None:
    group_id = new_group(world, enricher)
    interface(world, [group_id], public=False)
    odd = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    assert enricher.alert_of(authorize(world, group_id, odd)).severity is Severity.HIGH


def test_narrowing_is_good_news(world: World, enricher: Enricher) -> None:
    group_id = new_group(world, enricher)
    record = authorize(world, group_id, WORLD_SSH)
    enricher.alert_of(record)
    (rule,) = [rule for rule in world.rules(group_id) if rule.direction == "ingress"]
    narrower = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "10.0.0.0/8"}
    updates = [{"SecurityGroupRuleId": rule.id, "SecurityGroupRule": narrower}]
    alert = enricher.alert_of(
        world.call("modify-security-group-rules", {"GroupId": group_id, "SecurityGroupRules": updates})
    )
    assert alert.severity is Severity.LOW
    assert worst(alert).startswith("Good news")
    assert "0.0.0.0/0" in worst(alert)


def test_a_revert_is_recognized(world: World, enricher: Enricher) -> None:
    group_id = new_group(world, enricher)
    record = authorize(world, group_id, WORLD_SSH)
    enricher.alert_of(record)
    alert = enricher.alert_of(
        world.call("revoke-security-group-ingress", {"GroupId": group_id, "IpPermissions": [WORLD_SSH]})
    )
    assert f"This undoes their own change of {record['eventTime'][11:16]}." in alert.summary


def test_that_nobody_saw_the_own_tags_of_removed_rules_is_said(world: World, enricher: Enricher) -> None:
    group_id = new_group(world, enricher)
    enricher.alert_of(authorize(world, group_id, WORLD_SSH))
    revoked = world.call("revoke-security-group-ingress", {"GroupId": group_id, "IpPermissions": [WORLD_SSH]})
    forgetful = Enricher(enricher.lookups)
    assert TAGS_NOT_SEEN in forgetful.alert_of(revoked).unknowns
    assert TAGS_NOT_SEEN not in enricher.alert_of(revoked).unknowns


def test_the_same_principals_earlier_change_is_mentioned(world: World, enricher: Enricher) -> None:
    group_id = new_group(world, enricher)
    alert = enricher.alert_of(authorize(world, group_id, WORLD_SSH))
    assert "local-admin made 1 change to this group in the hour before (CreateSecurityGroup)." in alert.summary


def test_the_alert_of_a_repeated_event_is_the_same(world: World, enricher: Enricher) -> None:
    group_id = new_group(world, enricher)
    record = authorize(world, group_id, WORLD_SSH)
    assert enricher.alert_of(record) == enricher.alert_of(record)


def test_an_interfaces_groups_before_and_after_are_reported_and_undone(world: World, enricher: Enricher) -> None:
    first, second = world.new_group((), {}), world.new_group((), {})
    interface_id, _ = interface(world, [first], public=False)
    change = "modify-network-interface-attribute"
    alert = enricher.alert_of(world.call(change, {"NetworkInterfaceId": interface_id, "Groups": [first]}))
    assert alert.attachment is not None
    assert alert.attachment.groups_before is None
    assert any(item.startswith(f"the groups of {interface_id} before") for item in sentences(alert.unknowns))
    alert = enricher.alert_of(world.call(change, {"NetworkInterfaceId": interface_id, "Groups": [second]}))
    assert alert.attachment is not None
    assert (alert.attachment.groups_before, alert.attachment.groups_after) == ((first,), (second,))
    assert not any(item.startswith("the groups of") for item in sentences(alert.unknowns))
    assert alert.undo.commands
    assert world.shell.run(alert.undo.commands).code == 0
    found = world.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface_id])["NetworkInterfaces"]
    assert [group["GroupId"] for group in found[0]["Groups"]] == [first]


def test_attaching_an_open_group_to_a_public_interface_is_as_bad_as_opening_it(
    world: World, enricher: Enricher
) -> None:
    closed, opened = world.new_group((), {}), world.new_group((), {})
    authorize(world, opened, WORLD_SSH)
    interface_id, address = interface(world, [closed], public=True)

    def attach(group_id: str) -> Alert:
        call = {"NetworkInterfaceId": interface_id, "Groups": [group_id]}
        return enricher.alert_of(world.call("modify-network-interface-attribute", call))

    first = attach(opened)
    assert first.severity is Severity.CRITICAL
    assert str(address) in worst(first)
    assert "perhaps newly attached" in worst(first), "what it had before is not known"
    assert first.title == f"tcp/22 now open to the internet on network interface {interface_id}"
    assert attach(closed).title == f"Security groups of network interface {interface_id} changed"
    again = attach(opened)
    assert ", newly attached: Anyone on the internet" in worst(again)
    opened_again = f"tcp/22 opened to the internet on network interface {interface_id} by a group attached to it"
    assert again.title == opened_again


def modify_list(world: World, list_id: str, version: int, cidr: str) -> dict[str, Any]:
    entries = [{"Cidr": cidr, "Description": "x"}]
    request = {"PrefixListId": list_id, "CurrentVersion": version, "AddEntries": entries}
    return world.call("modify-managed-prefix-list", request)


def test_a_changed_prefix_list_shows_which_groups_it_opens_and_can_be_restored(
    world: World, enricher: Enricher
) -> None:
    made = world.ec2.create_managed_prefix_list(
        PrefixListName=f"l-{uuid.uuid4().hex[:6]}",
        MaxEntries=5,
        AddressFamily="IPv4",
        Entries=[{"Cidr": "10.1.0.0/16"}],
    )["PrefixList"]
    list_id, group_id = made["PrefixListId"], world.new_group((), {})
    peers = [{"PrefixListId": list_id}]
    authorize(world, group_id, {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": peers})
    alert = enricher.alert_of(modify_list(world, list_id, made["Version"], "0.0.0.0/0"))
    assert alert.severity is Severity.CRITICAL
    assert group_id in worst(alert)
    assert alert.title == f"tcp/22 opened to the internet through prefix list {made['PrefixListName']} ({list_id})"
    assert alert.undo.commands
    assert world.shell.run(alert.undo.commands).code == 0
    entries = world.ec2.get_managed_prefix_list_entries(PrefixListId=list_id)["Entries"]
    assert [entry["Cidr"] for entry in entries] == ["10.1.0.0/16"]


def test_a_prefix_list_that_holds_everything_is_the_world(world: World, enricher: Enricher) -> None:
    made = world.ec2.create_managed_prefix_list(
        PrefixListName="all", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "0.0.0.0/0"}]
    )["PrefixList"]
    peers = [{"PrefixListId": made["PrefixListId"]}]
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": peers}
    alert = enricher.alert_of(authorize(world, world.new_group((), {}), permission))
    assert alert.severity is Severity.CRITICAL
    assert "Through prefix list all" in worst(alert)
    assert alert.title.startswith("tcp/22 opened to the internet through prefix list all (pl-")


def test_a_referenced_group_is_named(world: World, enricher: Enricher) -> None:
    pair = [{"GroupId": world.other}]
    permission = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": pair}
    alert = enricher.alert_of(authorize(world, new_group(world, enricher), permission))
    assert f"peer ({world.other})" in worst(alert)


def trusting_role(world: World, account_id: str) -> None:
    """The role that look-ups assume in another account."""
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam = world.cloud.client("iam", credentials=world.cloud.identities.administrator(account_id))
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_role(RoleName="sgwatch-read", AssumeRolePolicyDocument=document)
    allowed = json.dumps(world.cloud.identities.allowing(["ec2:*"]))
    iam.put_role_policy(RoleName="sgwatch-read", PolicyName="read", PolicyDocument=allowed)


def test_the_role_is_assumed_in_another_account(world: World, lookups: Lookups) -> None:
    record = authorize(world, world.new_group((), {}), WORLD_SSH)
    foreign = {**record, "recipientAccountId": "444455556666"}
    trusting_role(world, "444455556666")
    reader = AwsReader(role="sgwatch-read", timeout=10, external_id="stage:prod")
    enricher = Enricher(Lookups(reader, {"444455556666": "audit"}, timeout=10))
    alert = enricher.alert_of(foreign)
    assumed = [item for item in world.cloud.records if item["eventName"] == "AssumeRole"]
    assert assumed[-1]["requestParameters"]["roleArn"] == "arn:aws:iam::444455556666:role/sgwatch-read"
    assert assumed[-1]["requestParameters"]["externalId"] == "stage:prod"
    assert alert.account.name == "audit"
    assert "the live group: it is not in this account and region, perhaps deleted since" in sentences(alert.unknowns)


def test_enriched_alerts_keep_the_published_shape(world: World, enricher: Enricher) -> None:
    alert = enricher.alert_of(authorize(world, new_group(world, enricher), WORLD_SSH))
    assert to_json(from_json(to_json(alert))) == to_json(alert)


def test_traffic_that_other_rules_still_allow_is_not_called_closed(world: World, enricher: Enricher) -> None:
    group_id = new_group(world, enricher)
    enricher.alert_of(authorize(world, group_id, WORLD_SSH))
    enricher.alert_of(authorize(world, group_id, {**WORLD_SSH, "FromPort": 20, "ToPort": 25}))
    revoked = world.call("revoke-security-group-ingress", {"GroupId": group_id, "IpPermissions": [WORLD_SSH]})
    title = enricher.alert_of(revoked).title
    assert title.startswith("Rule for tcp/22 from the internet removed on ")
    assert title.endswith(", others still allow the same")
