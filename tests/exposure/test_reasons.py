"""What a reason says, whole: each word of it depends on something."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.alert.build import alert_of, not_of_our_rule
from chalicelib.cloudtrail.catalog import lookup
from chalicelib.cloudtrail.records import read_record
from chalicelib.exposure.judge import judge
from chalicelib.exposure.opened_rules import in_order
from chalicelib.security_groups.address_ranges import joined, parse_range
from chalicelib.security_groups.changes import Attachment, Change, Changes, Outcome
from chalicelib.security_groups.lookup_result import GroupInfo, Interface, LookupResult, PrefixList, ResolvedChange
from chalicelib.security_groups.parse import read_change
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule, diff
from chalicelib.security_groups.severity import Exposure, ExposureKind, Opens, Severity
from chalicelib.security_groups.unknowns import Unknown, UnknownTopic, other, shortened, unread_parts, without
from tests.support import records as r

LIST = r.LIST_ID


def rule(
    value: str, port: int | None = 22, direction: Direction = Direction.INGRESS, protocol: str = "tcp"
) -> SecurityGroupRule:
    kind = PeerType.PREFIX_LIST if value.startswith("pl-") else PeerType.IPV6 if ":" in value else PeerType.IPV4
    return SecurityGroupRule(direction, protocol, port, port, Peer(kind, value))


def judged(
    changes: Changes,
    looked_up: LookupResult = LookupResult(),  # noqa: B008 - a tuple of what nobody changes
    before: tuple[SecurityGroupRule, ...] | None = None,
    *,
    name: str = "AuthorizeSecurityGroupIngress",
    by_root: bool = False,
) -> tuple[Exposure, ...]:
    event = lookup("ec2.amazonaws.com", name)
    assert event is not None
    made = Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=changes)
    known = ResolvedChange(made, before, is_whole=before is not None)
    return judge(known, looked_up, by_root=by_root, account_id=r.ACCOUNT)


def added(*rules: SecurityGroupRule) -> Changes:
    return Changes(added=rules)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("8.0.0.0/8", "tcp/8080 (proxy), a high-risk port. That is a public range of /8 or wider."),
        ("2600::/16", "tcp/8080 (proxy), a high-risk port. That is a public range of /16 or wider."),
        ("8.0.0.0/9", "8.0.0.0/9 (8,388,608 public addresses) can reach tcp/8080 (proxy), a high-risk port."),
    ],
)
def test_a_wide_public_range_is_said_after_who_can_do_what(value: str, reason: str) -> None:
    (only, *_) = judged(added(rule(value, 8080)))
    assert only.reason.endswith(reason)
    assert only.reason.startswith(f"{value} (")


def test_by_root_is_a_reason_of_its_own() -> None:
    found = judged(added(rule("10.0.0.0/8")), by_root=True)
    assert (found[0].severity, found[0].kind) == (Severity.HIGH, ExposureKind.ROOT)


def known_list(*cidrs: str, name: str | None = "corp", owner: str = r.ACCOUNT, whole: bool = True) -> LookupResult:
    return LookupResult(
        prefix_lists={LIST: PrefixList(name, aws_managed=False, cidrs=cidrs, is_whole=whole, owner_id=owner)}
    )


@pytest.mark.parametrize(
    ("looked_up", "said"),
    [
        (known_list("0.0.0.0/0"), "All traffic may leave to the internet (0.0.0.0/0) through prefix list corp."),
        (known_list("0.0.0.0/2"), "All traffic may leave to a quarter or more of the internet through prefix list"),
        (known_list("0.0.0.0/0", name=None), f"through prefix list {LIST}."),
        (known_list("10.0.0.0/8", whole=False), "of which not all addresses are known"),
        (known_list("10.0.0.0/8", owner=r.OTHER_ACCOUNT), f"of account {r.OTHER_ACCOUNT}, which can change it unseen"),
        (LookupResult(), f"prefix list {LIST}, whose addresses are not known"),
    ],
)
def test_all_egress_to_a_list_says_what_is_known_of_it(looked_up: LookupResult, said: str) -> None:
    out = rule(LIST, None, Direction.EGRESS, "-1")
    worst, *_ = judged(added(out), looked_up, name="AuthorizeSecurityGroupEgress")
    assert (worst.severity, said in worst.reason) == (Severity.MEDIUM, True), worst.reason


def test_all_egress_to_what_cannot_be_read_may_be_anywhere() -> None:
    out = rule("00.0.0.0/0", None, Direction.EGRESS, "-1")
    worst, *_ = judged(added(out), name="AuthorizeSecurityGroupEgress")
    assert "00.0.0.0/0, which cannot be read and may be anywhere" in worst.reason


def test_of_a_list_with_both_ip_versions_each_is_judged_and_said_by_its_own_ranges() -> None:
    worst, *_ = judged(added(rule(LIST)), known_list("8.0.0.0/24", "2600::/48"))
    assert worst.severity == "medium"
    only_v6, *_ = judged(added(rule(LIST)), known_list("10.0.0.0/8", "2600::/48"))
    assert "2600::/48" in only_v6.reason
    assert "10.0.0.0/8" not in only_v6.reason


@pytest.mark.parametrize("protocol", ["tcp", "-1"])
def test_of_a_lists_addresses_the_worst_count(protocol: str) -> None:
    port = 22 if protocol == "tcp" else None
    found = judged(added(rule(LIST, port, protocol=protocol)), known_list("0.0.0.0/0", "10.0.0.0/8"))
    assert [item.severity for item in found] == ["critical"]


def test_who_could_before_is_said_of_ingress_alone() -> None:
    before = (rule("10.0.0.0/8"), rule("10.0.0.0/8", direction=Direction.EGRESS))
    worst, *_ = judged(added(rule("0.0.0.0/0")), LookupResult(), before)
    assert "10.0.0.0/8" in worst.reason
    out = rule("0.0.0.0/0", None, Direction.EGRESS, "-1")
    worst, *_ = judged(added(out), LookupResult(), before, name="AuthorizeSecurityGroupEgress")
    assert "10.0.0.0/8" not in worst.reason


def test_a_public_address_raises_no_egress_and_no_group() -> None:
    interfaces = LookupResult(interfaces=(Interface("eni-1", public_addresses=("203.0.113.7",)),))
    out = rule("0.0.0.0/0", None, Direction.EGRESS, "-1")
    (worst, *_) = judged(added(out), interfaces, name="AuthorizeSecurityGroupEgress")
    assert (worst.severity, "203.0.113.7" in worst.reason) == (Severity.MEDIUM, False)
    peer = SecurityGroupRule(
        Direction.INGRESS, "tcp", 22, 22, Peer(PeerType.SECURITY_GROUP, "sg-2", account_id=r.OTHER_ACCOUNT)
    )
    (worst, *_) = judged(added(peer), interfaces)
    assert (worst.severity, "203.0.113.7" in worst.reason) == (Severity.MEDIUM, False)
    (worst, *_) = judged(added(rule("0.0.0.0/0", 8080)), interfaces)
    assert (worst.severity, "203.0.113.7" in worst.reason) == (Severity.CRITICAL, True)


@pytest.mark.parametrize(
    ("cidrs", "severity", "said"),
    [
        (("10.0.0.0/8",), "low", "adds no public range"),
        (("10.0.0.0/8", "203.0.113.0/24"), "medium", "now also mean 203.0.113.0/24."),
        (("x", "10.0.0.0/8"), "medium", "now also mean x, which cannot be read."),
        (("x", "203.0.113.0/24"), "medium", "now also mean 203.0.113.0/24 and x, which cannot be read."),
    ],
)
def test_of_a_lists_new_entries_the_public_and_the_unreadable_ones_are_said(
    cidrs: tuple[str, ...], severity: str, said: str
) -> None:
    request = {"PrefixListId": LIST, "AddEntry": [{"Cidr": cidr} for cidr in cidrs]}
    change = read_change(read_record(r.wrapped("ModifyManagedPrefixList", request)))
    worst, *_ = judge(ResolvedChange(change), by_root=False, account_id=r.ACCOUNT)
    assert (worst.severity, said in worst.reason) == (severity, True), worst.reason


def test_a_changed_list_without_a_name_goes_by_its_id() -> None:
    request = {"PrefixListId": LIST, "AddEntry": {"Cidr": "0.0.0.0/0"}}
    change = read_change(read_record(r.wrapped("ModifyManagedPrefixList", request)))
    groups = {"sg-1": GroupInfo("sg-1", "web", rules=(rule(LIST),))}
    for name in (None, "corp"):
        looked_up = known_list(name=name)._replace(groups=groups)
        worst, *_ = judge(ResolvedChange(change), looked_up, by_root=False, account_id=r.ACCOUNT)
        assert f"prefix list {name or LIST}" in worst.reason
    worst, *_ = judge(ResolvedChange(change), LookupResult(groups=groups), by_root=False, account_id=r.ACCOUNT)
    assert f"prefix list {LIST}" in worst.reason


def test_ranges_of_two_versions_cover_each_other_nowhere() -> None:
    every4, every6, some4 = (parse_range(text) for text in ("0.0.0.0/0", "::/0", "10.0.0.0/8"))
    assert every4 is not None
    assert every6 is not None
    assert some4 is not None
    assert (every4.covers(some4), every6.covers(some4), some4.covers(every4)) == (True, False, False)


def test_what_is_known_is_taken_out_by_its_topic() -> None:
    unknowns = (other("a"), Unknown(UnknownTopic.DIRECTION, "b"))
    assert without(unknowns, UnknownTopic.DIRECTION) == (other("a"),)
    assert without(unknowns) == unknowns


def test_the_first_parts_are_named_and_the_rest_counted() -> None:
    assert shortened(["a"] * 3) == ("a", "2 more parts like this")
    assert shortened(["a"] * 2) == ("a", "1 more part like this")
    assert shortened("abcde") == tuple("abcde")
    assert shortened("abcdef") == (*"abcde", "1 more part like these")
    assert unread_parts("x", "ab") == tuple(Unknown(UnknownTopic.UNREAD_RULE, f"x: {each}") for each in "ab")


def test_of_reasons_alike_the_whole_internet_comes_first_and_what_cannot_be_read_last() -> None:
    unread = Exposure(Severity.HIGH, "a", kind=ExposureKind.UNREAD)
    part, whole = (Exposure(Severity.HIGH, "b", opens=opens) for opens in (Opens.QUARTER, Opens.WORLD))
    worse = Exposure(Severity.CRITICAL, "c", opens=Opens.QUARTER)
    assert in_order([unread, part, whole, worse]) == (worse, whole, part, unread)


@pytest.mark.parametrize(
    ("before", "after", "title"),
    [
        ("10.0.0.0/8", "10.0.0.0/9", "narrowed to tcp/22 from 10.0.0.0/9"),
        (None, "10.0.0.0/9", "tcp/22 now open to 10.0.0.0/9"),
    ],
)
def test_a_modified_rule_is_titled_by_what_is_known_of_it(before: str | None, after: str, title: str) -> None:
    from chalicelib.alert.headline import title as titled  # noqa: PLC0415 - the parameter has the better name

    event = lookup("ec2.amazonaws.com", "ModifySecurityGroupRules")
    assert event is not None
    pair = ModifiedRule(rule(before) if before else None, rule(after))
    changes = Changes(modified=(pair,), before_known=before is not None)
    made = Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=changes)
    exposures = judge(ResolvedChange(made), by_root=False, account_id=r.ACCOUNT)
    assert title in titled(made, exposures)


def test_an_event_that_is_not_watched_is_one_alert_a_day_account_and_region() -> None:
    alert = not_of_our_rule(r.record("DescribeInstances", {}))
    assert alert.id == f"not-of-our-rule-{r.ACCOUNT}-{r.REGION}-2026-11-23"
    bare: dict[str, Any] = {"eventName": "DescribeInstances"}
    assert not_of_our_rule(bare).id == "not-of-our-rule-no-account-no-region-undated"


def test_an_attribute_of_groups_counts_beside_an_empty_list() -> None:
    request = {"instanceId": "i-1", "attribute": "groupSet", "value": "sg-0b", "groupSet": {"items": []}}
    attachment = alert_of(r.record("ModifyInstanceAttribute", request)).attachment
    assert attachment is not None
    assert attachment.groups_after == ("sg-0b",)


def test_a_target_that_the_request_does_not_name_is_in_the_answer() -> None:
    answer = {"ipamPrefixListResolverTarget": {"prefixListId": "pl-9", "ipamPrefixListResolverId": "res-9"}}
    request: dict[str, Any] = {"prefixListId": {"zz": 1}, "ipamPrefixListResolverId": ["x", "y"]}
    raw = r.record("CreateIpamPrefixListResolverTarget", request, answer)
    entries = read_change(read_record(raw)).prefix_list
    assert entries is not None
    assert (entries.prefix_list_id, entries.resolver) == ("pl-9", "IPAM resolver res-9")


def test_a_list_that_aws_manages_is_said_whole() -> None:
    aws_list = PrefixList("com.amazonaws.s3", aws_managed=True, cidrs=())
    (only,) = judged(added(rule(LIST)), LookupResult(prefix_lists={LIST: aws_list}))
    assert only.reason == "com.amazonaws.s3, a prefix list managed by AWS, can reach tcp/22."
    assert only.severity is Severity.LOW


@pytest.mark.parametrize(("owner", "opens"), [(r.ACCOUNT, Opens.NOTHING), (r.OTHER_ACCOUNT, Opens.SOME)])
def test_an_empty_list_opens_nothing_unless_another_account_can_fill_it(owner: str, opens: Opens) -> None:
    (only,) = judged(added(rule(LIST)), known_list(owner=owner))
    assert only.opens is opens


def test_a_list_of_another_account_opens_the_world_where_it_holds_it() -> None:
    worst, *_ = judged(added(rule(LIST)), known_list("0.0.0.0/0", owner=r.OTHER_ACCOUNT))
    assert (worst.opens, worst.severity) == (Opens.WORLD, Severity.CRITICAL)


def test_who_could_leave_before_is_not_who_could_come_in() -> None:
    before = (rule("10.0.0.0/8"), rule("192.168.0.0/16", direction=Direction.EGRESS))
    worst, *_ = judged(added(rule("0.0.0.0/0")), LookupResult(), before)
    assert "10.0.0.0/8" in worst.reason
    assert "192.168" not in worst.reason


def test_new_entries_of_another_accounts_list_say_whose_it_is() -> None:
    request = {"PrefixListId": LIST, "AddEntry": {"Cidr": "8.0.0.0/24"}}
    change = read_change(read_record(r.wrapped("ModifyManagedPrefixList", request)))
    groups = {"sg-1": GroupInfo("sg-1", "web", rules=(rule(LIST, 443),))}
    looked_up = known_list(owner=r.OTHER_ACCOUNT)._replace(groups=groups)
    found = judge(ResolvedChange(change), looked_up, by_root=False, account_id=r.ACCOUNT)
    assert [f"Account {r.OTHER_ACCOUNT} owns the list" in item.reason for item in found].count(True) == 1


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ([(1, 2), (5, 9), (6, 7)], ((1, 2), (5, 9))),
        ([(5, 6), (1, 2), (7, 9)], ((1, 2), (5, 9))),
        ([(1, 2), (4, 5)], ((1, 2), (4, 5))),
        ([], ()),
    ],
)
def test_pieces_that_touch_or_overlap_are_one(
    pieces: list[tuple[int, int]], whole: tuple[tuple[int, int], ...]
) -> None:
    assert joined(pieces) == whole


@pytest.mark.parametrize(
    ("name", "request_parameters"),
    [
        ("ModifyIpamPrefixListResolverTarget", {"prefixListId": LIST}),
        ("ModifyIpamPrefixListResolverTarget", {"ipamPrefixListResolverTargetId": "t-1"}),
        ("ModifyIpamPrefixListResolverTarget", {"ipamPrefixListResolverId": "res-1"}),
        ("ModifyIpamPrefixListResolver", {"ipamPrefixListResolverId": "res-1"}),
        ("ModifyIpamPrefixListResolver", {"rules": {"items": [{"staticCidr": "8.0.0.0/24"}]}}),
    ],
)
def test_one_id_is_enough_to_name_a_resolver(name: str, request_parameters: dict[str, Any]) -> None:
    assert read_change(read_record(r.record(name, request_parameters))).prefix_list is not None


@pytest.mark.parametrize("name", ["ModifyIpamPrefixListResolverTarget", "ModifyIpamPrefixListResolver"])
def test_a_denied_call_that_carries_nothing_is_still_reported_as_denied(name: str) -> None:
    change = read_change(read_record(r.record(name, {}, None, errorCode=r.DENIED)))
    assert change.outcome is Outcome.DENIED


def test_a_version_too_long_for_a_number_is_none() -> None:
    for version, number in ((10**17, 10**17), ("9" * 5000, None), ("x", None)):
        change = read_change(
            read_record(r.record("RestoreManagedPrefixListVersion", {"prefixListId": LIST, "previousVersion": version}))
        )
        assert change.prefix_list is not None
        assert change.prefix_list.restored_version == number


def test_rules_are_compared_out_of_any_iterable() -> None:
    before, after = (rule("10.0.0.0/8"), rule("10.0.0.0/9")), (rule("10.0.0.0/8"), rule("10.1.0.0/16"))
    assert diff(iter(before), iter(after)) == diff(before, after)


def test_two_halves_of_a_wide_range_are_said_as_one() -> None:
    worst, *_ = judged(added(rule("8.0.0.0/9"), rule("8.128.0.0/9")))
    assert (worst.severity, worst.reason.startswith("16,777,216 public addresses or more can ")) == ("high", True)
    worst, *_ = judged(added(rule("2600::/17"), rule("2600:8000::/17")))
    assert worst.reason.startswith("Public IPv6 ranges of a /16 or more can ")


def test_all_that_is_said_of_a_list_is_of_the_lists_kind_unless_it_opens_a_group() -> None:
    request = {"PrefixListId": LIST, "AddEntry": {"Cidr": "8.0.0.0/24"}}
    change = read_change(read_record(r.wrapped("ModifyManagedPrefixList", request)))
    groups = {"sg-1": GroupInfo("sg-1", "web", rules=(rule(LIST),))}
    found = judge(ResolvedChange(change), known_list()._replace(groups=groups), by_root=False, account_id=r.ACCOUNT)
    assert [item.kind for item in found if item.kind is not ExposureKind.OPENING] == [ExposureKind.PREFIX_LIST] * 2


def test_a_changed_rule_that_opens_nothing_and_whose_values_before_are_not_known_is_titled_so() -> None:
    from chalicelib.alert.headline import title as titled  # noqa: PLC0415 - the parameter has the better name

    event = lookup("ec2.amazonaws.com", "ModifySecurityGroupRules")
    assert event is not None
    changes = Changes(modified=(ModifiedRule(None, rule("10.0.0.0/9")),), before_known=False)
    made = Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=changes)
    nothing = Exposure(Severity.LOW, "", rule=rule("10.0.0.0/9"), kind=ExposureKind.OPENING, opens=Opens.NOTHING)
    said = f"Rule changed to tcp/22 from 10.0.0.0/9 by a changed rule on {r.GROUP_ID}, which opens nothing new"
    assert titled(made, (nothing,)) == said


def test_rules_whose_removal_the_record_does_not_list_are_said_so() -> None:
    event = lookup("ec2.amazonaws.com", "RevokeSecurityGroupIngress")
    assert event is not None
    made = Change(event, Outcome.SUCCEEDED, r.GROUP_ID)
    for change, said in (
        (
            made._replace(no_answer="omitted"),
            "Which rules were removed is not known: AWS's answer is not in the record.",
        ),
        (made._replace(rule_ids=("sgr-1",)), "Rules were removed that the record does not list."),
        (made, "Nothing was removed: the group had no such rules."),
    ):
        assert said in [item.reason for item in judge(ResolvedChange(change), by_root=False, account_id=r.ACCOUNT)]


def test_a_title_of_rules_that_open_nothing_is_of_the_first() -> None:
    from chalicelib.alert.headline import title as titled  # noqa: PLC0415 - the parameter has the better name

    event = lookup("ec2.amazonaws.com", "AuthorizeSecurityGroupIngress")
    assert event is not None
    first, second = rule("10.0.0.0/9"), rule("10.128.0.0/9")
    made = Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=added(first, second))
    nothing = tuple(
        Exposure(Severity.LOW, "", rule=each, kind=ExposureKind.OPENING, opens=Opens.NOTHING)
        for each in (first, second)
    )
    said = f"Rule for tcp/22 from 10.0.0.0/9 and 1 more rule added on {r.GROUP_ID}, which opens nothing new"
    assert titled(made, nothing) == titled(made, ()) == said


@pytest.mark.parametrize(("groups", "kept"), [(None, True), (("sg-1",), False)])
def test_a_call_that_set_groups_did_not_keep_them(groups: tuple[str, ...] | None, kept: bool) -> None:
    event = lookup("ec2.amazonaws.com", "ModifyInstanceAttribute")
    assert event is not None
    attachment = Attachment("instance", "i-1", None, groups)
    assert Change(event, Outcome.SUCCEEDED, None, attachment=attachment).keeps_groups is kept


def test_a_peer_that_cannot_be_read_is_shown_up_to_60_characters() -> None:
    out = rule("x" * 61, None, Direction.EGRESS, "-1")
    worst, *_ = judged(added(out), name="AuthorizeSecurityGroupEgress")
    assert f" {'x' * 59}…, which cannot be read and may be anywhere" in worst.reason


def test_an_earlier_version_that_the_record_does_not_number_is_said_so() -> None:
    alert = alert_of(r.record("RestoreManagedPrefixListVersion", {"prefixListId": LIST}))
    assert any(item.reason.startswith("An earlier version of the list is in force") for item in alert.exposures)


def test_of_a_lists_ranges_the_widest_are_named() -> None:
    cidrs = ("8.0.0.0/24", "9.0.0.0/12", "10.0.0.0/8", "11.0.0.0/16", "12.0.0.0/20")
    known = LookupResult(prefix_lists={LIST: PrefixList("l", aws_managed=False, cidrs=cidrs, owner_id=r.ACCOUNT)})
    worst, *_ = judged(added(rule(LIST)), known)
    first, second = (worst.reason.index(cidr) for cidr in ("9.0.0.0/12", "11.0.0.0/16"))
    assert first < second


@pytest.mark.parametrize(("cidrs", "together"), [(("0.0.0.0/1", "128.0.0.0/1"), True), (("0.0.0.0/0",), False)])
def test_that_it_takes_several_rules_is_said_of_ways_out_too(cidrs: tuple[str, ...], together: bool) -> None:
    out = [rule(cidr, None, Direction.EGRESS, "-1") for cidr in cidrs]
    said = [item.reason for item in judged(added(*out)) if item.reason.startswith("All traffic may leave to")]
    assert said
    assert any("together" in reason for reason in said) is together
