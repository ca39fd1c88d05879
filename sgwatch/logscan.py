"""The watched records of a CloudTrail log file, found without parsing the rest of it.

A log file is one line, ``{"Records":[{"eventVersion":…`` and so on, of which one record in hundreds is
watched. Every ``"eventName"`` in it is looked at, so nothing is missed; where anything is not as
CloudTrail writes it, ``scan`` gives up and the caller parses the whole file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

_HEAD = b'{"Records":['
_START = b'{"eventVersion"'
_TAIL = b"}]}"
_LAST = b"]}"

# A key with its text, or the same word as a value in a list or object; anything else leaves the group empty.
_EVENT_NAME = re.compile(rb'"eventName"(:"[^"\\]*"|[,}\]])?')
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
# A letter or digit that is written as an escape, which would hide a key or a name from a search.
_HIDDEN = re.compile(rb"\\u00(?:3[0-9]|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])", re.IGNORECASE)
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"{}[]'))
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Scan:
    """The watched records as they stand in the file, and how many records the file has."""

    records: tuple[bytes, ...]
    count: int


class _UnusualError(Exception):
    """The file is not as CloudTrail writes it, or what looks like a record is inside another one."""


def scan(data: bytes, names: frozenset[str]) -> Scan | None:
    """The records with one of these names; None where the file has to be parsed to know."""
    data = data.rstrip()
    if not (data.startswith(_HEAD + _START) and data.endswith(_TAIL)):
        return None
    if b"\\u00" in data and _HIDDEN.search(data):
        return None
    found = _EVENT_NAME.findall(data)
    if b"" in found:
        return None
    keys = [item for item in found if item[:1] == b":"]
    wanted = _keys(names).intersection(keys)
    if not wanted:  # every name was looked at: whatever the brackets do, there is no such record
        return Scan((), len(keys))
    try:
        spans = list(_spans(data, wanted))
    except (_UnusualError, ValueError, RecursionError):
        return None
    if not _stand_at_the_top(data, spans):
        return None
    return Scan(tuple(data[first:last] for first, last in spans), len(keys))


@lru_cache(maxsize=1)
def _keys(names: frozenset[str]) -> frozenset[bytes]:
    """What follows ``"eventName"`` in a record with one of these names."""
    return frozenset(f':"{name}"'.encode() for name in names)


def _spans(data: bytes, wanted: AbstractSet[bytes]) -> Iterator[tuple[int, int]]:
    """Where each watched record begins and ends, in the file's order."""
    end = 0
    for position, name in sorted(_occurrences(data, wanted)):
        if position < end:  # the same word deeper in a record that is already taken
            continue
        first = data.rfind(_START, end, position)
        last = data.find(b"," + _START, position)
        end = last if last >= 0 else len(data) - len(_LAST)
        if first < 0 or not _is_record(data[first:end], name):
            raise _UnusualError
        yield first, end


def _occurrences(data: bytes, wanted: AbstractSet[bytes]) -> Iterator[tuple[int, str]]:
    for key in wanted:
        needle, name = b'"eventName"' + key, key[2:-1].decode()
        position = data.find(needle)
        while position >= 0:
            yield position, name
            position = data.find(needle, position + 1)


def _is_record(text: bytes, name: str) -> bool:
    """Whether the text is one JSON object, whole, whose own event name this is."""
    decoded = text.decode()
    record, end = _DECODER.raw_decode(decoded)
    return end == len(decoded) and isinstance(record, dict) and record.get("eventName") == name


def _stand_at_the_top(data: bytes, spans: list[tuple[int, int]]) -> bool:
    """Whether every span is a member of ``Records`` itself, and brackets match in the whole file.

    A request may hold text, or objects, that look like records; those are inside more brackets.
    """
    edges = [len(_HEAD), *(first for first, _ in spans), len(data) - len(_LAST)]
    return all(_brackets_match(data[first:last]) for first, last in pairwise(edges))


def _brackets_match(text: bytes) -> bool:
    """Whether every bracket outside of strings has its partner in this text, and no string is left open."""
    if b"\\" in text:
        text = _ESCAPED.sub(b"", text)
    # Two quotation marks side by side change nothing about what is inside and what outside of a string.
    quoted = text.translate(None, _NOT_STRUCTURE).replace(b'""', b"").split(b'"')
    if len(quoted) % 2 == 0:
        return False
    brackets, left = b"".join(quoted[::2]), -1
    while left != len(brackets):
        left = len(brackets)
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return not brackets
