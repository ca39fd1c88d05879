"""``sgwatch redrive``: what could not be delivered, why, since when; and sent again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from chalicelib.alerts import format_time
from chalicelib.text import visible
from sgwatch import durable_access
from sgwatch.dead_letters import FailedEvent, Letter, failed_events, letters, release, send_again
from sgwatch.durable_access import Stage, place_of, refusals
from sgwatch.durable_template import Place


def redrive(
    stage: Stage = "prod",
    destination: Annotated[
        str | None, typer.Option("--destination", metavar="NAME", help="Only what is for this destination.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what waits, and leave it there.")] = False,
) -> None:
    """Send again what waits in a stage's dead-letter queue, and the events that the alert function failed on.

    Exit status: 0 nothing waits any more, 1 something does (a dry run found it, or it cannot be sent), 2 AWS refused.
    """
    with refusals():
        status = run(place_of(stage), durable_access.client, destination, dry_run=dry_run)
    raise typer.Exit(status)


def run(place: Place, client: Callable[[str], Any], destination: str | None, *, dry_run: bool) -> int:
    """Look at everything, then send what was asked for and let go of the rest."""
    sqs = client("sqs")
    queue, dead, failed = (
        str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
        for name in (place.queue, place.dead_letters, place.failed_events)
    )
    found = list(letters(sqs, dead))
    wanted = [letter for letter in found if destination in (None, letter.destination)]
    events = list(failed_events(sqs, failed)) if destination is None else []
    _show(wanted, events)
    # What nobody can read would come straight back.
    sent = [] if dry_run else [letter for letter in wanted if letter.title is not None]
    for letter in sent:
        send_again(sqs, letter, queue, dead)
    release(sqs, dead, (letter.receipt_handle for letter in found if letter not in sent))
    if dry_run:
        release(sqs, failed, (event.receipt_handle for event in events))
        return 1 if wanted or events else 0
    for event in events:
        _invoke_again(client("lambda"), event)
        sqs.delete_message(QueueUrl=failed, ReceiptHandle=event.receipt_handle)
    typer.echo(f"Sent again: {len(sent)} alerts, {len(events)} events.")
    return 1 if len(sent) < len(wanted) else 0


def _invoke_again(lambda_client: Any, event: FailedEvent) -> None:
    lambda_client.invoke(
        FunctionName=event.function, InvocationType="Event", Payload=json.dumps(event.payload).encode()
    )


def _show(wanted: Sequence[Letter], events: Sequence[FailedEvent]) -> None:
    if not wanted and not events:
        typer.echo("Nothing waits.")
    for letter in wanted:
        what = letter.title or "a message that cannot be read"
        typer.echo(f"{_when(letter.since)}  {letter.destination or '-'}  {visible(what)}: {visible(letter.reason)}")
    for event in events:
        typer.echo(f"{_when(event.since)}  event  {event.function}: {visible(event.reason)}")


def _when(moment: datetime) -> str:
    return format_time(moment.replace(microsecond=0))
