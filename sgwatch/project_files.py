"""The project's own JSON files: .chalice/config.json and what lies beside it, read and written whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG = Path(".chalice", "config.json")


class StageError(ValueError):
    """The stage or its files are not there, or cannot be read; the text says which and what to do."""


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        StageError: there is none, with what is wrong and where.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StageError(f"{path} cannot be read: run this where app.py is, or make one with sgwatch init") from error
    except ValueError as error:
        raise StageError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise StageError(f"{path} is not a JSON object")
    return document


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write the file whole: beside it first and then in its place, so that nobody finds half a file."""
    beside = path.with_suffix(".json.new")
    beside.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(path)


def stage_of_config(document: dict[str, Any], path: Path, stage: str) -> dict[str, Any]:
    """The part of a config.json that is about this stage, to be changed in place.

    Raises:
        StageError: there is no such stage.
    """
    stages = document.get("stages")
    if not isinstance(stages, dict) or not isinstance(stages.get(stage), dict):
        there = f"it has {', '.join(stages)}" if isinstance(stages, dict) and stages else "it has none"
        raise StageError(f'"{stage}" is not a stage of {path}; {there}')
    found: dict[str, Any] = stages[stage]
    return found
