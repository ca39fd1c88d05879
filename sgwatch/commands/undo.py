"""``sgwatch undo``: the commands that take a change back, and on request their doing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chalicelib.alert.model import Alert, from_json
from chalicelib.aws.member_role import MemberRole
from chalicelib.cloudtrail.records import RecordError, unwrap
from chalicelib.security_groups.changes import NotWatched
from sgwatch.acting import SESSION, assuming, partition_of, place_of
from sgwatch.terminal import agreed, note, refuse

if TYPE_CHECKING:
    from chalicelib.aws.read_calls import Reader


def undo(
    what: Annotated[
        str, typer.Argument(metavar="EVENT_ID|FILE", help="A CloudTrail event id, or a file with one alert or record.")
    ],
    apply: Annotated[bool, typer.Option("--apply", help="Run the commands, after showing what they change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before running them.")] = False,
    region: Annotated[str | None, typer.Option(help="Where CloudTrail is asked; else the AWS CLI's region.")] = None,
    stage: Annotated[
        str | None, typer.Option(help="The stage whose state table is asked first; else STATE_TABLE, else prod's.")
    ] = None,
    role: Annotated[
        str | None, typer.Option("--role", help="A role in the change's account that is assumed, by name or ARN.")
    ] = None,
) -> None:
    """Print the AWS CLI commands that take a change back; with --apply run them.

    An alert, as `replay --format json` prints it and as webhooks get it, holds its undo. The alert of an event id is
    taken from the state table of durable delivery; else, as of a record, what was before is looked up, as far as AWS
    still has it. Nothing is run where the group has changed again since, or with credentials of another account than
    the change's; --role takes those of a role there.
    Exit status: 0 good, 1 the change cannot be undone or undoing failed, 2 usage, settings or access.
    """
    alert = _alert(what, region, stage)
    commands = alert.undo.commands
    if commands is None:
        note(f"cannot be undone: {alert.undo.reason}")
        raise typer.Exit(1)
    if alert.undo.reason:
        note(alert.undo.reason)
    if commands:
        note(f"to be run in {place_of(alert)}{f' with the role {role}' if role else ''}")
    if role and commands:
        typer.echo(assuming(_role(alert, role)))
    for command in commands:
        typer.echo(command)
    if apply and commands:
        _apply(alert, commands, role, ask=not yes)


def _alert(what: str, region: str | None, stage: str | None) -> Alert:
    path = Path(what)
    if not path.is_file():
        return _found(what, region, stage)
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        refuse(f"{what}: cannot be read: {error.strerror or error}")
    except ValueError as error:
        if getattr(error, "msg", None) == "Extra data":
            refuse(f"{what}: more follows its first JSON document: give undo a file with one alert or record")
        refuse(f"{what}: not JSON: {error}")
    if isinstance(document, dict) and "exposures" in document:
        try:
            return from_json(document)
        except ValueError as error:
            refuse(f"{what}: {error}")
    try:
        records = list(unwrap(document))
    except RecordError as error:
        refuse(f"{what}: {error}")
    if len(records) != 1:
        refuse(f"{what}: holds {len(records)} records; give one of them by its event id")
    return _made(records[0])


def _found(event_id: str, region: str | None, stage: str | None) -> Alert:
    from chalicelib.settings.environment import state_table  # noqa: PLC0415 - files need no AWS
    from sgwatch.finding import Finder, NotFound  # noqa: PLC0415

    table = (None if stage else state_table()) or f"sgwatch-{stage or 'prod'}-state"
    try:
        return Finder(table, region, _reader(), _made).find(event_id)
    except NotFound as error:
        refuse(f"{event_id}: there is no such file, and the event was not found", *error.looked)


def _made(raw: Mapping[str, Any]) -> Alert:
    from chalicelib.functions.composition.alerting import alert_maker  # noqa: PLC0415
    from chalicelib.settings.environment import enrichment_settings  # noqa: PLC0415
    from chalicelib.settings.model import SettingsError  # noqa: PLC0415

    try:
        return alert_maker(enrichment_settings())(raw)
    except SettingsError as error:
        refuse(*error.faults)
    except NotWatched as error:
        refuse(f"nothing to undo: {error}")


def _role(alert: Alert, role: str) -> str:
    """The ARN of the role in the alert's account."""
    if alert.account.id is None:
        refuse("--role: the record does not name the account, so the role's ARN is not known")
    return MemberRole(role, partition=partition_of(alert.region)).arn(alert.account.id)


def _credentials(alert: Alert, role: str | None) -> Mapping[str, str]:
    """What the commands are run with besides the shell's own environment; ends the command where they are others'."""
    if role is None and alert.account.id is None:
        return {}
    from chalicelib.aws.clients import aws_client  # noqa: PLC0415 - printing needs no AWS
    from sgwatch.aws_refusals import sdk_errors, sentence  # noqa: PLC0415

    sts = aws_client("sts", alert.region)
    try:
        if role is None:
            own = str(sts.get_caller_identity()["Account"])
            if alert.account.id != own:
                refuse(
                    f"these are credentials of account {own}, and the change was made in {place_of(alert)}: "
                    "--profile takes others, --role those of a role there"
                )
            return {}
        given = sts.assume_role(RoleArn=_role(alert, role), RoleSessionName=SESSION)["Credentials"]
    except sdk_errors() as error:
        refuse(f"not undone: {sentence(error)}")
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


def _reader(role: str | None = None) -> Reader:
    from chalicelib.aws.read_calls import AwsReader  # noqa: PLC0415
    from chalicelib.settings.environment import enrichment_settings  # noqa: PLC0415
    from chalicelib.settings.model import SettingsError  # noqa: PLC0415

    try:
        settings = enrichment_settings()
    except SettingsError as error:
        refuse(*error.faults)
    # Somebody is waiting, and nothing else depends on it: slower than an alert's look-ups may be.
    seconds = max(settings.timeout, 20.0)
    return AwsReader(role, seconds) if role else AwsReader(settings.role, seconds, external_id=settings.external_id)


def _apply(alert: Alert, commands: tuple[str, ...], role: str | None, *, ask: bool) -> None:
    from chalicelib.aws.read_calls import LookupFailed  # noqa: PLC0415
    from sgwatch.undoing import CannotUndo, check_unchanged, live_difference  # noqa: PLC0415

    if shutil.which("aws") is None:
        refuse("the AWS CLI is not on the path: install it, or run the commands where it is")
    credentials = _credentials(alert, role)
    try:
        check_unchanged(alert, _reader(role))
    except CannotUndo as error:
        for line in error.live:
            note(line)
        note(f"not undone: {error}")
        raise typer.Exit(1) from error
    except LookupFailed as error:
        refuse(f"not undone, because what is live could not be looked up: {error}")
    for line in live_difference(alert):
        note(line)
    if ask and not agreed("Run these commands?", err=True):
        raise typer.Abort
    # The commands were made to be safe in a shell, whatever text is in them; a deleted group needs its variable.
    # A pager would wait for somebody to leave it: https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-pagination.html
    script = "\n".join(["set -e", *commands])
    ended = subprocess.run(["/bin/sh", "-c", script], check=False, env={**_environ(credentials), "AWS_PAGER": ""})  # noqa: S603
    if ended.returncode:
        note(f"undoing failed with status {ended.returncode}: what was done before that stays done")
        raise typer.Exit(1)
    note("undone")


def _environ(credentials: Mapping[str, str]) -> Mapping[str, str]:
    """The shell's environment with these; a profile that is left in it would stand beside them."""
    kept = {name: value for name, value in os.environ.items() if not (credentials and name == "AWS_PROFILE")}
    return {**kept, **credentials}
