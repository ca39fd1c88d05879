"""``sgwatch silence``: alerts that are not wanted for a while, and why."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, NoReturn

import typer

from chalicelib.alert.filters import compile_condition
from chalicelib.alert.model import format_time
from chalicelib.aws.clients import aws_client
from chalicelib.delivery.silences import LONGEST, Silence, Silences
from chalicelib.state.state_table import StateTable
from chalicelib.text import visible
from sgwatch.durable_access import DurableStageOption, caller, caller_account, refusals
from sgwatch.expected_automation import parse_automation
from sgwatch.terminal import note, refuse

app = typer.Typer(no_args_is_help=True)
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@app.callback()
def silence() -> None:
    """Hold back alerts for a time, with a reason."""


@app.command()
def add(  # noqa: PLR0913, PLR0917 - each is an option of the command
    reason: Annotated[str, typer.Option("--reason", help="Why; people will ask.")],
    when: Annotated[
        str | None, typer.Option("--when", metavar="JMESPATH", help="Which alerts, as in IGNORE_WHEN.")
    ] = None,
    automation: Annotated[
        str | None,
        typer.Option("--automation", metavar="role/NAME", help="Those of an expected role or user; never critical."),
    ] = None,
    lasting: Annotated[str | None, typer.Option("--for", metavar="TIME", help="For how long: 30m, 2h, 7d.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Until when: 2027-01-31.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who answers for the automation.")] = None,
    author: Annotated[str | None, typer.Option("--author", help="Who; without it, the AWS caller.")] = None,
    critical_too: Annotated[bool, typer.Option("--critical-too", help="Hold back critical alerts too.")] = False,
    stage: DurableStageOption = "prod",
) -> None:
    """Hold back the alerts of which an expression is true, or of expected automation, for a time. Prints its id.

    Exit status: 0 it is in force within 15 seconds, 2 an option is wrong or AWS refused.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    ends_at = _end(now, lasting, until)
    if when is not None:
        _check(when)
    elif automation is None:
        refuse("--when or --automation: say which alerts")
    if automation is not None and critical_too:
        refuse("--critical-too: expected automation never covers critical alerts")
    if automation is not None and not (owner or "").strip():
        refuse("--owner: say who answers for the automation")
    if not reason.strip():
        refuse("--reason: say why")
    with refusals(stage):
        who = author or caller()
        expression = when if automation is None else _automation(automation, when)
        made = Silence(
            secrets.token_hex(4), expression or "", who, reason, now, ends_at, critical_too, owner=owner or ""
        )
        _silences(stage).add(made)
    typer.echo(made.id)


def _check(when: str) -> None:
    try:
        compile_condition(when)
    except ValueError as error:
        refuse(f"--when: {error}")


def _automation(text: str, when: str | None) -> str:
    try:
        return parse_automation(text, caller_account).condition(when)
    except ValueError as error:
        refuse(f"--automation: {error}")


@app.command(name="list")
def show(
    everything: Annotated[bool, typer.Option("--all", help="Ended ones of the last 30 days too.")] = False,
    suppressed: Annotated[str | None, typer.Option("--suppressed", metavar="ID", help="What one held back.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines.")] = False,
    stage: DurableStageOption = "prod",
) -> None:
    """List the silences with their author, reason, end and how many alerts they held back; or what one held back.

    Exit status: 0 good, also where there is nothing to list, 1 there is no silence of this id, 2 AWS refused.
    """
    with refusals(stage):
        silences = _silences(stage)
        found = silences.all()
        if suppressed is not None:
            _show_suppressed(silences, found, suppressed, as_json=as_json)
            return
        now = datetime.now(UTC)
        wanted = [silence for silence in found if everything or silence.until > now]
        for silence in wanted:
            typer.echo(_json(silence) if as_json else _line(silence, now))
        if not wanted:
            note("There was no silence in the last 30 days." if everything else "No silence is in force.")


def _show_suppressed(silences: Silences, found: Iterable[Silence], silence_id: str, *, as_json: bool) -> None:
    if silence_id not in {silence.id for silence in found}:
        _unknown(silence_id)
    for item in silences.suppressed(silence_id):
        fields = {"at": item.at, "severity": item.severity, "title": item.title, "alert_id": item.alert_id}
        typer.echo(json.dumps(fields) if as_json else "  ".join(visible(text) for text in fields.values()))


def _unknown(silence_id: str) -> NoReturn:
    note(f"There is no silence {silence_id}.")
    raise typer.Exit(1)


@app.command()
def remove(silence_id: Annotated[str, typer.Argument(metavar="ID")], stage: DurableStageOption = "prod") -> None:
    """End a silence now. Exit status: 0 it has ended, 1 there is none of this id, 2 AWS refused."""
    with refusals(stage):
        found = _silences(stage).remove(silence_id)
    if not found:
        _unknown(silence_id)


def _silences(stage: str) -> Silences:
    table = StateTable(lambda: aws_client("dynamodb"), f"sgwatch-{stage}-state")
    return Silences(table, lambda: datetime.now(UTC))


def _end(now: datetime, lasting: str | None, until: str | None) -> datetime:
    """When the silence ends: exactly one of the two says so."""
    if (lasting is None) == (until is None):
        refuse("--for or --until: say for how long, with one of them")
    ends_at = now + _duration(lasting) if lasting is not None else _moment(until or "")
    if ends_at <= now:
        refuse(f'--until: "{visible(until or "")}" is over')
    if ends_at > now + LONGEST:
        option = "--for" if lasting is not None else "--until"
        refuse(f"{option}: 90 days at most; what is never wanted belongs into IGNORE_WHEN")
    return ends_at


def _moment(text: str) -> datetime:
    """A day, which ends with it in UTC, or a time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        refuse(f'--until: "{visible(text)}" is neither a day such as 2027-01-31 nor a time such as 2027-01-31T18:00Z')
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        moment += timedelta(days=1)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text)
    if match is None:
        refuse(f'--for: "{visible(text)}" is not a time such as 30m, 2h or 7d')
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _line(silence: Silence, now: datetime) -> str:
    ends = "until" if silence.until > now else "ended"
    critical = ", critical too" if silence.critical_too else ""
    owner = f", owner {visible(silence.owner)}" if silence.owner else ""
    return (
        f"{silence.id}  {ends} {format_time(silence.until)}  {silence.count} held back  {visible(silence.when)}"
        f"{critical}  by {visible(silence.author)}{owner}: {visible(silence.reason)}"
    )


def _json(silence: Silence) -> str:
    return json.dumps(
        {
            "id": silence.id,
            "when": silence.when,
            "author": silence.author,
            "owner": silence.owner or None,
            "reason": silence.reason,
            "created_at": format_time(silence.created_at),
            "until": format_time(silence.until),
            "critical_too": silence.critical_too,
            "held_back": silence.count,
        }
    )
