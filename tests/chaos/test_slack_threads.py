"""The Slack bot behind the queue, under 429s, deaths and repeated events: one message a group, and nothing lost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from chalicelib.alert.model import Alert, SecurityGroup, Severity
from chalicelib.delivery.envelope import Delivery, encode
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.destinations.http_door import HttpResponse
from localcloud.inbox import Inbox
from localcloud.receivers import slack
from localcloud.receivers.http import Reply, Request, limiter_scope
from localcloud.servers import HttpServer
from tests.chaos.campaign import Aws, Plan, Result, Worker
from tests.chaos.campaign import Killed as ProcessKilled
from tests.chaos.worker import SLACK_CHANNEL, Spec
from tests.destinations.test_slack_bot import START, STORY, Killed, Stage, roots_of, state_lines
from tests.support.durable import QUEUE, TABLE, World, sqs_event, world

BUSY, DEATH = 0.15, 0.03
# SQS forgets a deduplication id after five minutes: a repeated event is another message then.
REPEATED = 0.3
MOST_ROUNDS = 3_000
MOST_SECONDS = 600.0


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


def stories(groups: int) -> list[Alert]:
    """The story of each group, the groups in turn."""
    return [
        alert._replace(id=f"{alert.id}-{group}", security_group=SecurityGroup(id=f"sg-{group}"))
        for alert in STORY
        for group in range(groups)
    ]


def assert_threads(messages: list[dict[str, Any]], alerts: list[Alert], groups: int) -> None:
    """Each alert is posted once, each group has one message that shows its end, and its thread is in order."""
    posted = [message["metadata"]["event_payload"]["id"].partition("-")[2] for message in messages]
    assert sorted(posted) == sorted(alert.id for alert in alerts), "each alert is posted once"
    roots = roots_of(messages)
    assert len(roots) == groups
    assert all(text.startswith("🟢 Closed by dora") for text in state_lines(roots))
    # Critical alerts go ahead of milder ones; each of the two keeps its order.
    for group in range(groups):
        own = [each for each in alerts if each.id.endswith(f"-{group}")]
        mild = [alert.id for alert in own if alert.severity is not Severity.CRITICAL]
        assert [each for each in posted if each in mild] == mild


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
        alerts = stories(groups)
        deliveries = [Delivery("slack", alert, durable.clock.now()) for alert in alerts]
        repeated = [each for each in deliveries if chance.random() < REPEATED]
        for number, delivery in enumerate([*deliveries, *repeated]):
            queue(durable, number, delivery)
        function: Any = durable.function(bot, jitter=chance.random)  # type: ignore[arg-type] # a destination
        deaths = deliver_all(durable, function)
        assert durable.dead() == []
        assert_threads(stage.messages(), alerts, groups)
        return deaths


@pytest.mark.parametrize("seed", range(2))
def test_a_short_campaign_posts_each_alert_once_in_its_groups_thread(seed: int) -> None:
    campaign(seed, groups=3)


def processes(seed: int, groups: int, workers: int, death: float) -> Result:
    """The same stories through functions in processes of their own, which end by SIGKILL."""
    chance, lock = random.Random(seed), threading.Lock()
    plan = Plan(events=0, seed=seed, workers=workers, death=death)
    result = Result(plan)
    inbox, limits = Inbox(), limiter_scope()

    def workspace(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with lock:
            is_busy = chance.random() < BUSY
        if is_busy:
            return Reply(429, {"ok": False, "error": "ratelimited"}, (("Retry-After", "1"),)).send(start_response)
        return slack.receive(Request.of(environ, limits), inbox).send(start_response)

    alerts = stories(groups)
    server = HttpServer.start(workspace)
    api = (f"{server.url}/slack/api", time.time())
    with world() as durable:
        deliveries = [Delivery("slack", alert, datetime.now(UTC)) for alert in alerts]
        repeated = [each for each in deliveries if chance.random() < REPEATED]
        for number, delivery in enumerate([*deliveries, *repeated]):
            queue(durable, number, delivery)
        aws = Aws(plan, result)

        def spec(number: int) -> Spec:
            return Spec(number, QUEUE, TABLE, {}, "", death, plan.retry_policy, plan.burst_seconds, None, slack=api)

        made = [Worker(number, plan, aws, result, spec) for number in range(workers)]
        try:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(partial(deliver_until_empty, aws), made))
        finally:
            for worker in made:
                worker.stop()
            server.stop()
        assert durable.dead() == []
    assert_threads(slack.thread_of(inbox, SLACK_CHANNEL), alerts, groups)
    return result


def deliver_until_empty(aws: Aws, worker: Worker) -> None:
    """Let one function take messages, as Lambda's poller hands them over, until none is left."""
    ends_at = time.monotonic() + MOST_SECONDS
    while aws.queued():
        assert time.monotonic() < ends_at, "the queue is not empty"
        record = aws.receive()
        if record is None:
            time.sleep(0.05)
            continue
        with suppress(ProcessKilled, RuntimeError):
            if not worker.invoke("deliver", {"Records": [record]})["batchItemFailures"]:
                aws.delete(record)


@pytest.mark.slow
def test_functions_that_are_killed_post_each_alert_once_in_its_groups_thread() -> None:
    result = processes(seed=20, groups=5, workers=4, death=0.01)
    print(f"{sum(result.deaths.values())} killed at {dict(result.deaths)}")
    assert any("chat." in point for point in result.deaths)


@pytest.mark.slow
def test_a_long_campaign_posts_each_alert_once_in_its_groups_thread() -> None:
    assert sum(campaign(seed, groups=6) for seed in range(10, 14)) > 5
