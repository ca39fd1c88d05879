"""The deliver function: takes messages from the queue and sends each to its destination.

What failed for now stays in the queue and comes back when it should be tried again; what failed for
good goes to the dead-letter queue with its reason, at once, and is announced. A message that is still
to be delivered holds back those behind it in its group, and nobody else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.alert.model import Alert, Severity, with_note
from chalicelib.delivery.alert_archive import AlertArchive
from chalicelib.delivery.direct import place
from chalicelib.delivery.envelope import LONGEST_WINDOW_SECONDS, BurstEnd, Delivery, PoisonError, read
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.delivery.ledger import AlreadyDelivered, Claim, Claimed, Held, Ledger
from chalicelib.delivery.queue import MAX_VISIBILITY_SECONDS, DeadLetter, Queue, QueueError
from chalicelib.delivery.turns import Sending, Turns, Waiting
from chalicelib.destinations.contract import DeliveryError, Destination, resolve
from chalicelib.named_tuple import NamedTuple
from chalicelib.observability import metrics as names
from chalicelib.observability.logs import ALERT_SENT, DELIVERY_FAILED, Log
from chalicelib.observability.metrics import Metrics
from chalicelib.state.errors import StateError

# A later delivery says so.
LATE_SECONDS = 60
# So often, some 15 seconds in all, a message waits for a state table that is out of order. Then it is sent
# without the ledger: the same alert twice beats none.
RECEIVES_WITHOUT_STATE = 3


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait and for how long to try, in seconds.

    ``max_crashes`` is how many deaths in a row are enough. A destination that does not answer may have taken the
    alert: ``max_unanswered`` posts of it are enough, the second and third ``unanswered_delay`` apart, each later pair
    four times that. ``seconds_needed`` is what one attempt takes at most: one exchange with a destination, and some.
    """

    base_delay: float = 2.0
    max_delay: float = 900.0
    max_retry_after_spread: float = 60.0
    give_up_after: float = 86_400.0
    max_crashes: int = 5
    max_unanswered: int = 6
    unanswered_delay: float = 60.0
    seconds_needed: float = 17.0

    def wait(self, attempts: int, jitter: float, retry_after: float | None = None) -> float:
        """Seconds until the next attempt: twice as long each time and spread out, never less than was asked for.

        Where it was asked for, only a little more each time: very many may wait for a destination that takes one
        a second, and the queue gives up a message that it has handed out too often.
        """
        spread = 0.5 + jitter / 2
        if retry_after is None:
            return min(self.max_delay, self.base_delay * 2.0 ** min(attempts - 1, 20)) * spread
        asked = max(retry_after + self.base_delay * jitter, min(self.max_retry_after_spread, attempts / 2) * spread)
        # What is beyond SQS cannot be obeyed: then it is asked again every hour or so.
        return asked if asked <= MAX_VISIBILITY_SECONDS else 4 * self.max_delay

    def wait_for_answer(self, unanswered: int) -> float:
        """Seconds at least until the next post after so many to which no answer came; the second is not delayed."""
        return min(self.max_delay, self.unanswered_delay * 4.0 ** min(unanswered - 2, 10)) if unanswered > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Received:
    """One message as Lambda hands it over.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-fifo-queue-message-event
    """

    id: str
    receipt_handle: str
    body: str
    group_id: str
    receives: int
    sent_at: datetime

    @staticmethod
    def of(record: Mapping[str, Any]) -> Received:
        """The message of a record."""
        attributes = record["attributes"]
        return Received(
            id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            group_id=attributes.get("MessageGroupId", record["messageId"]),
            receives=int(attributes.get("ApproximateReceiveCount", 1)),
            sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        )


class Done(NamedTuple):
    """The message is dealt with and leaves the queue."""


class Retry(NamedTuple):
    """The message stays in the queue and comes back after that many seconds."""

    seconds: float


AttemptResult = Done | Retry


class NotAllDelivered(Exception):  # noqa: N818 - it reads as what happened
    """Messages have to be tried again, and the queue's event source does not take their names from the answer."""


@dataclass(frozen=True, slots=True)
class DeliverFunction:
    """The deliver function; one instance lives as long as its container.

    ``announce`` reports a destination that refused for good, with the reason; ``end_burst`` sends
    a burst's follow-up. Both may raise StateError or QueueError. ``reports_failures`` says whether
    Lambda will read which messages failed; without that, answering would lose them.
    """

    destinations: Mapping[str, Destination]
    ledger: Ledger
    turns: Turns
    queue: Queue
    kept: AlertArchive
    announce: Callable[[str, str, InvocationContext], None]
    end_burst: Callable[[BurstEnd, InvocationContext], None]
    reports_failures: Callable[[], bool]
    log: Log
    metrics: Metrics
    now: Callable[[], datetime]
    retry_policy: RetryPolicy = RetryPolicy()
    jitter: Callable[[], float] = random.random

    def handle(self, event: Mapping[str, Any], invocation: InvocationContext) -> dict[str, list[dict[str, str]]]:
        """Deliver the messages; the answer names those that stay in the queue.

        Raises:
            NotAllDelivered: some stay, and an answer would not keep them.
        """
        failed: list[str] = []
        blocked: set[str] = set()
        for record in event["Records"]:
            message = Received.of(record)
            result = Retry(0.0) if message.group_id in blocked else self._take(message, invocation)
            if isinstance(result, Retry):
                blocked.add(message.group_id)
                failed.append(message.id)
                self._postpone(message, result.seconds)
        if failed and not self.reports_failures():
            raise NotAllDelivered(
                f"{len(failed)} messages stay in the queue; run `sgwatch setup`, so that this is no error"
            )
        return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}

    def _take(self, received: Received, invocation: InvocationContext) -> AttemptResult:
        """What becomes of the message."""
        if invocation.remaining_ms() < self.retry_policy.seconds_needed * 1000:
            return Retry(0.0)
        log = self.log.bind(request_id=invocation.request_id, message_id=received.id)
        try:
            message = read(received.body)
            if isinstance(message, BurstEnd):
                return self._end_burst(received, message, invocation)
            alert = message.alert
            identity = {"event_id": alert.id, "destination": message.destination, "title": alert.title}
            return _Attempt(self, received, message, invocation, log.bind(**identity)).run()
        except PoisonError as error:
            return self._set_aside(received, str(error), log)
        except (StateError, QueueError) as error:
            log.warning("message deferred: state table or queue unavailable", reason=str(error))
            return Retry(self.retry_policy.wait(received.receives, self.jitter()))
        except Exception as error:  # noqa: BLE001 - raised, it would block its group for 500 receives without a reason in the log
            log.error("message broke the function, trying again", reason=f"{type(error).__name__}{place(error)}")  # noqa: TRY400 - the exception's own text may hold a secret
            self.metrics.emit(names.DELIVERY_FAILURES)
            return Retry(self.retry_policy.wait(received.receives, self.jitter()))

    def _end_burst(self, received: Received, message: BurstEnd, invocation: InvocationContext) -> AttemptResult:
        # A window ends within its length from when its end was queued, whatever the message says.
        due_at = min(message.due_at, received.sent_at + timedelta(seconds=LONGEST_WINDOW_SECONDS))
        seconds = (due_at - self.now()).total_seconds()
        if seconds > 0:
            return Retry(seconds + 1)
        self.end_burst(message, invocation)
        return Done()

    def _set_aside(self, received: Received, reason: str, log: Log) -> AttemptResult:
        log.error("message cannot be read", reason=reason)
        self.metrics.emit(names.DELIVERY_FAILURES)
        try:
            self.queue.send_to_dlq(DeadLetter(received.body, reason, "", "", received.id, received.group_id))
        except QueueError as error:
            log.warning("message deferred: state table or queue unavailable", reason=str(error))
            return Retry(self.retry_policy.wait(received.receives, self.jitter()))
        return Done()

    def _postpone(self, message: Received, wait: float) -> None:
        try:
            self.queue.postpone(message.receipt_handle, wait)
        except QueueError as error:
            # It comes back all the same, when the queue's own visibility timeout is over.
            self.log.warning("message could not be postponed", message_id=message.id, reason=str(error))


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt at one delivery."""

    function: DeliverFunction
    received: Received
    message: Delivery
    invocation: InvocationContext
    log: Log

    def run(self) -> AttemptResult:
        """What becomes of the message."""
        claim = self._claim()
        match claim:
            case AlreadyDelivered():
                self.log.info("alert was sent before")
                return Done()
            case Held(seconds):
                return Retry(seconds)
            case Claimed():
                return self._send(claim)

    def _claim(self) -> Claim:
        """The claim on the delivery; where the state table is out of order for long, the alert is sent without it."""
        lease = self.invocation.remaining_ms() / 1000 + 1
        try:
            return self.function.ledger.claim(
                self.message.id, self.message.destination, self.invocation.request_id, lease
            )
        except StateError as error:
            if self.received.receives <= RECEIVES_WITHOUT_STATE:
                raise
            self.log.warning("ledger unavailable, sending without it", reason=str(error))
            self.function.metrics.emit(names.STATE_FAULTS)
            return Claimed(self.received.receives, 0, None)

    def _send(self, claim: Claimed) -> AttemptResult:
        destination = self.function.destinations.get(self.message.destination)
        if destination is None:
            return self._give_up("no destination of this name is configured", claim)
        if claim.unfinished >= self.function.retry_policy.max_crashes:
            return self._give_up(f"the function ended {claim.unfinished} times in a row while sending it", claim)
        alert = self._alert()
        if self.invocation.remaining_ms() < self.function.retry_policy.seconds_needed * 1000:
            return self._failed(DeliveryError("too little time was left to send it", permanent=False), claim)
        critical = alert.severity is Severity.CRITICAL
        turn = self.function.turns.take(destination.name, critical=critical, turn_at=claim.turn_at)
        if isinstance(turn, Waiting):
            return self._wait_for(turn.turn_at)
        return self._send_in(turn, destination, alert, claim)

    def _send_in(self, turn: Sending, destination: Destination, alert: Alert, claim: Claimed) -> AttemptResult:
        turns, name = self.function.turns, destination.name
        try:
            receipt = resolve(destination, alert) if self.message.only_resolves else destination.send(alert)
        except DeliveryError as error:
            if error.permanent or error.retry_after is None:
                turns.done(name, turn, taken=False)
                return self._failed(error, claim)
            critical = alert.severity is Severity.CRITICAL
            return self._failed(error, claim, turns.refused(name, turn, error.retry_after, critical=critical))
        except Exception as error:  # noqa: BLE001 - a defect comes again each time: raised, it would hold up its group for 500 receives
            turns.done(name, turn, taken=False)
            return self._give_up(f"{type(error).__name__} in its code{place(error)}", claim)
        self._delivered(alert, receipt.reference, claim)
        turns.done(name, turn, taken=True)
        return Done()

    def _wait_for(self, turn_at: float) -> AttemptResult:
        self.log.info("destination is busy, waiting for a turn", seconds=round(self._seconds_until(turn_at), 1))
        try:
            self.function.ledger.waiting(self.message.id, self.message.destination, turn_at)
        except StateError as error:
            self.log.warning("turn could not be written down", reason=str(error))
        return Retry(self._seconds_until(turn_at))

    def _seconds_until(self, moment: float) -> float:
        return max(0.0, moment - self.function.now().timestamp())

    def _alert(self) -> Alert:
        """The alert as it is sent: whole where it was kept, and saying so where it is late."""
        alert = self.message.alert
        if self.message.kept:
            alert = self._whole(alert)
        late = (self.function.now() - self.message.queued_at).total_seconds()
        if late <= LATE_SECONDS:
            return alert
        return with_note(alert, f"Delivered late by {late:.0f} s.")

    def _whole(self, cut: Alert) -> Alert:
        try:
            return self.function.kept.whole(cut) or cut
        except StateError as error:
            self.log.warning("whole alert could not be read, sending what is in the message", reason=str(error))
            return cut

    def _delivered(self, alert: Alert, reference: str | None, claim: Claimed) -> None:
        said = "what the alert ends was closed" if self.message.only_resolves else ALERT_SENT
        self.log.info(said, severity=alert.severity, reference=reference, attempts=claim.attempts)
        try:
            self.function.ledger.delivered(self.message.id, self.message.destination, reference)
        except StateError as error:
            # The message is taken from the queue; only the same event queued again would be sent twice.
            self.log.warning("delivery could not be written down", reason=str(error))
        if self.message.only_resolves:
            return
        metrics, name = self.function.metrics, self.message.destination
        metrics.emit(names.ALERTS_SENT, destination=name)
        if alert.occurred_at is not None:
            seconds = max(0.0, (self.function.now() - alert.occurred_at).total_seconds())
            metrics.emit(names.SECONDS_TO_DELIVERY, round(seconds, 3), name)

    def _failed(self, error: DeliveryError, claim: Claimed, turn_at: float | None = None) -> AttemptResult:
        if error.permanent:
            return self._give_up(error.reason, claim)
        retry_policy = self.function.retry_policy
        unanswered = claim.unanswered + error.maybe_taken
        if unanswered >= retry_policy.max_unanswered:
            return self._give_up(f"{error.reason}, {unanswered} times: the destination may have it", claim)
        wait = retry_policy.wait(claim.attempts, self.function.jitter(), error.retry_after)
        if error.maybe_taken:
            wait = max(wait, retry_policy.wait_for_answer(unanswered))
        if turn_at is not None:
            wait = max(wait, self._seconds_until(turn_at))
        age = (self.function.now() - self.received.sent_at).total_seconds()
        if age + wait > retry_policy.give_up_after:
            return self._give_up(f"not delivered in {claim.attempts} attempts, at last: {error.reason}", claim)
        self.log.warning("delivery failed, trying again", reason=error.reason, seconds=round(wait, 1))
        try:
            if turn_at is None:
                self.function.ledger.failed(
                    self.message.id, self.message.destination, error.reason, unanswered=unanswered
                )
            else:
                at = self.function.now().timestamp() + wait
                self.function.ledger.waiting(self.message.id, self.message.destination, at, error.reason)
        except StateError as unwritten:
            # It comes back when it should all the same; the claim has ended by itself by then.
            self.log.warning("failure could not be written down", reason=str(unwritten))
        return Retry(wait)

    def _give_up(self, reason: str, claim: Claimed) -> AttemptResult:
        function, name = self.function, self.message.destination
        severity = self.message.alert.severity
        self.log.error(DELIVERY_FAILED, severity=severity, reason=reason, permanent=True, attempts=claim.attempts)
        function.metrics.emit(names.DELIVERY_FAILURES, destination=name)
        received = self.received
        function.queue.send_to_dlq(
            DeadLetter(received.body, reason, name, self.message.id, received.id, received.group_id)
        )
        try:
            function.ledger.dead(self.message.id, name, reason)
            function.announce(name, reason, self.invocation)
        except StateError as error:
            if received.receives <= RECEIVES_WITHOUT_STATE:
                raise
            # It is in the dead-letter queue, whose alarm reports it.
            self.log.warning("dead letter could not be announced", reason=str(error))
        return Done()
