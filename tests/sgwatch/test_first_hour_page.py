"""Every command of docs/first-hour.md, in its order, from a clone, with an AWS that takes its time."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.deployment import ROOT

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs" / "first-hour.md"
TIMEOUT_SECONDS, START_SECONDS, ALERT_SECONDS = 600, 120, 60
# A newer file than the virtual environment's stamp would have make install everything again.
INSTALLED_FROM = ("requirements.txt", "requirements-dev.txt", "constraints.txt", "pyproject.toml")


class Block(NamedTuple):
    """A fenced block of the page: ``sh`` is run, ``text`` is what the second terminal then shows."""

    kind: str
    lines: tuple[str, ...]


def blocks() -> list[Block]:
    found = re.findall(r"^```([^\n]*)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(kind, tuple(text.splitlines())) for kind, text in found]


class Terminals:
    """The two shells of the page, in a clone."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "sgwatch"
        self._shown = folder / "second-terminal"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(self.clone)], check=True)
        (self.clone / ".venv").symlink_to(Path(sys.prefix))
        for name in INSTALLED_FROM:
            os.utime(self.clone / name, (0, 0))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "COLUMNS": "80",
            "PYTHONPATH": str(self.clone),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SGWATCH_LOCAL_PORT": str(port),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(Path(sys.prefix) / "wheels"),
        }
        self._first = self._shell(subprocess.PIPE)
        self._second: subprocess.Popen[str] | None = None

    def _shell(self, out: int, script: str | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", *(["-c", script] if script else [])],
            cwd=self.clone,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, line: str) -> tuple[int, str]:
        """One command of the first terminal, in the one shell that lasts: its status and what it showed."""
        assert self._first.stdin is not None
        assert self._first.stdout is not None
        self._first.stdin.write(f"{{ {line}\n}} </dev/null\nprintf '\\n=== %d\\n' $?\n")
        self._first.stdin.flush()
        shown: list[str] = []
        for each in self._first.stdout:
            if each.startswith("=== "):
                return int(each[4:]), "".join(shown)
            shown.append(each)
        raise AssertionError("the shell ended: " + "".join(shown))

    def start_second(self, lines: tuple[str, ...]) -> None:
        with self._shown.open("w") as out:
            self._second = self._shell(out.fileno(), "\n".join((*lines[:-1], f"exec {lines[-1]}")))
        self.wait_for("The local cloud is up.", START_SECONDS)

    def wait_for(self, words: str, seconds: float) -> None:
        """Wait until the second terminal shows it."""
        until = time.monotonic() + seconds
        while words not in self._shown.read_text():
            assert time.monotonic() < until, f"{words!r} was not shown in:\n{self._shown.read_text()}"
            time.sleep(0.2)

    def close(self) -> None:
        for shell in filter(None, (self._second, self._first)):
            shell.terminate()
            shell.wait(30)


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("there is no git repository to clone")
    made = Terminals(tmp_path)
    yield made
    made.close()


def test_every_command_of_the_page_does_what_the_page_says(terminals: Terminals) -> None:
    for block in blocks():
        if block.kind == "sh second terminal":
            terminals.start_second(block.lines)
        elif block.kind == "sh":
            for line in block.lines:
                began = time.monotonic()
                status, shown = terminals.run(line)
                print(f"$ {line}   ({time.monotonic() - began:.1f} s)\n{shown}")
                wanted = re.search(r"# exits with (\d)", line)
                assert status == (int(wanted[1]) if wanted else 0), shown
        else:
            for line in block.lines:
                terminals.wait_for(line, ALERT_SECONDS)
    _, left = terminals.run("aws resourcegroupstaggingapi get-resources --query 'length(ResourceTagMappingList)'")
    print(left)
