"""The audit's report: what ``sgwatch audit --json`` prints, as schemas/audit.v1.json describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chalicelib.alarm_path.api_calls import ApiCall
from chalicelib.alarm_path.verdicts import Finding, Status


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """Whether a change of this kind would reach somebody, and at most how many seconds later."""

    status: Status
    seconds: int | None


@dataclass(frozen=True, slots=True)
class PathReport:
    """One path with the names of its links (None from where it ends) and the findings along it.

    ``beside`` are the calls that mend it without a change of what others made; empty where there are none.
    """

    trail: str | None
    log_group: str | None
    metric_filter: str | None
    alarm: str | None
    topic: str | None
    status: Status
    findings: tuple[Finding, ...]
    beside: tuple[ApiCall, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """The answer about an account."""

    status: Status
    checked_at: datetime
    account_id: str
    standards: Mapping[str, Status]
    coverage: Mapping[str, EventAnswer]
    paths: tuple[PathReport, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    # Alarms in ALARM now without which some event reaches nobody: a further change sends nothing.
    in_alarm: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The report as the published schema has it."""
        return {
            "version": "1",
            "status": self.status.value,
            "checked_at": self.checked_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "account_id": self.account_id,
            "standards": {name: status.value for name, status in self.standards.items()},
            "coverage": {
                event: {"status": answer.status.value, "seconds": answer.seconds}
                for event, answer in self.coverage.items()
            },
            "paths": [_path(path) for path in self.paths],
            "findings": [_finding(finding) for finding in self.findings],
            "notes": list(self.notes),
        }


def _path(path: PathReport) -> dict[str, Any]:
    return {
        "trail": path.trail,
        "log_group": path.log_group,
        "metric_filter": path.metric_filter,
        "alarm": path.alarm,
        "topic": path.topic,
        "status": path.status.value,
        "findings": [_finding(finding) for finding in path.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "status": finding.status.value,
        "subject": finding.subject,
        "reason": finding.reason,
        "fix": finding.fix,
    }
