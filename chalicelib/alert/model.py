"""The alert, version 1: one object for every destination, the command line and the queue.

``to_json`` gives the published shape (schemas/alert.v1.json) and ``from_json`` reads it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import NoneType
from typing import Any, TypeVar

from chalicelib.cloudtrail.principals import Principal
from chalicelib.cloudtrail.records import parse_time
from chalicelib.exposure.judge import Exposure, Severity
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.changes import Attachment, Changes, Outcome, PrefixListEntry
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from chalicelib.security_groups.unknowns import Unknown, other
from chalicelib.undo.aws_cli import Undo

# The alert is built of the core's own types; code that handles alerts imports them from here.
__all__ = [
    "Account",
    "AlarmPath",
    "AlarmPathFinding",
    "Alert",
    "AlertKind",
    "Attached",
    "Attachment",
    "ChangedPrefixList",
    "Changes",
    "Event",
    "Exposure",
    "Outcome",
    "PrefixListUse",
    "Principal",
    "SecurityGroup",
    "Severity",
    "Undo",
    "Unknown",
    "decode_rule",
    "encode_rule",
    "format_time",
    "from_json",
    "to_json",
    "with_note",
]

VERSION = "1"


class AlertKind(StrEnum):
    """What an alert is about."""

    SECURITY_GROUP_CHANGE = "security_group_change"
    ALARM_PATH = "alarm_path"
    DRIFT = "drift"
    DELIVERY_PROBLEM = "delivery_problem"
    TEST = "test"
    NOT_UNDERSTOOD = "not_understood"


class Account(NamedTuple):
    """The account in which it happened."""

    id: str | None
    name: str | None = None


class Event(NamedTuple):
    """The API call behind an alert; ``url`` opens the record in the CloudTrail console."""

    name: str | None = None
    source: str | None = None
    id: str | None = None
    request_id: str | None = None
    outcome: Outcome | None = None
    error_code: str | None = None
    error_message: str | None = None
    url: str | None = None


class Attached(NamedTuple):
    """What a group is attached to: ids of interfaces and instances, addresses, and services by name."""

    interfaces: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    public_addresses: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


class SecurityGroup(NamedTuple):
    """The group as far as it is known; ``tags`` and ``attached`` are None where nobody looked or could."""

    id: str | None = None
    name: str | None = None
    vpc_id: str | None = None
    description: str | None = None
    owner: str | None = None
    tags: Mapping[str, str] | None = None
    attached: Attached | None = None
    url: str | None = None


class AlarmPathFinding(NamedTuple):
    """What is wrong with one link; ``fix`` is a command or a sentence, None where there is none."""

    check: str
    subject: str
    reason: str
    fix: str | None


class AlarmPath(NamedTuple):
    """What the latest audit of the alarm path said; ``was`` is the status of the audit before, None where not known.

    ``broken_by_this_call`` is None where the alert is about no call, and where it is not known.
    """

    status: str
    checked_at: datetime | None
    was: str | None = None
    broken_by_this_call: bool | None = None
    findings: tuple[AlarmPathFinding, ...] = ()


class PrefixListUse(NamedTuple):
    """A rule's direction and the group whose rule names a prefix list."""

    group_id: str
    group_name: str | None
    direction: Direction | None


class ChangedPrefixList(NamedTuple):
    """A prefix list that a call changed: what it added and removed, and the groups whose rules name the list.

    ``version`` was in force before the call. ``id`` is None where the call names a resolver of IPAM alone.
    """

    id: str | None
    name: str | None = None
    owner_id: str | None = None
    version: int | None = None
    added: tuple[PrefixListEntry, ...] = ()
    removed: tuple[str, ...] = ()
    used_by: tuple[PrefixListUse, ...] = ()


class Alert(NamedTuple):
    """A change that is reported; ``notes`` are what else its summary says: an earlier change, a late delivery."""

    id: str
    kind: AlertKind
    severity: Severity
    title: str
    summary: str
    occurred_at: datetime | None
    account: Account
    region: str | None
    event: Event = Event()
    principal: Principal | None = None
    security_group: SecurityGroup | None = None
    changes: Changes = Changes()
    attachment: Attachment | None = None
    exposures: tuple[Exposure, ...] = ()
    undo: Undo = Undo(commands=(), reason=None)
    unknowns: tuple[Unknown, ...] = ()
    prefix_list: ChangedPrefixList | None = None
    notes: tuple[str, ...] = ()
    alarm_path: AlarmPath | None = None


def with_note(alert: Alert, note: str) -> Alert:
    """The alert with a sentence before all others."""
    return alert._replace(summary=f"{note} {alert.summary}", notes=(note, *alert.notes))


def to_json(alert: Alert) -> dict[str, Any]:
    """The alert as the JSON object of schemas/alert.v1.json, every key present."""
    return {"version": VERSION, **_encode_fields(alert)}


def from_json(document: Mapping[str, Any]) -> Alert:
    """The alert of a JSON object that ``to_json`` made.

    Raises:
        ValueError: the object is not a version 1 alert; the text names what is wrong.
    """
    if document.get("version") != VERSION:
        raise ValueError(f"an alert of version {document.get('version')!r}; this program reads version {VERSION!r}")
    try:
        return _decode_alert(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an alert: {error!r}") from error


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC with a Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def encode_rule(rule: SecurityGroupRule) -> dict[str, Any]:
    """A rule in the published shape."""
    peer = rule.peer
    return {
        "id": rule.id,
        "direction": rule.direction and str(rule.direction),
        "protocol": rule.protocol,
        "from_port": rule.from_port,
        "to_port": rule.to_port,
        "peer": {
            "type": str(peer.type),
            "value": peer.value,
            "account_id": peer.account_id,
            "vpc_id": peer.vpc_id,
        },
        "description": rule.description,
    }


# The others are not published: for the title alone.
EXPOSURE_FIELDS = ("severity", "reason", "controls", "rule")


def _encode_exposure(exposure: Exposure) -> dict[str, Any]:
    return {
        "severity": str(exposure.severity),
        "reason": exposure.reason,
        "controls": list(exposure.controls),
        "rule": exposure.rule and encode_rule(exposure.rule),
    }


_PLAIN = frozenset({str, NoneType, bool, int})
_ENCODERS: Mapping[type, Callable[[Any], object]] = {
    SecurityGroupRule: encode_rule,
    Exposure: _encode_exposure,
    Unknown: lambda unknown: unknown.text,
    datetime: format_time,
    tuple: lambda items: [item if type(item) in _PLAIN else _encode(item) for item in items],
}


def _encode(value: object) -> Any:
    encoder = _ENCODERS.get(type(value))
    if encoder is not None:
        return encoder(value)
    if isinstance(value, str):
        return str(value)  # a StrEnum as the plain string
    if isinstance(value, Mapping):
        return dict(value)
    return _encode_fields(value)


def _encode_fields(value: Any) -> dict[str, Any]:
    fields = zip(field_names(type(value)), value, strict=True)
    return {name: item if type(item) in _PLAIN else _encode(item) for name, item in fields}


def field_names(kind: Any) -> tuple[str, ...]:
    """The fields of a record of the alert."""
    names: tuple[str, ...] = kind._fields
    return names


def _decode_alert(document: Mapping[str, Any]) -> Alert:
    event = dict(document["event"])
    event["outcome"] = event["outcome"] and Outcome(event["outcome"])
    alarm_path = document["alarm_path"]
    return Alert(
        id=document["id"],
        kind=AlertKind(document["kind"]),
        severity=Severity(document["severity"]),
        title=document["title"],
        summary=document["summary"],
        occurred_at=parse_time(document["occurred_at"]),
        account=_only_known(Account, document["account"]),
        region=document["region"],
        event=_only_known(Event, event),
        principal=_only_known(Principal, document["principal"]) if document["principal"] else None,
        security_group=_decode_group(document["security_group"]),
        changes=_decode_changes(document["changes"]),
        attachment=_decode_attachment(document["attachment"]),
        prefix_list=_decode_prefix_list(document.get("prefix_list")),
        exposures=tuple(_decode_exposure(item) for item in document["exposures"]),
        undo=Undo(commands=_strings(document["undo"]["commands"]), reason=document["undo"]["reason"]),
        unknowns=tuple(map(other, document["unknowns"])),
        # A queue may hold alerts of the release before, which had no notes and no prefix list.
        notes=tuple(document.get("notes", ())),
        alarm_path=_decode_alarm_path(alarm_path) if alarm_path else None,
    )


def _decode_alarm_path(document: Mapping[str, Any]) -> AlarmPath:
    """The alarm path; alerts of before 0.2.0, which may still be queued, hold only the first two fields."""
    return AlarmPath(
        document["status"],
        parse_time(document["checked_at"]),
        document.get("was"),
        document.get("broken_by_this_call"),
        tuple(_only_known(AlarmPathFinding, item) for item in document.get("findings", ())),
    )


Known = TypeVar("Known")


def _only_known(kind: type[Known], document: Mapping[str, Any]) -> Known:
    """The record of a JSON object; keys that a newer writer added are skipped."""
    return kind(**{name: document[name] for name in field_names(kind)})


def _strings(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _decode_group(document: Mapping[str, Any] | None) -> SecurityGroup | None:
    if document is None:
        return None
    attached = document["attached"]
    known = attached and _only_known(Attached, {key: tuple(value or ()) for key, value in attached.items()})
    return _only_known(SecurityGroup, {**document, "attached": known})


def decode_rule(document: Mapping[str, Any]) -> SecurityGroupRule:
    """A rule of the published shape."""
    peer = document["peer"]
    direction = document["direction"] and Direction(document["direction"])
    known = _only_known(Peer, {**peer, "type": PeerType(peer["type"])})
    # The rule's own tags are not published: its undo's commands have them already.
    return _only_known(SecurityGroupRule, {**document, "direction": direction, "peer": known, "tags": None})


def _decode_changes(document: Mapping[str, Any]) -> Changes:
    def rules(key: str) -> tuple[SecurityGroupRule, ...]:
        return tuple(decode_rule(item) for item in document[key])

    modified = tuple(
        ModifiedRule(item["before"] and decode_rule(item["before"]), decode_rule(item["after"]))
        for item in document["modified"]
    )
    return Changes(
        added=rules("added"),
        removed=rules("removed"),
        modified=modified,
        attempted=rules("attempted"),
        before_known=document["before_known"],
        rules_after=document["rules_after"],
    )


def _decode_attachment(document: Mapping[str, Any] | None) -> Attachment | None:
    if document is None:
        return None
    groups = {key: _strings(document[key]) for key in ("groups_before", "groups_after")}
    return _only_known(Attachment, {**document, **groups})


def _decode_prefix_list(document: Mapping[str, Any] | None) -> ChangedPrefixList | None:
    if document is None:
        return None
    return ChangedPrefixList(
        document["id"],
        document["name"],
        document["owner_id"],
        document["version"],
        tuple(PrefixListEntry(item["cidr"], item["description"]) for item in document["added"]),
        tuple(document["removed"]),
        tuple(
            PrefixListUse(item["group_id"], item["group_name"], item["direction"] and Direction(item["direction"]))
            for item in document["used_by"]
        ),
    )


def _decode_exposure(document: Mapping[str, Any]) -> Exposure:
    return Exposure(
        severity=Severity(document["severity"]),
        reason=document["reason"],
        controls=tuple(document["controls"]),
        rule=document["rule"] and decode_rule(document["rule"]),
    )
