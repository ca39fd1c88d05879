"""Checks of a trail: does it log the watched calls, everywhere, and deliver them to a log group here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.alarm_path.checks.selectors import Selection, select
from chalicelib.alarm_path.snapshot.model import AccessError, LogGroup, Snapshot, Trail, TrailStatus
from chalicelib.alarm_path.standards import EVENTS
from chalicelib.alarm_path.verdicts import Finding, Status, all_of, status_of
from chalicelib.aws.arns import Arn, log_group_name, parse_arn

# An account that logs at all delivers every few minutes; a day without a delivery is a broken one. Where the
# bucket got files meanwhile and the log group nothing, an hour is enough to know.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
STALE = timedelta(hours=24)
STALE_AGAINST_BUCKET = timedelta(hours=1)

# Whether a log class has metric filters; what is documented of Essentials, and of classes to come, does not say.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch_Logs_Log_Classes.html
_CLASSES_WITH_FILTERS = {"STANDARD": True, "INFREQUENT_ACCESS": False, "DELIVERY": False}

NEW_TRAIL = "Create a multi-region trail that delivers to a bucket and to a CloudWatch Logs log group."


@dataclass(frozen=True, slots=True)
class TrailVerdict:
    """What was found about a trail up to its log group; ``events`` is what it logs, per event."""

    findings: tuple[Finding, ...]
    events: Mapping[str, Status]
    log_group: Arn | None
    elsewhere: bool
    notes: tuple[str, ...] = ()


def judge_trail(snapshot: Snapshot, trail: Trail) -> TrailVerdict:
    """Every check of the trail itself, in the order of the path."""
    selected, events = _selection(snapshot, trail)
    group = parse_arn(trail.log_group_arn)
    elsewhere = group is not None and group.account != snapshot.account_id
    findings = [_logging(snapshot, trail), _multi_region(trail), events, _log_group(snapshot, trail, group)]
    if group is not None and not elsewhere:
        findings += [_delivery(snapshot, trail), judge_log_group(snapshot, group)]
    elif trail.status and trail.status.logs_error:
        # How a trail delivers to a group of another account, its member accounts may not see; an error is one.
        findings.append(_delivery(snapshot, trail))
    notes = []
    if selected is not None and selected.write_only:
        notes.append(
            f"Trail {trail.name} logs write events only (WriteOnly): these events are among them, but CIS asks for All."
        )
    if group is not None and not elsewhere:
        notes += _masking(snapshot, group)
    answers = selected.events if selected else dict.fromkeys(EVENTS, Status.UNKNOWN)
    return TrailVerdict(tuple(findings), answers, group, elsewhere, tuple(notes))


def _masking(snapshot: Snapshot, group: Arn) -> list[str]:
    """That metric filters see masked data: no identifier of AWS's masks an event's name, and one of the account's may.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/mask-sensitive-log-data.html
    """
    name = log_group_name(group)
    found = [item for item in snapshot.region(group.region).log_groups or () if item.name == name and item.masks_data]
    return [
        f"A data protection policy masks data in log group {name} before metric filters read it; what it masks was not "
        "collected."
        for _ in found[:1]
    ]


def unread(errors: list[AccessError], what: str) -> tuple[Status, str]:
    """The answer for something that the snapshot does not hold: not there where AWS said so, else unknown."""
    for error in errors:
        if error.not_found:
            return Status.FAIL, f"{what} does not exist: {error}."
    if errors:
        return Status.UNKNOWN, f"{what} could not be read: {errors[0]}."
    return Status.UNKNOWN, f"{what} was not collected."


def _logging(snapshot: Snapshot, trail: Trail) -> Finding:
    if trail.status is None:
        errors = snapshot.errors_of("cloudtrail:GetTrailStatus", region=trail.home_region, resource=trail.arn)
        status, reason = unread(errors, f"The status of trail {trail.name}")
        return Finding("trail-logging", status, trail.arn, reason, NEW_TRAIL if status is Status.FAIL else None)
    if trail.status.is_logging:
        return Finding("trail-logging", Status.PASS, trail.arn, f"Trail {trail.name} is logging.")
    return Finding("trail-logging", Status.FAIL, trail.arn, f"Trail {trail.name} is not logging.")


def _multi_region(trail: Trail) -> Finding:
    if trail.multi_region:
        return Finding("trail-multi-region", Status.PASS, trail.arn, f"Trail {trail.name} logs every region.")
    reason = f"Trail {trail.name} logs only {trail.home_region}: changes in other regions are not seen."
    return Finding("trail-multi-region", Status.FAIL, trail.arn, reason)


def _selection(snapshot: Snapshot, trail: Trail) -> tuple[Selection | None, Finding]:
    if trail.selectors is None:
        errors = snapshot.errors_of("cloudtrail:GetEventSelectors", region=trail.home_region, resource=trail.arn)
        status, reason = unread(errors, f"What trail {trail.name} selects")
        return None, Finding("trail-events", status, trail.arn, reason, NEW_TRAIL if status is Status.FAIL else None)
    selected = select(trail.selectors, trail.custom_selectors, EVENTS)
    status = all_of(selected.events.values())
    if status is Status.PASS:
        return selected, Finding(
            "trail-events", status, trail.arn, f"Trail {trail.name} logs these calls: {selected.why}."
        )
    missing = ", ".join(event for event, answer in selected.events.items() if answer is not Status.PASS)
    verb = "does not log" if status is Status.FAIL else "may not log"
    reason = f"Trail {trail.name} {verb} every call of {missing}: {selected.why}."
    return selected, Finding("trail-events", status, trail.arn, reason)


def _log_group(snapshot: Snapshot, trail: Trail, group: Arn | None) -> Finding:
    check = "trail-log-group"
    if group is None:
        reason = f"Trail {trail.name} does not deliver to a CloudWatch Logs log group."
        return Finding(check, Status.FAIL, trail.arn, reason)
    if group.region != trail.home_region:
        reason = (
            f"Trail {trail.name} names log group {log_group_name(group)} in {group.region}, and CloudTrail delivers "
            f"only to a group of the trail's home region, {trail.home_region}."
        )
        return Finding(check, Status.FAIL, str(group), reason)
    if group.account != snapshot.account_id:
        kind = "Organization trail" if trail.organization else "Trail"
        reason = (
            f"{kind} {trail.name} delivers to log group {log_group_name(group)} of account {group.account}, which "
            f"cannot be seen from account {snapshot.account_id}: audit account {group.account}."
        )
        fix = "Run sgwatch audit with credentials of the account that the log group belongs to."
        return Finding(check, Status.UNKNOWN, str(group), reason, fix)
    reason = f"Trail {trail.name} delivers to log group {log_group_name(group)} in {group.region}."
    return Finding(check, Status.PASS, str(group), reason)


def _delivery(snapshot: Snapshot, trail: Trail) -> Finding:
    subject = trail.log_group_arn or trail.arn
    if trail.status is None:
        errors = snapshot.errors_of("cloudtrail:GetTrailStatus", region=trail.home_region, resource=trail.arn)
        _, reason = unread(errors, f"When trail {trail.name} last delivered to CloudWatch Logs")
        return Finding("trail-delivery", Status.UNKNOWN, subject, reason)
    status, reason = _delivered(trail.name, trail.status, snapshot.collected_at)
    fix = "Let the trail's role call logs:CreateLogStream and logs:PutLogEvents on the log group."
    return Finding("trail-delivery", status, subject, reason, None if status is Status.PASS else fix)


def _delivered(name: str, status: TrailStatus, now: datetime | None) -> tuple[Status, str]:
    if status.logs_error:
        return Status.FAIL, f"Trail {name} fails to deliver to CloudWatch Logs: {status.logs_error.rstrip('.')}."
    delivered = status.logs_delivered_at
    if delivered is None:
        if now and status.started_at and now - status.started_at < STALE_AGAINST_BUCKET:
            return (
                Status.UNKNOWN,
                f"Trail {name} started logging at {status.started_at:%F %T}Z and has not delivered yet.",
            )
        return Status.FAIL, f"Trail {name} has never delivered to CloudWatch Logs."
    behind = status.delivered_at is not None and status.delivered_at - delivered > STALE_AGAINST_BUCKET
    if behind:
        return Status.FAIL, (
            f"Trail {name} last delivered to CloudWatch Logs at {delivered:%F %T}Z, and to its bucket "
            f"at {status.delivered_at:%F %T}Z."
        )
    if now is None:
        return Status.UNKNOWN, f"Trail {name} last delivered at {delivered:%F %T}Z; when that was read is not known."
    if now - delivered > STALE:
        return Status.FAIL, f"Trail {name} has not delivered to CloudWatch Logs since {delivered:%F %T}Z."
    return Status.PASS, f"Trail {name} last delivered to CloudWatch Logs at {delivered:%F %T}Z."


def judge_log_group(snapshot: Snapshot, group: Arn) -> Finding:
    """Whether the trail's log group is there and of a class that has metric filters."""
    name, region = log_group_name(group), snapshot.region(group.region)
    errors = snapshot.errors_of("logs:DescribeLogGroups", region=group.region, resource=str(group))
    found = [item for item in region.log_groups or () if item.name == name and _owned_by(item, group.account)]
    if not found:
        return _no_log_group(group, name, errors, collected=region.log_groups is not None)
    status = status_of(_CLASSES_WITH_FILTERS.get(found[0].log_class))
    if status is Status.PASS:
        return Finding("log-group", status, str(group), f"Log group {name} exists in {group.region}.")
    lacks = "has no metric filters" if status is Status.FAIL else "may have no metric filters"
    reason = f"Log group {name} is of the class {found[0].log_class}, which {lacks}."
    fix = "A log group's class cannot be changed: make a Standard group and point the trail at it."
    return Finding("log-group", status, str(group), reason, fix)


def _owned_by(item: LogGroup, account: str) -> bool:
    arn = parse_arn(item.arn)
    return arn is None or arn.account == account


def _no_log_group(group: Arn, name: str, errors: list[AccessError], *, collected: bool) -> Finding:
    if errors or not collected:
        status, reason = unread(errors, f"Log group {name} in {group.region}")
        return Finding("log-group", status, str(group), reason)
    reason = f"Log group {name}, to which the trail delivers, does not exist in {group.region}."
    return Finding("log-group", Status.FAIL, str(group), reason)
