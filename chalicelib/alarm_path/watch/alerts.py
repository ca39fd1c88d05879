"""Alerts about the alarm path: what an audit found, in the words and with the severity that it deserves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.alarm_path.verdicts import Finding, Status
from chalicelib.alarm_path.watch.consequences import Consequence, consequence, severity_after
from chalicelib.alarm_path.watch.health import OWN_PATH, Standing
from chalicelib.alarm_path.watch.notification_policy import Occasion, RememberedStatus
from chalicelib.alert.headline import MAX_TITLE
from chalicelib.alert.model import Account, AlarmPath, AlarmPathFinding, Alert, AlertKind, Exposure, Outcome, Severity
from chalicelib.alert.tampering import NAMES_SHOWN
from chalicelib.aws.arns import resource_name
from chalicelib.cloudtrail.tamper_calls import BY_NAME, TamperCall
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.unknowns import Unknown, other
from chalicelib.text import number_of
from chalicelib.undo.aws_cli import Undo

MOST_REASONS = 20
# The audit sees that a function exists and is invoked, not what it does then.
_BEYOND_THE_AUDIT = ("UpdateFunctionCode", "UpdateFunctionConfiguration")
_SEVERITY = {Status.FAIL: Severity.HIGH, Status.UNKNOWN: Severity.MEDIUM, Status.PASS: Severity.INFO}
_STATE = {
    Status.FAIL: "is broken",
    Status.UNKNOWN: "may be broken",
    Status.PASS: "works",
}


@dataclass(frozen=True, slots=True)
class RepairCall:
    """One step of an automatic repair; ``failure`` says why it was refused, None where it was made."""

    call: str
    why: str
    undo: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class AuditCause:
    """What led to an audit, and how long the path had not been sound before it; either is None where not known.

    ``is_hour``: the schedule did. A deployment breaks and mends its own parts for minutes, and its calls are alerted
    each by itself: what fails besides is news to the schedule's audit alone.
    """

    call: str | None = None
    broken_for: timedelta | None = None
    is_hour: bool = False


def announcement(
    standing: Standing,
    occasion: Occasion,
    alert_id: str,
    region: str,
    cause: AuditCause,
    more: frozenset[str] = frozenset(),
) -> Alert:
    """The alert that an audit gives rise to by itself; ``more`` names what fails since the alert before."""
    standing = standing.first(more)
    lasted = f" after {duration_of(cause.broken_for)}" if cause.broken_for is not None else ""
    state = {
        Occasion.CHANGED: _STATE[standing.status],
        Occasion.WORSE: f"is broken in {number_of(len(more), 'more place')}",
        Occasion.STILL_BROKEN: f"still {_STATE[standing.status]}{lasted}",
        Occasion.RECOVERED: f"works again{lasted}",
    }[occasion]
    if occasion is Occasion.RECOVERED:
        words = "Every link is sound: a security group change would raise the alarm and reach somebody."
    else:
        words = problem_sentence(standing)
    by = f": {cause.call}" if cause.call else ""
    words += f" The audit was made after {cause.call}." if cause.call else ""
    subject = OWN_PATH if occasion is Occasion.WORSE else standing.subject
    title = f"{_capital(subject)} {state}{by}"
    return _alert(standing, alert_id, region, title, words, _SEVERITY[standing.status])


def duration_of(time: timedelta) -> str:
    """``less than a minute``, ``5 minutes``, ``3 hours``, ``2 days``: the largest unit, rounded down."""
    seconds = int(time.total_seconds())
    for noun, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return number_of(seconds // length, noun)
    return "less than a minute"


def severity_of(status: Status) -> Severity:
    """How urgent it is that the path stands like this."""
    return _SEVERITY[status]


def repaired(standing: Standing, done: Sequence[RepairCall], alert_id: str, region: str) -> Alert:
    """The alert about an automatic repair and how things stand after it."""
    made = [step for step in done if step.failure is None]
    refused = [step for step in done if step.failure is not None]
    title = f"sgwatch repaired the alarm path ({number_of(len(made), 'call')})"
    if refused:
        title = f"sgwatch could not repair the alarm path: {refused[0].call} failed"
    sentences = [f"{step.call}: {step.why} To take it back: {step.undo}" for step in made]
    sentences += [f"{step.call} was refused: {step.failure}." for step in refused]
    whole = standing.status is Status.PASS
    after = "The audit now finds every link sound." if whole else f"The audit now says: {problem_sentence(standing)}"
    severity = Severity.MEDIUM if whole and not refused else Severity.HIGH
    calls = ", ".join(step.call for step in made)
    summary = f"AUTO_REPAIR made {number_of(len(made), 'call')}{f' ({calls})' if calls else ''}. {after}"
    alert = _alert(standing, alert_id, region, title, summary, severity)
    repairs = tuple(Exposure(severity, printable(text, 1_000)) for text in sentences)
    return alert._replace(exposures=(*repairs, *alert.exposures))


def tampering(
    alert: Alert,
    call: TamperCall,
    standing: Standing,
    touched: bool | None,
    previous: RememberedStatus | None,
    parts: Sequence[str] = (),
) -> Alert | None:
    """The alert about a tamper record with what the audit right after it found.

    ``parts`` are those of the several things it names that belong to the path or to sgwatch.
    None where the call touches neither the alarm path nor sgwatch, which is no news unless root did it.
    """
    is_root = alert.principal is not None and alert.principal.type == "Root"
    if touched is False and not is_root:
        return None
    succeeded = alert.event.outcome is Outcome.SUCCEEDED
    was = previous.status if previous else None
    found = consequence(call, standing, was, touched=touched, succeeded=succeeded)
    by_itself = alert.severity if is_root or not succeeded else severity_after(found, alert.severity, call)
    state = f"{standing.subject} {_CONSEQUENCES[found]}{_lasted(found, previous, standing)}"
    return alert._replace(
        severity=by_itself,
        title=_title(alert, f"{_capital(state)}", succeeded=succeeded),
        summary=f"{alert.summary} {_concerns(touched, parts)}; {state}. {problem_sentence(standing)}".rstrip(),
        exposures=(*_as_severe(alert, by_itself), *_exposures(standing, by_itself)),
        alarm_path=_alarm_path(standing, was, found.broken_by_this_call if succeeded else False),
        unknowns=(*alert.unknowns, *_unseen(alert), *_unknowns(standing)),
    )


_CONSEQUENCES = {
    Consequence.BROKE: "is broken",
    Consequence.IS_BROKEN: "is broken",
    Consequence.MAY_BE_BROKEN: "may be broken",
    Consequence.BROKEN_BY_OTHERS: "is broken, but not by this call",
    Consequence.WAS_BROKEN: "was broken before and still is",
    Consequence.RECOVERED: "works again",
    Consequence.STILL_WORKS: "still works",
}
_CONCERNS = {
    True: "It concerns a part of the alarm path or of sgwatch",
    False: "It concerns no part of the alarm path",
    None: "Whether it concerns a part of the alarm path is not known",
}


def _concerns(touched: bool | None, parts: Sequence[str]) -> str:
    if not parts:
        return _CONCERNS[touched]
    shown = ", ".join(printable(resource_name(part)) for part in parts[:NAMES_SHOWN])
    more = f" and {len(parts) - NAMES_SHOWN:,} more" if len(parts) > NAMES_SHOWN else ""
    are = "is a part" if len(parts) == 1 else "are parts"
    return f"Of what it names, {shown}{more} {are} of the alarm path or of sgwatch"


def _lasted(found: Consequence, previous: RememberedStatus | None, standing: Standing) -> str:
    since = previous.since if previous else None
    if found is not Consequence.RECOVERED or since is None or since > standing.checked_at:
        return ""
    return f" after {duration_of(standing.checked_at - since)}"


def _title(alert: Alert, state: str, *, succeeded: bool) -> str:
    """The state, then what was done; the name of the call in its place where that is too long."""
    if not succeeded:
        return alert.title
    did = alert.title[:1].lower() + alert.title[1:]
    whole = f"{state}: {did}"
    return whole if len(whole) <= MAX_TITLE else printable(f"{state}: {_call(alert)}", MAX_TITLE)


def _as_severe(alert: Alert, severity: Severity) -> tuple[Exposure, ...]:
    return tuple(exposure._replace(severity=severity) for exposure in alert.exposures)


def _alarm_path(standing: Standing, was: Status | None = None, broken_by_this_call: bool | None = None) -> AlarmPath:
    return AlarmPath(
        standing.status.value,
        standing.checked_at,
        was.value if was else None,
        broken_by_this_call,
        tuple(
            AlarmPathFinding(finding.check, printable(finding.subject), printable(finding.reason), finding.fix)
            for finding in standing.problems[:MOST_REASONS]
        ),
    )


def follow_up(alerts: Sequence[Alert], alert_id: str, unreadable: int = 0) -> Alert:
    """The alert about the calls that followed a caller's first one: the worst of them, and what each other one did."""
    worst = max(alerts, key=lambda alert: alert.severity.rank)
    unread = (
        (other(f"what {number_of(unreadable, 'more call')} did: it could not be read again"),) if unreadable else ()
    )
    if len(alerts) == 1:
        return worst._replace(unknowns=(*worst.unknowns, *unread))
    rest = sorted((alert for alert in alerts if alert is not worst), key=lambda alert: -alert.severity.rank)
    did = dict.fromkeys(alert.exposures[0]._replace(severity=alert.severity) for alert in rest if alert.exposures)
    more = f" {number_of(len(rest), 'more call')} by the same caller within a minute or so: each is named below."
    return worst._replace(
        id=alert_id,
        summary=f"{worst.summary}{more}",
        exposures=(*worst.exposures, *did),
        undo=_undo_of_all(alerts) if not unreadable else Undo(None, "not every call could be read again"),
        unknowns=tuple(dict.fromkeys([*worst.unknowns, *(item for alert in rest for item in alert.unknowns), *unread])),
    )


def _undo_of_all(alerts: Sequence[Alert]) -> Undo:
    """The last call is undone first; none where one of them cannot be."""
    commands: list[str] = []
    notes: list[str] = []
    for alert in sorted(alerts, key=lambda each: each.occurred_at or datetime.min.replace(tzinfo=UTC), reverse=True):
        if alert.undo.commands is None:
            call = printable(alert.event.name or "one call", 60)
            return Undo(None, f"of {call} it is not known: {alert.undo.reason}")
        commands += alert.undo.commands
        notes += [alert.undo.reason] if alert.undo.commands and alert.undo.reason else []
    return Undo(tuple(dict.fromkeys(commands)), " ".join(dict.fromkeys(notes)) or None)


def without_audit(alert: Alert, reason: str) -> Alert:
    """The same where no audit was made in time: as severe as it may be."""
    return alert._replace(unknowns=(*alert.unknowns, other(f"what it did to the alarm path: {printable(reason, 300)}")))


def in_another_account(alert: Alert, audited: str) -> Alert:
    """The alert about a call on a part of sgwatch in an account that the audit does not see: as severe as it may be."""
    account = alert.account.id or "that is not known"
    where = f"It concerns a part of sgwatch in account {account}, which the audit of account {audited} does not see"
    return alert._replace(
        summary=f"{alert.summary} {where}: sgwatch fleet status --account {account} asks there.",
        unknowns=(*alert.unknowns, *_unseen(alert)),
    )


def problem_sentence(standing: Standing) -> str:
    """The broken link by its name, and how many more there are; empty where all is sound."""
    if not standing.problems:
        return "" if standing.status is Status.PASS else "The standard that was chosen is not met."
    first, more = standing.problems[0], len(standing.problems) - 1
    text = printable(first.reason, 500)
    return f"{text} {number_of(more, 'more finding')} beside it." if more else text


def _unseen(alert: Alert) -> tuple[Unknown, ...]:
    if not (alert.event.name or "").startswith(_BEYOND_THE_AUDIT):
        return ()
    return (other("what the function does now: its code and its settings are no part of the audit"),)


def _alert(standing: Standing, alert_id: str, region: str, title: str, summary: str, severity: Severity) -> Alert:
    return Alert(
        id=alert_id,
        kind=AlertKind.ALARM_PATH,
        severity=severity,
        title=title,
        summary=summary,
        occurred_at=standing.checked_at,
        account=Account(standing.account_id),
        region=region,
        exposures=_exposures(standing, severity),
        alarm_path=_alarm_path(standing),
        unknowns=_unknowns(standing),
    )


def _exposures(standing: Standing, severity: Severity) -> tuple[Exposure, ...]:
    return tuple(Exposure(severity, _with_fix(finding)) for finding in standing.problems[:MOST_REASONS])


def _with_fix(finding: Finding) -> str:
    fix = f" To mend it: {printable(finding.fix, 1_000)}" if finding.fix else ""
    return f"{printable(finding.reason, 500)}{fix}"


def _unknowns(standing: Standing) -> tuple[Unknown, ...]:
    unknown = [finding for finding in standing.problems if finding.status is Status.UNKNOWN]
    return tuple(other(f"{finding.check}: {printable(finding.reason, 300)}") for finding in unknown[:MOST_REASONS])


def _call(alert: Alert) -> str:
    outcome = alert.event.outcome
    tried = "" if outcome in (None, Outcome.SUCCEEDED) else f" ({outcome.replace('_', ' ')})"
    who = f" by {printable(alert.principal.name, 60)}" if alert.principal else ""
    call = BY_NAME.get(alert.event.name or "")
    name = call.api_name if call else printable(alert.event.name or "a call", 60)
    return f"{name}{tried}{who}"


def _capital(text: str) -> str:
    return text if text.startswith("sgwatch") else text[0].upper() + text[1:]
