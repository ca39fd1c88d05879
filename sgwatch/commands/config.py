"""``sgwatch config``: the settings read back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chalicelib.settings.model import Row, Settings
from chalicelib.text import visible
from sgwatch.sending import DeployedOption, SettingsStageOption, sound_settings
from sgwatch.terminal import console, note, read_in_part


def config(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    stage: SettingsStageOption = None,
    deployed: DeployedOption = False,
) -> None:
    """Read the settings back, of the shell or of a stage: each value, secrets masked, and where it came from.

    Exit status: 0 good, 2 the settings have faults, which are all listed.
    """
    settings, faults = sound_settings(stage, deployed=deployed)
    rows = settings.describe()
    with read_in_part():
        _print(rows, settings, faults, as_json=as_json)
    raise typer.Exit(2 if faults else 0)


def _print(rows: Sequence[Row], settings: Settings, faults: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        listed = [{"variable": row.variable, "value": row.shown, "source": row.source} for row in rows]
        names = [item.name for item in settings.destinations]
        typer.echo(json.dumps({"settings": listed, "destinations": names, "faults": faults}))
    else:
        _show(console(), rows)
        for fault in faults:
            note(f"fault: {fault}")


def _show(out: Console, rows: Iterable[Row]) -> None:
    table = Table("Setting", "Value", "From", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(Text(visible(row.variable)), Text(visible(row.shown)), Text(row.source, "dim"))
    out.print(table)
