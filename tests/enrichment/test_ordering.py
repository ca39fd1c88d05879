"""The order of the changes of one second, found from what they left behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from chalicelib.enrichment.group_snapshots import GroupKey, GroupSnapshot, fold
from chalicelib.enrichment.order_changes import fitting, placed
from chalicelib.enrichment.replay_changes import PastChange, replay
from chalicelib.security_groups.rules import ModifiedRule, SecurityGroupRule
from tests.enrichment.simulated import SimulatedGroup
from tests.enrichment.test_order import NOON, past, rule
from tests.enrichment.test_truth import assert_live, listener
from tests.support.rows import every


def to(*rules: SecurityGroupRule) -> tuple[ModifiedRule, ...]:
    return tuple(ModifiedRule(None, each) for each in rules)


def order(history: tuple[PastChange, ...] | None) -> str | None:
    return None if history is None else "".join(each.event_id for each in history)


BASE = (rule("sgr-1", 10), rule("sgr-2", 80), rule("sgr-3", 443))
A = past("a", modified=to(rule("sgr-1", 11), rule("sgr-2", 21)))
B = past("b", modified=to(rule("sgr-2", 22), rule("sgr-3", 32)))
C = past("c", modified=to(rule("sgr-3", 33), rule("sgr-1", 13)))


@every("right", ["abc", "acb", "bac", "bca", "cab", "cba"])
@every("heard", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_calls_that_change_several_rules_each_are_put_in_the_order_that_gives_the_live_rules(
    right: str, heard: str
) -> None:
    calls = {"a": A, "b": B, "c": C}
    live = replay(BASE, [calls[name] for name in right])
    assert order(fitting(BASE, tuple(calls[name] for name in heard), live)) == right


def test_rules_that_two_seconds_left_wrong_are_all_put_right() -> None:
    second = [past("d", 1, modified=to(rule("sgr-2", 4))), past("e", 1, modified=to(rule("sgr-2", 5)))]
    first = [past("x", modified=to(rule("sgr-1", 6))), past("y", modified=to(rule("sgr-1", 7)))]
    live = replay(BASE, [*first, *second])
    assert order(fitting(BASE, (*reversed(first), *reversed(second)), live)) == "xyde"


def test_no_order_is_reported_where_none_gives_the_live_rules() -> None:
    assert fitting(BASE, (A, B, C), (*BASE, rule("sgr-4", 8080))) is None


def test_changes_of_different_seconds_are_never_exchanged() -> None:
    later = replace(B, event_time=NOON + timedelta(seconds=1))
    assert fitting(BASE, (A, later), replay(BASE, [later, A])) is None


def test_a_rule_is_added_before_it_is_changed_though_heard_of_after_it() -> None:
    changed, added = past("1", modified=to(rule("sgr-4", 8080))), past("2", added=(rule("sgr-4", 80),))
    assert order(placed((changed,), added)) == "21"
    removed = past("3", gone=("sgr-4",))
    assert order(placed((removed, changed), added)) == "231"
    assert order(placed((added, removed), changed)) == "213"


def test_what_the_base_holds_already_does_not_keep_the_right_order_from_being_found() -> None:
    snapshot = GroupSnapshot(GroupKey("123456789012", "eu-west-1", "sg-1"), BASE, NOON, NOON)
    remembered = past("0", -10, added=(rule("sgr-9", 9),))
    one, two = (past(str(i), 10, modified=to(rule("sgr-1", i))) for i in (1, 2))
    live = replay(BASE, [one, two])
    for event in (remembered, two, one):
        snapshot = fold(snapshot, event, live)
    assert order(snapshot.history) == "012"
    assert snapshot.rules == live


@every("seed", range(30))
def test_a_script_that_does_it_all_in_one_second_leaves_the_snapshot_live(seed: int) -> None:
    assert_a_second_leaves_the_snapshot_live(seed)


@pytest.mark.slow
@every("seed", range(30, 100))
def test_more_scripts_that_do_it_all_in_one_second_leave_the_snapshot_live(seed: int) -> None:
    assert_a_second_leaves_the_snapshot_live(seed)


def assert_a_second_leaves_the_snapshot_live(seed: int) -> None:
    group = SimulatedGroup(Random(seed), steps=(0,))
    enricher, snapshots = listener(group)
    group.create()
    for _ in range(8):
        group.change()
    group.random.shuffle(group.happened)
    for happened in group.happened:
        enricher.alert_of(happened.record)
    assert_live(snapshots, group)
