"""A bot's channel: one message a group while it is news, the rest in its thread, whatever fails in between."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alert.model import Alert, Changes, Exposure, Outcome, SecurityGroup, Severity
from chalicelib.destinations.contract import DeliveryError
from chalicelib.destinations.http_door import HttpDoor, HttpResponse, encode_json
from chalicelib.destinations.slack_bot import LEASE_SECONDS, Channel, SlackBot
from chalicelib.destinations.slack_message import Mentions, Presentation
from chalicelib.destinations.slack_threads import Thread, decode, encode
from chalicelib.state.errors import StateError
from localcloud.inbox import Inbox
from localcloud.receivers import slack
from localcloud.receivers.http import Reply, Request
from tests.support.alerts import critical_open_ssh, event, not_understood, revoke, rule
from tests.support.goldens import check_golden
from tests.support.memory_table import MemoryTable

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CHANNEL = "C0123456789"


class Killed(BaseException):
    """The function ended here."""


class Door(HttpDoor):
    """Hands requests to the receiver itself, without its rate limit; ``before`` and ``after`` may break one."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__()
        self.inbox = inbox
        self.before: Callable[[str], HttpResponse | None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        self.called: list[str] = []

    def post_json(
        self,
        url: str,
        body: Any,
        headers: Mapping[str, str] | None = None,
        max_response_bytes: int | None = None,
    ) -> HttpResponse:
        method = url.rpartition("/")[2]
        broken = self.before(method)
        if broken is not None:
            return broken
        self.called.append(method)
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        reply: Reply = slack.receive(
            Request("POST", url.removeprefix("https://slack.example.com"), sent, encode_json(body), {}), self.inbox
        )
        self.after(method)
        return HttpResponse(reply.status, json.dumps(reply.body).encode(), 1.0 if reply.status == 429 else None)


class Clock:
    def __init__(self) -> None:
        self.now = START + timedelta(seconds=5)

    def __call__(self) -> datetime:
        return self.now


class Stage:
    """A bot with its table, its workspace and its clock."""

    def __init__(self, table: Any = "memory") -> None:
        self.inbox, self.clock = Inbox(), Clock()
        self.door = Door(self.inbox)
        self.table = MemoryTable() if table == "memory" else table
        mentions = Mentions("<!here>", Severity.CRITICAL)
        channel = Channel("https://slack.example.com/slack/api", "xoxb-1", CHANNEL, self.door)
        self.bot = SlackBot(
            "slack", channel, lambda alert: Presentation(None, mentions.of(alert)), self.table, self.clock
        )

    def send(self, alert: Alert) -> str | None:
        return self.bot.send(alert).reference

    def messages(self) -> list[dict[str, Any]]:
        return slack.thread_of(self.inbox, CHANNEL)

    def roots(self) -> list[dict[str, Any]]:
        return roots_of(self.messages())

    def shown(self) -> list[str]:
        return state_lines(self.roots())


def roots_of(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages that are no replies."""
    return [message for message in messages if not message.get("thread_ts")]


def state_lines(roots: list[dict[str, Any]]) -> list[str]:
    """The line of each first message that says how it stands."""
    found = [block for root in roots for block in root["blocks"] if block["type"] == "context"]
    return [block["elements"][0]["text"] for block in found]


SSH = rule(description="ssh for all")
WEB_PORT = rule(port=443, description="web")


def opened(alert_id: str, minutes: float = 0, *rules: Any, severity: Severity = Severity.CRITICAL) -> Alert:
    added = rules or (SSH,)
    exposures = tuple(Exposure(severity, "ingress from 0.0.0.0/0", ("EC2.13",), item) for item in added)
    return critical_open_ssh()._replace(
        id=alert_id,
        severity=severity,
        occurred_at=START + timedelta(minutes=minutes),
        changes=Changes(added=added),
        exposures=exposures,
    )


def closed(alert_id: str, minutes: float, *rules: Any, who: str = "dora") -> Alert:
    principal = critical_open_ssh().principal
    assert principal is not None
    return revoke()._replace(
        id=alert_id,
        occurred_at=START + timedelta(minutes=minutes),
        principal=principal._replace(name=who),
        changes=Changes(removed=rules or (SSH,)),
        exposures=(),
    )


STORY = (
    opened("opened", 0),
    opened("widened", 1, WEB_PORT, severity=Severity.MEDIUM),
    closed("partly-closed", 3, WEB_PORT),
    closed("reverted", 4),
)


def test_the_story_of_a_group_is_one_message_with_its_thread_and_its_final_state() -> None:
    stage = Stage()
    shown = []
    for alert in STORY:
        stage.send(alert)
        shown += stage.shown()
    assert len(stage.roots()) == 1
    assert shown == [
        "🔴 Open now: 2 rules, the worst critical · 1 further change",
        "🔴 Open now: 1 rule, the worst critical · 2 further changes",
        "🟢 Closed by dora after 4 min · 3 further changes",
    ]
    said = [
        {key: item for key, item in message.items() if key not in ("ts", "thread_ts")} for message in stage.messages()
    ]
    check_golden(Path("slack_bot") / "story.json", json.dumps(said, indent=2, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::3])
def test_the_state_goes_by_event_time_whatever_arrives_first(order: tuple[int, ...]) -> None:
    stage = Stage()
    for position in order:
        stage.send(STORY[position])
    assert len(stage.roots()) == 1
    assert stage.shown()[0].startswith("🟢 Closed by dora")


def test_what_is_worse_than_all_before_also_goes_to_the_channel() -> None:
    stage = Stage()
    stage.send(opened("a", severity=Severity.LOW))
    stage.send(opened("b", 1, severity=Severity.LOW))
    stage.send(opened("c", 2, WEB_PORT, severity=Severity.MEDIUM))
    stage.send(opened("d", 3, severity=Severity.MEDIUM))
    stage.send(opened("e", 4))
    stage.send(opened("f", 5))
    replies = [message["reply_broadcast"] for message in stage.messages() if message.get("thread_ts")]
    assert replies == [False, True, False, True, True]
    texts = [message["text"].startswith("<!here> ") for message in stage.messages()]
    assert texts == [False, False, False, False, True, True]


def test_after_a_day_a_group_is_news_again() -> None:
    stage = Stage()
    stage.send(opened("a"))
    stage.clock.now += timedelta(hours=23)
    stage.send(opened("b", 1))
    stage.clock.now += timedelta(hours=2)
    stage.send(opened("c", 2))
    assert len(stage.roots()) == 2


def test_groups_and_accounts_have_messages_of_their_own() -> None:
    stage = Stage()
    first = opened("a")
    stage.send(first)
    stage.send(opened("b")._replace(security_group=SecurityGroup(id="sg-other")))
    stage.send(opened("c")._replace(account=first.account._replace(id="111122223333")))
    stage.send(not_understood())
    assert len(stage.roots()) == 4


def test_an_alert_that_is_sent_again_is_posted_once() -> None:
    stage = Stage()
    for alert in (*STORY, *STORY):
        stage.send(alert)
    assert len(stage.messages()) == len(STORY)


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
def test_a_kill_around_any_call_costs_neither_a_second_message_nor_an_update(
    method: str, moment: str, position: int
) -> None:
    stage = Stage()

    def die(called: str) -> None:
        if called == method:
            raise Killed

    for place, alert in enumerate(STORY):
        if place == position:
            setattr(stage.door, moment, die)
            # The first alert of a group updates nothing.
            with suppress(Killed):
                stage.send(alert)
            setattr(stage.door, moment, lambda _: None)
            stage.clock.now += timedelta(seconds=LEASE_SECONDS + 1)
        stage.send(alert)
    assert len(stage.messages()) == len(STORY)
    assert stage.shown() == ["🟢 Closed by dora after 4 min · 3 further changes"]


def test_an_answer_that_never_came_is_looked_for_before_posting_again() -> None:
    stage = Stage()

    def lost(method: str) -> None:
        if method == "chat.postMessage":
            raise DeliveryError("no answer in time", permanent=False, maybe_taken=True)

    stage.door.after = lost
    for alert in STORY[:2]:
        with pytest.raises(DeliveryError):
            stage.send(alert)
        stage.send(alert)
    assert len(stage.messages()) == 2
    assert "conversations.history" in stage.door.called
    assert "conversations.replies" in stage.door.called


def test_what_was_refused_is_posted_again_without_a_search() -> None:
    stage = Stage()
    stage.door.before = lambda _: HttpResponse(429, b'{"ok":false,"error":"ratelimited"}', 7.0)
    with pytest.raises(DeliveryError) as caught:
        stage.send(STORY[0])
    assert (caught.value.permanent, caught.value.retry_after) == (False, 7.0)
    stage.door.before = lambda _: None
    stage.send(STORY[0])
    assert stage.door.called == ["chat.postMessage"]


def test_while_one_posts_another_waits() -> None:
    stage = Stage()

    def meanwhile(method: str) -> None:
        stage.door.after = lambda _: None
        with pytest.raises(DeliveryError, match="is being posted") as caught:
            stage.send(STORY[1])
        assert not caught.value.permanent
        assert caught.value.retry_after

    stage.door.after = meanwhile
    stage.send(STORY[0])
    stage.send(STORY[1])
    assert len(stage.roots()) == 1


def test_a_lease_that_ends_in_another_year_holds_nobody_back_for_long() -> None:
    stage = Stage()
    stage.send(STORY[0])
    ((keys, item),) = stage.table._items.items()
    stage.table._items[keys] = {**item, "leased_until": 4_000_000_000.0}
    with pytest.raises(DeliveryError) as caught:
        stage.send(STORY[1])
    assert caught.value.retry_after is not None
    assert caught.value.retry_after <= 2


class BrokenTable:
    def get(self, pk: str, sk: str) -> None:
        raise StateError("ProvisionedThroughputExceededException on dynamodb:GetItem", "")

    def put_revision(self, item: Mapping[str, Any], seen: int) -> None:
        raise StateError("x", "")


@pytest.mark.parametrize("table", [None, BrokenTable()], ids=["none", "broken"])
def test_without_the_table_each_alert_is_a_message_of_its_own(table: Any) -> None:
    stage = Stage(table)
    for alert in STORY:
        assert stage.send(alert)
    assert len(stage.roots()) == len(STORY)


def test_a_message_that_was_deleted_is_begun_again() -> None:
    stage = Stage()
    stage.send(STORY[0])
    stage.inbox.clear()
    stage.send(STORY[1])
    assert len(stage.roots()) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"form":99}', '{"form":1}', '{"form":1,"rules":3}'])
def test_a_state_that_cannot_be_read_begins_a_new_message(text: str) -> None:
    assert decode(text) is None
    assert decode(encode(Thread())) == Thread()


def test_an_attempt_that_was_denied_changes_no_state() -> None:
    stage = Stage()
    stage.send(opened("a"))
    denied = closed("b", 1)._replace(event=event("RevokeSecurityGroupIngress", Outcome.DENIED))
    stage.send(denied)
    assert stage.shown() == ["🔴 Open now: 1 rule, the worst critical · 1 further change"]


@pytest.mark.parametrize(
    ("answer", "permanent", "said"),
    [
        (HttpResponse(200, b'{"ok":false,"error":"not_in_channel"}'), True, "invite the bot to the channel"),
        (HttpResponse(200, b'{"ok":false,"error":"internal_error"}'), False, "it answered internal_error"),
        (HttpResponse(200, b'{"ok":false,"error":"xoxb-1 XYZZY"}'), True, "it answered no"),
        (HttpResponse(200, b"<html>"), True, "it answered no JSON"),
        (HttpResponse(503, b""), False, "it answered HTTP 503"),
    ],
)
def test_what_slack_answers_is_permanent_or_worth_a_retry(answer: HttpResponse, permanent: bool, said: str) -> None:
    stage = Stage()
    stage.door.before = lambda _: answer
    with pytest.raises(DeliveryError) as caught:
        stage.send(STORY[0])
    assert caught.value.permanent is permanent
    assert said in caught.value.reason
    assert "XYZZY" not in caught.value.reason


@pytest.mark.parametrize("seed", range(5))
def test_under_limits_kills_and_repeats_each_group_has_one_message_and_nothing_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    stage = Stage()
    alerts = [
        item._replace(id=f"{item.id}-{group}", security_group=SecurityGroup(id=f"sg-{group}"))
        for group in range(3)
        for item in STORY
    ]

    def before(_: str) -> HttpResponse | None:
        if chance.random() < 0.1:
            raise Killed
        return HttpResponse(429, b'{"ok":false,"error":"ratelimited"}', 1.0) if chance.random() < 0.2 else None

    def after(_: str) -> None:
        if chance.random() < 0.1:
            raise Killed

    stage.door.before, stage.door.after = before, after
    waiting = list(alerts)
    for _ in range(2_000):
        if not waiting:
            break
        alert = waiting.pop(0)
        try:
            stage.send(alert)
        except (Killed, DeliveryError):
            stage.clock.now += timedelta(seconds=LEASE_SECONDS + 1)
            waiting.insert(0, alert)
    assert waiting == []
    ids = [message["metadata"]["event_payload"]["id"] for message in stage.messages()]
    assert len(ids) == len(set(ids)) == len(alerts)
    assert len(stage.roots()) == 3
    assert all(text.startswith("🟢 Closed by dora") for text in stage.shown())
