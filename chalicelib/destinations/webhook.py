"""A webhook of one's own: the alert's JSON, signed as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from chalicelib.alert.model import Alert, to_json
from chalicelib.destinations.contract import DeliveryError, Receipt, Tools
from chalicelib.destinations.delivery_ids import delivery_id
from chalicelib.destinations.http_door import HttpDoor, encode_json, error_for, is_success
from chalicelib.named_tuple import NamedTuple


class Body(NamedTuple):
    """What is posted."""

    content: bytes
    content_type: str = "application/json"


SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of such secrets


def payload(alert: Alert) -> dict[str, Any]:
    """The alert, version 1."""
    return to_json(alert)


def signing_key(secret: str) -> bytes:
    """The key in a ``whsec_…`` secret; the prefix and the padding of the base64 may be missing.

    Raises:
        ValueError: it holds no key. The text does not repeat it.
    """
    encoded = secret.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError(f"a webhook secret is {SECRET_PREFIX} and base64 behind it")
    return key


def signing_keys(secrets: str) -> tuple[bytes, ...]:
    """The keys of one secret, or of two with a blank between: the new one first, while receivers change over.

    Raises:
        ValueError: there is none, or one holds no key.
    """
    found = tuple(signing_key(each) for each in secrets.split())
    if not 1 <= len(found) <= 2:
        raise ValueError("a webhook has one secret, or two with a blank between while one replaces the other")
    return found


# Ours, or HTTP's own.
_RESERVED = frozenset(
    {"content-length", "host", "transfer-encoding", "connection", "webhook-id", "webhook-timestamp"}
    | {"webhook-signature"}
)


def parse_headers(text: str) -> dict[str, str]:
    """The headers in ``Name: value; Name: value``; a value may hold semicolons of its own.

    Raises:
        ValueError: it is not that. The text does not repeat a value, which is a secret.
    """
    found: dict[str, str] = {}
    for part in re.split(r";\s*(?=[A-Za-z0-9-]+:\s)", text.strip().rstrip(";")):
        name, colon, value = part.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not re.fullmatch(r"[A-Za-z0-9-]{1,100}", name) or not re.fullmatch(r"[ -~]+", value):
            raise ValueError("headers are written Name: value, with semicolons between (the values are not shown)")
        if name.lower() in _RESERVED:
            raise ValueError(f"the header {name} is not for you to set: remove it")
        found[name] = value
    return found


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` header, scheme v1."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Webhook(NamedTuple):
    """Posts alerts to a URL; without a secret they go unsigned. ``encode`` makes the body and its content type."""

    name: str
    url: str
    secret: str | None
    http: HttpDoor
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    encode: Callable[[Alert, datetime], Body] = lambda alert, _: Body(encode_json(payload(alert)))
    headers: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"Webhook(name={self.name!r})"

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert; any 2xx is a delivery, and its answer is not read.

        Raises:
            DeliveryError: it was not delivered.
        """
        message_id, now = delivery_id(alert), self.now()
        body = self.encode(alert, now)
        headers = {"Content-Type": body.content_type, **self.headers, **self._signed(message_id, now, body.content)}
        response = self.http.post_json(self.url, body.content, headers)
        if not is_success(response.status):
            raise error_for(response)
        return Receipt(message_id)

    def _signed(self, message_id: str, now: datetime, body: bytes) -> dict[str, str]:
        timestamp = int(now.timestamp())
        headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
        if self.secret is None:
            return headers
        signed = " ".join(signature(key, message_id, timestamp, body) for key in self._keys())
        return {**headers, "webhook-signature": signed}

    def _keys(self) -> tuple[bytes, ...]:
        try:
            return signing_keys(self.secret or "")
        except ValueError as error:
            reason = str(error)
        raise DeliveryError(reason, permanent=True)


def build(name: str, values: Mapping[str, str], tools: Tools) -> Webhook:
    """The destination of these settings."""
    headers = parse_headers(values["HEADERS"]) if "HEADERS" in values else {}
    resolved = {header: _resolved(value, tools.secret) for header, value in headers.items()}
    http = tools.http.showing(values["CLIENT_CERTIFICATE"]) if "CLIENT_CERTIFICATE" in values else tools.http
    return Webhook(name, values["URL"], values.get("SECRET"), http, encode=_encoder(values, tools), headers=resolved)


def _resolved(value: str, secret: Callable[[str], str]) -> str:
    """A header's value with the reference looked up that it is, or ends with: ``Bearer ssm:/sgwatch/prod/token``."""
    scheme, blank, last = value.rpartition(" ")
    return f"{scheme}{blank}{secret(last)}"


def _encoder(values: Mapping[str, str], tools: Tools) -> Callable[[Alert, datetime], Body]:
    """What makes the body: the template, else the format. Each is imported where it is used."""
    if "TEMPLATE" in values:
        from chalicelib.alert.filters import compile_condition  # noqa: PLC0415

        template = compile_condition(values["TEMPLATE"])
        return lambda alert, _: Body(_built(template.value(alert)))
    if values["FORMAT"] == "cloudevents":
        from chalicelib.destinations import cloudevents  # noqa: PLC0415

        return lambda alert, _: Body(encode_json(cloudevents.event(alert)), cloudevents.CONTENT_TYPE)
    if values["FORMAT"] == "ocsf":
        from chalicelib.destinations import ocsf  # noqa: PLC0415

        return lambda alert, now: Body(encode_json(ocsf.event(alert, now, tools.runbook(alert))))
    return lambda alert, _: Body(encode_json(payload(alert)))


def _built(document: object) -> bytes:
    if not isinstance(document, dict | list) or not document:
        raise DeliveryError("WEBHOOK_TEMPLATE makes no object or list of this alert", permanent=True)
    return encode_json(document)
