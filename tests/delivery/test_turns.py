"""Turns at a busy destination, on moto and on the table in memory that the campaigns use."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.delivery.turns import MAX_AHEAD_SECONDS, PK, SLOTS, SLOTS_FOR_CRITICAL, Sending, Turns, Waiting
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable
from tests.support.durable import Clock, World
from tests.support.quick_table import QuickTable

IN_2099 = 4102444800


@pytest.fixture(params=["memory", "moto"])
def table(request: pytest.FixtureRequest) -> StateTable:
    if request.param == "memory":
        return QuickTable()
    durable: World = request.getfixturevalue("durable")
    return durable.made.table


def turns(table: StateTable, clock: Clock) -> Turns:
    return Turns(table, clock.now, lambda slots: None)


def low(made: Turns, turn_at: float | None = None) -> Sending | Waiting:
    return made.take("slack", critical=False, turn_at=turn_at)


def refuse(made: Turns, retry_after: float = 1.0, *, critical: bool = False) -> float:
    sending = made.take("slack", critical=critical, turn_at=None)
    assert isinstance(sending, Sending)
    return made.refused("slack", sending, retry_after, critical=critical)


def test_half_of_the_executions_send_to_one_destination_and_two_of_them_wait_for_critical_alerts(
    table: StateTable,
) -> None:
    clock = Clock()
    made = turns(table, clock)
    taken = [low(made) for _ in range(SLOTS)]
    assert [type(each) for each in taken] == [Sending] * (SLOTS - SLOTS_FOR_CRITICAL) + [Waiting] * SLOTS_FOR_CRITICAL
    urgent = [made.take("slack", critical=True, turn_at=None) for _ in range(SLOTS_FOR_CRITICAL + 1)]
    assert [type(each) for each in urgent] == [Sending] * SLOTS_FOR_CRITICAL + [Waiting]
    assert isinstance(made.take("sns", critical=False, turn_at=None), Sending), "another destination has its own"
    assert isinstance(taken[0], Sending)
    made.done("slack", taken[0], taken=True)
    assert isinstance(made.take("slack", critical=True, turn_at=None), Sending)


def test_a_slot_of_a_function_that_was_killed_is_free_again_after_a_while(table: StateTable) -> None:
    clock = Clock()
    made = turns(table, clock)
    for _ in range(SLOTS):
        low(made)
    clock.forward(45)
    assert isinstance(low(made), Sending)


def test_every_alert_that_waits_has_a_turn_of_its_own(table: StateTable) -> None:
    clock = Clock()
    made = turns(table, clock)
    first = refuse(made)
    waiting = [low(made) for _ in range(5)]
    times = [each.turn_at for each in waiting if isinstance(each, Waiting)]
    assert first == clock.seconds() + 1
    assert times == pytest.approx([clock.seconds() + 1 + number for number in range(1, 6)], abs=0.01)
    clock.forward(times[2] - clock.seconds())
    assert isinstance(low(made, times[2]), Sending)
    assert low(made, times[4]) == Waiting(times[4]), "it came too early"


def test_milder_alerts_leave_the_next_turn_to_a_critical_one(table: StateTable) -> None:
    clock = Clock()
    made = turns(table, clock)
    critical_at = refuse(made, critical=True)
    clock.forward(critical_at - clock.seconds())
    mild = low(made, clock.seconds())
    assert isinstance(mild, Waiting)
    assert mild.turn_at > critical_at
    assert isinstance(made.take("slack", critical=True, turn_at=None), Sending)


def test_turns_move_closer_together_with_success_and_apart_with_refusal(table: StateTable) -> None:
    clock = Clock()
    made = turns(table, clock)

    def step() -> float:
        return made._state("slack", clock.seconds()).interval or 0.0

    refuse(made)
    assert step() == 1.0
    clock.forward(10)
    for _ in range(10):
        sending = low(made, clock.seconds())
        assert isinstance(sending, Sending)
        made.done("slack", sending, taken=True)
    assert step() == pytest.approx(0.98**10, abs=0.001)
    sending = low(made, clock.seconds())
    assert isinstance(sending, Sending)
    made.refused("slack", sending, 1.0, critical=False)
    assert step() == pytest.approx(min(1.0, 0.98**10 * 1.2), abs=0.001)


@pytest.mark.parametrize(
    "name", ["next_at", "paused_until", "yield_until", *(f"slot_{number}" for number in range(SLOTS))]
)
@pytest.mark.parametrize("value", [IN_2099, "never", -1, 10**30])
def test_no_value_in_the_table_keeps_a_destination_waiting(name: str, value: Any) -> None:
    clock, table = Clock(), QuickTable()
    table.put({"pk": PK, "sk": "slack", name: value})
    made = turns(table, clock)
    found = [low(made) for _ in range(SLOTS - SLOTS_FOR_CRITICAL - 1)]
    assert all(isinstance(each, Sending) for each in found)
    assert refuse(made) < clock.seconds() + MAX_AHEAD_SECONDS


def test_where_the_table_fails_alerts_are_sent() -> None:
    class Broken(QuickTable):
        def get(self, pk: str, sk: str) -> Any:
            raise StateError("ThrottlingException on dynamodb:GetItem", "ThrottlingException")

    made = turns(Broken(), Clock())
    sending = low(made)
    assert isinstance(sending, Sending)
    made.done("slack", sending, taken=True)
    assert made.refused("slack", sending, 1.0, critical=False) == Clock().seconds() + 1
