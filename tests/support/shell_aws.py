"""A shell in which ``aws`` is the real AWS CLI, kept loaded so that a call takes no second to start."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from awscli.clidriver import create_clidriver

# Sends its arguments to the process in which the CLI waits, and behaves as the CLI did there.
_SHIM = """#!{python} -IS
import json, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect({address!r})
connection.sendall(json.dumps(sys.argv[1:]).encode() + b"\\n")
answer = json.loads(connection.makefile().readline())
sys.stdout.write(answer["out"])
sys.stderr.write(answer["err"])
sys.exit(answer["code"])
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a script left behind."""

    code: int
    out: str
    err: str


class AwsShell:
    """Runs POSIX shell scripts against an endpoint; one call of ``aws`` at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {**environment, "AWS_PAGER": "", "AWS_CONFIG_FILE": "/nonexistent"}
        self._folder = tempfile.TemporaryDirectory(prefix="aws-")
        self._socket = socket.socket(socket.AF_UNIX)
        address = str(Path(self._folder.name) / "socket")
        self._socket.bind(address)
        self._socket.listen()
        shim = Path(self._folder.name) / "aws"
        shim.write_text(_SHIM.format(python=sys.executable, address=address))
        shim.chmod(0o755)
        self._drivers: dict[tuple[str, ...], Any] = {}
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def path(self) -> str:
        """A ``PATH`` on which ``aws`` is this CLI."""
        return f"{self._folder.name}:{os.environ['PATH']}"

    def close(self) -> None:
        """Stop serving."""
        self._socket.close()
        self._folder.cleanup()

    def aws(self, *arguments: str) -> Ran:
        """One call without a shell."""
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        with _environ(self._environment), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = self._driver(arguments).main(list(arguments))
            except SystemExit as exit_:
                code = int(exit_.code or 0)
        return Ran(code, _text(out), _text(err))

    def _driver(self, arguments: Sequence[str]) -> Any:
        """The CLI for one command: some commands leave things behind that break others."""
        command = tuple(arguments[:2])
        if command not in self._drivers:
            self._drivers[command] = create_clidriver()
        return self._drivers[command]

    def run(self, commands: Sequence[str]) -> Ran:
        """The commands as one script, which stops at the first that fails."""
        script = "\n".join(["set -e", *commands])
        ended = subprocess.run(
            ["/bin/sh", "-c", script],
            env={"PATH": self.path, "HOME": self._folder.name},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rw") as stream:
                ran = self.aws(*json.loads(stream.readline()))
                stream.write(json.dumps({"code": ran.code, "out": ran.out, "err": ran.err}) + "\n")


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()


@contextlib.contextmanager
def _environ(values: Mapping[str, str]) -> Iterator[None]:
    former = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(former)
