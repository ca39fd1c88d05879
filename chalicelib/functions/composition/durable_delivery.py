"""The composition root of durable delivery: what the alert function hands over to, and the deliver function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from chalicelib.delivery.alert_archive import KeptAlerts
from chalicelib.delivery.bursts import Bursts, follow_ups
from chalicelib.delivery.deliver import DeliverFunction, Invocation, RetryPolicy
from chalicelib.delivery.digest import Digest
from chalicelib.delivery.direct import Undelivered
from chalicelib.delivery.durable import Durable
from chalicelib.delivery.envelope import BurstEnd
from chalicelib.delivery.event_source import EventSource
from chalicelib.delivery.gate import Gate
from chalicelib.delivery.ledger import Ledger
from chalicelib.delivery.problems import Problems
from chalicelib.delivery.queue import Queue, QueueError
from chalicelib.delivery.silences import Silences
from chalicelib.deployment import stage_of
from chalicelib.functions.alert_function import AlertFunction
from chalicelib.functions.alert_function import Invocation as HandlingInvocation
from chalicelib.functions.composition.alerting import Clients, assemble, aws_client, group_snapshots
from chalicelib.observability.logs import Log
from chalicelib.reconciliation.reconcile import Reconciliation
from chalicelib.settings.environment import from_environment, function_name
from chalicelib.settings.model import DurableSettings, Settings, SettingsError
from chalicelib.state.table import StateTable


@dataclass(frozen=True, slots=True)
class Parts:
    """What durable delivery is made of."""

    table: StateTable
    queue: Queue
    kept: KeptAlerts
    durable: Durable
    bursts: Bursts
    silences: Silences


def parts(settings: DurableSettings, client: Clients = aws_client) -> Parts:
    """The parts; no client is made before one is needed."""
    table = StateTable(lambda: client("dynamodb"), settings.table)
    queue = Queue(lambda: client("sqs"), settings.queue)
    kept = KeptAlerts(table, _now)
    return Parts(
        table=table,
        queue=queue,
        kept=kept,
        durable=Durable(queue, kept, _now),
        bursts=Bursts(table, queue, settings.burst_seconds, _now),
        silences=Silences(table, _now),
    )


def entrance(settings: DurableSettings, client: Clients) -> tuple[Durable, Gate, KeptAlerts]:
    """What the alert function hands its alerts over to."""
    made = parts(settings, client)
    return made.durable, Gate(made.silences, made.bursts), made.kept


def assemble_deliver(
    settings: Settings,
    function: str = "local",
    client: Clients = aws_client,
    patience: RetryPolicy | None = None,
    faults: tuple[str, ...] = (),
) -> DeliverFunction:
    """The deliver function of these settings, which must be those of durable delivery."""
    if settings.durable is None:
        raise ValueError("DELIVERY_QUEUE and STATE_TABLE are not set: nothing is delivered from a queue")
    made = parts(settings.durable, client)
    alerts = assemble(settings, faults, function, client)
    destinations = {route.destination.name: route.destination for route in alerts.routes}
    problems = Problems(made.table, made.durable, tuple(destinations.values()), _now)

    def announce(destination: str, reason: str, invocation: Invocation) -> None:
        problems.announce(destination, reason, invocation.remaining_ms)

    def end_burst(message: BurstEnd, invocation: Invocation) -> None:
        tell_burst(message, invocation, made, alerts)

    return DeliverFunction(
        destinations=destinations,
        ledger=Ledger(made.table, _now),
        queue=made.queue,
        kept=made.kept,
        announce=announce,
        end_burst=end_burst,
        reports_failures=EventSource(lambda: client("lambda"), made.queue.arn, alerts.log).reports_failures,
        log=alerts.log,
        metrics=alerts.metrics,
        now=_now,
        patience=patience or RetryPolicy(),
    )


def tell_burst(message: BurstEnd, invocation: Invocation, made: Parts, alerts: AlertFunction) -> None:
    """Queue what was folded, for each destination what that destination wants of it.

    Raises:
        StateError: what was folded could not be read.
        QueueError: not all of it is queued; what is will not be sent twice when it is queued again.
    """
    folded = made.bursts.end(message.burst, message.window)
    wanting = [(alert, alerts.wanted(alert, alerts.log)) for alert in folded]
    for route in alerts.routes:
        own = [alert for alert, wanted in wanting if route.destination in wanted]
        if not own:
            continue
        for alert in follow_ups(own, message.window):
            for outcome in made.durable.deliver(alert, [route.destination], invocation.remaining_ms):
                if isinstance(outcome, Undelivered):
                    raise QueueError(outcome.reason)
            alerts.keep(alert, alerts.log)
    if alerts.faults:
        raise QueueError("the settings are faulty, and a destination that they do not tell of has to wait for its part")


@cache
def deliver_function() -> DeliverFunction:
    """The deliver function of this process; a destination with faulty settings is none, and its alerts wait.

    The alert function says loudly what is wrong with the settings.
    """
    try:
        return assemble_deliver(from_environment(), function_name())
    except SettingsError as error:
        return assemble_deliver(error.sound, function_name(), faults=error.faults)


def reconcile(invocation: HandlingInvocation) -> None:
    """Tell the digest of silences where it is due, and sweep the regions of this process's settings.

    Raises:
        SettingsError: all that is sound was done, but the settings have faults.
        Exception: the digest or a region failed; the other regions were swept.
    """
    settings, faulty = _own_settings()
    alerts = assemble(settings, function=function_name())
    if settings.durable is None:
        alerts.log.info("nothing is reconciled", reason="DELIVERY_QUEUE and STATE_TABLE are not both set")
    else:
        made = parts(settings.durable)
        stage = stage_of(function_name())
        try:
            digest = Digest(made.table, made.silences, _now, stage.name if stage else None)
            digest.tell(lambda alert: alerts.announce(alert, invocation))
        finally:
            sweep(settings, settings.durable, made, alerts, invocation)
    if faulty is not None:
        raise faulty


def _own_settings() -> tuple[Settings, SettingsError | None]:
    """What is sound in this process's settings, and what is not."""
    try:
        return from_environment(), None
    except SettingsError as error:
        return error.sound, error


def sweep(
    settings: Settings, durable: DurableSettings, made: Parts, alerts: AlertFunction, invocation: HandlingInvocation
) -> None:
    """Sweep the regions; look-ups must be on, for they keep what was told.

    Raises:
        ExceptionGroup: some regions could not be swept; the others were.
    """
    if settings.enrichment is None:
        alerts.log.info("nothing is reconciled", reason="ENRICH is not set")
        return
    reconciliation = Reconciliation(
        account_id=str(aws_client("sts").get_caller_identity()["Account"]),
        snapshots=group_snapshots(durable.table),
        table=made.table,
        client=aws_client,
        watch=settings.watch,
        alert_of=alerts.alert_of,
        seen=made.bursts.seen,
        tell=lambda alert: alerts.announce(alert, invocation),
        log=alerts.log,
        now=_now,
    )
    sweep_regions(durable.regions, reconciliation.sweep, alerts.log)


def sweep_regions(regions: Iterable[str], sweep_one: Callable[[str], object], log: Log) -> None:
    """Sweep one region after the other, whatever becomes of those before.

    Raises:
        ExceptionGroup: some could not be swept.
    """
    failed: dict[str, Exception] = {}
    for region in regions:
        try:
            sweep_one(region)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is raised when the others have had their turn
            failed[region] = error
    for region, failure in failed.items():
        log.error("region could not be reconciled", region=region, exc_info=failure)
    if failed:
        raise ExceptionGroup("some regions could not be reconciled", list(failed.values()))


def _now() -> datetime:
    return datetime.now(UTC)
