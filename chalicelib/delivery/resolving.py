"""Alerts that a destination does not want, and that end what it was told before: they close incidents and open none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.alert.model import Alert
from chalicelib.destinations.contract import Destination, Receipt, resolve
from chalicelib.destinations.delivery_ids import is_recovery


@dataclass(frozen=True, slots=True)
class Resolving:
    """A destination at which alerts only close what they end."""

    destination: Destination

    @property
    def name(self) -> str:
        """The destination's own name."""
        return self.destination.name

    def send(self, alert: Alert) -> Receipt:
        """Close what an alert ends.

        Raises:
            DeliveryError: not all of it was closed.
        """
        return resolve(self.destination, alert)


def resolving(alert: Alert, destinations: Iterable[Destination]) -> tuple[Destination, ...]:
    """Those of the destinations, in direct delivery, at which an alert closes something.

    Without the state table nothing is known of what was opened, but for the alarm path's own incident.
    """
    return tuple(map(Resolving, destinations)) if is_recovery(alert) else ()
