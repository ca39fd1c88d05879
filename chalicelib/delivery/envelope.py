"""What is in a message of the delivery queue: one alert for one destination, or a burst whose follow-up is due.

The body is JSON; ``read`` refuses what is not, so that it goes to the dead-letter queue and not round and round.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.alert.model import Alert, Severity, format_time, from_json, to_json
from chalicelib.cloudtrail.records import parse_time
from chalicelib.destinations.delivery_ids import delivery_id, group_key

# The form that is written; that before it and that after it are read as far as they can be.
VERSION = 1
_READ = {str(VERSION - 1), str(VERSION), str(VERSION + 1)}
# The longest that BURST_WINDOW may be.
LONGEST_WINDOW_SECONDS = 9_999.0
# Deduplication and group ids: at most 128 letters, digits and punctuation marks.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
_FIT = re.compile(r"[!-~]{1,128}")


# Behind the ids of what only closes incidents, because the same alert may be delivered besides.
RESOLVES = "/resolves"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert for one destination; ``kept`` is true where the alert is cut and the whole of it is in the table.

    ``only_resolves`` says that it opens nothing there, and closes what it ends.
    """

    destination: str
    alert: Alert
    queued_at: datetime
    kept: bool = False
    only_resolves: bool = False

    @property
    def id(self) -> str:
        """The id of the alert in the ledger, the same for every attempt and every destination."""
        return delivery_id(self.alert) + (RESOLVES if self.only_resolves else "")

    @property
    def deduplication_id(self) -> str:
        """What makes a second message about the same delivery no message at all."""
        return fit(f"{self.id}/{self.destination}")

    @property
    def group_id(self) -> str:
        """What keeps its order: one security group at one destination, its critical alerts by themselves.

        So a critical alert never waits behind milder ones that wait for their turns.
        """
        critical = "critical/" if self.alert.severity is Severity.CRITICAL else ""
        return fit(f"{self.destination}/{critical}{group_key(self.alert)}")


@dataclass(frozen=True, slots=True)
class BurstEnd:
    """A burst's window is over when it is due: what was folded in it is to be sent."""

    burst: str
    window: str
    due_at: datetime

    @property
    def deduplication_id(self) -> str:
        """One message for each window."""
        return fit(f"burst/{self.burst}/{self.window}")

    @property
    def group_id(self) -> str:
        """Bursts hold nobody up, nor each other."""
        return self.deduplication_id


QueueMessage = Delivery | BurstEnd


class PoisonError(ValueError):
    """The message cannot be read and never will be; the text says what is wrong."""


def encode(message: QueueMessage) -> str:
    """The body of a message; ASCII, because SQS replaces some characters and JSON can escape them all."""
    match message:
        case Delivery():
            content: dict[str, Any] = {
                "destination": message.destination,
                "queued_at": format_time(message.queued_at),
                "kept": message.kept,
                **({"only_resolves": True} if message.only_resolves else {}),
                "alert": to_json(message.alert),
            }
        case BurstEnd():
            content = {"burst": message.burst, "window": message.window, "due_at": format_time(message.due_at)}
    return json.dumps({"version": str(VERSION), **content}, separators=(",", ":"))


def read(body: str) -> QueueMessage:
    """The message of a body.

    Raises:
        PoisonError: it is none.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PoisonError("the message is not JSON") from error
    if not isinstance(document, Mapping) or str(document.get("version")) not in _READ:
        raise PoisonError(f"the message is not an object of version {VERSION}, the one before or the one after")
    try:
        return _burst_end(document) if "burst" in document else _delivery(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PoisonError(f"the message makes no sense: {type(error).__name__}: {str(error)[:200]}") from error


def _delivery(document: Mapping[str, Any]) -> Delivery:
    destination = document["destination"]
    if not isinstance(destination, str) or not destination:
        raise ValueError("it names no destination")
    alert = from_json(document["alert"])
    # The decoder takes the texts as they come, and an id that is no text would break the ids made of it.
    if not isinstance(alert.id, str):
        raise TypeError("the alert has no id")
    kept, only_resolves = (document.get(name) is True for name in ("kept", "only_resolves"))
    return Delivery(destination, alert, _time(document["queued_at"]), kept, only_resolves)


def _burst_end(document: Mapping[str, Any]) -> BurstEnd:
    return BurstEnd(str(document["burst"]), str(document["window"]), _time(document["due_at"]))


def _time(text: object) -> datetime:
    moment = parse_time(text)
    if moment is None:
        raise ValueError("a time cannot be read")
    return moment


def fit(text: str) -> str:
    """The text where SQS takes it as an id, else a digest of it."""
    return (
        text if _FIT.fullmatch(text) else "sha256-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    )
