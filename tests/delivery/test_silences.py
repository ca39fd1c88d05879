"""Silences and the gate."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest

from chalicelib.delivery.decision import GateDecision
from chalicelib.delivery.gate import Gate
from chalicelib.delivery.silences import Silence, Silences
from chalicelib.observability.logs import Log, Redactor
from chalicelib.state.state_table import StateTable
from tests.support.alerts import critical_open_ssh, revoke, trial
from tests.support.durable import TABLE, World, numbered


def silence(durable: World, when: str = "security_group.name == 'web'", **changed: object) -> Silence:
    """A silence of two hours, written down."""
    now = durable.clock.now()
    made = Silence("s-1", when, "alice", "load test", now, now + timedelta(hours=2))
    made = replace(made, **changed)  # type: ignore[arg-type] # the fields of a silence
    durable.made.silences.add(made)
    return made


def log(lines: list[str]) -> Log:
    return Log(Redactor(), write=lines.append)


def gate(durable: World) -> Gate:
    return Gate(durable.made.silences, durable.made.bursts)


def test_a_silenced_alert_is_held_back_counted_once_and_listable(durable: World) -> None:
    silence(durable)
    for _ in range(2):
        assert gate(durable).check(revoke(), log([])) is GateDecision.SILENCE
    ((found, listed),) = [(each, durable.made.silences.suppressed(each.id)) for each in durable.made.silences.all()]
    assert found.count == 1
    assert [(item.alert_id, item.severity, item.title) for item in listed] == [(revoke().id, "low", revoke().title)]


def test_a_critical_alert_passes_a_silence_that_does_not_say_so(durable: World) -> None:
    silence(durable)
    assert gate(durable).check(critical_open_ssh(), log([])) is GateDecision.SEND


def test_a_critical_alert_is_held_back_by_a_silence_that_says_so(durable: World) -> None:
    silence(durable, critical_too=True)
    assert gate(durable).check(critical_open_ssh(), log([])) is GateDecision.SILENCE


def test_a_silence_ends_by_itself(durable: World) -> None:
    silence(durable)
    durable.clock.forward(2 * 3600)
    assert gate(durable).check(revoke(), log([])) is GateDecision.SEND


def test_a_removed_silence_holds_nothing_back_and_stays_in_the_list(durable: World) -> None:
    silence(durable)
    assert durable.made.silences.remove("s-1")
    durable.clock.forward(20)
    assert gate(durable).check(revoke(), log([])) is GateDecision.SEND
    assert [each.id for each in durable.made.silences.all()] == ["s-1"]


def test_removing_a_silence_that_has_ended_leaves_its_end_as_it_was(durable: World) -> None:
    until = silence(durable).until
    durable.clock.forward(3 * 3600)
    assert durable.made.silences.remove("s-1")
    assert [each.until for each in durable.made.silences.all()] == [until]


def test_a_silence_does_not_hold_back_what_was_decided_on_before_it(durable: World) -> None:
    assert gate(durable).check(revoke(), log([])) is GateDecision.SEND
    assert gate(durable).check(numbered(1, like=revoke()), log([])) is GateDecision.FOLD
    silence(durable, "id")
    durable.clock.forward(20)
    assert gate(durable).check(revoke(), log([])) is GateDecision.SEND, "one destination has it, another may not"
    assert gate(durable).check(numbered(1, like=revoke()), log([])) is GateDecision.FOLD
    assert [each.count for each in durable.made.silences.all()] == [0]


class LosingAnswers:
    """DynamoDB that does what it is asked, and whose first answer to each call is lost."""

    def __init__(self) -> None:
        self.lost: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            answer = getattr(boto3.client("dynamodb"), name)(**arguments)
            if name not in self.lost:
                self.lost.add(name)
                raise ConnectionError
            return answer

        return call


def test_an_alert_is_counted_once_where_answers_are_lost(durable: World) -> None:
    made = silence(durable)
    answers = LosingAnswers()
    losing = Silences(StateTable(lambda: answers, TABLE, sleep=lambda _: None), durable.clock.now)
    losing.count(made, revoke())
    assert [each.count for each in losing.all()] == [len(losing.suppressed(made.id))] == [1]


def test_an_alert_is_not_held_back_by_a_silence_that_was_deleted(durable: World) -> None:
    silence(durable, "id")
    held_by = gate(durable)
    assert held_by.check(revoke(), log([])) is GateDecision.SILENCE
    boto3.client("dynamodb").delete_item(TableName=TABLE, Key={"pk": {"S": "silences"}, "sk": {"S": "s-1"}})
    assert held_by.check(numbered(1, like=revoke()), log([])) is GateDecision.SEND


def test_removing_what_is_not_there_says_so(durable: World) -> None:
    assert not durable.made.silences.remove("s-2")
    assert durable.made.silences.all() == []


def test_a_silence_that_concerns_other_alerts_or_fails_holds_nothing_back(durable: World) -> None:
    silence(durable, "security_group.name == 'db'")
    silence(durable, "length(error_free) > `0`".replace("error_free", "principal.mfa"), id="s-2")
    assert gate(durable).check(revoke(), log([])) is GateDecision.SEND


def test_a_test_alert_passes_every_silence(durable: World) -> None:
    silence(durable, "id", critical_too=True)
    assert gate(durable).check(trial(), log([])) is GateDecision.SEND


def test_an_expression_that_is_none_is_refused(durable: World) -> None:
    with pytest.raises(ValueError, match="JMESPath"):
        silence(durable, "severity == ")


def test_where_the_table_fails_alerts_are_sent(durable: World) -> None:
    lines: list[str] = []
    broken = StateTable(lambda: None, "none", sleep=lambda _: None)
    failing = Gate(Silences(broken, durable.clock.now), replace(durable.made.bursts, table=broken))
    assert failing.check(numbered(1, like=revoke()), log(lines)) is GateDecision.SEND
    assert len(lines) == 2
    assert "sending" in lines[0]


@pytest.mark.parametrize("damage", [{"expression": "severity =="}, {"author": None}, {"ends_at": "tomorrow"}])
def test_a_silence_that_somebody_broke_holds_nothing_back_and_leaves_the_others(
    durable: World, damage: dict[str, str | None]
) -> None:
    silence(durable, id="broken")
    silence(durable, id="whole")
    item = durable.made.table.get("silences", "broken")
    assert item is not None
    durable.made.table.put({**item, **damage})
    assert gate(durable).check(revoke(), log([])) is GateDecision.SILENCE
