"""The command line against the local cloud, and the alerts in its inbox."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from localcloud import LocalCloud
from tests.support import command_line
from tests.support.command_line import BASE, ROOT

Alert = dict[str, Any]


def sgwatch(cloud: LocalCloud, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The command line against the local cloud, in the folder of a project."""
    done = command_line.sgwatch(*arguments, folder=folder, environ=BASE | cloud.environment())
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def alert_in(payload: Any) -> Alert:
    """The alert in what a webhook got; one that says nothing where it is none."""
    found: Alert = payload.get("data", payload) if isinstance(payload, dict) else {}
    return found if "event" in found else {"event": {"name": None}, "title": "", "kind": ""}
