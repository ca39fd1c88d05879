"""An alert as plain text, before any markup and 80 columns wide: what SNS mails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chalicelib.alert.model import Alert
from chalicelib.rendering.facts import Fact
from chalicelib.rendering.lines import headline, rule_count
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
    way_back_elsewhere,
)
from chalicelib.text import clip, fit, number_of, wrap

_UNLIMITED = 10**9
_LABEL = 13


def plain_text(alert: Alert, limit: int | None = None) -> str:
    """The alert in words; with a limit, in at most that many bytes of UTF-8, the cuts said.

    A limit under 16,384 is taken as that: below it there is no room for what always stands there.
    """
    room = _UNLIMITED if limit is None else max(limit, 16_384)
    parts = list(sections(alert))
    # The diff takes the room that the rest leaves.
    texts = ["" if isinstance(part, Diff) else _text(alert, part, room) for part in parts]
    first = _paragraph(clip(headline(alert), room // 32, _size)[0])
    left = room - _size("\n\n".join([first, *texts])) - 200
    said = (_diff(part, left) if isinstance(part, Diff) else text for part, text in zip(parts, texts, strict=True))
    return "\n\n".join([first, *said]) + "\n"


def _text(alert: Alert, part: Section, room: int) -> str:
    match part:
        case Paragraph():
            return _paragraph(clip(part.text, room // 32, _size)[0])
        case Reasons():
            # The alert of a burst has no diff, and a reason for each of its groups.
            return _bullets(part.title, part.items, room // 8 if rule_count(alert.changes) else room // 3)
        case WayBack():
            return _way_back(alert, part, room // 4)
        case Circumstances():
            return "\n".join(line for fact in part.facts for line in _labeled(fact))
        case NotKnown():
            return _bullets(part.title, part.items, room // 8)
        case Links():
            return "\n".join(f"{link.label}\n  {link.url}" for link in part.links if len(link.url) <= 2_000)
        case Diff():
            return _diff(part, room)


def _paragraph(text: str) -> str:
    # Indented, so that no name with spaces in it can begin a line that looks like one of ours.
    return wrap(text, indent="  ", first="")


def _size(text: str) -> int:
    return len(text.encode())


def _diff(part: Diff, room: int) -> str:
    entries = fit((f"  {entry}".replace("\n", "\n  ") for entry in part.entries), room, _size)
    left = part.total - len(entries)
    more = [f"  … and {number_of(left, f'more {part.noun}')}"] if left else []
    return "\n".join([part.title, *entries, *more])


def _bullets(title: str, items: Sequence[str], room: int) -> str:
    shown = fit((wrap(clip(item, 2_000)[0], indent="    ", first="  - ") for item in items), room, _size)
    left = len(items) - len(shown)
    return "\n".join([title, *shown, *([f"  … and {left:,} more"] if left else [])])


def _labeled(fact: Fact) -> Iterator[str]:
    margin = " " * _LABEL
    firsts = [fact.label.ljust(_LABEL), *([margin] * (len(fact.lines) - 1))]
    return (wrap(text, indent=margin, first=first) for first, text in zip(firsts, fact.lines, strict=True))


def _way_back(alert: Alert, part: WayBack, room: int) -> str:
    if sum(_size(command) + 3 for command in part.commands) > room:
        part = way_back_elsewhere(alert, "it is too long for this message")
    note = [wrap(clip(part.note, 2_000)[0], indent="  ", first="  ")] if part.note else []
    return "\n".join([part.title, *note, *(f"  {command}" for command in part.commands)])
