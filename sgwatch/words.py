"""An alert in the words that the terminal and the report share, before either's markup."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.alert.model import Alert
from chalicelib.rendering.facts import Fact, facts
from chalicelib.rendering.lines import (
    alarm_path_sentence,
    call,
    changes_title,
    diff_entries,
    outcome_sentence,
    reasons,
    undo_elsewhere,
    unshowable,
    utc,
)
from chalicelib.text import visible


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of an alert below its title; what there is nothing of is empty.

    ``commands`` are those that undo the change, as they stand; ``undo`` is what is said of them, or in
    their place.
    """

    outcome: str
    changes_title: str
    changes: tuple[str, ...]
    reasons: tuple[str, ...]
    facts: tuple[Fact, ...]
    alarm_path: str
    unknowns: tuple[str, ...]
    undo: str
    commands: tuple[str, ...]


def words_of(alert: Alert) -> Words:
    """The words of an alert; whatever others chose in them is visible."""
    undo, commands = _undo(alert)
    return Words(
        outcome=outcome_sentence(alert.event) or "",
        changes_title=changes_title(alert),
        changes=tuple(diff_entries(alert)),
        reasons=tuple(reasons(alert)),
        facts=_facts(alert),
        alarm_path=alarm_path_sentence(alert) or "",
        unknowns=tuple(visible(item.text) for item in alert.unknowns),
        undo=undo,
        commands=commands,
    )


def _facts(alert: Alert) -> tuple[Fact, ...]:
    called = call(alert.event)
    return (
        *([Fact("When", (utc(alert.occurred_at),))] if alert.occurred_at else []),
        *facts(alert),
        *([Fact("Call", (called,))] if called else []),
    )


def _undo(alert: Alert) -> tuple[str, tuple[str, ...]]:
    undo = alert.undo
    reason = visible(undo.reason) if undo.reason else ""
    if undo.commands is None:
        return f"Undo is not known: {reason or 'no reason given'}", ()
    if not undo.commands:
        return f"Nothing to undo: {reason}" if reason else "", ()
    hidden = unshowable(undo, {})
    return (undo_elsewhere(alert, hidden), ()) if hidden else (reason, tuple(undo.commands))
