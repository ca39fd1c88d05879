"""The findings of a report one by one, each once, with the paths that it is on."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.alarm_path.report import PathReport, Report
from chalicelib.alarm_path.verdicts import Finding
from chalicelib.aws.arns import resource_name
from sgwatch.audit_text import worst_first


class PlacedFinding(NamedTuple):
    """A finding; ``paths`` are as ``path_label`` writes them, none for what belongs to no path."""

    finding: Finding
    paths: tuple[str, ...]


def placed_findings(report: Report) -> list[PlacedFinding]:
    """What is wrong first. Paths share links: a finding on several of them is one."""
    found: dict[Finding, dict[str, None]] = {finding: {} for finding in report.findings}
    for path in report.paths:
        for finding in path.findings:
            found.setdefault(finding, {})[path_label(path)] = None
    return [PlacedFinding(finding, tuple(found[finding])) for finding in worst_first(found)]


def path_label(path: PathReport) -> str:
    """The names of a path's links in its order, as far as it goes."""
    links = (path.trail, path.log_group, path.metric_filter, path.alarm, path.topic)
    return " → ".join(resource_name(name) for name in links if name)
