"""Lambda entry points: read, call, raise."""

from __future__ import annotations

import gc
import sys
from typing import Any

# Modules make tens of thousands of objects, all of which stay: looking for garbage among them every 700 objects takes a
# twentieth of a cold start.
gc.set_threshold(50_000)

from chalice import Chalice, Rate
from chalice.app import CloudWatchEvent, SQSEvent

from chalicelib.delivery.invocation import InvocationContext
from chalicelib.deployment import (
    ALERT_ON_CHANGE,
    ALERT_ON_OWN_TAMPERING,
    ALERT_ON_TAMPERING,
    AUDIT_ON_MENDING,
    DELIVER_CONCURRENCY,
    rules,
)
from chalicelib.functions.composition import alerting as bootstrap
from chalicelib.settings.environment import delivery_queue, watched_groups

app = Chalice(app_name="sgwatch")

if "chalice.cli" in sys.modules:  # the command on the deploying machine; Lambda's bundle has no such module
    from chalicelib.settings.deploying import check_stage

    check_stage()
    try:
        from sgwatch.chalice_hooks import prepare_command
    except ImportError:  # the command line need not be there to deploy
        pass
    else:
        prepare_command()

RULES = rules(watched_groups())


class AnyEvent(CloudWatchEvent):  # type: ignore[misc]
    """Whatever JSON the function is invoked with.

    Chalice's own class raises KeyError where a key of EventBridge's envelope is missing, before any of
    our code runs; an input transformer on the rule's target is enough to get there.
    """

    def _extract_attributes(self, event_dict: object) -> None:
        pass


def invocation_of(event: AnyEvent) -> InvocationContext:
    """What Lambda says of the invocation."""
    context: Any = event.context
    return InvocationContext(context.aws_request_id, context.get_remaining_time_in_millis)


if CHANGES := RULES.get(ALERT_ON_CHANGE):

    @app.on_cw_event(CHANGES)  # type: ignore[untyped-decorator]
    def alert_on_change(event: AnyEvent) -> None:
        """Alert on each security group change in the event; raise what could not be done, so that AWS tries again."""
        bootstrap.alert_function().handle(event.to_dict(), invocation_of(event))

    alert_on_change.event_class = AnyEvent


if TAMPERING := RULES.get(ALERT_ON_TAMPERING):

    @app.on_cw_event(TAMPERING)  # type: ignore[untyped-decorator]
    def alert_on_tampering(event: AnyEvent) -> None:
        """Alert on what may weaken the alarm path or sgwatch itself, and say what the audit finds now."""
        from chalicelib.functions.composition import auditing as bootstrap_audit  # noqa: PLC0415 - boto3, which alerting on changes does without

        bootstrap_audit.guard().on_tampering(event.to_dict(), invocation_of(event))

    alert_on_tampering.event_class = AnyEvent

    @app.on_cw_event(RULES[ALERT_ON_OWN_TAMPERING])  # type: ignore[untyped-decorator]
    def alert_on_own_tampering(event: AnyEvent) -> None:
        """The same for calls on sgwatch's own functions, queues, parameters, secrets and roles."""
        from chalicelib.functions.composition import auditing as bootstrap_audit  # noqa: PLC0415

        bootstrap_audit.guard().on_tampering(event.to_dict(), invocation_of(event))

    alert_on_own_tampering.event_class = AnyEvent

    @app.on_cw_event(RULES[AUDIT_ON_MENDING])  # type: ignore[untyped-decorator]
    def audit_on_mending(event: AnyEvent) -> None:
        """Audit at once after a call that may have mended the alarm path."""
        from chalicelib.functions.composition import auditing as bootstrap_audit  # noqa: PLC0415

        bootstrap_audit.guard().on_schedule(event.to_dict(), invocation_of(event))

    audit_on_mending.event_class = AnyEvent


@app.schedule(Rate(1, unit=Rate.HOURS))  # type: ignore[untyped-decorator]
def audit_on_schedule(event: AnyEvent) -> None:
    """Audit the alarm path; alert when its status changes, daily while it is broken, and when it recovers."""
    from chalicelib.functions.composition import auditing as bootstrap_audit  # noqa: PLC0415

    bootstrap_audit.guard().on_schedule(event.to_dict(), invocation_of(event))


audit_on_schedule.event_class = AnyEvent


if QUEUE := delivery_queue():

    @app.on_sqs_message(queue=QUEUE, batch_size=1, maximum_concurrency=DELIVER_CONCURRENCY)  # type: ignore[untyped-decorator]
    def deliver(event: SQSEvent) -> object:
        """Deliver the queued alerts; the answer names those that are to be tried again."""
        from chalicelib.functions.composition import durable_delivery as bootstrap_durable  # noqa: PLC0415 - for this function alone

        # One at a time, so that a slow destination holds up nobody else's alert in the same batch.
        return bootstrap_durable.deliver_function().handle(event.to_dict(), invocation_of(event))

    @app.schedule(Rate(1, unit=Rate.HOURS))  # type: ignore[untyped-decorator]
    def reconcile(event: CloudWatchEvent) -> None:
        """Compare the live rules with the snapshots and alert on drift; once a day, report what silences held back."""
        from chalicelib.functions.composition import reconciling  # noqa: PLC0415 - for this function alone

        reconciling.reconcile(invocation_of(event))
