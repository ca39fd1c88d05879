"""Durable delivery on moto: the queues and the table, the parts on them, and a stand-in for Lambda's poller."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.sqs.models import sqs_backends

from chalicelib.alert.model import Alert
from chalicelib.delivery.deliver import DeliverFunction, RetryPolicy
from chalicelib.delivery.envelope import BurstEnd
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.delivery.ledger import Ledger
from chalicelib.delivery.problems import Problems
from chalicelib.delivery.turns import Turns
from chalicelib.destinations.contract import DeliveryError, Receipt
from chalicelib.functions.composition.durable_parts import Parts, parts
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics
from chalicelib.settings.model import DurableSettings
from tests.support.alerts import critical_open_ssh

QUEUE, DEAD, TABLE = "sgwatch-dev-deliveries.fifo", "sgwatch-dev-undelivered.fifo", "sgwatch-dev-state"
REGION = "eu-west-1"


def numbered(number: int, group: str = "sg-0a1b2c3d4e5f60718", like: Alert | None = None) -> Alert:
    """An alert of its own event, about a group."""
    alert = like or critical_open_ssh()
    assert alert.security_group is not None
    security_group = alert.security_group._replace(id=group, name=f"name-of-{group}")
    event_id = str(uuid.UUID(int=number))
    return alert._replace(id=event_id, event=alert.event._replace(id=event_id), security_group=security_group)


@dataclass
class Clock:
    """A clock that is moved by hand."""

    at: datetime = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Recorder:
    """A destination that keeps what it is sent, after raising the errors it was given."""

    name: str
    errors: list[Exception] = field(default_factory=list)
    sent: list[Alert] = field(default_factory=list)
    attempts: int = 0

    def send(self, alert: Alert) -> Receipt:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0) if len(self.errors) > 1 else self.errors[0]
        self.sent.append(alert)
        return Receipt(f"{self.name}-{len(self.sent)}")


def passing(reason: str = "it answered HTTP 503", retry_after: float | None = None) -> DeliveryError:
    return DeliveryError(reason, permanent=False, retry_after=retry_after)


def lasting(reason: str = "it answered HTTP 404: no_service") -> DeliveryError:
    return DeliveryError(reason, permanent=True)


ONE_INVOCATION = InvocationContext("request-1", lambda: 30_000.0)


@dataclass
class World:
    """Everything of one test."""

    clock: Clock
    made: Parts
    lines: list[str] = field(default_factory=list)
    sqs: Any = None
    waits: dict[str, float] = field(default_factory=dict)

    def function(self, *destinations: Recorder, **changed: Any) -> DeliverFunction:
        """A deliver function with these destinations."""
        problems = Problems(self.made.table, self.made.durable, destinations, self.clock.now)

        def end_burst(message: BurstEnd, invocation: Any) -> None:
            raise AssertionError(f"no burst is expected to end here: {message}")

        given: dict[str, Any] = {
            "destinations": {each.name: each for each in destinations},
            "ledger": Ledger(self.made.table, self.clock.now),
            "turns": Turns(self.made.table, self.clock.now),
            "queue": self.made.queue,
            "kept": self.made.kept,
            "announce": lambda name, reason, call: problems.announce(name, reason, call.remaining_ms),
            "end_burst": end_burst,
            "reports_failures": lambda: True,
            "log": Log(Redactor(), write=self.lines.append),
            "metrics": Metrics("test", write=lambda _: None),
            "now": self.clock.now,
            "retry_policy": RetryPolicy(),
            "jitter": lambda: 1.0,
        }
        return DeliverFunction(**{**given, **changed})

    def queue_for(self, alert: Alert, *destinations: Recorder) -> None:
        """Queue an alert, as the alert function does."""
        outcomes = self.made.durable.deliver(alert, destinations, lambda: 60_000.0)
        assert [type(outcome).__name__ for outcome in outcomes] == ["Queued"] * len(destinations)

    def url(self, name: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def receive(self, name: str = QUEUE, most: int = 1) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=self.url(name),
            MaxNumberOfMessages=most,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def run(self, function: DeliverFunction, *, most: int = 1, rounds: int = 50) -> int:
        """Let the function take what is visible in the queue, as Lambda does, until nothing is; gives the rounds."""
        for number in range(rounds):
            messages = self.receive(most=most)
            if not messages:
                return number
            answer = function.handle(
                sqs_event(messages), InvocationContext(f"request-{uuid.uuid4()}", lambda: 30_000.0)
            )
            failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
            for message in messages:
                if message["MessageId"] not in failed:
                    self.sqs.delete_message(QueueUrl=self.url(QUEUE), ReceiptHandle=message["ReceiptHandle"])
        raise AssertionError(f"the queue is not empty after {rounds} rounds")

    def dead(self) -> list[tuple[str, str]]:
        """Destination and reason of each dead letter."""
        found = self.receive(DEAD, most=10)
        named = [message.get("MessageAttributes", {}) for message in found]
        return [(item.get("destination", {}).get("StringValue", ""), item["reason"]["StringValue"]) for item in named]

    def come_back(self) -> None:
        """Make every postponed message visible again, as time would."""
        (backend,) = [each[REGION] for each in sqs_backends.values() if REGION in each]
        for message in backend.queues[QUEUE]._messages:
            if not message.visible:
                message.change_visibility(0)


def sqs_event(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The event with which Lambda hands messages over."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
            for message in messages
        ]
    }


@contextmanager
def world(*, burst_seconds: int = 60) -> Iterator[World]:
    """The queues and the table on a fresh moto."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "testing")
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        client = cache(lambda service, region=None: boto3.client(service))
        make_resources(client("sqs"), client("dynamodb"))
        clock = Clock()
        made = parts(DurableSettings(QUEUE, TABLE, burst_seconds), client)
        made = _with_clock(made, clock, burst_seconds)
        yield World(clock, made, sqs=client("sqs"))


def _with_clock(made: Parts, clock: Clock, burst_seconds: int) -> Parts:
    kept = replace(made.kept, now=clock.now)
    handoffs = replace(made.handoffs, now=clock.now)
    return replace(
        made,
        kept=kept,
        handoffs=handoffs,
        durable=replace(made.durable, kept=kept, handoffs=handoffs, now=clock.now),
        bursts=replace(made.bursts, now=clock.now, handoffs=handoffs),
        silences=type(made.silences)(made.table, clock.now, clock=clock.seconds),
    )


def make_resources(sqs: Any, dynamodb: Any, visibility: int = 180) -> None:
    """The resources of infra/durable.yaml, as far as delivery needs them."""
    fifo = {"FifoQueue": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    dead = sqs.create_queue(QueueName=DEAD, Attributes=fifo)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": "500"}}'
    timeout = {"VisibilityTimeout": str(visibility), "RedrivePolicy": policy}
    sqs.create_queue(QueueName=QUEUE, Attributes={**fifo, **timeout})
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )


@pytest.fixture
def durable() -> Iterator[World]:
    """Durable delivery on a fresh moto."""
    with world() as made:
        yield made
