"""Events that come late, twice or in the wrong order leave the snapshot equal to the live group."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chalicelib.alert.model import format_time
from chalicelib.enrichment.enrich import Enricher
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.group_snapshots import (
    GroupKey,
    GroupSnapshot,
    created,
    fold,
    observed,
    trimmed,
    with_rule_tags,
)
from chalicelib.enrichment.lookups import Lookups
from chalicelib.enrichment.replay_changes import PastChange, replay
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from tests.enrichment.world import Step, World, contents, request_of, rules, steps, unique
from tests.support.memory_table import MemoryTable

KEY = GroupKey("123456789012", "eu-west-1", "sg-1")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def rule(rule_id: str, port: int, description: str | None = None) -> SecurityGroupRule:
    peer = Peer(PeerType.IPV4, "203.0.113.0/24")
    return SecurityGroupRule(Direction.INGRESS, "tcp", port, port, peer, description, rule_id)


def past(event_id: str, seconds: int = 0, event_name: str = "X", **effect: Any) -> PastChange:
    return PastChange(event_id, NOON + timedelta(seconds=seconds), event_name, "alice", **effect)


SNAPSHOT = GroupSnapshot(KEY, base=(rule("sgr-1", 22),), base_time=NOON, known_since=NOON)


def test_a_late_event_takes_the_place_of_its_time() -> None:
    first = past("1", 10, modified=(ModifiedRule(None, rule("sgr-1", 80)),))
    second = past("2", 20, modified=(ModifiedRule(None, rule("sgr-1", 443)),))
    late = fold(fold(SNAPSHOT, second), first)
    assert late.rules == (rule("sgr-1", 443),)
    assert late.rules_before("1", first.event_time) == (rule("sgr-1", 22),)
    assert late.rules_before("2", second.event_time) == (rule("sgr-1", 80),)


def test_an_event_that_comes_twice_is_reported_the_same_and_changes_nothing() -> None:
    added = past("1", 10, added=(rule("sgr-2", 80),))
    removed = past("2", 20, removed=(rule("sgr-2", 80),))
    done = fold(fold(SNAPSHOT, added), removed)
    assert fold(done, added) == done
    assert done.rules_before("1", added.event_time) == (rule("sgr-1", 22),)


def test_live_rules_decide_between_events_of_one_second() -> None:
    one = past("1", 10, modified=(ModifiedRule(None, rule("sgr-1", 80)),))
    two = past("2", 10, modified=(ModifiedRule(None, rule("sgr-1", 443)),))
    live = (rule("sgr-1", 443),)
    assert fold(fold(SNAPSHOT, two, live), one, live).rules == live
    assert fold(fold(SNAPSHOT, one, live), two, live).rules == live


def test_live_rules_that_fit_no_order_decide_nothing_until_they_fit() -> None:
    one = past("1", 10, modified=(ModifiedRule(None, rule("sgr-1", 80)),))
    two = past("2", 10, modified=(ModifiedRule(None, rule("sgr-1", 443)),))
    ahead = (rule("sgr-1", 80), rule("sgr-2", 8080))
    in_order = fold(fold(SNAPSHOT, one, ahead), two, ahead)
    assert [each.event_id for each in in_order.history] == ["1", "2"]
    settled = fold(in_order, past("3", 20, added=(rule("sgr-2", 8080),)), ahead)
    assert [each.event_id for each in settled.history] == ["2", "1", "3"]


def test_a_rule_is_not_removed_before_it_was_added_in_the_same_second() -> None:
    added = past("1", 10, added=(rule("sgr-2", 80),))
    removed = past("2", 10, gone=("sgr-2",))
    assert fold(fold(SNAPSHOT, added), removed).rules == SNAPSHOT.base
    live = SNAPSHOT.base
    assert fold(fold(SNAPSHOT, removed, live), added, live).rules == SNAPSHOT.base


def test_a_rule_is_not_changed_after_it_was_removed_in_the_same_second() -> None:
    described = past("1", 10, event_name="UpdateSecurityGroupRuleDescriptionsIngress", described=(("sgr-1", "x"),))
    removed = past("2", 10, removed=(rule("sgr-1", 22),))
    done = fold(fold(SNAPSHOT, removed), described)
    assert (done.rules, done.is_certain) == ((), True)


def test_a_description_says_nothing_of_what_else_the_rule_allows() -> None:
    described = past(
        "2",
        20,
        event_name="UpdateSecurityGroupRuleDescriptionsIngress",
        modified=(ModifiedRule(rule("sgr-1", 22), rule("sgr-1", 22, "mine")),),
    )
    opened = past("1", 10, modified=(ModifiedRule(None, rule("sgr-1", 443)),))
    assert fold(fold(SNAPSHOT, described), opened).rules == (rule("sgr-1", 443, "mine"),)


def test_after_a_change_of_a_rule_that_nobody_knows_it_is_not_known_what_was_before() -> None:
    nobody_knows = past("1", 10, modified=(ModifiedRule(None, (rule("sgr-9", 80))._replace(direction=None)),))
    lost = fold(SNAPSHOT, nobody_knows)
    assert not lost.is_certain
    assert lost.rules_before("2", NOON + timedelta(seconds=20)) is None
    later = NOON + timedelta(seconds=30)
    found_again = observed(lost, (rule("sgr-1", 22), rule("sgr-9", 80)), later, later)
    assert found_again.is_certain
    assert found_again.rules_before("3", NOON + timedelta(seconds=40)) == (rule("sgr-1", 22), rule("sgr-9", 80))


def test_what_is_uncertain_is_not_played_into_the_base() -> None:
    lost = fold(SNAPSHOT, past("1", 10, described=(("sgr-9", "x"),)))
    assert trimmed(lost, NOON + timedelta(days=3)).base is None


def test_a_new_groups_default_rule_has_no_description_whatever_it_is_described_as_since() -> None:
    everywhere = Peer(PeerType.IPV4, "0.0.0.0/0")
    default = SecurityGroupRule(Direction.EGRESS, "-1", None, None, everywhere, None, "sgr-e")
    begun = created(KEY, past("1", 0), (default._replace(description="described since"),))
    assert begun.rules == (default,)


def test_what_the_base_holds_already_is_only_remembered() -> None:
    early = past("0", -10, removed=(rule("sgr-1", 22),))
    assert fold(SNAPSHOT, early).rules == SNAPSHOT.base
    assert fold(SNAPSHOT, early).rules_before("0", early.event_time) is None


def test_what_is_only_remembered_is_not_played_into_the_base_when_it_is_old() -> None:
    early = past("0", -10, added=(rule("sgr-7", 443),))
    assert trimmed(fold(SNAPSHOT, early), NOON + timedelta(days=3)).rules == SNAPSHOT.base


def test_old_history_is_played_into_the_base() -> None:
    added = past("1", 10, added=(rule("sgr-2", 80),))
    later = trimmed(fold(SNAPSHOT, added), NOON + timedelta(days=3))
    assert later.history == ()
    assert later.base == (rule("sgr-1", 22), rule("sgr-2", 80))


def test_the_tags_of_rules_are_those_looked_up_last_whatever_changed_the_rule() -> None:
    seen = with_rule_tags(SNAPSHOT, [(rule("sgr-1", 22))._replace(tags=(("why", "old"),))])
    seen = with_rule_tags(seen, [(rule("sgr-1", 22))._replace(tags=(("why", "new"),)), rule("sgr-2", 80)])
    changed = fold(seen, past("1", 10, modified=(ModifiedRule(None, rule("sgr-1", 443)),)))
    assert [each.tags for each in changed.rules or ()] == [(("why", "new"),)]
    removed = fold(changed, past("2", 20, gone=("sgr-1",)))
    assert [each.tags for each in removed.rules_before("2", NOON + timedelta(seconds=20)) or ()] == [(("why", "new"),)]


def test_the_tags_of_a_removed_rule_are_forgotten_with_its_removal() -> None:
    seen = with_rule_tags(SNAPSHOT, [(rule("sgr-1", 22))._replace(tags=())])
    removed = fold(seen, past("1", 10, gone=("sgr-1",)))
    assert trimmed(removed, NOON + timedelta(hours=1)).rule_tags == {"sgr-1": ()}
    assert trimmed(removed, NOON + timedelta(days=2)).rule_tags == {}


def test_a_drift_that_was_reported_is_history_like_any_change() -> None:
    live = (rule("sgr-1", 22), rule("sgr-9", 3389))
    told = observed(SNAPSHOT, live, *[NOON + timedelta(minutes=5)] * 2)
    assert told.rules == live
    assert observed(told, live, *[NOON + timedelta(minutes=10)] * 2) == told
    late = fold(told, past("1", 60, added=(rule("sgr-9", 3389),)))
    assert late.rules is not None
    assert contents(late.rules) == contents(live)


@st.composite
def histories(draw: Any) -> list[PastChange]:
    """What really happened to a group, event by event, a second or less apart."""
    live, events, seconds = [*(SNAPSHOT.base or ())], [], 0
    for number in range(draw(st.integers(1, 8))):
        seconds += draw(st.sampled_from([1, 1, 5]))
        kind = draw(st.sampled_from(["add", "remove", "modify"]))
        if kind == "add" or not live:
            new = rule(f"sgr-n{number}", 1000 + number)
            live.append(new)
            events.append(past(str(number), seconds, added=(new,)))
            continue
        place = draw(st.integers(0, len(live) - 1))
        old = live[place]
        if kind == "remove":
            del live[place]
            events.append(past(str(number), seconds, removed=(old,)))
        else:
            live[place] = rule(str(old.id), 2000 + number, f"step {number}")
            events.append(past(str(number), seconds, modified=(ModifiedRule(None, live[place]),)))
    return events


@given(events=histories(), data=st.data())
def test_any_order_with_repeats_gives_the_rules_of_the_right_order(events: list[PastChange], data: Any) -> None:
    assert SNAPSHOT.base is not None
    arrivals = data.draw(st.permutations([*events, *data.draw(st.lists(st.sampled_from(events), max_size=4))]))
    snapshot = SNAPSHOT
    for event in arrivals:
        snapshot = fold(snapshot, event)
    assert snapshot.rules is not None
    assert contents(snapshot.rules) == contents(replay(SNAPSHOT.base, events))


@given(
    group=st.lists(rules(), max_size=4).map(unique),
    plan=st.lists(steps(), min_size=4, max_size=6),
    data=st.data(),
)
@settings(
    max_examples=4,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # each example is dozens of calls: shrinking would take minutes
    suppress_health_check=list(HealthCheck),
)
def test_shuffled_and_repeated_events_of_the_local_cloud_leave_the_snapshot_live(
    world: World, lookups: Lookups, group: Any, plan: list[Step], data: Any
) -> None:
    snapshots = Snapshots(MemoryTable())
    enricher = Enricher(lookups, snapshots)
    mark = len(world.cloud.records)
    group_id = world.new_group(group, {})
    for step in plan:
        request = request_of(step, world, group_id) if step.kind != "delete" else None
        if request is not None:
            world.call(*request)
    made = [item for item in list(world.cloud.records)[mark:] if not item["readOnly"] and "errorCode" not in item]
    # How many of a machine's calls fall into one second is its own affair: here it is all of them, or one.
    pause, ended = data.draw(st.sampled_from([0, 1])), datetime.now(UTC).replace(microsecond=0)
    for place, item in enumerate(reversed(made)):
        item["eventTime"] = format_time(ended - timedelta(seconds=place * pause))
    arrivals = data.draw(st.permutations([*made, *data.draw(st.lists(st.sampled_from(made), max_size=3))]))
    for record in arrivals:
        enricher.alert_of(record)
    snapshot = snapshots.get(GroupKey(world.cloud.account_id, world.cloud.region, group_id))
    assert snapshot is not None
    assert contents(snapshot.rules or ()) == contents(world.rules(group_id))
