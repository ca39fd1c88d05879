"""EC2 on loopback that answers at once what moto answered before: so only the caller's time is measured."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import requests
from moto.server import ThreadedMotoServer


class _Ec2Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    moto = ""
    group = ""
    known: dict[str, bytes] = {}  # noqa: RUF012 - one server in one process
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        action = parse_qs(body.decode())["Action"][0]
        with self.lock:
            if action not in self.known:
                self.known[action] = self._ask(body)
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(self.known[action])))
        self.end_headers()
        self.wfile.write(self.known[action])

    def _ask(self, body: bytes) -> bytes:
        """moto's answer about the group that moto has; its id is not ours to choose."""
        existing = requests.post(self.moto, data=_DESCRIBE, headers=_HEADERS, timeout=10).text
        real = existing.partition("<groupId>")[2].partition("<")[0]
        asked = body.replace(self.group.encode(), real.encode())
        answer = requests.post(self.moto, data=asked, headers=_HEADERS, timeout=10)
        answer.raise_for_status()
        return answer.content.replace(real.encode(), self.group.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


_DESCRIBE = "Action=DescribeSecurityGroups&Version=2016-11-15"
_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20261123/eu-west-1/ec2/aws4_request",
}


@contextmanager
def ec2_answers(group_id: str) -> Iterator[str]:
    """Its address; a group with this id is there."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    _Ec2Handler.moto, _Ec2Handler.group = f"http://{host}:{port}/", group_id
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ec2Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        moto.stop()
