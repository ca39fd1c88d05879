"""Snapshots of accounts with the answer that each has to get: p pass, f fail, u unknown, any of several, ? any."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.check_registry import CHECKS, PATH_LINKS
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot

FILE = Path(__file__).parent.parent / "data" / "snapshots" / "snapshots.jsonl.gz"
# A case's name begins with its group.
GROUPS = ("c", "e", "f", "h", "i", "k", "lg", "m", "mute", "p", "r", "s", "t", "x")


@cache
def cases() -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in gzip.decompress(FILE.read_bytes()).splitlines()]
    return {str(case["name"]): case for case in found}


def group_of(name: str) -> str:
    return name.partition("-")[0]


@cache
def judged(name: str) -> Report:
    """The report on a case's account."""
    snapshot = read_snapshot(cases()[name]["snapshot"])
    return audit(snapshot, coverage_of, checked_at=datetime(2026, 11, 30, 10, tzinfo=UTC))


def test_every_case_has_a_name_of_its_own_and_is_in_a_group() -> None:
    assert len(cases()) == 1032
    assert {group_of(name) for name in cases()} == set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_an_account_gets_the_answer_that_was_worked_out_by_hand(group: str) -> None:
    wrong = {
        (name, standard): f"is {judged(name).standards[standard]}, want {wanted}: {case['note']}"
        for name, case in cases().items()
        if group_of(name) == group
        for standard, wanted in case["want"].items()
        if wanted != "?" and judged(name).standards[standard].value[0] not in wanted
    }
    assert wrong == {}


def test_every_check_of_a_path_occurs_among_the_accounts() -> None:
    seen = {finding.check for name in cases() for path in judged(name).paths for finding in path.findings}
    on_paths = {check.id for check in CHECKS if check.link in PATH_LINKS}
    # Without a trail there is no path; that finding belongs to none.
    assert on_paths - seen <= {"trail-exists"}
