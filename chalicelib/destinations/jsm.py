"""Jira Service Management: an alert of its operations, by an API integration's key.

https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v1/api-group-integration-events/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from chalicelib.alert.model import Alert, Severity
from chalicelib.destinations.contract import Receipt, Tools
from chalicelib.destinations.delivery_ids import incident_key, is_recovery
from chalicelib.destinations.http_door import error_for, is_success
from chalicelib.destinations.incidents import Incident, IncidentBook
from chalicelib.destinations.outline import plain_outline
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.lines import headline, value
from chalicelib.text import clip

# https://support.atlassian.com/jira-service-management-cloud/docs/what-are-alert-fields/
MAX_MESSAGE = 130
MAX_DESCRIPTION = 15_000
MAX_TAG = 50

_PRIORITIES = {
    Severity.CRITICAL: "P1",
    Severity.HIGH: "P2",
    Severity.MEDIUM: "P3",
    Severity.LOW: "P4",
    Severity.INFO: "P5",
}


def payload(alert: Alert, runbook: str | None = None) -> dict[str, Any]:
    """The alert to create; its alias keeps a repeated one from being a second alert."""
    group = alert.security_group
    return {
        "message": clip(headline(alert), MAX_MESSAGE)[0],
        "alias": incident_key(alert),
        # Counted in UTF-16 by who counts so: a plane-1 character is two.
        "description": plain_outline(alert, MAX_DESCRIPTION // 2, runbook),
        "priority": _PRIORITIES[alert.severity],
        "source": "sgwatch",
        "entity": value((group and (group.id or group.name)) or "alarm path"),
        "tags": [clip(tag, MAX_TAG)[0] for tag in ("sgwatch", alert.severity.value, alert.kind.value)],
        "details": dict(_details(alert)),
    }


class Jsm(NamedTuple):
    """Creates alerts with an integration's API key, and closes them when what they say is reverted or recovers."""

    name: str
    api_key: str
    api_url: str
    tools: Tools
    incidents: IncidentBook

    def __repr__(self) -> str:
        return f"Jsm(name={self.name!r})"

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert; the receipt's reference is its alias.

        Raises:
            DeliveryError: it was not delivered.
        """
        if is_recovery(alert):
            return self.resolve(alert)
        body = payload(alert, self.tools.runbook(alert))
        return self.incidents.send(alert, lambda: self._post("", body, body["alias"]), self._closing(alert))

    def resolve(self, alert: Alert) -> Receipt:
        """Close what an alert ends, and create nothing.

        Raises:
            DeliveryError: not all of it was closed.
        """
        close = self._closing(alert)
        if not is_recovery(alert):
            return self.incidents.resolve(alert, close)
        close(incident_key(alert))
        return Receipt(incident_key(alert))

    def _closing(self, alert: Alert) -> Callable[..., None]:
        def close(alias: str, _: Incident | None = None) -> None:
            body = {"source": "sgwatch", "note": clip(headline(alert), 1_000)[0]}
            self._post(f"/{quote(alias, safe='')}/close?identifierType=alias", body, alias)

        return close

    def _post(self, path: str, body: Mapping[str, Any], alias: str) -> Receipt:
        headers = {"Authorization": f"GenieKey {self.api_key}"}
        response = self.tools.http.post_json(f"{self.api_url}/v2/alerts{path}", body, headers)
        if not is_success(response.status):
            raise error_for(response)
        return Receipt(alias)


def build(name: str, values: Mapping[str, str], tools: Tools) -> Jsm:
    """The destination of these settings."""
    return Jsm(name, values["API_KEY"], values["API_URL"], tools, IncidentBook(name, tools.table))


def _details(alert: Alert) -> Iterator[tuple[str, str]]:
    named = {
        "account": alert.account.id,
        "region": alert.region,
        "event": alert.event.name,
        "event id": alert.event.id,
        "principal": alert.principal and alert.principal.name,
    }
    yield from ((name, value(text)) for name, text in named.items() if text)
