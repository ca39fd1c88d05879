"""From the first change of a burst to its one alert, through the alert function and the deliver function."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.alert.filters import Filter
from chalicelib.alert.model import Alert, Severity
from chalicelib.delivery.gate import Gate
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.functions.alert_function import AlertFunction, Route
from chalicelib.functions.composition.durable_delivery import send_burst_end
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics
from tests.support.alerts import critical_open_ssh, revoke
from tests.support.durable import Recorder, World, numbered

CALL = InvocationContext("request", lambda: 60_000.0)


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
        kept=durable.made.kept,
    )


def change(number: int, like: Alert | None = None, **fields: Any) -> Alert:
    return numbered(number, f"sg-{number:05d}", like or revoke())._replace(**fields)


@pytest.mark.parametrize("size", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_a_burst_is_one_alert_and_then_one_more_with_every_group_once(durable: World, size: int) -> None:
    slack = Recorder("slack")
    alerts = alert_function(durable, Route(slack, Filter()))
    function = durable.function(slack, end_burst=lambda end, call: send_burst_end(end, call, durable.made, alerts))
    for number in range(size):
        alerts.announce(change(number, critical_open_ssh() if number % 25 == 24 else None), CALL)
        durable.clock.forward(20 / size)
        if number == 0:
            durable.run(function)
            assert [alert.id for alert in slack.sent] == [change(0).id], "the first goes out at once"
    durable.clock.forward(60)
    durable.come_back()
    durable.run(function)
    named = [alert.security_group.id for alert in slack.sent if alert.security_group]
    (told,) = [alert for alert in slack.sent if alert.id.startswith("burst-")]
    named += [exposure.reason.split()[0] for exposure in told.exposures]
    assert sorted(named, key=str) == [f"sg-{number:05d}" for number in range(size)]
    assert sum(alert.severity is Severity.CRITICAL for alert in slack.sent) == size // 25


def test_a_burst_waits_for_a_destination_whose_settings_are_faulty(durable: World) -> None:
    slack, sns = Recorder("slack"), Recorder("sns")
    whole = alert_function(durable, Route(slack, Filter()), Route(sns, Filter()))
    faulty = whole._replace(routes=whole.routes[:1], faults=("SNS_TOPIC_ARN is no ARN",))
    for number in range(3):
        whole.announce(change(number), CALL)
    durable.run(durable.function(slack, sns))
    for alerts in (faulty, faulty, whole):
        function = durable.function(
            slack, sns, end_burst=lambda end, call, alerts=alerts: send_burst_end(end, call, durable.made, alerts)
        )
        for _ in range(3):
            durable.clock.forward(600)
            durable.come_back()
            durable.run(function)
    assert [len(each.sent) for each in (slack, sns)] == [2, 2]


def test_each_destination_gets_of_a_burst_what_its_filter_lets_through(durable: World) -> None:
    slack, sns = Recorder("slack"), Recorder("sns")
    alerts = alert_function(durable, Route(slack, Filter()), Route(sns, Filter(Severity.HIGH)))
    function = durable.function(slack, sns, end_burst=lambda end, call: send_burst_end(end, call, durable.made, alerts))
    high = change(3, severity=Severity.HIGH)
    for alert in (change(0), change(1), change(2), high):
        alerts.announce(alert, CALL)
    durable.run(function)
    durable.clock.forward(61)
    for _ in range(2):
        durable.come_back()
        durable.run(function)
    assert sns.sent == [high]
    assert [alert.title for alert in slack.sent[1:]] == ["3 more changes of 3 security groups by alice@example.com"]
    (told,) = slack.sent[1:]
    assert durable.made.kept.of_event(told.id) == (told,), "what is too long for a message is undone by the alert's id"
