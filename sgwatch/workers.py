"""Work in other processes, in order and with a bounded number of tasks in flight.

Processes, since most of its time Python would hold its lock.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.context import BaseContext
from typing import TypeVar

Task = TypeVar("Task")
WorkerResult = TypeVar("WorkerResult")


def cores() -> int:
    """How many processors this process may use."""
    with suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class SharedCount:
    """A number that this process and its workers add to."""

    def __init__(self) -> None:
        self._number = _context().Value("q", 0)

    @property
    def value(self) -> int:
        """The sum of what was added."""
        return int(self._number.value)

    def add(self, more: int) -> None:
        """Add to it, from any of the processes."""
        with self._number.get_lock():
            self._number.value += more


def pool(processes: int, count: SharedCount | None = None) -> ProcessPoolExecutor:
    """Processes that leave interrupts to this one; ``add_to_count`` in them adds to the count."""
    return ProcessPoolExecutor(processes, mp_context=_context(), initializer=_start, initargs=(count,))


def add_to_count(more: int) -> None:
    """Add to the count of the pool that this worker is of, where it has one."""
    if _worker.count is not None:
        _worker.count.add(more)


class _Worker:
    count: SharedCount | None = None


_worker = _Worker()


def _context() -> BaseContext:
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("fork" if "fork" in methods else None)


def _start(count: SharedCount | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(50_000)  # records and alerts hold no cycles
    _worker.count = count


def begin(
    processes: ProcessPoolExecutor, work: Callable[[Task], WorkerResult], task: Task
) -> Callable[[], WorkerResult]:
    """Start the work in a process; what is returned waits for its result.

    Where a process cannot be had, or ended under the work for want of memory, this one does the work itself.
    """
    try:
        future = processes.submit(work, task)
    except (BrokenProcessPool, OSError):
        return lambda: work(task)

    def result() -> WorkerResult:
        try:
            return future.result()
        except BrokenProcessPool:
            return work(task)

    return result


def in_order(
    tasks: Iterable[Task], begin_task: Callable[[Task], Callable[[], WorkerResult]], most: int
) -> Iterator[WorkerResult]:
    """The results in order, with no more than ``most`` tasks begun and not yet taken."""
    waiting: deque[Callable[[], WorkerResult]] = deque()
    for task in tasks:
        waiting.append(begin_task(task))
        if len(waiting) >= most:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()
