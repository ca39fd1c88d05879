"""What a change is worth: the severity table, row by row and at its edges, and the controls it breaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.cloudtrail.catalog import EC2, lookup
from chalicelib.cloudtrail.records import read_record
from chalicelib.exposure.judge import Exposure, Opens, PrefixList, judge, severity_of
from chalicelib.security_groups.changes import Change, Changes, Outcome
from chalicelib.security_groups.lookup_result import GroupInfo, LookupResult, ResolvedChange
from chalicelib.security_groups.parse import read_change
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from tests.support import records as r
from tests.support.records import Json, authorize, items, permission, revoke
from tests.support.rows import every

SSH_CONTROLS = {"EC2.13", "EC2.18", "EC2.19", "EC2.53", "CIS v5.0.0/5.3"}
RDP_CONTROLS = {"EC2.14", "EC2.18", "EC2.19", "EC2.53", "CIS v5.0.0/5.3"}
ALL_CONTROLS = SSH_CONTROLS | RDP_CONTROLS
V6 = {"EC2.53": "EC2.54", "CIS v5.0.0/5.3": "CIS v5.0.0/5.4"}
HIGH_RISK = {"EC2.18", "EC2.19"}
OPEN = {"EC2.18"}
NONE: set[str] = set()


def for_ipv6(controls: set[str]) -> set[str]:
    return {V6.get(control, control) for control in controls}


def tcp(low: object, high: object = None, v4: str = "0.0.0.0/0") -> Json:
    return permission("tcp", low, high, v4=(v4,))


def udp(low: object, high: object = None, v4: str = "0.0.0.0/0") -> Json:
    return permission("udp", low, high, v4=(v4,))


def other(protocol: str, v4: str = "0.0.0.0/0") -> Json:
    return permission(protocol, None, v4=(v4,))


def tcp6(low: object, high: object = None, v6: str = "::/0") -> Json:
    return permission("tcp", low, high, v6=(v6,))


INGRESS: list[tuple[str, tuple[Json, ...], str, set[str]]] = [
    ("all traffic", (other("-1"),), "critical", ALL_CONTROLS),
    ("all traffic, IPv6", (permission("-1", None, v6=("::/0",)),), "critical", for_ipv6(ALL_CONTROLS)),
    ("ssh", (tcp(22),), "critical", SSH_CONTROLS),
    ("ssh, IPv6", (tcp6(22),), "critical", for_ipv6(SSH_CONTROLS)),
    ("ssh over udp", (udp(22),), "critical", SSH_CONTROLS - {"EC2.13"}),
    ("telnet", (tcp(23),), "critical", HIGH_RISK),
    ("rdp", (tcp(3389),), "critical", RDP_CONTROLS),
    ("rdp over udp", (udp(3389),), "critical", RDP_CONTROLS - {"EC2.14"}),
    ("winrm", (tcp(5985),), "critical", OPEN),
    ("winrm over tls", (tcp(5986),), "critical", OPEN),
    ("beside winrm", (tcp(5987),), "high", OPEN),
    ("all tcp ports", (tcp(0, 65535),), "critical", ALL_CONTROLS),
    ("all udp ports", (udp(0, 65535),), "critical", ALL_CONTROLS - {"EC2.13", "EC2.14"}),
    ("tcp without ports", (permission("tcp", None, v4=("0.0.0.0/0",)),), "critical", ALL_CONTROLS),
    ("a range that ends at 20", (tcp(1, 20),), "critical", HIGH_RISK),
    ("a range below every risky port", (tcp(1, 19),), "high", OPEN),
    ("a range that begins at 22", (tcp(22, 24),), "critical", SSH_CONTROLS),
    ("port 24", (tcp(24),), "high", OPEN),
    ("ports as text", (tcp("22", "22"),), "critical", SSH_CONTROLS),
    ("protocol by number", (permission("6", 22, v4=("0.0.0.0/0",)),), "critical", SSH_CONTROLS),
    ("http", (tcp(80),), "medium", NONE),
    ("https", (tcp(443),), "medium", NONE),
    ("http and https", (tcp(80), tcp(443)), "medium", NONE),
    ("https, IPv6", (tcp6(443),), "medium", NONE),
    ("https over udp", (udp(443),), "medium", OPEN),
    ("79 to 80", (tcp(79, 80),), "high", OPEN),
    ("80 to 81", (tcp(80, 81),), "high", OPEN),
    ("80 to 443 holds POP3", (tcp(80, 443),), "critical", HIGH_RISK),
    ("8443", (tcp(8443),), "high", OPEN),
    ("dns over udp", (udp(53),), "high", OPEN),
    ("icmp", (permission("icmp", -1, v4=("0.0.0.0/0",)),), "medium", NONE),
    ("ping only", (permission("icmp", 8, -1, v4=("0.0.0.0/0",)),), "medium", NONE),
    ("icmp by number", (permission("1", -1, v4=("0.0.0.0/0",)),), "medium", NONE),
    ("icmpv6", (permission("icmpv6", -1, v6=("::/0",)),), "medium", NONE),
    ("icmpv6 by number", (permission("58", -1, v6=("::/0",)),), "medium", NONE),
    ("esp", (other("50"),), "high", NONE),
    ("gre", (other("47"),), "high", NONE),
    ("two halves, same port", (tcp(22, v4="0.0.0.0/1"), tcp(22, v4="128.0.0.0/1")), "critical", SSH_CONTROLS),
    (
        "two halves in one permission",
        (permission("tcp", 22, v4=("0.0.0.0/1", "128.0.0.0/1")),),
        "critical",
        SSH_CONTROLS,
    ),
    (
        "two halves, ports overlap at 22",
        (tcp(20, 22, "0.0.0.0/1"), tcp(22, 30, "128.0.0.0/1")),
        "critical",
        SSH_CONTROLS,
    ),
    ("two halves, ports overlap at 8443", (tcp(6000, 8000, "0.0.0.0/1"), tcp(8000, 8050, "128.0.0.0/1")), "high", OPEN),
    ("two halves, ports apart", (tcp(9000, 9100, "0.0.0.0/1"), tcp(9101, 9150, "128.0.0.0/1")), "high", NONE),
    ("two halves, one of all traffic", (other("-1", "0.0.0.0/1"), tcp(22, v4="128.0.0.0/1")), "critical", SSH_CONTROLS),
    ("two halves, tcp and udp", (tcp(8443, v4="0.0.0.0/1"), udp(8443, v4="128.0.0.0/1")), "high", NONE),
    ("IPv6 halves", (tcp6(22, v6="::/1"), tcp6(22, v6="8000::/1")), "critical", for_ipv6(SSH_CONTROLS)),
    ("halves of both families", (tcp(8443, v4="0.0.0.0/1"), tcp6(8443, v6="8000::/1")), "high", NONE),
    ("quarters", tuple(tcp(22, v4=f"{first}.0.0.0/2") for first in (0, 64, 128, 192)), "critical", SSH_CONTROLS),
    ("three quarters", tuple(tcp(22, v4=f"{first}.0.0.0/2") for first in (0, 64, 128)), "critical", NONE),
    ("halves to https", (tcp(443, v4="0.0.0.0/1"), tcp(443, v4="128.0.0.0/1")), "medium", NONE),
    ("/8 to ssh", (tcp(22, v4="8.0.0.0/8"),), "high", NONE),
    ("/9 to ssh", (tcp(22, v4="8.0.0.0/9"),), "medium", NONE),
    ("/8 to all traffic", (other("-1", "8.0.0.0/8"),), "high", NONE),
    ("/8 to https", (tcp(443, v4="8.0.0.0/8"),), "medium", NONE),
    ("/8 to 8443", (tcp(8443, v4="8.0.0.0/8"),), "medium", NONE),
    ("/8 of another protocol", (other("50", "8.0.0.0/8"),), "medium", NONE),
    ("/16 IPv6 to ssh", (tcp6(22, v6="2600::/16"),), "high", NONE),
    ("/17 IPv6 to ssh", (tcp6(22, v6="2600::/17"),), "medium", NONE),
    ("10.0.0.0/7 is half public", (tcp(22, v4="10.0.0.0/7"),), "high", NONE),
    ("one address", (tcp(22, v4="203.0.113.9/32"),), "medium", NONE),
    ("documentation range", (tcp(22, v4="192.0.2.0/24"),), "medium", NONE),
    ("documentation range, IPv6", (tcp6(22, v6="2001:db8::/32"),), "medium", NONE),
    ("private, class A", (tcp(22, v4="10.0.0.0/8"),), "low", NONE),
    ("private, class B", (tcp(22, v4="172.31.0.0/16"),), "low", NONE),
    ("beyond class B", (tcp(22, v4="172.32.0.0/16"),), "medium", NONE),
    ("private, class C", (tcp(0, 65535, "192.168.1.0/24"),), "low", NONE),
    ("shared", (tcp(22, v4="100.64.0.0/10"),), "low", NONE),
    ("beyond shared", (tcp(22, v4="100.64.0.0/9"),), "medium", NONE),
    ("loopback", (tcp(22, v4="127.0.0.1/32"),), "low", NONE),
    ("unique local", (tcp6(22, v6="fd00:1234::/32"),), "low", NONE),
    ("IPv6 loopback", (tcp6(22, v6="::1/128"),), "low", NONE),
    ("same account's group", (permission(groups=(r.PEER_ID,)),), "low", NONE),
    ("same account's group, told", (permission(groups=({"groupId": r.PEER_ID, "userId": r.ACCOUNT},)),), "low", NONE),
    (
        "another account's group",
        (permission(groups=({"groupId": r.PEER_ID, "userId": r.OTHER_ACCOUNT},)),),
        "medium",
        NONE,
    ),
    ("prefix list", (permission(lists=(r.LIST_ID,)),), "medium", NONE),
    ("a range that is none", (tcp(22, v4="everywhere"),), "high", NONE),
    ("the worst of several", (tcp(443), tcp(22, v4="10.0.0.0/8"), tcp(3389)), "critical", RDP_CONTROLS),
    ("an IpPermission without a peer", (permission(),), "high", NONE),
]


def seen(alert: Any) -> tuple[str, set[str]]:
    return alert.severity, {control for item in alert.exposures for control in item.controls}


@every(("permissions", "severity", "controls"), [row[1:] for row in INGRESS], ids=[row[0] for row in INGRESS])
def test_added_ingress(permissions: tuple[Json, ...], severity: str, controls: set[str]) -> None:
    assert seen(alert_of(authorize(*permissions))) == (severity, controls)


@pytest.mark.parametrize(
    ("permissions", "severity"),
    [
        ((other("-1"),), "medium"),
        ((permission("-1", None, v6=("::/0",)),), "medium"),
        ((other("-1", "0.0.0.0/1"), other("-1", "128.0.0.0/1")), "medium"),
        ((other("-1", "0.0.0.0/1"),), "medium"),
        ((other("-1", "0.0.0.0/3"),), "low"),
        ((other("-1", "0.0.0.0/3"), other("-1", "32.0.0.0/3")), "medium"),
        ((other("-1", "everywhere"),), "medium"),
        ((tcp(0, 65535),), "low"),
        ((tcp(22),), "low"),
        ((other("-1", "10.0.0.0/8"),), "low"),
        ((permission(groups=(r.PEER_ID,)),), "low"),
    ],
)
def test_added_egress(permissions: tuple[Json, ...], severity: str) -> None:
    assert seen(alert_of(authorize(*permissions, direction="Egress"))) == (severity, NONE)


OTHER_EVENTS: list[tuple[str, Json, str]] = [
    ("group created", r.create(), "low"),
    ("group deleted", r.delete(), "medium"),
    ("vpc associated", r.association(), "low"),
    ("vpc disassociated", r.association("DisassociateSecurityGroupVpc"), "low"),
    ("described by values", r.describe_by_values(), "info"),
    ("described by ids", r.describe_by_ids(), "info"),
    ("ingress removed", revoke(tcp(22)), "low"),
    ("egress removed", revoke(other("-1"), direction="Egress"), "low"),
    ("removed by ids", r.revoke_by_ids(r.RULE_ID), "low"),
    ("modified to the world, before unknown", r.modify(r.new_values(CidrIpv4="0.0.0.0/0")), "critical"),
    ("modified to https, before unknown", r.modify(r.new_values(low=443, CidrIpv4="0.0.0.0/0")), "medium"),
    ("modified to a private range", r.modify(r.new_values(CidrIpv4="10.0.0.0/8")), "low"),
    ("modified to a prefix list", r.modify(r.new_values(PrefixListId=r.LIST_ID)), "medium"),
    ("modified to a group", r.modify(r.new_values(ReferencedGroupId=r.PEER_ID)), "low"),
    (
        "modified into halves",
        r.modify(r.new_values(CidrIpv4="0.0.0.0/1"), r.new_values("sgr-2", 2, CidrIpv4="128.0.0.0/1")),
        "critical",
    ),
    ("ingress to the default group", authorize(tcp(22, v4="10.0.0.0/8"), group={"groupName": "default"}), "high"),
    (
        "egress of the default group",
        authorize(tcp(22, v4="10.0.0.0/8"), group={"groupName": "default"}, direction="Egress"),
        "low",
    ),
    ("world to the default group", authorize(tcp(22), group={"groupName": "default"}), "critical"),
    ("removed from the default group", revoke(tcp(22), group={"groupName": "default"}), "low"),
    ("denied", authorize(tcp(22), errorCode=r.DENIED), "medium"),
    ("denied, root", authorize(tcp(22), errorCode=r.DENIED, userIdentity=r.ROOT), "medium"),
    ("denied deletion", r.delete(errorCode=r.DENIED), "medium"),
    ("failed", authorize(tcp(22), errorCode=r.FAILED), "info"),
    ("failed, root", authorize(tcp(22), errorCode=r.FAILED, userIdentity=r.ROOT), "medium"),
    ("dry run", authorize(tcp(22), errorCode=r.DRY_RUN), "info"),
    ("dry run, root", authorize(tcp(22), errorCode=r.DRY_RUN, userIdentity=r.ROOT), "info"),
    ("private ingress by root", authorize(tcp(22, v4="10.0.0.0/8"), userIdentity=r.ROOT), "high"),
    ("world by root", authorize(tcp(22), userIdentity=r.ROOT), "critical"),
    ("descriptions by root", r.describe_by_values(userIdentity=r.ROOT), "high"),
    ("removal by root", revoke(tcp(22), userIdentity=r.ROOT), "high"),
    ("creation by root", r.create(userIdentity=r.ROOT), "high"),
    ("not understood", authorize(requestParameters=None), "high"),
    (
        "attachment",
        r.record("ModifyInstanceAttribute", {"instanceId": "i-1", "groupSet": items({"groupId": "sg-1"})}),
        "low",
    ),
    (
        "prefix list opened",
        r.wrapped("ModifyManagedPrefixList", {"PrefixListId": r.LIST_ID, "AddEntry": {"Cidr": "203.0.113.0/24"}}),
        "medium",
    ),
    (
        "prefix list narrowed",
        r.wrapped("ModifyManagedPrefixList", {"PrefixListId": r.LIST_ID, "RemoveEntry": {"Cidr": "203.0.113.0/24"}}),
        "low",
    ),
    ("trail stopped", r.record("StopLogging", {"name": "t"}, eventSource="cloudtrail.amazonaws.com"), "high"),
    (
        "trail stop denied",
        r.record("StopLogging", {"name": "t"}, eventSource="cloudtrail.amazonaws.com", errorCode="AccessDenied"),
        "medium",
    ),
]


@every(("record", "severity"), [row[1:] for row in OTHER_EVENTS], ids=[row[0] for row in OTHER_EVENTS])
def test_other_events(record: Json, severity: str) -> None:
    assert alert_of(record).severity == severity


def test_the_default_group_breaks_its_controls() -> None:
    alert = alert_of(authorize(tcp(22, v4="10.0.0.0/8"), group={"groupName": "default"}))
    assert seen(alert)[1] == {"EC2.2", "CIS v5.0.0/5.5"}


def test_egress_breaks_the_default_groups_controls_too() -> None:
    alert = alert_of(authorize(other("-1"), group={"groupName": "default"}, direction="Egress"))
    assert seen(alert) == ("medium", {"EC2.2", "CIS v5.0.0/5.5"})


def rule(cidr: str, low: int | None = 22, high: int | None = None, protocol: str = "tcp") -> SecurityGroupRule:
    peer = Peer(PeerType.IPV6 if ":" in cidr else PeerType.IPV4, cidr)
    return SecurityGroupRule(Direction.INGRESS, protocol, low, low if high is None else high, peer)


def judged(
    change: Change,
    *,
    before: tuple[SecurityGroupRule, ...] | None = None,
    prefix_lists: Mapping[str, PrefixList] | None = None,
) -> tuple[Exposure, ...]:
    looked_up = LookupResult(prefix_lists=prefix_lists or {})
    return judge(ResolvedChange(change, before), looked_up, by_root=False)


def modified(*pairs: tuple[SecurityGroupRule, SecurityGroupRule]) -> Change:
    event = lookup(EC2, "ModifySecurityGroupRules")
    assert event is not None
    changes = Changes(modified=tuple(ModifiedRule(*pair) for pair in pairs))
    return Change(event, Outcome.SUCCEEDED, group_id=r.GROUP_ID, changes=changes)


@pytest.mark.parametrize(
    ("before", "after", "severity"),
    [
        (rule("10.0.0.0/8"), rule("0.0.0.0/0"), "critical"),
        (rule("0.0.0.0/0"), rule("10.0.0.0/8"), "low"),
        (rule("0.0.0.0/0", 0, 65535), rule("0.0.0.0/0", 22), "low"),
        (rule("0.0.0.0/0", 443), rule("0.0.0.0/0", 22), "critical"),
        (rule("0.0.0.0/0", 22), rule("0.0.0.0/0", 22, 8000), "critical"),
        (rule("0.0.0.0/0", 22), rule("0.0.0.0/0", 22, 24), "critical"),
        (rule("0.0.0.0/0", 22), rule("0.0.0.0/0", 21, 22), "critical"),
        (rule("0.0.0.0/0", 22, 23), rule("0.0.0.0/0", 22, 24), "high"),
        (rule("0.0.0.0/0", None, None, "-1"), rule("0.0.0.0/0", 22), "low"),
        (rule("0.0.0.0/0", 22), rule("::/0", 22), "critical"),
        (rule("0.0.0.0/1", 22), rule("0.0.0.0/0", 22), "critical"),
        (rule("203.0.113.0/24"), rule("203.0.112.0/23"), "medium"),
        (rule("203.0.112.0/23"), rule("203.0.113.0/24"), "low"),
        (rule("0.0.0.0/0", 22), (rule("0.0.0.0/0", 22))._replace(description="x"), "info"),
    ],
)
def test_a_modified_rule_is_judged_by_what_it_opens_beyond_its_former_self(
    before: SecurityGroupRule, after: SecurityGroupRule, severity: str
) -> None:
    assert severity_of(judged(modified((before, after)))) == severity


def test_narrowing_is_good_news() -> None:
    (exposure,) = judged(modified((rule("0.0.0.0/0"), rule("10.0.0.0/8"))))
    assert exposure.reason.startswith("Good news")
    assert exposure.controls == ()


def test_of_two_rules_that_change_places_each_is_judged_by_its_own_former_self() -> None:
    world, office = rule("0.0.0.0/0"), rule("203.0.113.0/24")
    exposures = judged(modified((office, world), (world, office)))
    assert severity_of(exposures) == "critical"


def added(*new: SecurityGroupRule) -> Change:
    event = lookup(EC2, "AuthorizeSecurityGroupIngress")
    assert event is not None
    return Change(event, Outcome.SUCCEEDED, group_id=r.GROUP_ID, changes=Changes(added=new))


def test_a_look_up_never_lowers_a_severity() -> None:
    everything = (rule("0.0.0.0/0", None, None, "-1"),)
    exposures = judged(added(rule("0.0.0.0/0")), before=everything)
    assert severity_of(exposures) == "critical"


def test_a_half_that_the_group_had_makes_the_other_half_the_world() -> None:
    half, other_half = rule("0.0.0.0/1"), rule("128.0.0.0/1")
    opened = judged(added(half), before=(other_half,))
    assert (opened[0].severity, opened[0].opens, set(opened[0].controls)) == ("critical", "world", SSH_CONTROLS)
    opened = judged(added(half))
    assert (opened[0].severity, opened[0].opens, opened[0].controls) == ("critical", "quarter", ())


def test_what_rises_to_a_quarter_with_what_the_group_had_is_the_world() -> None:
    eighth, other_eighth = rule("0.0.0.0/3"), rule("32.0.0.0/3")
    assert severity_of(judged(added(eighth))) == "high"
    assert severity_of(judged(added(eighth), before=(other_eighth,))) == "critical"
    before = (other_eighth, rule("64.0.0.0/2"))
    assert severity_of(judged(added(eighth), before=before)) == "high"


def test_a_half_that_became_the_other_half_is_not_the_world() -> None:
    halves = rule("128.0.0.0/1", 8443), rule("0.0.0.0/1", 8443)
    exposures = judged(modified(halves), before=halves[:1])
    assert (severity_of(exposures), {item.opens for item in exposures}) == ("high", {Opens.QUARTER})
    assert not any(item.controls for item in exposures)


def test_an_eighth_that_became_another_eighth_is_not_the_world() -> None:
    eighths = rule("0.0.0.0/3"), rule("32.0.0.0/3")
    assert severity_of(judged(modified(eighths), before=eighths[:1])) == "high"


def test_a_default_group_is_known_by_a_look_up_too() -> None:
    known = LookupResult(groups={r.GROUP_ID: GroupInfo(r.GROUP_ID, "default")})
    assert severity_of(judge(ResolvedChange(added(rule("10.0.0.0/8"))), known, by_root=False)) == "high"


@pytest.mark.parametrize(
    ("known", "severity"),
    [
        (PrefixList("com.amazonaws.eu-west-1.s3", aws_managed=True, cidrs=("0.0.0.0/0",)), "low"),
        (PrefixList("office", aws_managed=False, cidrs=("203.0.113.0/24",)), "medium"),
        (PrefixList("office", aws_managed=False, cidrs=("10.0.0.0/8",)), "low"),
        (PrefixList("office", aws_managed=False, cidrs=("10.0.0.0/8", "0.0.0.0/0")), "critical"),
        (PrefixList("office", aws_managed=False, cidrs=("0.0.0.0/1", "128.0.0.0/1")), "critical"),
        (PrefixList("office", aws_managed=False, cidrs=()), "low"),
    ],
)
def test_a_prefix_list_is_worth_what_is_in_it(known: PrefixList, severity: str) -> None:
    peer = Peer(PeerType.PREFIX_LIST, r.LIST_ID)
    change = added(SecurityGroupRule(Direction.INGRESS, "tcp", 22, 22, peer))
    assert severity_of(judged(change, prefix_lists={r.LIST_ID: known})) == severity


@pytest.mark.parametrize(
    ("cidrs", "is_whole", "severity", "alone"),
    [
        (("32.0.0.0/3",), True, "critical", "critical"),
        (("48.0.0.0/4", "32.0.0.0/4"), False, "critical", "critical"),
        (("1.0.0.0/8",), True, "high", "high"),
        (("8000::/1",), True, "high", "low"),
    ],
)
def test_a_range_and_a_prefix_list_that_together_are_a_quarter_of_the_internet_are_the_world(
    cidrs: tuple[str, ...], is_whole: bool, severity: str, alone: str
) -> None:
    through_list = SecurityGroupRule(Direction.INGRESS, "tcp", 22, 22, Peer(PeerType.PREFIX_LIST, r.LIST_ID))
    known = {r.LIST_ID: PrefixList("office", aws_managed=False, cidrs=cidrs, is_whole=is_whole)}
    eighth = rule("0.0.0.0/3")
    for change in (added(eighth, through_list), added(through_list, eighth)):
        assert severity_of(judged(change, prefix_lists=known)) == severity
    later = judged(added(through_list), before=(eighth,), prefix_lists=known)
    assert severity_of(later) == alone
    by_aws = {r.LIST_ID: PrefixList("com.amazonaws.s3", aws_managed=True, cidrs=cidrs)}
    assert severity_of(judged(added(eighth, through_list), prefix_lists=by_aws)) == "high"


def egress_to_list(protocol: str) -> Change:
    event = lookup(EC2, "AuthorizeSecurityGroupEgress")
    assert event is not None
    port = 443 if protocol == "tcp" else None
    peer = Peer(PeerType.PREFIX_LIST, r.LIST_ID)
    new = SecurityGroupRule(Direction.EGRESS, protocol, port, port, peer)
    return Change(event, Outcome.SUCCEEDED, group_id=r.GROUP_ID, changes=Changes(added=(new,)))


@pytest.mark.parametrize(
    ("protocol", "known", "severity"),
    [
        ("-1", None, "medium"),
        ("-1", PrefixList("everywhere", aws_managed=False, cidrs=("0.0.0.0/1", "128.0.0.0/1")), "medium"),
        ("-1", PrefixList("office", aws_managed=False, cidrs=("203.0.113.0/24",)), "low"),
        ("-1", PrefixList("office", aws_managed=False, cidrs=("203.0.113.0/24",), is_whole=False), "medium"),
        ("-1", PrefixList("com.amazonaws.eu-west-1.s3", aws_managed=True, cidrs=("0.0.0.0/0",)), "low"),
        ("tcp", None, "low"),
        ("tcp", PrefixList("everywhere", aws_managed=False, cidrs=("0.0.0.0/0",)), "low"),
    ],
)
def test_all_egress_to_a_prefix_list_counts_as_to_the_world_where_the_list_may_be_that(
    protocol: str, known: PrefixList | None, severity: str
) -> None:
    lists = {r.LIST_ID: known} if known else {}
    assert severity_of(judged(egress_to_list(protocol), prefix_lists=lists)) == severity


def test_every_exposure_of_a_rule_names_it_and_is_a_sentence() -> None:
    change = read_change(
        read_record(authorize(tcp(22), permission(lists=(r.LIST_ID,)), permission(groups=(r.PEER_ID,))))
    )
    exposures = judged(change)
    assert [item.rule for item in exposures] == list(change.changes.added)
    assert all(item.reason.endswith(".") for item in exposures)


def test_the_worst_reason_comes_first() -> None:
    alert = alert_of(authorize(tcp(22, v4="10.0.0.0/8"), tcp(443), tcp(22)))
    assert [item.severity for item in alert.exposures] == ["critical", "medium", "low"]


def test_an_attempt_has_one_reason_and_breaks_no_control() -> None:
    alert = alert_of(authorize(tcp(22), tcp(3389), errorCode=r.DENIED))
    assert [(item.severity, item.controls) for item in alert.exposures] == [("medium", ())]
    assert "nothing changed" in alert.exposures[0].reason


@pytest.mark.parametrize(
    ("opened", "sentence"),
    [
        ((tcp(22),), "AuthorizeSecurityGroupIngress (ingress tcp/22 from 0.0.0.0/0) was denied; nothing changed."),
        (
            (tcp(22), tcp(23)),
            (
                "AuthorizeSecurityGroupIngress (ingress tcp/22 from 0.0.0.0/0 and 1 more rule) was denied; "
                "nothing changed."
            ),
        ),
    ],
)
def test_an_attempt_is_a_sentence_however_many_rules_it_had(opened: tuple[Json, ...], sentence: str) -> None:
    assert alert_of(authorize(*opened, errorCode=r.DENIED)).exposures[0].reason == sentence


@pytest.mark.parametrize(
    ("opened", "sentence"),
    [
        (tcp(22), "Anyone on the internet (0.0.0.0/0) can reach tcp/22 (SSH), a high-risk port."),
        (tcp(8443), "Anyone on the internet (0.0.0.0/0) can reach tcp/8443."),
        (
            tcp(8000, 8085),
            (
                "Anyone on the internet (0.0.0.0/0) can reach tcp/8000-8085, "
                "with the high-risk port 8080 (proxy) among them."
            ),
        ),
        (
            tcp(20, 25),
            (
                "Anyone on the internet (0.0.0.0/0) can reach tcp/20-25, "
                "with high-risk ports among them: 22 (SSH), 23 (Telnet), 20 (FTP) and 2 more."
            ),
        ),
        (
            other("-1"),
            "Anyone on the internet (0.0.0.0/0) can send any traffic on every port, SSH and RDP included.",
        ),
        (tcp(22, v4="10.0.0.0/8"), "10.0.0.0/8 (private addresses) can reach tcp/22."),
        (tcp(22, v4="10.0.0.5/32"), "10.0.0.5/32 (a private address) can reach tcp/22."),
        (tcp6(8443, v6="2001:db8::1/128"), "2001:db8::1/128 (a public address) can reach tcp/8443."),
        (tcp6(8443, v6="2001:db8::/64"), "2001:db8::/64 (public addresses) can reach tcp/8443."),
        (tcp6(8443, v6="fc00::/6"), "fc00::/6 (reserved addresses) can reach tcp/8443."),
        (
            tcp(22, v4="203.0.113.0/24"),
            "203.0.113.0/24 (256 public addresses) can reach tcp/22 (SSH), a high-risk port.",
        ),
    ],
)
def test_an_exposure_says_at_a_glance_who_reaches_what(opened: Json, sentence: str) -> None:
    assert alert_of(authorize(opened)).exposures[0].reason == sentence


@pytest.mark.parametrize(
    "updates",
    [
        (r.new_values(CidrIpv4="0.0.0.0/0"),),
        (r.new_values(CidrIpv4="0.0.0.0/1"), r.new_values("sgr-2", 2, CidrIpv4="128.0.0.0/1")),
    ],
)
def test_a_rule_of_unknown_direction_is_judged_as_ingress_and_the_doubt_is_said(updates: tuple[Json, ...]) -> None:
    worst, *_ = alert_of(r.modify(*updates)).exposures
    assert worst.severity == "critical"
    assert worst.reason.endswith("That is so if the rule is one of ingress, which the record does not say.")


def test_that_it_takes_several_ranges_is_a_sentence_of_its_own() -> None:
    halves = permission("tcp", 22, v4=("0.0.0.0/1", "128.0.0.0/1"))
    assert alert_of(authorize(halves)).exposures[0].reason == (
        "Anyone on the internet (0.0.0.0/0) can reach tcp/22 (SSH), a high-risk port. "
        "Several rules do this together: their ranges cover every address."
    )
