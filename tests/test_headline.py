"""Titles and summaries, as somebody reads them first and perhaps alone."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.judgement import alert_of
from tests.support import records as r
from tests.support.records import Json, authorize, items, permission, revoke, stored, world

G = r.GROUP_ID
TITLES: list[tuple[Json, str]] = [
    (authorize(world()), f"tcp/22 opened to the internet on {G}"),
    (authorize(world(), group={"groupName": "web"}), "tcp/22 opened to the internet on web"),
    (authorize(world(), group={"groupId": G, "groupName": "web"}), f"tcp/22 opened to the internet on web ({G})"),
    (authorize(permission(v6=("::/0",))), f"tcp/22 opened to the internet (IPv6) on {G}"),
    (authorize(world(None, protocol="-1")), f"All traffic opened to the internet on {G}"),
    (authorize(world(0, 65535)), f"All tcp ports opened to the internet on {G}"),
    (authorize(world(8000, 8100, "udp")), f"udp/8000-8100 opened to the internet on {G}"),
    (authorize(world(8, 0, "icmp")), f"icmp type 8 code 0 opened to the internet on {G}"),
    (authorize(world(None, protocol="50")), f"Protocol 50 opened to the internet on {G}"),
    (authorize(permission(v4=("203.0.113.0/24",))), f"tcp/22 opened to 203.0.113.0/24 on {G}"),
    (authorize(permission(groups=(r.PEER_ID,))), f"tcp/22 opened to group {r.PEER_ID} on {G}"),
    (authorize(permission(lists=(r.LIST_ID,))), f"tcp/22 opened to prefix list {r.LIST_ID} on {G}"),
    (authorize(world(443), world(22)), f"tcp/22 opened to the internet and 1 more rule on {G}"),
    (authorize(world(443), world(80), world(22)), f"tcp/22 opened to the internet and 2 more rules on {G}"),
    (
        authorize(permission(v4=("0.0.0.0/1", "128.0.0.0/1"))),
        f"tcp/22 opened to the internet through 0.0.0.0/1 and 1 more rule on {G}",
    ),
    (
        authorize(permission("-1", None, v4=("0.0.0.0/1",)), permission(v4=("128.0.0.0/1",))),
        f"tcp/22 opened to the internet through 128.0.0.0/1 and 1 more rule on {G}",
    ),
    (authorize(world(None, protocol="-1"), direction="Egress"), f"All traffic allowed out to the internet on {G}"),
    (authorize(world(), "text"), f"tcp/22 opened to the internet on {G}, and more not understood"),
    (authorize(permission()), f"Change to {G} only partly understood"),
    (authorize(requestParameters=None), "AuthorizeSecurityGroupIngress: the record is not understood"),
    (
        authorize(requestParameters={"groupId": G}),
        f"AuthorizeSecurityGroupIngress on {G}: the record is not understood",
    ),
    (revoke(world()), f"tcp/22 closed to the internet on {G}"),
    (revoke(world(), direction="Egress"), f"tcp/22 no longer allowed out to the internet on {G}"),
    (revoke(world(), world(80)), f"tcp/22 closed to the internet and 1 more rule on {G}"),
    (
        revoke(world(), answer={"unknownIpPermissionSet": items(world())}),
        f"Nothing removed from {G}, which had no such rules",
    ),
    (r.revoke_by_ids(r.RULE_ID), f"Rules removed from {G} that the record does not list"),
    (r.modify(r.new_values(CidrIpv4="0.0.0.0/0")), f"tcp/22 now open to the internet by a changed rule on {G}"),
    (r.describe_by_values(), f"Description changed of tcp/22, 203.0.113.0/24 on {G}"),
    (r.describe_by_ids(), f"Rule descriptions changed on {G}"),
    (r.create(), f"Security group web ({G}) created"),
    (r.delete(), f"Security group {G} deleted"),
    (r.delete({"other": 1}), "A security group the record does not name deleted"),
    (r.association(), f"Security group {G} associated with {r.VPC_ID}"),
    (r.association("DisassociateSecurityGroupVpc"), f"Security group {G} disassociated from {r.VPC_ID}"),
    (authorize(world(), errorCode=r.DENIED), f"Denied: opening tcp/22 to the internet on {G}"),
    (authorize(world(), errorCode=r.FAILED), f"Failed: opening tcp/22 to the internet on {G}"),
    (authorize(world(), errorCode=r.DRY_RUN), f"Dry run: opening tcp/22 to the internet on {G}"),
    (revoke(world(), errorCode=r.DENIED), f"Denied: closing tcp/22 to the internet on {G}"),
    (
        authorize(world(), direction="Egress", errorCode=r.DENIED),
        f"Denied: allowing tcp/22 out to the internet on {G}",
    ),
    (
        r.modify(r.new_values(CidrIpv4="0.0.0.0/0"), errorCode=r.DENIED),
        f"Denied: changing a rule to tcp/22, the internet on {G}",
    ),
    (r.create(errorCode=r.FAILED, responseElements=None), "Failed: creating security group web"),
    (r.delete(errorCode=r.DENIED), f"Denied: deleting security group {G}"),
    (r.association(errorCode=r.DENIED), f"Denied: associating security group {G} with a VPC"),
    (r.revoke_by_ids(r.RULE_ID, errorCode=r.DENIED), f"Denied: RevokeSecurityGroupIngress on {G}"),
    (
        r.record("ModifyInstanceAttribute", {"instanceId": "i-1", "groupSet": items({"groupId": "sg-1"})}),
        "Security groups of instance i-1 changed",
    ),
    (
        r.record("ModifyInstanceAttribute", {"instanceId": "i-1", "groupSet": items("sg-1")}, errorCode=r.DENIED),
        "Denied: changing the security groups of instance i-1",
    ),
    (
        r.record("StopLogging", {"name": "t"}, eventSource="cloudtrail.amazonaws.com"),
        "Alarm path at risk: StopLogging by alice",
    ),
]


@pytest.mark.parametrize(("record", "title"), TITLES, ids=[title for _, title in TITLES])
def test_titles(record: Json, title: str) -> None:
    assert alert_of(record).title == title


def test_the_summary_says_who_did_what_where_and_the_worst_of_it() -> None:
    assert alert_of(authorize(world(443), world(22))).summary == (
        "alice (aws-cli, from 203.0.113.9) called AuthorizeSecurityGroupIngress in account 123456789012, eu-west-1. "
        "Anyone on the internet (0.0.0.0/0) can reach tcp/22: 22 is a high-risk port (SSH)."
    )


def test_the_summary_of_a_failed_call_names_the_error() -> None:
    summary = alert_of(authorize(world(), errorCode=r.FAILED)).summary
    assert f"({r.FAILED})" in summary
    assert "nothing changed" in summary


def one_line_and_visible(text: str) -> bool:
    return not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for char in text)


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_makes_a_title_or_summary_more_than_one_visible_line(
    name: str, group: str, code: str, cidr: str
) -> None:
    identity = {**r.ALICE, "userName": name}
    for record in (
        authorize(permission(v4=(cidr,), groups=(group,)), group={"groupName": group}, userIdentity=identity),
        authorize(world(), group={"groupId": group}, userIdentity=identity, errorCode=code or "x"),
        r.create(group, userIdentity=identity),
        authorize(requestParameters=cidr, userIdentity=identity),
        revoke(permission(group, cidr, v4=(cidr,))),
    ):
        alert = alert_of(record)
        assert 0 < len(alert.title) <= 140
        assert one_line_and_visible(alert.title)
        assert one_line_and_visible(alert.summary)
        assert all(map(one_line_and_visible, alert.unknowns))
        assert all(one_line_and_visible(item.reason) for item in alert.exposures)


def test_reordering_text_in_a_name_is_shown_and_not_done() -> None:
    assert alert_of(r.create("we\u202eb\n")).title.startswith("Security group we\\u202eb\\n (")


def test_a_long_name_leaves_room_for_the_id() -> None:
    answer = {"securityGroupRuleSet": items(stored(cidrIpv6="2001:db8:1111:2222:3333:4444:5555:0/112"))}
    title = alert_of(authorize(group={"groupId": G, "groupName": "n" * 255}, answer=answer)).title
    assert title.endswith(f"({G})")
