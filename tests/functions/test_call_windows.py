"""One caller's tamper calls within a minute: one alert at once, and at most one more at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.alarm_path.audit_run import Audited
from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.notification_policy import RememberedStatus
from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert
from chalicelib.functions.call_windows import RecentCalls, TableWindows, WindowEntry
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable
from tests.support.alarm_paths import NOW, Document
from tests.support.guards import Guarded, Kept, event, sound, without_filter
from tests.support.receiver import Receiver, receiver

PARTS = frozenset({"main", "trail-logs", "sg-changes", "security"})


@pytest.fixture
def webhook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def table() -> Iterator[StateTable]:
    with mock_aws():
        client: Any = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        keys = [{"AttributeName": name, "KeyType": kind} for name, kind in (("pk", "HASH"), ("sk", "RANGE"))]
        types = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
        client.create_table(TableName="t", KeySchema=keys, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")
        yield StateTable(lambda: client, "t")


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def guarded(webhook: Receiver, table: StateTable) -> Guarded:
    made = Guarded(webhook, Kept(RememberedStatus(Status.PASS, None, PARTS)))
    made.windows = TableWindows(table, 60, lambda: made.now)
    return made


def call(number: int, name: str = "SetTopicAttributes", **more: Any) -> Document:
    topic = {"topicArn": "arn:aws:sns:us-east-1:123456789012:security"}
    source, parameters = {
        "SetTopicAttributes": ("sns", topic),
        "DeleteMetricFilter": ("logs", {"logGroupName": "trail-logs", "filterName": "sg-changes"}),
        "PutMetricAlarm": ("monitoring", {"alarmName": "other"}),
        "UpdateFunctionCode20150331v2": ("lambda", {"functionName": "sgwatch-prod-alert_on_change"}),
    }[name]
    return event(name, source, parameters, eventID=f"11111111-2222-4333-8444-{number:012}", **more)


def while_waiting(guarded: Guarded, *documents: Document) -> list[list[Document]]:
    """What other invocations alert while the first one waits for the window's end."""
    found: list[list[Document]] = []

    def others() -> None:
        guarded.now -= timedelta(seconds=30)
        guarded.meanwhile.clear()
        found.extend(guarded.tampered(document) for document in documents)
        guarded.now += timedelta(seconds=30)

    guarded.meanwhile.append(others)
    return found


def test_a_deployment_makes_one_alert_and_two_audits(guarded: Guarded) -> None:
    audits: list[int] = []

    def audit() -> Audited:
        audits.append(1)
        return sound()

    guarded.finds = audit
    others = while_waiting(guarded, *(call(place, "UpdateFunctionCode20150331v2") for place in range(2, 18)))
    alerts = guarded.tampered(call(1, "UpdateFunctionCode20150331v2"))
    assert [alert["severity"] for alert in alerts] == ["medium"]
    assert others == [[]] * 16
    assert len(audits) == 2
    assert guarded.slept == [60.0]
    assert sum(guarded.counted("AlertsFolded")) == 16


def test_a_worse_call_behind_a_harmless_one_is_reported_at_the_windows_end(guarded: Guarded) -> None:
    others = while_waiting(guarded, call(2), call(3, "DeleteMetricFilter"))
    found = iter([sound(), without_filter()])
    guarded.finds = lambda: next(found)
    first, follow_up = guarded.tampered(call(1))
    assert others == [[], []]
    assert (first["severity"], follow_up["severity"]) == ("low", "high")
    assert follow_up["title"].startswith("The alarm path is broken: metric filter sg-changes was deleted")
    assert follow_up["alarm_path"]["broken_by_this_call"] is True
    assert "1 more call by the same caller" in follow_up["summary"]
    assert any("Topic security was changed" in item["reason"] for item in follow_up["exposures"])
    assert follow_up["id"] != first["id"]


def test_calls_that_follow_one_that_broke_the_path_are_no_further_news(guarded: Guarded) -> None:
    guarded.finds = without_filter
    others = while_waiting(guarded, call(2), call(3))
    (alert,) = guarded.tampered(call(1, "DeleteMetricFilter"))
    assert (alert["severity"], others) == ("high", [[], []])


def test_a_first_call_that_is_no_news_holds_nobody_up(guarded: Guarded) -> None:
    assert guarded.tampered(call(1, "PutMetricAlarm")) == []
    assert guarded.slept == []
    assert len(guarded.tampered(call(2))) == 1


def test_another_principal_is_not_folded(guarded: Guarded) -> None:
    other = {"type": "IAMUser", "accountId": "123456789012", "userName": "eve"}
    others = while_waiting(guarded, call(2, userIdentity=other))
    guarded.tampered(call(1))
    assert [len(alerts) for alerts in others] == [1]


def test_where_the_table_fails_every_call_is_alerted(guarded: Guarded) -> None:
    class Broken:
        def enter(self, alert: Alert, record: object) -> WindowEntry:
            raise StateError("it could not be read")

        def close(self, window: object) -> Any:
            raise StateError("it could not be read")

    guarded.windows = Broken()
    assert len(guarded.tampered(call(1))) == len(guarded.tampered(call(2))) == 1
    assert guarded.slept == []


def test_in_direct_delivery_a_warm_container_repeats_itself_only_where_it_has_more_to_say(guarded: Guarded) -> None:
    guarded.windows = None
    assert len(guarded.tampered(call(1))) == 1
    assert guarded.tampered(call(2)) == []
    guarded.finds = without_filter
    (alert,) = guarded.tampered(call(3, "DeleteMetricFilter"))
    assert alert["severity"] == "high"
    guarded.finds = sound
    guarded.now += timedelta(minutes=2)
    assert len(guarded.tampered(call(4))) == 1
    assert guarded.slept == []


def test_what_was_mended_in_between_and_broken_again_is_alerted_again(guarded: Guarded) -> None:
    guarded.windows, guarded.finds = None, without_filter
    (first,) = guarded.tampered(call(1, "DeleteMetricFilter"))
    guarded.finds = sound
    assert len(guarded.scheduled()) == 1
    guarded.finds = without_filter
    (again,) = guarded.tampered(call(2, "DeleteMetricFilter"))
    assert first["severity"] == again["severity"] == "high"
    guarded.finds = sound
    (mended,) = guarded.tampered(call(3))
    assert mended["title"].startswith("The alarm path works again")


def alert(number: int) -> tuple[Alert, Document]:
    record = call(number)["detail"]
    return alert_of(record), record


def test_the_same_call_delivered_again_ends_its_own_window(table: StateTable) -> None:
    clock = Clock()
    windows = TableWindows(table, 60, clock)
    opened = windows.enter(*alert(1))
    assert opened.window is not None
    assert windows.enter(*alert(2)).is_folded
    clock.now += timedelta(seconds=20)
    again = windows.enter(*alert(1))
    assert again.window == opened.window
    assert windows.enter(*alert(2)).is_folded, "delivered twice"
    assert [record["eventID"] for record in windows.close(opened.window).records] == [alert(2)[1]["eventID"]]
    assert not windows.enter(*alert(3)).is_folded, "a window that was ended takes nothing more"


@pytest.mark.parametrize(
    "item",
    [
        {"id": "x", "ends_at": NOW.timestamp() + 1e9, "closed": False},
        {"id": "x", "ends_at": NOW.timestamp() - 1, "closed": False},
        {"id": "x", "ends_at": "soon", "closed": False},
        {"ends_at": NOW.timestamp() + 30, "closed": False},
        {"id": "x", "ends_at": NOW.timestamp() + 30},
        {"id": "x", "ends_at": NOW.timestamp() + 30, "closed": True},
    ],
)
def test_a_window_that_cannot_have_been_opened_here_folds_nothing(table: StateTable, item: Document) -> None:
    windows = TableWindows(table, 60, Clock())
    window = windows.enter(*alert(1)).window
    assert window is not None
    table.put({"pk": f"tamper#{window.caller}", "sk": "window", **item})
    assert windows.enter(*alert(2)).window is not None


def test_a_folded_record_that_cannot_be_read_is_counted_and_loses_no_other(table: StateTable) -> None:
    windows = TableWindows(table, 60, Clock())
    window = windows.enter(*alert(1)).window
    assert window is not None
    assert windows.enter(*alert(2)).is_folded
    table.put({"pk": f"tamper#{window.caller}#{window.id}", "sk": "zz", "record": b"no"})
    folded = windows.close(window)
    assert (len(folded.records), folded.unreadable) == (1, 1)


@pytest.mark.parametrize("status", [Status.FAIL, Status.UNKNOWN, None])
def test_in_direct_delivery_no_call_is_covered_unless_the_path_passes(status: Status | None) -> None:
    alert, recent = alert_of(event("StopLogging", "cloudtrail", {"name": "main"})["detail"]), RecentCalls()
    recent.note(alert, status, NOW)
    assert not recent.covers(alert, status, NOW)
    recent.note(alert, Status.PASS, NOW)
    assert recent.covers(alert, Status.PASS, NOW)
