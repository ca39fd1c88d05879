"""An alert as plain text, before any markup and 80 columns wide: what SNS mails and the terminal prints."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.alert.model import Alert
from chalicelib.rendering.facts import facts
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
)
from chalicelib.text import clip, fit, number_of, visible, wrap

_UNLIMITED = 10**9
_LABEL = 13


def plain_text(alert: Alert, limit: int | None = None) -> str:
    """The alert in words; with a limit, in at most that many bytes of UTF-8, the cuts said.

    A limit under 16,384 is taken as that: below it there is no room for what always stands there.
    """
    room = _UNLIMITED if limit is None else max(limit, 16_384)
    opening = [_paragraph(clip(headline(alert), room // 32, _size)[0])]
    if alert.summary and alert.summary != alert.title:
        opening.append(_paragraph(clip(visible(alert.summary), room // 32, _size)[0]))
    outcome = outcome_sentence(alert.event)
    if outcome:
        opening.append(_paragraph(outcome))
    # The alert of a burst has no diff, and a reason for each of its groups.
    why = list(
        _bullets(f"Why {alert.severity}", list(reasons(alert)), room // 8 if rule_count(alert.changes) else room // 3)
    )
    closing = [*_facts(alert), *_undo(alert, room // 4), *_unknowns(alert, room // 8), *_links(alert)]
    used = _size("\n\n".join([*opening, *why, *closing]))
    return "\n\n".join([*opening, *_diff(alert, room - used - 200), *why, *closing]) + "\n"


def _paragraph(text: str) -> str:
    # Indented, so that no name with spaces in it can begin a line that looks like one of ours.
    return wrap(text, indent="  ", first="")


def _size(text: str) -> int:
    return len(text.encode())


def _diff(alert: Alert, room: int) -> Iterator[str]:
    total = rule_count(alert.changes)
    if not total:
        return
    entries = fit((f"  {entry}".replace("\n", "\n  ") for entry in diff_entries(alert)), room, _size)
    left = total - len(entries)
    more = [f"  … and {number_of(left, 'more rule')}"] if left else []
    yield "\n".join([changes_title(alert), *entries, *more])


def _bullets(title: str, items: list[str], room: int) -> Iterator[str]:
    if not items:
        return
    shown = fit((wrap(clip(item, 2_000)[0], indent="    ", first="  - ") for item in items), room, _size)
    left = len(items) - len(shown)
    yield "\n".join([title, *shown, *([f"  … and {left:,} more"] if left else [])])


def _facts(alert: Alert) -> Iterator[str]:
    lines = [line for fact in facts(alert) for line in _labeled(fact.label, fact.lines)]
    if alert.occurred_at:
        lines += _labeled("When", (utc(alert.occurred_at),))
    what = call(alert.event)
    if what:
        lines += _labeled("Call", (what,))
    path = alarm_path_sentence(alert)
    if path:
        lines.append(path)
    if lines:
        yield "\n".join(lines)


def _labeled(label: str, values: tuple[str, ...]) -> list[str]:
    margin = " " * _LABEL
    firsts = [label.ljust(_LABEL), *([margin] * (len(values) - 1))]
    return [wrap(text, indent=margin, first=first) for first, text in zip(firsts, values, strict=True)]


def _undo(alert: Alert, room: int) -> Iterator[str]:
    undo = alert.undo
    reason = clip(visible(undo.reason), 1_000)[0] if undo.reason else None
    if undo.commands is None:
        yield "Undo\n" + wrap(f"Not known: {reason or 'no reason given'}", indent="  ", first="  ")
    if not undo.commands:
        return
    body = "\n".join(f"  {command}" for command in undo.commands)
    hidden = unshowable(undo, {}) or ("it is too long for this message" if _size(body) > room else None)
    shown = wrap(undo_elsewhere(alert, hidden), indent="  ", first="  ") if hidden else body
    yield "\n".join(["Undo", *([wrap(reason, indent="  ", first="  ")] if reason else []), shown])


def _unknowns(alert: Alert, room: int) -> Iterator[str]:
    yield from _bullets("Not known", [visible(item.text) for item in alert.unknowns], room)


def _links(alert: Alert) -> Iterator[str]:
    group = alert.security_group.url if alert.security_group else None
    links = [("Open group", group), ("Open event", alert.event.url)]
    lines = [f"{label.ljust(_LABEL)}{visible(url)}" for label, url in links if url and len(url) <= 2_000]
    if lines:
        yield "\n".join(lines)
