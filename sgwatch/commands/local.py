"""``sgwatch local``: a whole AWS on this machine with sgwatch deployed in it, until Ctrl-C."""

from __future__ import annotations

import json
import os
import queue
import urllib.request
import webbrowser
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import boto3
import typer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from localcloud.addresses import ENVIRONMENT_PATH, VARIABLES, shell_lines
from localcloud.awkward.awkwardness import BY_NAME
from localcloud.baseline import make_alarm_path
from localcloud.cloud import LocalCloud
from localcloud.deploy import DeployError
from localcloud.session import Interrupted, ended_by_signals, running, stand_apart, started
from sgwatch.local_stage import LocalStage
from sgwatch.project_files import CONFIG, StageError
from sgwatch.stages import check
from sgwatch.terminal import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from localcloud.inbox import InboxMessage

app = typer.Typer(help="A local AWS with sgwatch deployed in it.", invoke_without_command=True, no_args_is_help=False)

DEFAULT_PORT = 4599
COLORS = {"critical": "bold white on red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
EXAMPLES = (
    "aws ec2 create-security-group --group-name web --description 'web servers'",
    "aws ec2 authorize-security-group-ingress --group-name web --protocol tcp --port 22 --cidr 0.0.0.0/0",
    "aws ec2 revoke-security-group-ingress --group-name web --protocol tcp --port 22 --cidr 0.0.0.0/0",
)
LOG_GROUPS = "/aws/lambda/"
TIMEOUT_SECONDS = 5
PORT_VARIABLE = "SGWATCH_LOCAL_PORT"


class AwkwardnessName(StrEnum):
    """The strengths in localcloud.awkward."""

    NONE = "none"
    MILD = "mild"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """What was asked for; ``stage`` is None where nothing is deployed."""

    port: int
    stage: str | None
    record: Path | None
    awkward: AwkwardnessName


@app.callback()
def local(
    context: typer.Context,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65_534, envvar=PORT_VARIABLE, help="Port of the AWS endpoint; the page has the next one."
        ),
    ] = DEFAULT_PORT,
    stage: Annotated[str, typer.Option(help="The stage of .chalice/config.json to deploy.")] = "dev",
    record: Annotated[Path | None, typer.Option(help="Write CloudTrail records to this file, as JSON Lines.")] = None,
    *,
    open_page: Annotated[bool, typer.Option("--open", help="Open the inbox page in the browser.")] = False,
    bare: Annotated[
        bool, typer.Option("--bare", help="Deploy nothing: an account in which sgwatch was never deployed.")
    ] = False,
    awkward: Annotated[
        AwkwardnessName, typer.Option(help="How much of AWS's waiting and refusing there is.")
    ] = AwkwardnessName.NONE,
) -> None:
    """Run the local cloud until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    console = Console(stderr=True)
    try:
        if not bare:
            check(CONFIG, stage)
        lines = stand_apart(os.environ)
        with ended_by_signals():
            _run(console, LocalOptions(port, None if bare else stage, record, awkward), lines, open_page=open_page)
    except Interrupted:
        console.print("Stopped; nothing is left behind.")
    except StageError as error:
        refuse(str(error))
    except DeployError as error:
        console.print(f"chalice deploy failed:\n{error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2) from error
    except OSError as error:
        console.print(
            f"The local cloud could not start: {error}. Try another --port.", style="red", markup=False, soft_wrap=True
        )
        raise typer.Exit(2) from error


def _run(console: Console, options: LocalOptions, lines: tuple[str, ...], *, open_page: bool) -> None:
    with ExitStack() as stack:
        cloud = stack.enter_context(_cloud(console, options))
        arrivals = stack.enter_context(cloud.inbox.listening())
        print_welcome(cloud, lines)
        if open_page:
            webbrowser.open(cloud.inbox_url)
        for message in _forever(arrivals):
            print_message(console, message)


@contextmanager
def _cloud(console: Console, options: LocalOptions) -> Iterator[LocalCloud]:
    """The local cloud, with the stage deployed in it where one is named."""
    with ExitStack() as stack:
        made = LocalCloud(
            port=options.port,
            inbox_port=options.port + 1 if options.port else 0,
            on_record=_recorder(stack, options.record) if options.record is not None else None,
            aws_managed_policies=True,
            awkwardness=BY_NAME[options.awkward],
        )
        if options.stage is None:
            progress(console, "Starting a local AWS …")
            cloud = stack.enter_context(started(made))
            make_alarm_path(cloud)
            yield cloud
            return
        local_stage = LocalStage(options.stage, Path(stack.enter_context(TemporaryDirectory(prefix="sgwatch-stage-"))))

        def variables(cloud: LocalCloud) -> Mapping[str, str]:
            found = local_stage.variables(cloud)
            progress(console, "Deploying sgwatch into it (chalice deploy) …")
            return found

        progress(console, "Starting a local AWS and making the resources of durable delivery …")
        cloud, _ = stack.enter_context(
            running(local_stage.project, made, stage=options.stage, variables=variables, on_started=make_alarm_path)
        )
        local_stage.set_up(cloud)
        yield cloud


def progress(console: Console, line: str) -> None:
    """Say what takes seconds, a line each: on a terminal of any width, and in a file."""
    console.print(line, style="dim", soft_wrap=True, markup=False)


def _recorder(stack: ExitStack, path: Path) -> Callable[[Mapping[str, Any]], None]:
    output = stack.enter_context(path.open("a", encoding="utf-8"))

    def write(record: Mapping[str, Any]) -> None:
        output.write(json.dumps(record, separators=(",", ":")) + "\n")
        output.flush()

    return write


def _forever(arrivals: queue.Queue[InboxMessage]) -> Iterator[InboxMessage]:
    while True:
        try:
            yield arrivals.get(timeout=1.0)
        except queue.Empty:
            continue


def print_welcome(cloud: LocalCloud, lines: Iterable[str] = ()) -> None:
    """Say on stdout what to paste; ``lines`` come first: what the shell has to unset."""
    output = Console(highlight=False, soft_wrap=True, markup=False)
    output.print("The local cloud is up.\n")
    for name, address in cloud.addresses().items():
        output.print(f"  {name + ':':<24}{address}")
    output.print(f'\nFor the AWS clients of a shell: eval "$(sgwatch local env{_port_option(cloud)})", which is\n')
    for line in shell_lines(cloud.environment(), lines):
        output.print(line)
    output.print("\nThen, in the same shell:\n")
    for example in EXAMPLES:
        output.print(f"  {example}")
    output.print("\nAlerts appear here. Ctrl-C ends it.\n")


def _port_option(cloud: LocalCloud) -> str:
    port = cloud.endpoint.rpartition(":")[2]
    return "" if port == str(DEFAULT_PORT) else f" --port {port}"


def print_message(console: Console, message: InboxMessage) -> None:
    """One line per delivery."""
    severity = message.severity or "-"
    line = Text(f"{message.at:%H:%M:%S} ")
    line.append(f"{severity:<8}", style=COLORS.get(severity, ""))
    line.append(f" {message.service:<9} {message.title}")
    if not message.accepted:
        line.append(f"  refused: {message.note}", style="red")
    console.print(line, soft_wrap=True)


@app.command("env")
def environment(
    port: Annotated[int, typer.Option(envvar=PORT_VARIABLE, help="The port given to `sgwatch local`.")] = DEFAULT_PORT,
) -> None:
    """Print what makes a shell's AWS clients talk to a running local cloud: `eval "$(sgwatch local env)"`."""
    url = f"http://127.0.0.1:{port}{ENVIRONMENT_PATH}"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # loopback
            shared: dict[str, dict[str, str]] = json.load(answer)
    except (OSError, ValueError) as error:
        typer.echo(f"No local cloud answers on port {port}: {error}. Start one with `sgwatch local`.", err=True)
        raise typer.Exit(2) from error
    addresses = {VARIABLES[name]: address for name, address in shared["addresses"].items() if name in VARIABLES}
    for line in shell_lines(shared["environment"] | addresses, stand_apart(dict(os.environ))):
        typer.echo(line)


@app.command()
def logs(
    function: Annotated[str, typer.Argument(help="Only functions whose name contains this.")] = "",
    port: Annotated[int, typer.Option(envvar=PORT_VARIABLE, help="The port given to `sgwatch local`.")] = DEFAULT_PORT,
) -> None:
    """Print what the functions of a running local cloud wrote, oldest first."""
    client: Any = boto3.session.Session().client(
        "logs",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-1",
        aws_access_key_id="AKIALOCALLOGSEXAMPLE",
        aws_secret_access_key="unused",  # noqa: S106  # the local cloud takes any
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        groups = client.describe_log_groups(logGroupNamePrefix=LOG_GROUPS)["logGroups"]
        names = [group["logGroupName"] for group in groups if function in group["logGroupName"]]
        events = [
            (event["timestamp"], name.removeprefix(LOG_GROUPS), event["message"])
            for name in names
            for page in client.get_paginator("filter_log_events").paginate(logGroupName=name)
            for event in page["events"]
        ]
    except (BotoCoreError, ClientError) as error:
        typer.echo(f"No local cloud answers on port {port}: {error}. Start one with `sgwatch local`.", err=True)
        raise typer.Exit(2) from error
    for _, name, text in sorted(events, key=lambda event: event[0]):
        typer.echo(f"{name}  {text}")
