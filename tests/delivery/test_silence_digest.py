"""The daily digest of silences, through the alert function and the deliver function."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.alert.filters import Filter
from chalicelib.alert.model import Alert, AlertKind, Severity
from chalicelib.delivery.gate import Gate
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.delivery.silence_digest import MOST_LINES, SilenceDigest, digest_alert
from chalicelib.delivery.silences import Silence, Silences
from chalicelib.functions.alert_function import AlertFunction, Route
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics
from chalicelib.rendering.plain_text import plain_text
from tests.support.alerts import revoke
from tests.support.durable import Recorder, World, numbered

CALL = InvocationContext("request", lambda: 60_000.0)
DAY = 24 * 3600


def silence(durable: World, silence_id: str = "5f0e2a34", hours: float = 72, **changed: object) -> Silence:
    """A silence for the group web, written down."""
    now = durable.clock.now()
    made = Silence(silence_id, "security_group.name == 'web'", "alice", "load test", now, now + timedelta(hours=hours))
    made = replace(made, **changed)  # type: ignore[arg-type] # the fields of a silence
    durable.made.silences.add(made)
    return made


def hold_back(durable: World, silence_id: str = "5f0e2a34", numbers: range = range(1)) -> None:
    (found,) = [each for each in durable.made.silences.all() if each.id == silence_id]
    for number in numbers:
        durable.made.silences.count(found, numbered(number, like=revoke()))


def digest(durable: World) -> SilenceDigest:
    return SilenceDigest(durable.made.table, durable.made.silences, durable.clock.now, "prod")


def told(durable: World) -> list[Alert]:
    """What one run of the schedule tells."""
    alerts: list[Alert] = []
    digest(durable).send(alerts.append)
    return alerts


def test_the_digest_says_who_why_until_when_how_many_and_how_to_end_it(durable: World) -> None:
    silence(durable)
    hold_back(durable, numbers=range(3))
    (alert,) = told(durable)
    assert (alert.kind, alert.severity) == (AlertKind.DELIVERY_PROBLEM, Severity.INFO)
    assert alert.title == "Silences held back 3 alerts; 1 silence in force"
    (line,) = [exposure.reason for exposure in alert.exposures]
    assert line == (
        "5f0e2a34, by alice: load test; until 2026-11-26T10:00:00Z; 3 alerts held back, "
        "where security_group.name == 'web'"
    )
    assert "To see what that was: `sgwatch silence list --suppressed ID --stage prod`." in alert.summary
    assert "To end one: `sgwatch silence remove ID --stage prod`." in alert.summary


def test_without_a_silence_there_is_no_digest(durable: World) -> None:
    assert told(durable) == []
    silence(durable, hours=1)
    durable.clock.forward(2 * 3600)
    assert told(durable) == [], "it is over and held nothing back"


def test_the_digest_is_reported_once_a_day(durable: World) -> None:
    silence(durable)
    said = []
    for _ in range(50):
        said += told(durable)
        durable.clock.forward(3600)
    assert [alert.id for alert in said] == [f"silences-2026-11-{day}" for day in (23, 24, 25)]


def test_the_next_digest_counts_what_is_new(durable: World) -> None:
    silence(durable)
    hold_back(durable, numbers=range(3))
    told(durable)
    durable.clock.forward(DAY)
    hold_back(durable, numbers=range(3, 5))
    (alert,) = told(durable)
    assert alert.title == "Silences held back 2 alerts since the last digest; 1 silence in force"
    assert "5 alerts held back (2 since the last digest)" in alert.exposures[0].reason


def test_a_silence_that_ended_is_reported_once_more(durable: World) -> None:
    silence(durable, hours=5)
    hold_back(durable)
    told(durable)
    durable.clock.forward(DAY)
    (alert,) = told(durable)
    assert alert.title == "Silences held back 0 alerts since the last digest; 0 silences in force"
    assert "ended 2026-11-23T15:00:00Z" in alert.exposures[0].reason
    durable.clock.forward(DAY)
    assert told(durable) == []


def test_two_functions_at_once_send_one_digest(durable: World) -> None:
    silence(durable)
    slack = Recorder("slack")
    alerts = alert_function(durable, Route(slack, Filter()))
    first = digest(durable)

    def meanwhile(alert: Alert) -> None:
        # The other one has found it unsent, and is as far as this one.
        alerts.announce(unsent(durable), CALL)
        alerts.announce(alert, CALL)

    first.send(meanwhile)
    durable.run(durable.function(slack))
    assert len(slack.sent) == 1
    assert told(durable) == []


def unsent(durable: World) -> Alert:
    """What another function finds that comes by before the digest is noted as sent."""
    (alert,) = told(durable)
    return alert


class Overtaken(Silences):
    """Silences whose reader is overtaken by another function, which tells its digest first."""

    def __init__(self, durable: World) -> None:
        super().__init__(durable.made.table, durable.clock.now)
        self.durable = durable
        self.others: list[Alert] = []

    def all(self) -> list[Silence]:
        self.others += told(self.durable)
        return super().all()


def test_of_two_that_write_it_down_at_once_one_shows_it(durable: World) -> None:
    silence(durable)
    overtaken = Overtaken(durable)
    alerts: list[Alert] = []
    replace(digest(durable), silences=overtaken).send(alerts.append)
    assert len(overtaken.others) == 1
    assert alerts == []


def test_a_digest_that_could_not_be_sent_is_sent_as_it_was_by_the_next_run(durable: World) -> None:
    silence(durable)
    tried = []

    def refuse(alert: Alert) -> None:
        tried.append(alert)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        digest(durable).send(refuse)
    durable.clock.forward(DAY)
    assert told(durable) == tried
    assert [alert.id for alert in told(durable)] == ["silences-2026-11-24"], "and then comes that of the day itself"


def test_no_silence_holds_the_digest_back(durable: World) -> None:
    silence(durable, when="id", critical_too=True)
    slack = Recorder("slack")
    alerts = alert_function(durable, Route(slack, Filter()))
    digest(durable).send(lambda alert: alerts.announce(alert, CALL))
    durable.run(durable.function(slack))
    assert [alert.id for alert in slack.sent] == ["silences-2026-11-23"]


def test_of_very_many_silences_the_rest_is_counted_and_each_line_is_shown_whole(durable: World) -> None:
    now = durable.clock.now()
    long = Silence("5f0e2a34", "w" * 500, "a" * 500, "r" * 500, now, now + timedelta(days=90), True, 10_000)
    alert = digest_alert([long] * (MOST_LINES + 5), {"5f0e2a34": 5_000}, now, "prod")
    assert len(alert.exposures) == MOST_LINES + 1
    assert alert.exposures[-1].reason == "5 more silences: `sgwatch silence list --all --stage prod`"
    assert len(alert.exposures[0].reason) <= 500
    assert "(5,000 since the last digest)" in plain_text(alert).replace("\n    ", " ")


def alert_function(durable: World, *routes: Route) -> AlertFunction:
    return AlertFunction(
        routes=routes,
        ignore_when=None,
        faults=(),
        direct=durable.made.durable,
        log=Log(Redactor(), write=durable.lines.append),
        metrics=Metrics("test", write=lambda _: None),
        now=durable.clock.now,
        gate=Gate(durable.made.silences, durable.made.bursts),
    )
