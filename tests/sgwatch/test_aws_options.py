"""``--region``, ``--profile``, ``--version`` and completion are the same for every command."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from sgwatch.__main__ import COMMANDS, build, words
from sgwatch.version import VERSION


def run(*arguments: str, **environ: str) -> str:
    done = CliRunner().invoke(build(arguments), arguments, env={"COLUMNS": "200", "NO_COLOR": "1", **environ})
    assert done.exit_code == 0, done.output
    return re.sub(r"\x1b\[[0-9;]*m", "", done.output)


def test_the_version_is_printed() -> None:
    assert run("--version") == f"sgwatch {VERSION}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda item: item.name)
def test_a_command_takes_a_region_and_a_profile_where_it_asks_aws(command: object) -> None:
    assert isinstance(command, type(COMMANDS[0]))
    names = [command.name, *{"silence": ["add"], "fleet": ["status"]}.get(command.name, [])]
    options = set(re.findall(r"--[a-z-]+", run(*names, "--help")))
    assert ({"--region", "--profile"} <= options) is command.asks_aws


@pytest.mark.parametrize(
    ("environ", "typed"),
    [
        ({"COMP_WORDS": "sgwatch audit --re"}, ["audit", "--re"]),
        ({"_TYPER_COMPLETE_ARGS": "sgwatch audit"}, ["audit"]),
        ({}, []),
    ],
)
def test_a_line_that_a_shell_completes_names_its_command(environ: dict[str, str], typed: list[str]) -> None:
    assert words([], environ) == typed


def test_arguments_are_the_line_where_there_are_some() -> None:
    assert words(["audit"], {"COMP_WORDS": "sgwatch replay"}) == ["audit"]
