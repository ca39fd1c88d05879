"""``sgwatch init``: a stage's settings, asked for or given, tested, and its secrets kept elsewhere."""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.aws.clients import ClientFactory, default_region
from chalicelib.delivery.direct import Delivered, Direct
from chalicelib.settings.environment import read_settings
from chalicelib.settings.kinds import KINDS
from chalicelib.settings.secrets import parse_reference
from chalicelib.settings.stage import stage_faults, stage_variables
from sgwatch import durable_access
from sgwatch.commands.send_test import test_alert
from sgwatch.durable_access import refusals
from sgwatch.policies import write_policies
from sgwatch.project_files import CONFIG, StageError, read_json, write_json
from sgwatch.project_source import make_project, template
from sgwatch.removal import TAG
from sgwatch.sending import configured_routes, deliver
from sgwatch.terminal import note, refuse

# What infra/durable.yaml takes for a stage.
STAGE_NAME = r"[A-Za-z0-9_-]{1,30}"
# The stage of the template that a new one is made like.
LIKE = "prod"
TEST_SECONDS = 12.0
_NO_REGION = "no region: give --region, or set AWS_REGION"


def init(
    stage: Annotated[str | None, typer.Option("--stage", help="The stage; asked for where it is not given.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting; may be repeated."),
    ] = None,
    inline: Annotated[
        bool, typer.Option("--inline", help="Keep secrets in config.json, not in the parameter store.")
    ] = False,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Send a test alert before writing.")] = True,
) -> None:
    """Set a stage up in .chalice/config.json: its destination, tested, and its policies; asks for what is not given.

    Exit status: 0 it is written, 1 the test alert was not taken, 2 the settings have faults, or AWS refused.
    """
    asked = not settings
    name = stage or (typer.prompt("Stage", default=LIKE) if asked else LIKE)
    if not re.fullmatch(STAGE_NAME, name):
        refuse(f'"{name}" is no name of a stage: up to 30 letters, digits, - and _')
    region = default_region() or (typer.prompt("Region") if asked else refuse(_NO_REGION))
    try:
        _run(name, str(region), _given(settings or []) if not asked else _ask(), inline=inline, test=test)
    except StageError as error:
        refuse(str(error))


def _given(pairs: list[str]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        refuse(*(f"--set {pair}: write it as NAME=VALUE" for pair in wrong))
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _ask() -> dict[str, str]:
    """One destination, its kind first and then what it needs."""
    keys = [kind.key for kind in KINDS]
    chosen = typer.prompt(f"Destination ({', '.join(keys)})", default=keys[0])
    kind = next((each for each in KINDS if each.key == chosen.strip().lower()), None)
    if kind is None:
        refuse(f'"{chosen}" is not one of {", ".join(keys)}')
    secret = {field.name: field.secret for field in kind.fields}
    return {
        kind.variable(name): str(typer.prompt(kind.variable(name), hide_input=secret.get(name, False)))
        for name in kind.needs[0]
    }


def _run(stage: str, region: str, given: Mapping[str, str], *, inline: bool, test: bool) -> None:
    project = Path()
    if make_project(project):
        typer.echo("app.py, chalicelib and requirements.txt are here now: what Chalice deploys.")
    config = read_json(project / CONFIG)
    variables = stage_variables(with_stage(config, stage, given), stage)
    if faults := stage_faults(variables, stage):
        refuse(*faults)
    if test and not _test(variables):
        raise typer.Exit(1)
    kept = given if inline else _store_secrets(stage, given)
    write_json(project / CONFIG, with_stage(config, stage, kept))
    write_policies(project / CONFIG, stage)
    typer.echo(f"{CONFIG}: {', '.join(given)} set for stage {stage}, and its policies written.")
    typer.echo(f"Next: sgwatch deploy --stage {stage} --region {region}")


def with_stage(config: Mapping[str, Any], stage: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """The config.json with these variables of a stage, which is made like the template's where it is not there."""
    changed = copy.deepcopy(dict(config))
    stages = changed.setdefault("stages", {})
    like: Any = template()["stages"]
    settings = stages.setdefault(stage, copy.deepcopy(like[LIKE]))
    settings["environment_variables"] = {**(settings.get("environment_variables") or {}), **variables}
    return changed


def _test(variables: Mapping[str, str]) -> bool:
    """Send the test alert to each destination; says what became of it."""
    routes = configured_routes(read_settings(variables))
    alert = test_alert(str(uuid.uuid4()), datetime.now(UTC))
    outcomes = deliver(Direct(), alert, [route.destination for route in routes], TEST_SECONDS)
    for item in outcomes:
        typer.echo(f"Test alert to {item.destination}: {'sent' if isinstance(item, Delivered) else item.reason}")
    failed = [item.destination for item in outcomes if not isinstance(item, Delivered)]
    if failed:
        note(f"sgwatch: nothing was written: mend what is given for {', '.join(failed)}, or add --no-test")
    return not failed


def _store_secrets(stage: str, given: Mapping[str, str]) -> dict[str, str]:
    """The settings with a reference for each secret, which is in the parameter store then."""
    found = dict(given)
    for name, value in given.items():
        if is_secret(name) and not _is_reference(value):
            with refusals(stage):
                found[name] = store(durable_access.client, stage, name, value)
            typer.echo(f"{name} is kept in the parameter {found[name].removeprefix('ssm:')}.")
    return found


def is_secret(variable: str) -> bool:
    """Whether a variable of a destination holds a secret."""
    fields = (field for kind in KINDS if kind.owns(variable) for field in kind.fields if field.secret)
    return any(variable.endswith(f"_{field.name}") for field in fields)


def _is_reference(value: str) -> bool:
    return parse_reference(value) is not None


def store(client: ClientFactory, stage: str, name: str, value: str) -> str:
    """Keep a secret in the parameter store, marked as sgwatch's own; gives the reference to it."""
    path = f"/sgwatch/{stage}/{name.lower().replace('_', '-')}"
    ssm = client("ssm")
    ssm.put_parameter(Name=path, Value=value, Type="SecureString", Overwrite=True)
    # Tags cannot be given together with Overwrite.
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=path, Tags=[TAG])
    return f"ssm:{path}"
