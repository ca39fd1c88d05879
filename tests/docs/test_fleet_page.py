"""The figures in docs/fleet.md are the model's, and its commands those of ``sgwatch fleet template``."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fleet_model import FleetCost, dollars_per_million_changes, summary
from sgwatch.fleet_commands import FleetPlan, steps

PAGE = Path(__file__).parents[2] / "docs" / "fleet.md"


def test_the_figures_on_the_page_are_the_models() -> None:
    shown = PAGE.read_text().split("<!-- fleet-model -->\n")[1].split("<!-- /fleet-model -->")[0]
    assert shown == summary()


# That of the page: an organization whose stage's account administers StackSets by delegation.
PLAN = FleetPlan(
    "prod",
    "123456789012",
    "eu-west-1",
    ("eu-west-1", "us-east-1"),
    "sgwatch-prod",
    organization_id="o-example1234",
    organizational_units=("ou-exam-ple12345",),
    delegated=True,
    operator_role="security",
)


def test_the_steps_on_the_page_are_those_that_the_command_prints() -> None:
    shown = PAGE.read_text().split("<!-- fleet-steps -->\n")[1].split("<!-- /fleet-steps -->")[0]
    assert shown == "\n".join(
        f"{number}. {what}\n\n" + "".join(f"       {command}\n" for command in commands)
        for number, (what, commands) in enumerate(steps(PLAN), start=1)
    )


def test_changes_cost_in_proportion_and_idle_cost_grows_with_the_forwarders() -> None:
    one, thousand = FleetCost(1), FleetCost(1000)
    assert thousand.change_dollars == pytest.approx(1000 * one.change_dollars)
    assert one.change_dollars == pytest.approx(one.changes_per_month * dollars_per_million_changes() / 1e6)
    assert one.forwarders < thousand.forwarders == 1000 * 17 - 1
    assert one.idle_dollars < thousand.idle_dollars < 1000 * one.idle_dollars
