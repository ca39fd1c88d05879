"""Golden files: what the code makes, kept as plain files for a ``git diff`` to review."""

from __future__ import annotations

import os
from difflib import unified_diff
from itertools import islice
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
    hint = "UPDATE_GOLDENS=1 writes it, for a review"
    assert text == kept, f"{name} is not as made, beginning with {_first_differences(kept, text)}: {hint}"


def _first_differences(kept: str, text: str) -> list[str]:
    lines = unified_diff(kept.splitlines(), text.splitlines(), n=0, lineterm="")
    return list(islice((line for line in lines if not line.startswith(("---", "+++", "@@"))), 5))
