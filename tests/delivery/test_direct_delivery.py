"""Direct delivery: in parallel, with retries, each destination by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from chalicelib.alert.model import Alert
from chalicelib.delivery.direct import MAX_ATTEMPTS, Delivered, Direct, NotDelivered, ReceiptCache, Undelivered
from chalicelib.destinations.contract import DeliveryError, Receipt
from tests.support.alerts import critical_open_ssh

ALERT = critical_open_ssh()
BUSY = DeliveryError("it answered HTTP 503", permanent=False)
GONE = DeliveryError("it answered HTTP 404: no_service", permanent=True)


@dataclass
class Scripted:
    """A destination that plays its script; the last line repeats."""

    name: str
    script: list[Exception | None] = field(default_factory=lambda: [None])
    seconds: float = 0.0
    sent: int = 0

    def send(self, alert: Alert) -> Receipt:
        self.sent += 1
        time.sleep(self.seconds)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if step is not None:
            raise step
        return Receipt("r")


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def direct(clock: Time, jitter: float = 1.0, memory: ReceiptCache | None = None) -> Direct:
    return Direct(memory=memory, clock=lambda: clock.now, sleep=clock.sleep, jitter=lambda: jitter)


def remaining(seconds: float) -> Callable[[], float]:
    return lambda: seconds * 1000


def test_one_broken_destination_neither_repeats_nor_loses_the_others() -> None:
    slack, sns, webhook = Scripted("slack", [GONE]), Scripted("sns"), Scripted("webhook", [BUSY, None])
    outcomes = direct(Time()).deliver(ALERT, [slack, sns, webhook], remaining(60))
    assert outcomes == (
        Undelivered("slack", 1, "it answered HTTP 404: no_service", permanent=True),
        Delivered("sns", 1, Receipt("r")),
        Delivered("webhook", 2, Receipt("r")),
    )
    assert (slack.sent, sns.sent, webhook.sent) == (1, 1, 2)


def test_retry_after_is_obeyed() -> None:
    clock = Time()
    busy = DeliveryError("it answered HTTP 429", permanent=False, retry_after=17)
    (outcome,) = direct(clock).deliver(ALERT, [Scripted("slack", [busy, None])], remaining(60))
    assert isinstance(outcome, Delivered)
    assert clock.slept == [17]


def test_a_retry_after_beyond_the_functions_time_is_not_waited_for() -> None:
    clock = Time()
    busy = DeliveryError("it answered HTTP 429", permanent=False, retry_after=3600)
    (outcome,) = direct(clock).deliver(ALERT, [Scripted("slack", [busy, None])], remaining(60))
    assert outcome == Undelivered("slack", 1, "it answered HTTP 429", permanent=False)
    assert clock.slept == []


def test_a_retry_after_of_zero_does_not_hammer() -> None:
    clock = Time()
    busy = DeliveryError("it answered HTTP 429", permanent=False, retry_after=0)
    direct(clock).deliver(ALERT, [Scripted("slack", [busy, None])], remaining(60))
    assert clock.slept == [0.5]


def test_a_destination_that_keeps_asking_to_wait_gets_all_the_time_there_is() -> None:
    """Slack takes one message a second, and many functions may want to send at once."""
    clock = Time()
    busy = DeliveryError("it answered HTTP 429", permanent=False, retry_after=1)
    (outcome,) = direct(clock).deliver(ALERT, [Scripted("slack", [*[busy] * 40, None])], remaining(60))
    assert outcome == Delivered("slack", 41, Receipt("r"))


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_waits_double_up_to_a_limit_and_are_spread(jitter: float) -> None:
    clock = Time()
    direct(clock, jitter).deliver(ALERT, [Scripted("slack", [BUSY])], remaining(900))
    longest = [0.5, 1, 2, 4, 8, 16, 20, 20, 20]
    assert clock.slept == [seconds * (0.5 + jitter / 2) for seconds in longest]
    assert len(clock.slept) == MAX_ATTEMPTS - 1


def test_retries_end_with_the_functions_time() -> None:
    clock = Time()
    (outcome,) = direct(clock).deliver(ALERT, [Scripted("slack", [BUSY])], remaining(10))
    assert isinstance(outcome, Undelivered)
    assert not outcome.permanent
    assert clock.now < 10


def test_there_is_one_attempt_however_little_time_is_left() -> None:
    (outcome,) = direct(Time()).deliver(ALERT, [Scripted("slack")], remaining(0.1))
    assert isinstance(outcome, Delivered)


def test_what_was_delivered_is_not_sent_again() -> None:
    clock, memory = Time(), ReceiptCache()
    slack, sns = Scripted("slack", [GONE, None]), Scripted("sns")
    direct(clock, memory=memory).deliver(ALERT, [slack, sns], remaining(60))
    again = direct(clock, memory=memory).deliver(ALERT, [slack, sns], remaining(60))
    assert again == (Delivered("slack", 1, Receipt("r")), Delivered("sns", 0, Receipt("r")))
    assert sns.sent == 1


def test_the_memory_is_bounded() -> None:
    memory = ReceiptCache(capacity=2)
    for number in range(3):
        memory.remember(str(number), "slack", Receipt())
    assert memory.recall("0", "slack") is None
    assert memory.recall("2", "slack") == Receipt()


def test_a_defect_in_one_destination_is_its_own_failure_and_quotes_no_text() -> None:
    broken = Scripted("webhook", [ValueError("https://example.com/secret")])
    outcomes = direct(Time()).deliver(ALERT, [broken, Scripted("sns")], remaining(60))
    assert isinstance(outcomes[1], Delivered)
    assert isinstance(outcomes[0], Undelivered)
    assert outcomes[0].reason.startswith("ValueError in its code, ")
    assert "example.com" not in outcomes[0].reason


def test_one_that_hangs_is_given_up_in_time_and_the_others_are_heard() -> None:
    let_go = threading.Event()

    class Hanging:
        name = "webhook"

        def send(self, alert: Alert) -> Receipt:
            let_go.wait(20)
            return Receipt()

    outcomes = Direct().deliver(ALERT, [Hanging(), Scripted("sns")], remaining(2.2))
    assert not let_go.is_set()
    let_go.set()
    assert outcomes[0] == Undelivered("webhook", 1, "no answer within the time that the function had", permanent=False)
    assert isinstance(outcomes[1], Delivered)


def test_ten_destinations_are_sent_to_at_once() -> None:
    all_here = threading.Barrier(10)

    @dataclass(frozen=True)
    class Waiting:
        name: str

        def send(self, alert: Alert) -> Receipt:
            all_here.wait(20)  # passes only once all ten are in it
            return Receipt()

    outcomes = Direct().deliver(ALERT, [Waiting(f"webhook.{n}") for n in range(10)], remaining(60))
    assert [type(outcome) for outcome in outcomes] == [Delivered] * 10


def test_no_destination_is_no_work() -> None:
    assert Direct().deliver(ALERT, [], remaining(60)) == ()


def test_a_retry_is_heard_of() -> None:
    heard: list[tuple[str, str, float]] = []
    direct(Time()).deliver(
        ALERT,
        [Scripted("slack", [BUSY, None])],
        remaining(60),
        lambda name, error, wait: heard.append((name, error.reason, wait)),
    )
    assert heard == [("slack", "it answered HTTP 503", 0.5)]


def test_the_exception_names_the_alert_the_destination_and_the_reason() -> None:
    error = NotDelivered([("e-1", Undelivered("slack", 3, "it answered HTTP 503", permanent=False))])
    assert str(error) == "alert e-1 was not delivered to slack: it answered HTTP 503 (after 3 attempts)"


def test_what_may_have_been_taken_without_an_answer_is_posted_three_times_at_most() -> None:
    class Silent:
        name = "silent"
        sent = 0

        def send(self, alert: Alert) -> Receipt:
            self.sent += 1
            raise DeliveryError("no answer in time", permanent=False, maybe_taken=True)

    silent = Silent()
    (outcome,) = Direct(sleep=lambda _: None).deliver(critical_open_ssh(), [silent], lambda: 600_000)
    assert isinstance(outcome, Undelivered)
    assert (silent.sent, outcome.permanent) == (3, False)
