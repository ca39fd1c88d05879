"""What a destination wants later is gathered, sent as one, and never lost; what is critical or high never waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.alert.filters import Filter, compile_condition
from chalicelib.alert.model import Alert, AlertKind, Severity
from chalicelib.alert.quiet_hours import parse_daily, parse_quiet_hours
from chalicelib.delivery.alert_archive import pack
from chalicelib.delivery.digest import PK, Digests, Holding, HoldingGate, digests_of
from chalicelib.delivery.queue import QueueError
from chalicelib.delivery.silences import Silence
from chalicelib.functions.alert_function import AlertFunction, Route
from chalicelib.functions.composition.durable_delivery import send_burst_end
from chalicelib.functions.composition.reconciling import send_digests
from chalicelib.rendering.plain_text import plain_text
from chalicelib.state.errors import StateError
from tests.delivery.test_burst_end import CALL, alert_function, change
from tests.support.alerts import critical_open_ssh, description_update, revoke, trial
from tests.support.durable import Recorder, World

NIGHT = parse_quiet_hours("22:00-07:00 Europe/Berlin")
MILD = Filter(Severity.HIGH)
DAILY = Holding(MILD, parse_daily("daily"))


class Stage:
    """An alert function with one destination that holds, and a clock; ``faults`` counts those of the state."""

    def __init__(self, durable: World, holding: Holding, *others: Recorder) -> None:
        self.durable, self.slack, self.faults = durable, Recorder("slack"), 0
        routes = [Route(self.slack, holding.filter), *(Route(each, Filter()) for each in others)]
        digests = Digests(durable.made.table, durable.clock.now)
        gate = HoldingGate(digests, {"slack": holding}, self._count)
        self.alerts: AlertFunction = alert_function(durable, *routes)._replace(holding=gate)
        self.function = durable.function(
            self.slack, *others, end_burst=lambda end, call: send_burst_end(end, call, durable.made, self.alerts)
        )

    def _count(self, _: StateError) -> None:
        self.faults += 1

    def announce(self, *alerts: Alert) -> None:
        for alert in alerts:
            self.alerts.announce(alert, CALL)

    def at(self, moment: datetime) -> None:
        self.durable.clock.at = moment

    def run(self) -> list[Alert]:
        """What the destination gets in this hour; the reconcile function runs first."""
        before = len(self.slack.sent)
        send_digests(self.durable.made, self.alerts, CALL)
        self.durable.come_back()
        self.durable.run(self.function)
        return self.slack.sent[before:]


def mild(number: int, name: str = "dora", like: Alert | None = None) -> Alert:
    alert = change(number, like)
    assert alert.principal is not None
    return alert._replace(principal=alert.principal._replace(name=name))


def later(hours: float) -> datetime:
    return datetime(2026, 11, 23, 10, tzinfo=UTC) + timedelta(hours=hours)


def test_what_is_below_the_severity_comes_once_a_day_with_counts_and_names_the_worst_first(durable: World) -> None:
    stage = Stage(durable, DAILY)
    medium = mild(2, "terraform", critical_open_ssh())._replace(severity=Severity.MEDIUM)
    stage.announce(mild(1), medium, mild(3), mild(4, like=critical_open_ssh()))
    assert [alert.severity for alert in stage.run()] == [Severity.CRITICAL], "only what is severe comes at once"
    stage.at(later(21))
    assert stage.run() == []
    stage.at(later(22.5))
    (digest,) = stage.run()
    assert digest.title == "Digest: 3 alerts, 1 medium, 2 low"
    assert digest.summary.endswith("By dora (2), terraform (1).")
    assert [each.reason.partition(" ")[0] for each in digest.exposures] == ["sg-00002", "sg-00001", "sg-00003"]
    assert (digest.severity, digest.kind) == (Severity.MEDIUM, AlertKind.SECURITY_GROUP_CHANGE)
    assert "sg-00003" in plain_text(digest)
    stage.at(later(47))
    assert stage.run() == [], "there is none on a day without any"


def test_one_alert_is_sent_as_it_is(durable: World) -> None:
    stage = Stage(durable, DAILY)
    stage.announce(mild(1))
    stage.at(later(22.5))
    (alert,) = stage.run()
    assert alert.id == mild(1).id
    assert "Held back until now" in alert.summary


def test_without_a_digest_what_is_mild_is_dropped_and_counted(durable: World) -> None:
    stage = Stage(durable, Holding(MILD, None, NIGHT))
    stage.announce(mild(1))
    stage.at(later(23))
    assert stage.run() == []
    assert any("alert suppressed" in line for line in durable.lines)


def test_a_digest_has_nothing_that_the_destination_does_not_want_for_another_reason(durable: World) -> None:
    here = Filter(Severity.HIGH, compile_condition("security_group.id == 'sg-00001'"))
    stage = Stage(durable, Holding(here, parse_daily("daily")))
    stage.announce(mild(1), mild(2))
    stage.at(later(22.5))
    assert [alert.id for alert in stage.run()] == [mild(1).id]


def test_at_night_only_critical_and_high_alerts_are_sent_and_the_rest_in_the_morning(durable: World) -> None:
    stage = Stage(durable, Holding(Filter(), None, NIGHT))
    stage.at(later(13))
    severe = [mild(1, like=critical_open_ssh()), mild(2, like=critical_open_ssh())._replace(severity=Severity.HIGH)]
    stage.announce(*severe, mild(3), mild(4), trial())
    assert {alert.id for alert in stage.run()} == {severe[0].id, severe[1].id, trial().id}, "a test is for now"
    stage.at(later(19.9))
    assert stage.run() == []
    stage.at(later(20.1))
    assert [alert.title for alert in stage.run()] == ["Digest: 2 alerts, 2 low"]
    stage.announce(mild(5))
    assert [alert.id for alert in stage.run()] == [mild(5).id]


def test_a_digest_that_is_due_at_night_waits_for_the_morning() -> None:
    holding = Holding(MILD, parse_daily("daily 03:00 Europe/Berlin"), NIGHT)
    assert holding.due_at(mild(1), later(0), wanted=False) == later(20)


def test_other_destinations_are_not_held_up(durable: World) -> None:
    sns = Recorder("sns")
    stage = Stage(durable, Holding(Filter(), None, NIGHT), sns)
    stage.at(later(13))
    stage.announce(mild(1))
    assert stage.run() == []
    assert [alert.id for alert in sns.sent] == [mild(1).id]


def test_what_a_burst_folds_is_held_like_the_rest(durable: World) -> None:
    sns = Recorder("sns")
    stage = Stage(durable, Holding(Filter(), None, NIGHT), sns)
    stage.at(later(13))
    stage.announce(*(mild(number) for number in range(4)))
    assert stage.run() == []
    stage.at(later(13.1))
    assert stage.run() == []
    assert len(sns.sent) == 2, "the first change and the follow-up"
    stage.at(later(20.1))
    assert [alert.title for alert in stage.run()] == ["Digest: 4 alerts, 4 low"]


def test_what_is_silenced_is_in_no_digest(durable: World) -> None:
    stage = Stage(durable, DAILY)
    now = durable.clock.now()
    durable.made.silences.add(Silence("ab", "severity == 'low'", "dora", "x", now, now + timedelta(hours=1)))
    stage.announce(mild(1), mild(2, like=description_update()))
    stage.at(later(22.5))
    assert [alert.id for alert in stage.run()] == [mild(2).id]


def test_a_destination_that_is_no_more_leaves_its_digest_to_the_others(durable: World) -> None:
    sns = Recorder("sns")
    stage = Stage(durable, DAILY, sns)
    stage.announce(mild(1), mild(2))
    stage.alerts = stage.alerts._replace(routes=stage.alerts.routes[1:])
    durable.run(stage.function)
    stage.at(later(22.5))
    with pytest.raises(QueueError, match="slack has to wait"):
        send_digests(durable.made, stage.alerts, CALL, complete=False)
    assert stage.run() == []
    assert [alert.title for alert in sns.sent].count("Digest: 2 alerts, 2 low") == 1


def test_a_digest_that_was_not_queued_is_made_again_the_same(durable: World) -> None:
    stage = Stage(durable, DAILY)
    stage.announce(mild(1), mild(2), mild(1))
    stage.at(later(22.5))
    made: list[str] = []

    def fail(alert: Alert, destination: str) -> None:
        made.append(alert.id)
        raise QueueError("SQS is away")

    digests = Digests(durable.made.table, durable.clock.now)
    for _ in range(2):
        with pytest.raises(QueueError):
            digests.send_due(fail)
    (alert,) = stage.run()
    assert made == [alert.id, alert.id]
    assert stage.run() == []


def test_what_comes_when_the_digest_is_closed_is_sent_at_once(durable: World) -> None:
    stage = Stage(durable, DAILY)
    due = DAILY.due_at(mild(1), durable.clock.now(), wanted=False)
    assert due is not None
    digests = Digests(durable.made.table, durable.clock.now)
    assert digests.hold(mild(1), "slack", due)
    (item,) = durable.made.table.query(PK)
    durable.made.table.update(PK, str(item["sk"]), "SET closed = :yes", yes=True)
    stage.announce(mild(2))
    assert [alert.id for alert in stage.run()] == [mild(2).id]


class Broken:
    """A table that takes nothing."""

    def write_all(self, *_: Any) -> bool:
        raise StateError("x", "")


def test_what_cannot_be_held_is_sent(durable: World) -> None:
    stage = Stage(durable, DAILY)
    broken: Any = Broken()
    assert stage.alerts.holding is not None
    digests = Digests(broken, durable.clock.now)
    holding = HoldingGate(digests, stage.alerts.holding.holdings, stage.alerts.holding.on_fault)
    stage.alerts = stage.alerts._replace(holding=holding)
    stage.announce(mild(1))
    assert [alert.id for alert in stage.run()] == [mild(1).id]
    assert stage.faults == 1


@pytest.mark.parametrize("content", [b"broken", "text", 3, pack(revoke())[:40]])
def test_a_held_alert_that_cannot_be_read_is_named_and_loses_no_other(durable: World, content: Any) -> None:
    stage = Stage(durable, DAILY)
    stage.announce(mild(1), mild(2))
    (item,) = durable.made.table.query(PK)
    held = list(durable.made.table.query(f"digest#{item['sk']}"))
    durable.made.table.put({**held[0], "alert": content})
    stage.at(later(22.5))
    kept, problem = stage.run()
    assert kept.id == mild(2).id
    assert problem.kind is AlertKind.DELIVERY_PROBLEM
    assert str(held[0]["sk"]) in problem.summary


@pytest.mark.parametrize("key", ["slack#2999-01-01T00:00:00Z", "slack#soon", "slack"])
def test_a_digest_that_is_due_when_none_can_be_is_sent_now(durable: World, key: str) -> None:
    stage = Stage(durable, DAILY)
    durable.made.table.put({"pk": PK, "sk": key})
    durable.made.table.put({"pk": f"digest#{key}", "sk": "a", "alert": pack(mild(1))})
    assert [alert.id for alert in stage.run()] == [mild(1).id]
    assert stage.run() == []


def test_a_digest_of_very_many_groups_is_as_many_messages_as_it_takes() -> None:
    held = [mild(number) for number in range(600)]
    made = digests_of(held, "slack", later(22))
    named = {each.reason.partition(" ")[0] for alert in made for each in alert.exposures}
    assert len(named) == 600
    assert len({alert.id for alert in made}) == len(made) == 3
