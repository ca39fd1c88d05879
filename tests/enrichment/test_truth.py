"""Thousands of changes in memory: what an alert says was before is true, whatever fails and however late it hears."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from chalicelib.alert.model import Alert
from chalicelib.enrichment.enrich import Enricher
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.lookups import Lookups
from chalicelib.enrichment.replay_changes import same_rules
from tests.enrichment.simulated import KEY, NOON, FailingTable, Happened, SimulatedGroup
from tests.enrichment.world import contents, pairs, true_difference

SEEDS = range(25)
CHANGES = 12


def listener(group: SimulatedGroup, table_faults: float = 0.0) -> tuple[Enricher, Snapshots]:
    """What makes alerts of the group's records."""
    snapshots = Snapshots(FailingTable(group.random, table_faults))
    lookups = Lookups(group, {KEY.account_id: "production"}, timeout=60)
    return Enricher(
        lookups, snapshots, now=lambda: NOON + timedelta(seconds=group.seconds, milliseconds=500)
    ), snapshots


def assert_true(alert: Alert, happened: Happened) -> None:
    """That what is told of before was so."""
    truth, changes = true_difference(happened.before, happened.after), alert.changes
    former = {rule.id: rule for rule in happened.before}
    for item in changes.modified:
        assert item.before is None or contents([item.before]) == contents([former[item.after.id]])
    if changes.before_known and alert.event.name != "CreateSecurityGroup":
        assert contents(changes.removed) == contents(truth.removed)
        told = [item for item in changes.modified if item.before and contents([item.before]) != contents([item.after])]
        assert pairs(told) == pairs(truth.modified)


def assert_live(snapshots: Snapshots, group: SimulatedGroup) -> None:
    """That the snapshot has come to hold the live rules."""
    snapshot = snapshots.get(KEY)
    assert snapshot is not None
    assert snapshot.rules is not None
    assert same_rules(snapshot.rules, group.rules)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("lookup_faults", "table_faults"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.3)])
def test_what_is_reported_at_once_is_true_whatever_fails(seed: int, lookup_faults: float, table_faults: float) -> None:
    group = SimulatedGroup(Random(seed), lookup_faults)
    enricher, _ = listener(group, table_faults)
    group.create()
    heard = 0
    for _ in range(CHANGES):
        for happened in group.happened[heard:]:
            assert_true(enricher.alert_of(happened.record), happened)
        heard = len(group.happened)
        group.change()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_reported_late_is_true(seed: int) -> None:
    group = SimulatedGroup(Random(seed))
    enricher, _ = listener(group)
    group.create()
    heard = 0
    for _ in range(CHANGES):
        group.change()
        if heard < len(group.happened) and group.random.random() < 0.5:
            happened = group.happened[heard]
            assert_true(enricher.alert_of(happened.record), happened)
            heard += group.random.random() < 0.8  # else it comes again
    for happened in group.happened[heard:]:
        assert_true(enricher.alert_of(happened.record), happened)


@pytest.mark.parametrize("seed", SEEDS)
def test_in_any_order_the_snapshot_comes_to_be_what_is_live(seed: int) -> None:
    group = SimulatedGroup(Random(seed), steps=(0, 1, 5, 60))
    enricher, snapshots = listener(group)
    group.create()
    waiting = 0
    for _ in range(CHANGES):
        group.change()
        late = group.happened[waiting:]
        if late and group.random.random() < 0.5:
            enricher.alert_of(group.random.choice(late).record)
    group.random.shuffle(group.happened)
    for happened in group.happened:
        enricher.alert_of(happened.record)
    assert_live(snapshots, group)
