"""The contents of objects that are got by threads and read by other processes, a bounded number of bytes in flight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from sgwatch.bucket_logs import LogObject, ObjectList
from sgwatch.reading import Contents, Fault, OnPart, Wanted, read_bytes
from sgwatch.resume_file import ResumeFile
from sgwatch.sources import WORTH_PROCESSES, batches
from sgwatch.workers import SharedCount, add_to_count, begin, cores, in_order, pool

# As many as an SDK's client has connections.
_GETS = 10
_BATCHES_AHEAD = 3
_Fetched = tuple[str, bytes | Fault]
GetObject = Callable[[str], bytes | Fault]


def read_objects(
    objects: ObjectList,
    get: GetObject,
    wanted: Wanted,
    done: ResumeFile | None = None,
    count: SharedCount | None = None,
) -> Iterator[Contents]:
    """The contents of each object, those that were read before first; ``get`` is called in threads.

    The bytes that are done are added to ``count``.
    """
    if done is None:
        yield from (contents for _, contents in _read(objects, objects.size, get, wanted, count))
        return
    for item in objects:
        if item.path in done:
            if count:
                count.add(item.size)
            yield done.contents(item.path)
    left = (item for item in objects if item.path not in done)
    for path, contents in _read(left, objects.size, get, wanted, count):
        if not contents.faults:  # what could not be read is tried again
            done.add(path, contents)
        yield contents


def _read(
    objects: Iterable[LogObject], size: int, get: GetObject, wanted: Wanted, count: SharedCount | None
) -> Iterator[tuple[str, Contents]]:
    with ExitStack() as stack:
        read: Callable[[list[_Fetched]], Callable[[], list[tuple[str, Contents]]]]
        if size < WORTH_PROCESSES or cores() < 2:
            read = lambda batch: partial(read_fetched, batch, wanted, count.add if count else None)  # noqa: E731
        else:
            readers = stack.enter_context(pool(cores(), count))
            work = partial(read_fetched, wanted=wanted, on_part=add_to_count if count else None)
            begin(readers, work, [])()  # processes are forked before there are threads
            read = partial(begin, readers, work)
        threads = ThreadPoolExecutor(_GETS)
        stack.callback(threads.shutdown, cancel_futures=True)
        fetched = in_order(batches(objects), partial(_begin_gets, threads, get), _BATCHES_AHEAD)
        for batch in in_order(fetched, read, 2 * cores()):
            yield from batch


def _begin_gets(threads: ThreadPoolExecutor, get: GetObject, paths: tuple[str, ...]) -> Callable[[], list[_Fetched]]:
    gets: list[tuple[str, Future[bytes | Fault]]] = [(path, threads.submit(get, path)) for path in paths]
    return lambda: [(path, future.result()) for path, future in gets]


def read_fetched(batch: list[_Fetched], wanted: Wanted, on_part: OnPart | None = None) -> list[tuple[str, Contents]]:
    """The path and the contents of each object of a batch."""
    return [
        (
            path,
            Contents(faults=(data,), path=path) if isinstance(data, Fault) else read_bytes(path, data, wanted, on_part),
        )
        for path, data in batch
    ]
