"""What every destination promises: ``send`` returns a receipt or raises one error.

Retries, deduplication and logging are around a destination (delivery/), never inside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chalicelib.alert.model import Alert


@dataclass(frozen=True, slots=True)
class Receipt:
    """A destination has taken the alert; ``reference`` is its own id for it, where it gave one."""

    reference: str | None = None


class DeliveryError(Exception):
    """An alert did not reach a destination.

    ``permanent`` says that sending it again cannot help; ``retry_after`` is how many seconds the
    destination asked to be left alone, where it did. ``reason`` never holds a URL or a secret.
    """

    def __init__(self, reason: str, *, permanent: bool, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after


class Destination(Protocol):
    """Where alerts go. ``name`` is unique among the configured destinations: ``slack``, ``slack.secops``."""

    @property
    def name(self) -> str:
        """The destination's name in settings, logs and metrics."""

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert.

        Raises:
            DeliveryError: it was not delivered.
        """
