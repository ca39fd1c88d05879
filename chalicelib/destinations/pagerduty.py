"""PagerDuty: Events API version 2. https://developer.pagerduty.com/docs/send-alert-event ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.alert.model import Alert, Severity, format_time, to_json
from chalicelib.destinations.contract import Receipt, Tools
from chalicelib.destinations.delivery_ids import incident_key, is_recovery
from chalicelib.destinations.http_door import error_for, is_success
from chalicelib.destinations.incidents import Incident, IncidentBook
from chalicelib.destinations.outline import CUTS, outline
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.lines import headline, value
from chalicelib.rendering.shrink import shrink
from chalicelib.text import clip

MAX_SUMMARY = 1_024
# 512 KB in all; the alert goes along whole where it fits.
MAX_DETAILS = 400_000

_SEVERITIES = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "info",
    Severity.INFO: "info",
}


def payload(alert: Alert, runbook: str | None = None) -> dict[str, Any]:
    """The event without the routing key: one that resolves where the alarm path has recovered."""
    if is_recovery(alert):
        return resolution(incident_key(alert))
    group = alert.security_group
    links = outline(alert, CUTS[-1], runbook).links
    what: dict[str, Any] = {
        "summary": clip(headline(alert), MAX_SUMMARY)[0],
        "source": _source(alert),
        "severity": _SEVERITIES[alert.severity],
        "component": value((group and (group.id or group.name)) or "alarm path"),
        "class": value(alert.event.name or alert.kind),
        "custom_details": to_json(shrink(alert, MAX_DETAILS, "a PagerDuty event")),
    }
    if alert.account.id:
        what["group"] = value(alert.account.id)
    if alert.occurred_at:
        what["timestamp"] = format_time(alert.occurred_at)
    return {
        "event_action": "trigger",
        "dedup_key": incident_key(alert),
        "client": "sgwatch",
        "payload": what,
        "links": [{"href": link.url, "text": link.label} for link in links],
    }


def resolution(dedup_key: str) -> dict[str, Any]:
    """The event that resolves an incident, without the routing key."""
    return {"event_action": "resolve", "dedup_key": dedup_key}


class PagerDuty(NamedTuple):
    """Sends events to the service of a routing key; what it opens is resolved when it is reverted."""

    name: str
    routing_key: str
    api_url: str
    tools: Tools
    incidents: IncidentBook

    def __repr__(self) -> str:
        return f"PagerDuty(name={self.name!r})"

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert; the receipt's reference is the ``dedup_key``.

        Raises:
            DeliveryError: it was not delivered.
        """
        return self.incidents.send(alert, lambda: self._enqueue(self._event(alert)), self._close)

    def resolve(self, alert: Alert) -> Receipt:
        """Resolve what an alert ends, and open nothing.

        Raises:
            DeliveryError: not all of it was resolved.
        """
        if is_recovery(alert):
            return self._enqueue(self._event(alert))
        return self.incidents.resolve(alert, self._close)

    def _event(self, alert: Alert) -> dict[str, Any]:
        return payload(alert, self.tools.runbook(alert))

    def _close(self, dedup_key: str, _: Incident) -> None:
        self._enqueue(resolution(dedup_key))

    def _enqueue(self, event: Mapping[str, Any]) -> Receipt:
        body = {"routing_key": self.routing_key, **event}
        response = self.tools.http.post_json(f"{self.api_url}/v2/enqueue", body)
        if not is_success(response.status):
            raise error_for(response)
        return Receipt(event["dedup_key"])


def build(name: str, values: Mapping[str, str], tools: Tools) -> PagerDuty:
    """The destination of these settings."""
    return PagerDuty(name, values["ROUTING_KEY"], values["API_URL"], tools, IncidentBook(name, tools.table))


def _source(alert: Alert) -> str:
    where = [value(item) for item in (alert.account.name or alert.account.id, alert.region) if item]
    return " ".join(where) or "sgwatch"
