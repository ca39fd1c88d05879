"""Durable delivery: a message in the queue for each destination, and SQS's word that it is there.

From then on the alert is the deliver function's (deliver.py), and the alert function is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from chalicelib.alert.model import Alert
from chalicelib.delivery.alert_archive import AlertArchive
from chalicelib.delivery.direct import HandoverResult, OnRetry, Queued, Undelivered, unheard
from chalicelib.delivery.envelope import Delivery, encode
from chalicelib.delivery.handoffs import Handoffs
from chalicelib.delivery.queue import DEAD_LETTER_BYTES, MAX_BYTES, Queue
from chalicelib.destinations.contract import Destination
from chalicelib.rendering.shrink import shrink
from chalicelib.state.errors import StateError

# Kept back from the function's time, for logs and for raising.
RESERVE_MS = 2_000
# What comes on top of an alert, at most: a destination's name and two dates, and why it is a dead letter.
ENVELOPE_BYTES = 1_000 + DEAD_LETTER_BYTES


@dataclass(frozen=True, slots=True)
class Durable:
    """Puts alerts into the delivery queue."""

    queue: Queue
    kept: AlertArchive
    handoffs: Handoffs
    now: Callable[[], datetime]

    def deliver(
        self,
        alert: Alert,
        destinations: Iterable[Destination],
        remaining_ms: Callable[[], float],
        on_retry: OnRetry = unheard,  # noqa: ARG002 - the queue's own retries are of no interest to a log
        *,
        only_resolves: bool = False,
    ) -> tuple[HandoverResult, ...]:
        """Queue the alert for every destination and say what became of it, in their order.

        With ``only_resolves`` it will open nothing there, and close what it ends.
        """
        names = [destination.name for destination in destinations]
        if not names:
            return ()
        fitting, kept = self._fitting(alert)
        queued_at = self.now()
        messages = [Delivery(name, fitting, queued_at, kept, only_resolves) for name in names]
        failures = self.queue.send(messages, lambda: remaining_ms() > RESERVE_MS)
        if queued := [name for position, name in enumerate(names) if position not in failures]:
            self.handoffs.note(fitting, queued, kept=kept, only_resolves=only_resolves)
        return tuple(
            Undelivered(name, 1, failures[position], permanent=False) if position in failures else Queued(name)
            for position, name in enumerate(names)
        )

    def _fitting(self, alert: Alert) -> tuple[Alert, bool]:
        """The alert as it fits into a message, and whether it was cut and the whole of it kept."""
        if len(encode(Delivery("", alert, self.now()))) + ENVELOPE_BYTES <= MAX_BYTES:
            return alert, False
        cut = shrink(alert, MAX_BYTES - ENVELOPE_BYTES, "a queue message")
        try:
            self.kept.keep(alert)
        except StateError:
            # What is most urgent is in the cut one, and it says what it lacks.
            return cut, False
        return cut, True
