"""The composition root of durable delivery: the parts that the alert function and the deliver function share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.aws.clients import ClientFactory, aws_client
from chalicelib.delivery.alert_archive import AlertArchive
from chalicelib.delivery.bursts import Bursts
from chalicelib.delivery.durable import Durable
from chalicelib.delivery.gate import Gate
from chalicelib.delivery.queue import Queue
from chalicelib.delivery.silences import Silences
from chalicelib.observability import metrics as names
from chalicelib.observability.metrics import Metrics
from chalicelib.settings.model import DurableSettings
from chalicelib.state.table import StateTable


@dataclass(frozen=True, slots=True)
class Parts:
    """What durable delivery is made of."""

    table: StateTable
    queue: Queue
    kept: AlertArchive
    durable: Durable
    bursts: Bursts
    silences: Silences


def parts(settings: DurableSettings, client: ClientFactory = aws_client) -> Parts:
    """The parts; no client is made before one is needed."""
    table = StateTable(lambda: client("dynamodb"), settings.table)
    queue = Queue(lambda: client("sqs"), settings.queue)
    kept = AlertArchive(table, _now)
    return Parts(
        table=table,
        queue=queue,
        kept=kept,
        durable=Durable(queue, kept, _now),
        bursts=Bursts(table, queue, settings.burst_seconds, _now),
        silences=Silences(table, _now),
    )


def entrance(settings: DurableSettings, client: ClientFactory, metrics: Metrics) -> tuple[Durable, Gate, AlertArchive]:
    """What the alert function hands its alerts over to."""
    made = parts(settings, client)
    return made.durable, Gate(made.silences, made.bursts, lambda: metrics.emit(names.STATE_FAULTS)), made.kept


def _now() -> datetime:
    return datetime.now(UTC)
