"""A stage as the project's own files tell of it: the region and the settings that it was deployed with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.aws.arns import parse_arn
from chalicelib.deployment import Stage, dead_letter_queues, own_rules
from chalicelib.settings.environment import delivery_queue, watched_groups
from chalicelib.settings.model import SettingsError


class StageError(ValueError):
    """What the files tell of the stage is not enough; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """``functions`` by name, each with its rule's pattern; ``region`` is None where nothing was deployed from here."""

    functions: Mapping[str, Mapping[str, Any] | None]
    queues: tuple[str, ...]
    region: str | None
    variables: Mapping[str, str]


def deployed_stage(name: str, project: Path) -> Deployed:
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
    durable = delivery_queue(variables) is not None
    functions = own_rules(stage, watch, durable=durable)
    queues = dead_letter_queues(stage) if durable else ()
    return Deployed(functions, queues, _region(project / ".chalice" / "deployed" / f"{name}.json"), variables)


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
