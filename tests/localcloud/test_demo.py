"""`sgwatch demo` as a newcomer runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_every_alert_of_the_story_arrives_and_nothing_is_left(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"PYTHONPATH": str(Path.cwd()), "TMPDIR": str(tmp_path), "COLUMNS": "120"}
    result = subprocess.run(
        [sys.executable, "-m", "sgwatch", "demo"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("✔") == 14, "each step once in the story and once in the summary"
    assert "✘" not in result.stdout
    assert 'ALARM: "security-group-changes"' in result.stdout
    assert list(tmp_path.iterdir()) == []
