"""A stage's environment variables in .chalice/config.json, changed without touching anything else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG = Path(".chalice", "config.json")


class StageError(Exception):
    """The file or the stage is not there, or cannot be read; the text says which."""


def check(path: Path, stage: str) -> None:
    """Make sure that the file tells of the stage, before anything is made for it.

    Raises:
        StageError: it does not, or cannot be read.
    """
    _variables(_read(path), path, stage)


def wire(path: Path, stage: str, variables: Mapping[str, str | None]) -> tuple[str, ...]:
    """Set these variables of a stage, or take away those that are None; gives the names of what changed.

    Raises:
        StageError: that cannot be done.
    """
    document = _read(path)
    present = _variables(document, path, stage)
    changed = tuple(name for name, value in variables.items() if present.get(name) != value)
    for name in changed:
        value = variables[name]
        if value is None:
            present.pop(name, None)
        else:
            present[name] = value
    if changed:
        _write(path, document)
    return changed


def _variables(document: Mapping[str, Any], path: Path, stage: str) -> dict[str, str]:
    stages = document.get("stages")
    if not isinstance(stages, dict) or stage not in stages:
        there = f"it has {', '.join(stages)}" if isinstance(stages, dict) and stages else "it has none"
        raise StageError(f'"{stage}" is not a stage of {path}; {there}')
    variables: dict[str, str] = stages[stage].setdefault("environment_variables", {})
    return variables


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StageError(f"{path} cannot be read: run this where app.py is") from error
    except ValueError as error:
        raise StageError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise StageError(f"{path} is not a JSON object")
    return document


def _write(path: Path, document: Mapping[str, Any]) -> None:
    # Beside it and then in its place, so that nobody finds half a file.
    beside = path.with_suffix(".json.new")
    beside.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(path)
