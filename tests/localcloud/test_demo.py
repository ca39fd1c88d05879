"""`sgwatch demo` as a newcomer runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

COMMAND = (sys.executable, "-m", "sgwatch", "demo")
ALERTS = 7


def environment(temporary: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return own | {"PYTHONPATH": str(Path.cwd()), "TMPDIR": str(temporary), "COLUMNS": "120"}


def test_every_alert_of_the_story_arrives_and_nothing_is_left(tmp_path: Path) -> None:
    result = subprocess.run(
        COMMAND, env=environment(tmp_path), capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("✔") == 2 * ALERTS, "each step once in the story and once in the summary"
    assert "✘" not in result.stdout
    assert 'ALARM: "security-group-changes"' in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_inbox_page_has_the_alerts_of_the_story_and_none_of_its_deployment(tmp_path: Path) -> None:
    process = subprocess.Popen([*COMMAND, "--keep"], env=environment(tmp_path), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        stays = next(line for line in process.stdout if "stays at" in line)
        (page,) = re.findall(r"http://\S+", stays)
        with urlopen(f"{page}/messages") as answer:
            messages = json.load(answer)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    alerts = [item for item in messages if item["service"] == "webhook"]
    assert len(alerts) == ALERTS, [item["title"] for item in alerts]
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []
