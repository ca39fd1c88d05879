"""What look-ups change about a judgement: prefix lists of others, groups that use a list, newly attached groups."""

from __future__ import annotations

import pytest

from chalicelib.alert.headline import title
from chalicelib.cloudtrail.catalog import lookup
from chalicelib.cloudtrail.records import read_record
from chalicelib.exposure.judge import judge, severity_of
from chalicelib.security_groups.changes import Attachment, Change, Changes, Outcome
from chalicelib.security_groups.lookup_result import (
    GroupInfo,
    Interface,
    LookupResult,
    PrefixList,
    ResolvedChange,
)
from chalicelib.security_groups.parse import read_change
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from chalicelib.security_groups.severity import Exposure, ExposureKind, Opens
from tests.support import records as r

LIST = r.LIST_ID


def rule(value: str, port: int = 22, direction: Direction = Direction.INGRESS) -> SecurityGroupRule:
    kind = PeerType.PREFIX_LIST if value.startswith("pl-") else PeerType.IPV6 if ":" in value else PeerType.IPV4
    return SecurityGroupRule(direction, "tcp", port, port, Peer(kind, value))


def added(*rules: SecurityGroupRule) -> Change:
    event = lookup("ec2.amazonaws.com", "AuthorizeSecurityGroupIngress")
    assert event is not None
    return Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=Changes(added=rules))


def judged(
    change: Change, looked_up: LookupResult, before: tuple[SecurityGroupRule, ...] | None = None
) -> tuple[Exposure, ...]:
    known = ResolvedChange(change, before, is_whole=before is not None)
    return judge(known, looked_up, by_root=False, account_id=r.ACCOUNT)


@pytest.mark.parametrize("cidrs", [(), ("10.0.0.0/8",), ("203.0.113.0/24",)])
def test_a_prefix_list_of_another_account_is_medium_at_least_and_said(cidrs: tuple[str, ...]) -> None:
    for owner, severity in ((r.ACCOUNT, "medium" if "203.0.113.0/24" in cidrs else "low"), (r.OTHER_ACCOUNT, "medium")):
        known = PrefixList("corp", aws_managed=False, cidrs=cidrs, owner_id=owner)
        worst, *_ = judged(added(rule(LIST)), LookupResult(prefix_lists={LIST: known}))
        assert worst.severity == severity
        assert (f"Account {r.OTHER_ACCOUNT} owns the list" in worst.reason) == (owner != r.ACCOUNT)


def test_a_prefix_list_with_an_entry_that_cannot_be_read_is_medium_at_least() -> None:
    known = PrefixList("corp", aws_managed=False, cidrs=("10.0.0.0/8", "everywhere"), owner_id=r.ACCOUNT)
    (only,) = judged(added(rule(LIST)), LookupResult(prefix_lists={LIST: known}))
    assert only.severity == "medium"


def test_a_list_is_judged_by_all_of_its_entries() -> None:
    entries = (*(f"203.0.{number}.0/32" for number in range(200)), "0.0.0.0/0")
    known = PrefixList("corp", aws_managed=False, cidrs=entries, owner_id=r.ACCOUNT)
    (only,) = judged(added(rule(LIST)), LookupResult(prefix_lists={LIST: known}))
    assert only.severity == "critical"
    pieces = tuple(f"{first}.{second}.0.0/9" for first in range(1, 224) for second in (0, 128))
    known = PrefixList("corp", aws_managed=False, cidrs=pieces, owner_id=r.ACCOUNT)
    (only,) = judged(added(rule(LIST)), LookupResult(prefix_lists={LIST: known}))
    assert (only.severity, only.opens, only.controls) == ("critical", Opens.QUARTER, ())


def list_change(*entries: str) -> Change:
    request = {"PrefixListId": LIST, "AddEntry": [{"tag": 1, "Cidr": cidr} for cidr in entries]}
    return read_change(read_record(r.wrapped("ModifyManagedPrefixList", request)))


def users(many: int, last: SecurityGroupRule) -> dict[str, GroupInfo]:
    rules = [rule(LIST, 443)] * (many - 1) + [last]
    return {f"sg-{i}": GroupInfo(f"sg-{i}", f"app-{i}", rules=(each,)) for i, each in enumerate(rules)}


@pytest.mark.parametrize("many", [1, 20, 21, 75, 200])
def test_every_group_that_uses_a_list_is_judged_and_the_worst_comes_first(many: int) -> None:
    exposures = judged(list_change("0.0.0.0/0"), LookupResult(groups=users(many, rule(LIST))))
    assert exposures[0].severity == "critical"
    assert exposures[0].reason.startswith(f"On app-{many - 1} (sg-{many - 1}): Through prefix list")
    opened = [item for item in exposures if item.kind is ExposureKind.OPENING]
    assert len(opened) == min(many, 50)
    assert any(f"{many - 50} more ways in" in item.reason for item in exposures) == (many > 50)


def test_ways_in_that_other_rules_allow_already_are_not_counted_as_opened() -> None:
    groups = {f"sg-{i}": GroupInfo(f"sg-{i}", "app", rules=(rule(LIST), rule("0.0.0.0/0"))) for i in range(60)}
    exposures = judged(list_change("0.0.0.0/0"), LookupResult(groups=groups))
    assert severity_of(exposures) == "medium"
    assert not any("more way" in item.reason for item in exposures)


@pytest.mark.parametrize("place", [0, 20, 59])
def test_the_one_group_where_a_list_opens_ssh_hides_behind_no_other(place: int) -> None:
    groups = users(60, rule(LIST, 443))
    groups[f"sg-{place}"] = groups[f"sg-{place}"]._replace(rules=(rule(LIST),))
    worst, *_ = judged(list_change("0.0.0.0/0"), LookupResult(groups=groups))
    assert (worst.severity, worst.reason.split(":")[0]) == ("critical", f"On app-{place} (sg-{place})")


def test_a_late_entry_hides_behind_no_other() -> None:
    entries = [f"203.0.113.{number}/32" for number in range(60)]
    for change in (list_change(*entries, "0.0.0.0/0"), list_change("0.0.0.0/0", *entries)):
        (worst,) = judged(change, LookupResult())
        assert worst.severity == "medium"
        assert "0.0.0.0/0, 203.0.113.0/32, 203.0.113.1/32 and 58 more" in worst.reason
        assert severity_of(judged(change, LookupResult(groups=users(1, rule(LIST))))) == "critical"


def test_entries_that_a_list_had_open_nothing() -> None:
    looked_up = LookupResult(
        groups=users(1, rule(LIST)), entries_before=("0.0.0.0/0",), entries_after=("0.0.0.0/0", "203.0.113.0/24")
    )
    assert not [item for item in judged(list_change("203.0.113.0/24"), looked_up) if item.kind is ExposureKind.OPENING]


def test_entries_count_with_what_the_list_and_the_group_had() -> None:
    looked_up = LookupResult(groups=users(1, rule(LIST)), entries_before=("0.0.0.0/3",))
    assert severity_of(judged(list_change("32.0.0.0/3"), looked_up)) == "critical"
    groups = {"sg-1": GroupInfo("sg-1", "web", rules=(rule(LIST), rule("0.0.0.0/3")))}
    assert severity_of(judged(list_change("32.0.0.0/3"), LookupResult(groups=groups))) == "critical"
    assert severity_of(judged(list_change("32.0.0.0/3"), LookupResult(groups=users(1, rule(LIST))))) == "high"


def attached(before: tuple[str, ...] | None, after: tuple[str, ...]) -> Change:
    event = lookup("ec2.amazonaws.com", "ModifyInstanceAttribute")
    assert event is not None
    changes = Changes(before_known=before is not None)
    return Change(event, Outcome.SUCCEEDED, changes=changes, attachment=Attachment("instance", "i-1", before, after))


OUT = SecurityGroupRule(Direction.EGRESS, "-1", None, None, Peer(PeerType.IPV4, "0.0.0.0/0"))
GROUPS = {
    "sg-open": GroupInfo("sg-open", "open", rules=(rule("0.0.0.0/0"), OUT)),
    "sg-inner": GroupInfo("sg-inner", "inner", rules=(rule("10.0.0.0/8"), OUT)),
    "sg-part": GroupInfo("sg-part", "part", rules=(rule("0.0.0.0/3"), OUT)),
    "sg-rest": GroupInfo("sg-rest", "rest", rules=(rule("32.0.0.0/3"), OUT)),
}


@pytest.mark.parametrize(
    ("before", "after", "severity"),
    [
        (("sg-inner",), ("sg-inner", "sg-open"), "critical"),
        (None, ("sg-open",), "critical"),
        (("sg-open",), ("sg-open", "sg-inner"), "low"),
        (("sg-inner",), ("sg-inner",), "low"),
        (("sg-open", "sg-inner"), ("sg-inner",), "low"),
        (("sg-open",), ("sg-part",), "medium"),
        (("sg-inner",), ("sg-part",), "high"),
        (("sg-part",), ("sg-part", "sg-rest"), "critical"),
        (("sg-part",), ("sg-rest",), "high"),
        (("sg-inner",), ("sg-inner", "sg-unknown"), "low"),
    ],
)
def test_the_rules_of_newly_attached_groups_count_as_added(
    before: tuple[str, ...] | None, after: tuple[str, ...], severity: str
) -> None:
    assert severity_of(judged(attached(before, after), LookupResult(groups=GROUPS))) == severity


def test_an_attached_public_address_raises_a_severity_and_is_said() -> None:
    interface = Interface("eni-1", public_addresses=("203.0.113.9",))
    plain, raised = (
        judged(added(rule("0.0.0.0/0", 8443)), LookupResult(interfaces=found))[0] for found in ((), (interface,))
    )
    assert (plain.severity, raised.severity) == ("high", "critical")
    assert raised.reason.endswith("What is attached has a public address: 203.0.113.9.")


def test_what_the_group_is_known_to_have_let_in_already_is_medium_at_most_and_said() -> None:
    halves = (rule("0.0.0.0/1"), rule("128.0.0.0/1"))
    (only,) = judged(added(rule("0.0.0.0/0")), LookupResult(), halves)
    assert (only.severity, only.opens) == ("medium", Opens.NOTHING)
    assert "opens nothing new" in only.reason
    assert severity_of(judged(added(rule("0.0.0.0/0")), LookupResult(), halves[:1])) == "critical"
    assert {item.opens for item in judged(added(*halves), LookupResult(), (rule("0.0.0.0/0"),))} == {Opens.NOTHING}


def ports(value: str, low: int | None, high: int | None = None, protocol: str = "tcp") -> SecurityGroupRule:
    found = rule(value)
    return found._replace(protocol=protocol, from_port=low, to_port=low if high is None else high)


ALL_TRAFFIC = ports("0.0.0.0/0", None, protocol="-1")


@pytest.mark.parametrize(
    ("new", "before", "said"),
    [
        (ports("0.0.0.0/0", 20, 25), (rule("0.0.0.0/0"),), "Before, the internet could in part."),
        (
            ports("0.0.0.0/0", 20, 25),
            (rule("0.0.0.0/0"), ports("10.0.0.0/8", 0, 65535), ports("192.168.0.0/16", 25, 99)),
            "Before, 10.0.0.0/8 could, and the internet, 192.168.0.0/16 in part.",
        ),
        (
            ports("0.0.0.0/0", 20, 25),
            (ports("10.0.0.0/8", 20, 22), ports("10.0.0.0/8", 23, 25)),
            "Before, 10.0.0.0/8 could.",
        ),
        (ports("0.0.0.0/0", 20, 25), (ports("10.0.0.0/8", 26), ports("10.0.0.0/8", 19)), "Before, nobody could."),
        (ports("0.0.0.0/0", 22), (ALL_TRAFFIC._replace(peer=rule("10.0.0.0/8").peer),), "Before, 10.0.0.0/8 could."),
        (ALL_TRAFFIC, (ports("10.0.0.0/8", 0, 65535),), "Before, 10.0.0.0/8 could in part."),
        (
            ports("0.0.0.0/0", -1, protocol="icmp"),
            (ports("0.0.0.0/0", 8, -1, "icmp"),),
            "Before, the internet could in part.",
        ),
        (ports("0.0.0.0/0", 1, protocol="50"), (ports("10.0.0.0/8", 1, protocol="51"),), "Before, nobody could."),
    ],
)
def test_who_could_use_only_a_part_before_is_said_to_have_used_a_part(
    new: SecurityGroupRule, before: tuple[SecurityGroupRule, ...], said: str
) -> None:
    worst, *_ = judged(added(new), LookupResult(), before)
    assert worst.reason.endswith(f" {said}"), worst.reason


def test_who_could_before_is_asked_of_what_a_widened_rule_newly_opens() -> None:
    event = lookup("ec2.amazonaws.com", "ModifySecurityGroupRules")
    assert event is not None
    was, now = rule("0.0.0.0/0"), ports("0.0.0.0/0", 20, 25)
    change = Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=Changes(modified=(ModifiedRule(was, now),)))
    for others, said in (((), "nobody could"), ((ports("10.0.0.0/8", 21, 23),), "10.0.0.0/8 could in part")):
        worst, *_ = judged(change, LookupResult(), (was, *others))
        assert "tcp/20-21,23-25" in worst.reason
        assert worst.reason.endswith(f"Before, {said}.")


def of_two_rules_each_opens_a_half(*more: SecurityGroupRule) -> tuple[SecurityGroupRule, ...]:
    return (rule("0.0.0.0/1"), rule("128.0.0.0/1"), *more)


@pytest.mark.parametrize(
    ("entries", "kept", "severity"),
    [
        (("0.0.0.0/0",), (), "critical"),
        (("0.0.0.0/0",), (rule("0.0.0.0/0"),), "medium"),
        (("0.0.0.0/0",), (ports("0.0.0.0/0", 0, 65535),), "medium"),
        (("0.0.0.0/0",), (ALL_TRAFFIC,), "medium"),
        (("0.0.0.0/0",), (rule("0.0.0.0/0", 23), rule("::/0"), rule("10.0.0.0/8")), "critical"),
        (("0.0.0.0/0",), of_two_rules_each_opens_a_half(), "medium"),
        (("0.0.0.0/1", "128.0.0.0/1"), of_two_rules_each_opens_a_half(), "medium"),
        (("0.0.0.0/0", "::/0"), (rule("0.0.0.0/0"),), "critical"),
        (("8.0.0.0/8",), (rule("0.0.0.0/0"),), "medium"),
        (("8.0.0.0/8",), (rule("8.0.0.0/8"),), "medium"),
        (("8.0.0.0/8",), (rule("0.0.0.0/0", direction=Direction.EGRESS),), "high"),
    ],
)
def test_entries_that_another_rule_of_the_group_lets_in_already_are_medium_at_most(
    entries: tuple[str, ...], kept: tuple[SecurityGroupRule, ...], severity: str
) -> None:
    groups = {"sg-1": GroupInfo("sg-1", "web", rules=(rule(LIST), *kept))}
    exposures = judged(list_change(*entries), LookupResult(groups=groups, entries_before=("203.0.113.0/24",)))
    assert severity_of(exposures) == severity
    said = any("On web (sg-1): Ingress tcp/22 from" in item.reason for item in exposures)
    assert said == (severity == "medium")


def test_of_a_lists_change_and_a_rule_made_at_once_one_is_reported_in_full() -> None:
    known = PrefixList("corp", aws_managed=False, cidrs=("0.0.0.0/0",), owner_id=r.ACCOUNT)
    made = (
        (rule("0.0.0.0/0"),),
        (ports("0.0.0.0/0", 20, 25),),
        of_two_rules_each_opens_a_half(),
        of_two_rules_each_opens_a_half(rule("0.0.0.0/0")),
    )
    for rules in made:
        groups = {r.GROUP_ID: GroupInfo(r.GROUP_ID, "web", rules=(rule(LIST), *rules))}
        worst = {severity_of(judged(list_change("0.0.0.0/0"), LookupResult(groups=groups)))}
        for place, each in enumerate(rules):
            before = (rule(LIST), *rules[:place])
            worst.add(severity_of(judged(added(each), LookupResult(prefix_lists={LIST: known}), before)))
        assert "critical" in worst, rules


def test_what_a_list_holds_by_now_is_no_proof_of_what_it_held_before_a_rule() -> None:
    known = PrefixList("corp", aws_managed=False, cidrs=("0.0.0.0/0", "10.0.0.0/8"), owner_id=r.ACCOUNT)
    for before in (rule(LIST), ports(LIST, 20, 25)):
        exposures = judged(added(rule("0.0.0.0/0")), LookupResult(prefix_lists={LIST: known}), (before,))
        assert severity_of(exposures) == "critical"
    for before in (ports(LIST, 20, 25), ports("0.0.0.0/0", 22)):
        (same,) = judged(added(rule(LIST)), LookupResult(prefix_lists={LIST: known}), (before,))
        assert (same.severity, same.opens) == ("medium", Opens.NOTHING)


def modified(was: SecurityGroupRule, now: SecurityGroupRule) -> Change:
    event = lookup("ec2.amazonaws.com", "ModifySecurityGroupRules")
    assert event is not None
    return Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=Changes(modified=(ModifiedRule(was, now),)))


@pytest.mark.parametrize(
    ("was", "now", "severity"),
    [
        (rule(LIST), rule("0.0.0.0/0"), "critical"),
        (ports(LIST, 0, 65535), rule("0.0.0.0/0"), "critical"),
        (rule(LIST), rule("10.0.0.0/8"), "low"),
        (rule("pl-other"), rule(LIST), "critical"),
        (ports(LIST, 20, 25), rule(LIST), "low"),
        (rule(LIST), ports(LIST, 20, 25), "critical"),
        (rule("0.0.0.0/0"), rule(LIST), "low"),
    ],
)
def test_what_a_list_holds_by_now_is_no_proof_of_what_a_modified_rule_was(
    was: SecurityGroupRule, now: SecurityGroupRule, severity: str
) -> None:
    known = PrefixList("corp", aws_managed=False, cidrs=("0.0.0.0/0",), owner_id=r.ACCOUNT)
    looked_up = LookupResult(prefix_lists={LIST: known, "pl-other": known})
    assert severity_of(judged(modified(was, now), looked_up, (was,))) == severity


def test_beside_ipv6_the_internet_before_is_that_of_ipv4() -> None:
    v4, v6 = rule("0.0.0.0/0"), rule("::/0")
    worst, *_ = judged(added(v6), LookupResult(), (v4,))
    assert worst.reason.endswith(" Before, the internet (IPv4) could.")
    change = modified(v4, v6)
    exposures = judged(change, LookupResult(), (v4,))
    assert "(IPv6) (was the internet (IPv4)) on" in title(change, exposures)
    worst, *_ = judged(added(v4), LookupResult(), (v6,))
    assert worst.reason.endswith(" Before, the internet (IPv6) could.")
