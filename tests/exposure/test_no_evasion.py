"""Who may change a group chooses the number, the order and the size of its rules: none of that lowers a severity."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.cloudtrail.catalog import lookup
from chalicelib.exposure.judge import judge, severity_of
from chalicelib.security_groups.changes import Change, Changes, Outcome
from chalicelib.security_groups.lookup_result import LookupResult, PrefixList, ResolvedChange
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from chalicelib.security_groups.severity import Exposure
from tests.support import records as r
from tests.support.examples import examples

CIDRS = [
    *("0.0.0.0/0", "0.0.0.0/1", "0.0.0.0/2", "0.0.0.0/3", "32.0.0.0/3", "8.0.0.0/8", "8.0.0.0/9", "10.0.0.0/7"),
    *("10.0.0.0/8", "203.0.113.0/24", "100.0.0.0/8", "224.0.0.0/3"),
    *("::/0", "2000::/3", "2000::/6", "2400::/6", "2600::/16", "2600::/17", "fd00::/8"),
]
LISTS = {
    "pl-inner": PrefixList("inner", aws_managed=False, cidrs=("10.0.0.0/8",), owner_id=r.ACCOUNT),
    "pl-office": PrefixList("office", aws_managed=False, cidrs=("203.0.113.0/24",), owner_id=r.ACCOUNT),
    "pl-empty": PrefixList("empty", aws_managed=False, cidrs=(), owner_id=r.ACCOUNT),
    "pl-aws": PrefixList("com.amazonaws.eu-west-1.s3", aws_managed=True, cidrs=(), owner_id="AWS"),
}
PORTS = st.sampled_from([(22, 22), (80, 80), (443, 443), (0, 65535), (20, 8080), (8443, 8443)])


def peer(value: str) -> Peer:
    if value.startswith("pl-"):
        return Peer(PeerType.PREFIX_LIST, value)
    return Peer(PeerType.IPV6 if ":" in value else PeerType.IPV4, value)


def rule(protocol: str, ports: tuple[int, int], value: str) -> SecurityGroupRule:
    low, high = {"tcp": ports, "udp": ports, "icmp": (8, -1)}.get(protocol, (None, None))
    return SecurityGroupRule(Direction.INGRESS, protocol, low, high, peer(value))


PROTOCOLS = st.sampled_from(["tcp", "tcp", "udp", "icmp", "50", "-1"])
RULES = st.builds(rule, PROTOCOLS, PORTS, st.sampled_from(CIDRS))
SOME = st.lists(RULES, min_size=1, max_size=4)


def change(name: str, changes: Changes) -> Change:
    event = lookup("ec2.amazonaws.com", name)
    assert event is not None
    return Change(event, Outcome.SUCCEEDED, r.GROUP_ID, changes=changes)


def added(rules: list[SecurityGroupRule]) -> Change:
    return change("AuthorizeSecurityGroupIngress", Changes(added=tuple(rules)))


def exposures(
    made: Change, lists: dict[str, PrefixList] | None = None, before: list[SecurityGroupRule] | None = None
) -> tuple[Exposure, ...]:
    known = ResolvedChange(made, None if before is None else tuple(before), is_whole=before is not None)
    return judge(known, LookupResult(prefix_lists=lists or {}), by_root=False, account_id=r.ACCOUNT)


def rank(
    made: Change, lists: dict[str, PrefixList] | None = None, before: list[SecurityGroupRule] | None = None
) -> int:
    return severity_of(exposures(made, lists, before)).rank


def split(item: SecurityGroupRule, times: int) -> list[SecurityGroupRule]:
    """The rule's range in pieces."""
    network: IPv4Network | IPv6Network = ip_network(item.peer.value)
    pieces = network.subnets(min(times, network.max_prefixlen - network.prefixlen))
    return [item.__class__(item.direction, item.protocol, item.from_port, item.to_port, peer(str(p))) for p in pieces]


@settings(max_examples=examples(100), deadline=None)
@given(SOME, st.randoms(use_true_random=False))
def test_no_order_changes_a_severity(rules: list[SecurityGroupRule], random: object) -> None:
    shuffled = sorted(rules, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert rank(added(shuffled)) == rank(added(rules))


@settings(max_examples=examples(100), deadline=None)
@given(SOME, SOME)
def test_no_rule_beside_others_lowers_a_severity(rules: list[SecurityGroupRule], more: list[SecurityGroupRule]) -> None:
    assert rank(added([*rules, *rules])) == rank(added(rules))
    assert rank(added([*more, *rules])) >= rank(added(rules))


@settings(max_examples=examples(100), deadline=None)
@given(SOME, st.integers(1, 6))
def test_no_splitting_of_a_range_lowers_a_severity(rules: list[SecurityGroupRule], times: int) -> None:
    assert rank(added([piece for item in rules for piece in split(item, times)])) >= rank(added(rules))


@pytest.mark.slow
@settings(max_examples=examples(3000), deadline=None)
@given(SOME, SOME, st.integers(1, 8))
def test_no_padding_and_splitting_lowers_a_severity(
    rules: list[SecurityGroupRule], more: list[SecurityGroupRule], times: int
) -> None:
    pieces = [piece for item in rules for piece in split(item, times)]
    assert rank(added([*more, *pieces])) >= rank(added(rules))


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.builds(rule, PROTOCOLS, PORTS, st.sampled_from([*CIDRS, *LISTS])), min_size=1, max_size=4))
def test_what_is_not_known_is_judged_no_milder_than_what_is_known_and_narrow(rules: list[SecurityGroupRule]) -> None:
    assert rank(added(rules)) >= rank(added(rules), LISTS)
    assert rank(added(rules)) >= rank(added(rules), LISTS, rules)


@settings(max_examples=examples(100), deadline=None)
@given(RULES, RULES)
def test_a_rule_of_unknown_past_is_judged_no_milder_than_one_whose_past_is_known(
    before: SecurityGroupRule, after: SecurityGroupRule
) -> None:
    unknown, known = (
        change("ModifySecurityGroupRules", Changes(modified=(ModifiedRule(past, after),))) for past in (None, before)
    )
    assert rank(unknown) >= rank(known)


@settings(max_examples=examples(100), deadline=None)
@given(SOME)
def test_every_rule_that_opens_something_above_low_has_its_reason(rules: list[SecurityGroupRule]) -> None:
    found = exposures(added(rules))
    for item in rules:
        alone = severity_of(exposures(added([item])))
        assert any(each.rule == item and each.severity is alone for each in found)


def pieces_of_the_internet(many: int) -> Iterator[str]:
    heap = [(0, 0, ip_network("0.0.0.0/0"))]
    while len(heap) < many:
        for half in heapq.heappop(heap)[2].subnets(1):
            heapq.heappush(heap, (half.prefixlen, int(half[0]), half))
    return (str(network) for *_, network in heap)


def seconds(many: int, *, icmp: bool) -> float:
    """CPU seconds to judge so many rules, all of whose ports (or types) and ranges differ."""
    rules = [
        SecurityGroupRule(Direction.INGRESS, "icmp", i % 256, i // 256, peer(cidr))
        if icmp
        else SecurityGroupRule(Direction.INGRESS, "tcp", i, 60_000 - i, peer(cidr))
        for i, cidr in enumerate(pieces_of_the_internet(many))
    ]
    made = added(rules)
    begun = process_time()
    exposures(made, before=rules[::2])
    return process_time() - begun


@pytest.mark.parametrize("icmp", [False, True])
def test_four_times_as_many_rules_take_nowhere_near_sixteen_times_as_long(icmp: bool) -> None:
    few, many = (min(seconds(number, icmp=icmp) for _ in range(2)) for number in (400, 1600))
    assert many < 10 * few
