"""Golden files: what the code makes, kept as plain files for a ``git diff`` to review."""

from __future__ import annotations

import os
from pathlib import Path

GOLDENS = Path(__file__).parent.parent / "goldens"


def check_golden(name: Path, text: str) -> None:
    """The text is that of the file; UPDATE_GOLDENS=1 writes the file instead."""
    path = GOLDENS / name
    if os.environ.get("UPDATE_GOLDENS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing: run the test once with UPDATE_GOLDENS=1 and review what it wrote"
    kept = path.read_text(encoding="utf-8")
    lines, kept_lines = text.splitlines(), kept.splitlines()
    other = [f"+ {line}" for line in lines if line not in kept_lines] or [f"- {line}" for line in kept_lines]
    assert text == kept, f"{name} is not as made, beginning with {other[:5]}: UPDATE_GOLDENS=1 writes it, for a review"
