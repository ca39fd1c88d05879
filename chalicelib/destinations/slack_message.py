"""An alert as a message of Slack, the same for a webhook and a bot.

The limits of a message are kept by weight (see slack_markup.weight), which is never under what Slack
counts: https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

from chalicelib.alert.model import Alert, Severity
from chalicelib.destinations.slack_markup import (
    MAX_TEXT,
    Block,
    button,
    code,
    code_block,
    date,
    header,
    in_code,
    is_console_url,
    is_mention,
    mrkdwn,
    mute,
    plain,
    section,
    shortened,
    weight,
)
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.facts import Fact
from chalicelib.rendering.lines import headline, is_closing, unshowable
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
from chalicelib.security_groups.phrases import printable
from chalicelib.text import clip, fit, number_of, visible

MAX_WEIGHT = 9_400
_MAX_FIELDS = 10

_ICONS = {
    Severity.CRITICAL: "🔴",
    Severity.HIGH: "🟠",
    Severity.MEDIUM: "🟡",
    Severity.LOW: "🔵",
    Severity.INFO: "⚪",
}
_CLOSING_ICON = "🟢"


class Presentation(NamedTuple):
    """What a message has besides its alert: a runbook's link, and whom it notifies in Slack's own notation."""

    runbook: str | None = None
    mention: str = ""


PLAIN = Presentation()


def payload(alert: Alert, presentation: Presentation = PLAIN) -> dict[str, Any]:
    """The message: what matters in the first line, then as much of the rest as Slack takes."""
    mention, runbook = presentation.mention, presentation.runbook
    opening = [header(_first_line(alert)), *([section(mrkdwn(mention))] if mention else [])]
    text = shortened(_notification(alert), 400)
    closing = [{"type": "actions", "elements": [button("Open the runbook", runbook)]}] if runbook else []
    parts = list(sections(alert))
    is_alone = not any(isinstance(part, Diff) for part in parts)
    built: list[list[Block]] = [[] for _ in parts]

    def message() -> dict[str, Any]:
        blocks = [*opening, *chain.from_iterable(built), *closing]
        return {"text": f"{mention} {text}" if mention else text, "blocks": blocks}

    for place, part in enumerate(parts):
        if not isinstance(part, _FITTED):
            built[place] = list(_section(alert, part, 0, is_alone=is_alone))
    left, latest = MAX_WEIGHT - len(json.dumps(message())), list[Block]()
    fitted = [place for place, part in enumerate(parts) if isinstance(part, _FITTED)]
    for place in sorted(fitted, key=lambda place: _FITTED.index(type(parts[place]))):
        left -= sum(len(json.dumps(block)) + 2 for block in latest)
        latest = built[place] = list(_section(alert, parts[place], left, is_alone=is_alone))
    return message()


class Mentions(NamedTuple):
    """Whom to notify: from a severity on, and the owners of groups by the names in their tags."""

    everybody: str = ""
    severity: Severity = Severity.CRITICAL
    owners: Mapping[str, str] = MappingProxyType({})

    def of(self, alert: Alert) -> str:
        """The mention that belongs to an alert, empty where none does."""
        if alert.severity.rank < self.severity.rank:
            return ""
        owner = alert.security_group.owner if alert.security_group else None
        found = [self.everybody, self.owners.get(owner.lower(), "") if owner else ""]
        return " ".join(dict.fromkeys(item for item in found if item))


def parse_owner_mentions(text: str) -> dict[str, str]:
    """``team-web=<!subteam^S0123456789>`` with commas between, by the owner's name in lower case.

    Raises:
        ValueError: it is not that.
    """
    found = {}
    for part in text.split(","):
        owner, _, mention = part.strip().partition("=")
        if not owner.strip() or not is_mention(mention.strip()):
            raise ValueError(f'"{part.strip()}" is not an owner, = and a mention such as <!subteam^S0123456789>')
        found[owner.strip().lower()] = mention.strip()
    return found


# What is as long as there is room for after the rest; what stands first has the first claim on it.
_FITTED = (NotKnown, Reasons, Diff, WayBack)


def _section(alert: Alert, part: Section, left: int, *, is_alone: bool) -> Iterator[Block]:
    """The blocks of a section; what has to stay free is for those that come later, and for the frame of this one."""
    match part:
        case Paragraph():
            yield section(plain(part.text, 600))
        case Circumstances():
            yield from _facts(part.facts)
        case Links():
            yield from _buttons(part)
        case NotKnown():
            yield from _list(part.title, part.items, min(600, left - 2_400))
        case Reasons():
            shown = (
                _why_alone(part, left - 700) if is_alone else _list(part.title, part.items, min(1_100, left - 1_800))
            )
            yield from shown
        case Diff():
            yield from _diff(part, min(2_900, left - 700))
        case WayBack():
            yield from _way_back(alert, part, min(2_900, left - 150))


# What one line of the rest takes where there are many: a group's id, a comma, and part of its name.
_BRIEF = 24


def _first_line(alert: Alert) -> str:
    icon = _CLOSING_ICON if is_closing(alert) else _ICONS[alert.severity]
    return f"{icon} {headline(alert)}"


def _notification(alert: Alert) -> str:
    """What a phone's lock screen and a screen reader get: the fallback ``text``."""
    # The fallback text is mrkdwn too, and has nothing to hide code in.
    text = mute(plain_notification(alert))
    for sign, drawn_alike in _NO_MARKUP.items():
        text = text.replace(sign, drawn_alike)
    return text


def plain_notification(alert: Alert) -> str:
    """The first line, who and where, without markup."""
    name = alert.principal.name if alert.principal else None
    who = [f"by {visible(name)}"] if name and not _ends_with(alert.title, name) else []
    where = [visible(item) for item in (alert.account.name or alert.account.id, alert.region) if item]
    return " · ".join([clip(_first_line(alert), 200, weight)[0], *who, *where])


def _ends_with(title: str, name: str) -> bool:
    """Whether a title says at its end who it was; elsewhere in it others may have put a name."""
    shown = printable(name, 60)
    return title.endswith((f" by {shown}", f" by {shown})", f"(by {shown})"))


_NO_MARKUP = {"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ"}


def _facts(facts: Iterable[Fact]) -> Iterator[Block]:
    fields = [mrkdwn("\n".join([f"*{fact.label}*", *_fact_lines(fact)])) for fact in facts]
    for start in range(0, len(fields), _MAX_FIELDS):
        yield {"type": "section", "fields": fields[start : start + _MAX_FIELDS]}


def _fact_lines(fact: Fact) -> list[str]:
    return [date(fact.moment)] if fact.moment else [code(line, 140) for line in fact.lines]


def _diff(part: Diff, room: int) -> Iterator[Block]:
    each = max(room // 3, 100)
    entries = fit((clip(in_code(entry), each, weight)[0] for entry in part.entries), room, weight)
    left = part.total - len(entries)
    more = f"\n… and {number_of(left, f'more {part.noun}')}" if left else ""
    yield section(mrkdwn(f"*{part.title}*\n{code_block(entries)}{more}"))


def _why_alone(part: Reasons, room: int) -> Iterator[Block]:
    """Without a diff beside it: as many sentences as there is room for, and how the others begin.

    In the alert of a burst each begins with the id of its group.
    """
    sentences = [mute(item) for item in part.items]
    room -= 400
    each = min(100, max(_BRIEF, room // len(sentences))) - 2
    names = [clip(sentence, each, weight)[0] for sentence in sentences]
    lines = [f"• {clip(sentence, 1_000, weight)[0]}" for sentence in sentences]
    spare = room - sum(weight(name) + 2 for name in names)
    whole = 0
    while whole < len(lines) and (spare := spare - weight(lines[whole]) + weight(names[whole])) >= 0:
        whole += 1
    shown = fit(names[whole:], room, weight)
    yield from _sections([f"{part.title}:", *lines[:whole]], "\n")
    if shown:
        yield from _sections(["And " + shown[0], *shown[1:]], ", ")
    left = len(names) - whole - len(shown)
    if left:
        yield section(plain(f"… and {left:,} more", 100))


def _sections(pieces: list[str], joint: str) -> Iterator[Block]:
    """The pieces one after the other, in as many paragraphs as Slack's limit asks for."""
    text = ""
    for piece in pieces:
        longer = f"{text}{joint}{piece}" if text else piece
        if weight(longer) > MAX_TEXT - 100:
            yield section(plain(text, MAX_TEXT))
            longer = piece
        text = longer
    yield section(plain(text, MAX_TEXT))


def _list(title: str, items: Sequence[str], room: int) -> Iterator[Block]:
    each = max(room // 3, 60)
    shown = fit((f"• {clip(mute(item), each, weight)[0]}" for item in items), room - 80, weight)
    left = len(items) - len(shown)
    yield section(plain("\n".join([f"{title}:", *shown, *([f"… and {left:,} more"] if left else [])]), room))


def _way_back(alert: Alert, part: WayBack, room: int) -> Iterator[Block]:
    size = sum(weight(command) + 2 for command in part.commands)
    hidden = unshowable(alert.undo, {"```": "a code fence"}) if part.commands else None
    if not hidden and size > room - weight(part.note) - 60:
        hidden = f"too long for Slack ({size:,} characters)"
    if part.commands and hidden:
        part = way_back_elsewhere(alert, hidden)
    if not part.commands:
        yield section(plain(f"{part.title}: {part.note}", max(room, 200)))
        return
    if part.note:
        yield section(plain(f"{part.title}: {part.note}", min(room, 1_000)))
        yield section(mrkdwn(code_block(part.commands)))
    else:
        yield section(mrkdwn(f"*{part.title}*\n{code_block(part.commands)}"))


def _buttons(part: Links) -> Iterator[Block]:
    buttons = [button(link.label, link.url) for link in part.links if is_console_url(link.url)]
    if buttons:
        yield {"type": "actions", "elements": buttons}
