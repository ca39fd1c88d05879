"""The report's HTML. Every text goes through ``_text``: made visible, then escaped, also inside attributes."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from chalicelib.alert.model import Alert, Severity
from chalicelib.rendering.facts import Fact
from chalicelib.rendering.lines import utc
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
from sgwatch.report.assets import POLICY, SCRIPT, STYLE
from sgwatch.report.chart import timeline

_SIGNS = {"+": "added", "-": "removed", "~": "modified", "×": "attempted"}
_NOBODY, _NO_GROUP = "not known", "none"


def page(alerts: Sequence[Alert]) -> str:
    """The whole page, with the alerts in the order given."""
    body = "".join(
        [
            _header(alerts),
            f'<h2>When</h2><div class="chart">{timeline(alerts)}</div>' if timeline(alerts) else "",
            '<div class="tables">',
            _table("Principals", "principal", alerts, _principal),
            _table("Security groups", "group", alerts, _group),
            '</div><h2 id="alerts">Alerts</h2>',
            _filters(alerts),
            *(_alert(alert) for alert in alerts),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>Security group changes</title><style>{STYLE}</style></head>\n<body>{body}"
        f"<script>{SCRIPT}</script></body></html>"
    )


def _text(value: object) -> str:
    return html.escape(visible(str(value)), quote=True)


def _principal(alert: Alert) -> str:
    return alert.principal.name if alert.principal else _NOBODY


def _group(alert: Alert) -> str:
    group = alert.security_group
    if group is None or not (group.id or group.name):
        return alert.attachment.resource_id if alert.attachment else _NO_GROUP
    return group.id or group.name or _NO_GROUP


def _header(alerts: Sequence[Alert]) -> str:
    times = sorted(alert.occurred_at for alert in alerts if alert.occurred_at)
    period = f"{utc(times[0])} to {utc(times[-1])}" if times else "no times in the records"
    counts = Counter(alert.severity for alert in alerts)
    listed = "".join(
        f'<li class="{item}"><span class="badge {item}">{item}</span> {counts[item]:,}</li>'
        for item in reversed(Severity)
    )
    made = f"{len(alerts):,} alert{'' if len(alerts) == 1 else 's'}"
    return f'<h1>Security group changes</h1><p class="soft">{made}, {period}</p><ul class="counts">{listed}</ul>'


def _table(title: str, name: str, alerts: Iterable[Alert], key: Callable[[Alert], str]) -> str:
    grouped: dict[str, list[Alert]] = {}
    for alert in alerts:
        grouped.setdefault(key(alert), []).append(alert)
    worst_first = sorted(grouped.items(), key=lambda item: _badness(item[1]), reverse=True)
    rows = "".join(_row(name, value, listed) for value, listed in worst_first)
    head = (
        '<th scope="col">Name</th><th scope="col">Worst</th><th scope="col" class="number">Alerts</th>'
        '<th scope="col" class="time">Last</th>'
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<section><h2>{title}</h2><div class="rows">{table}</div></section>'


def _badness(alerts: list[Alert]) -> tuple[int, ...]:
    counts = Counter(alert.severity for alert in alerts)
    return tuple(counts[item] for item in reversed(Severity))


def _row(name: str, value: str, alerts: list[Alert]) -> str:
    worst = max((alert.severity for alert in alerts), key=lambda item: item.rank)
    last = max((alert.occurred_at for alert in alerts if alert.occurred_at), default=None)
    button = f'<button type="button" data-filter="{name}" value="{_text(value)}">{_text(value)}</button>'
    return (
        f'<tr><td>{button}</td><td><span class="badge {worst}">{worst}</span></td>'
        f'<td class="number">{len(alerts):,}</td><td class="time">{f"{last:%Y-%m-%d %H:%M}" if last else ""}</td></tr>'
    )


def _filters(alerts: Sequence[Alert]) -> str:
    severities = "".join(f'<option value="{item}">{item} and worse</option>' for item in list(Severity)[1:])
    return (
        "<form hidden>"
        f'<label>Severity<select name="severity"><option value="info">all</option>{severities}</select></label>'
        f'<label>Principal<select name="principal">{_options(map(_principal, alerts))}</select></label>'
        f'<label>Security group<select name="group">{_options(map(_group, alerts))}</select></label>'
        '<label>Text<input name="text" type="search"></label><button type="reset">Show all</button>'
        "<output></output></form>"
    )


def _options(values: Iterable[str]) -> str:
    listed = "".join(f'<option value="{_text(value)}">{_text(value)}</option>' for value in sorted(set(values)))
    return f'<option value="">all</option>{listed}'


def _alert(alert: Alert) -> str:
    when = f"{alert.occurred_at:%Y-%m-%d %H:%M:%S}" if alert.occurred_at else "time not known"
    return (
        f'<details class="alert {alert.severity}" data-severity="{alert.severity}" '
        f'data-principal="{_text(_principal(alert))}" data-group="{_text(_group(alert))}">'
        f'<summary><span class="badge">{alert.severity}</span><span class="title">{_text(alert.title)}</span>'
        f'<time>{when}</time><span class="who">{_text(_principal(alert))}</span></summary>'
        f'<div class="inside">{"".join(_inside(alert))}</div></details>'
    )


def _inside(alert: Alert) -> Iterator[str]:
    for part in sections(alert):
        yield from _section(part)


def _section(part: Section) -> Iterator[str]:
    match part:
        case Paragraph():
            yield f"<p><strong>{_text(part.text)}</strong></p>"
        case Diff():
            entries = (f'<span class="{_SIGNS.get(item[0], "")}">{_lines(item)}</span>' for item in part.entries)
            yield f"<h3>{_text(part.title)}</h3><pre>{chr(10).join(entries)}</pre>"
        case Reasons() | NotKnown():
            yield _list(part.title, part.items)
        case WayBack():
            yield from _way_back(part)
        case Circumstances():
            yield f"<dl>{''.join(map(_fact, part.facts))}</dl>"
        case Links():
            for link in part.links:
                if link.url.startswith("https://"):
                    yield f'<p><a href="{_text(link.url)}" rel="noopener noreferrer">{link.label}</a></p>'


def _lines(entry: str) -> str:
    return "\n".join(_text(line) for line in entry.split("\n"))


def _list(title: str, items: Iterable[str]) -> str:
    listed = "".join(f"<li>{_text(item)}</li>" for item in items)
    return f"<h3>{_text(title)}</h3><ul>{listed}</ul>" if listed else ""


def _fact(fact: Fact) -> str:
    return f"<dt>{_text(fact.label)}</dt><dd>{'<br>'.join(_text(line) for line in fact.lines)}</dd>"


def _way_back(part: WayBack) -> Iterator[str]:
    yield f"<h3>{_text(part.title)}</h3>"
    if part.note:
        yield f"<p>{_text(part.note)}</p>"
    if part.commands:
        yield f"<pre>{html.escape(chr(10).join(part.commands))}</pre>"
