"""The command line against the local cloud, and the alerts in its inbox."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from localcloud import LocalCloud

ROOT = Path(__file__).parents[2]
Alert = dict[str, Any]


def sgwatch(cloud: LocalCloud, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The real command line against the local cloud, in the folder of a project."""
    here = {"PATH": os.defpath, "HOME": "/nonexistent", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "sgwatch", *arguments],
        env={**here, **cloud.environment()},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def alert_in(payload: Any) -> Alert:
    """The alert in what a webhook got; one that says nothing where it is none."""
    found: Alert = payload.get("data", payload) if isinstance(payload, dict) else {}
    return found if "event" in found else {"event": {"name": None}, "title": "", "kind": ""}
