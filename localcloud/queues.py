"""SQS event sources: polls the queues that are mapped to functions, as Lambda does.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.awslambda.models import lambda_backends
from moto.sqs.models import sqs_backends

if TYPE_CHECKING:
    from localcloud.functions.deliveries import Deliveries

POLL_SECONDS = 0.1


@dataclass(slots=True)
class QueuePoller:
    """Feeds functions from their queues. A message stays in its queue until its function succeeded with it."""

    deliveries: Deliveries
    lock: threading.RLock
    _busy: set[str] = field(default_factory=set)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Poll until stopped."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="localcloud-queues")
        self._thread.start()

    def stop(self) -> None:
        """Poll no more."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            for mapping in self._mappings():
                if mapping.uuid not in self._busy:
                    self._poll(mapping)

    def _mappings(self) -> list[Any]:
        if not lambda_backends:
            return []
        with self.lock:
            found = [
                mapping
                for regions in list(lambda_backends.values())
                for backend in list(regions.values())
                for mapping in list(backend._event_source_mappings.values())  # noqa: SLF001  # has no other door
            ]
        return [item for item in found if item.enabled and ":sqs:" in item.event_source_arn]

    def waiting(self) -> bool:
        """Whether a mapped queue has a message that could be delivered now."""
        with self.lock:
            queues = [self._queue(mapping) for mapping in self._mappings()]
            return any(queue is not None and queue.messages for queue in queues)

    def detach_moto(self) -> None:
        """Keep moto from invoking mapped functions itself, inside the call that sends a message."""
        with self.lock:
            for mapping in self._mappings():
                queue = self._queue(mapping)
                if queue is not None:
                    queue.lambda_event_source_mappings.clear()

    def _queue(self, mapping: Any) -> Any | None:
        _, _, _, region, account_id, name = mapping.event_source_arn.split(":")
        return sqs_backends[account_id][region].queues.get(name)

    def _poll(self, mapping: Any) -> None:
        with self.lock:
            queue = self._queue(mapping)
            if queue is None or not queue.messages:
                return
            backend = sqs_backends[queue.account_id][queue.region]
            messages = backend.receive_message(queue.name, mapping.batch_size, 0, queue.visibility_timeout)
        function = self.deliveries.pool.find(mapping.function_arn)
        if not messages or function is None:
            return
        self._busy.add(mapping.uuid)
        self.deliveries.start(lambda: self._invoke(mapping, function, backend, queue, messages))

    def _invoke(self, mapping: Any, function: Any, backend: Any, queue: Any, messages: Sequence[Any]) -> None:
        try:
            event = {"Records": [_record(message, queue) for message in messages]}
            invocation = self.deliveries.pool.invoke(function, json.dumps(event).encode())
            failed = {message.id for message in messages} if invocation.failed else _failures(invocation.payload)
            with self.lock:
                for message in messages:
                    if message.id not in failed and not invocation.failed:
                        backend.delete_message(queue.name, message.receipt_handle)
        finally:
            self._busy.discard(mapping.uuid)


def _failures(payload: bytes) -> set[str]:
    """The messages that a function reported as failed: ReportBatchItemFailures."""
    answer = json.loads(payload or b"null")
    failures = answer.get("batchItemFailures") if isinstance(answer, Mapping) else None
    return {str(item["itemIdentifier"]) for item in failures or ()}


def _record(message: Any, queue: Any) -> dict[str, Any]:
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
    }
    if message.group_id is not None:
        attributes["MessageGroupId"] = message.group_id
    if message.deduplication_id is not None:
        attributes["MessageDeduplicationId"] = message.deduplication_id
        attributes["SequenceNumber"] = str(message.sequence_number)
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }
