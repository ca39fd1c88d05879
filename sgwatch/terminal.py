"""What all commands share of the terminal: complaints and notes on standard error, progress where somebody watches."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from chalicelib.text import visible

if TYPE_CHECKING:
    from rich.console import Console


def note(text: str) -> None:
    """A line for people, on standard error."""
    typer.echo(visible(text), err=True)


def refuse(*complaints: str) -> NoReturn:
    """End with status 2 after these complaints, a sentence each."""
    for complaint in complaints:
        note(f"sgwatch: {complaint}")
    raise typer.Exit(2)


def agreed(question: str, *, err: bool = False) -> bool:
    """Ask for a yes. Without an answer the command ends: with status 1, and with 130 where it was Ctrl-C."""
    try:
        return typer.confirm(question, err=err)
    except typer.Abort as abort:
        if not isinstance(abort.__context__, KeyboardInterrupt):
            note("\nNobody answered; --yes goes on without asking.")
            raise typer.Exit(1) from None
        note("")
        raise typer.Exit(130) from None


def write_what_can_be_written() -> None:
    """Let no character that the terminal's encoding lacks end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def read_in_part() -> Iterator[None]:
    """A reader of standard output may stop early (``sgwatch … | head``): the rest goes nowhere, and nothing fails."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:  # as after ``>&-``
                sys.stdout.flush()
    except BrokenPipeError as error:
        _discard_output()
        if isinstance(error.__context__, typer.Exit):
            raise error.__context__ from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _discard_output()
        refuse(f"standard output could not be written: {error.strerror}")


def _discard_output() -> None:
    # Python flushes again on its way out and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console() -> Console:
    """Standard output for people: nothing is highlighted that was not meant to be."""
    from rich.console import Console  # noqa: PLC0415 - machine output does without

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the program with status 1, which means something here

    return Output(highlight=False)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error that the yielded function moves on by one; nothing where nobody would see it."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - not needed on a pipe
    from rich.progress import Progress  # noqa: PLC0415

    # Redirected, standard output would go to the terminal that standard error is on, also where it is a file.
    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
