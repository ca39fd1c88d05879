"""When the alarm path's status is news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.notification_policy import Memory, Occasion, decide

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_first_audit_is_news_only_when_it_does_not_pass() -> None:
    assert decide(None, Status.PASS, NOON).occasion is None
    assert decide(None, Status.FAIL, NOON).occasion is Occasion.CHANGED
    assert decide(None, Status.UNKNOWN, NOON).occasion is Occasion.CHANGED


def test_a_broken_path_is_told_at_once_then_daily_then_on_recovery() -> None:
    memory: Memory | None = Memory(Status.PASS, None)
    told = []
    for hour in range(60):
        status = Status.FAIL if hour < 50 else Status.PASS
        decision = decide(memory, status, NOON + hour * HOUR)
        memory = Memory.from_json(decision.memory.to_json())
        if decision.occasion:
            told.append((hour, decision.occasion.value))
    assert told == [(0, "changed"), (24, "still_broken"), (48, "still_broken"), (50, "recovered")]


def test_from_broken_to_unknown_is_a_change() -> None:
    assert decide(Memory(Status.FAIL, NOON), Status.UNKNOWN, NOON + HOUR).occasion is Occasion.CHANGED


@pytest.mark.parametrize("value", [None, [], {"status": "x"}, {"status": "pass", "announced_at": "soon"}, {}])
def test_a_memory_that_cannot_be_read_counts_as_none(value: object) -> None:
    assert Memory.from_json(value) is None
