"""A webhook of one's own: the alert's JSON, signed as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chalicelib.alert.model import Alert, to_json
from chalicelib.destinations.contract import DeliveryError, Receipt
from chalicelib.destinations.delivery_ids import delivery_id
from chalicelib.destinations.http_door import HttpDoor, encode_json, error_for, is_success

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


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` header, scheme v1."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts alerts to a URL; without a secret they go unsigned."""

    name: str
    url: str = field(repr=False)
    secret: str | None = field(repr=False)
    http: HttpDoor = field(repr=False)
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert; any 2xx is a delivery, and its answer is not read.

        Raises:
            DeliveryError: it was not delivered.
        """
        message_id = delivery_id(alert)
        body = encode_json(payload(alert))
        response = self.http.post_json(self.url, body, self._headers(message_id, body))
        if not is_success(response.status):
            raise error_for(response)
        return Receipt(message_id)

    def _headers(self, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(self.now().timestamp())
        headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
        if self.secret is None:
            return headers
        return {**headers, "webhook-signature": signature(self._key(), message_id, timestamp, body)}

    def _key(self) -> bytes:
        try:
            return signing_key(self.secret or "")
        except ValueError as error:
            reason = str(error)
        raise DeliveryError(reason, permanent=True)
