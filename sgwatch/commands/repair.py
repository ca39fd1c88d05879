"""``sgwatch repair``: make the missing links of the alarm path, after showing every call."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from chalicelib.alarm_path.fix_calls import FixCall
from chalicelib.alarm_path.fix_context import NAMESPACE
from chalicelib.alarm_path.repair import Plan, Subscriber, apply, plan
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.snapshot_reader import SnapshotError, read_snapshot
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.verdicts import Status
from chalicelib.aws.clients import patient_clients
from chalicelib.text import number_of, visible
from sgwatch.audit_text import printable, show
from sgwatch.commands.audit import EXIT_STATUS, UsageError, gather_from_aws, judge_snapshot, profile
from sgwatch.terminal import console, read_in_part

# Calls without one that takes them back.
UNDONE_BY_ITSELF = {
    "Subscribe": "a subscription that nobody confirms goes by itself; a confirmed one ends by the link in its mails",
    "SetTopicAttributes": "goes with the topic",
}


def repair(
    do_apply: Annotated[bool, typer.Option("--apply", help="Make the calls; without it they are only shown.")] = False,
    email: Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="Subscribe this address.")] = None,
    https: Annotated[str | None, typer.Option("--https", metavar="URL", help="Subscribe this endpoint.")] = None,
    standard: Annotated[
        Standard, typer.Option("--standard", envvar="AUDIT_STANDARD", help="The standard to be met.")
    ] = Standard.CIS_5,
    edit_existing: Annotated[
        bool, typer.Option("--edit-existing", help="Also change what sgwatch did not make, where that is least.")
    ] = False,
) -> None:
    """Plan the missing links of the alarm path and, with --apply, make them.

    Exit status: 0 nothing is missing, 1 something is (or was refused), 2 AWS could not be read.
    """
    try:
        wanted = RepairOptions(subscriber_of(email, https), standard, edit_existing)
        status = run(console(), do_apply=do_apply, wanted=wanted)
    except (UsageError, SnapshotError) as error:
        typer.echo(f"sgwatch: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(status)


def subscriber_of(email: str | None, https: str | None) -> Subscriber | None:
    """Who is to be notified, as the options name them."""
    if email and https:
        raise UsageError("--email and --https: one at a time; run repair again for the other")
    if https and not https.startswith("https://"):
        raise UsageError("--https: the URL does not start with https://")
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise UsageError(f'--email: "{visible(email)}" is not an e-mail address')
    if email:
        return Subscriber("email", email)
    return Subscriber("https", https) if https else None


@dataclass(frozen=True, slots=True)
class RepairOptions:
    """What a repair is asked for."""

    subscriber: Subscriber | None
    standard: Standard
    edit_existing: bool


def run(out: Console, *, do_apply: bool, wanted: RepairOptions) -> int:
    """Plan, show, and apply where asked; then audit again."""
    standard, existing = wanted.standard, wanted.edit_existing
    snapshot = read_snapshot(gather_from_aws())
    report = judge_snapshot(snapshot, standard, profile())
    planned = plan(snapshot, report, wanted.subscriber, standard=standard, edit_existing=existing)
    with read_in_part():
        show_plan(out, planned, do_apply=do_apply)
    if not do_apply or planned.refusals:
        return 1 if something_left(planned) else 0
    try:
        apply(planned.steps, patient_clients())
    except (BotoCoreError, ClientError) as error:
        raise UsageError(f"AWS refused a step, and what was done before it stays: {error}") from error
    snapshot = read_snapshot(gather_from_aws())
    report = judge_snapshot(snapshot, standard, profile())
    with read_in_part():
        out.print(Text(f"Done at {datetime.now(UTC):%F %T} UTC. The audit now says:\n", style="bold"))
        show(out, report)
    return exit_status(report, plan(snapshot, report, standard=standard, edit_existing=existing))


def exit_status(report: Report, planned: Plan) -> int:
    """The audit's own, and 1 where it passes and something is left to do."""
    if report.status is Status.PASS:
        return 1 if something_left(planned) else 0
    return EXIT_STATUS[report.status]


def something_left(planned: Plan) -> bool:
    """Whether anything is to be done, by repair or by somebody."""
    return bool(planned.steps or planned.refusals or planned.human)


def cost_of(steps: Iterable[FixCall]) -> str:
    """What the steps make, and its price: https://aws.amazon.com/cloudwatch/pricing/."""
    made = [step for step in steps if step.undo is not None and step.undo.action.startswith("Delete")]
    metrics = sum(step.action == "PutMetricFilter" and _is_new_metric(step) for step in made)
    alarms = sum(step.action == "PutMetricAlarm" for step in made)
    parts = [
        number_of(count, what) for count, what in ((metrics, "custom metric"), (alarms, "standard alarm")) if count
    ]
    priced = f"{' and '.join(parts)}: about {0.3 * metrics + 0.1 * alarms:.2f} USD a month; " if parts else "nothing; "
    return f"{priced}mail by SNS is free up to 1,000 a month."


def _is_new_metric(step: FixCall) -> bool:
    """Whether the filter publishes a metric of sgwatch's own; a filter to a metric that is there makes none."""
    return any(item.get("metricNamespace") == NAMESPACE for item in step.parameters["metricTransformations"])


def show_plan(out: Console, planned: Plan, *, do_apply: bool) -> None:
    """Every call with its parameters, what it costs and how to take it back."""
    for refusal in planned.refusals:
        out.print(Text(f"✘ {printable(refusal)}", style="red"))
    if planned.next_steps:
        out.print(Text("Do this first:", style="bold"))
    for step in planned.next_steps:
        out.print(Text(f"  {printable(step)}"), soft_wrap=True)
    if not something_left(planned):
        out.print(Text("✔ Nothing is missing.", style="green"))
    for number, item in enumerate(planned.steps, 1):
        out.print(
            Text(f"{number}. {item.service}:{item.action}", style="bold").append(
                f"  {printable(item.why)}", style="default"
            )
        )
        out.print(Text(json.dumps(dict(item.parameters), indent=2)), soft_wrap=True)
        undo = item.undo.command(profile()) if item.undo else UNDONE_BY_ITSELF.get(item.action, "nothing to take back")
        out.print(Text(f"   undo: {undo}", style="dim"), soft_wrap=True)
    if planned.steps:
        out.print(Text(f"Cost: {cost_of(planned.steps)}", style="dim"))
    for left in planned.human:
        out.print(Text(f"☞ {printable(left)}", style="yellow"))
    if planned.steps and not do_apply:
        out.print(Text("Nothing was done: --apply makes these calls.", style="bold"))
