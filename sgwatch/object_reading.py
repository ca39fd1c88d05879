"""The contents of objects that are got by threads and read by other processes, a bounded number of bytes in flight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from sgwatch.bucket_logs import LogObject, ObjectList
from sgwatch.reading import Contents, Fault, Wanted, read_bytes
from sgwatch.resume_file import ResumeFile
from sgwatch.sources import WORTH_PROCESSES, batches
from sgwatch.workers import begin, cores, in_order, pool

# As many as an SDK's client has connections.
_GETS = 10
_BATCHES_AHEAD = 3
_Fetched = tuple[str, bytes | Fault]
GetObject = Callable[[str], bytes | Fault]


def read_objects(
    objects: ObjectList, get: GetObject, wanted: Wanted, done: ResumeFile | None = None
) -> Iterator[Contents]:
    """The contents of each object, those that were read before first; ``get`` is called in threads."""
    if done is None:
        yield from (contents for _, contents in _read(objects, objects.size, get, wanted))
        return
    yield from (done.contents(item.path) for item in objects if item.path in done)
    left = (item for item in objects if item.path not in done)
    for path, contents in _read(left, objects.size, get, wanted):
        if not contents.faults:  # what could not be read is tried again
            done.add(path, contents)
        yield contents


def _read(objects: Iterable[LogObject], size: int, get: GetObject, wanted: Wanted) -> Iterator[tuple[str, Contents]]:
    with ExitStack() as stack:
        read: Callable[[list[_Fetched]], Callable[[], list[tuple[str, Contents]]]]
        if size < WORTH_PROCESSES or cores() < 2:
            read = lambda batch: partial(read_fetched, batch, wanted)  # noqa: E731
        else:
            readers = stack.enter_context(pool(cores()))
            begin(readers, partial(read_fetched, wanted=wanted), [])()  # processes are forked before there are threads
            read = partial(begin, readers, partial(read_fetched, wanted=wanted))
        threads = ThreadPoolExecutor(_GETS)
        stack.callback(threads.shutdown, cancel_futures=True)
        fetched = in_order(batches(objects), partial(_begin_gets, threads, get), _BATCHES_AHEAD)
        for batch in in_order(fetched, read, 2 * cores()):
            yield from batch


def _begin_gets(threads: ThreadPoolExecutor, get: GetObject, paths: tuple[str, ...]) -> Callable[[], list[_Fetched]]:
    gets: list[tuple[str, Future[bytes | Fault]]] = [(path, threads.submit(get, path)) for path in paths]
    return lambda: [(path, future.result()) for path, future in gets]


def read_fetched(batch: list[_Fetched], wanted: Wanted) -> list[tuple[str, Contents]]:
    """The path and the contents of each object of a batch."""
    return [
        (path, Contents(faults=(data,), path=path) if isinstance(data, Fault) else read_bytes(path, data, wanted))
        for path, data in batch
    ]
