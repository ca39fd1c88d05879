"""The audit for other programs and for auditors: CSV, JUnit XML, OCSF and the page."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.verdicts import Finding, Status
from sgwatch import audit_csv, audit_junit, audit_ocsf
from sgwatch.audit_findings import placed_findings
from sgwatch.audit_html import SnapshotFile, page
from sgwatch.commands.audit import judge_snapshot
from sgwatch.frameworks import FRAMEWORKS, frameworks_of
from sgwatch.version import VERSION
from tests.alarm_path.test_audit_command import run
from tests.support.alarm_paths import Account, alarm, metric_filter

HOSTILE = '=cmd|"/c calc"!A0\x1b[2J\ufffe\ud800]]>&<script>'


def _account(name: str = "sg-changes") -> Account:
    account = Account()
    account.filters = [metric_filter(name)]
    account.alarms = [alarm(name, name), alarm("loud", name, ActionsEnabled=False), alarm("high", name, Threshold=9)]
    return account


def _report(name: str = "sg-changes") -> Report:
    """Three paths with every answer, and findings outside any path."""
    unread = Finding("own-rule", Status.UNKNOWN, "sgwatch", "Whether rule x is there could not be read.")
    failed = Finding("own-function", Status.FAIL, name, f"Function {name} does not exist.", "chalice deploy")
    report = judge_snapshot(read_snapshot(_account(name).document()))
    return replace(report, findings=(unread, failed))


REPORTS = {"plain": _report(), "hostile": _report(HOSTILE)}


def test_a_finding_on_several_paths_is_one_with_their_names() -> None:
    placed = placed_findings(_report())
    (trail,) = (item for item in placed if item.finding.check == "trail-logging")
    assert len(trail.paths) == 3
    assert "main → trail-logs → sg-changes → loud → security" in trail.paths
    assert [item.finding.status for item in placed[:3]] == [Status.FAIL] * 3
    assert placed[3].finding.status is Status.UNKNOWN


@pytest.mark.parametrize("which", REPORTS)
def test_csv_has_a_row_for_each_standard_and_finding(which: str) -> None:
    report = REPORTS[which]
    rows = list(csv.DictReader(io.StringIO("".join(audit_csv.rows(report)))))
    assert tuple(rows[0]) == audit_csv.COLUMNS
    kinds = Counter(row["kind"] for row in rows)
    assert kinds == {"standard": len(Standard), "finding": len(placed_findings(report))}
    assert {row["status"] for row in rows} == {"pass", "fail", "unknown"}
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    (missing,) = (row for row in rows if row["check"] == "own-function")
    assert (missing["fix"], missing["paths"]) == ("chalice deploy", "")


@pytest.mark.parametrize("which", REPORTS)
def test_junit_counts_a_fail_as_failure_and_an_unknown_as_error(which: str) -> None:
    report = REPORTS[which]
    text = audit_junit.document_of(report)
    root = ET.fromstring(text.encode())
    assert [suite.get("name", "").split(":")[0] for suite in root] == [
        "standards",
        "path 1",
        "path 2",
        "path 3",
        "outside any path",
    ]
    findings = [finding for path in report.paths for finding in path.findings] + list(report.findings)
    statuses = Counter([*report.standards.values(), *(finding.status for finding in findings)])
    whole = {name: root.get(name) for name in ("tests", "failures", "errors")}
    assert whole == {
        "tests": str(statuses.total()),
        "failures": str(statuses[Status.FAIL]),
        "errors": str(statuses[Status.UNKNOWN]),
    }
    for suite in root:
        cases = list(suite)
        assert {case.tag for case in cases} == {"testcase"}
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == sum(case.find("failure") is not None for case in cases)
        assert all(case.attrib.keys() == {"classname", "name", "time"} for case in cases)


@pytest.mark.parametrize("which", REPORTS)
def test_an_ocsf_event_is_a_compliance_finding_to_py_ocsf_models(which: str) -> None:
    report = REPORTS[which]
    events: list[dict[str, Any]] = [json.loads(json.dumps(event)) for event in audit_ocsf.events(report)]
    assert len(events) == len(Standard) + len(placed_findings(report))
    for event in events:
        ComplianceFinding.model_validate(event)
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"] == 200301
    assert len({event["finding_info"]["uid"] for event in events}) == len(events)
    assert Counter(event["status_code"] for event in events).keys() == {"pass", "fail", "unknown"}
    cis = next(event for event in events if event["compliance"]["control"] == "cis_5")
    assert cis["compliance"]["standards"] == [item.words for item in frameworks_of(Standard.CIS_5)]


def test_an_ocsf_finding_keeps_its_uid_from_audit_to_audit() -> None:
    uids = [[event["finding_info"]["uid"] for event in audit_ocsf.events(_report())] for _ in range(2)]
    assert uids[0] == uids[1]


@pytest.mark.parametrize("which", REPORTS)
def test_the_page_has_the_verdicts_with_their_controls_and_what_was_collected(which: str) -> None:
    html = page(REPORTS[which], _account().document())
    assert [item.words for item in FRAMEWORKS if item.standard and item.words not in html] == []
    for said in (
        f"sgwatch {VERSION}",
        "2026-11-23 10:00:00 UTC",
        "chalice deploy",
        "1 metric filter, 3 metric alarms",
    ):
        assert said in html
    assert html.count('<ol class="chain">') == 3
    assert "<script" not in html
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_the_page_names_the_snapshot_and_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    path.write_text(json.dumps(_account().document()))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    html = run("--from", str(path), "--format", "html").stdout
    assert f"Snapshot: account.json, SHA-256 <code>{digest}</code>." in html
    assert "hash not known" in page(_report(), {}, SnapshotFile("-", None))


def test_the_page_says_which_calls_aws_refused() -> None:
    refused = {"call": "kms:DescribeKey", "region": "us-east-1", "resource": "arn:k", "code": "AccessDenied"}
    html = page(_report(), _account().document() | {"errors": [refused]})
    assert "Calls that AWS refused (1)" in html
    assert "kms:DescribeKey</td><td>arn:k</td><td>AccessDenied" in html


def test_each_standard_has_controls() -> None:
    assert all(frameworks_of(standard) for standard in Standard)
