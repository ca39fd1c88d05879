"""The forwarders of member accounts, a region at a time: alerted on when one breaks, daily, and when it works again.

The audit sees those of its own account; a member's are found here also where their own rule for tampering is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chalicelib.alarm_path.checks.forwarders import ForwarderState, ForwarderVerdict, judge_forwarder
from chalicelib.alarm_path.snapshot.collect_forwarders import collect_region
from chalicelib.alarm_path.snapshot.collect_own_path import Forwarding
from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.alerts import severity_of
from chalicelib.alarm_path.watch.notification_policy import Occasion, decide
from chalicelib.alarm_path.watch.status_store import Items, TableMemory
from chalicelib.alert.model import Account, AlarmPath, AlarmPathFinding, Alert, AlertKind, Exposure
from chalicelib.aws.clients import ClientFactory
from chalicelib.security_groups.phrases import printable

_WORDS = {
    Status.FAIL: "do not arrive",
    Status.UNKNOWN: "may not arrive",
    Status.PASS: "arrive again",
}


@dataclass(frozen=True, slots=True)
class MemberForwarders:
    """``bus_arn`` is where they have to send; ``send`` raises where an alert could not be sent.

    ``failure`` is what the table raises.
    """

    forwarding: Forwarding
    bus_arn: str
    table: Items
    failure: type[Exception]
    send: Callable[[Alert], None]
    now: Callable[[], datetime]

    def look(self, account_id: str, region: str, clients: ClientFactory) -> Status:
        """Judge the forwarder of one region, and alert where that is news."""
        part, errors = collect_region(clients, region, self.forwarding.prefix, self.forwarding.queue)
        verdict = judge_forwarder(part, self.forwarding.rules, self.bus_arn)
        refused = "; ".join(f"{error['call']}: {error['code']}" for error in errors)
        return self._report(account_id, region, _status(verdict), _reason(verdict, refused))

    def not_entered(self, account_id: str, home: str, reason: str) -> Status:
        """Alert on an account whose role could not be assumed; ``home`` is the region that stands in the alert."""
        return self._report(account_id, home, Status.UNKNOWN, reason)

    def _report(self, account_id: str, region: str, status: Status, reason: str) -> Status:
        memory = TableMemory(self.table, self.failure, (f"forwarder#{account_id}", region))
        previous, now = memory.load(), self.now()
        decision = decide(previous, status, now)
        if decision.occasion is not None:
            was = previous.status if previous else None
            self.send(_alert(account_id, region, _ForwarderNews(status, was, decision.occasion, reason, now)))
        if previous is None or previous.status is not status or decision.occasion is not None:
            memory.save(decision.memory, previous)
        return status


@dataclass(frozen=True, slots=True)
class _ForwarderNews:
    status: Status
    was: Status | None
    occasion: Occasion
    reason: str
    at: datetime


def _status(verdict: ForwarderVerdict) -> Status:
    if verdict.is_hole:
        return Status.FAIL
    return Status.UNKNOWN if verdict.state is ForwarderState.UNREAD else Status.PASS


def _reason(verdict: ForwarderVerdict, refused: str) -> str:
    faults = "; ".join(fault.reason for fault in verdict.faults)
    return f"{faults} ({refused})" if faults and refused else faults


def _alert(account_id: str, region: str, found: _ForwarderNews) -> Alert:
    severity, sound = severity_of(found.status), found.status is Status.PASS
    state = "still do not arrive" if found.occasion is Occasion.STILL_BROKEN else _WORDS[found.status]
    why = f": {printable(found.reason, 500)}" if found.reason else ""
    fix = f"sgwatch fleet status --account {account_id}"
    reason = f"The forwarder of account {account_id} in {region}{why}."
    findings = () if sound else (AlarmPathFinding("own-forwarder", region, reason, fix),)
    said = f"Events of account {account_id} in {region} {state}"
    return Alert(
        id=f"forwarder-{account_id}-{region}-{found.occasion.value}-{found.at:%Y%m%dT%H%M%SZ}",
        kind=AlertKind.ALARM_PATH,
        severity=severity,
        title=said,
        summary=f"{said}{why}." if sound else f"{said}{why}. To look at it: {fix}",
        occurred_at=found.at.replace(microsecond=0),
        account=Account(account_id),
        region=region,
        exposures=() if sound else (Exposure(severity, f"{reason} To look at it: {fix}"),),
        alarm_path=AlarmPath(found.status.value, found.at, found.was.value if found.was else None, None, findings),
    )
