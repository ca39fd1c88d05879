"""The heartbeat: one POST after each completed audit, so that somebody learns when sgwatch itself is gone.

Its silence is the alarm, at a service that expects it, such as healthchecks: https://healthchecks.io/docs/http_api/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from chalicelib.destinations.contract import DeliveryError
from chalicelib.destinations.http_door import HttpDoor, error_for, is_success
from chalicelib.settings.secrets import SecretError


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """``url`` looks the address up; it is a secret."""

    http: HttpDoor
    url: Callable[[], str]

    def ping(self, *, broken: bool, body: Mapping[str, Any]) -> str | None:
        """Ping, ``/fail`` when something is broken; why it did not work, None where it did."""
        try:
            url = self.url()
            response = self.http.post_json(failure_url(url) if broken else url, body)
            if not is_success(response.status):
                raise error_for(response)
        except (SecretError, DeliveryError) as error:
            return str(error)
        return None


def failure_url(url: str) -> str:
    """The URL with ``/fail`` behind its path; what follows the path stays."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
