"""Everything that arrived at the receivers, newest last, and who waits for more."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

KEPT_MESSAGES = 2000
SEVERITIES = ("critical", "high", "medium", "low", "info")


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """One delivery. ``service`` is slack, webhook, sns, email or lambda; ``payload`` is what was sent, whole.

    ``severity`` is None where the payload does not hold it. ``accepted`` is False for what the service
    refused, and ``note`` says why.
    """

    number: int
    service: str
    where: str
    title: str
    text: str
    payload: Any
    at: datetime
    severity: str | None = None
    accepted: bool = True
    note: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    link: str | None = None


@dataclass(slots=True)
class Inbox:
    """Keeps messages and calls listeners with each new one."""

    _messages: list[InboxMessage] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _listeners: list[queue.Queue[InboxMessage]] = field(default_factory=list)
    _count: int = 0

    def add(self, service: str, where: str, payload: Any, *, title: str = "", **more: Any) -> InboxMessage:
        """Keep one delivery; ``more`` are the message's other fields."""
        with self._changed:
            self._count += 1
            message = InboxMessage(
                number=self._count,
                service=service,
                where=where,
                title=title,
                text=more.pop("text", ""),
                payload=payload,
                at=datetime.now(UTC),
                severity=more.pop("severity", None) or severity_of(payload),
                **more,
            )
            self._messages.append(message)
            del self._messages[:-KEPT_MESSAGES]
            listeners = list(self._listeners)
            self._changed.notify_all()
        for listener in listeners:
            listener.put(message)
        return message

    def messages(self, service: str | None = None, *, accepted: bool | None = True) -> list[InboxMessage]:
        """What arrived, oldest first; ``accepted=None`` includes what was refused."""
        with self._changed:
            return [
                item for item in self._messages if service in (None, item.service) and accepted in (None, item.accepted)
            ]

    def wait_for(
        self, wanted: Callable[[InboxMessage], bool], seconds: float = 10.0, after: int = 0
    ) -> InboxMessage | None:
        """The first message numbered above ``after`` that is wanted; None where none came in time."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for message in self._messages:
                    if message.number > after and wanted(message):
                        return message
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)

    @contextmanager
    def listening(self) -> Iterator[queue.Queue[InboxMessage]]:
        """A queue of the messages from now on."""
        listener: queue.Queue[InboxMessage] = queue.Queue()
        with self._changed:
            self._listeners.append(listener)
        try:
            yield listener
        finally:
            with self._changed:
                self._listeners.remove(listener)

    def clear(self) -> None:
        """Forget everything that arrived."""
        with self._changed:
            self._messages.clear()


def severity_of(payload: Any) -> str | None:
    """The severity that a payload names in one of the places where alerts have it."""
    if isinstance(payload, Mapping):
        for key in ("severity", "Severity"):
            value = payload.get(key)
            if isinstance(value, str) and value.lower() in SEVERITIES:
                return value.lower()
        for key in ("data", "alert", "payload", "metadata"):
            if found := severity_of(payload.get(key)):
                return found
    return None
