"""The composition root of durable delivery: the parts that the alert function and the deliver function share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chalicelib.aws.clients import ClientFactory, aws_client
from chalicelib.delivery.alert_archive import AlertArchive
from chalicelib.delivery.bursts import Bursts
from chalicelib.delivery.durable import Durable
from chalicelib.delivery.gate import Gate
from chalicelib.delivery.handoffs import Handoffs
from chalicelib.delivery.queue import Queue
from chalicelib.delivery.silences import Silences
from chalicelib.observability import metrics as names
from chalicelib.observability.metrics import Metrics
from chalicelib.settings.model import DurableSettings, Settings
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable

if TYPE_CHECKING:
    from chalicelib.delivery.digest import HoldingGate


@dataclass(frozen=True, slots=True)
class Parts:
    """What durable delivery is made of."""

    table: StateTable
    queue: Queue
    kept: AlertArchive
    durable: Durable
    handoffs: Handoffs
    bursts: Bursts
    silences: Silences


def parts(
    settings: DurableSettings,
    client: ClientFactory = aws_client,
    on_fault: Callable[[StateError], object] = lambda _: None,
) -> Parts:
    """The parts; no client is made before one is needed."""
    table = StateTable(lambda: client("dynamodb"), settings.table)
    queue = Queue(lambda: client("sqs"), settings.queue)
    kept = AlertArchive(table, _now)
    handoffs = Handoffs(table, _now, on_fault)
    return Parts(
        table=table,
        queue=queue,
        kept=kept,
        durable=Durable(queue, kept, handoffs, _now),
        handoffs=handoffs,
        bursts=Bursts(table, queue, settings.burst_seconds, _now, handoffs),
        silences=Silences(table, _now),
    )


def entrance(settings: DurableSettings, client: ClientFactory, metrics: Metrics) -> tuple[Durable, Gate, AlertArchive]:
    """What the alert function hands its alerts over to."""

    def count_fault(_error: StateError | None = None) -> None:
        metrics.emit(names.STATE_FAULTS)

    made = parts(settings, client, count_fault)
    return made.durable, Gate(made.silences, made.bursts, count_fault), made.kept


def holding_gate(
    settings: Settings, durable: DurableSettings, client: ClientFactory, metrics: Metrics
) -> HoldingGate | None:
    """What holds alerts for the destinations' digests; None where no destination has one."""
    holdings = [each for each in settings.destinations if each.digest or each.quiet_hours]
    if not holdings:
        return None
    from chalicelib.delivery.digest import Digests, Holding, HoldingGate  # noqa: PLC0415 - where there is one

    table = StateTable(lambda: client("dynamodb"), durable.table)
    return HoldingGate(
        Digests(table, _now),
        {each.name: Holding(each.filter, each.digest, each.quiet_hours) for each in holdings},
        lambda _: metrics.emit(names.STATE_FAULTS),
    )


def _now() -> datetime:
    return datetime.now(UTC)
