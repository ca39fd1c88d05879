"""How long an alert to ten slow destinations takes, as a multiple of the time that one of them takes to answer."""

from __future__ import annotations

import json
import statistics
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.warm_alert import record
from chalicelib.alert.build import alert_of
from chalicelib.delivery.direct import Delivered, Direct
from chalicelib.destinations.http_door import HttpDoor
from chalicelib.destinations.slack import Slack

LATENCY = 0.3
DESTINATIONS = 10
TARGET = 1.1
ROUNDS = 7


class _Slow(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(LATENCY)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 64


def measure(url: str, destinations: int) -> list[float]:
    """The seconds of each round for one alert to so many destinations, all of which take it."""
    alert = alert_of(record(1))
    door = HttpDoor()
    wanted = [Slack(f"slack.{number}", url, door) for number in range(destinations)]
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        outcomes = Direct().deliver(alert, wanted, lambda: 60_000.0)
        taken.append(time.perf_counter() - begun)
        if not all(isinstance(outcome, Delivered) for outcome in outcomes):
            raise RuntimeError(json.dumps([str(outcome) for outcome in outcomes]))
    return taken


def main() -> int:
    """Measure, print, and say by the exit status whether the target is met."""
    server = _Server(("127.0.0.1", 0), _Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/services/T0/B0/x"
        measure(url, 1)  # imports requests
        ratios = [seconds / LATENCY for seconds in measure(url, DESTINATIONS)]
    finally:
        server.shutdown()
        server.server_close()
    ratio = statistics.median(ratios)
    print(
        f"fan-out to {DESTINATIONS} destinations that answer after {LATENCY * 1000:.0f} ms: {ratio:.2f} × of that "
        f"({min(ratios):.2f} to {max(ratios):.2f}; at most {TARGET}: {'met' if ratio <= TARGET else 'MISSED'})"
    )
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
