"""An alert's title and reasons with what was looked up, whole."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.alert.build import alert_of, not_a_record
from chalicelib.alert.model import Alert
from chalicelib.alert.resolution import RecordAlone, Resolution
from chalicelib.cloudtrail.records import CloudTrailRecord
from chalicelib.security_groups.changes import Change
from chalicelib.security_groups.lookup_result import GroupInfo, Interface, LookupResult, ResolvedChange
from chalicelib.security_groups.rules import Direction, Peer, PeerType, SecurityGroupRule
from tests.support import records as r


class Looked(RecordAlone):
    """Answers every alert with the same look-ups, and says which groups a resource had."""

    def __init__(self, looked_up: LookupResult, groups_before: tuple[str, ...] | None = None) -> None:
        self._looked_up = looked_up
        self._groups_before = groups_before

    def resolve(self, record: CloudTrailRecord, change: Change) -> Resolution:
        if change.attachment is not None:
            change = change._replace(attachment=change.attachment._replace(groups_before=self._groups_before))
        return Resolution(ResolvedChange(change), self._looked_up)


def ssh(value: str, direction: Direction = Direction.INGRESS) -> SecurityGroupRule:
    kind = PeerType.PREFIX_LIST if value.startswith("pl-") else PeerType.IPV4
    return SecurityGroupRule(direction, "tcp", 22, 22, Peer(kind, value))


GROUPS = {
    "sg-open": GroupInfo("sg-open", "open", rules=(ssh("0.0.0.0/0"),)),
    "sg-inner": GroupInfo("sg-inner", "inner", rules=(ssh("10.0.0.0/8"),)),
    "sg-list": GroupInfo("sg-list", "list", rules=(ssh(r.LIST_ID), ssh(r.LIST_ID, Direction.EGRESS))),
}
ADDRESS = (Interface("eni-1", public_addresses=("203.0.113.7",)),)


def attached(before: tuple[str, ...] | None, *after: str, **looked_up: Any) -> Alert:
    request = {"networkInterfaceId": "eni-1", "groupSet": r.items(*({"groupId": group} for group in after))}
    known = LookupResult(**{"groups": GROUPS, **looked_up})
    return alert_of(r.record("ModifyNetworkInterfaceAttribute", request), Looked(known, before))


@pytest.mark.parametrize(
    ("before", "after", "title"),
    [
        (None, ("sg-open",), "tcp/22 now open to the internet on network interface eni-1"),
        (("sg-inner",), ("sg-open",), "tcp/22 opened to the internet on network interface eni-1 by a group attached"),
        (("sg-open",), ("sg-inner",), "Security groups of network interface eni-1 changed"),
    ],
)
def test_an_attachment_is_titled_by_what_it_opens(
    before: tuple[str, ...] | None, after: tuple[str, ...], title: str
) -> None:
    assert attached(before, *after).title.startswith(title)


def test_what_the_groups_of_before_allowed_is_not_said_of_the_new_one() -> None:
    twin = GroupInfo("sg-twin", "twin", rules=(ssh("0.0.0.0/0"),))
    moved = attached(("sg-open",), "sg-twin", groups={**GROUPS, "sg-twin": twin})
    assert moved.severity == "medium"
    (again,) = (item for item in moved.exposures if "opens nothing new" in item.reason)
    assert again.reason.endswith("the groups attached before allow the same already.")


def test_an_attached_group_says_how_sure_it_is_and_what_was_open_before() -> None:
    sure, *_ = attached(("sg-inner",), "sg-open").exposures
    assert sure.reason.startswith("Through open (sg-open), newly attached: Anyone on the internet")
    assert "10.0.0.0/8" in sure.reason, "who could before is known"
    unsure, *_ = attached(None, "sg-open").exposures
    assert unsure.reason.startswith("Through open (sg-open), perhaps newly attached: ")
    of_unknown_groups, *_ = attached(("sg-other",), "sg-open").exposures
    assert "10.0.0.0/8" not in of_unknown_groups.reason
    again, *_ = attached(("sg-open",), "sg-open", "sg-inner").exposures
    assert again.severity == "low"


def test_an_address_on_the_interface_is_said() -> None:
    groups = {**GROUPS, "sg-high": GroupInfo("sg-high", "high", rules=(ssh("0.0.0.0/0")._replace(to_port=22),))}
    alert = attached(("sg-inner",), "sg-high", groups=groups, interfaces=ADDRESS)
    assert "203.0.113.7" in alert.exposures[0].reason
    assert attached(("sg-inner",), "sg-inner", interfaces=ADDRESS).exposures[0].severity == "low"


def test_an_endpoint_that_keeps_its_groups_is_titled_so() -> None:
    alert = alert_of(r.wrapped("ModifyVpcEndpoint", {"VpcEndpointId": "vpce-1", "PolicyDocument": "{}"}))
    assert alert.title == "VPC endpoint vpce-1 modified, its security groups untouched"


def listed(*added: str, removed: str | None = None, **looked_up: Any) -> Alert:
    request: r.Json = {"PrefixListId": r.LIST_ID, "AddEntry": [{"Cidr": cidr} for cidr in added]}
    request |= {"RemoveEntry": {"Cidr": removed}} if removed else {}
    return alert_of(r.wrapped("ModifyManagedPrefixList", request), Looked(LookupResult(**looked_up)))


def test_a_list_is_titled_by_what_it_opens_else_by_its_entries() -> None:
    opened = listed("0.0.0.0/0", groups={"sg-list": GROUPS["sg-list"]})
    assert opened.title == f"tcp/22 opened to the internet through prefix list {r.LIST_ID}"
    assert [item.severity for item in opened.exposures if item.reason.startswith("On list")] == ["critical"]
    assert opened.exposures[-1].reason == "1 security group names the list in ingress rules: list."
    both = listed("10.0.0.0/8", "10.0.0.0/16", removed="203.0.113.0/24")
    said = f"10.0.0.0/8 and 1 more range added to and 203.0.113.0/24 removed from prefix list {r.LIST_ID}"
    assert both.title == said
    counted = "(the call adds 10.0.0.0/8, 10.0.0.0/16 and removes 203.0.113.0/24)"
    assert f"adds no public range to the rules that name it {counted}." in both.exposures[0].reason


def test_an_event_without_a_record_goes_by_its_own_id() -> None:
    assert not_a_record({"id": "1"}, "x").id == "1"
    assert not_a_record({}, "x").id.startswith("sha256-")
    assert not_a_record({}, "x").id == not_a_record({}, "x").id
