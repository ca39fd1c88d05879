"""A real HTTP server on loopback that answers as its script says and keeps what it was sent."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CERTIFICATE = Path(__file__).parent.parent / "data" / "tls" / "self-signed.pem"


@dataclass(frozen=True, slots=True)
class Answer:
    """One scripted answer; ``drip`` sends its bytes one at a time, that many seconds apart; ``hang`` sends nothing."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0
    hang: bool = False
    garbage: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """The server's address, the answers to come (the last one repeats) and what arrived."""

    url: str
    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    requests: list[Request] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def will(self, *answers: Answer) -> None:
        """Set the script."""
        self.answers = list(answers)


@contextmanager
def receiver(*, tls: bool = False, client_certificate: bool = False) -> Iterator[Receiver]:
    """A running receiver on a free port; with ``client_certificate`` it takes only who shows its own certificate."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        if client_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    found = Receiver(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = _handler(found)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients hang up on purpose here
    thread = threading.Thread(target=_serve, args=(server, found.closing), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.closing.set()
        # It waits for a request: a connection without one ends that sooner than any timeout.
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", server.server_port), timeout=1).close()
        thread.join(5)
        server.server_close()


def _serve(server: ThreadingHTTPServer, closing: threading.Event) -> None:
    while not closing.is_set():
        server.handle_request()


def _handler(found: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            self._give(answer)

        def _give(self, answer: Answer) -> None:
            if answer.hang:
                found.closing.wait(20)
                return
            if answer.garbage:
                self.wfile.write(b"\x00\x01 not HTTP at all\r\n\r\n")
                return
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for start in range(0, len(answer.body), 1 if answer.drip else 65_536):
                self.wfile.write(answer.body[start : start + (1 if answer.drip else 65_536)])
                if answer.drip and found.closing.wait(answer.drip):
                    return

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    return Handler
