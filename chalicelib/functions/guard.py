"""The functions that guard the alarm path: one after every record of tampering, one on a schedule and after mending.

The alert about tampering goes first. It waits for the audit a little while, so that it can say what is
broken, but never for longer than leaves it the time to arrive.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chalicelib.alarm_path.audit_run import Audited, NotAudited
from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.alerts import (
    AuditCause,
    RepairCall,
    announcement,
    follow_up,
    in_another_account,
    repaired,
    severity_of,
    tampering,
    without_audit,
)
from chalicelib.alarm_path.watch.health import Standing, not_audited
from chalicelib.alarm_path.watch.notification_policy import RememberedStatus, decide
from chalicelib.alarm_path.watch.scope import parts_among, touches
from chalicelib.alarm_path.watch.status_store import MemoryUnavailable, StatusMemory
from chalicelib.alert.model import Alert, AlertKind, format_time
from chalicelib.alert.tampering import is_own, names_of
from chalicelib.aws.arns import resource_name
from chalicelib.cloudtrail.principals import read_principal
from chalicelib.cloudtrail.records import CloudTrailRecord, RecordError, mapping, read_record, text, unwrap
from chalicelib.cloudtrail.tamper_calls import BY_NAME as TAMPER_CALLS
from chalicelib.cloudtrail.tamper_calls import MENDING, named_by, subjects_of
from chalicelib.delivery.direct import NotDelivered
from chalicelib.delivery.heartbeat import Heartbeat
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.functions.alert_function import AlertFunction
from chalicelib.functions.call_windows import (
    CallWindow,
    CallWindows,
    FoldedCalls,
    RecentCalls,
    WindowEntry,
    changes_status,
)
from chalicelib.named_tuple import NamedTuple
from chalicelib.observability import metrics as names
from chalicelib.observability.logs import Log
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.severity import Severity
from chalicelib.settings.model import SettingsError
from chalicelib.state.errors import StateError

# How long an alert about tampering may wait for the audit that says what is broken now.
MOST_WAIT_SECONDS = 20.0
# Kept back from the function's time: for delivery with its retries, and for repairing.
DELIVERY_SECONDS = 25.0
REPAIR_SECONDS = 30.0
# Audits that overtake each other look again so often; the hourly one finds what is left.
MOST_LOOKS = 4


@dataclass(frozen=True, slots=True)
class AuditAttempt:
    """An audit, or why there is none, and what was remembered when it began."""

    audited: Audited | None
    failure: str | None
    previous: RememberedStatus | None
    forgotten: MemoryUnavailable | None = None


class _Alerted(NamedTuple):
    """What the first alert of a window said: the verdict, None where there was no audit, and its severities."""

    status: Status | None
    severities: tuple[Severity, ...]


class _Running:
    """An audit under way in a thread of its own: nothing else bounds what AWS may take to answer."""

    def __init__(self, work: Callable[[], AuditAttempt]) -> None:
        self._found: list[AuditAttempt] = []
        self._thread = threading.Thread(target=lambda: self._found.append(work()), name="audit", daemon=True)
        self._thread.start()

    def within(self, seconds: float) -> AuditAttempt | None:
        """What it found, None where it is not done by then."""
        self._thread.join(max(0.0, seconds))
        return self._found[0] if self._found else None


@dataclass(frozen=True, slots=True)
class Guard:
    """Audits, alerts on what changed, keeps the status, pings, and repairs where that is configured."""

    alerts: AlertFunction
    audit: Callable[[], Audited]
    memory: StatusMemory
    region: str
    heartbeat: Heartbeat | None = None
    repair: Callable[[Audited, frozenset[str] | None], list[RepairCall]] | None = None
    most_wait: float = MOST_WAIT_SECONDS
    windows: CallWindows | None = None
    recent: RecentCalls = field(default_factory=RecentCalls)
    sleep: Callable[[float], None] = time.sleep

    def on_tampering(self, document: object, invocation: InvocationContext) -> None:
        """Alert on every record in the event, saying what the audit finds now.

        Raises:
            NotDelivered: some destination has not got some alert.
            SettingsError: all that is sound was done, but the settings have faults.
            MemoryUnavailable: the status could not be kept.
        """
        log = self.alerts.log.bind(request_id=invocation.request_id)
        alerts = list(self.alerts.alerts(document, log))
        tampers = [alert for alert in alerts if alert.kind is AlertKind.ALARM_PATH]
        records = _records(document)
        if not tampers or self._is_own_status(records):
            self.alerts.send_all([alert for alert in alerts if alert not in tampers], invocation)
            return
        entry = self._enter(tampers, records, log)
        if entry.is_folded:
            log.info("call folded into the window of an earlier one", event_id=tampers[0].id)
            self.alerts.metrics.emit(names.ALERTS_FOLDED)
            return
        deliveries = _GuardDeliveries(self.alerts, invocation)
        alerted = self._alert(alerts, records, document, deliveries, log)
        if entry.window is not None:
            self._end_window(entry.window, alerted, document, deliveries, log)
        deliveries.end()

    def _alert(
        self,
        alerts: list[Alert],
        records: Mapping[str, CloudTrailRecord],
        document: object,
        deliveries: _GuardDeliveries,
        log: Log,
    ) -> _Alerted:
        """Alert with what the audit finds, then do what follows from the audit."""
        tampers = [alert for alert in alerts if alert.kind is AlertKind.ALARM_PATH]
        left = _left(deliveries.invocation) - DELIVERY_SECONDS
        running = _Running(self._look)
        found = running.within(min(self.most_wait, left))
        judged = [self._judged(alert, found, records, log) if alert in tampers else alert for alert in alerts]
        status = found.audited.standing.status if found and found.audited else None
        wanted = [alert for alert in judged if alert is not None and not self._is_covered(alert, status, log)]
        deliveries.send(wanted)
        for alert in wanted:
            self.recent.note(alert, status, self.alerts.now())
        in_time = found is not None and _reports([alert for alert in judged if alert is not None], found)
        found = found or running.within(_left(deliveries.invocation) - DELIVERY_SECONDS)
        if found is None or found.audited is None:
            self._not_audited(found, log)
        else:
            may_repair = not _is_by_sgwatch(tampers, found.audited)
            self._conclude(found, document, deliveries, log, reported=in_time, may_repair=may_repair)
        return _Alerted(status, tuple(alert.severity for alert in wanted))

    def _enter(self, tampers: list[Alert], records: Mapping[str, CloudTrailRecord], log: Log) -> WindowEntry:
        """The caller's window; a call is alerted by itself where that cannot be established."""
        record = records.get(tampers[0].id)
        if self.windows is None or len(tampers) != 1 or record is None:
            return WindowEntry(is_folded=False)
        try:
            return self.windows.enter(tampers[0], record.raw)
        except StateError as error:
            log.warning("window of calls could not be read, alerting", reason=str(error))
            return WindowEntry(is_folded=False)

    def _is_covered(self, alert: Alert, status: Status | None, log: Log) -> bool:
        """In direct delivery: whether this container has just alerted as much of the same caller."""
        if self.windows is not None or alert.kind is not AlertKind.ALARM_PATH:
            return False
        covered = self.recent.covers(alert, status, self.alerts.now())
        if covered:
            log.info("call says no more than the alert before", event_id=alert.id)
            self.alerts.metrics.emit(names.ALERTS_FOLDED)
        return covered

    def _end_window(
        self, window: CallWindow, alerted: _Alerted, document: object, deliveries: _GuardDeliveries, log: Log
    ) -> None:
        """Wait for the window's end, and report what was folded where it is news."""
        if self.windows is None:
            return
        if alerted.severities:
            spare = _left(deliveries.invocation) - self.most_wait - DELIVERY_SECONDS - REPAIR_SECONDS
            self.sleep(max(0.0, min((window.ends_at - self.alerts.now()).total_seconds(), spare)))
        try:
            folded = self.windows.close(window)
        except StateError as error:
            log.warning("folded calls could not be read", reason=str(error))
            deliveries.fail(error)
            return
        if folded.unreadable:
            log.error("folded calls could not be read", count=folded.unreadable)
        if folded.records or folded.unreadable:
            self._follow_up(window, folded, alerted, document, deliveries, log)

    def _follow_up(
        self,
        window: CallWindow,
        folded: FoldedCalls,
        alerted: _Alerted,
        document: object,
        deliveries: _GuardDeliveries,
        log: Log,
    ) -> None:
        """One audit for all folded calls; one alert where the verdict or the worst severity is another than before."""
        found = _Running(self._look).within(_left(deliveries.invocation) - DELIVERY_SECONDS)
        inside = {"Records": folded.records}
        records = _records(inside)
        each = (
            [self._judged(alert, found, records, log) for alert in self.alerts.alerts(inside, log)] if records else []
        )
        judged = [alert for alert in each if alert is not None]
        status = found.audited.standing.status if found and found.audited else None
        log.info("folded calls were judged", calls=len(records), status=status and status.value)
        worst = max((alert.severity.rank for alert in judged), default=-1)
        most = max((severity.rank for severity in alerted.severities), default=-1)
        is_other = status is not alerted.status or any(map(changes_status, judged))
        is_news = bool(judged) and (is_other or worst > most or bool(folded.unreadable))
        if is_news:
            deliveries.send([follow_up(judged, f"{window.id}/further-calls", folded.unreadable)])
        if found is not None and found.audited is not None:
            reported = is_news and _reports(judged, found)
            may_repair = not _is_by_sgwatch(judged, found.audited)
            self._conclude(found, document, deliveries, log, reported=reported, may_repair=may_repair)
        else:
            self._not_audited(found, log)

    def on_schedule(self, document: object, invocation: InvocationContext) -> None:
        """Audit, and alert on what is news.

        Raises:
            NotAudited: there was no audit; an alert says so, and it is tried again.
            NotDelivered, SettingsError, MemoryUnavailable: as ``on_tampering``.
        """
        log = self.alerts.log.bind(request_id=invocation.request_id)
        deliveries = _GuardDeliveries(self.alerts, invocation)
        found = _Running(self._look).within(_left(invocation) - DELIVERY_SECONDS)
        if found is None:
            found = AuditAttempt(None, "it was not done in the time that the function has", self._remembered()[0])
        if found.audited is None:
            deliveries.fail(self._not_audited(found, log))
        self._conclude(found, document, deliveries, log, reported=False, may_repair=True)
        deliveries.end()

    def _look(self) -> AuditAttempt:
        previous, forgotten = self._remembered()
        try:
            return AuditAttempt(self.audit(), None, previous, forgotten)
        except NotAudited as error:
            return AuditAttempt(None, str(error), previous, forgotten)
        except Exception as error:  # noqa: BLE001 - a defect in the audit must not lose the alert that waits for it
            return AuditAttempt(None, self._broke(error), previous, forgotten)

    def _broke(self, error: Exception) -> str:
        self.alerts.log.error("audit broke", exc_info=error)
        return f"a fault in sgwatch itself ({type(error).__name__})"

    def _remembered(self) -> tuple[RememberedStatus | None, MemoryUnavailable | None]:
        try:
            return self.memory.load(), None
        except MemoryUnavailable as error:
            return None, error

    def _is_own_status(self, records: Mapping[str, CloudTrailRecord]) -> bool:
        """Whether all that was written is the remembered status.

        Each audit writes it, so an audit after that would go round in circles; and what is remembered is not
        trusted, no matter who wrote it.
        """
        return bool(records) and all(
            record.event_name == "PutParameter" and names_of(record.event_name, record) == (self.memory.parameter,)
            for record in records.values()
        )

    def _judged(
        self, alert: Alert, found: AuditAttempt | None, records: Mapping[str, CloudTrailRecord], log: Log
    ) -> Alert | None:
        """The alert with what the audit found; None where the call is about neither the alarm path nor sgwatch."""
        if found is None:
            return without_audit(alert, f"the audit was not done within {self.most_wait:g} s")
        if found.audited is None:
            return without_audit(alert, f"the audit could not be made: {found.failure}")
        standing, previous = found.audited.standing, found.previous
        record = records.get(alert.id)
        call = TAMPER_CALLS.get((record and record.event_name) or "")
        if record is None or call is None:
            return without_audit(alert, "its record could not be read again")
        named = tuple(named_by(call, record.raw))
        audited = standing.account_id
        if audited is not None and alert.account.id not in (None, audited) and any(map(is_own, named)):
            return in_another_account(alert, audited)
        before = previous.parts if previous else None
        touched = touches(call, named, before, standing.parts)
        several = subjects_of(call, record.raw)
        parts = parts_among(several, before, standing.parts) if len(several) > 1 else ()
        judged = tampering(alert, call, standing, touched, previous, parts)
        if judged is None:
            log.info("call touches neither the alarm path nor sgwatch", event_id=alert.id, event_name=call.name)
            self.alerts.metrics.emit(names.ALERTS_SUPPRESSED)
        return judged

    def _not_audited(self, found: AuditAttempt | None, log: Log) -> NotAudited:
        reason = (found and found.failure) or "it was not done in the time that the function has"
        log.error("audit could not be made", reason=reason)
        self.alerts.metrics.emit(names.AUDITS_FAILED)
        return NotAudited(reason)

    def _conclude(
        self,
        found: AuditAttempt,
        document: object,
        deliveries: _GuardDeliveries,
        log: Log,
        *,
        reported: bool,
        may_repair: bool,
    ) -> None:
        """Repair, announce what no alert has reported yet, remember it and ping."""
        seed = text(mapping(document).get("id")) or deliveries.invocation.request_id
        found, reported = self._up_to_date(found, deliveries, reported=reported)
        standing = self._standing(found)
        if may_repair:
            after = self._repaired(found, seed, deliveries, log)
            standing, reported = (after, True) if after else (standing, reported)
        for look in range(MOST_LOOKS):
            cause = AuditCause(_mending_call(document), is_hour=not _records(document))
            number = f"-{look + 1}" if look else ""
            other = self._settle(found, standing, f"{seed}/{{}}{number}", cause, deliveries, log, reported=reported)
            if other is None:
                break
            again = _Running(self._look).within(_left(deliveries.invocation) - DELIVERY_SECONDS)
            if again is None:
                break
            found, standing, reported = replace(again, previous=other), self._standing(again), False
        self.alerts.metrics.emit(names.ALARM_PATH_BROKEN, int(standing.status is Status.FAIL))
        if found.forgotten is not None:
            log.error("status could not be read", reason=str(found.forgotten))
            deliveries.fail(found.forgotten)
        if found.audited is not None:
            self._ping(standing, log)

    def _settle(
        self,
        found: AuditAttempt,
        standing: Standing,
        alert_id: str,
        cause: AuditCause,
        deliveries: _GuardDeliveries,
        log: Log,
        *,
        reported: bool,
    ) -> RememberedStatus | None:
        """Announce and remember how things stand; gives what the next look is news to, where another audit came in."""
        now = self.alerts.now()
        previous = found.previous.clamped(now) if found.previous else None
        decision = decide(previous, standing.status, now, standing.own_failures, more_is_news=cause.is_hour)
        occasion = decision.occasion
        if occasion and not reported and not deliveries.undelivered:
            cause = replace(cause, broken_for=_lasted(previous, now))
            wanted = alert_id.format(occasion.value)
            deliveries.send([announcement(standing, occasion, wanted, self.region, cause, decision.more)])
        log.info("alarm path audited", status=standing.status.value, announced=occasion and occasion.value)
        # What could not be read is not overwritten: a recovery is only known for one by what was before it.
        if found.forgotten is not None or deliveries.undelivered:
            return None
        parts = (previous.parts if previous else None) if standing.parts is None else standing.parts
        memory = replace(decision.memory, parts=parts)
        if reported:
            memory = replace(memory, reported=standing.own_failures)
        other = self._remember(memory, found.previous, deliveries, log)
        if other is None or not (occasion or reported):
            return other
        return replace(memory, parts=other.parts, revision=other.revision)

    def _up_to_date(
        self, found: AuditAttempt, deliveries: _GuardDeliveries, *, reported: bool
    ) -> tuple[AuditAttempt, bool]:
        """Another look wherever another audit ended since the last one began, and may have seen what came after."""
        latest = found
        for _ in range(MOST_LOOKS):
            seconds = _left(deliveries.invocation) - DELIVERY_SECONDS
            again = _Running(self._look).within(seconds) if self._is_overtaken(latest) else None
            if again is None:
                break
            latest = again
        if latest is found or not reported:
            return latest, reported
        # What an alert has said by now is what anything else is news to.
        standing = self._standing(found)
        alerted = replace(
            decide(found.previous, standing.status, self.alerts.now()).memory, reported=standing.own_failures
        )
        before = latest.previous
        if before is not None:
            alerted = replace(alerted, parts=before.parts, revision=before.revision)
        return replace(latest, previous=alerted), False

    def _is_overtaken(self, found: AuditAttempt) -> bool:
        remembered, forgotten = self._remembered()
        return found.forgotten is None and forgotten is None and remembered != found.previous

    def _standing(self, found: AuditAttempt) -> Standing:
        if found.audited is None:
            return not_audited(found.failure or "no reason given", self.alerts.now())
        return found.audited.standing

    def _repaired(self, found: AuditAttempt, seed: str, deliveries: _GuardDeliveries, log: Log) -> Standing | None:
        """How things stand after a repair; None where there was none."""
        audited = found.audited
        if self.repair is None or audited is None or audited.standing.path_status is not Status.FAIL:
            return None
        if _left(deliveries.invocation) < REPAIR_SECONDS:
            log.warning("no time is left to repair", seconds=round(_left(deliveries.invocation)))
            return None
        done = self.repair(audited, found.previous.parts if found.previous else None)
        if not done:
            return None
        log.warning("alarm path repaired", calls=[step.call for step in done], failure=done[-1].failure)
        self.alerts.metrics.emit(names.REPAIRS, len(done))
        again = _Running(self._look).within(_left(deliveries.invocation) - DELIVERY_SECONDS)
        standing = self._standing(again or AuditAttempt(None, "the audit after the repair was not done in time", None))
        deliveries.send([repaired(standing, done, f"{seed}/repaired", self.region)])
        return standing

    def _remember(
        self, memory: RememberedStatus, after: RememberedStatus | None, deliveries: _GuardDeliveries, log: Log
    ) -> RememberedStatus | None:
        try:
            return self.memory.save(memory, after)
        except MemoryUnavailable as error:
            log.warning("status could not be kept", reason=str(error))
            deliveries.fail(error)
            return None

    def _ping(self, standing: Standing, log: Log) -> None:
        if self.heartbeat is None:
            return
        body = {
            "status": standing.status.value,
            "checked_at": format_time(standing.checked_at),
            "account": standing.account_id,
            "region": self.region,
        }
        failure = self.heartbeat.ping(broken=standing.status is Status.FAIL, body=body)
        if failure is not None:
            log.warning("heartbeat failed", reason=failure)


class _GuardDeliveries:
    """Delivers alerts within one invocation and keeps what went wrong for its end."""

    def __init__(self, alerts: AlertFunction, invocation: InvocationContext) -> None:
        self.invocation = invocation
        self._alerts = alerts
        self._failures: list[Exception] = []

    @property
    def undelivered(self) -> bool:
        """Whether something has to be sent again."""
        return any(isinstance(failure, NotDelivered) for failure in self._failures)

    def send(self, alerts: Iterable[Alert]) -> None:
        """Deliver these; a failure waits for the end."""
        try:
            self._alerts.send_all(alerts, self.invocation)
        except (NotDelivered, SettingsError) as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Note what makes the invocation fail."""
        self._failures.append(error)

    def end(self) -> None:
        """Raise the first failure, so that AWS counts it and tries again."""
        if self._failures:
            raise self._failures[0]


def _reports(alerts: Iterable[Alert], found: AuditAttempt) -> bool:
    """Whether one of the alerts says how things stand, as urgently as it would be announced by itself."""
    if found.audited is None:
        return False
    least = severity_of(found.audited.standing.status).rank
    return any(alert.alarm_path is not None and alert.severity.rank >= least for alert in alerts)


def _left(invocation: InvocationContext) -> float:
    return invocation.remaining_ms() / 1000


def _is_by_sgwatch(alerts: Iterable[Alert], audited: Audited) -> bool:
    """Whether sgwatch itself made these calls, with the role of one of its functions: its repairs are not repaired.

    Names of sessions prove nothing: the caller that assumes a role chooses them.
    """
    functions = (audited.snapshot.own or {}).get("functions") or ()
    roles = {resource_name(str((item.get("Configuration") or {}).get("Role"))).rpartition("/")[2] for item in functions}
    callers = [alert.principal for alert in alerts]
    return bool(callers) and all(each and not each.cross_account and each.role in roles for each in callers)


def _lasted(previous: RememberedStatus | None, now: datetime) -> timedelta | None:
    """How long the status has not been pass, None where it was or that is not known."""
    since = previous.clamped(now).since if previous and previous.status is not Status.PASS else None
    return None if since is None else now - since


def _mending_call(document: object) -> str | None:
    """The mending call that led to an audit, and by whom; None for any other event."""
    for record in _records(document).values():
        if record.event_name in MENDING.get(record.event_source or "", ()):
            return f"{record.event_name} by {printable(read_principal(record).name, 60)}"
    return None


def _records(document: object) -> dict[str, CloudTrailRecord]:
    """The records in the event by their ids."""
    found: dict[str, CloudTrailRecord] = {}
    try:
        for raw in unwrap(document):
            record = read_record(raw)
            found[record.event_id] = record
    except (RecordError, RecursionError):
        return found  # alerted as no record by now
    return found
