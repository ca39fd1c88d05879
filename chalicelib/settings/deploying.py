"""Refuses to deploy a stage whose settings have faults; imported by app.py under the ``chalice`` command alone.

Chalice imports app.py for every command of its own, and says which one only through click's context.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from chalicelib.named_tuple import NamedTuple
from chalicelib.settings.stage import stage_faults, stage_variables


class ChaliceCommand(NamedTuple):
    """What was asked of ``chalice``: ``deploy``, say, in this folder for this stage."""

    name: str
    project: str
    stage: str


def chalice_command() -> ChaliceCommand | None:
    """The command that runs; None where it is none of Chalice's."""
    context = click.get_current_context(silent=True)
    shared = context.find_root().obj if context is not None else None
    if context is None or not isinstance(shared, dict) or "project_dir" not in shared:
        return None
    name = context.command_path.rpartition(" ")[2]
    return ChaliceCommand(name, str(shared["project_dir"]), str(context.params.get("stage")))


def check_stage() -> None:
    """Check the settings of the stage that is being deployed, as they stand in config.json; of one packaged, warn.

    Raises:
        click.ClickException: ``chalice deploy`` was asked for a stage whose settings have faults; it lists them all.
    """
    asked = chalice_command()
    if asked is None or asked.name not in ("deploy", "package"):
        return
    faults = config_faults(_config(asked.project), asked.stage)
    if faults and asked.name == "deploy":
        raise click.ClickException(_listed(f"stage {asked.stage} was not deployed, its settings have faults", faults))
    if faults:
        click.echo(_listed(f"Warning: the settings of stage {asked.stage} have faults", faults), err=True)


def config_faults(config: Mapping[str, Any], stage: str) -> tuple[str, ...]:
    """The faults of a stage and of what its single functions have of their own, each once."""
    own = (config.get("stages") or {}).get(stage) or {}
    functions = [name for name, each in (own.get("lambda_functions") or {}).items() if "environment_variables" in each]
    places = (stage_variables(config, stage, name) for name in (None, *functions))
    return tuple(dict.fromkeys(fault for variables in places for fault in stage_faults(variables, stage)))


def _config(project: str) -> dict[str, Any]:
    # Chalice has read it before; what it could not read never gets here.
    found: dict[str, Any] = json.loads(Path(project, ".chalice", "config.json").read_text(encoding="utf-8"))
    return found


def _listed(heading: str, faults: tuple[str, ...]) -> str:
    return "\n".join((f"{heading} (.chalice/config.json):", *(f"  {fault}" for fault in faults)))
