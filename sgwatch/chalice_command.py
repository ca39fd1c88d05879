"""``chalice deploy`` as a part of ``sgwatch deploy``: run in the project, and tried again where AWS asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from chalicelib.aws.clients import THROTTLED
from sgwatch.terminal import note

# The console script, by the interpreter that runs this.
CHALICE = "import sys; from chalice.cli import main; sys.exit(main())"
# What is over by itself, as Chalice's tracebacks name it; everything that Chalice makes it makes again or leaves alone.
PASSING = (*THROTTLED, "ResourceInUseException", "ResourceConflictException", "ConcurrentModification")
ATTEMPTS = 5
# Each twice as long as the one before: others may use up what AWS allows an account for minutes.
PAUSE_SECONDS = 10.0
SHOWN_LINES = 12


class ChaliceError(Exception):
    """``chalice deploy`` failed; the text is the end of what it said."""


# Runs `chalice deploy` for a stage of a project in an environment; gives its status and what it printed.
Runner = Callable[[Path, str, Mapping[str, str]], tuple[int, list[str]]]


def chalice_deploy(
    project: Path,
    stage: str,
    environment: Mapping[str, str] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    run: Runner | None = None,
) -> None:
    """Deploy a stage; each line that Chalice prints goes to standard output.

    Raises:
        ChaliceError: it did not end well.
    """
    for attempt in range(1, ATTEMPTS + 1):
        status, lines = (run or _run)(
            project, stage, {**os.environ, **(environment or {}), "PYTHONDONTWRITEBYTECODE": "1"}
        )
        if status == 0:
            return
        text = "\n".join(lines)
        passing = next((code for code in PASSING if code in text), None)
        if passing is None or attempt == ATTEMPTS:
            raise ChaliceError("\n".join(lines[-SHOWN_LINES:]))
        pause = PAUSE_SECONDS * 2 ** (attempt - 1)
        note(f"chalice deploy: {passing}; trying again in {pause:.0f} s …")
        sleep(pause)


def _run(project: Path, stage: str, environment: Mapping[str, str]) -> tuple[int, list[str]]:
    command = [sys.executable, "-c", CHALICE, "deploy", "--stage", stage, "--connection-timeout", "60"]
    lines = []
    with subprocess.Popen(  # noqa: S603 - this interpreter
        command,
        cwd=project,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                note(f"  {lines[-1]}")
        except BaseException:
            process.terminate()  # Chalice writes down at its end what it made; a second run finds what is there
            raise
    return process.returncode, lines
