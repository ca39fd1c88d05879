"""Bursts: one principal's further changes within a window are folded into one alert; the first goes out at once.

What was decided for an alert is written down with the alert's id, so that the same event delivered
again is decided the same way. That note also says, to the reconciliation, that the change was seen.
A window in the table counts only where it is one that could have been opened here: of this form, and
ending within its length from now.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.alert.model import Alert, AlertKind, Severity
from chalicelib.delivery.alert_archive import pack, unpack
from chalicelib.delivery.envelope import BurstEnd
from chalicelib.delivery.handoffs import Handoffs
from chalicelib.delivery.queue import Queue, QueueError
from chalicelib.destinations.delivery_ids import delivery_id
from chalicelib.named_tuple import NamedTuple
from chalicelib.state.codec import StateItem, is_readable, number_in
from chalicelib.state.state_table import StateTable, check, put_write

KEPT = timedelta(days=30)
# Two functions that meet at the same burst make one of them look again.
ROUNDS = 10
SENT, FOLDED, SUPPRESSED = "sent", "folded", "suppressed"
# By how much the clocks of two functions may differ.
SKEW_SECONDS = 5.0


class Folded(NamedTuple):
    """What was folded in a window: the alerts, and the ids of those that cannot be read."""

    alerts: list[Alert]
    unreadable: list[str]


class _Window(NamedTuple):
    """A window that is open."""

    id: str
    ends_at: float


@dataclass(frozen=True, slots=True)
class Bursts:
    """The bursts in the state table; a window of no seconds folds nothing."""

    table: StateTable
    queue: Queue
    seconds: int
    now: Callable[[], datetime]
    handoffs: Handoffs

    def admit(self, alert: Alert) -> bool:
        """Whether the alert is to be sent by itself; if not, it is folded into the follow-up at its window's end.

        Raises:
            StateError: that could not be decided.
            QueueError: it is folded, but nothing will end the window: decide again.
        """
        burst = self._burst_of(alert)
        if burst is None:
            self.note(alert, SENT)
            return True
        for _ in range(ROUNDS):
            noted = self.table.get(_note_key(alert), "decision")
            if noted is not None:
                return self._as_noted(burst, noted)
            item = self.table.get(_pk(burst), "window")
            window = self._open_window(item)
            if window is None:
                if self._open(alert, burst, item):
                    return True
            elif self._fold(alert, burst, window):
                self._schedule(burst, window.id, window.ends_at)
                return False
        return True

    def note(self, alert: Alert, decision: str) -> None:
        """Write down what was decided for an alert, unless something is written.

        Raises:
            StateError: it could not be written.
        """
        self.table.put(self._note(alert, decision), "attribute_not_exists(pk)")

    def seen(self, alert: Alert) -> bool:
        """Whether anything was decided for this alert.

        Raises:
            StateError: that could not be read.
        """
        return self.table.get(_note_key(alert), "decision") is not None

    def is_to_be_sent(self, alert: Alert) -> bool:
        """Whether it was decided that this alert is sent, by itself or in the follow-up.

        Raises:
            StateError: that could not be read.
        """
        noted = self.table.get(_note_key(alert), "decision")
        return noted is not None and noted.get("outcome") in (SENT, FOLDED)

    def end(self, burst: str, window: str) -> Folded:
        """Close a window and give what was folded in it; the same again when it is asked again.

        Raises:
            StateError: the table could not be read or written.
        """
        self.table.update(
            _pk(burst), "window", "SET closed = :yes", "#id = :window", names=("id",), yes=True, window=window
        )
        folded = Folded([], [])
        for item in self.table.query(f"{_pk(burst)}#{window}"):
            alert = _unpacked(item)
            if alert is not None:
                folded.alerts.append(alert)
            else:
                folded.unreadable.append(str(item.get("sk")))
        return folded

    def _burst_of(self, alert: Alert) -> str | None:
        foldable = alert.kind is AlertKind.SECURITY_GROUP_CHANGE and alert.severity is not Severity.CRITICAL
        if not foldable or self.seconds <= 0 or alert.principal is None:
            return None
        who = f"{alert.account.id}/{alert.principal.arn or alert.principal.name}"
        return hashlib.sha256(who.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def _as_noted(self, burst: str, noted: StateItem) -> bool:
        window, ends_at = noted.get("window"), number_in(noted, "ends_at")
        if noted.get("outcome") != FOLDED or not isinstance(window, str) or ends_at is None:
            return True
        self._schedule(burst, window, min(ends_at, self._latest_end()))
        return False

    def _open_window(self, item: StateItem | None) -> _Window | None:
        """The window where one is open; None where there is none, or none that could have been opened here."""
        if item is None or not is_readable(item) or item.get("closed") is not False:
            return None
        ends_at, window = number_in(item, "ends_at"), item.get("id")
        if ends_at is None or not isinstance(window, str):
            return None
        return _Window(window, ends_at) if self.now().timestamp() < ends_at <= self._latest_end() else None

    def _latest_end(self) -> float:
        return self.now().timestamp() + self.seconds + SKEW_SECONDS

    def _open(self, alert: Alert, burst: str, found: StateItem | None) -> bool:
        """Open a window in place of what was found there, unless another function has opened one since."""
        window: StateItem = {
            "pk": _pk(burst),
            "sk": "window",
            "id": hashlib.sha256(delivery_id(alert).encode()).hexdigest()[:32],
            "ends_at": self.now().timestamp() + self.seconds,
            "closed": False,
            "opened": secrets.token_hex(8),
            "expires_at": self._expires_at(),
        }
        note = put_write(self._note(alert, SENT), "attribute_not_exists(pk)")
        if found is None:
            return self.table.write_all(note, put_write(window, "attribute_not_exists(pk)"))
        if isinstance(found.get("opened"), str):
            return self.table.write_all(note, put_write(window, "opened = :seen", seen=found["opened"]))
        return self.table.write_all(note, put_write(window, "attribute_not_exists(opened)"))

    def _fold(self, alert: Alert, burst: str, window: _Window) -> bool:
        note: StateItem = {**self._note(alert, FOLDED), "window": window.id, "ends_at": window.ends_at}
        folded: StateItem = {
            "pk": f"{_pk(burst)}#{window.id}",
            "sk": delivery_id(alert),
            "alert": pack(alert),
            "expires_at": self._expires_at(),
        }
        return self.table.write_all(
            put_write(note, "attribute_not_exists(pk)"),
            check(_pk(burst), "window", "id = :id AND closed = :no", id=window.id, no=False),
            put_write(folded),
        )

    def _schedule(self, burst: str, window: str, ends_at: float) -> None:
        message = BurstEnd(burst, window, datetime.fromtimestamp(ends_at, UTC))
        failures = self.queue.send([message])
        if failures:
            raise QueueError(failures[0])
        self.handoffs.note_window(message)

    def _note(self, alert: Alert, outcome: str) -> StateItem:
        return {
            "pk": _note_key(alert),
            "sk": "decision",
            "outcome": outcome,
            "noted_at": self.now().timestamp(),
            "expires_at": self._expires_at(),
        }

    def _expires_at(self) -> int:
        return int((self.now() + KEPT).timestamp())


def _pk(burst: str) -> str:
    return f"burst#{burst}"


def _note_key(alert: Alert) -> str:
    return f"alert#{delivery_id(alert)}"


def _unpacked(item: StateItem) -> Alert | None:
    """The folded alert; None where another version, or somebody else, wrote something that cannot be read."""
    try:
        return unpack(item.get("alert")) if is_readable(item) else None
    except ValueError:
        return None
