"""The fault campaign: nothing is lost, nothing doubled but in the window, and the order is kept."""

from __future__ import annotations

from multiprocessing import Pipe
from statistics import median
from typing import Any

import pytest

from chalicelib.delivery.deliver import RetryPolicy
from tests.chaos.campaign import NAMES, PLACES, SENDING, WRITTEN_DOWN, Aws, Campaign, Plan, Result, Taken, Worker
from tests.chaos.worker import Mutant


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def faults_of(result: Result) -> list[str]:
    """What is wrong with a campaign's result."""
    checks = {
        "lost": result.lost,
        "unexplained": result.unexplained,
        "never written down": result.never_written_down,
        "out of order": result.disorder,
    }
    return [name for name, found in checks.items() if found]


def assert_nothing_lost(result: Result) -> None:
    print(result.report())
    assert faults_of(result) == []
    assert result.duplicates[SENDING] <= result.in_the_window
    assert all(reason not in ("", "none") for reason in result.dead.values())
    assert set(result.dead) <= result.after_redrive


def test_a_repetition_is_explained_by_the_attempt_before_it() -> None:
    attempts = {"a": WRITTEN_DOWN, "b": SENDING, "c": "no answer in time", "d": "the connection broke"}
    result = Result(Plan(events=1), attempts=attempts)
    for name in "abcde":
        result.taken += [Taken("slack", name, 1.0, name), Taken("slack", name, 2.0, f"{name}-again")]
    assert sorted(result.unexplained) == ["the connection broke", "unknown", WRITTEN_DOWN]


def test_what_a_function_began_to_send_before_it_was_ended_is_heard() -> None:
    result = Result(Plan(events=1))
    ours, theirs = Pipe()
    theirs.send(("sending", "a"))
    theirs.send(("call", "dynamodb", "update_item", {}))
    theirs.close()
    worker = Worker(0, result.plan, Aws(result.plan, result), result, lambda seed: pytest.fail("no process is needed"))
    worker._hear_the_rest(ours)
    assert result.attempts == {"a": SENDING}


def test_a_very_short_campaign_of_nine_places_loses_nothing() -> None:
    result = Campaign(Plan(events=30, seed=7, workers=3, limit_seconds=300)).run()
    assert_nothing_lost(result)
    assert {group.rpartition("/")[0] for group in result.group_of.values()} == {"/".join(place) for place in PLACES}


@pytest.mark.slow
def test_a_short_campaign_loses_nothing() -> None:
    result = Campaign(Plan(events=100, seed=7, places=1, workers=6, death=0.003, limit_seconds=600)).run()
    assert_nothing_lost(result)
    assert any(each.groups for each in result.taken), "bursts were folded"
    assert sum(result.deaths.values()) > 3
    assert sum(result.faults.values()) > 30
    assert result.throttles > 50


# What each mutant is noticed by. Orders need destinations that fail, the rest none, and so is quick.
NOTICED = {
    Mutant.LOSES_ONE_IN_FIFTY: "lost",
    Mutant.SENDS_ONE_IN_FIFTY_TWICE: "unexplained",
    Mutant.NO_LEDGER: "never written down",
    Mutant.SPLIT_GROUPS: "out of order",
    Mutant.NO_ORDER: "out of order",
    Mutant.NO_FOLLOW_UP: "lost",
}


def mutated(mutant: Mutant | None, events: int, *, ordering: bool = False) -> Result:
    ordering = ordering or mutant in (Mutant.SPLIT_GROUPS, Mutant.NO_ORDER)
    plan = Plan(
        events=events,
        seed=3,
        groups=4 if ordering else 60,
        places=1,
        faults=1.0 if ordering else 0.0,
        throttled=0.0,
        unanswered=0.0,
        death=0.0,
        workers=3,
        alert_workers=1,
        burst_seconds=1,
        low=0.3 if mutant in (None, Mutant.NO_FOLLOW_UP) else 0.0,
        limit_seconds=900,
        mutant=mutant,
    )
    return Campaign(plan).run()


def test_every_mutant_is_known_to_be_noticed() -> None:
    assert set(NOTICED) == set(Mutant)


# Every mutant, and at its own size, is tried below.
@pytest.mark.parametrize("mutant", [Mutant.LOSES_ONE_IN_FIFTY])
def test_a_mutant_fails_the_campaign(mutant: Mutant) -> None:
    result = mutated(mutant, 20)
    print(result.report())
    assert NOTICED[mutant] in faults_of(result)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", Mutant)
def test_a_mutant_fails_the_campaign_at_size(mutant: Mutant) -> None:
    assert NOTICED[mutant] in faults_of(mutated(mutant, 500))


@pytest.mark.slow
def test_ten_thousand_events_of_nine_places_lose_nothing() -> None:
    assert_nothing_lost(Campaign(Plan(events=10_000, seed=1)).run())


@pytest.mark.slow
def test_one_destination_down_changes_nothing_for_the_others_and_is_made_up_for_by_redrive() -> None:
    calm: dict[str, Any] = {"faults": 0.0, "throttled": 0.0, "unanswered": 0.0, "death": 0.0, "duplicated": 0.0}
    retry_policy = RetryPolicy(base_delay=2.0, max_delay=8.0, give_up_after=20.0, seconds_needed=3.0)
    # Destinations answer as fast as those on the internet do; else moto's own time, which grows with what
    # is queued as that of SQS does not, would be most of what is measured.
    calm |= {"answer_seconds": 0.4, "alert_workers": 1, "pace": 0.3, "low": 0.0, "retry_policy": retry_policy}
    plans = [Plan(events=100, groups=100, down=down, **calm) for down in (None, "slack")]
    sound, broken = (Campaign(plan).run() for plan in plans)
    for result in (sound, broken):
        assert_nothing_lost(result)
    assert {name for name, _ in broken.dead} == {"slack"}
    assert len(broken.dead) == 100
    for name in NAMES[1:]:
        ratio = median(broken.latencies(name)) / median(sound.latencies(name))
        print(f"{name}: median latency with slack down / without: {ratio:.2f}")
        assert ratio <= 1.1
