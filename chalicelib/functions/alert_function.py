"""One event, from its envelope to its delivery: records, alerts, filters, destinations, and the verdict.

Whatever the event holds, it ends in an alert, in a logged suppression, or in an exception that
makes AWS try again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from chalicelib.alert.build import alert_of, is_watched, not_a_record, not_of_our_rule
from chalicelib.alert.filters import Condition, ConditionFailed, Filter
from chalicelib.alert.model import Alert, AlertKind
from chalicelib.cloudtrail.records import RecordError, text, unwrap
from chalicelib.delivery.decision import GateDecision
from chalicelib.delivery.direct import Delivered, HandoverResult, NotDecided, NotDelivered, OnRetry, Queued, Undelivered
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.destinations.contract import DeliveryError, Destination
from chalicelib.named_tuple import NamedTuple
from chalicelib.observability import metrics as names
from chalicelib.observability.logs import ALERT_QUEUED, ALERT_SENT, ALERT_SUPPRESSED, DELIVERY_FAILED, Log
from chalicelib.observability.metrics import Metrics
from chalicelib.security_groups.changes import NotWatched
from chalicelib.settings.model import Settings, SettingsError
from chalicelib.state.errors import StateError

if TYPE_CHECKING:
    from chalicelib.delivery.alert_archive import AlertArchive
    from chalicelib.delivery.digest import HoldingGate
    from chalicelib.delivery.gate import Gate

_HELD_BACK = {GateDecision.FOLD: names.ALERTS_FOLDED, GateDecision.SILENCE: names.ALERTS_SUPPRESSED}


class Route(NamedTuple):
    """A destination and which alerts it wants; ``resolves`` says that its service has incidents to be closed."""

    destination: Destination
    filter: Filter
    resolves: bool = False


class Deliverer(Protocol):
    """Gets an alert to its destinations, at once (delivery/direct.py) or through the queue (delivery/durable.py)."""

    def deliver(
        self,
        alert: Alert,
        destinations: Iterable[Destination],
        remaining_ms: Callable[[], float],
        on_retry: OnRetry,
        *,
        only_resolves: bool = False,
    ) -> tuple[HandoverResult, ...]:
        """Say what became of the alert at each destination, in their order.

        With ``only_resolves`` it opens nothing there, and closes what it ends.
        """


class AlertFunction(NamedTuple):
    """The alert function; one instance lives as long as its container.

    ``gate`` may hold an alert back, ``holding`` for a destination's digest, and ``kept`` keeps what can be undone; all
    three are durable delivery's.
    """

    routes: tuple[Route, ...]
    ignore_when: Condition | None
    faults: tuple[str, ...]
    direct: Deliverer
    log: Log
    metrics: Metrics
    now: Callable[[], datetime]
    gate: Gate | None = None
    kept: AlertArchive | None = None
    holding: HoldingGate | None = None
    alert_of: Callable[[Mapping[str, Any]], Alert] = alert_of

    def handle(self, document: object, invocation: InvocationContext) -> None:
        """Alert on every record in the event; raises what ``send_all`` raises."""
        self.send_all(self.alerts(document, self.log.bind(request_id=invocation.request_id)), invocation)

    def send_all(self, alerts: Iterable[Alert], invocation: InvocationContext) -> None:
        """Deliver each alert to its destinations.

        Raises:
            NotDelivered: an alert did not reach a destination.
            SettingsError: all that is sound was done, but the settings have faults.
        """
        log = self.log.bind(request_id=invocation.request_id)
        failures: list[tuple[str, Undelivered]] = []
        for alert in alerts:
            outcomes = self._send(alert, invocation, log.bind(**_identity(alert)))
            failures += [(alert.id, outcome) for outcome in outcomes if isinstance(outcome, Undelivered)]
        for fault in self.faults:
            log.error("settings are faulty", fault=fault)
        if self.faults:
            self.metrics.emit(names.SETTINGS_FAULTS, len(self.faults))
        if failures:
            raise NotDelivered(failures)
        if self.faults:
            raise SettingsError(self.faults, Settings())

    def announce(self, alert: Alert, invocation: InvocationContext) -> None:
        """Send one alert that is about no event of this invocation.

        Raises:
            NotDelivered: it did not reach a destination.
        """
        outcomes = self._send(alert, invocation, self.log.bind(**_identity(alert)))
        failures = [(alert.id, outcome) for outcome in outcomes if isinstance(outcome, Undelivered)]
        if failures:
            raise NotDelivered(failures)

    def alerts(self, document: object, log: Log) -> Iterator[Alert]:
        """The alert of each record in the event."""
        found = False
        try:
            for raw in unwrap(document):
                found = True
                try:
                    alert = self.alert_of(raw)
                except NotWatched as error:
                    log.info("record is not watched", event_id=text(raw.get("eventID")), reason=str(error))
                    if is_watched(raw):
                        self.metrics.emit(names.RECORDS_NOT_ALERTED)
                    else:
                        yield not_of_our_rule(raw)
                else:
                    yield alert
        except (RecordError, RecursionError) as error:
            yield not_a_record(document, str(error))
            return
        if not found:
            yield not_a_record(document, "the event holds no CloudTrail record")

    def _send(self, alert: Alert, invocation: InvocationContext, log: Log) -> tuple[HandoverResult, ...]:
        def on_retry(destination: str, error: DeliveryError, wait: float) -> None:
            log.warning("delivery failed, trying again", destination=destination, reason=error.reason, seconds=wait)

        ignored = self._ignored(alert, log)
        wanted = [] if ignored else self.wanted(alert, log)
        try:
            if self.holding is None or ignored:
                wanted = self._past_gate(alert, wanted, log)
            else:
                wanted = self._held_or_past_gate(alert, wanted, self.holding, log)
        except NotDecided as error:
            return (Undelivered("the burst it belongs to", 1, str(error), permanent=False),)
        outcomes = self.direct.deliver(alert, wanted, invocation.remaining_ms, on_retry)
        # An incident that was opened is closed by whatever ends it, however mild, unwanted or silenced that is.
        if ending := self._ended_at(alert, wanted):
            outcomes += self.direct.deliver(alert, ending, invocation.remaining_ms, on_retry, only_resolves=True)
        for outcome in outcomes:
            self._record(alert, outcome, log)
        if alert.kind is AlertKind.NOT_UNDERSTOOD:
            log.warning("record was not understood", unknowns=[item.text for item in alert.unknowns])
            self.metrics.emit(names.NOT_UNDERSTOOD)
        self.keep(alert, log)
        return outcomes

    def _ended_at(self, alert: Alert, wanted: Container[Destination]) -> list[Destination]:
        """The destinations with incidents that the alert is not sent to, and may end one of."""
        others = [each.destination for each in self.routes if each.resolves and each.destination not in wanted]
        if not others:
            return []
        from chalicelib.destinations.delivery_ids import may_resolve  # noqa: PLC0415 - where a service has incidents

        return others if may_resolve(alert) else []

    def keep(self, alert: Alert, log: Log) -> None:
        """Keep what can be undone, after it was handed over: that must not wait for it."""
        if self.kept is None or not alert.undo.commands:
            return
        try:
            self.kept.keep(alert, unless_kept=True)
        except StateError as error:
            log.warning("alert could not be kept for undoing it", reason=str(error))

    def _ignored(self, alert: Alert, log: Log) -> bool:
        try:
            ignored = self.ignore_when is not None and self.ignore_when.holds(alert)
        except ConditionFailed as error:
            log.warning("condition failed, sending", setting="IGNORE_WHEN", reason=str(error))
            return False
        if ignored:
            log.info(ALERT_SUPPRESSED, by="IGNORE_WHEN", severity=alert.severity)
            self.metrics.emit(names.ALERTS_SUPPRESSED)
        return ignored

    def _past_gate(self, alert: Alert, wanted: list[Destination], log: Log) -> list[Destination]:
        if self.gate is None:
            return wanted
        if not wanted:
            self.gate.record_unwanted(alert, log)
            return wanted
        decision = self.gate.check(alert, log)
        if decision is GateDecision.SEND:
            return wanted
        self.metrics.emit(_HELD_BACK[decision])
        return []

    def _held_or_past_gate(
        self, alert: Alert, wanted: list[Destination], holding: HoldingGate, log: Log
    ) -> list[Destination]:
        due = holding.due(alert, {each.name for each in wanted})
        at_once = [each for each in wanted if each.name not in due]
        if due and self.gate is not None and self.gate.silenced(alert, log):
            self.metrics.emit(names.ALERTS_SUPPRESSED)
            return []
        # What is held does not open a burst, and is not folded.
        at_once = self._past_gate(alert, at_once, log)
        unheld = holding.hold(alert, due, log) if due else []
        return [*at_once, *(each.destination for each in self.routes if each.destination.name in unheld)]

    def wanted(self, alert: Alert, log: Log) -> list[Destination]:
        """The destinations that want this alert, as their filters say."""
        return [route.destination for route in self.routes if self._wants(route, alert, log)]

    def _wants(self, route: Route, alert: Alert, log: Log) -> bool:
        name = route.destination.name
        try:
            refusal = route.filter.refusal(alert)
        except ConditionFailed as error:
            log.warning("condition failed, sending", setting="WHEN", destination=name, reason=str(error))
            return True
        if refusal is not None and not (self.holding is not None and self.holding.takes(name, refusal)):
            log.info(ALERT_SUPPRESSED, by=refusal, destination=name, severity=alert.severity)
            self.metrics.emit(names.ALERTS_SUPPRESSED, destination=name)
        return refusal is None

    def _record(self, alert: Alert, outcome: HandoverResult, log: Log) -> None:
        log = log.bind(destination=outcome.destination, attempts=outcome.attempts)
        match outcome:
            case Undelivered():
                log.error(DELIVERY_FAILED, reason=outcome.reason, permanent=outcome.permanent)
                self.metrics.emit(names.DELIVERY_FAILURES, destination=outcome.destination)
            case Delivered(attempts=0):
                log.info("alert was sent before")
            case Queued():
                log.info(ALERT_QUEUED, severity=alert.severity)
            case Delivered():
                log.info(ALERT_SENT, severity=alert.severity, reference=outcome.receipt.reference)
                self.metrics.emit(names.ALERTS_SENT, destination=outcome.destination)
                self._time(alert, outcome.destination)

    def _time(self, alert: Alert, destination: str) -> None:
        if alert.occurred_at is not None:
            seconds = max(0.0, (self.now() - alert.occurred_at).total_seconds())
            self.metrics.emit(names.SECONDS_TO_DELIVERY, round(seconds, 3), destination)


def _identity(alert: Alert) -> dict[str, object]:
    return {
        "event_id": alert.id,
        "account": alert.account.id,
        "region": alert.region,
        "event_name": alert.event.name,
        "title": alert.title,
    }
