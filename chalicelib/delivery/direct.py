"""Direct delivery: all destinations at once, inside the time that the function has.

Each destination has a thread of its own and its own retries, so that a slow or broken one neither
delays nor repeats another; a single destination is sent to in the calling thread. What is still
undelivered at the end is for the caller to raise.

Where a destination is busy (429), low and medium alerts give way: they make one or two requests, spread
over the function's time, or none where this container knows that the destination is busy, so that an
alert that matters gets the next turn. docs/delivery.md has the figures.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from queue import Empty, SimpleQueue

from chalicelib.alert.model import Alert, Severity
from chalicelib.destinations.contract import DeliveryError, Destination, Receipt
from chalicelib.named_tuple import NamedTuple

# Kept back from the function's time, for logs and for raising before Lambda ends the function.
RESERVE_SECONDS = 2.0
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 20.0
# An alert of these severities gives way to others at a busy destination.
_GIVING_WAY = (Severity.INFO, Severity.LOW, Severity.MEDIUM)
# A younger alert is in its first invocation: Lambda invokes again no sooner than a minute after a failure.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
FRESH_SECONDS = 60.0
# Of the milder alerts that know that a destination is busy, so many make a request in an invocation.
ASKING_SHARE = 1 / 3
# Those after a wait that the destination asked for do not count: it is busy, and will take its turn.
MAX_ATTEMPTS = 10
# Each may have been taken though no answer came: more would be posting the same again and again.
MAX_UNANSWERED = 3


class Delivered(NamedTuple):
    """A destination has taken the alert: now, or earlier from this warm container (``attempts`` is 0 then)."""

    destination: str
    attempts: int
    receipt: Receipt


class Undelivered(NamedTuple):
    """A destination has not taken the alert; ``permanent`` says that trying again cannot help."""

    destination: str
    attempts: int
    reason: str
    permanent: bool


class Queued(NamedTuple):
    """The alert is in the delivery queue for a destination, which will get it from there."""

    destination: str
    attempts: int = 1


DeliveryResult = Delivered | Undelivered
# What becomes of an alert that goes through a queue: from there on it is the queue's.
HandoverResult = DeliveryResult | Queued


class NotDelivered(Exception):  # noqa: N818 - it reads as what happened, in CloudWatch too
    """Some alerts did not reach some destinations; raised at the very end, so that AWS tries the event again."""

    def __init__(self, failures: Sequence[tuple[str, Undelivered]]) -> None:
        self.failures = tuple(failures)
        super().__init__("; ".join(_sentence(alert_id, failed) for alert_id, failed in self.failures))


class NotDecided(Exception):  # noqa: N818 - it reads as what happened
    """Whether the alert is to be sent could not be written down: the event has to come again."""


def _sentence(alert_id: str, failed: Undelivered) -> str:
    lasting = "permanently" if failed.permanent else f"after {failed.attempts} attempts"
    return f"alert {alert_id} was not delivered to {failed.destination}: {failed.reason} ({lasting})"


class ReceiptCache:
    """What this container has delivered, the oldest forgotten first."""

    def __init__(self, capacity: int = 2000) -> None:
        self._capacity = capacity
        self._receipts: OrderedDict[tuple[str, str], Receipt] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, alert_id: str, destination: str) -> Receipt | None:
        """The receipt of an earlier delivery, None where there was none."""
        with self._lock:
            return self._receipts.get((alert_id, destination))

    def remember(self, alert_id: str, destination: str, receipt: Receipt) -> None:
        """Note a delivery."""
        with self._lock:
            self._receipts[alert_id, destination] = receipt
            self._receipts.move_to_end((alert_id, destination))
            while len(self._receipts) > self._capacity:
                self._receipts.popitem(last=False)


class BusyTimes:
    """When each destination last answered a container that it is busy, and to which alert."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[float, str]] = {}

    def note(self, destination: str, alert_id: str, at: float) -> None:
        """The destination was busy."""
        self._latest[destination] = (at, alert_id)

    def others_met(self, destination: str, alert_id: str, at: float) -> bool:
        """Whether another alert than this one found the destination busy within the last minute."""
        busy_at, busy_for = self._latest.get(destination, (float("-inf"), ""))
        return busy_for != alert_id and at - busy_at < FRESH_SECONDS


OnRetry = Callable[[str, DeliveryError, float], None]


def unheard(destination: str, error: DeliveryError, wait: float) -> None:
    """The ``on_retry`` of those who do not want to hear."""


class Direct:
    """Delivers alerts; one instance lives as long as its container and remembers what it delivered.

    ``clock`` gives seconds for waits, ``now`` the time of day for the age of an alert.
    """

    def __init__(
        self,
        *,
        memory: ReceiptCache | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._memory = memory or ReceiptCache()
        self._busy = BusyTimes()
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._now = now

    def deliver(
        self,
        alert: Alert,
        destinations: Iterable[Destination],
        remaining_ms: Callable[[], float],
        on_retry: OnRetry = unheard,
        *,
        only_resolves: bool = False,
    ) -> tuple[DeliveryResult, ...]:
        """Send the alert everywhere and say what became of it, in the order of the destinations.

        With ``only_resolves`` it closes what it ends; without the state table that is the alarm path's incident alone.

        ``remaining_ms`` gives the milliseconds that the function has left. ``on_retry`` hears of a
        failed attempt, in its destination's thread: the destination's name, the error, the seconds until the next.
        """
        deadline = self._clock() + max(0.0, remaining_ms() / 1000 - RESERVE_SECONDS)
        wanted = tuple(destinations)
        if only_resolves:
            from chalicelib.delivery.resolving import resolving  # noqa: PLC0415 - where a service has incidents

            wanted = resolving(alert, wanted)
        if len(wanted) == 1:
            return (self._deliver_one(alert, wanted[0], deadline, on_retry),)
        finished: SimpleQueue[DeliveryResult] = SimpleQueue()

        def work(destination: Destination) -> None:
            finished.put(self._deliver_one(alert, destination, deadline, on_retry))

        for destination in wanted:
            # A daemon, because one that hangs must not keep the process from ending.
            threading.Thread(target=work, args=(destination,), name=destination.name, daemon=True).start()
        outcomes = self._gather(finished, len(wanted), deadline)
        return tuple(outcomes.get(each.name) or _silent(each) for each in wanted)

    def _gather(
        self, finished: SimpleQueue[DeliveryResult], expected: int, deadline: float
    ) -> dict[str, DeliveryResult]:
        outcomes: dict[str, DeliveryResult] = {}
        while len(outcomes) < expected:
            try:
                # One second more than the retries have, so that the last attempt can still say how it ended.
                outcome = finished.get(timeout=max(0.0, deadline - self._clock()) + RESERVE_SECONDS / 2)
            except Empty:
                break
            outcomes[outcome.destination] = outcome
        return outcomes

    def _deliver_one(
        self, alert: Alert, destination: Destination, deadline: float, on_retry: OnRetry
    ) -> DeliveryResult:
        name = destination.name
        earlier = self._memory.recall(alert.id, name)
        if earlier is not None:
            return Delivered(name, 0, earlier)
        allowed = self._requests_if_busy(alert, name)
        if allowed is not None and not self._gets_a_turn(alert, name, deadline):
            return Undelivered(name, 0, "it is busy, and more severe alerts have precedence", permanent=False)
        unasked = unanswered = 0
        for attempt in count(1):
            try:
                receipt = destination.send(alert)
            except DeliveryError as error:
                unasked += not error.retry_after
                unanswered += error.maybe_taken
                gives_way = self._is_busy(alert, name, error) and allowed is not None
                wait = self._giving_way(deadline, error) if gives_way else self._wait(attempt, error)
                is_enough = unasked == MAX_ATTEMPTS or unanswered == MAX_UNANSWERED
                if error.permanent or is_enough or self._clock() + wait >= deadline:
                    return Undelivered(name, attempt, error.reason, error.permanent)
                if gives_way and attempt >= (allowed or 0):
                    self._sleep(wait)
                    return Undelivered(name, attempt, error.reason, permanent=False)
                on_retry(name, error, wait)
                self._sleep(wait)
            except Exception as error:  # noqa: BLE001 - a thread that ends in an exception is not noticed, and the others would wait for it until the deadline
                return Undelivered(name, attempt, f"{type(error).__name__} in its code{place(error)}", permanent=True)
            else:
                self._memory.remember(alert.id, name, receipt)
                return Delivered(name, attempt, receipt)
        raise AssertionError("unreachable: the deadline comes")

    def _is_busy(self, alert: Alert, destination: str, error: DeliveryError) -> bool:
        if error.retry_after is None:
            return False
        self._busy.note(destination, alert.id, self._clock())
        return True

    def _gets_a_turn(self, alert: Alert, destination: str, deadline: float) -> bool:
        """Whether a mild alert makes a request; at a destination known to be busy it waits first."""
        if not self._busy.others_met(destination, alert.id, self._clock()):
            return True
        drawn = self._jitter()
        self._sleep(self._spread(deadline, 0.0))
        return drawn < ASKING_SHARE

    def _requests_if_busy(self, alert: Alert, destination: str) -> int | None:
        """How many requests an alert makes at a busy destination, None being as many as there is time for.

        Three invocations may follow one another, and more than three requests an alert would leave the
        destination no room: a second one is made only in the first invocation, and where nothing says that
        the destination is busy for long.
        """
        if alert.severity not in _GIVING_WAY:
            return None
        age = (self._now() - alert.occurred_at).total_seconds() if alert.occurred_at else FRESH_SECONDS
        return 1 if age >= FRESH_SECONDS or self._busy.others_met(destination, alert.id, self._clock()) else 2

    def _giving_way(self, deadline: float, error: DeliveryError) -> float:
        """Seconds until the next request, or until giving up: anywhere in the time that is left.

        Giving up waits, too: Lambda invokes again after a fixed time, and those that failed together
        would meet again.
        """
        return self._spread(deadline, max(error.retry_after or 0.0, FIRST_WAIT_SECONDS))

    def _spread(self, deadline: float, asked: float) -> float:
        """Seconds from those asked for until shortly before the deadline."""
        left = max(0.0, deadline - self._clock())
        return asked if asked >= left else asked + (left - asked) * 0.95 * self._jitter()

    def _wait(self, attempt: int, error: DeliveryError) -> float:
        """Seconds until the next attempt: what the destination asked for, else twice as long each time, spread out."""
        spread = 0.5 + self._jitter() / 2
        backoff = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1)) * spread
        return max(error.retry_after, FIRST_WAIT_SECONDS * spread) if error.retry_after else backoff


def _silent(destination: Destination) -> Undelivered:
    return Undelivered(destination.name, 1, "no answer within the time that the function had", permanent=False)


def place(error: Exception) -> str:
    """Module and line where it was raised; the error's own text may hold a secret and is left out."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f", {trace.tb_frame.f_globals.get('__name__')} line {trace.tb_lineno}"
