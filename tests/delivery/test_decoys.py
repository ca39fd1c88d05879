"""Decoys in direct delivery, against a destination that takes one alert a second: what becomes of critical alerts.

Lambda is played: containers are reused, and a failed asynchronous invocation is made again one and then
two minutes later. Time is simulated.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.alert.model import Alert
from chalicelib.delivery.direct import Delivered, Direct
from chalicelib.destinations.contract import DeliveryError, Receipt
from tests.support.alerts import critical_open_ssh, revoke
from tests.support.durable import numbered
from tests.support.simulation import Simulation

BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)
FUNCTION_SECONDS = 60.0


@dataclass
class OneASecond:
    """Slack's limit, and one second of credit; answers take a tenth of a second."""

    time: Simulation
    name: str = "slack"
    requests: int = 0
    taken: int = 0
    free_at: float = 0.0

    def send(self, alert: Alert) -> Receipt:
        self.requests += 1
        now = self.time.clock()
        busy = now < self.free_at
        if not busy:
            self.free_at = max(self.free_at, now - 1.0) + 1.0
            self.taken += 1
        self.time.sleep(0.1)
        if busy:
            raise DeliveryError("it answered HTTP 429", permanent=False, retry_after=1.0)
        return Receipt()


@dataclass
class Campaign:
    """So many decoys a second for so many seconds, and a critical alert every 20 seconds."""

    rate: float
    seconds: float
    like: Alert
    seed: int = 1
    time: Simulation = field(default_factory=Simulation)
    idle: list[Direct] = field(default_factory=list)
    taken_after: dict[int, float | None] = field(default_factory=dict)
    criticals: set[int] = field(default_factory=set)

    def run(self) -> Campaign:
        self.slack = OneASecond(self.time)
        self.random = random.Random(self.seed)
        for number in range(int(self.rate * self.seconds)):
            critical = number % int(self.rate * 20) == int(self.rate * 10)
            self.criticals |= {number} if critical else set()
            at = (number + self.random.random()) / self.rate
            alert = numbered(number, f"sg-{number:05d}", critical_open_ssh() if critical else self.like)
            alert = alert._replace(occurred_at=BEGAN + timedelta(seconds=at - 3))
            self.time.at(at, lambda alert=alert, number=number, at=at: self.event(alert, number, at))  # type: ignore[misc]
        self.time.run()
        return self

    def event(self, alert: Alert, number: int, at: float) -> None:
        """One event: up to three asynchronous invocations."""
        self.taken_after[number] = None
        for wait in (0, 60, 120):
            self.time.sleep(wait)
            began = self.time.clock()
            container = self.idle.pop() if self.idle else self.container()
            (result,) = container.deliver(
                alert,
                [self.slack],
                lambda began=began: (FUNCTION_SECONDS - self.time.clock() + began) * 1000,  # type: ignore[misc]
            )
            self.idle.append(container)
            if isinstance(result, Delivered):
                self.taken_after[number] = self.time.clock() - at
                return

    def container(self) -> Direct:
        def now() -> datetime:
            return BEGAN + timedelta(seconds=self.time.clock())

        return Direct(clock=self.time.clock, sleep=self.time.sleep, jitter=self.random.random, now=now)

    @property
    def requests_an_alert(self) -> float:
        return self.slack.requests / len(self.taken_after)

    def critical_times(self) -> list[float | None]:
        return [self.taken_after[number] for number in sorted(self.criticals)]

    def report(self) -> str:
        lost = sum(each is None for each in self.taken_after.values())
        late = [f"{each:.1f}" if each is not None else "LOST" for each in self.critical_times()]
        return (
            f"{self.rate:.0f} a second for {self.seconds:.0f} s: {len(self.taken_after)} alerts, "
            f"{self.requests_an_alert:.2f} requests an alert, {lost} not delivered; criticals after {', '.join(late)} s"
        )


def assert_criticals_in_time(done: Campaign) -> None:
    print(done.report())
    times = done.critical_times()
    assert times
    assert all(each is not None and each < FUNCTION_SECONDS for each in times)
    assert done.requests_an_alert <= 3


def test_decoys_cost_no_critical_alert_its_place() -> None:
    assert_criticals_in_time(Campaign(5, 60, revoke()).run())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("rate", [2, 5])
def test_decoys_at_size_cost_no_critical_alert_its_place(rate: float, seed: int) -> None:
    assert_criticals_in_time(Campaign(rate, 600, revoke(), seed).run())


@pytest.mark.slow
def test_ten_decoys_a_second_may_cost_a_critical_alert_an_invocation_and_no_more() -> None:
    done = Campaign(10, 600, revoke()).run()
    print(done.report())
    assert all(each is not None for each in done.critical_times())
    assert done.requests_an_alert <= 3


@pytest.mark.parametrize("seed", range(5))
def test_a_dozen_low_alerts_at_once_all_arrive(seed: int) -> None:
    """Somebody's deployment: no attack, and more than the destination takes at once."""
    done = Campaign(1000, 0.012, revoke(), seed).run()
    print(done.report())
    assert all(each is not None for each in done.taken_after.values())
    assert done.requests_an_alert <= 3
