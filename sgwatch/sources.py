"""Files of CloudTrail records, found and read on all processors with a bounded number in flight.

However many files there
are, only the watched records are kept, and those on disk once they are more than a little.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Self

from chalicelib.cloudtrail.records import parse_time
from sgwatch.pipe_reading import read_to_end
from sgwatch.reading import Contents, Fault, OnPart, Wanted, read_bytes
from sgwatch.same_record import RecordIdentity, supplemented_by
from sgwatch.workers import SharedCount, add_to_count, begin, cores, in_order, pool

STANDARD_INPUT = "-"
STANDARD_INPUT_NAME = "standard input"
_ENDINGS = frozenset({".json", ".jsonl", ".ndjson", ".log", ".gz", ".csv", ".tsv", ".txt", ".zip", ""})
# Below this much, starting processes takes longer than they save.
WORTH_PROCESSES = 4 * 2**20
_KEPT_IN_MEMORY = 16 * 2**20
# CloudTrail writes many small files; sending one to a process costs as much as reading some ten of them.
_BATCH_BYTES = 2**20
_BATCH_FILES = 256


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files under some paths, the paths that are not there, and how many files are of another kind.

    ``unreadable`` are the folders that could not be looked into.
    """

    files: tuple[str, ...]
    missing: tuple[str, ...]
    passed_over: int
    unreadable: tuple[Fault, ...] = ()


def find_files(paths: Iterable[str]) -> FoundFiles:
    """Every file that is named, and every file of records in the folders that are, in order of name."""
    files: list[str] = []
    missing: list[str] = []
    unreadable: list[Fault] = []
    passed_over = 0
    for path in paths:
        if path == STANDARD_INPUT or Path(path).is_file() or _is_stream(path):
            files.append(path)
        elif Path(path).is_dir():
            logs = [item for item in _listed(path, unreadable) if not is_of_trail(item)]
            wanted = [item for item in logs if may_hold_records(item)]
            files += wanted
            passed_over += len(logs) - len(wanted)
        else:
            missing.append(path)
    return FoundFiles(tuple(dict.fromkeys(files)), tuple(missing), passed_over, tuple(unreadable))


def _listed(folder: str, unreadable: list[Fault]) -> list[str]:
    """The files of a folder and of those in it, in order of name; a link to nothing too, so that reading it says so.

    Texts and not ``Path``: of 20,000 small files, making those takes a third of the time that reading takes.
    """

    def fail(error: OSError) -> None:
        unreadable.append(Fault(str(error.filename), f"cannot be read: {error.strerror or error}"))

    paths = [
        path
        for root, _, names in os.walk(os.fspath(Path(folder)), onerror=fail)
        for path in (os.path.join(root, name).removeprefix(os.curdir + os.sep) for name in names)
        if not _is_special(path)
    ]
    return sorted(paths, key=lambda path: path.split(os.sep))


def _is_special(path: str) -> bool:
    """Whether it is a pipe, a socket or a device."""
    mode = _mode(path)
    return mode is not None and not stat.S_ISREG(mode)


def _is_stream(path: str) -> bool:
    mode = _mode(path)
    return mode is not None and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode))


def _mode(path: str) -> int | None:
    """The kind of file it is and who may do what with it; None where there is none."""
    with suppress(OSError):
        return os.stat(path).st_mode
    return None


def is_of_trail(path: str) -> bool:
    """Digests and Insights: CloudTrail puts them beside the logs, and they are no logs."""
    return "CloudTrail-Digest" in path or "CloudTrail-Insight" in path


def may_hold_records(path: str) -> bool:
    """Whether a file is named like one of records."""
    name = os.path.basename(path)
    return not name.startswith(".") and os.path.splitext(name)[1].lower().rstrip(".") in _ENDINGS


def read_files(
    files: Iterable[str], wanted: Wanted, processes: int | None = None, count: SharedCount | None = None
) -> Iterator[Contents]:
    """The contents of each file in order; ``processes`` is how many may read at once (None: one for each core).

    The bytes that are done are added to ``count``.
    """
    sized = [(path, size_of(path)) for path in files]
    processes = cores() if processes is None else processes
    on_part = count.add if count else None
    if processes < 2 or len(sized) < 2 or sum(size for _, size in sized) < WORTH_PROCESSES:
        yield from (read_file(path, wanted, on_part) for path, _ in sized)
        return
    with pool(processes, count) as readers:
        for read in in_order(batches(sized), lambda paths: _begin(readers, paths, wanted, on_part), 2 * processes):
            yield from read


def batches(sized: Iterable[tuple[str, int]]) -> Iterator[tuple[str, ...]]:
    """The files in order, as many together as make a task worth its sending; what is no file stands alone."""
    batch: list[str] = []
    room = _BATCH_BYTES
    for path, size in sized:
        alone = path == STANDARD_INPUT or _is_stream(path)
        if batch and (alone or size > room or len(batch) == _BATCH_FILES):
            yield tuple(batch)
            batch, room = [], _BATCH_BYTES
        if alone:
            yield (path,)
        else:
            batch.append(path)
            room -= size
    if batch:
        yield tuple(batch)


def read_file(path: str, wanted: Wanted | None, on_part: OnPart | None = None) -> Contents:
    """The contents of one file or, for ``-``, of standard input; all records where ``wanted`` is None."""
    try:
        data = _bytes_of(path)
    except OSError as error:
        return Contents(faults=(Fault(path, f"cannot be read: {error.strerror or error}"),), path=path)
    return read_bytes(STANDARD_INPUT_NAME if path == STANDARD_INPUT else path, data, wanted, on_part)


def _bytes_of(path: str) -> bytes:
    if path == STANDARD_INPUT:
        return _read_standard_input()
    if not _is_stream(path):
        with open(path, "rb") as file:
            return file.read()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return read_to_end(descriptor)
    finally:
        os.close(descriptor)


def _read_standard_input() -> bytes:
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):  # it is no file, as where a program has replaced it
        return sys.stdin.buffer.read()
    return read_to_end(descriptor)


def size_of(path: str) -> int:
    """How many bytes a file has; 0 where that cannot be known."""
    with suppress(OSError):
        return os.stat(path).st_size
    return 0


def read_batch(paths: Iterable[str], wanted: Wanted | None, on_part: OnPart | None = None) -> list[Contents]:
    """The contents of several files, in order."""
    return [read_file(path, wanted, on_part) for path in paths]


def _begin(
    processes: ProcessPoolExecutor, paths: tuple[str, ...], wanted: Wanted, on_part: OnPart | None
) -> Callable[[], list[Contents]]:
    """Start reading files in a process; standard input and pipes are this process's own."""
    if paths[0] == STANDARD_INPUT or _is_stream(paths[0]):
        return lambda: read_batch(paths, wanted, on_part)
    return begin(processes, partial(read_batch, wanted=wanted, on_part=add_to_count if on_part else None), paths)


class Spool:
    """Records put aside and given back oldest first; those without a time last, else in the order they came."""

    def __init__(self) -> None:
        self._file: IO[bytes] = SpooledTemporaryFile(_KEPT_IN_MEMORY)  # noqa: SIM115 - closed by __exit__
        self._index: list[tuple[datetime | None, int, int]] = []
        self._end = 0
        self.supplemented: set[RecordIdentity] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._index)

    def add(self, record: bytes) -> None:
        """Put one record aside, as JSON."""
        parsed = json.loads(record)
        event_time = parse_time(parsed.get("eventTime"))
        if "addendum" in parsed and (identity := supplemented_by(parsed)) is not None:
            self.supplemented.add(identity)
        self._index.append((event_time, self._end, len(record)))
        self._end += self._file.write(record)

    def __iter__(self) -> Iterator[bytes]:
        dated = [item for item in self._index if item[0] is not None]
        undated = [item for item in self._index if item[0] is None]
        for _, position, length in [*sorted(dated), *undated]:
            self._file.seek(position)
            yield self._file.read(length)
