"""One audit from the calls to the answer, and the repair of what sgwatch made itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.repair import FILTERS, TOPIC, apply, plan
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.collect import collect
from chalicelib.alarm_path.snapshot.collect_own_path import OwnPath, collect_own
from chalicelib.alarm_path.snapshot.model import Snapshot
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.watch.alerts import RepairCall
from chalicelib.alarm_path.watch.health import Standing, standing
from chalicelib.aws.clients import ClientFactory

# What is repaired without a person; nobody is subscribed or let through by it.
UNATTENDED = frozenset(
    {
        "logs:PutMetricFilter",
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:EnableAlarmActions",
        "sns:CreateTopic",
        "sns:SetTopicAttributes",
    }
)


class NotAudited(Exception):  # noqa: N818 - it reads as what happened
    """No audit could be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What was collected, the report on it and what it comes to."""

    snapshot: Snapshot
    report: Report
    standing: Standing


@dataclass(frozen=True, slots=True)
class Auditor:
    """Audits the account that its clients belong to.

    ``own`` is what sgwatch consists of, in ``own_region`` where that is another; without it its own path is not
    looked at.
    """

    clients: ClientFactory
    region: str
    standard: Standard
    now: Callable[[], datetime]
    own: OwnPath | None = None
    own_region: str | None = None
    durable: bool = False

    def audit(self) -> Audited:
        """Collect and judge.

        Raises:
            NotAudited: AWS does not even say which account this is.
        """
        now = self.now()
        snapshot = read_snapshot(self.document(now))
        report = audit(snapshot, coverage_of, checked_at=now, standard=self.standard)
        return Audited(snapshot, report, standing(snapshot, report, durable=self.durable))

    def document(self, now: datetime) -> dict[str, Any]:
        """The snapshot's document, sgwatch's own path in it."""
        try:
            document = collect(self.clients, home_region=self.region, now=now)
        except ClientError as error:
            raise NotAudited(f"{error.response.get('Error', {}).get('Code')} on {error.operation_name}") from error
        except (BotoCoreError, ResponseParserError) as error:
            raise NotAudited(f"AWS could not be asked ({type(error).__name__})") from error
        if self.own is not None:
            region = self.own_region or self.region
            document["self"], errors = collect_own(self.clients, region, self.own, now=now)
            document["errors"] += errors
        return document

    def repair(self, audited: Audited, parts_before: frozenset[str] | None) -> list[RepairCall]:
        """Make what is missing of a path that sgwatch made; nothing where it made none."""
        if not _is_ours((audited.standing.parts or frozenset()) | (parts_before or frozenset())):
            return []
        planned = plan(audited.snapshot, audited.report, standard=self.standard)
        done: list[RepairCall] = []
        for step in planned.steps:
            if f"{step.service}:{step.action}" not in UNATTENDED:
                continue
            undo = step.undo.command() if step.undo else ""
            call = RepairCall(f"{step.service}:{step.action}", step.why, undo)
            try:
                apply([step], self.clients)
            except ClientError as error:
                return [*done, replace(call, failure=str(error.response.get("Error", {}).get("Code")))]
            except (BotoCoreError, ResponseParserError) as error:
                return [*done, replace(call, failure=type(error).__name__)]
            done.append(call)
        return done


def _is_ours(parts: frozenset[str]) -> bool:
    return any(name in parts for name in (TOPIC, *FILTERS))
