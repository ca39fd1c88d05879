"""The composition root of the reconcile function: digests, what the queue lost, then a sweep of each region."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from chalicelib.alarm_path.snapshot.collect_forwarders import opted_in
from chalicelib.alarm_path.snapshot.collect_own_path import Forwarding
from chalicelib.alarm_path.watch.member_forwarders import MemberForwarders
from chalicelib.alert.model import Alert
from chalicelib.aws.account_clients import AccountClients, fleet_clients
from chalicelib.aws.arns import parse_arn
from chalicelib.aws.clients import ClientFactory, aws_client, default_region
from chalicelib.aws.member_role import MemberRole
from chalicelib.delivery.digest import Digests
from chalicelib.delivery.direct import Undelivered
from chalicelib.delivery.handoffs import send_unconfirmed
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.delivery.ledger import Ledger
from chalicelib.delivery.queue import QueueError
from chalicelib.delivery.silence_digest import SilenceDigest
from chalicelib.deployment import forwarder_rules, stage_of
from chalicelib.functions.alert_function import AlertFunction
from chalicelib.functions.composition.alerting import assemble, group_snapshots
from chalicelib.functions.composition.durable_parts import Parts, parts
from chalicelib.observability.logs import Log
from chalicelib.reconciliation.members import MemberSweep, RegionsNotListed
from chalicelib.reconciliation.places import Turn
from chalicelib.reconciliation.reconcile import Reconciliation
from chalicelib.settings.environment import from_environment, function_name
from chalicelib.settings.fields import ALL_REGIONS
from chalicelib.settings.model import DurableSettings, Settings, SettingsError
from chalicelib.state.errors import StateError


def reconcile(invocation: InvocationContext) -> None:
    """Send the digests that are due, queue again what left the queue undelivered, and sweep this process's regions.

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
            send_digests(made, alerts, invocation, complete=faulty is None)
            digest = SilenceDigest(made.table, made.silences, _now, stage.name if stage else None)
            digest.send(lambda alert: alerts.announce(alert, invocation))
        finally:
            try:
                send_unconfirmed(made.handoffs, Ledger(made.table, _now), made.queue, alerts.log)
            finally:
                sweep(settings, settings.durable, made, alerts, invocation)
    if faulty is not None:
        raise faulty


def send_digests(made: Parts, alerts: AlertFunction, invocation: InvocationContext, *, complete: bool = True) -> None:
    """Queue the digests that are due; one of a destination that is no more goes to all others.

    ``complete`` says that every destination of the settings is known: else a digest waits for its own.

    Raises:
        StateError: the digests could not be read.
        QueueError: not all of them are queued; they will be again.
    """
    destinations = {route.destination.name: route.destination for route in alerts.routes}

    def send(alert: Alert, name: str) -> None:
        if name not in destinations and not (complete and destinations):
            raise QueueError(f"the settings are faulty, and the digest of {name} has to wait")
        chosen = [destinations[name]] if name in destinations else list(destinations.values())
        for outcome in made.durable.deliver(alert, chosen, invocation.remaining_ms):
            if isinstance(outcome, Undelivered):
                raise QueueError(outcome.reason)

    Digests(made.table, made.durable.now).send_due(send)


def _own_settings() -> tuple[Settings, SettingsError | None]:
    """What is sound in this process's settings, and what is not."""
    try:
        return from_environment(), None
    except SettingsError as error:
        return error.sound, error


def sweep(
    settings: Settings, durable: DurableSettings, made: Parts, alerts: AlertFunction, invocation: InvocationContext
) -> None:
    """Sweep the regions of this account, then the member accounts as far as there is time.

    Look-ups must be on: they keep the snapshots of what was reported.

    Raises:
        ExceptionGroup: some regions could not be swept; the others were.
    """
    if settings.enrichment is None:
        alerts.log.info("nothing is reconciled", reason="ENRICH is not set")
        return
    caller = aws_client("sts").get_caller_identity()
    own = str(caller["Account"])

    def reconciliation(account_id: str, client: ClientFactory) -> Reconciliation:
        return Reconciliation(
            account_id=account_id,
            snapshots=group_snapshots(durable.table),
            table=made.table,
            client=client,
            watch=settings.watch,
            alert_of=alerts.alert_of,
            seen=made.bursts.seen,
            send=lambda alert: alerts.announce(alert, invocation),
            log=alerts.log,
            now=_now,
        )

    try:
        sweep_regions(_own_regions(durable), reconciliation(own, aws_client).sweep, alerts.log)
    finally:
        if durable.accounts and settings.enrichment.role:
            arn = parse_arn(caller["Arn"])
            home = default_region() or ""  # Lambda sets it
            clients = AccountClients(fleet_clients(), home)
            role = settings.enrichment.role, settings.enrichment.external_id, arn.partition if arn else "aws"
            bus = f"arn:{role[2]}:events:{home}:{own}:event-bus/"
            MemberSweep(
                accounts=[account for account in durable.accounts if account != own],
                regions=durable.regions,
                home=home,
                enter=lambda account_id: clients.member(account_id, MemberRole(*role)),
                reconcile=lambda place, client: reconciliation(place.account_id, client).sweep(place.region),
                forwarders=_forwarders(settings, made, alerts, invocation, bus),
                turn=Turn(made.table),
                log=alerts.log,
            ).run(invocation.remaining_ms)


def _own_regions(durable: DurableSettings) -> Iterable[str]:
    if ALL_REGIONS not in durable.regions:
        return durable.regions
    errors: list[dict[str, Any]] = []
    found = opted_in(aws_client, default_region() or "", errors)
    if found is None:
        raise RegionsNotListed("; ".join(f"{error['call']}: {error['code']}" for error in errors))
    return found


def _forwarders(
    settings: Settings, made: Parts, alerts: AlertFunction, invocation: InvocationContext, bus: str
) -> MemberForwarders | None:
    """What looks at the members' forwarders; None where the function's name does not hold the stage."""
    stage = stage_of(function_name())
    if stage is None:
        return None
    rules = forwarder_rules(stage, settings.watch)
    return MemberForwarders(
        forwarding=Forwarding(rules, stage.forwarder_prefix, stage.forwarder_queue),
        bus_arn=f"{bus}{stage.fleet_bus}",
        table=made.table,
        failure=StateError,
        send=lambda alert: alerts.announce(alert, invocation),
        now=_now,
    )


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
