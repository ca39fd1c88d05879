"""The alert as a CloudEvent 1.0, structured: github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md."""

from __future__ import annotations

from typing import Any

from chalicelib.alert.model import Alert, format_time, to_json
from chalicelib.destinations.delivery_ids import delivery_id, group_key
from chalicelib.rendering.lines import value

CONTENT_TYPE = "application/cloudevents+json"


def event(alert: Alert) -> dict[str, Any]:
    """The event; ``source`` and ``id`` together are the same for every attempt at one alert."""
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": delivery_id(alert),
        "source": f"urn:sgwatch:{_part(alert.account.id)}:{_part(alert.region)}",
        "type": f"sgwatch.alert.v1.{alert.kind}",
        "subject": group_key(alert),
        "datacontenttype": "application/json",
        "data": to_json(alert),
    }
    if alert.occurred_at:
        document["time"] = format_time(alert.occurred_at)
    return document


def _part(text: str | None) -> str:
    """A part of a URN; nothing where it is not known or cannot stand in one."""
    shown = value(text or "", 60)
    return shown if shown.replace("-", "").isalnum() and shown.isascii() else ""
