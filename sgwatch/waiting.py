"""Clients for operators' commands: they wait for what AWS is still changing, and say what they wait for.

botocore's own retries answer throttling. What takes AWS seconds to a minute has codes of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from chalicelib.aws.clients import THROTTLED, AwsClients
from sgwatch.terminal import note

# Between attempts: short at first, since most of it is over at once; about two and a half minutes in all.
PAUSES = (0.5, 1.0, 2.0, 4.0, *([5.0] * 28))


class Wait(NamedTuple):
    """A code with which a service says "not now", for these operations, and what it means."""

    service: str
    code: str
    operations: tuple[str, ...]
    meaning: str


WAITS = (
    # https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
    Wait("lambda", "ResourceInUseException", ("Update", "Delete"), "an event source mapping that is being changed"),
    # https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
    Wait("lambda", "ResourceConflictException", ("Update", "Delete", "Put"), "a function that is being changed"),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    Wait("sqs", "QueueDeletedRecently", ("CreateQueue",), "the 60 seconds after a queue of this name was deleted"),
    Wait("sqs", "PurgeQueueInProgress", ("PurgeQueue",), "the 60 seconds after a purge of the queue"),
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
    Wait("dynamodb", "ResourceInUseException", ("Update", "Delete"), "a table that is being changed"),
    Wait("dynamodb", "LimitExceededException", ("Update", "Delete", "Create"), "other tables that are being changed"),
    Wait("dynamodb", "ContinuousBackupsUnavailableException", ("Update",), "a new table's backups"),
    Wait("iam", "DeleteConflict", ("Delete",), "a role that something still belongs to"),
    Wait("iam", "ConcurrentModification", ("Delete", "Put", "Update"), "another change of the role"),
    Wait("logs", "OperationAbortedException", ("Delete", "Put"), "another change of the log group"),
)


def meaning_of(service: str, operation: str, code: str) -> str | None:
    """What a refused call is to wait for; None where waiting is of no use."""
    if code in THROTTLED and not (service == "dynamodb" and code == "LimitExceededException"):
        return "AWS, which throttles"
    bare = code.rpartition(".")[2]
    found = (w for w in WAITS if w.service == service and w.code == bare and operation.startswith(w.operations))
    return next((wait.meaning for wait in found), None)


class Patience:
    """Answers botocore's question whether to try again, for all clients of one command."""

    def __init__(self, say: Callable[[str], object] = note) -> None:
        self._say = say
        self._said: set[str] = set()

    def register(self, client: Any) -> Any:
        """The client, which waits from now on."""
        client.meta.events.register("needs-retry", self._pause)
        return client

    def _pause(
        self, attempts: int, operation: Any, response: tuple[Any, dict[str, Any]] | None = None, **_: Any
    ) -> float | None:
        """Seconds until the next attempt; None where there is to be none."""
        code = str((response[1].get("Error") or {}).get("Code")) if response is not None else ""
        meaning = meaning_of(operation.service_model.service_name, operation.name, code)
        if meaning is None or attempts > len(PAUSES):
            return None
        if meaning not in self._said and attempts > 1:
            self._said.add(meaning)
            self._say(f"Waiting for {meaning} …")
        return PAUSES[attempts - 1]


def waiting_clients(say: Callable[[str], object] = note) -> Callable[..., Any]:
    """A ClientFactory of such clients."""
    made, patience = AwsClients(connect_timeout=5.0, read_timeout=30.0, attempts=5), Patience(say)

    @cache
    def client(service: str, region: str | None = None, /) -> Any:
        return patience.register(made(service, region))

    return client
