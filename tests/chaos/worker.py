"""A function's process: runs one handler, and dies where fate says so, by SIGKILL.

Its AWS calls go through a pipe to the campaign, which makes them on moto and throttles some.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import Any

# Imported with the first alert otherwise, inside the time that the destination has.
import requests  # noqa: F401

from chalicelib.alert.filters import Filter
from chalicelib.alert.model import Alert
from chalicelib.delivery.deliver import DeliverFunction, RetryPolicy
from chalicelib.delivery.envelope import BurstEnd
from chalicelib.delivery.gate import Gate
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.delivery.ledger import Claimed, Ledger
from chalicelib.delivery.problems import Problems
from chalicelib.delivery.turns import Turns
from chalicelib.destinations.contract import DeliveryError, Destination, Receipt, RevisionTable
from chalicelib.destinations.http_door import HttpDoor, HttpResponse
from chalicelib.destinations.slack_bot import Channel, SlackBot
from chalicelib.destinations.slack_message import PLAIN
from chalicelib.destinations.webhook import Webhook
from chalicelib.functions.alert_function import AlertFunction, Route
from chalicelib.functions.composition.durable_delivery import send_burst_end
from chalicelib.functions.composition.durable_parts import parts
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics
from chalicelib.settings.model import DurableSettings

TLS_FAULTS = 0.05
TIME_LIMIT_SECONDS = 8.0
SLACK_CHANNEL = "C0123456789"
SLACK_SECONDS_A_SECOND = 20
# An alert is a few calls to Slack and some twenty to AWS.
SLACK_DEATHS = 10


class Mutant(StrEnum):
    """What a campaign has to notice: a defect that is put into the functions."""

    LOSES_ONE_IN_FIFTY = "one alert in 50 lost"
    SENDS_ONE_IN_FIFTY_TWICE = "one in 50 sent twice"
    NO_LEDGER = "ledger off"
    SPLIT_GROUPS = "group id split"
    NO_ORDER = "no order at all"
    NO_FOLLOW_UP = "follow-up dropped"


@dataclass(frozen=True)
class Spec:
    """What a worker is made of."""

    seed: int
    queue: str
    table: str
    urls: dict[str, str]
    broken_tls_url: str
    death: float
    retry_policy: RetryPolicy
    burst_seconds: int
    mutant: Mutant | None
    # Where a Slack workspace's Web API is, and when its campaign began; None where there is none.
    slack: tuple[str, float] | None = None


class CallError(Exception):
    """What a client raises; with a response where AWS answered, as botocore's ClientError has."""

    def __init__(self, response: dict[str, Any] | None) -> None:
        super().__init__(str(response))
        self.response = response


class Fate:
    """Ends the process at some of the points it passes."""

    def __init__(self, pipe: Connection, spec: Spec) -> None:
        self._pipe = pipe
        self._random = random.Random(spec.seed)
        self._death = spec.death

    def passes(self, point: str, times: int = 1) -> None:
        """The process may end here, and so many times as often as elsewhere."""
        if self._random.random() < self._death * times:
            self._pipe.send(("dying", point))
            os.kill(os.getpid(), signal.SIGKILL)

    def says(self, *said: str) -> None:
        """Tell the campaign."""
        self._pipe.send(said)

    def chance(self, share: float) -> bool:
        """Whether something happens that happens that often."""
        return self._random.random() < share


class RemoteClient:
    """A client of one service whose calls the campaign makes."""

    def __init__(self, pipe: Connection, fate: Fate, service: str, mutant: Mutant | None) -> None:
        self._pipe = pipe
        self._mutant = mutant
        self._fate = fate
        self._service = service

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self._fate.passes(f"before {operation}")
            if operation == "send_message_batch":
                _split(arguments["Entries"], self._mutant)
            self._pipe.send(("call", self._service, operation, arguments))
            succeeded, answer = self._pipe.recv()
            self._fate.passes(f"after {operation}")
            if not succeeded:
                raise CallError(answer)
            return answer

        return call


@dataclass
class Fated:
    """A webhook whose process may die around the request, and to which TLS sometimes fails."""

    inner: Webhook
    broken: Webhook
    fate: Fate
    mutant: Mutant | None

    @property
    def name(self) -> str:
        return self.inner.name

    def send(self, alert: Alert) -> Receipt:
        self.fate.passes("before send")
        if self.fate.chance(TLS_FAULTS):
            return self.broken.send(alert)
        if self.mutant is Mutant.LOSES_ONE_IN_FIFTY and _one_in_fifty(alert):
            return Receipt("lost")
        if self.mutant is Mutant.SENDS_ONE_IN_FIFTY_TWICE and _one_in_fifty(alert):
            self._post(alert)
        return self._post(alert)

    def _post(self, alert: Alert) -> Receipt:
        attempt = uuid.uuid4().hex
        self.fate.says("sending", attempt)
        try:
            receipt = self.inner._replace(url=f"{self.inner.url}/{attempt}").send(alert)
        except DeliveryError as error:
            self.fate.says("not taken", error.reason)
            raise
        self.fate.passes("after send")
        return receipt


class FatedDoor(HttpDoor):
    """A door whose process may die before a request and after its answer."""

    def __init__(self, fate: Fate) -> None:
        super().__init__(2.0, 2.0, deadline=2.5)
        self._fate = fate

    def post_json(
        self,
        url: str,
        body: Any,
        headers: Mapping[str, str] | None = None,
        max_response_bytes: int | None = None,
    ) -> HttpResponse:
        method = url.rpartition("/")[2]
        self._fate.passes(f"before {method}", SLACK_DEATHS)
        response = super().post_json(url, body, headers, max_response_bytes)
        self._fate.passes(f"after {method}", SLACK_DEATHS)
        return response


def slack_bot(table: RevisionTable, fate: Fate, api_url: str, began: float) -> SlackBot:
    """A bot whose minutes pass in seconds, so that the lease of one that died need not be waited for that long."""

    def now() -> datetime:
        return datetime.fromtimestamp(began + (time.time() - began) * SLACK_SECONDS_A_SECOND, UTC)

    return SlackBot("slack", Channel(api_url, "xoxb-1", SLACK_CHANNEL, FatedDoor(fate)), lambda _: PLAIN, table, now)


class NoLedger(Ledger):
    """A ledger that knows nothing."""

    def claim(self, delivery: str, destination: str, owner: str, lease_seconds: float) -> Claimed:
        return Claimed(1, 0, None)

    def delivered(self, delivery: str, destination: str, reference: str | None) -> None:
        pass


def _one_in_fifty(alert: Alert) -> bool:
    # The campaign numbers its events, and the id is the number.
    return int(alert.id[-8:], 16) % 50 == 7


def _split(entries: list[dict[str, str]], mutant: Mutant | None) -> None:
    """Change the group ids as the mutant has it."""
    for entry in entries:
        number = int(hashlib.sha256(entry["MessageDeduplicationId"].encode()).hexdigest(), 16)
        if mutant is Mutant.NO_ORDER:
            entry["MessageGroupId"] = f"g{number}"[:100]
        elif mutant is Mutant.SPLIT_GROUPS:
            entry["MessageGroupId"] = f"{entry['MessageGroupId']}/{number % 2}"[:128]


def work(pipe: Connection, spec: Spec) -> None:
    """Handle invocations until the pipe closes."""
    fate = Fate(pipe, spec)
    deliver, alert = _functions(pipe, spec, fate)
    number = 0
    while True:
        try:
            kind, document = pipe.recv()
        except EOFError:
            return
        number += 1
        ends_at = time.monotonic() + TIME_LIMIT_SECONDS
        call = InvocationContext(f"{os.getpid()}-{number}", _remaining(ends_at))
        answer = None
        try:
            if kind == "deliver":
                answer = deliver.handle(document, call)
            else:
                alert.handle(document, call)
        except Exception as error:  # noqa: BLE001 - this is where the Lambda runtime would be
            pipe.send(("failed", f"{type(error).__name__}: {error}"))
        else:
            pipe.send(("done", answer))


def _remaining(ends_at: float) -> Callable[[], float]:
    return lambda: (ends_at - time.monotonic()) * 1000


def _functions(pipe: Connection, spec: Spec, fate: Fate) -> tuple[DeliverFunction, AlertFunction]:
    def client(service: str, region: str | None = None) -> RemoteClient:
        return RemoteClient(pipe, fate, service, spec.mutant)

    made = parts(DurableSettings(spec.queue, spec.table, burst_seconds=spec.burst_seconds), client)
    # Long enough that a busy machine is not taken for a destination that does not answer.
    door = HttpDoor(2.0, 2.0, deadline=2.5)
    destinations: dict[str, Destination] = {
        name: Fated(Webhook(name, url, None, door), Webhook(name, spec.broken_tls_url, None, door), fate, spec.mutant)
        for name, url in spec.urls.items()
    }
    if spec.slack is not None:
        destinations["slack"] = slack_bot(made.table, fate, *spec.slack)
    log, metrics = Log(Redactor(), write=lambda _: None), Metrics("chaos", write=lambda _: None)
    problems = Problems(made.table, made.durable, tuple(destinations.values()), _now)

    alert = AlertFunction(
        routes=tuple(Route(each, Filter()) for each in destinations.values()),
        ignore_when=None,
        faults=(),
        direct=made.durable,
        log=log,
        metrics=metrics,
        now=_now,
        gate=Gate(made.silences, made.bursts),
    )

    def end_burst(message: BurstEnd, call: InvocationContext) -> None:
        if spec.mutant is not Mutant.NO_FOLLOW_UP:
            send_burst_end(message, call, made, alert)

    deliver = DeliverFunction(
        destinations=destinations,
        ledger=(NoLedger if spec.mutant is Mutant.NO_LEDGER else Ledger)(made.table, _now),
        turns=Turns(made.table, _now),
        queue=made.queue,
        kept=made.kept,
        announce=lambda name, reason, call: problems.announce(name, reason, call.remaining_ms),
        end_burst=end_burst,
        reports_failures=lambda: True,
        log=log,
        metrics=metrics,
        now=_now,
        retry_policy=spec.retry_policy,
        jitter=random.Random(spec.seed).random,
    )
    return deliver, alert


def _now() -> datetime:
    return datetime.now(UTC)
