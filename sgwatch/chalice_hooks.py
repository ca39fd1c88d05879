"""What sgwatch, where it is installed, adds to ``chalice deploy`` and ``chalice package``; app.py calls it."""

from __future__ import annotations

from pathlib import Path

import click
from chalice.package import TerraformGenerator

from chalicelib.settings.deploying import chalice_command
from sgwatch.policies import stale_policies
from sgwatch.project_files import CONFIG, StageError


def prepare_command() -> None:
    """Warn of policies that were made for other settings, and let log groups be packaged for Terraform."""
    asked = chalice_command()
    if asked is None or asked.name not in ("deploy", "package"):
        return
    _know_log_groups()
    try:
        stale = list(stale_policies(Path(asked.project, CONFIG), asked.stage))
    except StageError as error:
        raise click.ClickException(str(error)) from error
    if stale:
        click.echo(
            f"Warning: {', '.join(stale)}: not the policies that the settings of stage {asked.stage} want; "
            f"python -m sgwatch.policies {asked.stage} writes them",
            err=True,
        )


def _know_log_groups() -> None:
    """Let what log_retention_in_days makes be nothing of its own: the functions bring it along.

    Chalice 1.34 looks for the method by the class's name, ``loggroup``, and has it as ``log_group``.
    """
    if not hasattr(TerraformGenerator, "_generate_loggroup"):
        TerraformGenerator._generate_loggroup = lambda _generator, _resource, _template: None  # noqa: SLF001
