from __future__ import annotations

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import to_json
from chalicelib.rendering.lines import diff_entries
from chalicelib.rendering.plain_text import plain_text
from chalicelib.rendering.shrink import shrink
from tests.support import records as r
from tests.support.unknowns import sentences


def many_ranges() -> r.Json:
    entries = [{"cidr": f"198.51.{number}.0/24", "description": "x" * 200} for number in range(200)]
    return {"prefixListId": r.LIST_ID, "currentVersion": 1, "addEntries": [*entries, {"cidr": "0.0.0.0/0"}]}


def test_the_worst_rule_stays_whatever_its_place() -> None:
    inner = [r.permission(v4=(f"10.0.{number}.0/24",)) for number in range(200)]
    alert = alert_of(r.authorize(*inner, r.world()))
    kept = shrink(alert, 20_000, "a small place")
    assert "0.0.0.0/0" in [rule.peer.value for rule in kept.changes.added]
    left = len(alert.changes.added) - len(kept.changes.added)
    assert f"{left} more rules: left out to fit into a small place" in sentences(kept.unknowns)


@pytest.mark.parametrize("name", ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"])
@pytest.mark.parametrize("code", [None, r.DENIED])
@pytest.mark.parametrize("place", [0, 120, 240])
def test_the_rule_of_the_title_is_the_first_shown_and_the_last_cut(name: str, code: str | None, place: int) -> None:
    inner = [r.permission(v4=(f"10.0.{number}.0/24",)) for number in range(240)]
    asked = r.items(*inner[:place], r.world(), *inner[place:])
    alert = alert_of(r.record(name, {"groupId": r.GROUP_ID, "ipPermissions": asked}, errorCode=code))
    assert "tcp/22" in alert.title
    assert "internet" in alert.title
    assert next(diff_entries(alert)).endswith("ingress tcp 22 from 0.0.0.0/0")
    changes = shrink(alert, 20_000, "a small place").changes
    kept = (*changes.added, *changes.removed, *changes.attempted)
    assert len(kept) < 241
    assert "0.0.0.0/0" in [rule.peer.value for rule in kept]


def test_the_widest_range_that_a_prefix_list_lost_stays() -> None:
    gone = [{"cidr": f"198.51.{number}.0/24" + " " * 200} for number in range(200)]
    request = {"prefixListId": r.LIST_ID, "currentVersion": 1, "removeEntries": [*gone, {"cidr": "0.0.0.0/0"}]}
    kept = shrink(alert_of(r.record("ModifyManagedPrefixList", request)), 20_000, "a small place").prefix_list
    assert kept is not None
    assert 0 < len(kept.removed) < 201
    assert "0.0.0.0/0" in kept.removed


def test_the_widest_range_of_a_prefix_list_stays_and_the_others_are_counted() -> None:
    alert = alert_of(r.record("ModifyManagedPrefixList", many_ranges()))
    kept = shrink(alert, 20_000, "a small place")
    assert kept.prefix_list is not None
    assert "0.0.0.0/0" in [entry.cidr for entry in kept.prefix_list.added]
    left = 201 - len(kept.prefix_list.added)
    assert f"{left} more ranges: left out to fit into a small place" in sentences(kept.unknowns)


def test_all_ranges_are_in_the_alert_and_the_widest_is_shown_first() -> None:
    alert = alert_of(r.record("ModifyManagedPrefixList", many_ranges()))
    assert len(to_json(alert)["prefix_list"]["added"]) == 201
    assert alert.title == f"0.0.0.0/0 and 200 more ranges added to prefix list {r.LIST_ID}"
    lines = plain_text(alert, 16_384).splitlines()
    assert lines[lines.index("What changed") + 1] == "  + 0.0.0.0/0"
    assert any(line.endswith(" more ranges") for line in lines)


def test_no_group_of_a_resource_is_cut() -> None:
    ids = [f"sg-{number:017x}" for number in range(16)]
    request = {"networkInterfaceId": "eni-1", "groupSet": r.items(*({"groupId": item} for item in ids))}
    text = plain_text(alert_of(r.record("ModifyNetworkInterfaceAttribute", request)))
    assert all(item in text for item in ids)


def test_a_load_balancer_is_named_whole_in_the_title() -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/" + "a" * 32 + "/0123456789abcdef"
    request = {"loadBalancerArn": arn, "securityGroups": ["sg-1"]}
    alert = alert_of(r.record("SetSecurityGroups", request, eventSource="elasticloadbalancing.amazonaws.com"))
    assert alert.title.endswith(f"load balancer app/{'a' * 32}/0123456789abcdef changed")
    assert arn in plain_text(alert)


def test_what_became_of_a_call_that_cannot_be_read_is_said_first() -> None:
    denied = alert_of(r.record("ModifyInstanceAttribute", {"groupSet": "?"}, None, errorCode=r.DENIED))
    assert denied.title.startswith("Denied: ")
