"""From a CloudTrail record to the alert about it: the one place where the core's parts are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.alert.headline import call_sentence, not_understood_title, summary, title
from chalicelib.alert.model import Account, Alert, AlertKind, Event, SecurityGroup
from chalicelib.alert.tampering import Tampering, concerns_others, read_tampering
from chalicelib.aws import console_links as console
from chalicelib.cloudtrail.catalog import EventGroup, WatchedEvent, lookup
from chalicelib.cloudtrail.principals import Principal, is_root, is_unnamed, read_principal
from chalicelib.cloudtrail.records import CloudTrailRecord, canonical_digest, mapping, read_record, text
from chalicelib.cloudtrail.tamper_calls import BY_NAME as TAMPER_CALLS
from chalicelib.cloudtrail.tamper_calls import TamperCall
from chalicelib.exposure.judge import Exposure, Facts, Severity, judge, severity_of
from chalicelib.security_groups.changes import Change, Changes, NotUnderstood, NotWatched, Outcome, read_outcome
from chalicelib.security_groups.parse import named_group, read_change
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.unknowns import Unknown, other
from chalicelib.undo.commands import Undo
from chalicelib.undo.from_lookups import restore


def alert_of(raw: Mapping[str, Any]) -> Alert:
    """The alert of one bare CloudTrail record, whatever is in it.

    Raises:
        NotWatched: the record is of no event in the catalog, or touches no security group.
    """
    record = read_record(raw)
    try:
        return _understood(record)
    except NotWatched:
        raise
    except NotUnderstood as error:
        return _not_understood(record, str(error))
    except Exception as error:  # noqa: BLE001 - who shapes a request shapes its record, and one that breaks us must not be silent
        return _not_understood(record, f"a fault in sgwatch itself ({type(error).__name__})")


def not_a_record(document: object, reason: str) -> Alert:
    """The alert of an event in which no CloudTrail record was found; the same event gives the same id."""
    envelope = mapping(document)
    return Alert(
        id=text(envelope.get("id")) or canonical_digest(document),
        kind=AlertKind.NOT_UNDERSTOOD,
        severity=Severity.HIGH,
        title="An event that is no CloudTrail record reached sgwatch",
        summary=f"It could not be read, so what happened is not known: {printable(reason, 300)}.",
        occurred_at=None,
        account=Account(text(envelope.get("account"))),
        region=text(envelope.get("region")),
        changes=Changes(before_known=False),
        exposures=(Exposure(Severity.HIGH, "What cannot be understood may be anything."),),
        undo=Undo(None, "what happened is not known"),
        unknowns=(other(f"what happened: {printable(reason, 300)}"),),
    )


def _understood(record: CloudTrailRecord) -> Alert:
    watched = lookup(record.event_source, record.event_name)
    if watched is not None and record.is_network_activity:
        raise NotWatched(f"a network activity record: {watched.name} has a record of its own")
    if watched is not None and record.incomplete:
        raise NotUnderstood(record.incomplete)
    if watched is not None and watched.group is EventGroup.TAMPER:
        return _tampering(record, watched)
    return build_alert(record, read_change(record), Facts(account_id=record.account_id))


def build_alert(record: CloudTrailRecord, change: Change, facts: Facts) -> Alert:
    """The alert of a change that was read from its record, judged with what else is known."""
    principal = read_principal(record)
    exposures = judge(change, by_root=is_root(principal), facts=facts)
    return replace(
        _frame(record),
        kind=AlertKind.SECURITY_GROUP_CHANGE,
        severity=severity_of(exposures),
        title=title(change, exposures),
        summary=summary(record, principal, exposures),
        principal=principal,
        security_group=_group(change, record.region),
        changes=change.changes,
        attachment=change.attachment,
        exposures=exposures,
        undo=restore(change, record.region),
        unknowns=_unknowns(record, principal)
        + tuple(item._replace(text=printable(item.text)) for item in change.unknowns),
    )


def _group(change: Change, region: str | None) -> SecurityGroup | None:
    if change.prefix_list is not None or (change.attachment is not None and change.group_id is None):
        return None
    return SecurityGroup(
        id=change.group_id,
        name=change.group_name,
        vpc_id=change.vpc_id,
        description=change.description,
        url=console.security_group_url(change.group_id, region),
    )


def _frame(record: CloudTrailRecord) -> Alert:
    """What every alert about a record has, understood or not."""
    return Alert(
        id=record.event_id,
        kind=AlertKind.NOT_UNDERSTOOD,
        severity=Severity.HIGH,
        title="",
        summary="",
        occurred_at=record.event_time,
        account=Account(record.account_id),
        region=record.region,
        event=Event(
            name=record.event_name,
            source=record.event_source,
            id=record.event_id,
            request_id=record.request_id,
            outcome=read_outcome(record.error_code),
            error_code=record.error_code,
            error_message=record.error_message,
            url=console.cloudtrail_event_url(record.event_id, record.region) if record.has_event_id else None,
        ),
    )


def _unknowns(record: CloudTrailRecord, principal: Principal) -> tuple[Unknown, ...]:
    missing = {
        "who made the call: the record does not say, so it may have been root": is_unnamed(principal),
        "event id: the record has none, a digest of it stands in": not record.has_event_id,
        "event source: the record names none, the event's name alone tells what it is": record.event_source is None,
        "when it happened: the record has no time that can be read": record.event_time is None,
        "account: the record names none": record.account_id is None,
        "region: the record names none": record.region is None,
    }
    return tuple(other(sentence) for sentence, applies in missing.items() if applies)


def _not_understood(record: CloudTrailRecord, reason: str) -> Alert:
    principal = read_principal(record)
    shown = printable(reason, 300)
    group_id, group_name = named_group(record)
    group = SecurityGroup(group_id, group_name, url=console.security_group_url(group_id, record.region))
    return replace(
        _frame(record),
        title=not_understood_title(record, group_id, group_name),
        summary=f"{call_sentence(record, principal)} What it changed is not known: {shown}.",
        principal=principal,
        security_group=group if group_id or group_name else None,
        changes=Changes(before_known=False),
        exposures=(Exposure(Severity.HIGH, f"What cannot be understood may be anything: {shown}."),),
        undo=Undo(None, "what changed is not known"),
        unknowns=(*_unknowns(record, principal), other(f"what changed: {shown}")),
    )


def _tampering(record: CloudTrailRecord, watched: WatchedEvent) -> Alert:
    call = TAMPER_CALLS[watched.name]
    if concerns_others(record, call):
        raise NotWatched(f"{call.api_name} of something that is not sgwatch's")
    principal = read_principal(record)
    frame = _frame(record)
    found = read_tampering(record, call, principal, frame.event.outcome or Outcome.SUCCEEDED)
    reason = f"{found.did[:1].upper()}{found.did[1:]}."
    listed = (f"All {call.thing}s that the request names: {found.listed}.",) if found.listed else ()
    return replace(
        frame,
        kind=AlertKind.ALARM_PATH,
        severity=found.severity,
        title=found.title,
        summary=f"{call_sentence(record, principal, call.api_name)} {reason}",
        principal=principal,
        exposures=tuple(Exposure(found.severity, text) for text in (reason, *listed)),
        undo=found.undo,
        unknowns=(*_unknowns(record, principal), *_unnamed(call, found)),
    )


def _unnamed(call: TamperCall, found: Tampering) -> tuple[Unknown, ...]:
    return () if found.names else (other(f"which {call.thing} it was: the record does not say"),)
