"""What a replay found in the objects that it has read, so that one that was interrupted reads only the rest.

JSON Lines: first the groups of events that were looked for, then ``{"object", "count", "records"}`` for each object,
with ``sha256`` where its hash was wanted, too.
Alerts are made of all records in the end, oldest first: names of objects alone would lose those of the first run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from sgwatch.reading import Contents


class ResumeFileError(Exception):
    """A file that is no resume file, or one of another replay."""


class ResumeFile:
    """The file at ``path``, made where there is none; with ``hashes``, an object without its hash is not in it.

    Raises:
        ResumeFileError: it cannot be used; the text says why.
        OSError: it cannot be read or written.
    """

    def __init__(self, path: str, watched: Iterable[str], *, hashes: bool = False) -> None:
        self._places: dict[str, int] = {}
        self._hashes = hashes
        self._end = 0
        head = json.dumps({"watch": sorted(watched)}).encode() + b"\n"
        Path(path).touch()
        self._file = Path(path).open("r+b")  # noqa: SIM115 - closed by __exit__
        try:
            self._read(path, head)
        except (ValueError, TypeError, KeyError):
            raise ResumeFileError(f"{path} is no file that --resume has written") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def __contains__(self, path: str) -> bool:
        return path in self._places

    def contents(self, path: str) -> Contents:
        """What an object held."""
        self._file.seek(self._places[path])
        found = json.loads(self._file.readline())
        records = tuple(record.encode() for record in found["records"])
        return Contents(records, found["count"], path=path, sha256=found.get("sha256"))

    def add(self, path: str, contents: Contents) -> None:
        """Remember what an object held."""
        records = [record.decode() for record in contents.records]
        self._file.seek(self._end)
        line = {"object": path, "count": contents.count, "records": records}
        if contents.sha256:
            line["sha256"] = contents.sha256
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        self._places[path], self._end = self._end, self._file.tell()

    def _read(self, path: str, head: bytes) -> None:
        first = self._file.readline()
        if not first:
            self._file.write(head)
            self._file.flush()
        elif "watch" not in json.loads(first):
            raise KeyError
        elif first != head:
            raise ResumeFileError(f"{path} was written with another --watch: {', '.join(json.loads(first)['watch'])}")
        self._end = self._file.tell()
        while line := self._file.readline():
            if not line.endswith(b"\n"):  # the program ended while it wrote this
                self._file.truncate(self._end)
                return
            found = json.loads(line)
            if "sha256" in found or not self._hashes:
                self._places[found["object"]] = self._end
            self._end += len(line)
