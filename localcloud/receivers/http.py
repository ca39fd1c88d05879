"""Requests and replies of the receivers, and the rate limits that services put on a caller."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(slots=True)
class Limiter:
    """Lets through ``rate`` requests a second for a key, after a burst."""

    rate: float = 1.0
    burst: int = 1
    _tokens: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refused_for(self, key: str) -> float:
        """Zero where the request may pass, else the seconds to wait."""
        now = time.monotonic()
        with self._lock:
            tokens, at = self._tokens.get(key, (float(self.burst), now))
            tokens = min(float(self.burst), tokens + (now - at) * self.rate)
            if tokens < 1:
                self._tokens[key] = (tokens, now)
                return (1 - tokens) / self.rate
            self._tokens[key] = (tokens - 1, now)
            return 0.0


Limits = dict[str, Limiter]


def limiter_scope() -> Limits:
    """No limits yet; each service makes its own at first use."""
    return {}


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a receiver."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    limits: Limits

    @classmethod
    def of(cls, environ: Mapping[str, Any], limits: Limits) -> Request:
        """Read a WSGI request whole."""
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        }
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        return cls(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers, body, limits)

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answers."""

    status: int
    body: str | dict[str, Any]
    headers: tuple[tuple[str, str], ...] = ()

    def send(self, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a WSGI request."""
        kind = "text/plain" if isinstance(self.body, str) else "application/json"
        raw = (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()
        headers = [("Content-Type", kind), ("Content-Length", str(len(raw))), *self.headers]
        start_response(f"{self.status} {HTTPStatus(self.status).phrase}", headers)
        return [raw]
