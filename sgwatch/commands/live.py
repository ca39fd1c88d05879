"""``sgwatch watch``: a stage live in the terminal, until Ctrl-C."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.alarm_path.verdicts import Status
from chalicelib.alert.model import format_time
from chalicelib.settings.environment import delivery_queue
from chalicelib.settings.model import DurableSettings
from chalicelib.text import visible
from sgwatch import durable_access
from sgwatch.durable_access import DurableStageOption, place_of, refusals
from sgwatch.durable_template import StagePlace
from sgwatch.live_view import LiveAccessError, LiveLook, LiveView, LoggedAlert
from sgwatch.project_files import StageError
from sgwatch.sending import variables_of_functions
from sgwatch.stages import deployed_stage
from sgwatch.terminal import console, note, refuse

PERIOD_SECONDS = 5.0
FIRST_WINDOW = timedelta(minutes=15)
STATUSES = {Status.PASS: 0, Status.FAIL: 1, Status.UNKNOWN: 2}


def watch(
    stage: DurableStageOption = "prod",
    once: Annotated[
        bool, typer.Option("--once", help="Look once and end; the exit status says how it stands.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each look.")] = False,
) -> None:
    """Show a stage live: what becomes of its alerts, the alarm path's status, queues, dead letters, destinations.

    Looks every 5 seconds until Ctrl-C, at the last 15 minutes first.

    Exit status with --once: 0 good, 1 something is bad, 2 unknown, or AWS could not be read.
    """
    try:
        known = deployed_stage(stage, Path())
    except StageError as error:
        refuse(str(error))
    # The functions know whether delivery is durable; the folder's settings may be of another machine, or newer.
    known = replace(known, durable=durable_of(variables_of_functions(stage)[1]))
    with refusals(stage):
        place = place_of(stage)
        view = LiveView(place, known, durable_access.client, datetime.now(UTC) - FIRST_WINDOW)
        try:
            if once or as_json or not sys.stdout.isatty():
                status = run(view, once=once, as_json=as_json)
            else:
                status = draw(view, place)
        except LiveAccessError as error:
            refuse(str(error))
        except KeyboardInterrupt:
            note("")
            raise typer.Exit(130) from None
    raise typer.Exit(status)


def durable_of(variables: Mapping[str, str]) -> DurableSettings | None:
    """The queue and the table of durable delivery in a function's variables."""
    queue = delivery_queue(variables)
    return DurableSettings(queue, variables["STATE_TABLE"]) if queue is not None else None


def draw(view: LiveView, place: StagePlace) -> int:
    """Draw looks on the terminal until it is interrupted."""
    from sgwatch.live_screen import screen  # noqa: PLC0415 - machine output does without

    with screen(place, console()) as drawn:
        while True:
            drawn.show(view.look(datetime.now(UTC)))
            time.sleep(PERIOD_SECONDS)


def run(
    view: LiveView,
    *,
    once: bool,
    as_json: bool,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Print looks until it is interrupted, or one; gives the exit status of the last one."""
    shown: list[str] = []
    while True:
        found = view.look(now())
        if as_json:
            typer.echo(json.dumps(document(found)))
        else:
            state = list(state_lines(found))
            for line in state:
                if line not in shown:
                    typer.echo(line)
            shown = state
            for item in found.new_alerts:
                typer.echo(alert_line(item))
            if once and not found.new:
                typer.echo("No alert in the last 15 minutes.")
        if once:
            return STATUSES[found.verdict]
        sleep(PERIOD_SECONDS)


def state_lines(found: LiveLook) -> Iterator[str]:
    """The path, the queues and the destinations, a line each."""
    path = found.path
    if path is None:
        yield "? alarm path: no audit is remembered; sgwatch audit makes one"
    else:
        at = f", audited {format_time(path.audited_at.replace(microsecond=0))}" if path.audited_at else ""
        yield f"{_MARKS[path.status]} alarm path: {path.status.value}{at}"
    for queue in found.queues:
        bad = queue.is_for_failures and queue.messages
        age = "" if not queue.oldest_seconds else f", the oldest {round(queue.oldest_seconds)} s"
        way_out = "; sgwatch redrive sends it again" if bad else ""
        mark = _MARKS[Status.FAIL if bad else Status.PASS]
        yield f"{mark} {queue.name}: {queue.messages} waiting{age}{way_out}"
    for name, item in sorted(found.last_by_destination.items()):
        mark = _MARKS[Status.PASS if item.is_good else Status.FAIL]
        yield f"{mark} {visible(name)}: {item.said}, {item.at:%H:%M:%S}"


def alert_line(item: LoggedAlert) -> str:
    """What became of an alert, on one line."""
    return visible(f"{item.at:%H:%M:%S}  {item.severity or '-':8}  {item.said}  {item.what}")


def document(found: LiveLook) -> dict[str, Any]:
    """A look for machines."""
    return {
        "at": format_time(found.at.replace(microsecond=0)),
        "status": found.verdict.value,
        "alarm_path": found.path
        and {
            "status": found.path.status.value,
            "audited_at": found.path.audited_at and format_time(found.path.audited_at.replace(microsecond=0)),
        },
        "queues": [
            {"name": queue.name, "messages": queue.messages, "oldest_seconds": queue.oldest_seconds}
            for queue in found.queues
        ],
        "alerts": [
            {
                "at": format_time(item.at.replace(microsecond=0)),
                "outcome": item.said,
                "destination": item.destination or None,
                "severity": item.severity or None,
                "event_id": item.event_id or None,
                "title": item.title,
                "reason": item.reason or None,
            }
            for item in found.outcomes
        ],
    }


_MARKS = {Status.PASS: "✔", Status.FAIL: "✘", Status.UNKNOWN: "?"}
