"""What each source tells of before, and where none may be trusted."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from chalicelib.alert import build as judgement
from chalicelib.alert.model import Alert
from chalicelib.cloudtrail.records import read_record
from chalicelib.enrichment.before import RuleSources, resolve
from chalicelib.enrichment.enrich import Enricher
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.lookups import Lookups
from chalicelib.enrichment.parse_answers import read_interfaces
from chalicelib.security_groups.parse import read_change
from chalicelib.security_groups.rules import Direction, Peer, PeerType, SecurityGroupRule
from chalicelib.state.codec import StateItem
from chalicelib.undo.from_record import undo
from tests.support.memory_table import MemoryTable
from tests.support.stubbed import Stubbed
from tests.support.unknowns import sentences

RULE = SecurityGroupRule(Direction.INGRESS, "tcp", 22, 22, Peer(PeerType.IPV4, "203.0.113.0/24"), "old", "sgr-1")
OTHER = SecurityGroupRule(Direction.INGRESS, "tcp", 443, 443, Peer(PeerType.IPV4, "0.0.0.0/0"), None, "sgr-2")
AFTER = RULE._replace(peer=Peer(PeerType.IPV4, "0.0.0.0/0"), description="new")
MODIFY = {
    "ModifySecurityGroupRulesRequest": {
        "GroupId": "sg-1",
        "SecurityGroupRule": {
            "SecurityGroupRuleId": "sgr-1",
            "SecurityGroupRule": {
                "IpProtocol": "tcp",
                "FromPort": 22,
                "ToPort": 22,
                "CidrIpv4": "0.0.0.0/0",
                "Description": "new",
            },
        },
    }
}


def record(name: str, parameters: Mapping[str, Any], source: str = "ec2.amazonaws.com") -> dict[str, Any]:
    return {
        "eventID": "1",
        "eventName": name,
        "eventSource": source,
        "eventTime": "2026-11-23T10:00:00Z",
        "awsRegion": "eu-west-1",
        "recipientAccountId": "123456789012",
        "userIdentity": {"type": "IAMUser", "userName": "alice", "accountId": "123456789012"},
        "requestParameters": parameters,
        "responseElements": {"_return": True},
    }


def without_ids(*rules: SecurityGroupRule) -> tuple[SecurityGroupRule, ...]:
    return tuple(rule._replace(id=None) for rule in rules)


def modified(evidence: RuleSources) -> Any:
    return resolve(read_change(read_record(record("ModifySecurityGroupRules", MODIFY))), evidence)


def test_a_snapshot_shows_the_former_rule_by_its_id() -> None:
    known = modified(RuleSources(live=(AFTER, OTHER), snapshot=(RULE, OTHER)))
    (item,) = known.change.changes.modified
    assert (item.before, item.after) == (RULE, AFTER)
    assert known.change.changes.before_known
    assert known.is_whole
    assert known.change.unknowns == ()


def test_live_rules_alone_show_the_direction_but_not_the_former_values() -> None:
    known = modified(RuleSources(live=(AFTER, OTHER)))
    (item,) = known.change.changes.modified
    assert item.before is None
    assert item.after.direction is Direction.INGRESS
    assert not known.change.changes.before_known
    assert known.before == (OTHER,)
    assert not known.is_whole
    assert [item.split(":")[0] for item in sentences(known.change.unknowns)] == ["the previous values of sgr-1"]


def test_config_shows_the_one_rule_that_is_live_no_more() -> None:
    (item,) = modified(RuleSources(live=(AFTER, OTHER), config=without_ids(RULE, OTHER))).change.changes.modified
    assert item.before == RULE


def test_config_that_has_the_change_already_shows_nothing() -> None:
    (item,) = modified(RuleSources(live=(AFTER, OTHER), config=without_ids(AFTER, OTHER))).change.changes.modified
    assert item.before is None


def test_config_that_differs_in_more_than_one_rule_shows_nothing() -> None:
    third = OTHER._replace(from_port=80, to_port=80)
    (item,) = modified(RuleSources(live=(AFTER, OTHER), config=without_ids(RULE, OTHER, third))).change.changes.modified
    assert item.before is None


def test_another_rule_that_went_meanwhile_is_not_taken_for_the_former_one() -> None:
    gone = OTHER._replace(id="sgr-3")
    outward = without_ids(OTHER)[0]._replace(direction=Direction.EGRESS)
    for former in (gone, outward):
        (item,) = modified(RuleSources(live=(AFTER,), snapshot=(former,))).change.changes.modified
        assert item.before is None
        request = {"groupId": "sg-1", "securityGroupRuleIds": {"items": [{"securityGroupRuleId": "sgr-1"}]}}
        change = read_change(read_record(record("RevokeSecurityGroupIngress", request)))
        assert resolve(change, RuleSources(live=(), snapshot=(former,))).change.changes.removed == ()


def test_live_rules_that_contradict_the_change_are_a_later_state() -> None:
    later = AFTER._replace(from_port=80, to_port=80)
    known = modified(RuleSources(live=(later, OTHER)))
    assert known.before is None
    assert known.change.changes.rules_after is None
    assert "the rules right after the change: the live rules show a state from before or after it" in sentences(
        known.change.unknowns
    )


def test_where_snapshot_and_live_rules_differ_only_what_both_know_counts() -> None:
    unseen = OTHER._replace(id="sgr-3", from_port=80, to_port=80)
    known = modified(RuleSources(live=(AFTER, OTHER, unseen), snapshot=(RULE, OTHER)))
    assert not known.is_whole
    assert known.before is not None
    assert unseen not in known.before


def test_a_rule_revoked_by_id_without_an_answer_is_reported_by_the_snapshot() -> None:
    revoke = record(
        "RevokeSecurityGroupIngress", {"groupId": "sg-1", "securityGroupRuleIds": [{"securityGroupRuleId": "sgr-1"}]}
    )
    known = resolve(read_change(read_record(revoke)), RuleSources(live=(OTHER,), snapshot=(RULE, OTHER)))
    assert known.change.changes.removed == (RULE,)
    assert known.change.changes.before_known
    assert known.change.unknowns == ()


FOREIGN = RULE._replace(peer=Peer(PeerType.SECURITY_GROUP, "sg-9", "444455556666", "vpc-9"))


def test_a_group_revoked_by_id_comes_back_with_the_account_that_the_answer_does_not_show() -> None:
    answer = {"securityGroupRuleId": "sgr-1", "ipProtocol": "tcp", "fromPort": 22, "toPort": 22}
    answer |= {"referencedGroupId": "sg-9", "description": "old", "isEgress": False}
    request = {"groupId": "sg-1", "securityGroupRuleIds": [{"securityGroupRuleId": "sgr-1"}]}
    raw = record("RevokeSecurityGroupIngress", request)
    raw["responseElements"] = {"revokedSecurityGroupRuleSet": {"items": [answer]}}
    known = resolve(read_change(read_record(raw)), RuleSources(live=(OTHER,), snapshot=(FOREIGN, OTHER)))
    assert known.change.changes.removed == (FOREIGN,)
    (command,) = undo(known.change, "eu-west-1").commands or ()
    assert '{"GroupId": "sg-9", "UserId": "444455556666", "VpcId": "vpc-9", "Description": "old"}' in command


def test_live_rules_show_that_a_modified_rule_lets_a_group_of_another_account_in() -> None:
    values = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "ReferencedGroupId": "sg-9"}
    changed = {"GroupId": "sg-1", "SecurityGroupRule": {"SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": values}}
    raw = record("ModifySecurityGroupRules", {"ModifySecurityGroupRulesRequest": changed})
    groups = {"ec2:DescribeSecurityGroups": {"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}]}}
    untold = "the account of group sg-9: not in the record, judged as the same account's"
    (owner, alone) = ({"GroupId": "sg-9", "UserId": "444455556666"}, {"GroupId": "sg-9"})
    for peer, severity, is_told in ((owner, "medium", True), (alone, "low", False)):
        rule = {key: value for key, value in live("sgr-1", "").items() if key != "CidrIpv4"}
        rules = {"SecurityGroupRules": [rule | {"ReferencedGroupInfo": peer}]}
        alert = alert_of(raw, {"ec2:DescribeSecurityGroupRules": rules, **groups})
        assert (alert.severity, untold not in sentences(alert.unknowns)) == (severity, is_told)
    assert untold in sentences(judgement.alert_of(raw).unknowns)


def revoked(described: str | None, evidence: RuleSources) -> tuple[str, ...]:
    ranges = {"items": [{"cidrIp": "203.0.113.0/24", **({"description": described} if described else {})}]}
    permission = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": ranges}
    raw = record("RevokeSecurityGroupIngress", {"groupId": "sg-1", "ipPermissions": {"items": [permission]}})
    return sentences(resolve(read_change(read_record(raw)), evidence).change.unknowns)


def test_the_former_description_of_a_rule_that_the_snapshot_lacks_stays_unknown() -> None:
    assert revoked(None, RuleSources(snapshot=(OTHER,)))[0].startswith("the previous descriptions of the removed rules")
    assert revoked(None, RuleSources(snapshot=(RULE,))) == ()


def test_a_rule_described_by_id_is_not_reported_from_a_later_self() -> None:
    described = {"SecurityGroupRuleId": "sgr-1", "Description": "x", "tag": 1}
    name = "UpdateSecurityGroupRuleDescriptionsIngress"
    raw = record(name, {f"{name}Request": {"GroupId": "sg-1", "SecurityGroupRuleDescription": described}})
    change = read_change(read_record(raw))
    later = RuleSources(live=(AFTER._replace(description="y"),), described={"sgr-1": "x"})
    assert resolve(change, later).change.changes.modified == ()
    live = RULE._replace(description="x")
    assert [item.after for item in resolve(change, replace(later, live=(live,))).change.changes.modified] == [live]


def test_a_new_group_with_more_than_the_default_rule_has_changed_since() -> None:
    created = read_change(
        read_record(record("CreateSecurityGroup", {"groupName": "web"}) | {"responseElements": {"groupId": "sg-1"}})
    )
    everywhere = Peer(PeerType.IPV4, "0.0.0.0/0")
    default = SecurityGroupRule(Direction.EGRESS, "-1", None, None, everywhere, None, "sgr-e")
    assert resolve(created, RuleSources(live=(default,))).change.changes.rules_after == 1
    later = resolve(created, RuleSources(live=(default, OTHER)))
    assert later.change.changes.rules_after is None
    said = "the rules right after the change: the live rules show a state from before or after it"
    assert sentences(later.change.unknowns) == (said,)


def test_live_rules_that_still_show_the_state_before_are_not_called_later() -> None:
    stale = modified(RuleSources(live=(RULE, OTHER), snapshot=(RULE, OTHER)))
    said = "the rules right after the change: the live rules still show the state before it"
    assert said in sentences(stale.change.unknowns)
    later = modified(RuleSources(live=(OTHER,), snapshot=(RULE, OTHER)))
    assert "the rules right after the change: the live rules show a later state" in sentences(later.change.unknowns)


def live(rule_id: str, cidr: str) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": rule_id,
        "IsEgress": False,
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "CidrIpv4": cidr,
    }


def opened(*cidrs: str) -> dict[str, Any]:
    ranges = {"items": [{"cidrIp": cidr} for cidr in cidrs]}
    permission = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": ranges}
    return record("AuthorizeSecurityGroupIngress", {"groupId": "sg-1", "ipPermissions": {"items": [permission]}})


def test_of_changes_in_quick_succession_that_open_the_same_one_is_reported_in_full() -> None:
    rules = [live("sgr-1", "0.0.0.0/0"), live("sgr-2", "0.0.0.0/1"), live("sgr-3", "128.0.0.0/1")]
    groups = {"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}]}
    answers = {"ec2:DescribeSecurityGroupRules": {"SecurityGroupRules": rules}, "ec2:DescribeSecurityGroups": groups}
    whole, halves = alert_of(opened("0.0.0.0/0"), answers), alert_of(opened("0.0.0.0/1", "128.0.0.0/1"), answers)
    assert whole.severity == "critical"
    assert all("opens nothing new" in item.reason for item in halves.exposures)


def test_a_deleted_groups_rules_are_reported_by_config() -> None:
    delete = record("DeleteSecurityGroup", {"groupId": "sg-1"})
    known = resolve(read_change(read_record(delete)), RuleSources(config=without_ids(RULE, OTHER)))
    assert known.change.changes.removed == without_ids(RULE, OTHER)
    assert known.change.changes.rules_after == 0


CONFIG_GROUP = {
    "groupId": "sg-1",
    "groupName": "web",
    "description": "Web",
    "vpcId": "vpc-1",
    "tags": [{"key": "Owner", "value": "payments"}],
    "ipPermissions": [
        {
            "ipProtocol": "tcp",
            "fromPort": 22,
            "toPort": 22,
            "ipv4Ranges": [{"cidrIp": "203.0.113.0/24", "description": "old"}],
            "ipRanges": ["203.0.113.0/24"],
            "ipv6Ranges": [],
            "prefixListIds": [],
            "userIdGroupPairs": [],
        }
    ],
    "ipPermissionsEgress": [],
}


def alert_of(raw: Mapping[str, Any], answers: Mapping[str, Any]) -> Alert:
    """The alert where AWS answers just this, by action."""
    names = {"123456789012": "production"}
    return Enricher(Lookups(Stubbed(answers), names, timeout=20, with_config=True)).alert_of(raw)


def test_a_deleted_group_is_described_and_recreated_from_config() -> None:
    answer = {"configurationItems": [{"configuration": json.dumps(CONFIG_GROUP)}]}
    alert = alert_of(record("DeleteSecurityGroup", {"groupId": "sg-1"}), {"config:GetResourceConfigHistory": answer})
    assert alert.security_group is not None
    assert (alert.security_group.name, alert.security_group.owner) == ("web", "payments")
    assert [rule.description for rule in alert.changes.removed] == ["old"]
    assert alert.undo.commands is not None
    assert "new_group=$(aws ec2 create-security-group " in alert.undo.commands[1]
    assert "new id" in str(alert.undo.reason)


def test_when_config_looked_is_said_for_it_may_have_missed_a_change_in_between() -> None:
    looked = {"configurationItemCaptureTime": datetime(2026, 11, 23, 9, 58, tzinfo=UTC)}
    answer = {"configurationItems": [{**looked, "configuration": json.dumps(CONFIG_GROUP)}]}
    alert = alert_of(record("DeleteSecurityGroup", {"groupId": "sg-1"}), {"config:GetResourceConfigHistory": answer})
    look = "the last AWS Config snapshot before it, at 2026-11-23 09:58:00 UTC"
    assert f"what changed between the call and {look}: the state before is as of then" in sentences(alert.unknowns)


def test_an_endpoints_groups_are_reported_whole_with_the_change_undone() -> None:
    request = {"vpcEndpointId": "vpce-1", "addSecurityGroupIds": ["sg-2"], "removeSecurityGroupIds": ["sg-1"]}
    endpoint = {"VpcEndpoints": [{"Groups": [{"GroupId": "sg-9"}, {"GroupId": "sg-2"}]}]}
    alert = alert_of(record("ModifyVpcEndpoint", request), {"ec2:DescribeVpcEndpoints": endpoint})
    assert alert.attachment is not None
    assert alert.attachment.groups_before == ("sg-9", "sg-1")
    assert alert.attachment.groups_after == ("sg-9", "sg-2")
    assert alert.undo.commands == (
        (
            "aws ec2 modify-vpc-endpoint --region eu-west-1 --vpc-endpoint-id vpce-1 "
            "--add-security-group-ids sg-1 --remove-security-group-ids sg-2"
        ),
    )


def endpoint_alerts(*events: tuple[dict[str, Any], list[str] | None]) -> list[Alert]:
    """Alerts on changes of one endpoint, with its groups as they are looked up after each, None where they are not."""
    snapshots, alerts = Snapshots(MemoryTable()), []
    for number, (request, groups) in enumerate(events):
        listed = {"VpcEndpoints": [{"Groups": [{"GroupId": each} for each in groups]}]} if groups is not None else {}
        lookups = Lookups(Stubbed({"ec2:DescribeVpcEndpoints": listed}), {"123456789012": "production"}, timeout=20)
        raw = record("ModifyVpcEndpoint", {"vpcEndpointId": "vpce-1", **request})
        raw |= {"eventID": str(number), "eventTime": f"2026-11-23T10:00:0{number}Z"}
        alerts.append(Enricher(lookups, snapshots).alert_of(raw))
    return alerts


def before_last(*events: tuple[dict[str, Any], list[str] | None]) -> tuple[str, ...] | None:
    attachment = endpoint_alerts(*events)[-1].attachment
    assert attachment is not None
    return attachment.groups_before


def test_groups_added_to_an_endpoint_are_not_remembered_as_all_it_has() -> None:
    assert before_last(({"addSecurityGroupIds": ["sg-2"]}, None), ({"addSecurityGroupIds": ["sg-3"]}, None)) is None


def test_what_is_remembered_of_an_endpoint_counts_only_where_its_live_groups_agree() -> None:
    first = ({"addSecurityGroupIds": ["sg-1"]}, ["sg-1"])
    missed = ({"addSecurityGroupIds": ["sg-2"]}, None)
    last = ({"addSecurityGroupIds": ["sg-3"]}, ["sg-1", "sg-2", "sg-3"])
    assert before_last(first, missed, last) is None
    assert before_last(first, ({"addSecurityGroupIds": ["sg-2"]}, ["sg-1", "sg-2"]), last) == ("sg-1", "sg-2")


@pytest.mark.parametrize("count", [1, 7])
def test_attached_groups_that_nobody_finds_are_said_not_to_be_known(count: int) -> None:
    known = {"GroupId": "sg-known", "GroupName": "web", "VpcId": "vpc-1", "Description": "x"}
    wanted = [{"groupId": f"sg-{number}"} for number in range(count)]
    request = {"instanceId": "i-1", "groupSet": {"items": [{"groupId": "sg-known"}, *wanted]}}
    alert = alert_of(
        record("ModifyInstanceAttribute", request), {"ec2:DescribeSecurityGroups": {"SecurityGroups": [known]}}
    )
    (said,) = (text for text in sentences(alert.unknowns) if text.startswith("the rules of"))
    shown = "sg-0" if count == 1 else "sg-0, sg-1, sg-2, sg-3, sg-4 and 2 more"
    assert said == f"the rules of {shown}: not in this account and region, perhaps of another account or deleted since"


def test_an_instances_groups_before_are_reported_by_config() -> None:
    recorded = {"configurationItems": [{"configuration": json.dumps({"securityGroups": [{"groupId": "sg-1"}]})}]}
    request = {"instanceId": "i-1", "groupSet": {"items": [{"groupId": "sg-2"}]}}
    alert = alert_of(record("ModifyInstanceAttribute", request), {"config:GetResourceConfigHistory": recorded})
    assert alert.attachment is not None
    assert alert.attachment.groups_before == ("sg-1",)
    assert alert.undo.commands == (
        "aws ec2 modify-instance-attribute --region eu-west-1 --instance-id i-1 --groups sg-1",
    )


def interface(**fields: Any) -> dict[str, Any]:
    return {"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-1"}], "InterfaceType": "interface", **fields}


def test_interfaces_show_what_they_belong_to() -> None:
    load_balancer = interface(
        Description="ELB app/web/50dc6c495c0c9188", RequesterId="amazon-elb", RequesterManaged=True
    )
    lambda_ = interface(
        Description="AWS Lambda VPC ENI-resize-1f2d3c4b-0000-4000-8000-000000000000",
        InterfaceType="lambda",
        RequesterManaged=True,
    )
    database = interface(Description="RDSNetworkInterface", RequesterId="amazon-rds", RequesterManaged=True)
    instance = interface(Attachment={"InstanceId": "i-1"}, Association={"PublicIp": "203.0.113.9"})
    pretender = interface(Description="RDSNetworkInterface")
    six = interface(Ipv6Addresses=[{"Ipv6Address": "2001:db8::5"}, {"Ipv6Address": "fd00::5"}])
    listed = [load_balancer, lambda_, database, instance, pretender, six]
    found = read_interfaces({"NetworkInterfaces": listed})
    assert [item.service for item in found] == ["load balancer web", "Lambda resize", "RDS", None, None, None]
    assert (found[3].instance_id, found[3].public_addresses) == ("i-1", ("203.0.113.9",))
    assert found[5].public_addresses == ("2001:db8::5",)


def test_aws_managed_lists_are_named_and_low() -> None:
    peers = {"items": [{"prefixListId": "pl-1"}]}
    permission = {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "prefixListIds": peers}
    raw = record("AuthorizeSecurityGroupIngress", {"groupId": "sg-1", "ipPermissions": {"items": [permission]}})
    lists = {
        "PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "com.amazonaws.eu-west-1.s3", "OwnerId": "AWS"}]
    }
    alert = alert_of(raw, {"ec2:DescribeManagedPrefixLists": lists, "ec2:GetManagedPrefixListEntries": {"Entries": []}})
    assert alert.severity == "low"
    assert "com.amazonaws.eu-west-1.s3" in alert.exposures[0].reason


WORLD_SSH_THROUGH_LIST = record(
    "AuthorizeSecurityGroupIngress",
    {
        "groupId": "sg-1",
        "ipPermissions": {
            "items": [
                {
                    "ipProtocol": "tcp",
                    "fromPort": 22,
                    "toPort": 22,
                    "prefixListIds": {"items": [{"prefixListId": "pl-1"}]},
                }
            ]
        },
    },
)


def test_a_prefix_list_with_more_entries_than_one_page_is_judged_by_those_that_came() -> None:
    page = {"Entries": [{"Cidr": "0.0.0.0/0"}], "NextToken": "more"}
    alert = alert_of(WORLD_SSH_THROUGH_LIST, {"ec2:GetManagedPrefixListEntries": page})
    assert alert.severity == "critical"
    assert "what is in prefix list pl-1: more than the 1 that are listed" in sentences(alert.unknowns)
    page = {"Entries": [{"Cidr": "10.0.0.0/8"}], "NextToken": "more"}
    alert = alert_of(WORLD_SSH_THROUGH_LIST, {"ec2:GetManagedPrefixListEntries": page})
    assert alert.severity == "medium"
    assert alert.exposures[0].reason.startswith("Not all addresses in prefix list pl-1 are known")


def test_a_kept_prefix_list_shows_nothing_of_a_later_event() -> None:
    answers = {"ec2:GetManagedPrefixListEntries": {"Entries": [{"Cidr": "10.0.0.0/8"}]}}
    reader, moment = Stubbed(answers), datetime(2026, 11, 23, 10, 0, 10, tzinfo=UTC)
    enricher = Enricher(Lookups(reader, {"123456789012": "production"}, timeout=20, clock=lambda: moment))
    assert enricher.alert_of(WORLD_SSH_THROUGH_LIST).severity == "low"
    answers["ec2:GetManagedPrefixListEntries"] = {"Entries": [{"Cidr": "0.0.0.0/0"}]}
    earlier = WORLD_SSH_THROUGH_LIST | {"eventTime": "2026-11-23T10:00:09Z"}
    assert enricher.alert_of(earlier).severity == "low"
    later = WORLD_SSH_THROUGH_LIST | {"eventTime": "2026-11-23T10:00:10Z"}
    assert enricher.alert_of(later).severity == "critical"


def listed(*cidrs: str) -> dict[str, Any]:
    return {"Entries": [{"Cidr": cidr} for cidr in cidrs]}


def list_change(name: str, **request: Any) -> dict[str, Any]:
    return record(name, {f"{name}Request": {"PrefixListId": "pl-1", "CurrentVersion": 1, **request}})


USERS = {
    "SecurityGroups": [
        {
            "GroupId": "sg-1",
            "GroupName": "web",
            "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": "pl-1"}]}
            ],
        }
    ]
}


def test_an_entry_that_makes_the_list_hold_every_address_opens_the_world() -> None:
    answers = {"ec2:DescribeSecurityGroups": USERS, "ec2:GetManagedPrefixListEntries": listed("0.0.0.0/1")}
    alert = alert_of(list_change("ModifyManagedPrefixList", AddEntry={"Cidr": "128.0.0.0/1"}), answers)
    assert alert.severity == "critical"
    assert alert.exposures[0].reason.startswith("On web (sg-1): Through prefix list pl-1: Anyone on the internet")
    assert alert.unknowns == (), "who uses the list was looked up"
    other = alert_of(list_change("ModifyManagedPrefixList", AddEntry={"Cidr": "192.0.0.0/2"}), answers)
    assert other.severity == "high"


def test_a_list_whose_entries_stay_has_no_version_to_restore() -> None:
    alert = alert_of(list_change("ModifyManagedPrefixList", PrefixListName="offices"), {})
    assert alert.undo.commands is None
    assert str(alert.undo.reason).startswith("no entry changed")


def test_that_the_former_version_of_a_list_has_not_its_former_name_is_said() -> None:
    entry = {"Cidr": "10.0.0.0/8"}
    renamed = alert_of(list_change("ModifyManagedPrefixList", PrefixListName="offices", AddEntry=entry), {})
    kept = alert_of(list_change("ModifyManagedPrefixList", AddEntry=entry), {})
    assert kept.undo.commands
    assert renamed.undo.commands == kept.undo.commands
    assert str(renamed.undo.reason).startswith("What the list was called before is not in the record")
    assert kept.undo.reason is None


def test_where_the_group_is_not_its_interfaces_are_not_known() -> None:
    alert = alert_of(opened("0.0.0.0/0"), {})
    assert alert.security_group is not None
    assert alert.security_group.attached is None
    assert sentences(alert.unknowns) == ("the live group: it is not in this account and region, perhaps deleted since",)


def test_either_call_that_changes_the_groups_of_an_instance_knows_those_before() -> None:
    seen = {"NetworkInterfaces": [interface(Attachment={"InstanceId": "i-1"})]}
    lookups = Lookups(Stubbed({"ec2:DescribeNetworkInterfaces": seen}), {"123456789012": "production"}, timeout=20)
    enricher, before = Enricher(lookups, Snapshots(MemoryTable())), []
    calls = [
        ("ModifyInstanceAttribute", "instanceId", "i-1"),
        ("ModifyNetworkInterfaceAttribute", "networkInterfaceId", "eni-1"),
    ]
    for second, (name, key, resource_id) in enumerate((*calls, *calls)):
        request = {key: resource_id, "groupSet": {"items": [{"groupId": f"sg-{second}"}]}}
        raw = record(name, request) | {"eventID": str(second), "eventTime": f"2026-11-23T10:00:0{second}Z"}
        attachment = enricher.alert_of(raw).attachment
        before.append(attachment and attachment.groups_before)
    assert before == [None, ("sg-0",), ("sg-1",), ("sg-2",)]


@pytest.mark.parametrize("name", ["ModifyNetworkInterfaceAttribute", "ModifyClientVpnEndpoint", "SetSecurityGroups"])
def test_what_a_resource_without_a_name_has_is_not_taken_for_what_another_had(name: str) -> None:
    source = "elasticloadbalancing.amazonaws.com" if name == "SetSecurityGroups" else "ec2.amazonaws.com"
    key, snapshots = "securityGroups" if name == "SetSecurityGroups" else "groupSet", Snapshots(MemoryTable())
    for second in range(2):
        stub = Stubbed({"ec2:DescribeNetworkInterfaces": {"NetworkInterfaces": []}})
        raw = record(name, {key: [f"sg-{second}"]}, source)
        raw |= {"eventID": str(second), "eventTime": f"2026-11-23T10:00:0{second}Z"}
        alert = Enricher(Lookups(stub, {"123456789012": "production"}, timeout=20), snapshots).alert_of(raw)
        assert alert.attachment is not None
        assert alert.attachment.groups_before is None
        assert alert.undo.commands is None
        assert "unknown" not in " ".join(sentences(alert.unknowns))


class Hanging(MemoryTable):
    """A state table that answers when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = Event()

    def get(self, pk: str, sk: str) -> StateItem | None:
        self.let_go.wait(60)
        return super().get(pk, sk)


def test_a_state_table_that_hangs_delays_no_alert() -> None:
    table, started = Hanging(), time.monotonic()
    enricher = Enricher(Lookups(Stubbed(), {"123456789012": "production"}, timeout=0.2), Snapshots(table))
    request = {"networkInterfaceId": "eni-1", "groupSet": {"items": [{"groupId": "sg-1"}]}}
    rules, groups = map(enricher.alert_of, (opened("0.0.0.0/0"), record("ModifyNetworkInterfaceAttribute", request)))
    taken = time.monotonic() - started
    table.let_go.set()
    assert taken < 20
    assert "what was known of the group before: timed out on dynamodb:GetItem" in sentences(rules.unknowns)
    assert "whether the next alert will know this change: timed out on dynamodb:PutItem" in sentences(rules.unknowns)
    late = "what was known of eni-1 before: timed out on dynamodb:GetItem"
    assert any(item.startswith(late) for item in sentences(groups.unknowns))


def test_more_rules_than_one_page_are_not_taken_for_all() -> None:
    page = {"SecurityGroupRules": [], "NextToken": "more"}
    alert = alert_of(record("ModifySecurityGroupRules", MODIFY), {"ec2:DescribeSecurityGroupRules": page})
    assert any(item.startswith("live rules: more than") for item in sentences(alert.unknowns))
    assert alert.changes.rules_after is None
