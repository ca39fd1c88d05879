"""The campaign's destinations, in a process of their own: they fail as told and keep what they took."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any

# The share of requests that fail in each way; TLS faults are the client's to have (worker.TLS_FAULTS).
FAULTS = (("hang", 0.05), ("reset", 0.05), ("429", 0.05), ("500", 0.07), ("slow", 0.025), ("404", 0.005))


class Took:
    """What was taken, in its order: destination, delivery, time, attempt, the groups that a follow-up names."""

    def __init__(self, seed: int, share: float, answer_seconds: float) -> None:
        self.seed = seed
        self.share = share
        self.answer_seconds = answer_seconds
        self.taken: list[tuple[str, str, float, str, list[str]]] = []
        self.faults: Counter[str] = Counter()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def fault(self, destination: str, delivery: str) -> str | None:
        """How this request fails: decided by the seed, the delivery and the attempt, not by the hour."""
        with self._lock:
            self._asked[destination, delivery] += 1
            attempt = self._asked[destination, delivery]
        digest = hashlib.sha256(f"{self.seed}/{destination}/{delivery}/{attempt}".encode()).digest()
        drawn = int.from_bytes(digest[:6], "big") / 2**48
        for name, share in FAULTS:
            drawn -= share * self.share
            if drawn < 0:
                with self._lock:
                    self.faults[name] += 1
                return name
        return None

    def take(self, destination: str, delivery: str, attempt: str, groups: list[str]) -> None:
        with self._lock:
            self.taken.append((destination, delivery, time.time(), attempt, groups))


def groups_in(alert: Mapping[str, Any]) -> list[str]:
    """The groups that a burst's follow-up names; none of any other alert."""
    if not str(alert.get("id")).startswith("burst-"):
        return []
    return [str(exposure["reason"]).split(":")[0].split()[0] for exposure in alert["exposures"]]


class _Handler(BaseHTTPRequestHandler):
    took: Took

    def do_POST(self) -> None:
        alert = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        (_, destination, attempt), delivery = self.path.split("/"), str(self.headers["webhook-id"])
        fault = self.took.fault(destination, delivery)
        if fault is None:
            time.sleep(self.took.answer_seconds)
            self.took.take(destination, delivery, attempt, groups_in(alert))
        self._answers()[fault or "200"]()

    def _answers(self) -> dict[str, Callable[[], None]]:
        return {"hang": self._hang, "reset": self._reset, "slow": self._drip} | {
            str(status): partial(self._answer, status) for status in (200, 404, 429, 500)
        }

    def _hang(self) -> None:
        time.sleep(4.0)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _answer(self, status: int) -> None:
        self.send_response(status)
        if status == 429:
            # Pauses of a second are what tests/chaos/test_storm.py is for; here they would be most of the time.
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def _drip(self) -> None:
        for each in b"HTTP/1.1 200 OK":
            self.wfile.write(bytes([each]))
            time.sleep(0.3)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


def _broken_tls() -> int:
    """A port that hangs up in the middle of every handshake."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            connection.recv(64)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up, as they should."""


def serve(pipe: Connection, seed: int, share: float, answer_seconds: float) -> None:
    """Serve until the pipe closes; say the ports first, and what was taken whenever asked."""
    took = Took(seed, share, answer_seconds)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"took": took}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipe.send((server.server_port, _broken_tls()))
    while True:
        try:
            question = pipe.recv()
        except EOFError:
            return
        if question == "sound":
            took.share = 0.0
        pipe.send(json.dumps({"taken": took.taken, "faults": took.faults}))
