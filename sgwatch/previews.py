"""What each kind of destination would be sent: the destination itself, with requests kept in place of sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

from chalicelib.alert.model import Alert
from chalicelib.destinations.contract import Tools
from chalicelib.destinations.http_door import HttpDoor, HttpResponse, encode_json
from chalicelib.functions.composition.alerting import builder_of
from chalicelib.settings.environment import read_settings
from chalicelib.settings.kinds import KINDS, DestinationKind


class Preview(NamedTuple):
    """One request: ``label`` is the kind with its format, ``payload`` what is sent, without address and secrets."""

    kind: DestinationKind
    label: str
    payload: Any


def previews(alert: Alert, wanted: str | None = None) -> Iterator[Preview]:
    """The alert as every kind of destination gets it, in each of its formats; or as the one that is wanted."""
    for kind in KINDS:
        if wanted in (None, kind.key):
            for form in _forms(kind):
                yield Preview(kind, f"{kind.title} ({form})" if form else kind.title, _sent(alert, kind, form))


def sample_settings(kind: DestinationKind, form: str | None = None) -> dict[str, str]:
    """Settings with which a destination of the kind can be made, of the examples in the table."""
    fields = {item.name: item for item in kind.fields}
    settings = {kind.variable(name): fields[name].example for name in kind.needs[0]}
    return {**settings, kind.variable("FORMAT"): form} if form else settings


def _forms(kind: DestinationKind) -> tuple[str | None, ...]:
    found = next((item.choices for item in kind.fields if item.name == "FORMAT"), ())
    return found or (None,)


def _sent(alert: Alert, kind: DestinationKind, form: str | None) -> Any:
    (configured,) = read_settings(sample_settings(kind, form)).destinations
    kept = _Kept()
    destination: Any = builder_of(kind.key)(configured.name, configured.values, Tools(kept.http, lambda *_: kept))
    if "now" in getattr(destination, "_fields", ()):
        # The time of the alert, so that the same alert gives the same preview.
        destination = destination._replace(now=lambda: alert.occurred_at or datetime.now(UTC))
    destination.send(alert)
    return kept.payload


class _Kept:
    """Keeps what a destination sends, over HTTP or through an AWS client."""

    def __init__(self) -> None:
        self.payload: Any = None
        self.http = _Door(self)
        self.meta = SimpleNamespace(region_name="eu-west-1")

    def publish(self, **request: Any) -> Mapping[str, Any]:
        """SNS."""
        self.payload = {name: _unpacked(value) for name, value in request.items()}
        return {"MessageId": "preview"}

    def put_events(self, **request: Any) -> Mapping[str, Any]:
        """EventBridge."""
        (entry,) = request["Entries"]
        self.payload = {name: _unpacked(value) for name, value in entry.items()}
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "preview"}]}

    def batch_import_findings(self, **request: Any) -> Mapping[str, Any]:
        """Security Hub."""
        (self.payload,) = request["Findings"]
        return {"FailedCount": 0}

    def get_caller_identity(self) -> Mapping[str, str]:
        """STS."""
        return {"Account": "123456789012", "Arn": "arn:aws:sts::123456789012:assumed-role/sgwatch/preview"}


class _Door(HttpDoor):
    def __init__(self, kept: _Kept) -> None:
        super().__init__()
        self._kept = kept

    def post_json(
        self,
        url: str,  # noqa: ARG002 - an address is a secret
        body: Any,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
        max_response_bytes: int | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        document = json.loads(body if isinstance(body, bytes) else encode_json(body))
        self._kept.payload = {name: item for name, item in document.items() if name != "routing_key"}
        return HttpResponse(200, b'{"ok":true,"ts":"1"}')


def _unpacked(value: Any) -> Any:
    """JSON inside of a text, as the object that it is."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value if isinstance(value, str | Mapping | list) else str(value)
    return json.loads(value)
