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
from chalicelib.alarm_path.verdicts import Status

FILE = Path(__file__).parent.parent / "data" / "snapshots" / "snapshots.jsonl.gz"
PARTS = 12


@cache
def cases() -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in gzip.decompress(FILE.read_bytes()).splitlines()]
    named = {str(case["name"]): case for case in found}
    assert len(named) == len(found), "two cases share a name"
    return named


@cache
def judged(name: str) -> Report:
    """The report on a case's account."""
    snapshot = read_snapshot(cases()[name]["snapshot"])
    return audit(snapshot, coverage_of, checked_at=datetime(2026, 11, 30, 10, tzinfo=UTC))


@pytest.mark.parametrize("part", range(PARTS))
def test_an_account_gets_the_answer_that_was_worked_out_by_hand(part: int) -> None:
    wrong = {
        (name, standard): f"is {judged(name).standards[standard]}, want {wanted}: {case['note']}"
        for name, case in list(cases().items())[part::PARTS]
        for standard, wanted in case["want"].items()
        if wanted != "?" and judged(name).standards[standard].value[0] not in wanted
    }
    assert wrong == {}


def test_every_answer_of_a_path_s_check_occurs_among_the_accounts_and_no_other() -> None:
    reports = [judged(name) for name in cases()]
    findings = {finding for report in reports for finding in report.findings}
    findings |= {finding for report in reports for path in report.paths for finding in path.findings}
    seen = {(finding.check, finding.status) for finding in findings if finding.status is not Status.PASS}
    on_paths = [check for check in CHECKS if check.link in PATH_LINKS]
    said = {(check.id, Status.FAIL) for check in on_paths if check.fails}
    said |= {(check.id, Status.UNKNOWN) for check in on_paths if check.unknown}
    assert sorted(said - seen) == [], "no account in tests/data/snapshots gets this answer"
    unsaid = {(check, answer) for check, answer in seen - said if check in {item.id for item in on_paths}}
    assert sorted(unsaid) == [], "its row in CHECKS of chalicelib/alarm_path/check_registry.py does not say when"
