"""A stage in the project's own files: its settings in .chalice/config.json, and where it was deployed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.aws.arns import parse_arn
from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.deployment import Stage, own_rules
from chalicelib.settings.environment import delivery_queue, watched_groups
from chalicelib.settings.model import DurableSettings, SettingsError
from chalicelib.settings.stage import stage_variables
from sgwatch.project_files import CONFIG, StageError, read_json, stage_of_config, write_json


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
    config = read_json(project / CONFIG)
    stage_of_config(config, project / CONFIG, name)
    variables = stage_variables(config, name)
    try:
        watch = watched_groups(variables)
    except SettingsError as error:
        raise StageError(f"stage {name}: {error}") from error
    stage = Stage(f"{config.get('app_name')}-{name}-")
    queue = delivery_queue(variables)
    durable = DurableSettings(queue, variables["STATE_TABLE"]) if queue is not None else None
    region = deployed_region(name, project)
    return DeployedStage(stage, tuple(watch), durable, region, variables)


def check(path: Path, stage: str) -> None:
    """Make sure that the file has the stage, before anything is made for it.

    Raises:
        StageError: it does not, or cannot be read.
    """
    _variables(read_json(path), path, stage)


def wire(path: Path, stage: str, variables: Mapping[str, str | None]) -> tuple[str, ...]:
    """Set these variables of a stage, or take away those that are None; gives the names of what changed.

    Raises:
        StageError: that cannot be done.
    """
    document = read_json(path)
    present = _variables(document, path, stage)
    changed = tuple(name for name, value in variables.items() if present.get(name) != value)
    for name in changed:
        value = variables[name]
        if value is None:
            present.pop(name, None)
        else:
            present[name] = value
    if changed:
        write_json(path, document)
    return changed


def deployed_file(stage: str, project: Path) -> Path:
    """What ``chalice deploy`` wrote down of a stage; only the machine that deployed has it."""
    return project / CONFIG.parent / "deployed" / f"{stage}.json"


def deployed_region(stage: str, project: Path) -> str | None:
    """Where ``chalice deploy`` put the functions, as it wrote down; None where nothing was deployed from here.

    Raises:
        StageError: what it wrote down cannot be read.
    """
    path = deployed_file(stage, project)
    if not path.exists():
        return None
    for resource in read_json(path).get("resources") or ():
        arn = parse_arn(resource.get("lambda_arn"))
        if arn is not None:
            return arn.region
    return None


def _variables(document: dict[str, Any], path: Path, stage: str) -> dict[str, str]:
    variables: dict[str, str] = stage_of_config(document, path, stage).setdefault("environment_variables", {})
    return variables
