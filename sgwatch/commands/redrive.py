"""``sgwatch redrive``: what could not be delivered, why, since when; and sent again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from chalicelib.alert.model import format_time
from chalicelib.text import visible
from sgwatch import durable_access
from sgwatch.dead_letters import Letter, failed_events, letters, release, send_again
from sgwatch.durable_access import DurableStageOption, place_of, refusals
from sgwatch.durable_template import StagePlace
from sgwatch.terminal import note


def redrive(
    stage: DurableStageOption = "prod",
    destination: Annotated[
        str | None, typer.Option("--destination", metavar="NAME", help="Only what is for this destination.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what waits, and leave it there.")] = False,
) -> None:
    """Send again what waits in a stage's dead-letter queue, and the events that a function failed on.

    Exit status: 0 nothing waits any more, 1 something does (a dry run found it, or it cannot be sent), 2 AWS refused.
    """
    with refusals(stage):
        status = run(place_of(stage), durable_access.client, destination, dry_run=dry_run)
    raise typer.Exit(status)


def run(place: StagePlace, client: Callable[[str], Any], destination: str | None, *, dry_run: bool) -> int:
    """Look at everything, then send what was asked for and let go of the rest."""
    sqs = client("sqs")
    queue, dead, failed = (
        str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
        for name in (place.queue, place.dead_letters, place.failed_events)
    )
    events = list(failed_events(sqs, failed)) if destination is None else []
    for event in events:
        typer.echo(f"{_when(event.since)}  event  {event.function or '-'}: {visible(event.reason)}")
    if dry_run:
        waiting = _look(sqs, dead, destination)
        release(sqs, failed, (event.receipt_handle for event in events))
        if not waiting and not events:
            typer.echo("Nothing waits.")
        return 1 if waiting or events else 0
    sent, left = _send_all(sqs, queue, dead, destination)
    strange: list[str] = []
    for event in events:
        if event.function is not None and _invoke_again(client("lambda"), event.function, event.payload):
            sqs.delete_message(QueueUrl=failed, ReceiptHandle=event.receipt_handle)
        else:
            strange.append(event.receipt_handle)
    release(sqs, failed, strange)
    typer.echo(f"Sent again: {sent} alerts, {len(events) - len(strange)} events.")
    return 1 if left or strange else 0


def _look(sqs: Any, dead: str, destination: str | None) -> int:
    """Show what can be seen and leave it; gives how many letters were shown."""
    total = _count(sqs, dead)
    found = list(letters(sqs, dead))
    wanted = [letter for letter in found if destination in (None, letter.destination)]
    for letter in wanted:
        _show(letter)
    if total > len(found):
        typer.echo(f"{total - len(found)} more wait behind those of their groups.")
    release(sqs, dead, (letter.receipt_handle for letter in found))
    return len(wanted)


def _send_all(sqs: Any, queue: str, dead: str, destination: str | None) -> tuple[int, int]:
    """Send again, each as soon as it was seen; gives how many were sent and how many are left."""
    held: dict[str, Letter] = {}
    sent: set[tuple[str, str]] = set()
    for letter in letters(sqs, dead):
        wanted = destination in (None, letter.destination)
        if wanted and letter.message_id not in held:
            _show(letter)
        # What nobody can read would come straight back, and what was sent already has.
        if wanted and letter.title is not None and (letter.group_id, letter.body) not in sent:
            send_again(sqs, letter, queue, dead)
            sent.add((letter.group_id, letter.body))
        else:
            held[letter.message_id] = letter
    release(sqs, dead, (letter.receipt_handle for letter in held.values()))
    return len(sent), sum(destination in (None, letter.destination) for letter in held.values())


def _count(sqs: Any, url: str) -> int:
    kinds = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=kinds)["Attributes"]
    return sum(int(found.get(kind, 0)) for kind in kinds)


def _invoke_again(lambda_client: Any, function: str, payload: object) -> bool:
    """Give a function its event again; False where the function is not there."""
    try:
        lambda_client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(payload).encode())
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        note(f"{function} is not there: its event stays.")
        return False
    return True


def _show(letter: Letter) -> None:
    what = letter.title or "a message that cannot be read"
    typer.echo(f"{_when(letter.since)}  {letter.destination or '-'}  {visible(what)}: {visible(letter.reason)}")


def _when(moment: datetime) -> str:
    return format_time(moment.replace(microsecond=0))
