"""An alert's sections as HTML. Every text goes through ``text``: made visible, then escaped, also inside attributes."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator

from chalicelib.alert.model import Alert
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
from chalicelib.text import visible

_SIGNS = {"+": "added", "-": "removed", "~": "modified", "×": "attempted"}
_NOBODY, _NO_GROUP = "not known", "none"


def text(value: object) -> str:
    """A text that somebody else chose, as HTML."""
    return html.escape(visible(str(value)), quote=True)


def principal_of(alert: Alert) -> str:
    """Who acted, as the list and the filters name them."""
    return visible(alert.principal.name) if alert.principal else _NOBODY


def group_of(alert: Alert) -> str:
    """The security group or resource that an alert is about, as the list and the filters name it."""
    group = alert.security_group
    if group is None or not (group.id or group.name):
        return visible(alert.attachment.resource_id) if alert.attachment else _NO_GROUP
    return visible(group.id or group.name or _NO_GROUP)


def details(alert: Alert) -> str:
    """Everything about an alert below its title, as HTML."""
    return "".join(line for part in sections(alert) for line in _section(part))


def _section(part: Section) -> Iterator[str]:
    match part:
        case Paragraph():
            yield f"<p><strong>{text(part.text)}</strong></p>"
        case Diff():
            entries = (f'<span class="{_SIGNS.get(item[0], "")}">{_lines(item)}</span>' for item in part.entries)
            yield f"<h3>{text(part.title)}</h3><pre>{chr(10).join(entries)}</pre>"
        case Reasons() | NotKnown():
            yield _list(part.title, part.items)
        case WayBack():
            yield from _way_back(part)
        case Circumstances():
            yield f"<dl>{''.join(map(_fact, part.facts))}</dl>"
        case Links():
            for link in part.links:
                if link.url.startswith("https://"):
                    yield f'<p><a href="{text(link.url)}" rel="noopener noreferrer">{link.label}</a></p>'


def _lines(entry: str) -> str:
    return "\n".join(text(line) for line in entry.split("\n"))


def _list(title: str, items: Iterable[str]) -> str:
    listed = "".join(f"<li>{text(item)}</li>" for item in items)
    return f"<h3>{text(title)}</h3><ul>{listed}</ul>" if listed else ""


def _fact(fact: Fact) -> str:
    return f"<dt>{text(fact.label)}</dt><dd>{'<br>'.join(text(line) for line in fact.lines)}</dd>"


def _way_back(part: WayBack) -> Iterator[str]:
    yield f"<h3>{text(part.title)}</h3>"
    if part.note:
        yield f"<p>{text(part.note)}</p>"
    if part.commands:
        yield f"<pre>{html.escape(chr(10).join(part.commands))}</pre>"
