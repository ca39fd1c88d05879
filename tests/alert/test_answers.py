"""What AWS's answer says beside the rules: whether the call did anything, and what a prefix list is called."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert
from tests.support import records as r
from tests.support.records import items

Json = dict[str, Any]
WORLD = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": items({"cidrIp": "0.0.0.0/0"})}
GROUP = {"groupId": r.GROUP_ID}
DOUBT = "AWS's answer is false"


def doubts(alert: Alert) -> list[str]:
    return [item.text for item in alert.unknowns if DOUBT in item.text]


@pytest.mark.parametrize("no", [False, "false"])
@pytest.mark.parametrize(
    ("name", "request_parameters", "severity"),
    [
        ("AuthorizeSecurityGroupIngress", {**GROUP, "ipPermissions": items(WORLD)}, "critical"),
        ("RevokeSecurityGroupIngress", {**GROUP, "ipPermissions": items(WORLD)}, "low"),
        ("DeleteSecurityGroup", GROUP, "medium"),
        ("UpdateSecurityGroupRuleDescriptionsIngress", {**GROUP, "ipPermissions": items(WORLD)}, "info"),
    ],
)
def test_an_answer_of_false_is_a_doubt_and_lowers_nothing(
    name: str, request_parameters: Json, severity: str, no: object
) -> None:
    told = alert_of(r.record(name, request_parameters, {"_return": no}))
    assert told.severity == severity
    assert told.title.endswith(f", though {DOUBT}")
    assert doubts(told)


def test_an_answer_of_false_in_a_wrapper_is_a_doubt_too() -> None:
    request = {
        "ModifySecurityGroupRulesRequest": {"GroupId": r.GROUP_ID, "SecurityGroupRule": r.new_values(CidrIpv4="::/0")}
    }
    told = alert_of(
        r.record("ModifySecurityGroupRules", request, {"ModifySecurityGroupRulesResponse": {"return": False}})
    )
    assert doubts(told)


def test_rules_that_a_revoke_perhaps_left_there_are_not_called_closed_nor_opened_by_its_undo() -> None:
    told = alert_of(
        r.record("RevokeSecurityGroupIngress", {**GROUP, "ipPermissions": items(WORLD)}, {"_return": False})
    )
    assert told.title == f"Rules may have been removed from {r.GROUP_ID}, though {DOUBT}"
    assert not told.changes.removed
    assert not told.changes.before_known
    assert told.undo.commands is None


def test_rules_that_the_answer_lists_as_removed_were_removed() -> None:
    gone = {"securityGroupRuleId": r.RULE_ID, "isEgress": False, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22}
    answer = {"_return": False, "revokedSecurityGroupRuleSet": items({**gone, "cidrIpv4": "0.0.0.0/0"})}
    told = alert_of(r.record("RevokeSecurityGroupIngress", {**GROUP, "ipPermissions": items(WORLD)}, answer))
    assert len(told.changes.removed) == 1


def test_a_failed_call_has_no_answer_to_doubt() -> None:
    told = alert_of(r.record("DeleteSecurityGroup", GROUP, {"_return": False}, errorCode=r.FAILED))
    assert not doubts(told)


ANSWERED = {"prefixListName": "office", "ownerId": r.OTHER_ACCOUNT, "version": 4, "state": "modify-in-progress"}


def of_list(request: Json, answer: Json | None = None, name: str = "ModifyManagedPrefixList") -> Alert:
    wrapped = {f"{name}Request": {"PrefixListId": r.LIST_ID, **request}}
    return alert_of(r.record(name, wrapped, {f"{name}Response": {"prefixList": answer or {}}}))


def test_a_prefix_list_is_called_what_the_answer_calls_it() -> None:
    told = of_list({"AddEntry": {"Cidr": "::/0", "tag": 1}}, ANSWERED)
    assert told.title == f"::/0 added to prefix list office ({r.LIST_ID})"
    assert told.prefix_list is not None
    assert (told.prefix_list.name, told.prefix_list.owner_id) == ("office", r.OTHER_ACCOUNT)


def test_the_version_before_is_the_answers_while_the_change_is_under_way() -> None:
    entry = {"AddEntry": {"Cidr": "::/0", "tag": 1}}
    under_way = of_list(entry, ANSWERED)
    assert under_way.undo.commands is not None
    assert '"PreviousVersion": 4' in under_way.undo.commands[0]
    assert of_list(entry, {**ANSWERED, "state": "modify-complete"}).undo.commands is None
    requested = of_list({**entry, "CurrentVersion": 7}, ANSWERED)
    assert requested.undo.commands is not None
    assert '"PreviousVersion": 7' in requested.undo.commands[0]


@pytest.mark.parametrize(
    ("request_parameters", "title"),
    [
        ({"PrefixListName": "hq"}, f"Prefix list {r.LIST_ID} renamed to hq"),
        ({"MaxEntries": 60}, f"Prefix list office ({r.LIST_ID}) may now hold 60 ranges"),
        (
            {"IpamPrefixListResolverSyncEnabled": False},
            f"Contents of prefix list office ({r.LIST_ID}) no longer decided by IPAM",
        ),
        ({}, f"Prefix list office ({r.LIST_ID}) changed"),
    ],
)
def test_a_change_without_entries_is_titled_by_what_it_set(request_parameters: Json, title: str) -> None:
    assert of_list(request_parameters, ANSWERED).title == title


def test_a_rename_that_was_denied_gives_no_name() -> None:
    request = {"ModifyManagedPrefixListRequest": {"PrefixListId": r.LIST_ID, "PrefixListName": "hq"}}
    denied = alert_of(r.record("ModifyManagedPrefixList", request, None, errorCode=r.DENIED))
    assert denied.title == f"Denied: changing prefix list {r.LIST_ID}"
    assert denied.prefix_list is not None
    assert denied.prefix_list.name is None


def test_a_restored_version_is_named_done_or_denied() -> None:
    versions = {"PreviousVersion": 2, "CurrentVersion": 7}
    done = of_list(versions, name="RestoreManagedPrefixListVersion")
    assert done.title == f"Version 2 of prefix list {r.LIST_ID} in force again"
    assert done.exposures[0].reason.startswith("Version 2 of the list")
    request = {"RestoreManagedPrefixListVersionRequest": {"PrefixListId": r.LIST_ID, **versions}}
    denied = alert_of(r.record("RestoreManagedPrefixListVersion", request, None, errorCode=r.DENIED))
    assert denied.title == f"Denied: restoring version 2 of prefix list {r.LIST_ID}"


def test_the_ranges_in_a_resolvers_rules_come_before_what_ipam_may_add() -> None:
    rules = [{"RuleType": "static-cidr", "StaticCidr": "0.0.0.0/0", "tag": 1}, {"RuleType": "ipam-pool-cidr", "tag": 2}]
    request = {"ModifyIpamPrefixListResolverRequest": {"IpamPrefixListResolverId": "ipam-plr-1", "Rule": rules}}
    told = alert_of(r.record("ModifyIpamPrefixListResolver", request))
    assert told.severity == "medium"
    assert told.title == "0.0.0.0/0 now in prefix lists of IPAM resolver ipam-plr-1"
    assert told.exposures[0].reason == "Rules that name a list of the resolver now also mean 0.0.0.0/0."
    assert "IPAM decides" in told.exposures[1].reason


def test_the_users_of_a_list_in_another_region_are_not_known() -> None:
    target = {"IpamPrefixListResolverId": "ipam-plr-1", "PrefixListId": r.LIST_ID, "PrefixListRegion": "us-east-1"}
    request = {"CreateIpamPrefixListResolverTargetRequest": target}
    told = alert_of(r.record("CreateIpamPrefixListResolverTarget", request))
    assert f"which security groups in us-east-1 use {r.LIST_ID}: not in the record" in [u.text for u in told.unknowns]
