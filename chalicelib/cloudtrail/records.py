"""CloudTrail records out of the envelopes they travel in.

Nothing is trusted here but that the document is what ``json.loads`` gives: a field of the wrong type
is read as absent, and a document that holds no record is an error with a sentence, never a crash.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.named_tuple import NamedTuple


class RecordError(ValueError):
    """A document in which no CloudTrail record could be found; the text says what was there instead."""


class CloudTrailRecord(NamedTuple):
    """One CloudTrail record, its fields by their Python names.

    ``event_id`` is never empty: a record without ``eventID`` gets a digest of itself, so that the
    same record always has the same id. ``account_id`` is the account in which the call had its
    effect (``recipientAccountId``). Fields:
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """

    event_id: str
    event_name: str | None
    event_source: str | None
    event_time: datetime | None
    region: str | None
    account_id: str | None
    request_id: str | None
    error_code: str | None
    error_message: str | None
    user_agent: str | None
    source_ip: str | None
    from_console: bool
    user_identity: Mapping[str, Any]
    request_parameters: Mapping[str, Any]
    response_elements: Mapping[str, Any]
    raw: Mapping[str, Any]

    @property
    def has_event_id(self) -> bool:
        """Whether ``event_id`` is CloudTrail's own."""
        return text(self.raw.get("eventID")) is not None

    @property
    def incomplete(self) -> str | None:
        """Why most of the record is not known; None where it is what CloudTrail wrote."""
        return text(self.raw.get(INCOMPLETE))

    @property
    def is_network_activity(self) -> bool:
        """Whether the record is of a call's way through a VPC endpoint.

        It has no request and no answer. ``recipientAccountId`` may be the endpoint's owner, to whom CloudTrail sends
        it, too: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-network-events-with-cloudtrail.html
        """
        return self.raw.get("eventCategory") == "NetworkActivity" or self.raw.get("eventType") == "AwsVpceEvent"

    @property
    def repeats_another(self) -> bool:
        """Whether the call has a record of its own beside this one.

        One that a VPC endpoint's policy denied and IAM would have allowed has none:
        https://docs.aws.amazon.com/kms/latest/developerguide/vpce-logging.html
        """
        return self.is_network_activity and not (self.error_code or "").startswith(DENIED_BY_ENDPOINT)

    @property
    def vpc_endpoint_id(self) -> str | None:
        """The VPC endpoint that the call went through."""
        return text(self.raw.get("vpcEndpointId"))

    @property
    def vpc_endpoint_owner(self) -> str | None:
        """The account that owns the VPC endpoint."""
        return text(self.raw.get("vpcEndpointAccountId"))

    @property
    def supplements(self) -> str | None:
        """The id of the record whose data this one updates; None for a record of its own."""
        original = text(mapping(self.raw.get("addendum")).get("originalEventID"))
        return original if original != self.event_id else None


# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
DENIED_BY_ENDPOINT = "VpceAccessDenied"


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is a JSON object, else an empty one."""
    # Nearly always a dict, and the check for that is the quicker.
    return value if isinstance(value, (dict, Mapping)) else {}


# JSON may spell half of a surrogate pair; such text can be neither encoded nor sent.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


# What CloudTrail writes in the place of a text that may be a secret.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


def text(value: object) -> str | None:
    """The value where it is a non-empty string that CloudTrail did not hide, or the digits of a number; else None.

    Whatever comes out of here can be encoded as UTF-8.
    """
    if isinstance(value, str):
        if value == _HIDDEN:
            return None
        return (value if value.isascii() else _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)) or None
    if isinstance(value, int) and not isinstance(value, bool):
        # An account id that went through a spreadsheet or a YAML file arrives as a number.
        try:
            return str(value)
        except ValueError:  # Python refuses to print integers over 4,300 digits
            return None
    return None


def account_id(value: object) -> str | None:
    """An account's id, with the zeros before it that a spreadsheet took away."""
    found = text(value)
    return found.zfill(12) if found is not None and 9 <= len(found) < 12 and found.isdecimal() else found


def parse_time(value: object) -> datetime | None:
    """An ISO 8601 time as an aware UTC datetime, None where it is not one."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_record(raw: Mapping[str, Any]) -> CloudTrailRecord:
    """The fields of a bare CloudTrail record; whatever has the wrong type is absent."""
    identity = mapping(raw.get("userIdentity"))
    return CloudTrailRecord(
        event_id=text(raw.get("eventID")) or canonical_digest(raw),
        event_name=text(raw.get("eventName")),
        event_source=source_of(raw),
        event_time=parse_time(raw.get("eventTime")),
        region=text(raw.get("awsRegion")),
        account_id=account_id(raw.get("recipientAccountId")) or account_id(identity.get("accountId")),
        request_id=text(raw.get("requestID")),
        error_code=_error_code(raw.get("errorCode")),
        error_message=text(raw.get("errorMessage")),
        user_agent=text(raw.get("userAgent")),
        source_ip=text(raw.get("sourceIPAddress")),
        from_console=raw.get("sessionCredentialFromConsole") in ("true", True),
        user_identity=identity,
        request_parameters=mapping(raw.get("requestParameters")),
        response_elements=mapping(raw.get("responseElements")),
        raw=raw,
    )


# What exports write in a column without a value, or for a success; case and signs aside. No error code reads so.
_PLACEHOLDERS = frozenset(
    (
        *("", "none", "null", "nil", "nan", "na", "n", "0", "200", "false", "undefined", "empty", "unset", "blank"),
        *("ok", "success", "succeeded", "successful", "noerror", "noerrors", "notavailable", "notapplicable"),
    )
)
_SIGNS = re.compile(r"[\W_]+", re.ASCII)


def _error_code(value: object) -> str | None:
    code = (text(value) or "").strip()
    if not any(map(str.isalnum, code)):
        return None
    return None if code.isascii() and _SIGNS.sub("", code).lower() in _PLACEHOLDERS else code or None


def source_of(raw: Mapping[str, Any]) -> str | None:
    """The service of a bare record, such as ``ec2.amazonaws.com``."""
    source = raw.get("eventSource")
    return text(source) if isinstance(source, str) else None


_MAX_DEPTH = 8


class _NoEnvelopeError(RecordError):
    """An object that is none of the envelopes."""


def unwrap(document: object, *, any_object: bool = False) -> Iterator[Mapping[str, Any]]:
    """The bare CloudTrail records in a document, in its order.

    Envelopes: an EventBridge event (``detail``), a CloudTrail log file (``Records``), a LookupEvents
    answer (``Events``) or one of its items (``CloudTrailEvent``), an object with a ``record`` key, a
    bare record, and lists of any of these. With ``any_object`` an object that is none of them is taken for a
    record of whatever kind; without, a record is known by its ``eventName``.

    Raises:
        RecordError: somewhere in the document there is no record; raised after all others were yielded,
            so that one broken record hides none of its neighbors.
    """
    errors: list[RecordError] = []
    yield from _unwrap(document, 0, errors, any_object)
    if len(errors) > 1:
        raise RecordError(f"{errors[0]} (and {len(errors) - 1} more like it)") from errors[0]
    if errors:
        raise errors[0]


def _unwrap(document: object, depth: int, errors: list[RecordError], any_object: bool) -> Iterator[Mapping[str, Any]]:
    if isinstance(document, Mapping) and "eventName" in document:
        yield document
        return
    if depth > _MAX_DEPTH:
        errors.append(RecordError(f"envelopes nested more than {_MAX_DEPTH} deep"))
        return
    try:
        inside = document if isinstance(document, list) else _inside(document)
        if isinstance(document, Mapping) and text(document.get("EventName")):
            inside = [item if _is_record(item) else _of_lookup_item(document) for item in inside]
    except _NoEnvelopeError as error:
        if any_object and isinstance(document, Mapping):
            yield document
        else:
            errors.append(error)
        return
    except RecordError as error:
        errors.append(error)
        return
    for item in inside:
        yield from _unwrap(item, depth + 1, errors, any_object)


def _inside(document: object) -> list[Any]:
    """What an envelope holds, itself still to be unwrapped."""
    if not isinstance(document, Mapping):
        raise RecordError(f"a CloudTrail record is a JSON object, this is {_kind(document)}")
    for key in ("Records", "Events"):
        if isinstance(document.get(key), list):
            listed: list[Any] = document[key]
            return listed
    for key in ("detail", "record", "CloudTrailEvent"):
        if isinstance(document.get(key), Mapping):
            return [document[key]]
    if text(document.get("EventName")):
        return [_decode_if_whole(document.get("CloudTrailEvent"))]
    if isinstance(document.get("CloudTrailEvent"), str):
        return [_decode(document["CloudTrailEvent"])]
    raise _NoEnvelopeError(_no_record(document))


def _is_record(value: object) -> bool:
    return isinstance(value, Mapping) and "eventName" in value


def _decode_if_whole(cloud_trail_event: object) -> object:
    try:
        return _decode(cloud_trail_event) if isinstance(cloud_trail_event, str) else None
    except RecordError:
        return None


# The key under which a record says why it is not all that CloudTrail wrote.
INCOMPLETE = "sgwatchIncomplete"


def _of_lookup_item(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is left of a record where an item of LookupEvents lost it, or has only a part of it."""
    lost = "is cut" if item.get("CloudTrailEvent") else "is missing"
    return {
        "eventID": item.get("EventId"),
        "eventName": item.get("EventName"),
        "eventSource": item.get("EventSource"),
        "eventTime": _iso_time(item.get("EventTime")),
        "userIdentity": {"userName": item.get("Username"), "accessKeyId": item.get("AccessKeyId")},
        INCOMPLETE: f"the record in this item of LookupEvents {lost}",
    }


def _iso_time(value: object) -> object:
    """A time in the seconds that LookupEvents answers in, and that version 1 of the AWS CLI prints, as text.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Event.html
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    try:
        return datetime.fromtimestamp(value, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _decode(cloud_trail_event: str) -> object:
    try:
        return json.loads(cloud_trail_event)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"CloudTrailEvent is not JSON: {error}") from error


def _no_record(document: Mapping[str, Any]) -> str:
    keys = ", ".join(sorted(str(key)[:40] for key in document)[:8]) or "none"
    return f"no CloudTrail record here: expected eventName, detail, Records, Events or record, found the keys {keys}"


def _kind(value: object) -> str:
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}
    return names.get(type(value), f"a {type(value).__name__}")


def canonical_digest(value: object) -> str:
    """An id made of a document itself, for one that has none."""
    return "sha256-" + hashlib.sha256(_canonical_json(value).encode()).hexdigest()[:32]


def _canonical_json(value: object) -> str:
    """The same text for the same document, whatever it holds."""
    try:
        return json.dumps(value, sort_keys=True, default=str, ensure_ascii=True)
    except (RecursionError, TypeError, ValueError):  # too deep, or keys that do not sort
        return f"{type(value).__name__} of {len(value) if isinstance(value, (Mapping, list, str)) else 0}"
