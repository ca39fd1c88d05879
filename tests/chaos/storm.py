"""A storm in simulated time: the deliver function's code on a state table, a FIFO queue and Lambda's poller played.

What is real: DeliverFunction, Ledger, Turns, the messages. What is played: SQS (groups, visibility in whole
seconds), the poller with its limit of executions, the destinations, and time.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.alert.model import Alert, Severity
from chalicelib.delivery.alert_archive import AlertArchive
from chalicelib.delivery.deliver import DeliverFunction
from chalicelib.delivery.envelope import Delivery, encode
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.delivery.ledger import Ledger
from chalicelib.delivery.queue import DeadLetter, Queue
from chalicelib.delivery.turns import Turns
from chalicelib.deployment import DELIVER_CONCURRENCY
from chalicelib.destinations.contract import DeliveryError, Receipt
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics
from chalicelib.state.state_table import StateTable
from tests.support.simulation import Simulation

BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)
# What an invocation takes besides sending: start, state table, queue.
OVERHEAD_SECONDS = 0.05


@dataclass
class Place:
    """A destination that takes one alert in ``interval`` seconds and answers after ``answer`` seconds."""

    time: Simulation
    name: str
    interval: float = 0.0
    answer: float = 0.1
    free_at: float = 0.0
    requests: int = 0
    sending: int = 0
    most_sending: int = 0
    taken: list[tuple[float, Alert]] = field(default_factory=list)

    def send(self, alert: Alert) -> Receipt:
        self.requests += 1
        self.sending += 1
        self.most_sending = max(self.most_sending, self.sending)
        now = self.time.clock()
        busy = now < self.free_at
        if not busy:
            self.free_at = max(self.free_at, now - self.interval) + self.interval
        self.time.sleep(self.answer)
        self.sending -= 1
        if busy:
            raise DeliveryError("it answered HTTP 429", permanent=False, retry_after=1.0)
        self.taken.append((self.time.clock(), alert))
        return Receipt()


@dataclass
class Sent:
    """A message in the played queue."""

    number: int
    message: Delivery
    body: str
    sent_at: float
    visible_at: float = 0.0
    receives: int = 0


class PlayedQueue(Queue):
    """SQS FIFO as far as the deliver function and the poller see it: a message in flight holds up its group."""

    def __init__(self, time: Simulation) -> None:
        super().__init__(lambda: None, "played")
        self.time = time
        self.groups: dict[str, list[Sent]] = {}
        self.dead: list[DeadLetter] = []
        self.by_handle: dict[str, Sent] = {}
        self.count = 0

    def put(self, message: Delivery) -> None:
        self.count += 1
        sent = Sent(self.count, message, encode(message), self.time.clock())
        self.groups.setdefault(message.group_id, []).append(sent)
        self.by_handle[str(sent.number)] = sent

    def receive(self) -> Sent | None:
        now = self.time.clock()
        heads = (group[0] for group in self.groups.values())
        first = min((head for head in heads if head.visible_at <= now), key=lambda head: head.number, default=None)
        if first is not None:
            first.visible_at = now + 180.0
            first.receives += 1
        return first

    def next_visible(self) -> float | None:
        return min((group[0].visible_at for group in self.groups.values()), default=None)

    def delete(self, sent: Sent) -> None:
        group = self.groups[sent.message.group_id]
        assert group.pop(0) is sent
        if not group:
            del self.groups[sent.message.group_id]

    def postpone(self, receipt_handle: str, seconds: float) -> None:
        self.by_handle[receipt_handle].visible_at = self.time.clock() + max(0, min(43_100, round(seconds)))

    def send_to_dlq(self, letter: DeadLetter) -> None:
        self.dead.append(letter)


@dataclass
class Storm:
    """Alerts with their times to destinations, until the queue is empty."""

    table: StateTable
    time: Simulation = field(default_factory=Simulation)
    seed: int = 1
    invocations: Counter[str] = field(default_factory=Counter)
    running: int = 0
    most_running: int = 0
    queued: dict[str, list[Alert]] = field(default_factory=lambda: defaultdict(list))
    at: dict[tuple[str, str], float] = field(default_factory=dict)

    def run(self, places: Sequence[Place], alerts: Sequence[tuple[float, Alert]]) -> Storm:
        chance = random.Random(self.seed)
        self.queue = PlayedQueue(self.time)
        table = self.table
        self.function = DeliverFunction(
            destinations={each.name: each for each in places},
            ledger=Ledger(table, self.now),
            turns=Turns(table, self.now, chance.shuffle),
            queue=self.queue,
            kept=AlertArchive(table, self.now),
            announce=lambda *_: None,
            end_burst=lambda *_: None,
            reports_failures=lambda: True,
            log=Log(Redactor(), write=lambda _: None),
            metrics=Metrics("storm", write=lambda _: None),
            now=self.now,
            jitter=chance.random,
        )
        self.waiting: list[Callable[[], None]] = []
        self.poll_at: set[float] = set()
        for at, alert in alerts:
            self.time.at(at, lambda alert=alert: self.arrive(alert, places))  # type: ignore[misc]
        self.time.run()
        return self

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.time.clock())

    def arrive(self, alert: Alert, places: Sequence[Place]) -> None:
        alert = alert._replace(occurred_at=self.now())
        for each in places:
            self.queue.put(Delivery(each.name, alert, self.now()))
            self.queued[each.name].append(alert)
            self.at[each.name, alert.id] = self.time.clock()
        self.poll()

    def poll(self) -> None:
        """Start executions for what is visible; look again when something becomes visible."""
        while self.running < DELIVER_CONCURRENCY and (sent := self.queue.receive()) is not None:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            self.time.at(self.time.clock(), lambda sent=sent: self.invoke(sent))  # type: ignore[misc]
        visible_at = self.queue.next_visible()
        if self.running < DELIVER_CONCURRENCY and visible_at is not None and visible_at not in self.poll_at:
            self.poll_at.add(visible_at)
            self.time.at(max(visible_at, self.time.clock()), self.poll)

    def invoke(self, sent: Sent) -> None:
        self.invocations[sent.message.destination] += 1
        self.time.sleep(OVERHEAD_SECONDS)
        ends_at = self.time.clock() + 30.0
        context = InvocationContext(uuid.uuid4().hex, lambda: (ends_at - self.time.clock()) * 1000)
        answer = self.function.handle({"Records": [_record(sent)]}, context)
        if not answer["batchItemFailures"]:
            self.queue.delete(sent)
        self.running -= 1
        self.poll()

    def lost(self) -> int:
        """Deliveries that no destination took."""
        taken = {(name, alert.id) for name, alerts in self.taken_by().items() for alert in alerts}
        return len(set(self.at) - taken)

    def twice(self) -> int:
        """Deliveries beyond the first of each."""
        return sum(len(alerts) - len({alert.id for alert in alerts}) for alerts in self.taken_by().values())

    def taken_by(self) -> dict[str, list[Alert]]:
        return {name: [alert for _, alert in place.taken] for name, place in self.places().items()}

    def places(self) -> dict[str, Place]:
        return {name: place for name, place in self.function.destinations.items() if isinstance(place, Place)}

    def disorder(self) -> int:
        """Alerts of one security group, critical or not, that arrived at a destination before an earlier one."""
        found = 0
        for name, place in self.places().items():
            order = {alert.id: number for number, alert in enumerate(self.queued[name])}
            last: dict[tuple[str | None, bool], int] = {}
            for _, alert in place.taken:
                group = alert.security_group.id if alert.security_group else None
                key = (group, alert.severity is Severity.CRITICAL)
                found += order[alert.id] < last.get(key, -1)
                last[key] = order[alert.id]
        return found

    def delays(self, name: str, *, critical: bool = False) -> list[float]:
        """Seconds from the event to the delivery, sorted."""
        place = self.places()[name]
        wanted = [(at, alert) for at, alert in place.taken if not critical or alert.severity is Severity.CRITICAL]
        return sorted(at - self.at[name, alert.id] for at, alert in wanted)

    def report(self) -> str:
        lines = [f"{self.time.clock():,.0f} s; at most {self.most_running} executions at once"]
        for name, place in self.places().items():
            alerts, delays = len(self.queued[name]), self.delays(name)
            lines.append(
                f"{name}: {alerts:,} alerts, {self.invocations[name] / alerts:.2f} invocations and "
                f"{place.requests / alerts:.2f} requests each, at most {place.most_sending} sending, "
                f"after {delays[len(delays) // 2]:.1f} s (median), {delays[-1]:.1f} s (latest)"
            )
        return "\n".join([*lines, f"lost {self.lost()}, twice {self.twice()}, out of order {self.disorder()}"])


def _record(sent: Sent) -> dict[str, Any]:
    return {
        "messageId": f"m{sent.number}",
        "receiptHandle": str(sent.number),
        "body": sent.body,
        "attributes": {
            "ApproximateReceiveCount": str(sent.receives),
            "SentTimestamp": str(int((BEGAN.timestamp() + sent.sent_at) * 1000)),
            "MessageGroupId": sent.message.group_id,
        },
    }
