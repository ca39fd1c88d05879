"""The Lambda Runtime API for one function process.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import queue
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.servers import HttpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NEXT = "/2018-06-01/runtime/invocation/next"
INVOCATION = "/2018-06-01/runtime/invocation/"
INIT_ERROR = "/2018-06-01/runtime/init/error"


@dataclass(frozen=True, slots=True)
class Work:
    """One event on its way into a function process."""

    request_id: str
    payload: bytes
    function_arn: str
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class RuntimeAnswer:
    """What the process said of an event: its result, or the error that it raised."""

    request_id: str | None
    payload: bytes
    failed: bool


@dataclass(slots=True)
class RuntimeApi:
    """Hands events to one process and takes its answers. ``ready`` holds an item once it asked for work."""

    answers: queue.Queue[RuntimeAnswer] = field(default_factory=queue.Queue)
    ready: queue.Queue[float] = field(default_factory=queue.Queue)
    _work: queue.Queue[Work | None] = field(default_factory=queue.Queue)
    _server: HttpServer | None = None

    def start(self) -> str:
        """Listen; returns what the process finds in ``AWS_LAMBDA_RUNTIME_API``."""
        self._server = HttpServer.start(self)
        return self._server.url.removeprefix("http://")

    def submit(self, work: Work) -> None:
        """Give the process its next event."""
        self._work.put(work)

    def stop(self) -> None:
        """End a waiting request and stop listening."""
        self._work.put(None)
        if self._server is not None:
            self._server.stop()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve the runtime client."""
        path = environ["PATH_INFO"]
        if path == NEXT:
            return self._next(start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if path == INIT_ERROR:
            self.answers.put(RuntimeAnswer(None, body, failed=True))
        elif path.startswith(INVOCATION):
            request_id, _, kind = path.removeprefix(INVOCATION).partition("/")
            self.answers.put(RuntimeAnswer(request_id, body, failed=kind == "error"))
        return _answer(start_response, "202 Accepted", [], b'{"status":"OK"}')

    def _next(self, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.ready.put(time.monotonic())
        work = self._work.get()
        if work is None:
            return _answer(start_response, "410 Gone", [], b"{}")
        headers = [
            ("Lambda-Runtime-Aws-Request-Id", work.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(work.deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", work.function_arn),
            ("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0"),
        ]
        return _answer(start_response, "200 OK", headers, work.payload)


def _answer(start_response: Callable[..., Any], status: str, headers: Any, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers])
    return [body]


def error_payload(error_type: str, message: str) -> bytes:
    """An error in the form in which Lambda answers one."""
    return json.dumps({"errorMessage": message, "errorType": error_type}).encode()
