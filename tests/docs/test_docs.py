"""The documentation tells of everything that exists, and of nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from typer import Typer
from typer.models import OptionInfo

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Severity
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, EVENTS, EventGroup, WatchedEvent
from chalicelib.cloudtrail.tamper_calls import MENDING
from chalicelib.destinations.slack_message import payload
from chalicelib.security_groups.controls import ADMINISTRATION_PORTS, DEFAULT_GROUP, HIGH_RISK_PORTS, world_controls
from chalicelib.security_groups.rules import ALL_PROTOCOLS
from chalicelib.settings.fields import Field
from chalicelib.settings.kinds import KINDS
from chalicelib.settings.table import EVERY_DESTINATION, GLOBALS
from sgwatch.__main__ import COMMANDS, Subcommand
from sgwatch.commands.explain import WHEN
from sgwatch.docs import DOCS, PAGES, draw, with_tables
from tests.support.rows import every

ROOT = DOCS.parent
SETTINGS = [
    *(item.name for item in GLOBALS),
    *(variable for kind in KINDS for variable in kind.variables()),
    *(f"…_{item.name}" for item in EVERY_DESTINATION),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_up_to_date(page: Path) -> None:
    text = page.read_text()
    made = with_tables(text)
    missing = [line for line in made.splitlines() if line not in text.splitlines()]
    assert made == text, f"run `make docs`: {page.name} lacks {missing}"


@every("command", COMMANDS, ids=lambda item: item.name)
def test_the_page_of_the_command_line_has_a_section_with_every_option(command: Subcommand) -> None:
    text = (DOCS / "cli.md").read_text()
    assert f"\n## {command.name}\n" in text, f"no section “{command.name}” in docs/cli.md"
    section = text.split(f"\n## {command.name}\n")[1].split("\n## ")[0]
    missing = [option for option in options_of(command.load()) if not re.search(rf"{option}[ `\]]", section)]
    assert missing == [], f"options of {command.name} that docs/cli.md lacks"


def options_of(target: Callable[..., None] | Typer) -> list[str]:
    callback = target.registered_callback if isinstance(target, Typer) else None
    function = callback.callback if callback else target
    assert callable(function)
    hints = get_type_hints(function, include_extras=True)
    found = [(name, extra) for name, hint in hints.items() for extra in get_args(hint)[1:]]
    options = [(name, extra) for name, extra in found if isinstance(extra, OptionInfo)]
    # In Annotated, typer keeps the first name that was given where a default would stand.
    return [
        extra.default if isinstance(extra.default, str) else "--" + name.replace("_", "-") for name, extra in options
    ]


def test_options_are_found() -> None:
    assert {"--format", "--min-severity", "--send"} <= set(options_of(COMMANDS[0].load()))


@every("setting", SETTINGS)
def test_every_setting_is_in_the_page_of_settings(setting: str) -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE)
    assert setting in rows, f"run `make docs`: docs/settings.md lacks {setting}"


@every("item", [*GLOBALS, *EVERY_DESTINATION], ids=lambda item: item.name)
def test_every_default_is_as_the_page_says(item: Field) -> None:
    (row,) = [
        line for line in (DOCS / "settings.md").read_text().splitlines() if re.match(rf"\| `…?_?{item.name}` ", line)
    ]
    assert row.split("|")[-2].strip() == (f"`{item.default}`" if item.default else "")


@every("event", EVENTS, ids=lambda event: event.name)
def test_every_event_is_in_the_page_of_settings_beside_its_group(event: WatchedEvent) -> None:
    rows = [line for line in (DOCS / "settings.md").read_text().splitlines() if line.startswith(f"| `{event.group}` |")]
    found = any(re.search(rf"\b{event.name}\b", row) and event.source in row for row in rows)
    assert found, f"run `make docs`: docs/settings.md lacks {event.name} of {event.source}"


@pytest.mark.parametrize("name", [name for names in MENDING.values() for name in names])
def test_every_event_that_mends_is_in_the_page_of_the_alarm_path(name: str) -> None:
    assert re.search(rf"\b{name}\b", (DOCS / "alarm-path.md").read_text())


@every("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_the_readme_leads_to_every_page(page: Path) -> None:
    assert f"](docs/{page.name})" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("group", EventGroup)
def test_every_group_of_events_is_reported_where_one_chooses(group: EventGroup) -> None:
    assert f"`{group}`" in (DOCS / "cli.md").read_text()


def test_the_picture_is_drawn_from_what_slack_gets_today() -> None:
    record = json.loads((DOCS / "example-record.json").read_text())
    assert (DOCS / "alert.svg").read_text() == draw(payload(alert_of(record))), "run `make docs`"


def test_every_severity_is_explained() -> None:
    assert len(WHEN) == 5
    page = (DOCS / "severity.md").read_text()
    assert [severity for severity in Severity if f"| `{severity}` |" not in page] == []


def test_the_page_of_severities_lists_the_ports_and_the_controls() -> None:
    page = (DOCS / "severity.md").read_text()
    high_risk = page.split("those of EC2.19 (")[1].split(")")[0]
    assert list(map(int, high_risk.split(","))) == sorted(HIGH_RISK_PORTS)
    for port in ADMINISTRATION_PORTS:
        assert f"{port}" in page
    everywhere = {control for version in (4, 6) for control in world_controls(ALL_PROTOCOLS, (), version)}
    for control in everywhere.union(DEFAULT_GROUP):
        assert re.search(rf"^\|.*\b{re.escape(control)}\b.*\|.*\|$", page, re.MULTILINE), control


@every("page", [*ROOT.glob("*.md"), *DOCS.rglob("*.md")], ids=lambda page: page.name)
def test_every_link_into_the_repository_leads_somewhere(page: Path) -> None:
    targets = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", page.read_text()) if "://" not in link]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_file_that_is_named_exists(name: str) -> None:
    named = re.findall(r"`((?:chalicelib|sgwatch|tests|docs)/[\w./]+)`", (ROOT / name).read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"`?\bmake (demo|test|setup|fix|bench|docs|package)\b", (ROOT / page).read_text()):
            assert f"\n{target}:" in makefile


def test_every_setting_that_the_readme_names_is_in_the_page_of_settings() -> None:
    section = (ROOT / "README.md").read_text().split("\n## The settings most people need\n")[1].split("\n## ")[0]
    named = set(re.findall(r"`([A-Z][A-Z_]+)", section))
    assert len(named) >= 8
    page = (DOCS / "settings.md").read_text() + (DOCS / "destinations.md").read_text()
    kinds = {name.replace("SLACK_MIN_SEVERITY", "…_MIN_SEVERITY") for name in named}
    assert {name for name in kinds if f"`{name}" not in page} == set()


def test_the_readme_says_what_is_watched_and_what_is_on() -> None:
    section = (ROOT / "README.md").read_text().split("\n## What is watched\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(EventGroup)
    assert ("All of it by default" in section) == (set(DEFAULT_WATCH) == set(EventGroup))


def test_each_row_of_the_comparison_names_a_command_that_proves_it() -> None:
    table = (ROOT / "README.md").read_text().split("<!-- comparison -->")[1].split("<!-- /comparison -->")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.strip().splitlines()[2:]]
    assert len(rows) >= 3
    names = {item.name for item in COMMANDS}
    assert [row[0] for row in rows if row[2].strip("`").removeprefix("sgwatch ").split()[0] not in names] == []


def test_the_comparison_s_counts_are_those_of_the_measured_table() -> None:
    counted = re.search(r"^\| \*\*right of 23\*\* \|(.*)\|$", (DOCS / "alarm-path.md").read_text(), re.MULTILINE)
    assert counted is not None
    ours, prowler, custodian = (cell.strip() for cell in counted[1].split("|"))
    (row,) = [line for line in (ROOT / "README.md").read_text().splitlines() if "right of 23 accounts" in line]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert (cells[1], cells[6], cells[7]) == (ours, prowler, custodian)
