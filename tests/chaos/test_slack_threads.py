"""The Slack bot behind the queue, under 429s, deaths and repeated events: one message a group, and nothing lost."""

from __future__ import annotations

import random
from typing import Any

import pytest

from chalicelib.alert.model import SecurityGroup, Severity
from chalicelib.delivery.envelope import Delivery, encode
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.destinations.http_door import HttpResponse
from tests.destinations.test_slack_bot import START, STORY, Killed, Stage
from tests.support.durable import QUEUE, World, sqs_event, world

BUSY, DEATH = 0.15, 0.03
# SQS forgets a deduplication id after five minutes: a repeated event is another message then.
REPEATED = 0.3
MOST_ROUNDS = 3_000


def queue(durable: World, number: int, delivery: Delivery) -> None:
    durable.sqs.send_message(
        QueueUrl=durable.url(QUEUE),
        MessageBody=encode(delivery),
        MessageGroupId=delivery.group_id,
        MessageDeduplicationId=f"{number}",
    )


def is_empty(durable: World) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = durable.sqs.get_queue_attributes(QueueUrl=durable.url(QUEUE), AttributeNames=names)["Attributes"]
    return all(found[name] == "0" for name in names)


def deliver_all(durable: World, function: Any) -> int:
    """Let functions take messages until none is left; gives how many of them died."""
    deaths = 0
    for number in range(MOST_ROUNDS):
        messages = durable.receive()
        if not messages:
            if is_empty(durable):
                return deaths
            durable.clock.forward(65)
            durable.come_back()
            continue
        try:
            answer = function.handle(sqs_event(messages), InvocationContext(f"request-{number}", lambda: 30_000.0))
        except Killed:
            deaths += 1
            continue
        failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                durable.sqs.delete_message(QueueUrl=durable.url(QUEUE), ReceiptHandle=message["ReceiptHandle"])
    raise AssertionError("the queue is not empty")


def campaign(seed: int, groups: int) -> int:
    """Deliver the story of each group; gives how many functions died."""
    chance = random.Random(seed)
    with world() as durable:
        durable.clock.at = START
        stage = Stage(durable.made.table)
        bot = stage.bot._replace(now=durable.clock.now)

        def before(_: str) -> HttpResponse | None:
            if chance.random() < DEATH:
                raise Killed
            return HttpResponse(429, b'{"ok":false,"error":"ratelimited"}', 1.0) if chance.random() < BUSY else None

        def after(_: str) -> None:
            if chance.random() < DEATH:
                raise Killed

        stage.door.before, stage.door.after = before, after
        alerts = [
            alert._replace(id=f"{alert.id}-{group}", security_group=SecurityGroup(id=f"sg-{group}"))
            for alert in STORY
            for group in range(groups)
        ]
        deliveries = [Delivery("slack", alert, durable.clock.now()) for alert in alerts]
        repeated = [each for each in deliveries if chance.random() < REPEATED]
        for number, delivery in enumerate([*deliveries, *repeated]):
            queue(durable, number, delivery)
        function: Any = durable.function(bot, jitter=chance.random)  # type: ignore[arg-type] # a destination
        deaths = deliver_all(durable, function)
        assert durable.dead() == []
        messages = stage.messages()
        posted = [message["metadata"]["event_payload"]["id"].partition("-")[2] for message in messages]
        assert sorted(posted) == sorted(alert.id for alert in alerts), "each alert is posted once"
        assert len(stage.roots()) == groups
        assert all(text.startswith("🟢 Closed by dora") for text in stage.shown())
        # Critical alerts go ahead of milder ones; each of the two keeps its order.
        for group in range(groups):
            mild = [
                alert.id
                for alert in alerts
                if alert.id.endswith(f"-{group}") and alert.severity is not Severity.CRITICAL
            ]
            assert [each for each in posted if each in mild] == mild
        return deaths


@pytest.mark.parametrize("seed", range(2))
def test_a_short_campaign_posts_each_alert_once_in_its_groups_thread(seed: int) -> None:
    campaign(seed, groups=3)


@pytest.mark.slow
def test_a_long_campaign_posts_each_alert_once_in_its_groups_thread() -> None:
    assert sum(campaign(seed, groups=6) for seed in range(10, 14)) > 5
