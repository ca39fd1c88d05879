"""What an alert says, in the order in which every chat shows it, before any service's markup.

What and how bad, what changed, why, the way back, who and where, the rest. All text has been through ``visible``;
escaping is each destination's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from chalicelib.alert.model import Alert
from chalicelib.destinations.slack_markup import is_console_url
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.facts import Fact
from chalicelib.rendering.lines import headline, unshowable
from chalicelib.rendering.sections import (
    Circumstances,
    Diff,
    Link,
    Links,
    NotKnown,
    Paragraph,
    Reasons,
    WayBack,
    sections,
    way_back_elsewhere,
)
from chalicelib.text import clip, number_of


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
    """An alert's sections (rendering/sections.py), cut; empty where there is nothing to say."""

    headline: str
    lead: tuple[str, ...] = ()
    diff_title: str = ""
    diff: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    undo_title: str = ""
    undo_note: str = ""
    commands: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    unknowns: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


def outline(alert: Alert, cut: Cut, runbook: str | None = None, forbidden: Mapping[str, str] | None = None) -> Outline:
    """The alert's parts, cut; what was left out is counted.

    ``forbidden`` are texts that a code block of the service cannot hold, each with what it is called.
    """
    parts = Outline(clip(headline(alert), cut.text)[0])
    for section in sections(alert):
        match section:
            case Paragraph(text):
                parts = parts._replace(lead=(*parts.lead, clip(text, cut.text)[0]))
            case Diff(title, entries, total):
                parts = parts._replace(diff_title=title, diff=_some(entries, total, cut.rules, "more rule", cut.text))
            case Reasons(_, items):
                parts = parts._replace(why=_some(items, len(items), cut.reasons, "more reason", cut.text))
            case WayBack():
                title, note, commands = _way_back(alert, section, cut, forbidden or {})
                parts = parts._replace(undo_title=title, undo_note=clip(note, 400)[0], commands=commands)
            case Circumstances(facts):
                parts = parts._replace(facts=tuple(_cut_fact(fact, cut) for fact in facts))
            case NotKnown(_, items):
                parts = parts._replace(unknowns=_some(items, len(items), cut.unknowns, "more unknown", cut.text))
            case Links(links):
                parts = parts._replace(links=tuple(link for link in links if is_console_url(link.url)))
    if runbook and len(runbook) <= 600:
        parts = parts._replace(links=(*parts.links, Link("Open the runbook", runbook)))
    return parts


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
    undo = [*([parts.undo_note] if parts.undo_note else []), *parts.commands]
    blocks = [
        "\n".join([parts.headline, *parts.lead]),
        "\n".join([parts.diff_title, *parts.diff]) if parts.diff else "",
        "\n".join(["Why", *(f"- {item}" for item in parts.why)]) if parts.why else "",
        "\n".join([parts.undo_title, *undo]) if undo else "",
        "\n".join(f"{fact.label}: {', '.join(fact.lines)}" for fact in parts.facts),
        "\n".join(["Not known", *(f"- {item}" for item in parts.unknowns)]) if parts.unknowns else "",
        "\n".join(f"{link.label}: {link.url}" for link in parts.links),
    ]
    return "\n\n".join(block for block in blocks if block)


def _some(items: Iterable[str], total: int, most: int, noun: str, limit: int) -> tuple[str, ...]:
    """The first of them, each clipped, and how many more there are."""
    shown = list(_first(items, most, limit))
    more = [f"… and {number_of(total - len(shown), noun)}"] if total > len(shown) else []
    return (*shown, *more)


def _first(items: Iterable[str], most: int, limit: int) -> Iterator[str]:
    for position, item in enumerate(items):
        if position == most:
            return
        yield clip(item, limit)[0]


def _way_back(alert: Alert, section: WayBack, cut: Cut, forbidden: Mapping[str, str]) -> WayBack:
    """The commands whole, or the sentence in their place."""
    hidden = unshowable(alert.undo, forbidden) if section.commands else None
    if section.commands and not hidden and sum(map(len, section.commands)) > cut.command:
        hidden = "it is too long for this message"
    return way_back_elsewhere(alert, hidden) if hidden else section


def _cut_fact(fact: Fact, cut: Cut) -> Fact:
    return Fact(fact.label, tuple(clip(line, cut.text)[0] or "—" for line in fact.lines[: cut.lines]))
