"""``python -m sgwatch`` in a process of its own, forked from one in which its modules are loaded already.

Starting Python and importing a command takes half a second of a core, and two for the local cloud's; a fork takes
a hundredth. What is about the start itself (Ctrl-C, imports, limits of memory) starts a real process instead.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.command_server import LENGTH, NUMBER, receive

ROOT = Path(__file__).parents[2]
# What the user who runs the tests has set is not seen.
BASE = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
TIMEOUT_SECONDS = 120.0
START_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class _Server:
    process: subprocess.Popen[bytes]
    connection: socket.socket

    def close(self) -> None:
        self.connection.close()
        self.process.wait(10)

    def run(self, request: Mapping[str, object], streams: Sequence[int]) -> int:
        """The status of the process that the request leads to; below zero the signal that ended it."""
        sent = json.dumps(request).encode()
        socket.send_fds(self.connection, [LENGTH.pack(len(sent))], streams)
        self.connection.sendall(sent)
        self.connection.settimeout(START_SECONDS)
        (process,) = NUMBER.unpack(receive(self.connection, NUMBER.size))
        self.connection.settimeout(TIMEOUT_SECONDS)
        try:
            (status,) = NUMBER.unpack(receive(self.connection, NUMBER.size))
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            receive(self.connection, NUMBER.size)
            raise
        return int(status)


@cache
def _server() -> _Server:
    here, there = socket.socketpair()
    with there:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.command_server", str(there.fileno())],
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**BASE, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    server = _Server(process, here)
    atexit.register(server.close)
    return server


def sgwatch(
    *words: str, stdin: bytes = b"", stdout: int | None = None, folder: Path = ROOT, environ: Mapping[str, str] = BASE
) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end; ``stdout`` is a descriptor to write to in place of what is returned."""
    request = {"words": words, "folder": str(folder), "environment": dict(environ)}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        streams = [given.fileno(), out.fileno() if stdout is None else stdout, err.fileno()]
        status = _server().run(request, streams)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(["sgwatch", *words], status, out.read(), err.read())
