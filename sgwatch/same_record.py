"""Which records are of the same event: ids in examples and exports are not unique by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.cloudtrail.records import canonical_digest, mapping, text

RecordIdentity = tuple[str | None, ...]


def identity(raw: Mapping[str, Any], event_id: str | None = None) -> RecordIdentity:
    """Event id, account, region, name, request and error of a record; ``event_id`` in place of its own."""
    names = ("recipientAccountId", "awsRegion", "eventName", "errorCode")
    called = canonical_digest(raw.get("requestParameters"))
    return (event_id or text(raw.get("eventID")), *(text(raw.get(name)) for name in names), called)


def supplemented_by(raw: Mapping[str, Any]) -> RecordIdentity | None:
    """The identity of the record that this one supplements, None where it is one of its own.

    An addendum with another request than the record that it names takes the place of none: both are reported.
    """
    original = text(mapping(raw.get("addendum")).get("originalEventID"))
    return identity(raw, original) if original and original != text(raw.get("eventID")) else None
