"""Repair: the fewest calls that mend an alarm path, planned from the audit's fixes and made with the clients given.

Only things named ``sgwatch-...`` are made or changed, unless it is asked for more: what others own is left alone, and a
repair that would have to touch it is refused with the steps for a person. Making the same links twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.alarm_path.check_registry import PathLink
from chalicelib.alarm_path.fix_alarms import FILTERS
from chalicelib.alarm_path.fix_calls import FixCall, snake
from chalicelib.alarm_path.fix_context import TOPIC
from chalicelib.alarm_path.report import PathReport, Report
from chalicelib.alarm_path.snapshot.model import Snapshot
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.verdicts import Finding, Status

__all__ = ["FILTERS", "TOPIC", "Plan", "Subscriber", "apply", "plan"]

MAX_FILTERS = 100  # per log group: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
_NOT_READ = "Let the caller read them, then run again."


@dataclass(frozen=True, slots=True)
class Plan:
    """What repair would do: the calls in order, or why it refuses; and what is left for a person."""

    steps: tuple[FixCall, ...]
    refusals: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    human: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who is to be notified: ``email`` or ``https`` and the address."""

    protocol: str
    endpoint: str


def plan(
    snapshot: Snapshot,
    report: Report,
    subscriber: Subscriber | None = None,
    *,
    standard: Standard = Standard.CIS_5,
    edit_existing: bool = False,
) -> Plan:
    """The fewest calls after which the standard is met. ``edit_existing`` lets them change what others made, too."""
    if report.standards[standard] is Status.PASS:
        return Plan(())
    unread = _unread(snapshot)
    if unread:
        return unread
    ways = [calls for path in report.paths if (calls := _way(path, edit_existing=edit_existing))]
    if edit_existing:
        ways += [finding.calls for finding in report.findings if finding.calls]
    if not ways:
        return _refused(report)
    return _planned(snapshot, min(ways, key=_size), subscriber)


def apply(steps: Sequence[FixCall], clients: Callable[[str, str], Any]) -> None:
    """Make the calls in order. Raises botocore's ClientError of the first that AWS refuses."""
    for step in steps:
        getattr(clients(step.service, step.region), snake(step.action))(**step.parameters)


def _size(calls: Sequence[FixCall]) -> tuple[int, int]:
    """How many things are made, and how many calls there are."""
    made = [call for call in calls if call.undo is not None and call.undo.action.startswith("Delete")]
    return len(made), len(calls)


def _unread(snapshot: Snapshot) -> Plan | None:
    if snapshot.trails is None or any(error.call == "cloudtrail:DescribeTrails" for error in snapshot.errors):
        why = "The trails could not be read."
        return Plan((), (why,), ("Let the caller use cloudtrail:DescribeTrails, then run again.",))
    for region in snapshot.regions.values():
        missing = [name for name in ("metric_filters", "metric_alarms", "topics") if getattr(region, name) is None]
        if missing:
            why = f"{', '.join(missing)} of {region.name} could not be read, so what is missing is not known."
            return Plan((), (why,), (_NOT_READ,))
    return None


def _way(path: PathReport, *, edit_existing: bool) -> tuple[FixCall, ...]:
    bad = [finding for finding in path.findings if finding.status is Status.FAIL]
    whole = tuple(call for finding in path.findings for call in finding.calls)
    mended = all(finding.calls or _with_another(finding, whole) for finding in bad)
    return whole if edit_existing and whole and mended else path.beside


def _with_another(finding: Finding, calls: Sequence[FixCall]) -> bool:
    """Whether a call for another link mends this one as well.

    sgwatch's own alarm brings its own filter and topic; a trail delivers again once its log group is there, and a
    log group is made again with its filter.
    """
    needed = {"trail-delivery": "CreateLogGroup", "filter-exists": "PutMetricFilter"}.get(finding.check)
    return finding.link in {PathLink.ALARM, PathLink.ACTION} or any(call.action == needed for call in calls)


def _refused(report: Report) -> Plan:
    """Why nothing can be done, and the commands for a person."""
    findings = [*report.findings, *(finding for path in report.paths for finding in path.findings)]
    bad = [item for item in findings if item.status is not Status.PASS and item.link is not PathLink.OWN]
    fixes = dict.fromkeys(item.fix for item in bad if item.fix)
    reasons = tuple(dict.fromkeys(item.reason for item in bad))
    return Plan((), reasons, (*fixes, "sgwatch repair --apply") if fixes else ())


def _planned(snapshot: Snapshot, calls: Sequence[FixCall], subscriber: Subscriber | None) -> Plan:
    full = _full_group(snapshot, calls)
    if full:
        return full
    steps: list[FixCall] = []
    human: list[str] = []
    for call in dict.fromkeys(_Once(call) for call in calls):
        one, left = _subscribing(call.call, subscriber)
        steps += [one] if one else []
        human += [left] if left else []
    subscribing_last = sorted(steps, key=lambda step: step.action == "Subscribe")
    return Plan(tuple(subscribing_last), human=tuple(human))


@dataclass(frozen=True, slots=True)
class _Once:
    """A call that is the same as another of the same command."""

    call: FixCall

    def __hash__(self) -> int:
        return hash(self.call.command())


def _full_group(snapshot: Snapshot, calls: Sequence[FixCall]) -> Plan | None:
    for call in calls:
        new = call.action == "PutMetricFilter" and call.undo is not None and call.undo.action == "DeleteMetricFilter"
        group = call.parameters.get("logGroupName")
        there = [item for item in snapshot.region(call.region).metric_filters or () if item.log_group == group]
        if new and len(there) >= MAX_FILTERS:
            why = f"Log group {group} has {len(there)} metric filters, and AWS allows {MAX_FILTERS}."
            listed = FixCall("logs", "DescribeMetricFilters", call.region, {"logGroupName": group})
            return Plan((), (why,), (listed.command(), "Delete one that is unused."))
    return None


def _subscribing(call: FixCall, subscriber: Subscriber | None) -> tuple[FixCall | None, str | None]:
    """A subscription as it is to be made, and what is left to a person; any other call as it is."""
    if call.action != "Subscribe":
        return call, None
    if call.asks is None and (subscriber is None or subscriber.endpoint == call.parameters.get("Endpoint")):
        return None, _to_confirm(str(call.parameters.get("Endpoint")))
    if subscriber is None:
        name = str(call.parameters["TopicArn"]).rpartition(":")[2]
        missing = f"Nobody is subscribed to {name}: run sgwatch repair --apply --email ADDRESS (or --https URL)."
        return None, missing
    parameters = {**call.parameters, "Protocol": subscriber.protocol, "Endpoint": subscriber.endpoint}
    why = f"Notify {subscriber.endpoint}."
    return replace(call, parameters=parameters, asks=None, why=why), _to_confirm(subscriber.endpoint)


def _to_confirm(endpoint: str) -> str:
    return f"Confirm the subscription: AWS sends a message to {endpoint} with a link to follow."
