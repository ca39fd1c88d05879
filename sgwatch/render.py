"""An alert on a terminal, for somebody who was just woken by it.

All text goes through ``chalicelib.rendering``, which makes visible what others chose, and into ``Text``
objects, in which nothing is markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from chalicelib.alert.model import Alert, Severity
from chalicelib.rendering.facts import Fact
from chalicelib.rendering.sections import (
    Circumstances,
    Diff,
    Links,
    NotKnown,
    Paragraph,
    Reasons,
    Section,
    WayBack,
    sections,
)
from chalicelib.text import visible, wrap

STYLES = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold black on bright_red",
    Severity.MEDIUM: "black on yellow",
    Severity.LOW: "black on cyan",
    Severity.INFO: "black on white",
}
_SIGNS = {"+": "green", "-": "red", "~": "yellow", "×": "magenta"}
# Longer lines than this are hard to read, however wide the window is.
_READABLE = 110
_LABEL = len("Attached to") + 2


def show(console: Console, alert: Alert) -> None:
    """Print one alert, with an empty line behind it."""
    for line in lines(alert, min(console.width, _READABLE)):
        console.print(line, soft_wrap=True)
    console.print()


def lines(alert: Alert, width: int) -> Iterator[Text]:
    """The alert line by line; undo commands alone may be wider, since broken they could not be pasted."""
    yield from _headline(alert, width)
    for part in sections(alert):
        yield from _section(part, width)


def _section(part: Section, width: int) -> Iterator[Text]:
    match part:
        case Paragraph():
            yield from _wrapped(part.text, width, "  ", style="bold")
        case Diff():
            yield Text(f"  {part.title}", "bold")
            yield from _entries(part.entries, width)
        case Reasons() | NotKnown():
            yield from _list(part.title, part.items, width)
        case WayBack():
            yield from _way_back(part, width)
        case Circumstances():
            yield from _facts(part.facts, width)
        case Links():
            return  # a terminal is no place for them


def _headline(alert: Alert, width: int) -> Iterator[Text]:
    label = f" {alert.severity.upper()} "
    first, *others = wrap(visible(alert.title), width, "  ", f"{label} ").split("\n")
    yield Text.assemble((label, STYLES[alert.severity]), (first[len(label) :], "bold"))
    yield from (Text(line, "bold") for line in others)


def _wrapped(text: str, width: int, indent: str, first: str | None = None, style: str = "") -> Iterator[Text]:
    yield from (Text(line, style) for line in wrap(text, width, indent, first).split("\n"))


def _entries(entries: Iterable[str], width: int) -> Iterator[Text]:
    for entry in entries:
        for line in entry.split("\n"):
            yield from _wrapped(line, width, "      ", "    ", _SIGNS.get(entry[:1], ""))


def _list(title: str, sentences: Sequence[str], width: int) -> Iterator[Text]:
    yield Text(f"  {title}", "bold")
    for sentence in sentences:
        yield from _wrapped(sentence, width, "      ", "    - ")


def _facts(facts: Iterable[Fact], width: int) -> Iterator[Text]:
    for fact in facts:
        margin = f"  {fact.label.ljust(_LABEL)}"
        for line in _wrapped(" · ".join(fact.lines), width, " " * len(margin), margin):
            line.stylize("bold", 0, len(margin))
            yield line


def _way_back(part: WayBack, width: int) -> Iterator[Text]:
    """The commands stand at the margin, each on one line and unstyled, so that they can be copied as they are."""
    yield Text(f"  {part.title}", "bold")
    if part.note:
        yield from _wrapped(part.note, width, "    ")
    yield from (Text(command) for command in part.commands)
