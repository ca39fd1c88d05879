"""``sgwatch repair``: make the missing links of the alarm path, after showing every call."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from chalicelib.alarm_path.repair import Plan, Step, Subscriber, apply, plan
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.snapshot_reader import SnapshotError, read_snapshot
from chalicelib.alarm_path.verdicts import Status
from chalicelib.aws.clients import patient_clients
from chalicelib.text import number_of, visible
from sgwatch.audit_text import show
from sgwatch.commands.audit import EXIT_STATUS, UsageError, gather_from_aws, judge_snapshot
from sgwatch.terminal import console, read_in_part


def repair(
    do_apply: Annotated[bool, typer.Option("--apply", help="Make the calls; without it they are only shown.")] = False,
    email: Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="Subscribe this address.")] = None,
    https: Annotated[str | None, typer.Option("--https", metavar="URL", help="Subscribe this endpoint.")] = None,
) -> None:
    """Plan the missing links of the alarm path and, with --apply, make them.

    Exit status: 0 nothing is missing, 1 something is (or was refused), 2 AWS could not be read.
    """
    try:
        status = run(console(), do_apply=do_apply, subscriber=subscriber_of(email, https))
    except (UsageError, SnapshotError) as error:
        typer.echo(f"sgwatch: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(status)


def subscriber_of(email: str | None, https: str | None) -> Subscriber | None:
    """The subscribers, as the options name them."""
    if email and https:
        raise UsageError("--email and --https: one at a time; run repair again for the other")
    if https and not https.startswith("https://"):
        raise UsageError("--https: the URL does not start with https://")
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise UsageError(f'--email: "{visible(email)}" is not an e-mail address')
    if email:
        return Subscriber("email", email)
    return Subscriber("https", https) if https else None


def run(out: Console, *, do_apply: bool, subscriber: Subscriber | None) -> int:
    """Plan, show, and apply where asked; then audit again."""
    snapshot = read_snapshot(gather_from_aws())
    planned = plan(snapshot, judge_snapshot(snapshot), subscriber)
    with read_in_part():
        show_plan(out, planned, do_apply=do_apply)
    if not do_apply or planned.refusals:
        return 1 if something_left(planned) else 0
    try:
        apply(planned.steps, planned.region, patient_clients())
    except (BotoCoreError, ClientError) as error:
        raise UsageError(f"AWS refused a step, and what was done before it stays: {error}") from error
    snapshot = read_snapshot(gather_from_aws())
    report = judge_snapshot(snapshot)
    with read_in_part():
        out.print(Text(f"Done at {datetime.now(UTC):%F %T} UTC. The audit now says:\n", style="bold"))
        show(out, report)
    return exit_status(report, plan(snapshot, report))


def exit_status(report: Report, planned: Plan) -> int:
    """The audit's own, and 1 where it passes and something is left to do for another standard."""
    if report.status is Status.PASS:
        return 1 if something_left(planned) else 0
    return EXIT_STATUS[report.status]


def something_left(planned: Plan) -> bool:
    """Whether anything is to be done, by repair or by somebody."""
    return bool(planned.steps or planned.refusals or planned.human)


def cost_of(steps: Iterable[Step]) -> str:
    """What the steps make, and its price: https://aws.amazon.com/cloudwatch/pricing/."""
    counts = Counter(step.action for step in steps)
    metrics, alarms = counts["PutMetricFilter"], counts["PutMetricAlarm"]
    made = [number_of(count, what) for count, what in ((metrics, "custom metric"), (alarms, "standard alarm")) if count]
    priced = f"{' and '.join(made)}: about {0.3 * metrics + 0.1 * alarms:.2f} USD a month; " if made else ""
    return f"{priced}mail by SNS is free up to 1,000 a month."


def show_plan(out: Console, planned: Plan, *, do_apply: bool) -> None:
    """Every call with its parameters, what it costs and how to take it back."""
    for refusal in planned.refusals:
        out.print(Text(f"✘ {refusal}", style="red"))
    if planned.next_steps:
        out.print(Text("Do this first:", style="bold"))
    for step in planned.next_steps:
        out.print(Text(f"  {step}"), soft_wrap=True)
    if not something_left(planned):
        out.print(Text("✔ Nothing is missing.", style="green"))
    for number, item in enumerate(planned.steps, 1):
        out.print(
            Text(f"{number}. {item.service}:{item.action}", style="bold").append(f"  {item.why}", style="default")
        )
        out.print(Text(json.dumps(dict(item.parameters), indent=2)), soft_wrap=True)
        out.print(Text(f"   undo: {item.undo}", style="dim"), soft_wrap=True)
    if planned.steps:
        out.print(Text(f"Cost: {cost_of(planned.steps)}", style="dim"))
    for left in planned.human:
        out.print(Text(f"☞ {left}", style="yellow"))
    if planned.steps and not do_apply:
        out.print(Text("Nothing was done: --apply makes these calls.", style="bold"))
