"""Storms and decoys in durable delivery: nothing is lost, nobody else waits, and Lambda is not kept busy."""

from __future__ import annotations

import random

import pytest

from chalicelib.alert.model import Alert
from tests.chaos.storm import Place, Storm
from tests.support.alerts import critical_open_ssh, revoke
from tests.support.durable import numbered
from tests.support.quick_table import QuickTable


def alerts(count: int, rate: float, groups: int, seed: int = 1) -> list[tuple[float, Alert]]:
    chance = random.Random(seed)
    return [
        ((number + chance.random()) / rate, numbered(number, f"sg-{number % groups:05d}", revoke()))
        for number in range(count)
    ]


def assert_weathered(storm: Storm) -> None:
    print(storm.report())
    assert storm.lost() == storm.twice() == storm.disorder() == 0
    assert not storm.queue.dead
    assert storm.most_running <= 20
    busy, quick = storm.places()["busy"], storm.places()["quick"]
    assert busy.most_sending <= 10
    assert storm.invocations["busy"] / len(storm.queued["busy"]) <= 3
    assert storm.delays("quick")[-1] < 10
    assert quick.requests == len(storm.queued["quick"])


def test_a_storm_takes_few_invocations_and_holds_up_no_other_destination() -> None:
    storm = Storm(QuickTable())
    places = [Place(storm.time, "busy", interval=1.0), Place(storm.time, "quick")]
    assert_weathered(storm.run(places, alerts(300, 100, 100)))


@pytest.mark.slow
def test_ten_thousand_alerts_to_a_destination_that_takes_one_a_second() -> None:
    storm = Storm(QuickTable())
    places = [Place(storm.time, "busy", interval=1.0), Place(storm.time, "quick")]
    assert_weathered(storm.run(places, alerts(10_000, 100, 2_000)))


def test_a_destination_that_hangs_holds_at_most_half_of_the_executions() -> None:
    storm = Storm(QuickTable())
    places = [Place(storm.time, "slow", answer=14.0), Place(storm.time, "quick")]
    storm.run(places, alerts(60, 20, 60))
    print(storm.report())
    assert storm.places()["slow"].most_sending <= 10
    assert storm.delays("quick")[-1] < 5
    assert storm.lost() == storm.twice() == 0


def decoys(seconds: float) -> list[tuple[float, Alert]]:
    """Twenty low alerts a second, and a critical one every ten seconds."""
    low = alerts(int(20 * seconds), 20, 10_000)
    critical = [
        (at + 0.5, numbered(100_000 + number, f"sg-c{number:04d}", critical_open_ssh()))
        for number, at in enumerate(range(5, int(seconds), 10))
    ]
    return sorted([*low, *critical], key=lambda each: each[0])


def assert_criticals_in_time(storm: Storm) -> None:
    print(storm.report(), storm.delays("busy", critical=True))
    assert storm.delays("busy", critical=True)[-1] <= 5
    assert storm.lost() == storm.twice() == storm.disorder() == 0


def test_a_critical_alert_is_delivered_within_five_seconds_among_decoys() -> None:
    storm = Storm(QuickTable())
    assert_criticals_in_time(storm.run([Place(storm.time, "busy", interval=1.0)], decoys(15)))


@pytest.mark.slow
def test_a_critical_alert_is_delivered_within_five_seconds_among_decoys_for_long() -> None:
    storm = Storm(QuickTable())
    assert_criticals_in_time(storm.run([Place(storm.time, "busy", interval=1.0)], decoys(180)))
