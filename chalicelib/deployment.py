"""The functions that are deployed and what invokes each: the one list that the app and the audit of it share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.cloudtrail.catalog import EventGroup, event_pattern, mending_pattern, own_tamper_pattern, tamper_pattern
from chalicelib.named_tuple import NamedTuple

ALERT_ON_CHANGE = "alert_on_change"
ALERT_ON_TAMPERING = "alert_on_tampering"
ALERT_ON_OWN_TAMPERING = "alert_on_own_tampering"
AUDIT_ON_MENDING = "audit_on_mending"
AUDIT_ON_SCHEDULE = "audit_on_schedule"
DELIVER = "deliver"
# How many executions of it Lambda runs at most: `maximum_concurrency` of its event source mapping.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html#events-sqs-max-concurrency
DELIVER_CONCURRENCY = 20
RECONCILE = "reconcile"
HANDLERS = (
    ALERT_ON_CHANGE,
    ALERT_ON_TAMPERING,
    ALERT_ON_OWN_TAMPERING,
    AUDIT_ON_MENDING,
    AUDIT_ON_SCHEDULE,
    DELIVER,
    RECONCILE,
)
# Lambda gets their events asynchronously and once: what they fail on for good is lost unless it is kept. A schedule's
# next event does what the last one could not, and a queue keeps its messages itself.
WITH_EVENTS = (ALERT_ON_CHANGE, ALERT_ON_TAMPERING, ALERT_ON_OWN_TAMPERING, AUDIT_ON_MENDING)
# Handler → what the rule is called that forwards its events from another region or account (infra/forwarder.yaml).
FORWARDED: Mapping[str, str] = {
    ALERT_ON_CHANGE: "changes",
    ALERT_ON_TAMPERING: "tampering",
    ALERT_ON_OWN_TAMPERING: "own-tampering",
    AUDIT_ON_MENDING: "mending",
}
# In place of a pattern: a queue invokes it, and no rule.
NO_RULE: Mapping[str, Any] = {}


class Stage(NamedTuple):
    """What a stage's functions are called: Chalice names each ``<app>-<stage>-<handler>``."""

    prefix: str

    @property
    def name(self) -> str:
        """The stage's own name."""
        return self.prefix.removesuffix("-").partition("-")[2]

    def function(self, handler: str) -> str:
        """The name of the function with this handler."""
        return f"{self.prefix}{handler}"

    def forwarder_rule(self, handler: str) -> str:
        """The name of the rule that forwards this handler's events from another region or account."""
        return f"{self.forwarder_prefix}{FORWARDED[handler]}"

    @property
    def forwarder_prefix(self) -> str:
        """How the names of a forwarder's rules begin."""
        return f"{self.prefix}forward-"

    @property
    def forwarder_queue(self) -> str:
        """The name of a forwarder's dead-letter queue."""
        return f"{self.prefix}forward-failed"

    @property
    def fleet_bus(self) -> str:
        """The name of the event bus that other accounts send to (infra/central-bus.yaml)."""
        return f"{self.prefix}fleet"


def stage_of(function_name: str) -> Stage | None:
    """The stage that a function belongs to; None for a name that Chalice did not give."""
    for handler in HANDLERS:
        if function_name.endswith(f"-{handler}"):
            return Stage(function_name.removesuffix(handler))
    return None


def change_groups(watch: Iterable[EventGroup]) -> tuple[EventGroup, ...]:
    """The groups of ``WATCH`` that are about security groups."""
    return tuple(group for group in watch if group is not EventGroup.TAMPER)


def rules(watch: Iterable[EventGroup]) -> Mapping[str, Mapping[str, Any] | None]:
    """Handler → the pattern of its EventBridge rule, None for the schedule's."""
    watched = tuple(watch)
    found: dict[str, Mapping[str, Any] | None] = {}
    if change_groups(watched):
        found[ALERT_ON_CHANGE] = event_pattern(change_groups(watched))
    if EventGroup.TAMPER in watched:
        found[ALERT_ON_TAMPERING] = tamper_pattern()
        found[ALERT_ON_OWN_TAMPERING] = own_tamper_pattern()
        found[AUDIT_ON_MENDING] = mending_pattern()
    found[AUDIT_ON_SCHEDULE] = None
    return found


def forwarder_rules(stage: Stage, watch: Iterable[EventGroup]) -> Mapping[str, Mapping[str, Any]]:
    """The rules of a forwarder: name → pattern. They match what the stage's own rules match."""
    return {stage.forwarder_rule(handler): pattern for handler, pattern in rules(watch).items() if pattern}


def own_rules(
    stage: Stage, watch: Iterable[EventGroup], *, durable: bool = False
) -> Mapping[str, Mapping[str, Any] | None]:
    """The same by the functions' names, with those of durable delivery: an empty pattern means that it has no rule."""
    wanted = {**rules(watch), **({DELIVER: NO_RULE, RECONCILE: None} if durable else {})}
    return {stage.function(handler): pattern for handler, pattern in wanted.items()}


def dead_letter_queues(stage: Stage) -> tuple[str, ...]:
    """The names of durable delivery's dead-letter queues, as infra/durable.yaml makes them."""
    return f"{stage.prefix}undelivered.fifo", f"{stage.prefix}failed-events"


def durable_alarms(stage: Stage) -> tuple[str, ...]:
    """The names of durable delivery's alarms, as infra/durable.yaml makes them."""
    return tuple(f"{stage.prefix}{name}" for name in ("undelivered", "failed-events", "backlog", "deliver-errors"))
