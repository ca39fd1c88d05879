"""The delivery queue and its dead-letter queue, through SQS.

The queue is known by its name; its URL, and which queue takes the dead letters, SQS itself is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chalicelib.aws.retries import AwsCalls, CallFailed
from chalicelib.delivery.envelope import QueueMessage, encode, fit

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_BYTES = 1_048_576
MAX_ENTRIES = 10
# Of the 43,200 from when a message was received, a function's time may have passed.
MAX_VISIBILITY_SECONDS = 43_100
# An attribute counts towards the size of its message.
MAX_ATTRIBUTE_BYTES = 1_000
# A dead letter's three, with their names and types.
DEAD_LETTER_BYTES = 3 * (MAX_ATTRIBUTE_BYTES + 50)
_PERMANENT = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AWS.SimpleQueueService.NonExistentQueue",
        "InvalidMessageContents",
        "InvalidParameterValue",
        "KmsAccessDenied",
        "QueueDoesNotExist",
    }
)


class QueueError(Exception):
    """SQS did not do what it was asked; the text says what and why, and holds nothing of a message."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter: the body as it was, and why it is dead."""

    body: str
    reason: str
    destination: str
    delivery: str
    message_id: str
    group_id: str


class Queue(AwsCalls):
    """The delivery queue, by its name."""

    attempts = 6
    base_delay = 0.1

    def send(self, messages: Sequence[QueueMessage], still_time: Callable[[], bool] = lambda: True) -> dict[int, str]:
        """Put the messages into the queue; gives why not, by position, for those that SQS did not take."""
        failures: dict[int, str] = {}
        bodies = [encode(message) for message in messages]
        for batch in _batches([len(body) for body in bodies]):
            waiting = {position: _entry(position, messages[position], bodies[position]) for position in batch}
            failures |= self._send_batch(waiting, still_time)
        return failures

    def _send_batch(self, waiting: dict[int, dict[str, str]], still_time: Callable[[], bool]) -> dict[int, str]:
        reasons: dict[int, str] = {}
        for attempt in range(1, self.attempts + 1):
            try:
                answer = self._call_once("send_message_batch", QueueUrl=self._url, Entries=list(waiting.values()))
            except QueueError as error:
                return dict.fromkeys(waiting, str(error))
            except CallFailed as failure:
                reasons = dict.fromkeys(waiting, str(_error(failure)))
                if not self._is_retryable(failure):
                    return reasons
            else:
                reasons = {int(item["Id"]): f"SQS answered {item['Code']}" for item in answer.get("Failed", ())}
                waiting = {position: waiting[position] for position in reasons}
            if not waiting or attempt == self.attempts or not still_time():
                return reasons
            self._wait(attempt)
        return reasons

    def postpone(self, receipt_handle: str, seconds: float) -> None:
        """Let a message that was received come back after that many seconds.

        Raises:
            QueueError: it comes back when the queue's visibility timeout says.
        """
        timeout = max(0, min(MAX_VISIBILITY_SECONDS, round(seconds)))
        self._call(
            "change_message_visibility",
            QueueUrl=self._url,
            ReceiptHandle=receipt_handle,
            VisibilityTimeout=timeout,
        )

    def send_to_dlq(self, letter: DeadLetter) -> None:
        """Put a dead letter into the dead-letter queue; the same message twice is there once.

        Raises:
            QueueError: it is not there.
        """
        attributes = {"reason": letter.reason, "destination": letter.destination, "delivery": letter.delivery}
        self._call(
            "send_message",
            QueueUrl=self._dead_letter_url,
            MessageBody=letter.body,
            MessageGroupId=letter.group_id or "unknown",
            MessageDeduplicationId=fit(f"{letter.message_id}/dead"),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": _attribute(text)}
                for name, text in attributes.items()
                if text
            },
        )

    def arn(self) -> str:
        """The queue's ARN.

        Raises:
            QueueError: SQS did not answer.
        """
        answer = self._call("get_queue_attributes", QueueUrl=self._url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    @cached_property
    def _url(self) -> str:
        return str(self._call("get_queue_url", QueueName=self.name)["QueueUrl"])

    @cached_property
    def _dead_letter_url(self) -> str:
        answer = self._call("get_queue_attributes", QueueUrl=self._url, AttributeNames=["RedrivePolicy"])
        policy = answer.get("Attributes", {}).get("RedrivePolicy")
        if not policy:
            raise QueueError(f"the queue {self.name} has no dead-letter queue; `sgwatch setup` gives it one")
        name = json.loads(policy)["deadLetterTargetArn"].split(":")[5]
        return str(self._call("get_queue_url", QueueName=name)["QueueUrl"])

    def _call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        try:
            return self._with_retries(operation, **arguments)
        except CallFailed as failure:
            error = _error(failure)
        raise error

    def _is_retryable(self, failure: CallFailed) -> bool:
        return failure.is_unanswered or (bool(failure.code) and failure.code not in _PERMANENT)


def _entry(position: int, message: QueueMessage, body: str) -> dict[str, str]:
    return {
        "Id": str(position),
        "MessageBody": body,
        "MessageGroupId": message.group_id,
        "MessageDeduplicationId": message.deduplication_id,
    }


def _batches(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Positions, ten at most and together not above what SQS takes in one call."""
    batch: list[int] = []
    total = 0
    for position, size in enumerate(sizes):
        if batch and (len(batch) == MAX_ENTRIES or total + size > MAX_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(position)
        total += size
    if batch:
        yield batch


def _attribute(text: str) -> str:
    """What SQS takes as an attribute's value: printable, and not endless."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return shown.encode()[:MAX_ATTRIBUTE_BYTES].decode(errors="ignore") or "-"


def _error(failure: CallFailed) -> QueueError:
    return QueueError(f"{failure.operation} on the delivery queue: {failure.reason}")
