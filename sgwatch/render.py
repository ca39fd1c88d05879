"""An alert on a terminal, for somebody who was just woken by it.

All text goes through ``chalicelib.rendering.lines`` and ``message_facts``, which make visible what
others chose, and into ``Text`` objects, in which nothing is markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from chalicelib.alert.model import Alert, Severity
from chalicelib.rendering.facts import Fact
from chalicelib.text import visible, wrap
from sgwatch.words import Words, words_of

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
    words = words_of(alert)
    yield from _headline(alert, width)
    if words.outcome:
        yield from _wrapped(words.outcome, width, "  ", style="bold magenta")
    if words.changes:
        yield Text(f"  {words.changes_title}", "bold")
    for entry in words.changes:
        for line in entry.split("\n"):
            yield from _wrapped(line, width, "      ", "    ", _SIGNS.get(entry[:1], ""))
    yield from _list(f"Why {alert.severity}", words.reasons, width)
    yield from _facts(words.facts, width)
    if words.alarm_path:
        yield from _wrapped(words.alarm_path, width, "  ")
    yield from _list("Not known", words.unknowns, width)
    yield from _undo(words, width)


def _headline(alert: Alert, width: int) -> Iterator[Text]:
    label = f" {alert.severity.upper()} "
    first, *others = wrap(visible(alert.title), width, "  ", f"{label} ").split("\n")
    yield Text.assemble((label, STYLES[alert.severity]), (first[len(label) :], "bold"))
    yield from (Text(line, "bold") for line in others)


def _wrapped(text: str, width: int, indent: str, first: str | None = None, style: str = "") -> Iterator[Text]:
    yield from (Text(line, style) for line in wrap(text, width, indent, first).split("\n"))


def _list(title: str, sentences: Sequence[str], width: int) -> Iterator[Text]:
    if sentences:
        yield Text(f"  {title}", "bold")
    for sentence in sentences:
        yield from _wrapped(sentence, width, "      ", "    - ")


def _facts(facts: Iterable[Fact], width: int) -> Iterator[Text]:
    for fact in facts:
        margin = f"  {fact.label.ljust(_LABEL)}"
        for line in _wrapped(" · ".join(fact.lines), width, " " * len(margin), margin):
            line.stylize("bold", 0, len(margin))
            yield line


def _undo(words: Words, width: int) -> Iterator[Text]:
    """The commands stand at the margin, each on one line and unstyled, so that they can be copied as they are."""
    heading = words.undo
    if words.commands:
        heading = f"Undo ({words.undo})" if words.undo else "Undo"
    if heading:
        yield from _wrapped(heading, width, "  ", style="bold" if words.commands else "")
    yield from (Text(command) for command in words.commands)
