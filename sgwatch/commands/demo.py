"""``sgwatch demo``: the local cloud with a story played in it; no AWS account and no network."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chalicelib.alert.model import from_json
from localcloud.baseline import ONCALL, make_alarm_path
from localcloud.cloud import LocalCloud
from localcloud.deploy import DeployError
from localcloud.session import Interrupted, ended_by_signals, running, stand_apart
from localcloud.story import STEPS, StepResult, StoryError, play
from sgwatch.commands.local import COLORS, progress
from sgwatch.local_stage import LocalStage
from sgwatch.project_files import CONFIG, StageError
from sgwatch.render import show
from sgwatch.stages import check
from sgwatch.terminal import refuse

DEPLOY = """\
To deploy sgwatch into an AWS account (docs/deploy.md):
  1. .venv/bin/sgwatch init --stage prod
  2. .venv/bin/sgwatch deploy --stage prod"""


def demo(
    stage: Annotated[str, typer.Option(help="The stage of .chalice/config.json to deploy.")] = "dev",
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the inbox page up until Ctrl-C.")] = False,
) -> None:
    """Play a story of security group changes; exit 0 only if every alert came as it must."""
    console = Console(highlight=False)
    began = time.monotonic()
    try:
        check(CONFIG, stage)
        stand_apart(os.environ)
        with ended_by_signals(), ExitStack() as stack:
            cloud = _start(console, stack, stage)
            console.print(
                f"Ready after {time.monotonic() - began:.1f} s. Inbox page: {cloud.inbox_url}\n", soft_wrap=True
            )
            results = _play(console, cloud)
            mail = cloud.inbox.wait_for(lambda item: item.service == "email" and item.where == ONCALL, 5)
            _print_summary(console, results, None if mail is None else mail.title)
            console.print(f"\n{DEPLOY}", soft_wrap=True)
            if keep:
                console.print(f"\nThe inbox page stays at {cloud.inbox_url} until Ctrl-C.", soft_wrap=True)
                _wait()
    except StageError as error:
        refuse(str(error))
    except Interrupted:
        raise typer.Exit(0 if keep else 130) from None
    except (DeployError, StoryError) as error:
        console.print(Text(f"The story ended early: {error}", style="red"), soft_wrap=True)
        raise typer.Exit(1) from error
    if mail is None or not all(item.as_expected for item in results):
        raise typer.Exit(1)


def _start(console: Console, stack: ExitStack, name: str) -> LocalCloud:
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="sgwatch-demo-")))
    # Each alert is shown as it comes: no change is gathered.
    stage = LocalStage(name, folder, {"BURST_WINDOW": "0"})

    def variables(cloud: LocalCloud) -> Mapping[str, str]:
        made = stage.variables(cloud)
        progress(console, "Deploying sgwatch into it (chalice deploy) …")
        return made

    progress(console, "Starting a local AWS and making the resources of durable delivery …")
    cloud, _ = stack.enter_context(
        running(stage.project, LocalCloud(), stage=name, on_started=_prepare, variables=variables)
    )
    stage.set_up(cloud)
    cloud.events.drop = None
    return cloud


def _prepare(cloud: LocalCloud) -> None:
    # Deploying changes functions and EventBridge rules of sgwatch's own, and sgwatch reports that: not in this story.
    cloud.events.drop = lambda _: True
    make_alarm_path(cloud)


def _play(console: Console, cloud: LocalCloud) -> list[StepResult]:
    results: list[StepResult] = []
    for number, (step, run) in enumerate(zip(STEPS, play(cloud), strict=True), start=1):
        line = f"{number}/{len(STEPS)}  {step.who} {step.what}"
        with console.status(line):
            result = run()
        results.append(result)
        console.print(_mark(result), line, _severity(result.severity), f"{result.seconds:.2f} s", soft_wrap=True)
        for detail in _details(result):
            console.print(Text(f"      {detail}", style="dim"), soft_wrap=True)
        if result.alert is not None and result.severity == "critical" and not any(map(_is_critical, results[:-1])):
            console.print("\n      What people read in Slack, by e-mail and through the webhook:\n", soft_wrap=True)
            show(console, from_json(result.alert))
    return results


def _is_critical(result: StepResult) -> bool:
    return result.severity == "critical"


def _mark(result: StepResult) -> Text:
    return Text("✔", style="green") if result.as_expected else Text("✘", style="red")


def _severity(severity: str | None) -> Text:
    word = severity or "no alert"
    return Text(word, style=COLORS.get(word, "red"))


def _details(result: StepResult) -> list[str]:
    """What the alert says happened: its title, and old and new of a modified rule."""
    if result.alert is None:
        return []
    details = [str(result.alert["title"])]
    if result.missing:
        details.append(f"not arrived: {', '.join(result.missing)}")
    for item in result.alert["changes"]["modified"]:
        before, after = item["before"], item["after"]
        old = "unknown" if before is None else str(before["peer"]["value"])
        details.append(f"{old} → {after['peer']['value']}")
    return details


def _print_summary(console: Console, results: list[StepResult], mail: str | None) -> None:
    table = Table(title="\nCall → alert", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("", "call", "severity", "seconds", "alert"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left", no_wrap=heading != "alert")
    for item in results:
        title = Text("none" if item.alert is None else str(item.alert["title"]))
        table.add_row(_mark(item), item.step.event_name, _severity(item.severity), f"{item.seconds:.2f}", title)
    console.print(table)
    console.print(Text(f"The CloudWatch alarm beside it: {mail or 'nothing was sent'}"))


def _wait() -> None:
    while True:
        time.sleep(3600)
