"""The state table is not trusted: whatever another version or another writer puts into it mutes no alert."""

from __future__ import annotations

import json
import zlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.alert.build import alert_of
from chalicelib.alert.filters import Filter
from chalicelib.alert.model import Alert, AlertKind, Exposure, Severity, to_json
from chalicelib.delivery import bursts as bursts_module
from chalicelib.delivery.decision import GateDecision
from chalicelib.delivery.envelope import BurstEnd, Delivery, PoisonError, encode, read
from chalicelib.delivery.follow_ups import follow_ups
from chalicelib.delivery.gate import Gate
from chalicelib.delivery.handoffs import send_unconfirmed
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.delivery.ledger import Held, Ledger
from chalicelib.delivery.problems import Problems
from chalicelib.delivery.silence_digest import KEY, SilenceDigest
from chalicelib.delivery.silences import Silence
from chalicelib.functions.alert_function import AlertFunction, Route
from chalicelib.functions.composition.durable_delivery import send_burst_end
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics
from chalicelib.rendering.plain_text import plain_text
from chalicelib.state.codec import FORM_VERSION, MAX_INFLATED_BYTES, inflate
from chalicelib.state.errors import StateError
from tests.support import records as r
from tests.support.alerts import critical_open_ssh, revoke
from tests.support.durable import QUEUE, Recorder, World, numbered

IN_2099 = 4102444800
CALL = InvocationContext("request", lambda: 60_000.0)


def log() -> Log:
    return Log(Redactor(), write=lambda _: None)


def change(number: int, **fields: Any) -> Alert:
    return numbered(number, f"sg-{number:05d}", revoke())._replace(**fields)


def gate(durable: World) -> Gate:
    return Gate(durable.made.silences, durable.made.bursts)


def window_of(durable: World, alert: Alert, **fields: Any) -> None:
    burst = durable.made.bursts._burst_of(alert)
    assert burst is not None
    item: dict[str, Any] = {
        "pk": bursts_module._pk(burst),
        "sk": "window",
        "id": "x" * 32,
        "closed": False,
        "expires_at": IN_2099,
    }
    durable.made.table.put({**item, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"ends_at": IN_2099},
        {"ends_at": IN_2099, "opened": "forged"},
        {"ends_at": IN_2099, "closed": None},
        {"ends_at": "never"},
        {"ends_at": 10**30},
        {"ends_at": IN_2099, "form_version": FORM_VERSION + 2},
        {"ends_at": IN_2099, "form_version": "new"},
        {"id": 7, "ends_at": 1764000000},
    ],
)
def test_a_window_that_could_not_have_been_opened_folds_nothing(durable: World, fields: dict[str, Any]) -> None:
    window_of(durable, change(0), **fields)
    assert gate(durable).check(change(0), log()) is GateDecision.SEND
    folded = 0
    for number in range(1, 20):
        durable.clock.forward(61)
        folded += gate(durable).check(change(number), log()) is GateDecision.FOLD
    assert folded == 0


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "ends_at": st.one_of(st.integers(-(10**20), 10**20), st.text(), st.booleans()),
            "closed": st.one_of(st.booleans(), st.text(), st.integers()),
            "id": st.one_of(st.text(), st.integers()),
            "opened": st.one_of(st.text(), st.integers()),
            "form_version": st.one_of(st.integers(-5, 5), st.text()),
        },
    )
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_window_holds_folding_ends(durable: World, fields: dict[str, Any]) -> None:
    window_of(durable, change(0), **fields)
    durable.clock.forward(3600)
    first = numbered(durable.clock.at.toordinal() + int(durable.clock.seconds()), like=revoke())
    assert gate(durable).check(first, log()) is GateDecision.SEND


def ended(durable: World, *routes: Recorder) -> list[Alert]:
    """What is sent when the bursts that are scheduled end."""
    alerts = AlertFunction(
        routes=tuple(Route(each, Filter()) for each in routes),
        ignore_when=None,
        faults=(),
        direct=durable.made.durable,
        log=log(),
        metrics=Metrics("test", write=lambda _: None),
        now=durable.clock.now,
    )
    function = durable.function(*routes, end_burst=lambda end, call: send_burst_end(end, call, durable.made, alerts))
    durable.clock.forward(61)
    durable.come_back()
    durable.run(function)
    return [alert for each in routes for alert in each.sent]


def packed(document: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(document).encode())


@pytest.mark.parametrize(
    "content",
    [
        packed({**to_json(revoke()), "kind": "new_kind"}),
        packed({"id": "x"}),
        packed(to_json(revoke()))[:50],
        b"\x00",
        "text",
        None,
        zlib.compress(b"0" * (MAX_INFLATED_BYTES + 1)),
    ],
)
def test_one_folded_item_that_cannot_be_read_loses_no_other_and_is_named(durable: World, content: Any) -> None:
    slack = Recorder("slack")
    assert [gate(durable).check(change(number), log()).value for number in range(4)] == ["send", "fold", "fold", "fold"]
    (body,) = [message["Body"] for message in durable.receive(most=10)]
    end = read(body)
    assert isinstance(end, BurstEnd)
    burst = f"{bursts_module._pk(end.burst)}#{end.window}"
    durable.made.table.put({"pk": burst, "sk": "security_group_change-7", "alert": content, "expires_at": IN_2099})
    told = ended(durable, slack)
    (follow_up,) = [alert for alert in told if alert.kind is AlertKind.SECURITY_GROUP_CHANGE]
    assert follow_up.title.startswith("3 more changes of 3 security groups")
    (unread,) = [alert for alert in told if alert.kind is AlertKind.DELIVERY_PROBLEM]
    assert "security_group_change-7" in unread.summary
    assert unread.severity is Severity.HIGH


def test_a_follow_up_carries_every_distinct_reason_above_low() -> None:
    def with_reason(number: int, severity: Severity, reason: str) -> Alert:
        exposures = (Exposure(severity, reason), Exposure(Severity.LOW, f"mild {number}"))
        return numbered(number, "sg-1", revoke())._replace(severity=severity, exposures=exposures)

    reasons = ["tcp/9999 is open", "every port is open", "udp/53 is open"]
    alerts = [with_reason(number, Severity.HIGH, reason) for number, reason in enumerate(reasons)]
    (told,) = follow_ups([*alerts, with_reason(9, Severity.LOW, "nothing much")], "w")
    for reason in reasons:
        assert sum(reason in exposure.reason for exposure in told.exposures) == 1
    assert not any("nothing much" in exposure.reason for exposure in told.exposures)
    assert all(exposure.reason.startswith("sg-1") for exposure in told.exposures)


def opened(number: int, *permissions: r.Json) -> Alert:
    raw = r.authorize(*permissions, eventID=f"00000000-0000-4000-8000-{number:012d}")
    return alert_of({**raw, "eventTime": f"2026-11-23T10:00:{number:02d}Z"})


EVERY_ROUTABLE = ("0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3")


def test_nothing_worse_hides_in_a_burst_behind_something_as_bad(durable: World) -> None:
    slack = Recorder("slack")
    alerts = [
        alert_of(r.create()),
        opened(1, r.permission("tcp", 9999, v4=("0.0.0.0/0",))),
        opened(2, r.permission("-1", None, v4=EVERY_ROUTABLE)),
        opened(3, r.permission("50", None, v4=("0.0.0.0/0",))),
        opened(4, r.permission("tcp", 27018, v4=("0.0.0.0/0",))),
    ]
    assert [alert.severity.value for alert in alerts] == ["low", "high", "critical", "high", "high"]
    decided = [gate(durable).check(alert, log()).value for alert in alerts]
    assert decided == ["send", "fold", "send", "fold", "fold"]
    (told,) = ended(durable, slack)
    for alert in (alerts[1], *alerts[3:]):
        assert any(alert.exposures[0].reason in exposure.reason for exposure in told.exposures)
        assert alert.exposures[0].reason in " ".join(plain_text(told).split())


def test_no_tag_of_a_silence_hides_what_is_open_to_every_routable_address(durable: World) -> None:
    now = durable.clock.now()
    when = "security_group.tags.stage == 'load-test'"
    durable.made.silences.add(Silence("s-1", when, "ops", "load test", now, now + timedelta(hours=2)))

    def tagged(alert: Alert) -> Alert:
        assert alert.security_group is not None
        return alert._replace(security_group=alert.security_group._replace(tags={"stage": "load-test"}))

    hidden = tagged(opened(1, r.permission(v4=EVERY_ROUTABLE)))
    assert (hidden.severity, gate(durable).check(hidden, log()).value) == (Severity.CRITICAL, "send")
    milder = tagged(opened(2, r.permission("tcp", 443, v4=("0.0.0.0/0",))))
    assert gate(durable).check(milder, log()) is GateDecision.SILENCE


@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({}, True),
        ({"ends_at": IN_2099}, False),
        ({"created_at": IN_2099 - 60, "ends_at": IN_2099}, False),
        ({"ends_at": "never"}, False),
        ({"form_version": FORM_VERSION + 2}, False),
        ({"form_version": FORM_VERSION + 1}, True),
    ],
)
def test_a_silence_holds_back_for_as_long_as_one_may_last(durable: World, fields: dict[str, Any], held: bool) -> None:
    now = durable.clock.now()
    made = Silence("s-1", "region == 'eu-west-1'", "ops", "load test", now, now + timedelta(days=89))
    durable.made.silences.add(made)
    durable.made.table.put({**durable.made.table.get("silences", "s-1"), **fields})  # type: ignore[dict-item]
    durable.clock.forward(91 * 86_400 if fields.get("ends_at") == IN_2099 else 60)
    assert (gate(durable).check(change(1), log()) is GateDecision.SILENCE) is held


def test_a_lease_in_2099_keeps_nobody_waiting(durable: World) -> None:
    ledger = Ledger(durable.made.table, durable.clock.now)
    item: dict[str, Any] = {"state": "sending", "owner": "x", "lease_until": IN_2099, "attempts": 1, "unfinished": 1}
    durable.made.table.put({"pk": "delivery#d", "sk": "slack", **item})
    assert not isinstance(ledger.claim("d", "slack", "me", 30), Held)


def test_an_announcement_in_the_future_was_never_made(durable: World) -> None:
    durable.made.table.put({"pk": "problem#slack", "sk": "announced", "began_at": IN_2099, "announced": True})
    others = Recorder("sns")
    Problems(durable.made.table, durable.made.durable, [others], durable.clock.now).announce(
        "slack", "404", lambda: 9e9
    )
    durable.run(durable.function(others))
    assert [alert.title for alert in others.sent] == ["Alerts are not reaching slack"]


def test_a_digest_dated_in_the_future_was_never_sent(durable: World) -> None:
    now = durable.clock.now()
    durable.made.silences.add(Silence("s-1", "region == 'x'", "ops", "why", now, now + timedelta(hours=2)))
    pk, sk = KEY
    counts: dict[str, Any] = {"counts": "{", "queued": True, "told_at": IN_2099}
    durable.made.table.put({"pk": pk, "sk": sk, "told_on": "2099-01-01", **counts})
    sent: list[Alert] = []
    SilenceDigest(durable.made.table, durable.made.silences, durable.clock.now).send(sent.append)
    assert len(sent) == 1


def test_what_a_purge_of_the_queue_took_is_queued_again_within_the_hour_and_once(durable: World) -> None:
    slack, sns = Recorder("slack"), Recorder("sns")
    for number in range(10):
        assert gate(durable).check(numbered(number, f"sg-{number:05d}"), log()) is GateDecision.SEND
        durable.queue_for(numbered(number, f"sg-{number:05d}"), slack, sns)
    durable.sqs.purge_queue(QueueUrl=durable.url(QUEUE))
    durable.queue_for(numbered(10), slack)
    durable.run(durable.function(slack, sns))
    ledger = Ledger(durable.made.table, durable.clock.now)
    assert send_unconfirmed(durable.made.handoffs, ledger, durable.made.queue, log()) == 0, "it may still be under way"
    durable.clock.forward(1300)
    assert send_unconfirmed(durable.made.handoffs, ledger, durable.made.queue, log()) == 20
    durable.run(durable.function(slack, sns))
    assert [len(each.sent) for each in (slack, sns)] == [11, 10]
    durable.clock.forward(3600)
    assert send_unconfirmed(durable.made.handoffs, ledger, durable.made.queue, log()) == 0


def test_a_burst_whose_end_was_purged_is_ended_all_the_same(durable: World) -> None:
    slack = Recorder("slack")
    for number in range(3):
        gate(durable).check(change(number), log())
    durable.sqs.purge_queue(QueueUrl=durable.url(QUEUE))
    assert ended(durable, slack) == []
    durable.clock.forward(1300)
    ledger = Ledger(durable.made.table, durable.clock.now)
    assert send_unconfirmed(durable.made.handoffs, ledger, durable.made.queue, log()) == 1
    assert [alert.title for alert in ended(durable, slack)] == [
        "2 more changes of 2 security groups by alice@example.com"
    ]
    durable.clock.forward(1300)
    send_unconfirmed(durable.made.handoffs, ledger, durable.made.queue, log())
    ended(durable, slack)
    assert len(slack.sent) == 1


def test_without_the_table_an_alert_is_sent_after_a_few_receives(durable: World) -> None:
    class Gone(Ledger):
        def claim(self, *args: object) -> Any:
            raise StateError("ResourceNotFoundException on dynamodb:UpdateItem", "ResourceNotFoundException")

        def delivered(self, *args: object) -> None:
            raise StateError("ResourceNotFoundException on dynamodb:UpdateItem", "ResourceNotFoundException")

    slack = Recorder("slack")
    durable.made.queue.send([Delivery("slack", critical_open_ssh(), durable.clock.now())])
    function = durable.function(slack, ledger=Gone(durable.made.table, durable.clock.now))
    for _ in range(6):
        durable.come_back()
        durable.run(function)
    assert len(slack.sent) == 1


@pytest.mark.parametrize("content", [packed({"id": "x"}), packed({**to_json(revoke()), "kind": "new_kind"}), b"x", 7])
def test_a_kept_alert_that_cannot_be_read_leaves_the_cut_one(durable: World, content: Any) -> None:
    slack, alert = Recorder("slack"), critical_open_ssh()
    key = {"pk": f"kept#{alert.id}", "sk": f"security_group_change-{alert.id}#0000"}
    durable.made.table.put({**key, "content": content, "expires_at": IN_2099})
    durable.made.queue.send([Delivery("slack", alert, durable.clock.now(), True)])
    durable.run(durable.function(slack))
    assert slack.sent == [alert]


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_a_message_of_the_version_before_or_after_is_read(durable: World, version: str) -> None:
    message = Delivery("slack", critical_open_ssh(), durable.clock.now())
    document = {**json.loads(encode(message)), "version": version, "later": "field"}
    assert read(json.dumps(document)) == message


def test_a_message_of_another_version_is_set_aside_with_its_reason() -> None:
    with pytest.raises(PoisonError, match="not an object of version 1"):
        read('{"version": "7"}')


def test_every_item_says_the_version_of_its_form(durable: World) -> None:
    slack, now = Recorder("slack"), durable.clock.now()
    for number in range(3):
        gate(durable).check(change(number), log())
    durable.made.silences.add(Silence("s-1", "region == 'x'", "ops", "why", now, now + timedelta(hours=2)))
    durable.queue_for(critical_open_ssh(), slack)
    durable.made.kept.keep(critical_open_ssh())
    durable.run(durable.function(slack, end_burst=lambda *_: None))
    items = durable.made.table._client().scan(TableName=durable.made.table.name)["Items"]
    assert len(items) > 8
    assert {item["form_version"]["N"] for item in items} == {str(FORM_VERSION)}


def test_what_inflates_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        inflate(zlib.compress(b"0" * (MAX_INFLATED_BYTES + 1)))
