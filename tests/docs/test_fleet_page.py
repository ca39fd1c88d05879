"""The figures in docs/fleet.md are the model's."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fleet_model import FleetCost, dollars_per_million_changes, summary

PAGE = Path(__file__).parents[2] / "docs" / "fleet.md"


def test_the_figures_on_the_page_are_the_models() -> None:
    shown = PAGE.read_text().split("<!-- fleet-model -->\n")[1].split("<!-- /fleet-model -->")[0]
    assert shown == summary()


def test_changes_cost_in_proportion_and_idle_cost_grows_with_the_forwarders() -> None:
    one, thousand = FleetCost(1), FleetCost(1000)
    assert thousand.change_dollars == pytest.approx(1000 * one.change_dollars)
    assert one.change_dollars == pytest.approx(one.changes_per_month * dollars_per_million_changes() / 1e6)
    assert one.forwarders < thousand.forwarders == 1000 * 17 - 1
    assert one.idle_dollars < thousand.idle_dollars < 1000 * one.idle_dollars
