"""What plain ``chalice deploy`` says besides, where sgwatch is installed."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from sgwatch.chalice_hooks import prepare_command
from tests.support.deployment import copy_project


def run(command: str, project: Path) -> None:
    """The hook under ``chalice COMMAND --stage dev``."""
    above = click.Context(click.Command("chalice"), info_name="chalice", obj={"project_dir": str(project)})
    with click.Context(click.Command(command), parent=above, info_name=command) as context:
        context.params["stage"] = "dev"
        prepare_command()


@pytest.mark.parametrize("command", ["deploy", "package"])
def test_policies_made_for_other_settings_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    project = copy_project(tmp_path)
    run(command, project)
    assert capsys.readouterr().err == ""
    (project / ".chalice" / "policy-dev-deliver.json").write_text("{}")
    run(command, project)
    said = capsys.readouterr().err
    assert "Warning: policy-dev-deliver.json: not the policies that the settings of stage dev want" in said
    assert "python -m sgwatch.policies dev" in said


def test_deleting_says_nothing_of_policies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = copy_project(tmp_path)
    (project / ".chalice" / "policy-dev-deliver.json").unlink()
    run("delete", project)
    assert capsys.readouterr().err == ""
