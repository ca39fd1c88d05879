"""Simulated time for code that blocks: one thread runs at a time, and time passes while all of them sleep."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from itertools import count

STACK_BYTES = 256 * 1024


class Simulation:
    """Runs tasks in threads of their own; ``sleep`` and ``clock`` are theirs to use."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._handed_back = threading.Semaphore(0)
        self._errors: list[BaseException] = []

    def clock(self) -> float:
        """Seconds since the simulation began."""
        return self._now

    def at(self, moment: float, task: Callable[[], None]) -> None:
        """Begin a task at that moment."""
        self._push(moment, lambda: self._start(task))

    def sleep(self, seconds: float) -> None:
        """Let time pass for the calling task."""
        woken = threading.Semaphore(0)
        self._push(self._now + max(0.0, seconds), woken.release)
        self._handed_back.release()
        assert woken.acquire(timeout=120), "the simulation has ended"

    def run(self) -> None:
        """Run until nothing is left to do; raises what a task raised."""
        while self._due:
            self._now, _, go_on = heapq.heappop(self._due)
            go_on()
            assert self._handed_back.acquire(timeout=120), "a task blocks outside of the simulation"
            if self._errors:
                raise self._errors[0]

    def _push(self, moment: float, go_on: Callable[[], None]) -> None:
        heapq.heappush(self._due, (moment, next(self._order), go_on))

    def _start(self, task: Callable[[], None]) -> None:
        def work() -> None:
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - raised where the simulation runs
                self._errors.append(error)
            self._handed_back.release()

        before = threading.stack_size(STACK_BYTES)
        try:
            threading.Thread(target=work, daemon=True).start()
        finally:
            threading.stack_size(before)
