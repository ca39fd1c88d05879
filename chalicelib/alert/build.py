"""From a CloudTrail record to the alert about it: read, resolve, judge, word, each once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chalicelib.alert.headline import call_sentence, not_understood_title, notes_of, summary, title
from chalicelib.alert.model import Account, Alert, AlertKind, Event, SecurityGroup
from chalicelib.alert.parts import changed_prefix_list, security_group
from chalicelib.alert.resolution import ChangeResolver, RecordAlone, Resolution
from chalicelib.aws import console_links as console
from chalicelib.cloudtrail.catalog import EventGroup, WatchedEvent, lookup
from chalicelib.cloudtrail.principals import UNKNOWN_NAME, Principal, is_of_root, is_root, is_unnamed, read_principal
from chalicelib.cloudtrail.records import CloudTrailRecord, canonical_digest, mapping, read_record, text
from chalicelib.cloudtrail.tamper_calls import BY_NAME as TAMPER_CALLS
from chalicelib.cloudtrail.tamper_calls import TamperCall
from chalicelib.cloudtrail.tamper_effects import listed
from chalicelib.exposure.judge import Exposure, Severity, judge, severity_of
from chalicelib.security_groups.changes import Change, Changes, NotUnderstood, NotWatched, Outcome, read_outcome
from chalicelib.security_groups.lookup_result import LookupResult
from chalicelib.security_groups.parse import named_group, read_change
from chalicelib.security_groups.phrases import PeerNames, printable
from chalicelib.security_groups.unknowns import Unknown, other
from chalicelib.text import number_of
from chalicelib.undo.aws_cli import Undo
from chalicelib.undo.from_lookups import restore

if TYPE_CHECKING:
    from chalicelib.alert.tampering import Tampering

RECORD_ALONE = RecordAlone()


def alert_of(raw: Mapping[str, Any], resolver: ChangeResolver = RECORD_ALONE) -> Alert:
    """The alert of one bare CloudTrail record, whatever is in it: read, resolved, judged and worded, each once.

    Raises:
        NotWatched: the record is of no event in the catalog, or touches no security group.
    """
    record = read_record(raw)
    name = resolver.account_name(record.account_id)
    try:
        return _understood(record, resolver, name)
    except NotWatched:
        raise
    except NotUnderstood as error:
        return _not_understood(record, str(error), name)
    except Exception as error:  # noqa: BLE001 - who shapes a request shapes its record, and one that breaks us must not be silent
        return _not_understood(record, f"a fault in sgwatch itself ({type(error).__name__})", name)


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
        exposures=(Exposure(Severity.HIGH, "Treated as high: the event could not be parsed."),),
        undo=Undo(None, "the event could not be parsed"),
        unknowns=(other(f"what happened: {printable(reason, 300)}"),),
    )


def is_watched(raw: Mapping[str, Any]) -> bool:
    """Whether a bare record is of an event in the catalog, whatever it is about."""
    record = read_record(raw)
    return lookup(record.event_source, record.event_name) is not None


def not_of_our_rule(raw: Mapping[str, Any]) -> Alert:
    """The alert of a record that no rule of sgwatch's delivers as it was deployed; the same one all day and region."""
    record = read_record(raw)
    day = record.event_time.date().isoformat() if record.event_time else "undated"
    called = printable(record.event_name or "a record without an event name", 80)
    reason = (
        "sgwatch's EventBridge rules deliver watched calls alone: the pattern of one was changed, or its target was "
        "given an input of its own, and what should arrive may not."
    )
    return _frame(record, None)._replace(
        id=f"not-of-our-rule-{record.account_id or 'no-account'}-{record.region or 'no-region'}-{day}",
        kind=AlertKind.ALARM_PATH,
        severity=Severity.HIGH,
        title=f"sgwatch received an event that is not watched ({called})",
        summary=f"What reached sgwatch: {called}. {reason}",
        principal=None,
        exposures=(Exposure(Severity.HIGH, reason),),
        undo=Undo(None, "the rule before is not in the record"),
        unknowns=(other("who changed the rule: this record does not say"),),
    )


def _understood(record: CloudTrailRecord, resolver: ChangeResolver, account_name: str | None) -> Alert:
    watched = lookup(record.event_source, record.event_name)
    if watched is not None and record.repeats_another:
        raise NotWatched(f"a network activity record: {watched.name} has a record of its own")
    if watched is not None and record.incomplete:
        raise NotUnderstood(record.incomplete)
    if watched is not None and watched.group is EventGroup.TAMPER:
        return _tampering(record, watched, account_name)
    return _of_change(record, read_change(record), resolver)


def _of_change(record: CloudTrailRecord, change: Change, resolver: ChangeResolver) -> Alert:
    try:
        return _assembled(record, resolver.resolve(record, change))
    except Exception as error:  # noqa: BLE001 - the record alone makes an alert, and raising would lose it
        resolver.failed(record, error)
        unknown = other(f"everything beyond the record: a fault in sgwatch itself ({type(error).__name__})")
        known = change._replace(unknowns=(*change.unknowns, unknown))
        return _assembled(record, RECORD_ALONE.resolve(record, known))


def _assembled(record: CloudTrailRecord, resolution: Resolution) -> Alert:
    """The alert of a change with all that is known of it."""
    change, looked_up = resolution.resolved.change, resolution.looked_up
    principal = read_principal(record)
    exposures = judge(
        resolution.resolved,
        looked_up,
        by_root=is_root(principal),
        of_root=is_of_root(record),
        account_id=record.account_id,
    )
    notes = (*notes_of(record), *resolution.notes)
    unknowns = (item._replace(text=printable(item.text)) for item in (*change.unknowns, *looked_up.unknowns))
    return _frame(record, looked_up.account_name)._replace(
        kind=AlertKind.SECURITY_GROUP_CHANGE,
        severity=severity_of(exposures),
        title=title(change, exposures, _names(looked_up)),
        summary=" ".join((summary(record, principal, exposures), *notes)),
        principal=principal,
        security_group=security_group(resolution, record.region),
        changes=change.changes,
        attachment=change.attachment,
        prefix_list=changed_prefix_list(change, looked_up),
        exposures=exposures,
        undo=restore(change, record.region, resolution.group),
        unknowns=(*_unknowns(record, principal), *unknowns),
        notes=notes,
    )


def _names(looked_up: LookupResult) -> PeerNames:
    """What prefix lists and groups are called, as far as it was looked up."""
    lists = {key: item.name for key, item in looked_up.prefix_lists.items() if item.name}
    return lists | {key: item.name for key, item in (looked_up.groups or {}).items() if item.name}


def _frame(record: CloudTrailRecord, account_name: str | None) -> Alert:
    """What every alert about a record has, understood or not."""
    return Alert(
        id=record.event_id,
        kind=AlertKind.NOT_UNDERSTOOD,
        severity=Severity.HIGH,
        title="",
        summary="",
        occurred_at=record.event_time,
        account=Account(record.account_id, account_name),
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


_OF_WHOM = (
    "whose resources the call was about: the record of network activity says only whose VPC endpoint it went through"
)


def _unknowns(record: CloudTrailRecord, principal: Principal) -> tuple[Unknown, ...]:
    missing = {
        "who made the call: the record does not say, so it may have been root": is_unnamed(principal),
        "who made the call: the record has only the kind of caller": principal.name == UNKNOWN_NAME
        and not is_unnamed(principal),
        "event id: the record has none, a digest of it stands in": not record.has_event_id,
        "event source: the record names none, only the event's name says what it is": record.event_source is None,
        "when it happened: the record has no time that can be read": record.event_time is None,
        "account: the record names none": record.account_id is None,
        "region: the record names none": record.region is None,
        _OF_WHOM: record.is_network_activity and principal.cross_account,
    }
    return tuple(other(sentence) for sentence, applies in missing.items() if applies)


def _not_understood(record: CloudTrailRecord, reason: str, account_name: str | None) -> Alert:
    principal = read_principal(record)
    shown = printable(reason, 300)
    group_id, group_name = named_group(record)
    group = SecurityGroup(group_id, group_name, url=console.security_group_url(group_id, record.region))
    return _frame(record, account_name)._replace(
        title=not_understood_title(record, group_id, group_name),
        summary=f"{call_sentence(record, principal)} What it changed is not known: {shown}.",
        principal=principal,
        security_group=group if group_id or group_name else None,
        changes=Changes(before_known=False),
        exposures=(Exposure(Severity.HIGH, f"Treated as high: the record could not be parsed: {shown}."),),
        undo=Undo(None, "the record could not be parsed"),
        unknowns=(*_unknowns(record, principal), other(f"what changed: {shown}")),
    )


def _tampering(record: CloudTrailRecord, watched: WatchedEvent, account_name: str | None) -> Alert:
    from chalicelib.alert.tampering import concerns_others, read_tampering  # noqa: PLC0415 - alerting on changes does without

    call = TAMPER_CALLS[watched.name]
    if concerns_others(record, call):
        raise NotWatched(f"{call.api_name} of something that is not sgwatch's")
    principal = read_principal(record)
    frame = _frame(record, account_name)
    found = read_tampering(record, call, principal, frame.event.outcome or Outcome.SUCCEEDED)
    reason, notes = f"{found.did[:1].upper()}{found.did[1:]}.", notes_of(record)
    listed = (f"All {call.thing}s that the request names: {found.listed}.",) if found.listed else ()
    return frame._replace(
        kind=AlertKind.ALARM_PATH,
        severity=found.severity,
        title=found.title,
        summary=" ".join((call_sentence(record, principal, call.api_name), reason, *notes)),
        notes=notes,
        principal=principal,
        exposures=tuple(Exposure(found.severity, text) for text in (reason, *listed)),
        undo=found.undo,
        unknowns=(*_unknowns(record, principal), *_unnamed(call, found), *_refused(record)),
    )


# DeleteParameters takes ten names at most.
_REFUSED_SHOWN = 10


def _refused(record: CloudTrailRecord) -> tuple[Unknown, ...]:
    """RemoveTargets, PutTargets and DeleteParameters may succeed as calls with some or all of it refused.

    The count is a 32-bit integer: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
    The names are those of no parameter: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameters.html
    """
    invalid = [name for name in listed(record.response_elements.get("invalidParameters")) if isinstance(name, str)]
    if invalid:
        names = ", ".join(printable(name, 100) for name in invalid[:_REFUSED_SHOWN])
        return (other(f"how much of it took effect: AWS did not delete {names}"),)
    count = text(record.response_elements.get("failedEntryCount"))
    if count is None or not count.isdecimal() or len(count) > 10 or int(count) == 0:
        return ()
    return (other(f"how much of it took effect: AWS refused {number_of(int(count), 'target')}"),)


def _unnamed(call: TamperCall, found: Tampering) -> tuple[Unknown, ...]:
    return () if found.names else (other(f"which {call.thing} it was: the record does not say"),)
