"""Alerts kept by their event's id, so that what they tell can be undone when the message is gone."""

from __future__ import annotations

from chalicelib.alert.filters import Filter
from chalicelib.alert.model import Alert
from chalicelib.delivery.alert_archive import AlertArchive
from chalicelib.delivery.gate import Gate
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.functions.alert_function import AlertFunction, Route
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics
from chalicelib.security_groups.severity import Severity
from chalicelib.state.state_table import StateTable
from tests.support.alerts import critical_open_ssh, denied_attempt, thousand_rules
from tests.support.durable import Recorder, World, numbered

INVOCATION = InvocationContext("request-1", lambda: 30_000.0)


def function(durable: World, kept: AlertArchive | None = None) -> AlertFunction:
    return AlertFunction(
        routes=(Route(Recorder("slack"), Filter(Severity.HIGH, None)),),
        ignore_when=None,
        faults=(),
        direct=durable.made.durable,
        log=Log(Redactor(), write=durable.lines.append),
        metrics=Metrics("test", write=lambda _: None),
        now=durable.clock.now,
        gate=Gate(durable.made.silences, durable.made.bursts),
        kept=kept or durable.made.kept,
    )


def kept(durable: World, alert: Alert) -> tuple[Alert, ...]:
    return durable.made.kept.of_event(alert.id)


def test_an_alert_that_can_be_undone_is_kept_by_its_events_id(durable: World) -> None:
    alert = numbered(1)
    function(durable).announce(alert, INVOCATION)
    assert kept(durable, alert) == (alert,)


def test_so_is_one_that_no_destination_wants(durable: World) -> None:
    alert = numbered(1)._replace(severity=Severity.LOW)
    function(durable).announce(alert, INVOCATION)
    assert durable.receive() == []
    assert kept(durable, alert) == (alert,)


def test_an_event_that_comes_again_leaves_what_was_kept(durable: World) -> None:
    alert = numbered(1)
    function(durable).announce(alert, INVOCATION)
    function(durable).announce(alert._replace(summary="less is known now"), INVOCATION)
    assert kept(durable, alert) == (alert,)


def test_what_has_nothing_to_undo_is_not_kept(durable: World) -> None:
    assert not denied_attempt().undo.commands
    function(durable).announce(denied_attempt(), INVOCATION)
    assert kept(durable, denied_attempt()) == ()


def test_where_the_table_fails_the_alert_is_queued_and_the_log_says_so(durable: World) -> None:
    broken = AlertArchive(StateTable(lambda: None, "none", sleep=lambda _: None), durable.clock.now)
    function(durable, broken).announce(critical_open_ssh(), INVOCATION)
    assert len(durable.receive()) == 1
    assert any("alert could not be kept for undoing it" in line for line in durable.lines)


def test_an_item_stays_far_below_what_dynamodb_takes(durable: World) -> None:
    alert = thousand_rules()
    durable.made.kept.keep(alert, unless_kept=True)
    (item,) = durable.made.table.query(f"kept#{alert.id}")
    assert isinstance(item["content"], bytes)
    assert len(item["content"]) < 40_000
    assert kept(durable, alert) == (alert,)
