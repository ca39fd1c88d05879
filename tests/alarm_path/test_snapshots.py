"""Snapshots of accounts with the answer that each has to get: p pass, f fail, u unknown, any of several, ? any."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot

CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in gzip.decompress(
        (Path(__file__).parent.parent / "data" / "snapshots" / "snapshots.jsonl.gz").read_bytes()
    ).splitlines()
]


def judged(case: dict[str, Any]) -> Report:
    """The report on a case's account."""
    return audit(read_snapshot(case["snapshot"]), coverage_of, checked_at=datetime(2026, 11, 30, 10, tzinfo=UTC))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_an_account_gets_the_answer_that_was_worked_out_by_hand(case: dict[str, Any]) -> None:
    report = judged(case)
    wrong = {
        standard: f"is {report.standards[standard]}, want {wanted}: {case['note']}"
        for standard, wanted in case["want"].items()
        if wanted != "?" and report.standards[standard].value[0] not in wanted
    }
    assert wrong == {}
