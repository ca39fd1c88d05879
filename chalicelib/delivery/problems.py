"""Announces a destination that refuses alerts for good, through the others, at most once an hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.alert.model import Account, Alert, AlertKind, Exposure, Severity, Undo
from chalicelib.delivery.direct import Undelivered
from chalicelib.delivery.durable import Durable
from chalicelib.delivery.queue import QueueError
from chalicelib.destinations.contract import Destination
from chalicelib.state.codec import number_in
from chalicelib.state.state_table import StateTable

SECONDS_BETWEEN = 3_600
# An announcement that is later than this from now was never made.
SKEW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Problems:
    """Announces delivery problems; what was announced is in the state table."""

    table: StateTable
    durable: Durable
    destinations: Sequence[Destination]
    now: Callable[[], datetime]

    def announce(self, destination: str, reason: str, remaining_ms: Callable[[], float]) -> None:
        """Alert the other destinations, unless they were alerted within the hour.

        Raises:
            StateError: it is not known whether they were alerted.
            QueueError: they could not be alerted; the same alert will be tried again.
        """
        began_at = self._to_announce(destination)
        if began_at is None:
            return
        others = [each for each in self.destinations if each.name != destination]
        alert = problem_alert(destination, reason, began_at)
        for outcome in self.durable.deliver(alert, others, remaining_ms):
            if isinstance(outcome, Undelivered):
                raise QueueError(outcome.reason)
        self.table.update(_pk(destination), "announced", "SET announced = :yes", yes=True)

    def _to_announce(self, destination: str) -> datetime | None:
        """When the problem that is to be announced began; None where that was done.

        A process that died between these two steps leaves an announcement of the same time, hence id.
        """
        now = self.now()
        fresh = self.table.put(
            {
                "pk": _pk(destination),
                "sk": "announced",
                "began_at": int(now.timestamp()),
                "announced": False,
                "expires_at": int(now.timestamp()) + 2 * SECONDS_BETWEEN,
            },
            "attribute_not_exists(pk) OR began_at <= :before OR began_at > :latest",
            latest=int(now.timestamp()) + SKEW_SECONDS,
            before=int(now.timestamp()) - SECONDS_BETWEEN,
        )
        if fresh:
            return now
        item = self.table.get(_pk(destination), "announced") or {}
        if item.get("announced", True) is True:
            return None
        began_at = number_in(item, "began_at")
        return now if began_at is None else datetime.fromtimestamp(began_at, now.tzinfo)


def problem_alert(destination: str, reason: str, began_at: datetime) -> Alert:
    """The alert about a destination; its id is the same for the same beginning."""
    sentence = f"{destination} refuses alerts: {reason}"
    return Alert(
        id=f"delivery-problem-{destination}-{int(began_at.timestamp())}",
        kind=AlertKind.DELIVERY_PROBLEM,
        severity=Severity.HIGH,
        title=f"Alerts are not reaching {destination}",
        summary=f"{sentence}. They wait in the dead-letter queue: mend the cause, then run "
        f"`sgwatch redrive --destination {destination}`.",
        occurred_at=began_at.replace(microsecond=0),
        account=Account(None),
        region=None,
        exposures=(Exposure(Severity.HIGH, f"{sentence}."),),
        undo=Undo(None, "nothing in AWS changed"),
    )


def _pk(destination: str) -> str:
    return f"problem#{destination}"
