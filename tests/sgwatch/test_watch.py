"""``sgwatch watch`` against moto and records: one look, its status, and what is printed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.notification_policy import RememberedStatus
from chalicelib.alarm_path.watch.status_store import ParameterMemory
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH
from chalicelib.deployment import ALERT_ON_CHANGE, Stage
from chalicelib.settings.model import DurableSettings
from sgwatch.commands.live import document, durable_of, run
from sgwatch.durable_template import StagePlace
from sgwatch.live_screen import alert_row, state
from sgwatch.live_view import LiveView, outcome_of
from sgwatch.stages import DeployedStage

REGION, ACCOUNT = "eu-west-1", "123456789012"
PLACE = StagePlace("dev", "aws", REGION, ACCOUNT)
NOW = datetime.now(UTC).replace(microsecond=0)
Client = Callable[..., Any]


def stage(durable: DurableSettings | None = None) -> DeployedStage:
    return DeployedStage(Stage("sgwatch-dev-"), DEFAULT_WATCH, durable, REGION, {})


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield cache(boto3.client)


def log(client: Client, handler: str, *lines: Mapping[str, object]) -> None:
    group = f"/aws/lambda/{PLACE.function(handler)}"
    client("logs").create_log_group(logGroupName=group)
    client("logs").create_log_stream(logGroupName=group, logStreamName="s")
    events = [
        {"timestamp": int((NOW - timedelta(seconds=60 - number)).timestamp() * 1000), "message": json.dumps(line)}
        for number, line in enumerate(lines)
    ]
    client("logs").put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def remember(client: Client, status: Status) -> None:
    memory = RememberedStatus(status, None, audited_at=NOW)
    kept = ParameterMemory(lambda: client("ssm"), "/sgwatch/dev/alarm-path")
    kept.save(memory, kept.load())


def view(client: Client, durable: DurableSettings | None = None) -> LiveView:
    return LiveView(PLACE, stage(durable), client, NOW - timedelta(minutes=15))


def once(client: Client, durable: DurableSettings | None = None) -> int:
    return run(view(client, durable), once=True, as_json=False, now=lambda: NOW)


SENT = {
    "event": "alert sent",
    "destination": "slack",
    "severity": "critical",
    "event_id": "e-1",
    "event_name": "AuthorizeSecurityGroupIngress",
}
FAILED = {**SENT, "event": "delivery failed", "reason": "HTTP 404 no_service"}


def test_a_delivered_alert_and_a_path_that_passes_are_good(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    remember(client, Status.PASS)
    log(client, ALERT_ON_CHANGE, {"event": "record is not watched"}, SENT)
    assert once(client) == 0
    out = capsys.readouterr().out
    assert "✔ alarm path: pass, audited" in out
    assert "✔ slack: alert sent" in out
    assert "critical  sent to slack  AuthorizeSecurityGroupIngress e-1" in out


def test_a_destination_whose_last_alert_failed_is_bad(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    remember(client, Status.PASS)
    log(client, ALERT_ON_CHANGE, SENT, FAILED)
    assert once(client) == 1
    assert "HTTP 404 no_service" in capsys.readouterr().out


@pytest.mark.parametrize(("status", "code"), [(Status.FAIL, 1), (Status.UNKNOWN, 2)])
def test_the_remembered_status_counts(client: Client, status: Status, code: int) -> None:
    remember(client, status)
    assert once(client) == code


def test_where_no_audit_is_remembered_it_is_unknown(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert once(client) == 2
    assert "no audit is remembered" in capsys.readouterr().out


def durable_parts(client: Client) -> DurableSettings:
    for name in (PLACE.queue, PLACE.dead_letters, PLACE.failed_events):
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        client("sqs").create_queue(QueueName=name, Attributes=attributes)
    client("dynamodb").create_table(
        TableName=PLACE.table,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return DurableSettings(PLACE.queue, PLACE.table)


def test_a_failed_event_that_waits_is_bad_and_says_what_to_do(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    durable = durable_parts(client)
    url = client("sqs").get_queue_url(QueueName=PLACE.failed_events)["QueueUrl"]
    client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    assert once(client, durable) == 1
    assert "✘ sgwatch-dev-failed-events: 1 waiting; sgwatch redrive sends it again" in capsys.readouterr().out


def test_a_second_look_has_nothing_again_and_keeps_each_destination_s_last(client: Client) -> None:
    remember(client, Status.PASS)
    log(client, ALERT_ON_CHANGE, SENT, FAILED)
    watched = view(client)
    assert len(watched.look(NOW).outcomes) == 2
    again = watched.look(NOW)
    assert [item.said for item in again.outcomes] == ["delivery failed"]
    assert again.verdict is Status.FAIL
    assert document(again)["status"] == "fail"


def test_looks_go_on_until_they_are_interrupted_and_say_nothing_twice(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(client, Status.PASS)
    log(client, ALERT_ON_CHANGE, SENT)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(view(client), once=False, as_json=False, now=lambda: NOW, sleep=sleep)
    assert waits == [5.0] * 3
    assert len(capsys.readouterr().out.splitlines()) == 3


TITLE = "tcp/22 opened to the internet on a-group-with-a-name-of-some-length (sg-0a1b2c3d4e5f60718)"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_an_alert_is_drawn_once_and_no_word_of_it_is_broken(client: Client, width: int) -> None:
    remember(client, Status.FAIL)
    sent = [{**SENT, "title": TITLE, "destination": name} for name in ("slack", "sns", "webhook")]
    log(client, ALERT_ON_CHANGE, *sent, {**FAILED, "title": TITLE})
    found = view(client, durable_parts(client))
    look = found.look(NOW)
    assert look.new == ()  # durable: what the alert function says is not what was sent
    look = view(client).look(NOW)
    out = Console(width=width, record=True, file=io.StringIO())
    for item in look.new_alerts:
        out.print(alert_row(item))
    out.print(state(look, PLACE))
    drawn = out.export_text()
    assert max(map(len, drawn.splitlines())) <= width
    words = drawn.split()
    assert words.count("sg-0a1b2c3d4e5f60718)") + words.count("(sg-0a1b2c3d4e5f60718)") == 2
    joined = " ".join(words)
    assert f"critical {TITLE} sent to slack, sns, webhook" in joined
    assert f"{TITLE} failed at slack: HTTP 404 no_service" in joined
    assert "✘ alarm path fail, audited 0 s ago" in joined
    assert "✘ slack delivery failed, 57 s ago" in joined


def test_what_the_functions_have_says_whether_delivery_is_durable() -> None:
    assert durable_of({"DELIVERY_QUEUE": PLACE.queue, "STATE_TABLE": PLACE.table}) == DurableSettings(
        PLACE.queue, PLACE.table
    )
    assert durable_of({"WATCH": "rules"}) is None


@pytest.mark.parametrize("message", ["START RequestId: 1", "[]", '{"event": "other"}'])
def test_other_lines_are_no_outcomes(message: str) -> None:
    assert outcome_of({"message": message, "timestamp": 0, "eventId": "1"}) is None
