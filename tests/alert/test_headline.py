"""Titles and summaries, as somebody reads them first and perhaps alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from ipaddress import ip_network
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.alert.build import alert_of
from chalicelib.alert.headline import title
from chalicelib.cloudtrail.catalog import lookup
from chalicelib.cloudtrail.records import read_record
from chalicelib.exposure.judge import Exposure, Opens, Severity, judge, severity_of
from chalicelib.security_groups.changes import Change, Changes, Outcome
from chalicelib.security_groups.lookup_result import ResolvedChange
from chalicelib.security_groups.parse import read_change
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from tests.support import records as r
from tests.support.examples import examples
from tests.support.records import Json, authorize, items, permission, revoke, stored, world
from tests.support.rows import every
from tests.support.unknowns import sentences

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
    (authorize(world(-1, 3, "icmp")), f"icmp opened to the internet on {G}"),
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
    (authorize(requestParameters=None), "AuthorizeSecurityGroupIngress: the record could not be parsed"),
    (
        authorize(requestParameters={"groupId": G}),
        f"AuthorizeSecurityGroupIngress on {G}: the record could not be parsed",
    ),
    (revoke(world()), f"tcp/22 closed to the internet on {G}"),
    (revoke(world(), direction="Egress"), f"tcp/22 no longer allowed out to the internet on {G}"),
    (revoke(world(), world(80)), f"tcp/22 closed to the internet and 1 more rule on {G}"),
    (
        revoke(world(), answer={"unknownIpPermissionSet": items(world())}),
        f"Nothing removed from {G}, which had no such rules",
    ),
    (r.revoke_by_ids(r.RULE_ID), f"Rules removed from {G} that the record does not list"),
    (r.modify(r.new_values(CidrIpv4="0.0.0.0/0")), f"tcp/22 may now be open to the internet by a changed rule on {G}"),
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
    (r.association(errorCode=r.DENIED), f"Denied: associating security group {G} with {r.VPC_ID}"),
    (r.revoke_by_ids(r.RULE_ID, errorCode=r.DENIED), f"Denied: removing rule {r.RULE_ID} on {G}"),
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
        "Trail t was stopped (StopLogging by alice)",
    ),
]


def test_a_denied_tampering_leaves_nothing_to_undo() -> None:
    record = r.record("StopLogging", {"name": "t"}, eventSource="cloudtrail.amazonaws.com", errorCode="AccessDenied")
    assert alert_of(record).undo.commands == ()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {},
            ("Rules that name this list now also mean 203.0.113.0/24, and no longer 10.0.0.0/8."),
        ),
        (
            {"errorCode": r.DENIED},
            (
                "ModifyManagedPrefixList (the call adds 203.0.113.0/24 and removes 10.0.0.0/8) "
                "was denied; nothing changed."
            ),
        ),
    ],
)
def test_the_entries_of_a_prefix_list_are_reported(fields: Json, reason: str) -> None:
    request = {"PrefixListId": r.LIST_ID, "AddEntry": {"Cidr": "203.0.113.0/24"}, "RemoveEntry": {"Cidr": "10.0.0.0/8"}}
    assert alert_of(r.wrapped("ModifyManagedPrefixList", request, **fields)).exposures[0].reason == reason


@every(("record", "title"), TITLES, ids=[title for _, title in TITLES])
def test_titles(record: Json, title: str) -> None:
    assert alert_of(record).title == title


def test_the_summary_says_who_did_what_where_and_the_worst_of_it() -> None:
    assert alert_of(authorize(world(443), world(22))).summary == (
        "alice (aws-cli, from 203.0.113.9) called AuthorizeSecurityGroupIngress in account 123456789012, eu-west-1. "
        "Anyone on the internet (0.0.0.0/0) can reach tcp/22 (SSH), a high-risk port."
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
        assert all(map(one_line_and_visible, sentences(alert.unknowns)))
        assert all(one_line_and_visible(item.reason) for item in alert.exposures)


def test_reordering_text_in_a_name_is_shown_and_not_done() -> None:
    assert alert_of(r.create("we\u202eb\n")).title.startswith("Security group we\\u202eb\\n (")


def test_a_long_name_leaves_room_for_the_id() -> None:
    answer = {"securityGroupRuleSet": items(stored(cidrIpv6="2001:db8:1111:2222:3333:4444:5555:0/112"))}
    title = alert_of(authorize(group={"groupId": G, "groupName": "n" * 255}, answer=answer)).title
    assert title.endswith(f"({G})")


@every(
    ("kind", "peer", "opened"),
    [
        ("prefix list", r.LIST_ID, r.permission(lists=(r.LIST_ID,))),
        ("group", r.PEER_ID, r.permission(groups=(r.PEER_ID,))),
    ],
)
def test_a_title_names_lists_and_groups_where_there_is_room(kind: str, peer: str, opened: Json) -> None:
    change = read_change(read_record(authorize(opened)))
    exposures = judge(ResolvedChange(change), by_root=False, account_id=r.ACCOUNT)
    known = title(change, exposures, {peer: "corp"})
    assert known == f"tcp/22 opened to {kind} corp ({peer}) on {r.GROUP_ID}"
    named = change._replace(group_name="n" * 48)
    assert title(named, exposures, {peer: "c" * 48}) == title(named, exposures)


def enriched(change: Change, before: tuple[SecurityGroupRule, ...]) -> tuple[str, tuple[Exposure, ...]]:
    """Title and exposures of a change to a group that had these rules and no others."""
    exposures = judge(ResolvedChange(change, before, is_whole=True), by_root=False, account_id=r.ACCOUNT)
    return title(change, exposures), exposures


def ssh(cidr: str, low: int = 22, high: int = 22, direction: Direction = Direction.INGRESS) -> SecurityGroupRule:
    kind = PeerType.IPV6 if ":" in cidr else PeerType.IPV4
    return SecurityGroupRule(direction, "tcp", low, high, Peer(kind, cidr))


def change(name: str, **changes: Any) -> Change:
    event = lookup("ec2.amazonaws.com", name)
    assert event is not None
    return Change(event, Outcome.SUCCEEDED, G, changes=Changes(**changes))


def added(*rules: SecurityGroupRule) -> Change:
    return change("AuthorizeSecurityGroupIngress", added=rules)


def modified(before: SecurityGroupRule, after: SecurityGroupRule) -> Change:
    return change("ModifySecurityGroupRules", modified=(ModifiedRule(before, after),))


WORLD4 = "0.0.0.0/0"
INNER = "10.0.0.0/8"


@pytest.mark.parametrize(
    ("made", "before", "expected"),
    [
        (added(ssh(WORLD4)), (), f"tcp/22 opened to the internet on {G}"),
        (
            added(ssh(WORLD4)),
            (ssh(WORLD4, 0, 65535),),
            f"Rule for tcp/22 from the internet added on {G}, which opens nothing new",
        ),
        (
            added(ssh(WORLD4), ssh(INNER, 80, 80)),
            (ssh(WORLD4, 0, 1024),),
            f"Rule for tcp/22 from the internet and 1 more rule added on {G}, which opens nothing new",
        ),
        (
            added(ssh(WORLD4), ssh(INNER, 8000, 8000)),
            (ssh(WORLD4),),
            f"tcp/8000 opened to 10.0.0.0/8 and 1 more rule on {G}",
        ),
        (
            added(ssh(WORLD4, 443, 443), ssh("8.0.0.0/8")),
            (),
            f"tcp/22 opened to 8.0.0.0/8, tcp/443 opened to the internet on {G}",
        ),
        (
            added(ssh("0.0.0.0/1", 8443, 8443), ssh("128.0.0.0/1", 8443, 8443)),
            (),
            f"tcp/8443 opened to the internet through 0.0.0.0/1 and 1 more rule on {G}",
        ),
        (
            added(ssh("0.0.0.0/1", 443, 443), ssh("128.0.0.0/1", 443, 443)),
            (),
            f"tcp/443 opened to the internet through 0.0.0.0/1 and 1 more rule on {G}",
        ),
        (
            modified(ssh(WORLD4), ssh(INNER)),
            (ssh(WORLD4),),
            f"Rule narrowed to tcp/22 from 10.0.0.0/8 (was the internet) on {G}",
        ),
        (
            modified(ssh(WORLD4, 0, 65535), ssh(WORLD4, 443, 443)),
            (ssh(WORLD4, 0, 65535),),
            f"Rule narrowed to tcp/443 from the internet (was all tcp ports) on {G}",
        ),
        (
            modified(ssh(INNER), ssh(WORLD4)),
            (ssh(INNER), ssh(WORLD4, 0, 65535)),
            f"Rule changed to tcp/22 from the internet (was 10.0.0.0/8) on {G}, which opens nothing new",
        ),
        (
            modified(ssh(WORLD4), ssh(WORLD4)._replace(description="x")),
            (ssh(WORLD4),),
            f"Description changed of tcp/22, the internet on {G}",
        ),
    ],
)
def test_a_title_opens_only_what_was_closed(made: Change, before: tuple[SecurityGroupRule, ...], expected: str) -> None:
    assert enriched(made, before)[0] == expected


CIDRS = st.sampled_from(
    [
        *(WORLD4, INNER, "0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/3", "32.0.0.0/3", "8.0.0.0/8", "203.0.113.0/24"),
        *("::/0", "::/1", "8000::/1", "2000::/6", "2400::/6", "fd00::/8"),
    ]
)
PORTS = st.sampled_from([(22, 22), (80, 80), (443, 443), (0, 65535), (20, 8080), (8443, 8443)])
RULES = st.one_of(
    st.builds(lambda cidr, ports, way: ssh(cidr, ports[0], ports[1], way), CIDRS, PORTS, st.sampled_from(Direction)),
    st.builds(lambda cidr: ssh(cidr)._replace(protocol="-1", from_port=None, to_port=None), CIDRS),
)
SEVERAL = st.lists(RULES, max_size=4, unique_by=lambda rule: rule.identity).map(tuple)
PROBED = (None, 0, 20, 22, 23, 80, 443, 444, 8080, 8443, 65535)


def lets_in(rule: SecurityGroupRule, port: int | None) -> bool:
    """Whether the rule is for this TCP port, or (None) for a protocol without ports."""
    low, high = rule.ports
    within = port is not None and low is not None and high is not None and low <= port <= high
    return rule.direction is Direction.INGRESS and (rule.protocol == "-1" or within)


NOT_PUBLIC = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    *("224.0.0.0/3", "::/3", "4000::/2", "8000::/1"),
]
QUARTER = {4: 925_597_696, 6: 2**123}


def reached(rules: Iterable[SecurityGroupRule], port: int | None, version: int) -> tuple[bool, bool]:
    """Whether a quarter of the public addresses is let in, and whether all addresses are: counted piece by piece."""
    peers = [ip_network(rule.peer.value) for rule in rules if lets_in(rule, port)]
    hidden = [ip_network(text) for text in NOT_PUBLIC]
    flagged = [*((net, False) for net in peers), *((net, True) for net in hidden)]
    spans = [(int(net[0]), int(net[-1]) + 1, net.version, is_hidden) for net, is_hidden in flagged]
    spans = [span for span in spans if span[2] == version]
    end = 2 ** (32 if version == 4 else 128)
    cuts = sorted({0, end, *(edge for first, last, _, _ in spans for edge in (first, last))})
    public = held = 0
    for low, high in pairwise(cuts):
        around = [is_hidden for first, last, _, is_hidden in spans if first <= low and high <= last]
        if False in around:
            held += high - low
            public += 0 if True in around else high - low
    return public >= QUARTER[version], held == end


@settings(max_examples=examples(400))
@given(before=SEVERAL, new=SEVERAL.filter(bool), data=st.data())
def test_title_exposures_and_severity_agree_on_what_is_opened_to_the_internet(
    before: tuple[SecurityGroupRule, ...], new: tuple[SecurityGroupRule, ...], data: st.DataObject
) -> None:
    replaced = data.draw(st.sampled_from([None, *before]))
    if replaced is None:
        made, after = added(*new), (*before, *new)
    else:
        made, after = modified(replaced, new[0]), (*(rule for rule in before if rule != replaced), new[0])
    told, exposures = enriched(made, before)
    states = [(reached(before, port, version), reached(after, port, version)) for port in PROBED for version in (4, 6)]
    opened = {item.opens for item in exposures}
    of_internet = bool(opened & {Opens.WORLD, Opens.QUARTER})
    assert bool(re.search("open(ed)? to (the internet|a quarter)", told)) == of_internet, (told, exposures)
    if any(after_quarter and not before_quarter for (before_quarter, _), (after_quarter, _) in states):
        assert of_internet, (told, exposures)
    if of_internet:
        assert any(after_quarter for _, (after_quarter, _) in states), (told, exposures)
    if Opens.WORLD in opened:
        assert any(after_all and not before_all for (_, before_all), (_, after_all) in states), (told, exposures)
    assert severity_of(exposures) is exposures[0].severity
    if severity_of(exposures) is Severity.CRITICAL:
        assert of_internet


@pytest.mark.parametrize(
    ("name", "request_parameters", "asked"),
    [
        ("ModifyNetworkInterfaceAttribute", {"networkInterfaceId": "eni-1", "groupSet": ["sg-1"]}, "gives sg-1"),
        ("ModifyVpcEndpoint", {"vpcEndpointId": "vpce-1", "addSecurityGroupIds": ["sg-1"]}, "adds sg-1"),
        ("ModifyVpcEndpoint", {"vpcEndpointId": "vpce-1", "removeSecurityGroupIds": ["sg-2"]}, "removes sg-2"),
        (
            "ModifyVpcEndpoint",
            {"vpcEndpointId": "vpce-1", "addSecurityGroupIds": ["sg-1"], "removeSecurityGroupIds": ["sg-2", "sg-3"]},
            "adds sg-1 and removes sg-2, sg-3",
        ),
        (
            "ModifyInstanceAttribute",
            {"instanceId": "i-1", "groupSet": [f"sg-{place}" for place in range(20)]},
            "gives " + ", ".join(f"sg-{place}" for place in range(16)) + " and 4 more groups",
        ),
    ],
)
def test_a_refused_attachment_says_which_groups_it_asked_for(name: str, request_parameters: r.Json, asked: str) -> None:
    alert = alert_of(r.record(name, request_parameters, None, errorCode=r.DENIED))
    assert f"{name} (the call {asked}) was denied; nothing changed." in alert.summary


def test_a_refused_call_that_names_no_group_is_no_attempt_on_groups() -> None:
    raw = r.record("ModifyVpcEndpoint", {"vpcEndpointId": "vpce-1", "resetPolicy": True}, None, errorCode=r.DENIED)
    assert alert_of(raw).title == "Denied: modifying VPC endpoint vpce-1"


def test_a_resolver_that_was_only_described_changed_no_list() -> None:
    raw = r.record("ModifyIpamPrefixListResolver", {"ipamPrefixListResolverId": "ipam-1", "description": "x"})
    assert alert_of(raw).title == "IPAM resolver ipam-1 modified, its rules untouched"


def test_what_several_rules_let_out_together_is_said_before_what_each_does() -> None:
    told = alert_of(authorize(permission("-1", v4=("0.0.0.0/1", "128.0.0.0/1")), direction="Egress"))
    assert "All traffic may leave to the internet (0.0.0.0/0). Several rules do this together" in told.summary
