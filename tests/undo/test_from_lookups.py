"""The way back with what was looked up, held to its whole commands."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from chalicelib.cloudtrail.catalog import lookup
from chalicelib.cloudtrail.records import read_record
from chalicelib.security_groups.changes import Attachment, Change, Changes, Outcome, PrefixListChange
from chalicelib.security_groups.lookup_result import GroupInfo
from chalicelib.security_groups.parse import read_change
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from chalicelib.undo.aws_cli import NOTHING_TO_UNDO
from chalicelib.undo.aws_cli import command as aws_command
from chalicelib.undo.from_lookups import restore, rule_request
from tests.support import records as r

REGION = "eu-west-1"
ROUTES = {
    PeerType.IPV4: "10.0.0.0/8",
    PeerType.IPV6: "fd00::/8",
    PeerType.PREFIX_LIST: "pl-1",
    PeerType.SECURITY_GROUP: "sg-2",
}


def rule(
    number: int = 1, kind: PeerType = PeerType.IPV4, said: str | None = "old", way: Direction = Direction.INGRESS
) -> SecurityGroupRule:
    return SecurityGroupRule(way, "tcp", 22, 23, Peer(kind, ROUTES[kind]), said, f"sgr-{number}")


NO_CHANGES = Changes()


def change(name: str, changes: Changes = NO_CHANGES, **more: Any) -> Change:
    event = lookup("ec2.amazonaws.com", name)
    assert event is not None
    return Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=changes, **more)


def modified(many: int, name: str = "ModifySecurityGroupRules", **after: Any) -> Change:
    pairs = (ModifiedRule(rule(i), rule(i)._replace(to_port=80, description="new", **after)) for i in range(many))
    return change(name, Changes(modified=tuple(pairs)))


def sent(command: str) -> tuple[list[str], Any]:
    """The words of a command before its JSON, and the JSON."""
    *words, document = shlex.split(command)
    return words, json.loads(document)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (PeerType.IPV4, "CidrIpv4"),
        (PeerType.IPV6, "CidrIpv6"),
        (PeerType.PREFIX_LIST, "PrefixListId"),
        (PeerType.SECURITY_GROUP, "ReferencedGroupId"),
    ],
)
def test_a_rule_is_requested_with_its_one_peer(kind: PeerType, key: str) -> None:
    wanted = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 23, key: ROUTES[kind], "Description": "old"}
    assert rule_request(rule(kind=kind)) == wanted
    assert "Description" not in rule_request(rule(kind=kind, said=None))


@pytest.mark.parametrize(("many", "portions"), [(1, [1]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20])])
def test_modified_rules_get_their_values_back_fifty_in_a_command(many: int, portions: list[int]) -> None:
    commands = restore(modified(many), REGION).commands or ()
    sizes, ids = [], []
    for command in commands:
        words, document = sent(command)
        assert words[:5] == ["aws", "ec2", "modify-security-group-rules", "--region", REGION]
        assert document["GroupId"] == r.GROUP_ID
        sizes.append(len(document["SecurityGroupRules"]))
        ids += [each["SecurityGroupRuleId"] for each in document["SecurityGroupRules"]]
        assert document["SecurityGroupRules"][0]["SecurityGroupRule"] == rule_request(rule())
    assert (sizes, ids) == (portions, [f"sgr-{number}" for number in range(many)])


def test_modified_rules_without_ids_have_no_way_back() -> None:
    assert restore(modified(2, id=None), REGION).reason == "the ids of the modified rules are not known"


@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_descriptions_come_back_by_id_or_by_what_the_rules_allow(direction: str) -> None:
    name = f"UpdateSecurityGroupRuleDescriptions{direction}"
    (by_id,) = restore(modified(2, name), REGION).commands or ()
    words, document = sent(by_id)
    assert words[2] == f"update-security-group-rule-descriptions-{direction.lower()}"
    listed = [{"SecurityGroupRuleId": f"sgr-{number}", "Description": "old"} for number in range(2)]
    assert document == {"GroupId": r.GROUP_ID, "SecurityGroupRuleDescriptions": listed}
    (by_values,) = restore(modified(1, name, id=None), REGION).commands or ()
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 23}
    permission["IpRanges"] = [{"CidrIp": "10.0.0.0/8", "Description": "old"}]
    assert sent(by_values)[1] == {"GroupId": r.GROUP_ID, "IpPermissions": [permission]}


def test_a_description_that_was_not_there_is_taken_away() -> None:
    pair = ModifiedRule(rule(said=None), rule(said="new"))
    undo = restore(change("UpdateSecurityGroupRuleDescriptionsIngress", Changes(modified=(pair,))), REGION)
    (command,) = undo.commands or ()
    assert "sgr-1" in command
    assert "Description " not in command
    assert "new" not in command


def deleted(*rules: SecurityGroupRule) -> Change:
    return change("DeleteSecurityGroup", Changes(removed=rules))


GROUP = GroupInfo(r.GROUP_ID, "web*?\\", "vpc-1", "Front end", {"stage": "prod"})


def test_a_deleted_group_comes_back_with_its_labels_and_rules_of_both_directions() -> None:
    own = rule(2, PeerType.SECURITY_GROUP)._replace(peer=Peer(PeerType.SECURITY_GROUP, r.GROUP_ID))
    undo = restore(deleted(rule(), own, rule(3, way=Direction.EGRESS)), REGION, GROUP)
    there, made, wait, no_egress, no_ingress, *authorized = undo.commands or ()
    filters = [
        {"Name": "group-name", "Values": [r"web\*\?" + "\\\\"]},
        {"Name": "vpc-id", "Values": ["vpc-1"]},
        {"Name": "description", "Values": ["Front end"]},
    ]
    assert there.startswith("new_group=$(aws ec2 describe-security-groups --region eu-west-1 ")
    assert shlex.quote(json.dumps({"Filters": filters})) in there
    assert there.endswith(" --query 'SecurityGroups[0].GroupId' --output text)")
    wanted = {"GroupName": "web*?\\", "Description": "Front end", "VpcId": "vpc-1"}
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "stage", "Value": "prod"}]}]
    assert made.startswith('test "$new_group" != None || new_group=$(aws ec2 create-security-group --region eu-west-1 ')
    assert shlex.quote(json.dumps({**wanted, "TagSpecifications": tags})) in made
    assert made.endswith(" --query GroupId --output text)")
    assert wait == 'aws ec2 wait security-group-exists --region eu-west-1 --group-ids "${new_group:?}"'
    for command, way, query in ((no_egress, "egress", "[?IsEgress]"), (no_ingress, "ingress", "[?!IsEgress]")):
        assert f"'SecurityGroupRules{query}.SecurityGroupRuleId' --output text" in command
        assert f"aws ec2 revoke-security-group-{way} --region eu-west-1 --group-id" in command
    ways = [command.split("authorize-security-group-")[1].split()[0] for command in authorized]
    assert sorted(ways) == ["egress", *["ingress"] * (len(ways) - 1)]
    assert r.GROUP_ID not in "".join(authorized), "it named itself, and has another id now"
    assert '"GroupId": "' in "".join(authorized)


@pytest.mark.parametrize("lost", [{"name": None}, {"description": None}, {"vpc_id": None}])
def test_a_deleted_group_whose_labels_are_not_known_has_no_way_back(lost: dict[str, Any]) -> None:
    said = "the name, the description or the VPC of the deleted group is not known"
    assert restore(deleted(), REGION, GROUP._replace(**lost)).reason == said
    assert restore(deleted(), REGION).reason == said


def attached(kind: str, before: tuple[str, ...] | None, after: tuple[str, ...]) -> Change:
    return change("ModifyVpcEndpoint", attachment=Attachment(kind, "x-1", before, after))


@pytest.mark.parametrize(
    ("before", "after", "lists"),
    [
        (("sg-1",), ("sg-1", "sg-2"), {"RemoveSecurityGroupIds": ["sg-2"]}),
        (("sg-1", "sg-2"), ("sg-1",), {"AddSecurityGroupIds": ["sg-2"]}),
        (("sg-1",), ("sg-2",), {"AddSecurityGroupIds": ["sg-1"], "RemoveSecurityGroupIds": ["sg-2"]}),
    ],
)
def test_an_endpoint_gets_the_difference(
    before: tuple[str, ...], after: tuple[str, ...], lists: dict[str, list[str]]
) -> None:
    (command,) = restore(attached("VPC endpoint", before, after), REGION).commands or ()
    words, document = sent(command)
    assert words[2] == "modify-vpc-endpoint"
    assert document == {"VpcEndpointId": "x-1", **lists}


def test_groups_that_did_not_change_or_were_none_have_no_way_back() -> None:
    assert restore(attached("instance", ("sg-1", "sg-2"), ("sg-2", "sg-1")), REGION) == NOTHING_TO_UNDO
    assert restore(attached("instance", (), ("sg-1",)), REGION).reason == (
        "it had no group before, and a call cannot take away the last one"
    )


@pytest.mark.parametrize(("kind", "key"), [("network interface", "NetworkInterfaceId"), ("instance", "InstanceId")])
def test_a_resource_gets_all_its_groups(kind: str, key: str) -> None:
    (command,) = restore(attached(kind, ("sg-1", "sg-2"), ("sg-3",)), REGION).commands or ()
    words, document = sent(command)
    assert words[2] == f"modify-{kind.replace(' ', '-')}-attribute"
    assert document == {key: "x-1", "Groups": ["sg-1", "sg-2"]}


def listed(**more: Any) -> Change:
    entries = PrefixListChange("pl-1", removed=("10.0.0.0/8",), version=3)._replace(**more)
    return change("ModifyManagedPrefixList", prefix_list=entries)


def test_a_prefix_list_goes_back_to_the_version_before() -> None:
    (command,) = restore(listed(), REGION).commands or ()
    assert sent(command)[0][2] == "restore-managed-prefix-list-version"
    assert sent(command)[1] == {"PrefixListId": "pl-1", "PreviousVersion": 3, "CurrentVersion": 4}
    assert "was called" not in str(restore(listed(), REGION).reason)
    assert "stays as it is now" in str(restore(listed(is_renamed=True), REGION).reason)
    assert restore(listed(removed=(), restored_version=1), REGION).commands == (command,)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ({"version": None}, "the record does not say which version of the list was in force before"),
        (
            {"prefix_list_id": None, "resolver": "IPAM resolver ipam-1"},
            "the settings before of IPAM resolver ipam-1 are not in the record",
        ),
        ({"ends_sync": True}, "whether IPAM decided the list's contents before is not in the record"),
    ],
)
def test_a_prefix_list_whose_state_before_is_not_known_has_no_way_back(lost: dict[str, Any], said: str) -> None:
    assert restore(listed(**lost), REGION).reason == said


def test_a_list_whose_entries_stay_has_no_way_back() -> None:
    assert str(restore(listed(removed=()), REGION).reason).startswith("no entry changed")


@pytest.mark.parametrize("region", [None, "nowhere; rm"])
def test_without_a_region_nothing_is_restored(region: str | None) -> None:
    assert restore(modified(1), region).commands is None


def test_versions_and_descriptions_of_entries_are_read_as_what_they_are() -> None:
    entry = {"Cidr": "10.0.0.0/8", "Description": 5}
    request = {"PrefixListId": "pl-1", "CurrentVersion": "3", "AddEntry": entry, "PrefixListName": "x"}
    entries = read_change(read_record(r.wrapped("ModifyManagedPrefixList", request))).prefix_list
    assert entries is not None
    assert (entries.version, entries.entries[0].description, entries.is_renamed) == (3, "5", True)
    (command,) = restore(listed(version=entries.version), REGION).commands or ()
    assert sent(command)[1]["CurrentVersion"] == 4


@pytest.mark.parametrize("group_id", [None, "web", "sg-1; rm"])
def test_rules_of_a_deleted_group_without_an_id_keep_their_peers(group_id: str | None) -> None:
    itself = rule(2, PeerType.SECURITY_GROUP)._replace(peer=Peer(PeerType.SECURITY_GROUP, group_id or "sg-2"))
    undo = restore(deleted(itself)._replace(group_id=group_id), REGION, GROUP)
    (authorized,) = [command for command in undo.commands or () if "authorize-security-group" in command]
    assert json.dumps(group_id or "sg-2") in authorized


def test_a_description_that_reads_like_our_mark_stays_one() -> None:
    itself = rule(2, PeerType.SECURITY_GROUP)._replace(
        peer=Peer(PeerType.SECURITY_GROUP, "sg-0a1"), description="NEW_GROUP_ID"
    )
    undo = restore(deleted(itself)._replace(group_id="sg-0a1"), REGION, GROUP)
    (authorized,) = [command for command in undo.commands or () if "authorize-security-group" in command]
    assert '"Description": "NEW_GROUP_ID"' in authorized
    assert '"GroupId": "sg-0a1"' not in authorized


def test_a_region_is_one_word_of_the_command() -> None:
    assert aws_command("delete-security-group", {"GroupId": "sg-1"}, "eu-west-1; true").startswith(
        "aws ec2 delete-security-group --region 'eu-west-1; true' "
    )
