"""The commands that ``sgwatch fleet template`` prints: the AWS CLI reads each of them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from sgwatch.fleet_commands import FleetPlan, steps
from sgwatch.fleet_templates import FleetTemplate, filled
from tests.docs.test_fleet_page import PLAN
from tests.support.shell_aws import AwsShell

NOBODY = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_MAX_ATTEMPTS": "1",
}
LISTED = FleetPlan("prod", "123456789012", "eu-west-1", ("eu-west-1",), "x", accounts=("111122223333", "210987654321"))


def commands_of(plan: FleetPlan) -> list[str]:
    return [command for _, commands in steps(plan) for command in commands if command.startswith("aws ")]


@pytest.mark.parametrize("plan", [PLAN, LISTED], ids=["organization", "accounts"])
def test_the_aws_cli_takes_every_command(plan: FleetPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for template in FleetTemplate:
        (tmp_path / f"sgwatch-{template}.yaml").write_text(filled(template))
    shell = AwsShell(NOBODY)
    try:
        answers = {command: shell.aws(*shlex.split(command)[1:]).err for command in commands_of(plan)}
    finally:
        shell.close()
    # What the CLI cannot read it refuses before it connects.
    assert {command for command, said in answers.items() if "Could not connect to the endpoint" not in said} == set()


def test_an_organization_is_prepared_once_by_its_management_account() -> None:
    once = [commands for what, commands in steps(PLAN) if what.startswith("Once, with credentials of the management")]
    assert [command.split()[1:3] for (command,) in once] == [
        ["cloudformation", "activate-organizations-access"],
        ["organizations", "register-delegated-administrator"],
    ]
    assert not any(what.startswith("Once") for what, _ in steps(LISTED))
