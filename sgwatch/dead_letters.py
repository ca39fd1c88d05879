"""The dead letters of durable delivery: what waits, why and since when, and sending it again.

A letter is taken from its queue only after the delivery queue has it, so that stopping at any moment
loses nothing; what is sent twice that way the ledger keeps from being delivered twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chalicelib.delivery.envelope import Delivery, PoisonError, fit, read

# Long enough to look at everything and to send it again.
HOLD_SECONDS = 300
# Asked without waiting, SQS looks into some of its servers only and may see nothing where there is something.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
WAIT_SECONDS = 1
NO_REASON = "received too often without an outcome: the deliver function ended each time"


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter; ``title`` is None where the message cannot be read."""

    destination: str
    reason: str
    since: datetime
    title: str | None
    body: str = field(repr=False)
    group_id: str = field(repr=False)
    message_id: str = field(repr=False)
    receipt_handle: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """An event that a function failed on for good, as Lambda's on-failure destination got it.

    ``function`` is None where the message cannot be read as one.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """

    reason: str
    since: datetime
    function: str | None
    payload: Any = field(repr=False)
    receipt_handle: str = field(repr=False)


def letters(sqs: Any, url: str) -> Iterator[Letter]:
    """What can be taken from the dead-letter queue, in its order; it is held until released.

    Of a group whose letters are held SQS gives no more, so there may be others behind them; when those
    before them are taken away in the meantime, they come as well.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
    """
    for message in _messages(sqs, url):
        attributes = message.get("MessageAttributes", {})
        reason = attributes.get("reason", {}).get("StringValue", NO_REASON)
        destination, title = _contents(message["Body"])
        yield Letter(
            destination=attributes.get("destination", {}).get("StringValue", destination),
            reason=reason,
            since=_sent_at(message),
            title=title,
            body=message["Body"],
            group_id=message["Attributes"].get("MessageGroupId", "unknown"),
            message_id=message["MessageId"],
            receipt_handle=message["ReceiptHandle"],
        )


def failed_events(sqs: Any, url: str) -> Iterator[FailedEvent]:
    """Everything in the queue of failed events that can be taken now; it is held until released."""
    for message in _messages(sqs, url):
        try:
            document = json.loads(message["Body"])
            context, answer = document["requestContext"], document.get("responsePayload") or {}
            reason = str(answer.get("errorMessage") or context.get("condition"))
            function, payload = str(context["functionArn"]), document["requestPayload"]
        except (ValueError, KeyError, TypeError, AttributeError):
            reason, function, payload = "a message that is no failed event", None, None
        yield FailedEvent(reason, _sent_at(message), function, payload, message["ReceiptHandle"])


def send_again(sqs: Any, letter: Letter, queue_url: str, dead_url: str) -> None:
    """Put a letter back into the delivery queue, then take it from the dead-letter queue."""
    sqs.send_message(
        QueueUrl=queue_url,
        MessageBody=letter.body,
        MessageGroupId=letter.group_id,
        MessageDeduplicationId=fit(f"{letter.message_id}/redriven"),
    )
    sqs.delete_message(QueueUrl=dead_url, ReceiptHandle=letter.receipt_handle)


def release(sqs: Any, url: str, handles: Iterable[str]) -> None:
    """Let go of what was only looked at."""
    for handle in handles:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)


def _messages(sqs: Any, url: str) -> Iterator[dict[str, Any]]:
    while True:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=HOLD_SECONDS,
            WaitTimeSeconds=WAIT_SECONDS,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        found = answer.get("Messages", [])
        yield from found
        if not found:
            return


def _contents(body: str) -> tuple[str, str | None]:
    try:
        message = read(body)
    except PoisonError:
        return "", None
    return (message.destination, message.alert.title) if isinstance(message, Delivery) else ("", "the end of a burst")


def _sent_at(message: Any) -> datetime:
    return datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
