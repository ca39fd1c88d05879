"""How the alarm path and sgwatch itself stand after an audit: one status, what is wrong, and what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.alarm_path.report import PathReport, Report
from chalicelib.alarm_path.snapshot.model import Snapshot
from chalicelib.alarm_path.verdicts import Finding, Status, all_of, worst
from chalicelib.aws.arns import resource_name
from chalicelib.deployment import WITH_EVENTS

# An alarm without a topic is a choice at setup, and what lies in other regions is not known without a forwarder.
_ADVICE = ("own-alarms", "own-forwarding")
OWN_PATH = "sgwatch's own path"


@dataclass(frozen=True, slots=True)
class Standing:
    """``status`` is the worse of the alarm path's and of sgwatch's own; ``problems`` come the most specific first.

    ``parts`` are names as ``resource_name`` makes them. ``own_failures`` are what fails of sgwatch's own path, each by
    its check and its subject.
    """

    status: Status
    path_status: Status
    checked_at: datetime
    account_id: str | None
    problems: tuple[Finding, ...] = ()
    parts: frozenset[str] | None = None
    own_failures: frozenset[str] = frozenset()

    @property
    def subject(self) -> str:
        """What is not as it should be, or all of it."""
        if self.path_status is Status.PASS and self.status is not Status.PASS:
            return OWN_PATH
        return "the alarm path"

    def first(self, names: frozenset[str]) -> Standing:
        """The same with the problems of these names at the top."""
        return replace(self, problems=tuple(sorted(self.problems, key=lambda finding: name_of(finding) not in names)))


def standing(snapshot: Snapshot, report: Report, *, durable: bool) -> Standing:
    """What an audit comes to."""
    own = [finding for finding in report.findings if finding.check.startswith("own-")]
    counted = [finding for finding in own if _counts(finding, durable=durable)]
    status = all_of([report.status, worst(counted)])
    found = [*(_of_path(report) if report.status is not Status.PASS else ()), *_bad(counted)]
    problems = sorted(found, key=lambda finding: finding.status is not Status.FAIL)
    failures = frozenset(name_of(finding) for finding in counted if finding.status is Status.FAIL)
    parts = _parts(snapshot, report)
    return Standing(
        status, report.status, report.checked_at, report.account_id, tuple(problems), parts, own_failures=failures
    )


def name_of(finding: Finding) -> str:
    """What a finding is about, whatever it says of it."""
    return f"{finding.check} {finding.subject}"


def _counts(finding: Finding, *, durable: bool) -> bool:
    """Whether a finding about sgwatch itself is more than advice."""
    if finding.check in _ADVICE:
        return False
    return finding.check != "own-on-failure" or (durable and finding.subject.endswith(WITH_EVENTS))


def not_audited(reason: str, checked_at: datetime) -> Standing:
    """What is known where the audit could not be made."""
    finding = Finding("audit", Status.UNKNOWN, "sgwatch", f"The audit could not be made: {reason}.")
    return Standing(Status.UNKNOWN, Status.UNKNOWN, checked_at, None, (finding,))


def _of_path(report: Report) -> list[Finding]:
    """What is wrong on the path that lacks least, or with the trails."""
    general = _bad(finding for finding in report.findings if not finding.check.startswith("own-"))
    nearest = min(report.paths, key=_distance, default=None)
    return [*(_bad(nearest.findings) if nearest else ()), *general]


def _distance(path: PathReport) -> tuple[int, bool]:
    """How far a path is from carrying every event; one that was made for fewer of them is further away."""
    bad = _bad(path.findings)
    return len(bad) or len(path.findings), any(finding.check == "filter-coverage" for finding in bad)


def _bad(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.status is not Status.PASS]


def _parts(snapshot: Snapshot, report: Report) -> frozenset[str]:
    names = {name for path in report.paths for name in _names(path)}
    names |= {finding.subject for path in report.paths for finding in path.findings}
    names |= {finding.subject for finding in report.findings}
    topics = {path.topic for path in report.paths}
    for region in snapshot.regions.values():
        for arn, topic in (region.topics or {}).items():
            if arn in topics:
                names |= {item.arn for item in topic.subscriptions or ()}
    names |= {str(rule.get("Name")) for rule in (snapshot.own or {}).get("rules") or ()}
    return frozenset(resource_name(name) for name in names if name)


def _names(path: PathReport) -> Iterable[str]:
    return (name for name in (path.trail, path.log_group, path.metric_filter, path.alarm, path.topic) if name)
