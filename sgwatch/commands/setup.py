"""``sgwatch setup``: the durable resources of a stage, made, wired, mended and verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.aws.arns import parse_arn
from sgwatch import durable_access
from sgwatch.durable_access import DurableStageOption, place_of, refusals
from sgwatch.durable_mending import deployed, differences
from sgwatch.durable_stack import ChangeSet, Stack, StackError
from sgwatch.durable_template import StagePlace
from sgwatch.policies import write_policies
from sgwatch.project_files import CONFIG, StageError
from sgwatch.stages import check, wire
from sgwatch.terminal import agreed, note, refuse

# What was created again has default settings, to be corrected.
ROUNDS = 3
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
QUEUE_NAME_SECONDS = 61.0


AlarmTopic = Annotated[
    str | None,
    typer.Option("--alarm-topic", metavar="ARN", help='An SNS topic for the alarms, or "" for none; else as before.'),
]


def setup(
    stage: DurableStageOption = "prod",
    alarm_topic: AlarmTopic = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before changing anything.")] = False,
) -> None:
    """Make or update a stage's durable resources, showing first what would change; then wire, mend and verify.

    Run it before chalice deploy, and once more after it. Exit status: 0 everything is as it should be, 1 something
    remains to be done (it says what), 2 AWS refused or the stage is not there.
    """
    try:
        check(CONFIG, stage)
    except StageError as error:
        refuse(str(error))
    with refusals(stage):
        status = run(place_with_topic(stage, alarm_topic), durable_access.client, CONFIG, yes=yes)
    raise typer.Exit(status)


def place_with_topic(stage: str, alarm_topic: str | None) -> StagePlace:
    """Where the stage is, with the topic for its alarms: the given one, or else the one that the stack has."""
    topic = parse_arn(alarm_topic or "")
    if alarm_topic and (topic is None or topic.service != "sns"):
        refuse(f'--alarm-topic: "{alarm_topic}" is not the ARN of an SNS topic')
    place = place_of(stage)
    kept = Stack(durable_access.client("cloudformation"), place).topic() if alarm_topic is None else alarm_topic
    return replace(place, topic=kept)


def run(place: StagePlace, client: Callable[[str], Any], config: Path, *, yes: bool) -> int:
    """Stack, settings, mending, verdict."""
    changed = make(place, client, config, yes=yes)
    if changed is None:
        return 1
    missing = [name for name in ("alert_on_change", "deliver") if not deployed(client("lambda"), place.function(name))]
    if changed or missing:
        typer.echo(f"Next: chalice deploy --stage {place.stage}, then sgwatch setup --stage {place.stage} once more.")
        return 1
    typer.echo(f"Durable delivery of stage {place.stage} is as it should be.")
    return 0


def make(place: StagePlace, client: Callable[[str], Any], config: Path, *, yes: bool) -> tuple[str, ...] | None:
    """Stack, settings and mending; gives the settings that changed, None where somebody said no."""
    if not _update_stack(Stack(client("cloudformation"), place), yes=yes):
        return None
    changed = _wire(place, config)
    return changed if _mend(place, client, yes=yes) else None


def _update_stack(stack: Stack, *, yes: bool) -> bool:
    plan = stack.plan()
    if not plan.lines:
        typer.echo(f"Stack {stack.place.stack}: nothing to change.")
        return True
    typer.echo(f"Stack {stack.place.stack} would {'be made' if plan.creates else 'change'}:")
    for line in plan.lines:
        typer.echo(f"  {line}")
    wanted = False
    try:
        wanted = _agreed("Make these changes?", yes=yes)
    finally:  # no answer leaves nothing behind either
        if not wanted:
            stack.discard()
            if plan.creates:
                stack.delete()
            note("Nothing was changed.")
    if not wanted:
        return False
    _execute(stack, plan)
    typer.echo("Done.")
    return True


def _execute(stack: Stack, plan: ChangeSet) -> None:
    try:
        stack.execute()
    except StackError as error:
        if not plan.creates or not error.is_queue_name_taken:
            raise
        note("Waiting for the 60 seconds after queues of these names were deleted …")
        stack.sleep(QUEUE_NAME_SECONDS)
        stack.plan()
        stack.execute()


def _wire(place: StagePlace, config: Path) -> tuple[str, ...]:
    try:
        changed = wire(config, place.stage, {"DELIVERY_QUEUE": place.queue, "STATE_TABLE": place.table})
        write_policies(config, place.stage)
    except StageError as error:
        refuse(str(error))
    if changed:
        typer.echo(f"{config}: {' and '.join(changed)} set for stage {place.stage}.")
    return changed


def _mend(place: StagePlace, client: Callable[[str], Any], *, yes: bool) -> bool:
    found = list(differences(place, client))
    if not found:
        return True
    typer.echo("Not as it should be:")
    for each in found:
        typer.echo(f"  {each.sentence}")
    if not _agreed("Mend this?", yes=yes):
        return False
    remaining = found
    for _ in range(ROUNDS):
        for each in remaining:
            each.mend()
        remaining = list(differences(place, client))
    for each in remaining:
        note(f"still: {each.sentence}")
    typer.echo("Mended." if not remaining else "Not all of it could be mended.")
    return not remaining


def _agreed(question: str, *, yes: bool) -> bool:
    return yes or agreed(question)
