"""The composition root of the deliver function."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from chalicelib.alert.model import Alert
from chalicelib.aws.clients import ClientFactory, aws_client
from chalicelib.delivery.deliver import DeliverFunction, RetryPolicy
from chalicelib.delivery.direct import Undelivered
from chalicelib.delivery.envelope import BurstEnd
from chalicelib.delivery.event_source import EventSource
from chalicelib.delivery.follow_ups import follow_ups, unreadable
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.delivery.ledger import Ledger
from chalicelib.delivery.problems import Problems
from chalicelib.delivery.queue import QueueError
from chalicelib.delivery.turns import Turns
from chalicelib.destinations.contract import Destination
from chalicelib.functions.alert_function import AlertFunction
from chalicelib.functions.composition.alerting import assemble
from chalicelib.functions.composition.durable_parts import Parts, parts
from chalicelib.settings.environment import from_environment, function_name
from chalicelib.settings.model import Settings, SettingsError


def assemble_deliver(
    settings: Settings,
    function: str = "local",
    client: ClientFactory = aws_client,
    retry_policy: RetryPolicy | None = None,
    faults: tuple[str, ...] = (),
) -> DeliverFunction:
    """The deliver function of these settings, which must be those of durable delivery."""
    if settings.durable is None:
        raise ValueError("DELIVERY_QUEUE and STATE_TABLE are not set: nothing is delivered from a queue")
    made = parts(settings.durable, client)
    alerts = assemble(settings, faults, function, client)
    destinations = {route.destination.name: route.destination for route in alerts.routes}
    problems = Problems(made.table, made.durable, tuple(destinations.values()), _now)

    def announce(destination: str, reason: str, invocation: InvocationContext) -> None:
        problems.announce(destination, reason, invocation.remaining_ms)

    def end_burst(message: BurstEnd, invocation: InvocationContext) -> None:
        send_burst_end(message, invocation, made, alerts)

    return DeliverFunction(
        destinations=destinations,
        ledger=Ledger(made.table, _now),
        turns=Turns(made.table, _now),
        queue=made.queue,
        kept=made.kept,
        announce=announce,
        end_burst=end_burst,
        reports_failures=EventSource(lambda: client("lambda"), made.queue.arn, alerts.log).reports_failures,
        log=alerts.log,
        metrics=alerts.metrics,
        now=_now,
        retry_policy=retry_policy or RetryPolicy(),
    )


def send_burst_end(message: BurstEnd, invocation: InvocationContext, made: Parts, alerts: AlertFunction) -> None:
    """Queue what was folded, for each destination what that destination wants of it.

    Raises:
        StateError: what was folded could not be read.
        QueueError: not all of it is queued; what is will not be sent twice when it is queued again.
    """
    folded = made.bursts.end(message.burst, message.window)
    wanting = [(alert, alerts.wanted(alert, alerts.log)) for alert in folded.alerts]
    for route in alerts.routes:
        own = [alert for alert, wanted in wanting if route.destination in wanted]
        if alerts.holding is not None:
            own = alerts.holding.unheld(own, route.destination.name, alerts.log)
        for alert in follow_ups(own, message.window) if own else ():
            _queue(alert, route.destination, invocation, made)
            alerts.keep(alert, alerts.log)
        if folded.unreadable:
            # Whether the destination wants what cannot be read cannot be known.
            _queue(unreadable(folded.unreadable, message.window, message.due_at), route.destination, invocation, made)
    if folded.unreadable:
        alerts.log.error("folded alerts could not be read", ids=folded.unreadable[:20], count=len(folded.unreadable))
    if alerts.faults:
        raise QueueError("the settings are faulty, and a message for a destination that is not in them has to wait")
    made.handoffs.window_ended(message)


def _queue(alert: Alert, destination: Destination, invocation: InvocationContext, made: Parts) -> None:
    for outcome in made.durable.deliver(alert, [destination], invocation.remaining_ms):
        if isinstance(outcome, Undelivered):
            raise QueueError(outcome.reason)


@cache
def deliver_function() -> DeliverFunction:
    """The deliver function of this process; a destination with faulty settings is none, and its alerts wait.

    The alert function says loudly what is wrong with the settings.
    """
    try:
        return assemble_deliver(from_environment(), function_name())
    except SettingsError as error:
        return assemble_deliver(error.sound, function_name(), faults=error.faults)


def _now() -> datetime:
    return datetime.now(UTC)
