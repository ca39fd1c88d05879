"""What an alert says, in the order in which every chat shows it, before any service's markup.

What and how bad, what changed, why, the way back, who and where, the rest. All text has been through ``visible``;
escaping is each destination's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from chalicelib.alert.model import Alert
from chalicelib.destinations.slack_markup import is_console_url
from chalicelib.rendering.facts import Fact, facts
from chalicelib.rendering.lines import (
    alarm_path_sentence,
    call,
    changes_title,
    diff_entries,
    headline,
    outcome_sentence,
    reasons,
    rule_count,
    undo_elsewhere,
    unshowable,
    utc,
    value,
)
from chalicelib.text import clip, number_of, visible


class Link(NamedTuple):
    """Where a button leads: the AWS console, or the runbook that the operator set."""

    label: str
    url: str


class Cut(NamedTuple):
    """How much of each list is shown, how long one text may be, how many lines a fact has."""

    rules: int
    reasons: int
    unknowns: int
    text: int
    command: int
    lines: int


# What a message is cut to until it fits, the roomiest first; the last holds whatever the texts.
CUTS = (
    Cut(60, 20, 10, 600, 6_000, 9),
    Cut(30, 12, 6, 400, 3_000, 9),
    Cut(15, 8, 4, 300, 1_500, 9),
    Cut(8, 4, 2, 200, 800, 6),
    Cut(3, 2, 1, 120, 400, 3),
    Cut(1, 1, 0, 60, 0, 1),
)


class Outline(NamedTuple):
    """An alert's parts in order; ``commands`` is empty where ``undo_note`` says why."""

    headline: str
    lead: tuple[str, ...]
    diff_title: str
    diff: tuple[str, ...]
    why: tuple[str, ...]
    undo_note: str
    commands: tuple[str, ...]
    facts: tuple[Fact, ...]
    unknowns: tuple[str, ...]
    footer: str
    links: tuple[Link, ...]


def outline(alert: Alert, cut: Cut, runbook: str | None = None, forbidden: Mapping[str, str] | None = None) -> Outline:
    """The alert's parts, cut; what was left out is counted.

    ``forbidden`` are texts that a code block of the service cannot hold, each with what it is called.
    """
    note, commands = _undo(alert, cut, forbidden or {})
    return Outline(
        headline=clip(headline(alert), cut.text)[0],
        lead=tuple(clip(text, cut.text)[0] for text in _lead(alert)),
        diff_title=changes_title(alert),
        diff=tuple(_some(diff_entries(alert), rule_count(alert.changes), cut.rules, "more rule", cut.text)),
        why=tuple(_some(reasons(alert), len(alert.exposures), cut.reasons, "more reason", cut.text)),
        undo_note=note,
        commands=commands,
        facts=tuple(_facts(alert, cut)),
        unknowns=tuple(_some(map(_text, alert.unknowns), len(alert.unknowns), cut.unknowns, "more unknown", cut.text)),
        footer=" · ".join(clip(part, 250)[0] for part in (call(alert.event), alarm_path_sentence(alert)) if part),
        links=tuple(_links(alert, runbook)),
    )


def first_fitting(make: Callable[[Cut], bytes], limit: int) -> Cut:
    """The roomiest cut with which what ``make`` gives has at most that many bytes."""
    for cut in CUTS[:-1]:
        if len(make(cut)) <= limit:
            return cut
    return CUTS[-1]


def plain_outline(alert: Alert, limit: int, runbook: str | None = None) -> str:
    """The alert as plain text in at most that many characters, a command whole or not there."""
    cut = first_fitting(lambda each: _plain(outline(alert, each, runbook)).encode(), limit)
    return clip(_plain(outline(alert, cut, runbook)), limit)[0]


def _plain(parts: Outline) -> str:
    blocks = [
        "\n".join([parts.headline, *parts.lead]),
        "\n".join([parts.diff_title, *parts.diff]) if parts.diff else "",
        "\n".join(["Why", *(f"- {item}" for item in parts.why)]) if parts.why else "",
        "\n".join(["Undo", *([parts.undo_note] if parts.undo_note else []), *parts.commands])
        if parts.undo_note or parts.commands
        else "",
        "\n".join(f"{fact.label}: {', '.join(fact.lines)}" for fact in parts.facts),
        "\n".join(["Not known", *(f"- {item}" for item in parts.unknowns)]) if parts.unknowns else "",
        "\n".join([*([parts.footer] if parts.footer else []), *(f"{link.label}: {link.url}" for link in parts.links)]),
    ]
    return "\n\n".join(block for block in blocks if block)


def _lead(alert: Alert) -> Iterator[str]:
    outcome = outcome_sentence(alert.event)
    if outcome:
        yield outcome
    if alert.summary and alert.summary != alert.title:
        yield visible(alert.summary)


def _text(unknown: object) -> str:
    return visible(str(getattr(unknown, "text", unknown)))


def _some(items: Iterable[str], total: int, most: int, noun: str, limit: int) -> Iterator[str]:
    """The first of them, each clipped, and how many more there are."""
    shown = 0
    for item in items:
        if shown == most:
            break
        shown += 1
        yield clip(item, limit)[0]
    if total > shown and shown == most:
        yield f"… and {number_of(total - shown, noun)}"


def _undo(alert: Alert, cut: Cut, forbidden: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    undo = alert.undo
    reason = value(undo.reason, cut.text) if undo.reason else ""
    if undo.commands is None:
        return f"Not known: {reason or 'no reason given'}", ()
    if not undo.commands:
        return "", ()
    hidden = unshowable(undo, forbidden)
    if not hidden and sum(map(len, undo.commands)) > cut.command:
        hidden = "it is too long for this message"
    return (clip(undo_elsewhere(alert, hidden), 400)[0], ()) if hidden else (reason, undo.commands)


def _facts(alert: Alert, cut: Cut) -> Iterator[Fact]:
    for fact in facts(alert):
        yield Fact(fact.label, tuple(clip(line, cut.text)[0] or "—" for line in fact.lines[: cut.lines]))
    if alert.occurred_at:
        yield Fact("When", (utc(alert.occurred_at),))


def _links(alert: Alert, runbook: str | None) -> Iterator[Link]:
    group = alert.security_group.url if alert.security_group else None
    for label, url in (("Open the security group", group), ("Open the CloudTrail event", alert.event.url)):
        if url and is_console_url(url):
            yield Link(label, url)
    if runbook and len(runbook) <= 600:
        yield Link("Open the runbook", runbook)
