"""Loopback HTTP servers that leave nothing open when they are stopped."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

# WSGI's own callable, as PEP 3333 has it.
StartResponse = Callable[..., Any]

LOOPBACK = "127.0.0.1"
BACKLOG = 128


class _QuietHandler(MotoRequestHandler):  # type: ignore[misc]  # moto ships no types for it
    """Serves without a line per request on the terminal."""

    protocol_version = "HTTP/1.1"
    # Headers and body are two small writes: with Nagle's algorithm the second waits for an acknowledgement.
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # werkzeug's name
        """Say nothing."""


class _LoopbackServer(ThreadedWSGIServer):
    """Knows its open connections, so that stopping closes those that clients keep alive."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, app: Callable[..., Any], port: int) -> None:
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        # werkzeug ends the whole program when a port is taken, unless it is given the socket.
        with socket.socket() as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((LOOPBACK, port))
            bound.listen(BACKLOG)
            super().__init__(LOOPBACK, bound.getsockname()[1], app, handler=_QuietHandler, fd=bound.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""

    def close_connections(self) -> None:
        with self._guard:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@dataclass(slots=True)
class HttpServer:
    """A WSGI application served on loopback in a thread of its own; port 0 takes a free one."""

    _server: _LoopbackServer
    _thread: threading.Thread

    @classmethod
    def start(cls, app: Callable[..., Any], port: int = 0) -> HttpServer:
        """Listen and serve."""
        server = _LoopbackServer(app, port)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True, name="localcloud-http")
        thread.start()
        return cls(server, thread)

    @property
    def url(self) -> str:
        """The address that clients are given."""
        return f"http://{LOOPBACK}:{self._server.port}"

    def stop(self) -> None:
        """Stop listening, end open connections, wait for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()
        self._thread.join(timeout=5)
