"""``sgwatch teardown``: the durable resources of a stage taken away, after showing what is still in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.text import number_of
from sgwatch import durable_access
from sgwatch.durable_access import DurableStageOption, place_of, refusals
from sgwatch.durable_mending import deployed, let_go, unprotect
from sgwatch.durable_stack import Stack
from sgwatch.durable_template import StagePlace
from sgwatch.policies import write_policies
from sgwatch.project_files import CONFIG, StageError
from sgwatch.stages import wire
from sgwatch.terminal import agreed, note, refuse


def teardown(
    stage: DurableStageOption = "prod",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, whatever is still in the queues.")] = False,
) -> None:
    """Take a stage back to direct delivery and remove its durable resources, showing first what is still in them.

    Exit status: 0 they are gone, 1 something remains to be done first (it says what), 2 AWS refused.
    """
    with refusals(stage):
        status = run(place_of(stage), durable_access.client, CONFIG, yes=yes)
    raise typer.Exit(status)


def run(place: StagePlace, client: Callable[[str], Any], config: Path, *, yes: bool) -> int:
    """Settings first, the functions next, the resources last."""
    try:
        changed = wire(config, place.stage, {"DELIVERY_QUEUE": None, "STATE_TABLE": None})
        write_policies(config, place.stage)
    except StageError as error:
        refuse(str(error))
    if changed:
        typer.echo(f"{config}: {' and '.join(changed)} removed from stage {place.stage}.")
    if deployed(client("lambda"), place.function("deliver")):
        # Without the function nothing would empty the queue; without the queue the function would fail.
        typer.echo(
            f"{place.function('deliver')} is still there. Next: wait until the queue is empty, then "
            f"chalice deploy --stage {place.stage}, then sgwatch teardown --stage {place.stage} once more."
        )
        show_queues(place, client("sqs"))
        return 1
    stack = Stack(client("cloudformation"), place)
    if stack.status() is None:
        typer.echo(f"Stack {place.stack} is not there: nothing to remove.")
        return 0
    waiting = show_queues(place, client("sqs"))
    question = f"Lose {number_of(waiting, 'message')} and the state table for good?" if waiting else "Remove all of it?"
    if not (yes or agreed(question)):
        note("Nothing was removed.")
        if waiting:
            stage = f"--stage {place.stage}"
            note(
                f"To have what waits delivered: sgwatch setup {stage}, then chalice deploy {stage}; "
                f"and sgwatch redrive {stage} for what could not be delivered."
            )
        return 1
    let_go(place, client("lambda"))
    unprotect(place, client("dynamodb"))
    stack.delete()
    typer.echo(f"Stack {place.stack} is gone.")
    return 0


def show_queues(place: StagePlace, sqs: Any) -> int:
    """Print what is in each queue; gives how many messages there are."""
    total = 0
    for name in (place.queue, place.dead_letters, place.failed_events):
        count = _count(sqs, name)
        typer.echo(f"  {name}: {'not there' if count is None else number_of(count, 'message')}")
        total += count or 0
    return total


def _count(sqs: Any, name: str) -> int | None:
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        return None
    kinds = (
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    )
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(kinds))["Attributes"]
    return sum(int(found.get(kind, 0)) for kind in kinds)
