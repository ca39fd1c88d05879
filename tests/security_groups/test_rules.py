"""Rules' identity, and what changed between two sets of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.security_groups.rules import (
    Direction,
    ModifiedRule,
    Peer,
    PeerType,
    RuleDiff,
    RuleIdentity,
    SecurityGroupRule,
    apply,
    diff,
    invert,
)
from tests.support.strategies import rules

WORLD = Peer(PeerType.IPV4, "0.0.0.0/0")
SSH = SecurityGroupRule(Direction.INGRESS, "tcp", 22, 22, WORLD, "ssh", "sgr-1")
HTTPS = SecurityGroupRule(Direction.INGRESS, "tcp", 443, 443, WORLD, None, "sgr-2")
SETS = st.lists(rules(), max_size=8, unique_by=lambda rule: rule.identity).filter(
    lambda found: len({rule.id for rule in found if rule.id}) == sum(rule.id is not None for rule in found)
)


def read_as(found: tuple[SecurityGroupRule, ...] | list[SecurityGroupRule]) -> set[tuple[RuleIdentity, str | None]]:
    return {(rule.identity, rule.description) for rule in found}


@pytest.mark.parametrize(
    "same",
    [
        SSH._replace(description=None),
        SSH._replace(id=None),
        SSH._replace(peer=Peer(PeerType.IPV4, "0.0.0.0/0", account_id=None)),
    ],
)
def test_identity_leaves_out_description_and_id(same: SecurityGroupRule) -> None:
    assert same.identity == SSH.identity


@pytest.mark.parametrize(
    "other",
    [
        SSH._replace(direction=Direction.EGRESS),
        SSH._replace(direction=None),
        SSH._replace(protocol="udp"),
        SSH._replace(from_port=21),
        SSH._replace(to_port=23),
        SSH._replace(peer=Peer(PeerType.IPV6, "::/0")),
    ],
)
def test_identity_holds_everything_else(other: SecurityGroupRule) -> None:
    assert other.identity != SSH.identity


@pytest.mark.parametrize(
    ("protocol", "one", "other"),
    [
        ("tcp", (None, None), (0, 65535)),
        ("udp", (-1, -1), (0, 65535)),
        ("tcp", (0, -1), (0, 65535)),
        ("icmp", (None, None), (-1, -1)),
        ("-1", (None, None), (-1, -1)),
        ("-1", (0, 0), (0, 65535)),
        ("50", (0, 0), (None, None)),
    ],
)
def test_the_spellings_of_all_ports_are_one(
    protocol: str, one: tuple[int | None, int | None], other: tuple[int | None, int | None]
) -> None:
    first, second = (SecurityGroupRule(None, protocol, *ports, WORLD) for ports in (one, other))
    assert first.identity == second.identity
    assert not diff([first], [second])


def test_a_rule_with_the_same_id_and_other_values_is_modified() -> None:
    narrowed = SSH._replace(peer=Peer(PeerType.IPV4, "203.0.113.0/24"))
    assert diff([SSH, HTTPS], [narrowed, HTTPS]) == RuleDiff(modified=(ModifiedRule(SSH, narrowed),))


def test_another_description_is_a_modification() -> None:
    described = SSH._replace(description="bastion", id=None)
    assert diff([SSH], [described]) == RuleDiff(modified=(ModifiedRule(SSH, described),))


def test_a_source_that_leaves_out_the_id_reports_no_change() -> None:
    assert not diff([SSH], [SSH._replace(id=None)])


def test_two_rules_that_change_places_are_two_modifications() -> None:
    first, second = SSH._replace(id="sgr-2"), HTTPS._replace(id="sgr-1")
    change = diff([SSH, HTTPS], [first, second])
    assert len(change.modified) == 2
    assert set(apply([SSH, HTTPS], change)) == {first, second}


def test_taking_a_change_back_restores_the_rules() -> None:
    change = RuleDiff(added=(HTTPS,), removed=(SSH,))
    assert apply(apply([SSH], change), invert(change)) == (SSH,)


@given(SETS)
def test_nothing_changed_between_a_set_and_itself(found: list[SecurityGroupRule]) -> None:
    assert not diff(found, found)


@given(SETS, SETS)
def test_a_difference_applied_gives_the_other_set(old: list[SecurityGroupRule], new: list[SecurityGroupRule]) -> None:
    assert read_as(apply(old, diff(old, new))) == read_as(new)


@given(SETS, SETS)
def test_a_difference_taken_back_gives_the_first_set(
    old: list[SecurityGroupRule], new: list[SecurityGroupRule]
) -> None:
    change = diff(old, new)
    assert read_as(apply(apply(old, change), invert(change))) == read_as(old)
