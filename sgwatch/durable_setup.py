"""The durable resources of a stage: made, wired into its settings, mended and verified."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import typer

from chalicelib.deployment import DELIVER
from sgwatch.durable_mending import Difference, deployed, differences, functions
from sgwatch.durable_stack import ChangeSet, Stack, StackError
from sgwatch.durable_template import StagePlace
from sgwatch.package_owner import PackageOwner, package_owner
from sgwatch.policies import write_policies
from sgwatch.project_files import StageError
from sgwatch.stages import wire
from sgwatch.terminal import agreed, note, refuse

# What was created again has default settings, to be corrected.
ROUNDS = 3
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
QUEUE_NAME_SECONDS = 61.0


class MendingWords(NamedTuple):
    """What is said before and after mending."""

    before: str
    after: str


FOUND = MendingWords("Not as it should be:", "Mended.")
# Nothing was wrong then: https://aws.github.io/chalice/topics/configfile.html has no setting for these.
JUST_DEPLOYED = MendingWords("Setting what Chalice has no setting for:", "Set.")


def run(
    place: StagePlace,
    client: Callable[[str], Any],
    config: Path,
    *,
    yes: bool,
    words: MendingWords = FOUND,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Stack, settings, mending, verdict."""
    changed = make(place, client, config, yes=yes, words=words, sleep=sleep)
    if changed is None:
        return 1
    missing = [name for name in ("alert_on_change", "deliver") if not deployed(client("lambda"), place.function(name))]
    if changed or missing:
        typer.echo(f"Next: chalice deploy --stage {place.stage}, then sgwatch setup --stage {place.stage} once more.")
        return 1
    typer.echo(f"Durable delivery of stage {place.stage} is as it should be.")
    return 0


def make(
    place: StagePlace,
    client: Callable[[str], Any],
    config: Path,
    *,
    yes: bool,
    words: MendingWords = FOUND,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, ...] | None:
    """Stack, settings and mending; gives the settings that changed, None where somebody said no."""
    if owner := package_owner(place, client("lambda")):
        return () if _mend_package(place, client, words, owner, yes=yes) else None
    if not _update_stack(Stack(client("cloudformation"), place, sleep), yes=yes):
        return None
    changed = _wire(place, config)
    return changed if _mend(lambda: differences(place, client), words, yes=yes) else None


def _mend_package(
    place: StagePlace, client: Callable[[str], Any], words: MendingWords, owner: PackageOwner, *, yes: bool
) -> bool:
    """Mend what is set on the functions; queues, table and alarms are the package's, and so is what made them."""
    if not deployed(client("lambda"), place.function(DELIVER)):
        package = f"make package DURABLE=1 STAGE={place.stage}"
        refuse(f"stage {place.stage} belongs to {owner.name}: its durable delivery comes with {package}")
    typer.echo(f"Stage {place.stage} belongs to {owner.name}: only what is set on its functions is looked at here.")
    return _mend(lambda: functions(place, client("lambda")), words, yes=yes)


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


def _mend(look: Callable[[], Iterable[Difference]], words: MendingWords, *, yes: bool) -> bool:
    found = list(look())
    if not found:
        return True
    typer.echo(words.before)
    for each in found:
        typer.echo(f"  {each.sentence}")
    if not _agreed("Mend this?", yes=yes):
        return False
    remaining = found
    for _ in range(ROUNDS):
        for each in remaining:
            each.mend()
        remaining = list(look())
    for each in remaining:
        note(f"still: {each.sentence}")
    typer.echo(words.after if not remaining else "Not all of it could be mended.")
    return not remaining


def _agreed(question: str, *, yes: bool) -> bool:
    return yes or agreed(question)
