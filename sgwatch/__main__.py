"""``python -m sgwatch``: finds the command that was asked for and runs it.

Only that command is imported, so that help and quick commands start quickly.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated

import typer

from sgwatch.aws_options import in_place
from sgwatch.aws_refusals import sdk_errors, sentence
from sgwatch.terminal import read_in_part, write_what_can_be_written


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A command: a function of ``sgwatch.commands.<module>``, or a Typer of subcommands, and its line in the list.

    One that asks AWS takes ``--region`` and ``--profile``.
    """

    name: str
    module: str
    target: str
    help: str
    asks_aws: bool = True

    def load(self) -> Callable[..., None] | typer.Typer:
        """What runs it."""
        target: Callable[..., None] | typer.Typer = getattr(
            import_module(f"sgwatch.commands.{self.module}"), self.target
        )
        return target


COMMANDS = (
    Subcommand("replay", "replay", "replay", "Print the alerts that the records in files would have made."),
    Subcommand(
        "explain", "explain", "explain", "Show how one record becomes its alert, field by field.", asks_aws=False
    ),
    Subcommand("audit", "audit", "audit", "Judge the CloudWatch alarm path of this account."),
    Subcommand(
        "pattern",
        "pattern",
        "pattern",
        "Show which security group calls a metric filter pattern counts.",
        asks_aws=False,
    ),
    Subcommand("repair", "repair", "repair", "Plan and make the missing links of the alarm path."),
    Subcommand("undo", "undo", "undo", "Print the commands that take a change back, or run them."),
    Subcommand("config", "config", "config", "Read the settings back, secrets masked."),
    Subcommand("send-test", "send_test", "send_test", "Send a test alert to every destination."),
    Subcommand("preview", "preview", "preview", "Show one alert as each destination would be sent it."),
    Subcommand("init", "init", "init", "Set a stage up: its destination, tested, and its policies."),
    Subcommand("deploy", "deploy", "deploy", "Deploy a stage, send a test alert and audit; safe to repeat."),
    Subcommand("doctor", "doctor", "doctor", "Find what stands in the way of a stage, with a fix for each."),
    Subcommand("uninstall", "uninstall", "uninstall", "Remove a stage from AWS, after showing it; leaves nothing."),
    Subcommand("setup", "setup", "setup", "Make, wire and mend the resources of durable delivery."),
    Subcommand("teardown", "teardown", "teardown", "Take the resources of durable delivery away."),
    Subcommand("watch", "live", "watch", "Show a stage live: alerts, the alarm path, queues, destinations."),
    Subcommand("redrive", "redrive", "redrive", "Show what could not be delivered and why, and send it again."),
    Subcommand("silence", "silence", "app", "Hold back alerts for a time, with a reason: add, list, remove."),
    Subcommand(
        "fleet", "fleet", "app", "Bring a stage the events of other regions and accounts: deploy, template, status."
    ),
    Subcommand("local", "local", "app", "Run the local cloud until Ctrl-C.", asks_aws=False),
    Subcommand("demo", "demo", "demo", "Play the story in a local cloud: no AWS account, no network.", asks_aws=False),
)


def build(arguments: Sequence[str]) -> typer.Typer:
    """The program with the one command that these arguments ask for; of the others just their line of help."""
    app = typer.Typer(
        name="sgwatch",
        help="Alerts on AWS security group changes, and proof that the alarm for them still works.",
        epilog="Exit status: 0 good, 1 the thing checked is bad, 2 usage, settings, access or unknown.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_global_options)
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    for command in COMMANDS:
        if command.name == asked:
            _register(app, command)
        else:
            app.command(command.name, help=command.help)(_no_options)
    return app


def _register(app: typer.Typer, command: Subcommand) -> None:
    target = command.load()
    if isinstance(target, typer.Typer):
        for each in target.registered_commands:
            each.callback = _ready(each.callback, command) if each.callback else None
        app.add_typer(target, name=command.name)
    else:
        app.command(command.name)(_ready(target, command))


def _ready(function: Callable[..., None], command: Subcommand) -> Callable[..., None]:
    return _ends_cleanly(in_place(function) if command.asks_aws else function)


def _no_options() -> None:
    pass


def _print_version(asked: bool) -> None:
    if asked:
        from sgwatch.version import VERSION  # noqa: PLC0415 - importlib.metadata is slow to import

        typer.echo(f"sgwatch {VERSION}")
        raise typer.Exit


def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _ends_cleanly(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def run(*args: object, **options: object) -> None:
        with read_in_part():
            function(*args, **options)

    return run


def main() -> None:
    """Run the command line of this process."""
    share_region(os.environ)
    write_what_can_be_written()
    try:
        build(words(sys.argv[1:], os.environ))(prog_name="sgwatch")
    except KeyboardInterrupt:  # before the command itself began
        sys.exit(130)
    except sdk_errors() as error:
        typer.echo(f"sgwatch: {sentence(error)}", err=True)
        sys.exit(2)


def words(arguments: Sequence[str], environ: Mapping[str, str]) -> Sequence[str]:
    """What was typed so far: the arguments, or while a shell completes a line, that line."""
    line = environ.get("_TYPER_COMPLETE_ARGS") or environ.get("COMP_WORDS")
    return line.split()[1:] if line and not arguments else arguments


def share_region(environ: MutableMapping[str, str]) -> None:
    """Let AWS_REGION count where AWS_DEFAULT_REGION is not set, as the AWS CLI and the other SDKs do; boto3 ignores it.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
    """
    if region := environ.get("AWS_REGION"):
        environ.setdefault("AWS_DEFAULT_REGION", region)


if __name__ == "__main__":
    main()
