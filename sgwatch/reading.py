"""The watched CloudTrail records of one file's bytes, in any envelope, gzip or not.

What cannot be read is a fault with its place and a reason; everything around it is still read.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from chalicelib.cloudtrail.catalog import WatchedEvent
from chalicelib.cloudtrail.records import RecordError, source_of, unwrap
from sgwatch.exports import opened
from sgwatch.logscan import scan
from sgwatch.unpacking import GZIP, ZIP, DamagedError, unpack, unzip

_GAP = re.compile(r"[\s\x00]*")
_NEXT_DOCUMENT = re.compile(r"^[\[{]", re.MULTILINE)


def _integer(digits: str) -> int | str:
    # Python reads no integer of more than 4,300 digits; one such must not hide the records around it.
    return int(digits) if len(digits) <= 4_300 else digits


_DECODER = json.JSONDecoder(parse_int=_integer)
OnPart = Callable[[int], None]
_PART = 1 << 20
_EVERY = 500
# Decoding a document is 56 to 75 % of the time of reading it (60,000 records of 54 MB), and says nothing meanwhile.
_DECODED = 0.65


@dataclass(frozen=True, slots=True)
class Fault:
    """What could not be read: ``lines`` is the first and last line of it, None where it is the whole file."""

    path: str
    reason: str
    lines: tuple[int, int] | None = None

    def __str__(self) -> str:
        if self.lines is None:
            return f"{self.path}: {self.reason}"
        first, last = self.lines
        return f"{self.path}, line {first}{f' to {last}' if last > first else ''}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Contents:
    """What one file held: its watched records as JSON, how many records it had in all, and its faults.

    Where hashes are wanted, ``sha256`` is that of the unpacked bytes that the records were read from (of the packed
    ones where they are damaged), and None where no bytes could be had.
    """

    records: tuple[bytes, ...] = ()
    count: int = 0
    faults: tuple[Fault, ...] = ()
    path: str = ""
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The events to look for, and whether each file's hash is wanted besides."""

    events: frozenset[tuple[str, str]]
    names: frozenset[str]
    hashes: bool = False

    @classmethod
    def of(cls, events: tuple[WatchedEvent, ...], *, hashes: bool = False) -> Wanted:
        """Look for these events."""
        sources = frozenset((event.source, event.name) for event in events)
        return cls(sources, frozenset(event.name for event in events), hashes)

    def __contains__(self, record: Mapping[str, object]) -> bool:
        source, name = source_of(record), record.get("eventName")
        if not isinstance(name, str) or name not in self.names:
            return False
        # A record without a source is still read: its name says what it is.
        return source is None or (source, name) in self.events


def read_bytes(path: str, data: bytes, wanted: Wanted | None, on_part: OnPart | None = None) -> Contents:
    """The watched records in the bytes of a file, or all where ``wanted`` is None; ``path`` is for the faults alone.

    ``on_part`` is called with how many more bytes of ``data`` are done, again and again in a large file.
    """
    parts = _FileProgress(len(data), on_part) if on_part else None
    try:
        return _read(path, data, wanted, parts)
    finally:
        if parts:
            parts.reach(1.0)


class _FileProgress:
    """Says how far a file is read, in steps that somebody can see."""

    def __init__(self, size: int, on_part: OnPart) -> None:
        self._size, self._on_part = size, on_part
        self._said = 0

    def reach(self, fraction: float) -> None:
        done = int(self._size * fraction)
        if done - self._said >= _PART or fraction >= 1.0:
            self._on_part(done - self._said)
            self._said = done


def _read(path: str, data: bytes, wanted: Wanted | None, parts: _FileProgress | None) -> Contents:
    is_packed = data.startswith(GZIP)
    try:
        data = unpack(data)
    except DamagedError as error:
        # Log files joined into one hide each other no more than those that lie side by side.
        sound = _FileReader(path, wanted, parts).read(_decode(error.sound))
        fault = Fault(path, f"damaged gzip data ({error}); fetch the file again")
        contents = replace(sound, faults=(fault, *sound.faults))
    else:
        contents = _read_unpacked(path, data, wanted, parts, is_packed=is_packed)
    if wanted is None or not wanted.hashes:
        return contents
    return replace(contents, path=path, sha256=hashlib.sha256(data).hexdigest())


def _read_unpacked(
    path: str, data: bytes, wanted: Wanted | None, parts: _FileProgress | None, *, is_packed: bool
) -> Contents:
    # What gzip's checksum vouches for is what CloudTrail wrote; other files may have been edited.
    scanned = scan(data, wanted.names) if wanted and is_packed else None
    if scanned is not None:
        return Contents(scanned.records, scanned.count)
    if data.startswith(ZIP):
        return _read_archive(path, data, wanted)
    if _is_binary(data):
        return Contents(faults=(Fault(path, "a binary file, which is no JSON"),))
    return _FileReader(path, wanted, parts).read(_decode(data))


def _read_archive(path: str, data: bytes, wanted: Wanted | None) -> Contents:
    """The records of every file in a zip archive, in its order."""
    try:
        found = [read_bytes(f"{path}/{name}", member, wanted) for name, member in unzip(data)]
    except DamagedError as error:
        return Contents(faults=(Fault(path, f"damaged zip archive ({error})"),))
    return Contents(
        tuple(record for each in found for record in each.records),
        sum(each.count for each in found),
        tuple(fault for each in found for fault in each.faults),
    )


_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")


def _is_binary(data: bytes) -> bool:
    """Whether this is no text at all: to name every line of it as a fault would help nobody."""
    head = data[:1024].lstrip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe")
    return head[:1] not in (b"{", b"[", b'"') and bool(_CONTROL.search(head) or b"\x00" in head)


def _decode(data: bytes) -> str:
    # A byte that is no UTF-8 must not hide the records around it.
    return data.decode(json.detect_encoding(data), "replace").removeprefix("\ufeff")


class _FileReader:
    """Reads the text of one file: documents, the records in them, and what is neither."""

    def __init__(self, path: str, wanted: Wanted | None, parts: _FileProgress | None) -> None:
        self._path = path
        self._wanted = wanted
        self._parts = parts
        self._records: list[bytes] = []
        self._faults: list[Fault] = []
        self._count = 0
        self._position = 0

    def read(self, text: str) -> Contents:
        for lines, document in self._documents(text):
            self._take(document, lines)
            self._reach(self._position / len(text))
        return Contents(tuple(self._records), self._count, tuple(self._faults))

    def _documents(self, text: str) -> Iterator[tuple[tuple[int, int] | None, object]]:
        """Every JSON document in the text: one over many lines, or one in each; or every row of a table."""
        if table := _TABLE.match(text):
            # The row's own quotes may hold line breaks.
            lines, between = text.splitlines(keepends=True), table["between"] or ","
            table_reader = csv.DictReader(lines, delimiter=between, strict=False)
            for row in table_reader:
                self._position = len(text) * table_reader.line_num // len(lines)
                yield None, row
            return
        start = position = _skip(text, 0)
        line, counted = 1, 0
        while position < len(text):
            line, counted = line + text.count("\n", counted, position), position
            try:
                document, end = _decode_at(text, _past_prefix(text, position))
            except (ValueError, RecursionError) as error:
                position = _next_document(text, position)
                last = line + text.count("\n", counted, position) - (position < len(text))
                self._fault(_reason(error), (line, max(line, last)))
                continue
            position = self._position = _skip(text, end)
            alone = counted == start and position == len(text)
            yield None if alone else (line, line), document

    def _reach(self, fraction: float) -> None:
        if self._parts:
            self._parts.reach(fraction)

    def _take(self, document: object, lines: tuple[int, int] | None) -> None:
        members = _members(document)
        for number, item in enumerate(members):
            if lines is None and number % _EVERY == 0:  # the file is this one document, which is decoded by now
                self._reach(_DECODED + (1 - _DECODED) * number / len(members))
            try:
                for inside in opened(item):
                    for record in unwrap(inside):
                        self._add(record)
            except (RecordError, RecursionError) as error:
                self._fault(_reason(error), lines)

    def _add(self, record: Mapping[str, object]) -> None:
        self._count += 1
        if self._wanted is None or record in self._wanted:
            self._records.append(json.dumps(record).encode())

    def _fault(self, reason: str, lines: tuple[int, int] | None) -> None:
        self._faults.append(Fault(self._path, reason, lines))


# The first line of the CSV file of an Athena or Lake query, of Logs Insights or of the console's event history.
_TABLE = re.compile(
    r'(?=[^\r\n{\[]*"?\b(?:event_?name|event name|eventjson|message)\b"?(?:[,;\t]|\r?\n))'
    r'"?[@\w. ]+"?(?:(?P<between>[,;\t])"?[@\w. ]*"?(?:(?P=between)"?[@\w. ]*"?)*)?\r?\n',
    re.IGNORECASE,
)


def _members(document: object) -> list[object]:
    """The items of a list of records, each to be unwrapped by itself: one bad item must not hide the next."""
    if isinstance(document, list):
        return document
    if not isinstance(document, Mapping) or "eventName" in document:
        return [document]
    # Digest files and Insights events lie beside log files and hold no records of calls.
    # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
    if "digestStartTime" in document:
        return []
    listed = next((document[key] for key in ("Records", "Events") if isinstance(document.get(key), list)), [document])
    return [item for item in listed if not _is_insight(item)]


def _is_insight(item: object) -> bool:
    return isinstance(item, Mapping) and item.get("eventType") == "AwsCloudTrailInsight" and "eventName" not in item


def _decode_at(text: str, position: int) -> tuple[object, int]:
    """The document that begins here, and where it ends: on this line, or on a later one if this one stops short."""
    begins_line = position == 0 or text[position - 1] == "\n"
    document, end = (_decode_line if begins_line else _DECODER.raw_decode)(text, position)
    after = text.find("\n", end)
    rest = text[end : len(text) if after < 0 else min(after, end + 200)].strip("\r \t\x00")
    # Lines cut out of a list keep their commas.
    if rest == ",":
        return document, text.index(",", end) + 1
    # The columns of filter-log-events as text stand in the order of their names: the time comes after the message.
    if not begins_line and _COLUMN_AFTER.fullmatch(rest):
        return document, len(text) if after < 0 else after
    # `cat` of two log files joins them without a line break.
    if rest and rest[0] not in "{[":
        raise ValueError(f"not JSON: more text after the end of the document: {rest[:40]!r}")
    return document, end


_COLUMN_AFTER = re.compile(r"\d{1,16}")

# `aws logs tail` puts the time and the log stream before each message, filter-log-events as text its own columns.
_PREFIX = re.compile(r"[^\s{\[\"][^\n{]{0,600}?[ \t](?=\{\"event)")


def _past_prefix(text: str, position: int) -> int:
    found = _PREFIX.match(text, position)
    return found.end() if found else position


def _decode_line(text: str, position: int) -> tuple[object, int]:
    """The same, trying the line by itself: its faults are then named by column, and found without the whole text."""
    after = text.find("\n", position)
    line = text[position : len(text) if after < 0 else after].rstrip()
    try:
        document, end = _DECODER.raw_decode(line)
        return document, position + end
    except json.JSONDecodeError as error:
        if after < 0 or error.pos < len(line):
            raise
    return _DECODER.raw_decode(text, position)


def _skip(text: str, position: int) -> int:
    found = _GAP.match(text, position)
    return found.end() if found else position


def _next_document(text: str, position: int) -> int:
    """Where reading can go on after a fault: the next line that begins an object or a list."""
    after = text.find("\n", position)
    found = _NEXT_DOCUMENT.search(text, after) if after >= 0 else None
    return found.start() if found else len(text)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply to read"
    if isinstance(error, json.JSONDecodeError):
        where = f"line {error.lineno} column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        return f"not JSON: {error.msg.removesuffix(' at')} at {where}"
    return str(error)
