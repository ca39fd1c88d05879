"""Random groups, random changes with the real AWS CLI: what the alert tells is true, and undo undoes it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.alert.model import Alert
from chalicelib.enrichment.enrich import Enricher
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.group_snapshots import GroupKey
from chalicelib.enrichment.lookups import Lookups
from tests.enrichment.world import (
    CHANGES,
    TEXTS,
    Step,
    World,
    assert_true,
    contents,
    request_of,
    rules,
    steps,
    true_difference,
    undone,
    unique,
)
from tests.support.memory_table import MemoryTable
from tests.support.unknowns import sentences

CHANGES_PER_GROUP = 4
# A rule that names a prefix list leaves no call for the interfaces.
GIVEN_UP = "not looked up, the prefix list took the calls"
TAGS = st.dictionaries(st.sampled_from(["Owner", "env", "a b"]), TEXTS, max_size=3)
GROUPS = st.tuples(st.lists(rules(), min_size=1, max_size=5).map(unique), TAGS)
# Different kinds after each other: drawn one by one, the first examples of every run are all of the same kind.
PLANS = st.permutations(CHANGES).flatmap(
    lambda kinds: st.tuples(*(steps(kind) for kind in kinds[:CHANGES_PER_GROUP])).map(list)
)
FIXTURES_STAY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


class Story:
    """One group, the changes made to it, and what the enricher says of each; ``made`` counts them."""

    def __init__(self, world: World, lookups: Lookups, made: Counter[str], *, with_store: bool) -> None:
        self.made = made
        self.world = world
        self.snapshots = Snapshots(MemoryTable()) if with_store else None
        self.enricher = Enricher(lookups, self.snapshots)

    def play(self, group: Any, plan: list[Step]) -> None:
        listed, tags = group
        mark = len(self.world.cloud.records)
        group_id = self.world.new_group(listed, tags)
        self._hear(mark)
        for step in plan:
            group_id = self._play_step(step, group_id)

    def _hear(self, mark: int) -> None:
        """The alerts of what happened since, so that the state table knows it."""
        for record in list(self.world.cloud.records)[mark:]:
            if not record["readOnly"] and "errorCode" not in record:
                self.enricher.alert_of(record)

    def _play_step(self, step: Step, group_id: str) -> str:
        request = request_of(step, self.world, group_id)
        if request is None:
            return group_id
        former, before = self.world.state(group_id), self.world.rules(group_id)
        record = self.world.call(*request)
        after = self.world.rules(group_id) if step.kind != "delete" else ()
        alert = self.enricher.alert_of(record)
        self.made["changes"] += 1
        self.made["with rule tags that come back"] += '"security-group-rule"' in str(alert.undo.commands)
        if self.snapshots is not None:
            assert alert.changes.before_known, alert.unknowns
            assert all(item.endswith(GIVEN_UP) for item in sentences(alert.unknowns)), sentences(alert.unknowns)
        if not alert.changes.before_known:
            return group_id if step.kind != "delete" else self.world.new_group((), {})
        assert_true(alert.changes, true_difference(before, after))
        assert alert.changes.rules_after in (len(after), None)
        return self._undo(alert, group_id, former)

    def _undo(self, alert: Alert, group_id: str, former: Any) -> str:
        mark = len(self.world.cloud.records)
        with undone(self.world, alert, group_id, former) as now:
            self._hear(mark)
            self._check_snapshot(now)
            return now

    def _check_snapshot(self, group_id: str) -> None:
        if self.snapshots is None:
            return
        snapshot = self.snapshots.get(GroupKey(self.world.cloud.account_id, self.world.cloud.region, group_id))
        assert snapshot is not None
        assert contents(snapshot.rules or ()) == contents(self.world.rules(group_id))


def campaign(world: World, lookups: Lookups, how: settings, *, with_store: bool) -> Counter[str]:
    """As many stories as the settings say, each true; counts the changes made."""
    made: Counter[str] = Counter()

    @how
    @given(group=GROUPS, plan=PLANS)
    def tell(group: Any, plan: list[Step]) -> None:
        Story(world, lookups, made, with_store=with_store).play(group, plan)

    tell()
    return made


SEEDED = settings(derandomize=True, suppress_health_check=FIXTURES_STAY, deadline=None, database=None)


def test_a_few_changes_are_reported_truly_and_undone(world: World, lookups: Lookups) -> None:
    made = campaign(world, lookups, settings(SEEDED, max_examples=3), with_store=True)
    # Of a plan's steps those are left out that the group has nothing for.
    assert made["changes"] >= 4


def test_what_is_reported_without_a_state_table_is_true(world: World, lookups: Lookups) -> None:
    assert campaign(world, lookups, settings(SEEDED, max_examples=3), with_store=False)["changes"] >= 4


@pytest.mark.slow
def test_hundreds_of_changes_are_reported_truly_and_undone(world: World, lookups: Lookups) -> None:
    how = settings(max_examples=60, suppress_health_check=FIXTURES_STAY, deadline=None)
    made = campaign(world, lookups, how, with_store=True)
    assert made["with rule tags that come back"] >= 3
    assert made["changes"] + campaign(world, lookups, how, with_store=False)["changes"] >= 300
