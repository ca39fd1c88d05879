"""Lambda entry points: read, call, raise."""

from __future__ import annotations

from typing import Any

from chalice import Chalice, Rate
from chalice.app import CloudWatchEvent, SQSEvent

from chalicelib import bootstrap
from chalicelib.catalog import EventGroup, event_pattern
from chalicelib.handling import Invocation
from chalicelib.settings import delivery_queue, watched_groups

app = Chalice(app_name="sgwatch")

CHANGES = event_pattern(group for group in watched_groups() if group is not EventGroup.TAMPER)


class AnyEvent(CloudWatchEvent):  # type: ignore[misc]
    """Whatever JSON the function is invoked with.

    Chalice's own class raises KeyError where a key of EventBridge's envelope is missing, before any of
    our code runs; an input transformer on the rule's target is enough to get there.
    """

    def _extract_attributes(self, event_dict: object) -> None:
        pass


@app.on_cw_event(CHANGES)  # type: ignore[untyped-decorator]
def alert_on_change(event: AnyEvent) -> None:
    """Alert on each security group change in the event; raise what could not be done, so that AWS tries again."""
    context: Any = event.context
    invocation = Invocation(context.aws_request_id, context.get_remaining_time_in_millis)
    bootstrap.alert_function().handle(event.to_dict(), invocation)


alert_on_change.event_class = AnyEvent


if QUEUE := delivery_queue():

    @app.on_sqs_message(queue=QUEUE, batch_size=1)  # type: ignore[untyped-decorator]
    def deliver(event: SQSEvent) -> object:
        """Deliver the queued alerts; the answer names those that are to be tried again."""
        from chalicelib import bootstrap_durable  # noqa: PLC0415 - for this function alone

        # One at a time, so that a slow destination holds up nobody else's alert in the same batch.
        context: Any = event.context
        invocation = Invocation(context.aws_request_id, context.get_remaining_time_in_millis)
        return bootstrap_durable.deliver_function().handle(event.to_dict(), invocation)

    @app.schedule(Rate(1, unit=Rate.HOURS))  # type: ignore[untyped-decorator]
    def reconcile(event: CloudWatchEvent) -> None:
        """Compare the live rules with what was told, and tell what was not."""
        from chalicelib import bootstrap_durable  # noqa: PLC0415 - for this function alone

        context: Any = event.context
        bootstrap_durable.reconcile(Invocation(context.aws_request_id, context.get_remaining_time_in_millis))
