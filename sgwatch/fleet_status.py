"""Which regions and accounts forward their events to a stage, as far as the credentials let one look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.alarm_path.checks.forwarders import ForwarderState, ForwarderVerdict, judge_forwarder
from chalicelib.alarm_path.snapshot.collect_forwarders import collect_region, opted_in
from chalicelib.alarm_path.verdicts import Status
from chalicelib.aws.clients import ClientFactory
from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.deployment import Stage, forwarder_rules

AT_ONCE = 16
# CloudWatch keeps metrics of an hour's period for 455 days; two weeks say whether a forwarder is in use.
LOOK_BACK = timedelta(days=14)
PERIOD_SECONDS = 3600
# In place of a region's name, where an account's regions could not be listed.
NOT_LISTED = "?"
# Of more groups than one page holds it is enough to know that they are many.
MOST_GROUPS = 1000


@dataclass(frozen=True, slots=True)
class FleetTarget:
    """One account whose events a stage is to get; ``home`` is the stage's own region, None for other accounts."""

    account_id: str
    clients: ClientFactory
    ask_in: str
    bus_arn: str
    home: str | None = None


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One region of one account; ``verdict`` is None for the stage's own region, other values where they were not read.

    ``unread`` are the calls that AWS refused, with its code.
    """

    account_id: str
    region: str
    verdict: ForwarderVerdict | None
    last_event_at: datetime | None = None
    security_groups: int | None = None
    dead_letters: int | None = None
    unread: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """Fail where events do not arrive, unknown where something could not be read."""
        if self.verdict is not None and self.verdict.is_hole:
            return Status.FAIL
        unknown = self.unread or (self.verdict is not None and self.verdict.state is ForwarderState.UNREAD)
        return Status.UNKNOWN if unknown else Status.PASS

    @property
    def reasons(self) -> list[str]:
        """What is wrong, and what could not be read."""
        faults = [fault.reason for fault in self.verdict.faults] if self.verdict else []
        return [*faults, *self.unread]

    def to_json(self) -> dict[str, Any]:
        """The row as ``fleet status --json`` prints it."""
        return {
            "account_id": self.account_id,
            "region": self.region,
            "status": self.status.value,
            "forwarder": "home" if self.verdict is None else self.verdict.state.value,
            "reasons": [] if self.verdict is None else [fault.reason for fault in self.verdict.faults],
            "dead_letters": self.dead_letters,
            "last_event_at": self.last_event_at and self.last_event_at.isoformat(),
            "security_groups": self.security_groups,
            "unread": list(self.unread),
        }


def rows_of(target: FleetTarget, stage: Stage, watch: Iterable[EventGroup], now: datetime) -> list[FleetRow]:
    """Every opted-in region of one account; one row that names the refusal where they cannot be listed."""
    errors: list[dict[str, Any]] = []
    expected = forwarder_rules(stage, watch)
    regions = opted_in(target.clients, target.ask_in, errors)
    if regions is None:
        verdict = judge_forwarder({}, expected, target.bus_arn)
        return [FleetRow(target.account_id, NOT_LISTED, verdict, unread=_refusals(errors))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda region: _row(target, region, stage, expected, now), regions))


def not_assumed(account_id: str, code: str) -> FleetRow:
    """The one row of an account whose role could not be assumed."""
    verdict = judge_forwarder({}, {}, "")
    return FleetRow(account_id, NOT_LISTED, verdict, unread=(f"sts:AssumeRole: {code}",))


def _row(
    target: FleetTarget, region: str, stage: Stage, expected: Mapping[str, Mapping[str, Any]], now: datetime
) -> FleetRow:
    unread: list[str] = []
    groups = _asked(unread, lambda: _security_groups(target.clients, region))
    if region == target.home:
        return FleetRow(target.account_id, region, None, security_groups=groups, unread=tuple(unread))
    part, errors = collect_region(target.clients, region, stage.forwarder_prefix, stage.forwarder_queue)
    last = _asked(unread, lambda: _last_event(target.clients, region, expected, now)) if part.get("rules") else None
    return FleetRow(
        target.account_id,
        region,
        judge_forwarder(part, expected, target.bus_arn),
        last,
        groups,
        part.get("dead_letters"),
        (*_refusals(errors), *unread),
    )


def _refusals(errors: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(f"{error['call']}: {error['code']}" for error in errors)


def _asked(unread: list[str], ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ClientError as error:
        unread.append(f"{error.operation_name}: {error.response.get('Error', {}).get('Code')}")
    except BotoCoreError as error:
        unread.append(type(error).__name__)
    return None


def _security_groups(clients: ClientFactory, region: str) -> int:
    answer = clients("ec2", region).describe_security_groups(MaxResults=MOST_GROUPS)
    return len(answer.get("SecurityGroups", ()))


def _last_event(clients: ClientFactory, region: str, names: Iterable[str], now: datetime) -> datetime | None:
    """The end of the latest hour in which a rule of the forwarder matched an event."""
    queries = [
        {
            "Id": f"r{place}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Events",
                    "MetricName": "TriggeredRules",
                    "Dimensions": [{"Name": "RuleName", "Value": name}],
                },
                "Period": PERIOD_SECONDS,
                "Stat": "Sum",
            },
        }
        for place, name in enumerate(names)
    ]
    answer = clients("cloudwatch", region).get_metric_data(
        MetricDataQueries=queries, StartTime=now - LOOK_BACK, EndTime=now, ScanBy="TimestampDescending"
    )
    found = [
        time
        for series in answer.get("MetricDataResults", ())
        for time, value in zip(series.get("Timestamps", ()), series.get("Values", ()), strict=False)
        if value > 0
    ]
    return min(max(found) + timedelta(seconds=PERIOD_SECONDS), now) if found else None


def status_of_rows(rows: Iterable[FleetRow]) -> Status:
    """Fail where any region is a hole, else unknown where any could not be looked at."""
    found = {row.status for row in rows}
    return next((status for status in (Status.FAIL, Status.UNKNOWN) if status in found), Status.PASS)
