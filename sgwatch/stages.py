"""A stage in the project's own files: its settings in .chalice/config.json, and where it was deployed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.aws.arns import parse_arn
from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.deployment import Stage, own_rules
from chalicelib.settings.environment import delivery_queue, watched_groups
from chalicelib.settings.model import DurableSettings, SettingsError

CONFIG = Path(".chalice", "config.json")


class StageError(ValueError):
    """The stage or its files are not there, or cannot be read; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class DeployedStage:
    """``region`` is None where nothing was deployed from here."""

    stage: Stage
    watch: tuple[EventGroup, ...]
    durable: DurableSettings | None
    region: str | None
    variables: Mapping[str, str]

    @property
    def functions(self) -> Mapping[str, Mapping[str, Any] | None]:
        """The functions by name, each with its rule's pattern."""
        return own_rules(self.stage, self.watch, durable=self.durable is not None)


def deployed_stage(name: str, project: Path) -> DeployedStage:
    """The stage ``name`` of the project in this folder.

    Raises:
        StageError: there is no such stage, or its files cannot be read.
    """
    config = _read(project / ".chalice" / "config.json")
    stages = config.get("stages") or {}
    if name not in stages:
        raise StageError(
            f'"{name}" is not a stage of {project / ".chalice" / "config.json"}; it has {", ".join(stages)}'
        )
    variables = {**(config.get("environment_variables") or {}), **(stages[name].get("environment_variables") or {})}
    try:
        watch = watched_groups(variables)
    except SettingsError as error:
        raise StageError(f"stage {name}: {error}") from error
    stage = Stage(f"{config.get('app_name')}-{name}-")
    queue = delivery_queue(variables)
    durable = DurableSettings(queue, variables["STATE_TABLE"]) if queue is not None else None
    region = _region(project / ".chalice" / "deployed" / f"{name}.json")
    return DeployedStage(stage, tuple(watch), durable, region, variables)


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


def _region(path: Path) -> str | None:
    """Where ``chalice deploy`` put the functions, as it wrote down."""
    if not path.exists():
        return None
    for resource in _read(path).get("resources") or ():
        arn = parse_arn(resource.get("lambda_arn"))
        if arn is not None:
            return arn.region
    return None


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


def _variables(document: Mapping[str, Any], path: Path, stage: str) -> dict[str, str]:
    stages = document.get("stages")
    if not isinstance(stages, dict) or stage not in stages:
        there = f"it has {', '.join(stages)}" if isinstance(stages, dict) and stages else "it has none"
        raise StageError(f'"{stage}" is not a stage of {path}; {there}')
    variables: dict[str, str] = stages[stage].setdefault("environment_variables", {})
    return variables


def _write(path: Path, document: Mapping[str, Any]) -> None:
    # Beside it and then in its place, so that nobody finds half a file.
    beside = path.with_suffix(".json.new")
    beside.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(path)
