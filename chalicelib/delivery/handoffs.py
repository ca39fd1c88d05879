"""What was handed to the delivery queue, until the ledger shows that it came out of it.

SQS keeps what it has accepted, but somebody may purge the queue. Each handed-over alert is noted here
under its hour, whole, with its destinations; the reconcile function looks, an hour later and for two days,
whether the ledger knows each delivery, and queues again what it does not. The end of a burst's window is
noted likewise, and confirmed by a mark of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.alert.model import Alert
from chalicelib.delivery.alert_archive import PART_BYTES, pack, unpack
from chalicelib.delivery.envelope import RESOLVES, BurstEnd, Delivery, QueueMessage
from chalicelib.delivery.ledger import Ledger
from chalicelib.delivery.queue import Queue
from chalicelib.destinations.delivery_ids import delivery_id
from chalicelib.observability.logs import Log
from chalicelib.state.codec import StateItem, is_readable, number_in
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable

KEPT = timedelta(days=30)
# A delivery reaches the ledger with its first attempt, some seconds after it was queued. SQS drops a second
# message of the same deduplication id for five minutes.
GRACE = timedelta(minutes=20)
LOOK_BACK_HOURS = 48
# A bound for one run of the function, which has 15 minutes; the next run goes on.
MOST = 2_000


def _uncounted(_error: StateError) -> None:
    """The ``on_fault`` of those who count no faults."""


@dataclass(frozen=True, slots=True)
class Handoffs:
    """The notes in the state table.

    Noting never raises: the hand-over has happened already, and ``on_fault`` is given what went wrong.
    """

    table: StateTable
    now: Callable[[], datetime]
    on_fault: Callable[[StateError], object] = _uncounted

    def note(self, alert: Alert, destinations: Sequence[str], *, kept: bool, only_resolves: bool = False) -> None:
        """An alert is in the queue for these destinations; ``kept`` says that it is the cut form of an archived one."""
        packed = pack(alert)
        if len(packed) <= PART_BYTES:
            key = delivery_id(alert) + (RESOLVES if only_resolves else "")
            names = "\n".join(destinations)
            self._put(key, alert=packed, kept=kept, only_resolves=only_resolves, destinations=names)

    def note_window(self, message: BurstEnd) -> None:
        """The end of a burst's window is in the queue."""
        self._put(_window_key(message), burst=message.burst, window=message.window, ends_at=message.due_at.timestamp())

    def window_ended(self, message: BurstEnd) -> None:
        """What was folded in the window is in the queue."""
        self._put(_window_key(message), "window-ended")

    def _put(self, key: str, pk: str | None = None, **fields: str | bytes | bool | float) -> None:
        now = self.now()
        item = {"pk": pk or _hour(now), "sk": key, "noted_at": now.timestamp(), **fields}
        try:
            self.table.put({**item, "expires_at": int((now + KEPT).timestamp())})
        except StateError as error:
            self.on_fault(error)

    def unconfirmed(self, ledger: Ledger, log: Log) -> Iterator[QueueMessage]:
        """Messages that left the queue without reaching the ledger; what is confirmed is not looked at again.

        Raises:
            StateError: the notes, or the ledger, could not be read.
        """
        now = self.now()
        for hours in range(LOOK_BACK_HOURS, -1, -1):
            for item in self.table.query(_hour(now - timedelta(hours=hours))):
                if item.get("confirmed") is True or (number_in(item, "noted_at") or 0) > (now - GRACE).timestamp():
                    continue
                messages = self._missing(item, ledger, log)
                yield from messages
                if not messages:
                    self.table.update(str(item["pk"]), str(item["sk"]), "SET confirmed = :yes", yes=True)

    def _missing(self, item: StateItem, ledger: Ledger, log: Log) -> list[QueueMessage]:
        try:
            if not is_readable(item):
                raise ValueError("it has a form that this version cannot read")  # noqa: TRY301
            if "burst" in item:
                return self._missing_window(item)
            return self._missing_deliveries(item, ledger)
        except (ValueError, KeyError, TypeError, OverflowError, OSError) as error:
            log.warning("note of a queued alert could not be read", key=str(item.get("sk")), reason=str(error))
            return []

    def _missing_deliveries(self, item: StateItem, ledger: Ledger) -> list[QueueMessage]:
        alert = unpack(item["alert"])
        queued_at = datetime.fromtimestamp(float(item["noted_at"]), UTC)
        only_resolves = item.get("only_resolves") is True
        wanted = [
            Delivery(name, alert, queued_at, item["kept"] is True, only_resolves)
            for name in str(item["destinations"]).split("\n")
        ]
        return [each for each in wanted if not ledger.knows(each.id, each.destination)]

    def _missing_window(self, item: StateItem) -> list[QueueMessage]:
        due_at = datetime.fromtimestamp(min(float(item["ends_at"]), self.now().timestamp()), UTC)
        message = BurstEnd(str(item["burst"]), str(item["window"]), due_at)
        return [] if self.table.get("window-ended", _window_key(message)) is not None else [message]


def send_unconfirmed(handoffs: Handoffs, ledger: Ledger, queue: Queue, log: Log) -> int:
    """Queue again what left the queue without reaching the ledger; gives how many messages that were.

    Raises:
        StateError: the notes, or the ledger, could not be read; what was found before is queued.
    """
    sent = 0
    for message in handoffs.unconfirmed(ledger, log):
        failures = queue.send([message])
        if failures:
            log.warning("lost message could not be queued again", reason=failures[0])
            continue
        sent += 1
        if sent >= MOST:
            break
    if sent:
        log.error("messages had left the queue without being delivered, queued again", messages=sent)
    return sent


def _hour(moment: datetime) -> str:
    return f"handoffs#{moment.astimezone(UTC):%Y-%m-%dT%H}"


def _window_key(message: BurstEnd) -> str:
    return f"{message.burst}/{message.window}"
