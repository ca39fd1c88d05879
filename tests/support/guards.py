"""A guard whose audits are given, its alerts into real receivers, its log and metrics into lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.audit_run import Audited, NotAudited
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.watch.alerts import RepairCall
from chalicelib.alarm_path.watch.health import standing
from chalicelib.alarm_path.watch.notification_policy import RememberedStatus
from chalicelib.alarm_path.watch.status_store import MemoryUnavailable
from chalicelib.delivery.direct import Direct
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.functions.call_windows import CallWindows, RecentCalls
from chalicelib.functions.composition.alerting import assemble
from chalicelib.functions.guard import Guard
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics
from chalicelib.settings.environment import read_settings
from tests.support.alarm_paths import NOW, Account, Document, named_coverage
from tests.support.receiver import Receiver

RECORD = {
    "eventVersion": "1.09",
    "userIdentity": {"type": "IAMUser", "accountId": "123456789012", "userName": "mallory"},
    "sourceIPAddress": "203.0.113.9",
    "eventTime": "2026-11-23T10:00:00Z",
    "awsRegion": "us-east-1",
    "eventID": "11111111-2222-4333-8444-555555555555",
    "recipientAccountId": "123456789012",
}


def event(name: str, source: str, parameters: Document, **more: Any) -> Document:
    """What EventBridge hands over for one record."""
    record = {
        **RECORD,
        "eventName": name,
        "eventSource": f"{source}.amazonaws.com",
        "requestParameters": parameters,
        **more,
    }
    return {
        "version": "0",
        "id": f"event-{name}",
        "detail-type": "AWS API Call via CloudTrail",
        "detail": record,
    }


DELETED_FILTER = event("DeleteMetricFilter", "logs", {"logGroupName": "trail-logs", "filterName": "sg-changes"})
SCHEDULED = {"version": "0", "id": "scheduled", "detail-type": "Scheduled Event", "detail": {}}


def audited(document: Document, *, durable: bool = False) -> Audited:
    """The audit of a snapshot."""
    snapshot = read_snapshot(document)
    report = audit(snapshot, named_coverage, checked_at=NOW)
    return Audited(snapshot, report, standing(snapshot, report, durable=durable))


def sound() -> Audited:
    return audited(Account().document())


def without_filter() -> Audited:
    account = Account()
    account.filters = []
    return audited(account.document())


@dataclass
class Kept:
    """A memory in memory, which may be out of order."""

    memory: RememberedStatus | None = None
    failing: set[str] = field(default_factory=set)
    saved: list[RememberedStatus] = field(default_factory=list)
    before_save: list[Callable[[], object]] = field(default_factory=list)
    has_conditions: bool = False

    parameter: str | None = "/sgwatch/prod/alarm-path"

    def load(self) -> RememberedStatus | None:
        if "load" in self.failing:
            raise MemoryUnavailable("it could not be read")
        return self.memory

    def save(self, memory: RememberedStatus, after: RememberedStatus | None) -> RememberedStatus | None:
        if "save" in self.failing:
            raise MemoryUnavailable("it could not be written")
        while self.before_save:
            self.before_save.pop()()
        other = self.memory if (self.memory and self.memory.revision) != (after and after.revision) else None
        if other is None or not self.has_conditions:
            revision = self.memory.revision if self.memory else 0
            self.saved.append(memory)
            self.memory = replace(memory, revision=revision + 1)
        return other and replace(other, revision=self.memory.revision if self.memory else 0)


@dataclass
class Guarded:
    """A guard with what goes in and comes out of it."""

    webhook: Receiver
    kept: Kept = field(default_factory=Kept)
    finds: Callable[[], Audited] = sound
    repairs: Callable[[Audited, frozenset[str] | None], list[RepairCall]] | None = None
    written: list[str] = field(default_factory=list)
    now: datetime = NOW
    most_wait: float = 5.0
    remaining_ms: float = 120_000
    more: Document = field(default_factory=dict)
    windows: CallWindows | None = None
    recent: RecentCalls = field(default_factory=RecentCalls)
    slept: list[float] = field(default_factory=list)
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def guard(self) -> Guard:
        settings = read_settings({"WEBHOOK_URL": self.webhook.url})
        made = assemble(settings, self.more.get("faults", ()), "sgwatch-prod-alert_on_tampering")
        alerts = made._replace(
            direct=Direct(sleep=lambda _: None),
            log=Log(Redactor(), "info", self.written.append),
            metrics=Metrics("f", self.written.append),
            now=lambda: self.now.astimezone(UTC),
        )
        return Guard(
            alerts=alerts,
            audit=self.finds,
            memory=self.kept,
            region="us-east-1",
            heartbeat=self.more.get("heartbeat"),
            repair=self.repairs,
            most_wait=self.most_wait,
            windows=self.windows,
            recent=self.recent,
            sleep=self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        self.on_sleep()

    def on_sleep(self) -> None:
        """What happens while an invocation sleeps."""
        for act in self.meanwhile:
            act()

    def invocation(self) -> InvocationContext:
        return InvocationContext("req-1", lambda: self.remaining_ms)

    def tampered(self, document: object = DELETED_FILTER) -> list[Document]:
        """The alerts that a record of tampering led to."""
        return self._alerts(lambda: self.guard().on_tampering(document, self.invocation()))

    def scheduled(self) -> list[Document]:
        """The alerts that the schedule led to."""
        return self._alerts(lambda: self.guard().on_schedule(SCHEDULED, self.invocation()))

    def after(self, run: Callable[[Guard, InvocationContext], None]) -> list[Document]:
        """The alerts that a run of the guard led to."""
        return self._alerts(lambda: run(self.guard(), self.invocation()))

    def _alerts(self, run: Callable[[], None]) -> list[Document]:
        before = len(self.webhook.requests)
        run()
        return [json.loads(request.body) for request in self.webhook.requests[before:]]

    def logged(self) -> list[str]:
        return [line["event"] for line in map(json.loads, self.written) if "event" in line]

    def counted(self, name: str) -> list[float]:
        return [line[name] for line in map(json.loads, self.written) if name in line]


def refused() -> Audited:
    raise NotAudited("AccessDenied on GetCallerIdentity")
