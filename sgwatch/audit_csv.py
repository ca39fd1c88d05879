"""The audit as CSV: a row for each standard's answer, then one for each finding."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.standards import Standard
from chalicelib.alert.model import format_time
from sgwatch.audit_findings import placed_findings
from sgwatch.csv_line import csv_line
from sgwatch.frameworks import frameworks_of

COLUMNS = ("checked_at", "account", "kind", "check", "link", "status", "subject", "reason", "fix", "paths", "controls")


def rows(*reports: Report) -> Iterator[str]:
    """The lines of the table, the names of its columns first."""
    yield csv_line(COLUMNS)
    for report in reports:
        yield from _rows(report)


def _rows(report: Report) -> Iterator[str]:
    at = (format_time(report.checked_at), report.account_id)
    for name, status in report.standards.items():
        standard = Standard(name)
        controls = "; ".join(item.words for item in frameworks_of(standard))
        yield csv_line((*at, "standard", name, "", status.value, report.account_id, standard.words, "", "", controls))
    for finding, paths in placed_findings(report):
        judged = (finding.check, finding.link.value, finding.status.value, finding.subject, finding.reason)
        yield csv_line((*at, "finding", *judged, finding.fix, "; ".join(paths), ""))
