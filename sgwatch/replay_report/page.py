"""The report of a replay as one HTML page that needs nothing else: evidence, chart, filters, tables, every alert."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from chalicelib.alert.model import Alert, Severity
from chalicelib.rendering.lines import utc
from sgwatch.log_integrity.integrity_report import IntegrityReport
from sgwatch.replay_report.assets import SCRIPT, STYLE, policy
from sgwatch.replay_report.chart import timeline
from sgwatch.replay_report.evidence import Evidence
from sgwatch.replay_report.integrity_html import integrity, state_cell
from sgwatch.replay_report.packed import chunks, columns
from sgwatch.replay_report.section_html import details, group_of, principal_of, text

# Who prints the page, or runs no script, gets these in full; the rest is in the tables and in the JSON.
_PRINTED = 40
# A table with more rows than these would be slower to lay out than to filter.
_ROWS = 200


def page(alerts: Sequence[Alert], evidence: Evidence, on_part: Callable[[int], object] = id) -> str:
    """The whole page; ``on_part`` is called with how many more alerts are in it."""
    chart = timeline(alerts)
    body = "".join(
        [
            '<a class="skip" href="#list">Skip to the alerts</a>',
            "<main>",
            _header(alerts, evidence.integrity),
            _filters(),
            f"<h2>When</h2>{chart}" if chart else "",
            '<div class="tables">',
            _table("Principals", "principal", alerts, principal_of),
            _table("Security groups", "group", alerts, group_of),
            '</div><h2>Alerts</h2><div id="list"></div><button type="button" id="more" hidden></button>',
            *_matters(alerts),
            *_evidence(evidence),
            "</main>",
            columns(alerts),
            *chunks(alerts, on_part),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(STYLE, SCRIPT)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>Security group changes</title><style>{STYLE}</style></head>\n<body>{body}"
        f"<script>{SCRIPT}</script></body></html>"
    )


def _header(alerts: Sequence[Alert], proven: IntegrityReport | None) -> str:
    times = sorted(alert.occurred_at for alert in alerts if alert.occurred_at)
    period = f"{utc(times[0])} to {utc(times[-1])}" if times else "no times in the records"
    counts = Counter(alert.severity for alert in alerts)
    listed = "".join(
        f'<li class="{item}"><span class="badge {item}">{item}</span> {counts[item]:,}</li>'
        for item in reversed(Severity)
    )
    made = f"{len(alerts):,} alert{'' if len(alerts) == 1 else 's'}"
    checked = f'<p>{text(proven.summary())} <a href="#made-from">Made from</a></p>' if proven else ""
    head = f'<h1>Security group changes</h1><p class="soft">{made}, {period}</p>'
    return f'{head}<ul class="counts">{listed}</ul>{checked}'


def _filters() -> str:
    severities = "".join(f'<option value="{item}">{item} and worse</option>' for item in list(Severity)[1:])
    return (
        '<form hidden data-severity="info" data-sort="worst" aria-label="Filters">'
        f'<label>Severity<select name="severity"><option value="info">all</option>{severities}</select></label>'
        '<label>Principal<select name="principal"><option value="">all</option></select></label>'
        '<label>Security group<select name="group"><option value="">all</option></select></label>'
        '<label>Title, principal or group<input name="text" type="search"></label>'
        '<label>Order<select name="sort"><option value="worst">worst first</option>'
        '<option value="newest">newest first</option><option value="oldest">oldest first</option></select></label>'
        '<input name="from" type="hidden"><input name="to" type="hidden"><button type="reset">Show all</button>'
        "<output></output></form>"
    )


def _table(title: str, name: str, alerts: Iterable[Alert], key: Callable[[Alert], str]) -> str:
    grouped: dict[str, list[Alert]] = {}
    for alert in alerts:
        grouped.setdefault(key(alert), []).append(alert)
    worst_first = sorted(grouped.items(), key=lambda item: _badness(item[1]), reverse=True)
    rows = "".join(_row(name, value, listed) for value, listed in worst_first[:_ROWS])
    left_out = len(worst_first) - _ROWS
    note = f'<p class="soft">The {_ROWS} worst; {left_out:,} more are in the filter above.</p>' if left_out > 0 else ""
    head = (
        '<th scope="col">Name</th><th scope="col">Worst</th><th scope="col" class="number">Alerts</th>'
        '<th scope="col" class="time">Last</th>'
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<section><h2>{title}</h2><div class="rows" tabindex="0">{table}</div>{note}</section>'


def _badness(alerts: list[Alert]) -> tuple[int, ...]:
    counts = Counter(alert.severity for alert in alerts)
    return tuple(counts[item] for item in reversed(Severity))


def _row(name: str, value: str, alerts: list[Alert]) -> str:
    worst = max((alert.severity for alert in alerts), key=lambda item: item.rank)
    last = max((alert.occurred_at for alert in alerts if alert.occurred_at), default=None)
    button = f'<button type="button" data-filter="{name}" value="{text(value)}">{text(value)}</button>'
    return (
        f'<tr><td>{button}</td><td><span class="badge {worst}">{worst}</span></td>'
        f'<td class="number">{len(alerts):,}</td><td class="time">{f"{last:%Y-%m-%d %H:%M}" if last else ""}</td></tr>'
    )


def _matters(alerts: Sequence[Alert]) -> Iterator[str]:
    """The worst alerts in full, for paper and for browsers without scripts."""
    bad = [alert for alert in alerts if alert.severity.rank >= Severity.HIGH.rank]
    worst = sorted(bad, key=lambda alert: -alert.severity.rank)[:_PRINTED]
    shown = f"{len(worst)} of {len(bad):,}" if len(bad) > len(worst) else f"{len(bad)}"
    yield f'<section class="matters"><h2>What is critical or high: {shown}</h2>'
    for alert in worst:
        when = f"{alert.occurred_at:%Y-%m-%d %H:%M:%S}" if alert.occurred_at else "time not known"
        yield (
            f'<article class="alert {alert.severity}"><h3><span class="badge">{alert.severity}</span> '
            f'{text(alert.title)}</h3><p class="soft">{when}, {text(principal_of(alert))}</p>'
            f'<div class="inside">{details(alert)}</div></article>'
        )
    yield "</section>"


def _evidence(evidence: Evidence) -> Iterator[str]:
    yield (
        f'<section><h2 id="made-from">Made from</h2><p>sgwatch {text(evidence.version)}, {utc(evidence.made_at)}. '
        "The same files give the same alerts: run <code>sgwatch replay --format html</code> on them, and compare their "
        "hashes with <code>sha256sum</code>.</p>"
    )
    if evidence.accounts:
        yield f"<p>Accounts: {text(', '.join(evidence.accounts))}. Regions: {text(', '.join(evidence.regions))}.</p>"
    if evidence.unreadable:
        listed = "".join(f"<li>{text(fault)}</li>" for fault in evidence.unreadable)
        yield f"<h3>Could not be read ({len(evidence.unreadable):,})</h3><ul>{listed}</ul>"
    yield from _coverage(evidence)
    yield from integrity(evidence.integrity)
    rows = "".join(
        f"<tr><td>{text(file.name)}</td><td><code>{file.sha256 or 'not known'}</code></td>{state_cell(file.state)}</tr>"
        for file in evidence.files[:_ROWS]
    )
    left_out = len(evidence.files) - _ROWS
    note = f'<p class="soft">{left_out:,} more files were read.</p>' if left_out > 0 else ""
    head = '<th scope="col">File</th><th scope="col">SHA-256</th><th scope="col">By digest files</th>'
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    title = f"Input files ({len(evidence.files):,})"
    yield f'<h3>{title}</h3><div class="wide" tabindex="0">{table}</div>{note}</section>'


def _coverage(evidence: Evidence) -> Iterator[str]:
    if evidence.coverage is None:
        yield "<p>The names of the files do not say of which days and regions they are, so gaps are not known.</p>"
        return
    gaps = ", ".join(f"{region} {day}" for day, region in evidence.gaps[:_ROWS])
    found = f"{len(evidence.gaps):,} days without a file: {gaps}." if evidence.gaps else "No region lacks a day."
    head = "".join(f'<th scope="col">{text(region)}</th>' for region in evidence.regions)
    rows = "".join(
        f'<tr><th scope="row">{day}</th>{"".join(map(_files, counts))}</tr>'
        for day in evidence.days
        if (counts := [evidence.coverage[day, region] for region in evidence.regions])
    )
    table = (
        f'<table class="coverage"><thead><tr><th scope="col">Day</th>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )
    yield f"<h3>Log files by day and region</h3><p>{text(found)}</p>"
    yield f'<div class="wide" tabindex="0">{table}</div>'


def _files(count: int) -> str:
    return f"<td>{count:,}</td>" if count else '<td class="gap">none</td>'
