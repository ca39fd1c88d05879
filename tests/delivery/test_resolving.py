"""What a destination with incidents was told is closed by whatever ends it, also where it does not want that alert."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from chalicelib.alert.filters import Filter
from chalicelib.alert.model import AlarmPath, Alert, AlertKind, Event, Severity
from chalicelib.delivery.direct import Direct
from chalicelib.delivery.envelope import Delivery, encode, read
from chalicelib.delivery.handoffs import send_unconfirmed
from chalicelib.delivery.lazy import Lazy
from chalicelib.delivery.ledger import Ledger
from chalicelib.delivery.silences import Silence
from chalicelib.destinations.contract import Receipt
from chalicelib.functions.alert_function import AlertFunction, Route
from chalicelib.functions.composition.durable_delivery import send_burst_end
from tests.delivery.test_burst_end import CALL, alert_function
from tests.support.alerts import critical_open_ssh, group_deleted, modify_before_known, revoke, trial
from tests.support.durable import QUEUE, Clock, Recorder, World


@dataclass
class Pager(Recorder):
    """A destination with incidents."""

    resolved: list[Alert] = field(default_factory=list)

    def resolve(self, alert: Alert) -> Receipt:
        self.resolved.append(alert)
        return Receipt("resolved")


def recovery() -> Alert:
    event, path = Event(), AlarmPath("pass", Clock().now())
    return trial()._replace(id="recovery", kind=AlertKind.ALARM_PATH, event=event, alarm_path=path)


def functions(durable: World, filters: Filter, *others: Route) -> tuple[AlertFunction, Pager]:
    pager = Pager("pagerduty")
    return alert_function(durable, Route(pager, filters, resolves=True), *others), pager


@pytest.mark.parametrize("ending", [revoke, modify_before_known, group_deleted, recovery])
def test_what_ends_something_closes_it_where_only_severe_alerts_are_wanted(
    durable: World, ending: Callable[[], Alert]
) -> None:
    alerts, pager = functions(durable, Filter(Severity.CRITICAL))
    alert = ending()._replace(severity=Severity.LOW)
    alerts.announce(alert, CALL)
    durable.run(durable.function(pager))
    assert (pager.sent, pager.resolved) == ([], [alert])


def test_what_it_wants_is_sent_and_nothing_else_queued(durable: World) -> None:
    alerts, pager = functions(durable, Filter())
    alerts.announce(critical_open_ssh(), CALL)
    alerts.announce(revoke()._replace(id="revert"), CALL)
    durable.run(durable.function(pager))
    assert (len(pager.sent), pager.resolved) == (2, [])


def test_a_destination_without_incidents_is_asked_to_close_nothing(durable: World) -> None:
    slack = Recorder("slack")
    alerts, pager = functions(durable, Filter(Severity.CRITICAL), Route(slack, Filter(Severity.CRITICAL)))
    alerts.announce(revoke(), CALL)
    assert durable.run(durable.function(pager, slack)) == 1
    assert slack.sent == []


def test_a_silenced_or_folded_revert_closes_what_was_opened_and_the_follow_up_comes_besides(durable: World) -> None:
    alerts, pager = functions(durable, Filter())
    function = durable.function(pager, end_burst=lambda end, call: send_burst_end(end, call, durable.made, alerts))
    first, second = revoke()._replace(id="first"), revoke()._replace(id="second")
    alerts.announce(first, CALL)
    alerts.announce(second, CALL)
    durable.run(function)
    assert ([each.id for each in pager.sent], [each.id for each in pager.resolved]) == (["first"], ["second"])
    durable.clock.forward(600)
    durable.come_back()
    durable.run(function)
    assert [each.id for each in pager.sent] == ["first", "second"]
    now = durable.clock.now()
    silence = Silence("ab", "severity == 'low'", "dora", "maintenance", now, now + timedelta(hours=1))
    durable.made.silences.add(silence)
    durable.clock.forward(60)
    alerts.announce(revoke()._replace(id="third"), CALL)
    durable.run(function)
    assert [each.id for each in pager.resolved] == ["second", "third"]


def test_a_resolution_that_a_purge_took_is_queued_again(durable: World) -> None:
    alerts, pager = functions(durable, Filter(Severity.CRITICAL))
    alerts.announce(revoke(), CALL)
    durable.sqs.purge_queue(QueueUrl=durable.url(QUEUE))
    durable.clock.forward(3_000)
    ledger = Ledger(durable.made.table, durable.clock.now)
    assert send_unconfirmed(durable.made.handoffs, ledger, durable.made.queue, alerts.log) == 1
    durable.run(durable.function(pager))
    assert ([each.id for each in pager.sent], [each.id for each in pager.resolved]) == ([], [revoke().id])


def test_the_message_says_that_it_only_resolves() -> None:
    message = Delivery("pagerduty", revoke(), Clock().now(), only_resolves=True)
    assert read(encode(message)) == message
    assert message.id != Delivery("pagerduty", revoke(), Clock().now()).id


def test_direct_delivery_closes_the_alarm_paths_incident_alone() -> None:
    pager = Pager("pagerduty")
    lazy = Lazy("pagerduty", lambda: pager, lambda: None)
    for alert in (revoke(), recovery()):
        Direct().deliver(alert, [lazy], lambda: 60_000.0, only_resolves=True)
    assert (pager.sent, pager.resolved) == ([], [recovery()])
