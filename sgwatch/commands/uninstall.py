"""``sgwatch uninstall``: takes away everything that deploy, setup and repair made, after showing it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import ClientError

from chalicelib.alarm_path.snapshot.collect_forwarders import AT_ONCE
from chalicelib.aws.clients import ClientFactory
from chalicelib.text import number_of
from sgwatch import durable_access
from sgwatch.aws_refusals import sentence
from sgwatch.commands.teardown import show_queues
from sgwatch.durable_access import DurableStageOption, place_of, refusals
from sgwatch.durable_stack import StackError
from sgwatch.durable_template import StagePlace
from sgwatch.policies import write_policies
from sgwatch.project_files import CONFIG, StageError
from sgwatch.removal import MadeResource, made_resources, written_again
from sgwatch.stages import deployed_file, wire
from sgwatch.terminal import agreed, note

# A function that was still running when it was deleted writes its log group again, for seconds: until IAM knows
# everywhere that its role is gone.
ROUNDS, PAUSE_SECONDS = 8, 5.0
# What AWS refused may go once something else has gone.
ATTEMPTS = 3


def uninstall(
    stage: DurableStageOption = "prod",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a stage from AWS, with its forwarders, durable delivery, parameters, repairs and logs, after showing them.

    Exit status: 0 nothing is left, 1 something is (it says what and why), 2 AWS refused.
    """
    with refusals(stage):
        status = run(place_of(stage), durable_access.client, Path(), yes=yes)
    raise typer.Exit(status)


def run(
    place: StagePlace,
    client: ClientFactory,
    project: Path,
    *,
    yes: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Show, ask, remove, look again."""
    found = list(made_resources(place, client))
    if not found:
        typer.echo(f"Nothing of stage {place.stage} is in account {place.account}, region {place.region}.")
        _forget(place, project)
        return 0
    typer.echo(f"Stage {place.stage} in account {place.account}, region {place.region}:")
    _show(found)
    if all(each.kept for each in found):
        return 1
    if any(each.has_queues for each in found):
        typer.echo("Still in its queues, and lost with them:")
        show_queues(place, client("sqs"))
    if not (yes or agreed("Remove all of it?")):
        note("Nothing was removed.")
        return 1
    failures = _remove_all(place, client, found, sleep)
    left = list(made_resources(place, client))
    _forget(place, project)
    if not left:
        typer.echo(f"Nothing of stage {place.stage} is left.")
        return 0
    typer.echo("Left:")
    _show_with_reasons(left, lambda each: each.kept or failures.get(each.name, "AWS still shows it; run this again"))
    return 1


def _show(found: Sequence[MadeResource]) -> None:
    for each in found:
        if not each.kept:
            typer.echo(f"  {each.kind} {each.name}")
    if kept := [each for each in found if each.kept]:
        typer.echo("Stays:")
        _show_with_reasons(kept, lambda each: each.kept)
    counts = Counter(each.kind for each in found if not each.kept)
    listed = ", ".join(number_of(count, kind) for kind, count in counts.items())
    typer.echo(f"To remove: {listed or 'nothing'}.")


def _show_with_reasons(found: Sequence[MadeResource], why: Callable[[MadeResource], str]) -> None:
    """Each with its reason; a reason that several have once, above them."""
    reasons: dict[str, list[MadeResource]] = {}
    for each in found:
        reasons.setdefault(why(each), []).append(each)
    for reason, things in reasons.items():
        if len(things) == 1:
            typer.echo(f"  {things[0].kind} {things[0].name}: {reason}")
            continue
        typer.echo(f"  {reason}")
        for each in things:
            typer.echo(f"    {each.kind} {each.name}")


def _remove_all(
    place: StagePlace, client: ClientFactory, found: Sequence[MadeResource], sleep: Callable[[float], None]
) -> dict[str, str]:
    """Remove in this order, and again what has come back meanwhile; gives why something could not be, by name."""
    failures: dict[str, str] = {}
    for attempt in range(ROUNDS):
        for together, group in groupby((each for each in found if not each.kept), key=lambda each: each.together):
            removed = list(group)
            with ThreadPoolExecutor(AT_ONCE if together else 1) as pool:
                for each, failure in zip(removed, pool.map(_remove, removed), strict=True):
                    failures.pop(each.name, None)
                    if failure:
                        failures[each.name] = failure
        again = made_resources(place, client) if failures else written_again(place, client)
        found = [each for each in again if not each.kept]
        if not found or (failures and attempt + 1 >= ATTEMPTS):
            break
        if not failures:
            note("Waiting for functions that are still running: their log groups came back …")
            sleep(PAUSE_SECONDS)
    return failures


def _remove(each: MadeResource) -> str | None:
    """Remove one thing; gives why it could not be."""
    try:
        each.remove()
    except (ClientError, StackError) as error:
        return sentence(error) if isinstance(error, ClientError) else str(error)
    typer.echo(f"Removed {each.kind} {each.name}.")
    return None


def _forget(place: StagePlace, project: Path) -> None:
    """Let the project's own files know that nothing is deployed."""
    deployed_file(place.stage, project).unlink(missing_ok=True)
    if not (project / CONFIG).exists():
        return
    try:
        wire(project / CONFIG, place.stage, {"DELIVERY_QUEUE": None, "STATE_TABLE": None})
        write_policies(project / CONFIG, place.stage)
    except StageError as error:
        note(f"sgwatch: {error}")
