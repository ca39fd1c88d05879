"""Alerts about the alarm path: what an audit found, in the words and with the severity that it deserves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.alarm_path.verdicts import Finding, Status
from chalicelib.alarm_path.watch.health import Standing
from chalicelib.alarm_path.watch.notification_policy import Memory, Occasion
from chalicelib.alert.model import Account, AlarmPath, Alert, AlertKind, Exposure, Outcome, Severity
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.unknowns import Unknown, other
from chalicelib.text import number_of

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
class Done:
    """One step of an automatic repair; ``failure`` says why it was refused, None where it was made."""

    call: str
    why: str
    undo: str
    failure: str | None = None


def announcement(standing: Standing, occasion: Occasion, alert_id: str, region: str) -> Alert:
    """The alert that an audit gives rise to by itself."""
    state = {
        Occasion.CHANGED: _STATE[standing.status],
        Occasion.STILL_BROKEN: f"still {_STATE[standing.status]}",
        Occasion.RECOVERED: "works again",
    }[occasion]
    if occasion is Occasion.RECOVERED:
        words = "Every link is sound: a security group change would raise the alarm and reach somebody."
    else:
        words = problem_sentence(standing)
    return _alert(
        standing, alert_id, region, f"{_capital(standing.subject)} {state}", words, _SEVERITY[standing.status]
    )


def severity_of(status: Status) -> Severity:
    """How urgent it is that the path stands like this."""
    return _SEVERITY[status]


def repaired(standing: Standing, done: Sequence[Done], alert_id: str, region: str) -> Alert:
    """The alert about an automatic repair and how things stand after it."""
    made = [step for step in done if step.failure is None]
    refused = [step for step in done if step.failure is not None]
    title = f"sgwatch repaired the alarm path ({number_of(len(made), 'call')})"
    if refused:
        title = f"sgwatch could not repair the alarm path: {refused[0].call} failed"
    told = [f"{step.call}: {step.why} To take it back: {step.undo}" for step in made]
    told += [f"{step.call} was refused: {step.failure}." for step in refused]
    whole = standing.status is Status.PASS
    after = "The audit now finds every link sound." if whole else f"The audit now says: {problem_sentence(standing)}"
    severity = Severity.MEDIUM if whole and not refused else Severity.HIGH
    calls = ", ".join(step.call for step in made)
    summary = f"AUTO_REPAIR made {number_of(len(made), 'call')}{f' ({calls})' if calls else ''}. {after}"
    alert = _alert(standing, alert_id, region, title, summary, severity)
    repairs = tuple(Exposure(severity, printable(text, 1_000)) for text in told)
    return replace(alert, exposures=(*repairs, *alert.exposures))


def tampering(alert: Alert, standing: Standing, touched: bool | None, previous: Memory | None) -> Alert:
    """The alert about a tamper record with what the audit right after it found."""
    severity = _severity(alert, standing, touched, previous)
    state = {
        Status.FAIL: "is broken",
        Status.UNKNOWN: "may be broken",
        Status.PASS: "works again" if _was_bad(previous) else "still works",
    }[standing.status]
    concerns = {
        True: "It concerns a part of it",
        False: "It concerns no part of it",
        None: "Whether it concerns a part of it is not known",
    }[touched]
    summary = f"{alert.summary} {concerns}; {standing.subject} {state}. {problem_sentence(standing)}".rstrip()
    reason = f"{concerns}; {standing.subject} {state}."
    return replace(
        alert,
        severity=severity,
        title=f"{_capital(standing.subject)} {state}: {_call(alert)}",
        summary=summary,
        exposures=(Exposure(severity, reason), *_exposures(standing, severity)),
        alarm_path=AlarmPath(standing.status.value, standing.checked_at),
        unknowns=(*alert.unknowns, *_unseen(alert), *_unknowns(standing)),
    )


def without_audit(alert: Alert, reason: str) -> Alert:
    """The same where no audit was made in time: as severe as it may be."""
    return replace(alert, unknowns=(*alert.unknowns, other(f"what it did to the alarm path: {printable(reason, 300)}")))


def problem_sentence(standing: Standing) -> str:
    """The broken link by its name, and how many more there are; empty where all is sound."""
    if not standing.problems:
        return "" if standing.status is Status.PASS else "The standard that was chosen is not met."
    first, more = standing.problems[0], len(standing.problems) - 1
    text = printable(first.reason, 500)
    return f"{text} {number_of(more, 'more finding')} beside it." if more else text


def _severity(alert: Alert, standing: Standing, touched: bool | None, previous: Memory | None) -> Severity:
    if alert.event.outcome is not Outcome.SUCCEEDED or (alert.principal and alert.principal.type == "Root"):
        return alert.severity
    if standing.status is not Status.PASS:
        before = previous is not None and previous.status is standing.status
        return Severity.LOW if before and touched is False else alert.severity
    if touched is False:
        return Severity.INFO
    if _unseen(alert):
        return alert.severity
    return Severity.LOW if _was_bad(previous) else Severity.MEDIUM


def _unseen(alert: Alert) -> tuple[Unknown, ...]:
    if not (alert.event.name or "").startswith(_BEYOND_THE_AUDIT):
        return ()
    return (other("what the function does now: its code and its settings are no part of the audit"),)


def _was_bad(previous: Memory | None) -> bool:
    return previous is not None and previous.status is not Status.PASS


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
        alarm_path=AlarmPath(standing.status.value, standing.checked_at),
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
    return f"{printable(alert.event.name or 'a call', 60)}{tried}{who}"


def _capital(text: str) -> str:
    return text if text.startswith("sgwatch") else text[0].upper() + text[1:]
