"""The watched records of a CloudTrail log file, found without making objects of the rest of it.

A log file is one line, ``{"Records":[{"eventVersion":…`` and so on, of which one record in hundreds is watched.
Where anything is not as CloudTrail writes it, ``scan`` gives up and the caller reads the whole file value by value.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from msgspec import Raw, Struct
from msgspec.json import Decoder

# Another head may be another export, whose records are told apart by more than their names.
_HEAD = b'{"Records":[{"eventVersion"'


@dataclass(frozen=True, slots=True)
class Scan:
    """The watched records as they stand in the file, and how many records the file has."""

    records: tuple[bytes, ...]
    count: int


class _Named(Struct, gc=False):
    """What is read of each record: other members are passed over."""

    eventVersion: str  # noqa: N815 - CloudTrail's name
    eventName: str  # noqa: N815


class _NamedRecords(Struct, forbid_unknown_fields=True):
    Records: list[_Named]


class _Texts(Struct):
    Records: list[Raw]


_NAMES = Decoder(_NamedRecords)
_TEXTS = Decoder(_Texts)


def scan(data: bytes, names: frozenset[str]) -> Scan | None:
    """The records with one of these names; None where the file has to be read value by value to know."""
    if not data.startswith(_HEAD):
        return None
    try:
        found = [record.eventName in names for record in _NAMES.decode(data).Records]
        if True not in found:
            return Scan((), len(found))
        texts = _TEXTS.decode(data).Records
        watched = tuple(bytes(text) for text, is_watched in zip(texts, found, strict=True) if is_watched)
        for text in watched:
            json.loads(text)  # what was passed over was not looked at: it may be no text, or a number too long
    except (ValueError, RecursionError):  # of which msgspec's DecodeError is one
        return None
    return Scan(watched, len(found))
