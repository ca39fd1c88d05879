"""What an organization trail does for the accounts that it covers: judged in the account that its log group belongs to.

In a member account such a trail is seen, its log group is not: the audit of that account alone says unknown. Here the
snapshots of several accounts are at hand, and the answer for the trail is that of the account with the log group. A
delegated administrator's log group is in its own account, though the trail belongs to the management account.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-delegated-administrator.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.report import EventAnswer, Report
from chalicelib.alarm_path.snapshot.model import Snapshot, Trail
from chalicelib.alarm_path.standards import CLASSIC_EVENTS, EVENTS, Standard
from chalicelib.alarm_path.verdicts import Status, all_of, any_of
from chalicelib.aws.arns import parse_arn

# The report on an organization's trail alone, by the trail's ARN.
TrailReports = Mapping[str, Report]


def judge_organization_trails(snapshots: Iterable[Snapshot], standard: Standard, checked_at: datetime) -> TrailReports:
    """The reports on the organization trails whose log group is in one of these accounts."""
    found: dict[str, Report] = {}
    for snapshot in snapshots:
        for trail in snapshot.trails or ():
            if trail.organization and _group_owner(trail) == snapshot.account_id:
                alone = replace(snapshot, trails=(trail,), own=None)
                found[trail.arn] = audit(alone, coverage_of, checked_at=checked_at, standard=standard)
    return found


def judge_account(
    snapshot: Snapshot, elsewhere: TrailReports, standard: Standard, checked_at: datetime, profile: str | None = None
) -> Report:
    """An account's report: its own trails, and the answer of each organization trail that was judged elsewhere."""
    judged = [
        (trail, elsewhere[trail.arn])
        for trail in snapshot.trails or ()
        if trail.arn in elsewhere and elsewhere[trail.arn].account_id != snapshot.account_id
    ]
    apart = {trail.arn for trail, _ in judged}
    trails = snapshot.trails and tuple(trail for trail in snapshot.trails if trail.arn not in apart)
    own = replace(snapshot, trails=trails)
    report = audit(own, coverage_of, checked_at=checked_at, standard=standard, profile=profile)
    if judged:
        # That it has no trail besides is no finding.
        kept = tuple(each for each in report.findings if (each.check, each.status) != ("trail-exists", Status.FAIL))
        report = replace(report, findings=kept)
    for trail, found in judged:
        report = _joined(report, trail, found, standard)
    return report


def _joined(report: Report, trail: Trail, judged: Report, standard: Standard) -> Report:
    coverage = {event: _better(report.coverage[event], judged.coverage[event]) for event in EVENTS}
    standards = {
        Standard.CIS_1_TO_4: all_of(coverage[event].status for event in CLASSIC_EVENTS),
        Standard.CIS_5: all_of(coverage[event].status for event in EVENTS),
        Standard.SECURITY_HUB: any_of(each.standards[Standard.SECURITY_HUB] for each in (report, judged)),
    }
    said = (
        f"Organization trail {trail.name} covers this account too; it was judged in account {judged.account_id}, where "
        "its log group is."
    )
    return replace(
        report,
        status=standards[standard],
        standards={item.value: standards[item] for item in Standard},
        coverage=coverage,
        paths=(*judged.paths, *report.paths),
        notes=tuple(dict.fromkeys((said, *report.notes))),
        in_alarm=tuple(dict.fromkeys((*report.in_alarm, *judged.in_alarm))),
    )


def _better(one: EventAnswer, other: EventAnswer) -> EventAnswer:
    status = any_of((one.status, other.status))
    seconds = [each.seconds for each in (one, other) if each.status is status and each.seconds is not None]
    return EventAnswer(status, min(seconds, default=None) if status is Status.PASS else None)


def _group_owner(trail: Trail) -> str | None:
    group = parse_arn(trail.log_group_arn)
    return group.account if group is not None else None
