"""When the alarm path's status is news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.notification_policy import Occasion, RememberedStatus, decide

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_first_audit_is_news_only_when_it_does_not_pass() -> None:
    assert decide(None, Status.PASS, NOON).occasion is None
    assert decide(None, Status.FAIL, NOON).occasion is Occasion.CHANGED
    assert decide(None, Status.UNKNOWN, NOON).occasion is Occasion.CHANGED


def test_a_broken_path_is_reported_at_once_then_daily_then_on_recovery() -> None:
    memory: RememberedStatus | None = RememberedStatus(Status.PASS, None)
    told = []
    for hour in range(60):
        status = Status.FAIL if hour < 50 else Status.PASS
        decision = decide(memory, status, NOON + hour * HOUR)
        memory = RememberedStatus.from_json(decision.memory.to_json())
        if decision.occasion:
            told.append((hour, decision.occasion.value))
    assert told == [(0, "changed"), (24, "still_broken"), (48, "still_broken"), (50, "recovered")]


def test_from_broken_to_unknown_is_a_change() -> None:
    assert decide(RememberedStatus(Status.FAIL, NOON), Status.UNKNOWN, NOON + HOUR).occasion is Occasion.CHANGED


@pytest.mark.parametrize("value", [None, [], {"status": "x"}, {}])
def test_a_memory_that_cannot_be_read_counts_as_none(value: object) -> None:
    assert RememberedStatus.from_json(value) is None


def test_times_that_cannot_be_read_are_not_known_and_hide_no_status() -> None:
    value = {"version": 7, "status": "fail", "announced_at": "soon", "since": 12, "parts": "x", "more": 1}
    assert RememberedStatus.from_json(value) == RememberedStatus(Status.FAIL, None)


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=36_500)])
def test_an_announcement_in_the_future_silences_nothing(ahead: timedelta) -> None:
    decision = decide(RememberedStatus(Status.FAIL, NOON + ahead, None, NOON + ahead), Status.FAIL, NOON)
    assert decision.occasion is Occasion.STILL_BROKEN
    assert decision.memory == RememberedStatus(Status.FAIL, NOON, None, NOON, NOON, reported=frozenset())


def test_what_began_is_remembered_until_it_is_over() -> None:
    broken = decide(RememberedStatus(Status.PASS, None), Status.FAIL, NOON).memory
    worse = decide(broken, Status.UNKNOWN, NOON + HOUR).memory
    assert (broken.since, worse.since) == (NOON, NOON)
    assert decide(worse, Status.PASS, NOON + 2 * HOUR).memory.since is None


def test_more_that_fails_of_sgwatchs_own_path_is_news_where_that_is_asked() -> None:
    rule, queue = "own-rule changes", "own-forwarder us-east-1"
    first = decide(None, Status.FAIL, NOON, frozenset({rule})).memory
    again = decide(first, Status.FAIL, NOON + HOUR, frozenset({rule, queue}))
    assert again.occasion is None
    assert again.memory.reported == frozenset({rule}), "not asked, so it is news to the next that is"
    more = decide(again.memory, Status.FAIL, NOON + 2 * HOUR, frozenset({rule, queue}), more_is_news=True)
    assert more.occasion is Occasion.WORSE
    assert more.more == {queue}
    kept = RememberedStatus.from_json(more.memory.to_json())
    assert decide(kept, Status.FAIL, NOON + 3 * HOUR, frozenset({queue}), more_is_news=True).occasion is None
    mended = decide(kept, Status.FAIL, NOON + 3 * HOUR, frozenset(), more_is_news=True).memory
    assert (
        decide(mended, Status.FAIL, NOON + 4 * HOUR, frozenset({queue}), more_is_news=True).occasion is Occasion.WORSE
    )


def test_what_an_earlier_version_reported_is_not_known_and_is_no_news() -> None:
    old = RememberedStatus.from_json({"version": 1, "status": "fail", "announced_at": NOON.isoformat()})
    assert decide(old, Status.FAIL, NOON + HOUR, frozenset({"own-rule changes"}), more_is_news=True).occasion is None
