"""Gzip data and zip archives unpacked within a bound: a small file can say that it holds gigabytes."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator

from isal import isal_zlib

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
# CloudTrail's log files come to some 30 times their packed size, and a bomb of zeros to a thousand times.
_MOST_TIMES = 100
_ALWAYS_ALLOWED = 64 * 2**20
_ISAL_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment] # its stub says an exception, not a class


class DamagedError(Exception):
    """Gzip data that is not whole, or too much; ``sound`` is what its members before that hold."""

    def __init__(self, reason: str, sound: bytes = b"") -> None:
        super().__init__(reason)
        self.sound = sound


def unpack(data: bytes) -> bytes:
    """All members of gzip data, in about a quarter of the time that ``gzip.decompress`` takes; other data as it is.

    Raises:
        DamagedError: it ends too early, fails its checksum, holds too much, or something else follows it.
    """
    if not data.startswith(GZIP):
        return data
    members: list[bytes] = []
    left = max(_ALWAYS_ALLOWED, _MOST_TIMES * len(data))
    try:
        while data.startswith(GZIP):
            member, data = _unpack_member(data, left)
            left -= len(member)
            members.append(member)
    except (EOFError, _ISAL_ERROR) as error:
        raise DamagedError(str(error), b"".join(members)) from error
    if data.strip(b"\x00"):
        raise DamagedError("something else follows it", b"".join(members))
    return members[0] if len(members) == 1 else b"".join(members)


def unzip(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of each file in a zip archive, an archive inside it left out.

    Raises:
        DamagedError: it is not whole, locked, or holds too much.
    """
    left = max(_ALWAYS_ALLOWED, _MOST_TIMES * len(data))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for item in archive.infolist():
                with archive.open(item) as member:
                    content = member.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise DamagedError("it unpacks to far more than log files do")
                if not item.is_dir() and not content.startswith(ZIP):
                    yield item.filename, content
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DamagedError(str(error)) from error


def _unpack_member(data: bytes, left: int) -> tuple[bytes, bytes]:
    """The first member, unpacked, and what follows it."""
    # A file ends with its last member's size, and nearly every file has one member. Where that is too little,
    # several times the packed size keeps the rounds few.
    most = max(int.from_bytes(data[-4:], "little"), 4 * len(data), 65_536)
    member = isal_zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    while True:
        part = member.decompress(data, min(most, left + 1))
        parts.append(part)
        left -= len(part)
        if left < 0:
            raise EOFError("it unpacks to far more than a log file does")
        if member.eof:
            break
        data = member.unconsumed_tail
        if not (part or data):
            raise EOFError("it ends too early")
    return parts[0] if len(parts) == 1 else b"".join(parts), member.unused_data
