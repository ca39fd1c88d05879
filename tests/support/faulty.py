"""An endpoint between a client and the local cloud that lets chosen calls fail as AWS lets them fail."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from localcloud.servers import HttpServer

Refusal = tuple[int, str]
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
DENIED: Refusal = (403, "UnauthorizedOperation")
THROTTLED: Refusal = (503, "RequestLimitExceeded")
NOT_FOUND: Refusal = (400, "InvalidGroup.NotFound")
BROKEN: Refusal = (500, "InternalError")


@dataclass(slots=True)
class FaultyEndpoint:
    """Forwards to ``target``; ``refusals`` and ``delays`` (seconds) are by EC2 action; ``asked`` is what came."""

    target: str
    refusals: dict[str, Refusal] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self) -> HttpServer:
        """Listen on loopback."""
        return HttpServer.start(self)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        action = urllib.parse.parse_qs(body.decode()).get("Action", [environ["PATH_INFO"]])[0]
        with self._lock:
            self.asked.append(action)
        time.sleep(self.delays.get(action, 0.0))
        if action in self.refusals:
            status, code = self.refusals[action]
            start_response(f"{status} Refused", [("Content-Type", "text/xml")])
            error = f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
            return [error.encode()]
        status, kept, answer = self._forward(environ, body)
        start_response(f"{status} Answered", kept)
        return [answer]

    def _forward(self, environ: dict[str, Any], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        headers = {
            key[5:].replace("_", "-").title(): value for key, value in environ.items() if key.startswith("HTTP_")
        }
        headers["Content-Type"] = environ.get("CONTENT_TYPE", "")
        request = urllib.request.Request(self.target + environ["PATH_INFO"], body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, [("Content-Type", answer.headers["Content-Type"])], answer.read()
        except urllib.error.HTTPError as error:
            return error.code, [("Content-Type", error.headers["Content-Type"])], error.read()
