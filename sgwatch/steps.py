"""How far a long command is: one bar after the other on standard error, drawn only where somebody sees it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, TypeVar

from sgwatch.workers import SharedCount

if TYPE_CHECKING:
    from rich.progress import Progress

StepItem = TypeVar("StepItem")
_SECONDS = 0.2


class Steps:
    """Nothing is drawn: standard error is no terminal. ``count`` is what readers add bytes to, None for nobody."""

    count: SharedCount | None = None

    def begin(self, what: str, total: int, *, in_bytes: bool = False) -> None:
        """The next step, of so many things; with ``in_bytes`` they are added to ``count``."""

    def advance(self, by: int = 1) -> None:
        """So many more things of this step are done."""

    def end(self) -> None:
        """There is nothing more to draw."""

    def each(self, items: Iterable[StepItem]) -> Iterator[StepItem]:
        """The items, each one more that is done."""
        for item in items:
            yield item
            self.advance()


NO_STEPS = Steps()


class _Drawn(Steps):
    """A bar of rich's; with ``only_one`` the steps behind the first draw none, as they print to the same terminal."""

    def __init__(self, *, only_one: bool) -> None:
        self.count = SharedCount()
        self._only_one = only_one
        self._bar: Progress | None = None
        self._begun = 0
        self._polled: threading.Event | None = None

    def begin(self, what: str, total: int, *, in_bytes: bool = False) -> None:
        self.end()
        self._begun += 1
        if self._only_one and self._begun > 1:
            return
        self._bar = _bar(in_bytes=in_bytes)
        task = self._bar.add_task(what, total=total)
        self._bar.start()
        if in_bytes:
            self._polled = threading.Event()
            threading.Thread(target=_poll, args=(self._bar, task, self.count, self._polled), daemon=True).start()

    def advance(self, by: int = 1) -> None:
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], by)

    def end(self) -> None:
        if self._polled is not None:
            self._polled.set()
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._polled = None


def _bar(*, in_bytes: bool) -> Progress:
    from rich import progress  # noqa: PLC0415 - not needed on a pipe
    from rich.console import Console  # noqa: PLC0415

    columns: list[progress.ProgressColumn] = [progress.TextColumn("{task.description}"), progress.BarColumn()]
    if in_bytes:
        columns += [progress.DownloadColumn(), progress.TransferSpeedColumn()]
    else:
        columns += [progress.MofNCompleteColumn()]
    columns += [progress.TimeRemainingColumn(elapsed_when_finished=True)]
    # Redirected, standard output would go to the terminal that standard error is on, also where it is a file.
    return progress.Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)


def _poll(bar: Progress, task: int, count: SharedCount, over: threading.Event) -> None:
    from rich.progress import TaskID  # noqa: PLC0415 - not needed on a pipe

    while not over.wait(_SECONDS):
        bar.update(TaskID(task), completed=count.value)


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether somebody sees what is written there; None, as after ``>&-``, is nowhere."""
    return stream is not None and stream.isatty()


@contextmanager
def steps(*, only_one: bool = False) -> Iterator[Steps]:
    """The bars of a command, one after the other."""
    drawn = _Drawn(only_one=only_one) if is_terminal(sys.stderr) else NO_STEPS
    try:
        yield drawn
    finally:
        drawn.end()
