"""An alert on a terminal, for somebody who was just woken by it.

All text goes through ``chalicelib.message_parts``, which makes visible what others chose, and into
``Text`` objects, in which nothing is markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from chalicelib.alerts import Alert, Severity, Undo
from chalicelib.message_parts import (
    alarm_path_sentence,
    call,
    changes_title,
    diff_entries,
    facts,
    outcome_sentence,
    reasons,
    undo_elsewhere,
    unshowable,
    utc,
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
    outcome = outcome_sentence(alert.event)
    if outcome:
        yield from _wrapped(outcome, width, "  ", style="bold magenta")
    entries = list(diff_entries(alert))
    if entries:
        yield Text(f"  {changes_title(alert)}", "bold")
    for entry in entries:
        for line in entry.split("\n"):
            yield from _wrapped(line, width, "      ", "    ", _SIGNS.get(entry[:1], ""))
    yield from _list(f"Why {alert.severity}", reasons(alert), width)
    yield from _facts(alert, width)
    yield from _list("Not known", map(visible, alert.unknowns), width)
    yield from _undo(alert.undo, width)


def _headline(alert: Alert, width: int) -> Iterator[Text]:
    label = f" {alert.severity.upper()} "
    first, *others = wrap(visible(alert.title), width, "  ", f"{label} ").split("\n")
    yield Text.assemble((label, STYLES[alert.severity]), (first[len(label) :], "bold"))
    yield from (Text(line, "bold") for line in others)


def _wrapped(text: str, width: int, indent: str, first: str | None = None, style: str = "") -> Iterator[Text]:
    yield from (Text(line, style) for line in wrap(text, width, indent, first).split("\n"))


def _list(title: str, sentences: Iterable[str], width: int) -> Iterator[Text]:
    listed = list(sentences)
    if listed:
        yield Text(f"  {title}", "bold")
    for sentence in listed:
        yield from _wrapped(sentence, width, "      ", "    - ")


def _facts(alert: Alert, width: int) -> Iterator[Text]:
    told = [(fact.label, " · ".join(fact.lines)) for fact in facts(alert)]
    if alert.occurred_at:
        told.insert(0, ("When", utc(alert.occurred_at)))
    called, path = call(alert.event), alarm_path_sentence(alert)
    if called:
        told.append(("Call", called))
    for label, text in told:
        margin = f"  {label.ljust(_LABEL)}"
        for line in _wrapped(text, width, " " * len(margin), margin):
            line.stylize("bold", 0, len(margin))
            yield line
    if path:
        yield from _wrapped(path, width, "  ")


def _undo(undo: Undo, width: int) -> Iterator[Text]:
    """The commands stand at the margin, each on one line and unstyled, so that they can be copied as they are."""
    hidden = unshowable(undo, {})
    if undo.commands is None:
        heading = f"Undo is not known: {visible(undo.reason or 'no reason given')}"
    elif not undo.commands:
        heading = f"Nothing to undo: {visible(undo.reason)}" if undo.reason else ""
    else:
        reason = f" ({visible(undo.reason)})" if undo.reason else ""
        heading = undo_elsewhere(undo, hidden) if hidden else f"Undo{reason}"
    if heading:
        yield from _wrapped(heading, width, "  ", style="bold" if undo.commands else "")
    if not hidden:
        yield from (Text(command) for command in undo.commands or ())
