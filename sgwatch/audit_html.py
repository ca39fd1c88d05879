"""The audit as evidence: one HTML page that needs nothing else, dated, with the facts that it was judged from.

It has the look of the replay's report. Everything in it that others chose is escaped, and the browser runs nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from chalicelib.alarm_path.report import PathReport, Report
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.verdicts import Finding, Status
from chalicelib.text import number_of, visible
from sgwatch.audit_text import MARKS, failures_first, headline, links_of, worst_first
from sgwatch.frameworks import FRAMEWORKS, frameworks_of
from sgwatch.replay_report.assets import STYLE as REPORT_STYLE
from sgwatch.replay_report.assets import policy
from sgwatch.version import VERSION

_STYLE = (
    REPORT_STYLE
    + """
.pass { --tone: var(--plus); } .fail { --tone: var(--minus); } .unknown { --tone: var(--medium); }
.none { --tone: var(--soft); } h1.pass, h1.fail, h1.unknown { color: var(--tone); }
.badge.fail { background: var(--tone); color: var(--ground); }
.chain { display: flex; flex-wrap: wrap; gap: .5rem 0; margin: .6rem 0; padding: 0; list-style: none; }
.chain li { display: flex; align-items: center; max-width: 100%; }
.chain li + li::before { content: "→" / "then"; margin: 0 .35rem; color: var(--soft); }
.chain div { border: 2px solid var(--tone); border-radius: .4rem; padding: .25rem .6rem; min-width: 0; }
.chain .none { border-style: dashed; } .chain small { display: block; color: var(--soft); }
.chain b { font-weight: 600; } .chain .mark { color: var(--tone); font-weight: 700; }
section.path { border-top: 1px solid var(--line); margin-top: 1.5rem; }
td > pre { margin-top: .4rem; } th[scope=row] { font-weight: 400; white-space: normal; position: static; }
.findings td:first-child { white-space: nowrap; width: 7.5rem; } .findings td:nth-child(2) { width: 11rem; }
.facts { max-height: 40rem; overflow: auto; }
summary h2 { display: inline-block; margin: .8rem 0 .4rem; }
details.account { border-top: 1px solid var(--line); } .label { display: none; }
@media (max-width: 40rem) {
  .chain { display: block; } .chain li { display: block; }
  .chain li + li::before { content: "↓" / "then"; display: block; margin: .1rem 0 .1rem 1rem; }
  .stacked tbody, .stacked tr, .stacked td, .stacked th { display: block; width: auto !important; }
  .stacked thead { display: none; } .stacked tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  .stacked td, .stacked th { border: 0; padding: .1rem 0; } .label { display: inline; color: var(--soft); }
  th { white-space: normal; } .events code { font-size: 11px; } .events .badge { min-width: 0; }
}
@media print { h2, h3, .chain { break-after: avoid; } tr, .chain li { break-inside: avoid; }
  details:not(.account) { display: none; }
  .badge, .chain div { print-color-adjust: exact; } }
"""
)
_HEAD = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
_UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """The file that holds the snapshot, and the SHA-256 of its bytes, None where it could not be read again."""

    name: str
    sha256: str | None


def page(report: Report, document: Mapping[str, Any], file: SnapshotFile | None = None) -> str:
    """The report with the snapshot ``document`` that it judges, from ``file`` where it is in one."""
    account = escaped(report.account_id) or _UNKNOWN
    stamp = f"{report.checked_at:%Y-%m-%d %H:%M:%S} UTC"
    status, sentence = headline(report)
    body = [
        f'<header><p class="soft">Alarm path of account {account}, as of {stamp}</p>',
        f'<h1 class="{status.value}">{MARKS[status]} {escaped(sentence)}</h1>{_counts(report)}</header>',
        "<main>",
        *sections(report),
        *_evidence(report, document, file),
        "</main>",
    ]
    return whole(f"Alarm path of account {account}, {stamp}", body)


def whole(title: str, body: Iterable[str], style: str = "") -> str:
    """A page that needs nothing else; the title is escaped already, ``style`` comes after that of all pages."""
    look = _STYLE + style
    return (
        f'<!doctype html>\n<html lang="en"><head>{_HEAD}'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(look)}">'
        f'<meta name="referrer" content="no-referrer"><title>{title}</title>'
        f"<style>{look}</style></head>\n<body>" + "\n".join(filter(None, body)) + "\n</body></html>\n"
    )


def sections(report: Report, level: int = 2) -> list[str]:
    """Standards, events, paths, findings and notes of a report; their headings are of this level."""

    def heading(text: str) -> str:
        return f"<h{level}>{text}</h{level}>"

    notes = "".join(f"<li>{escaped(note)}</li>" for note in report.notes)
    return [
        heading("Standards"),
        _standards(report),
        heading("Events"),
        _coverage(report),
        heading(f"Paths ({len(report.paths)})"),
        *(_path(number, path, level + 1) for number, path in enumerate(failures_first(report.paths), start=1)),
        "" if report.paths else "<p>There is no path.</p>",
        f"{heading('Findings outside any path')}{_findings(report.findings)}" if report.findings else "",
        f"{heading('Notes')}<ul>{notes}</ul>" if notes else "",
    ]


def escaped(text: str) -> str:
    """Text that others chose, for a page."""
    return escape(visible(text))


def badge(status: Status) -> str:
    """The answer with its mark and color."""
    return f'<span class="badge {status.value}">{MARKS[status]} {status.value}</span>'


def _counts(report: Report) -> str:
    paths = Counter(path.status for path in report.paths)
    found = Counter(finding.status for path in report.paths for finding in path.findings)
    found.update(finding.status for finding in report.findings)
    rows = "".join(
        f"<li>{badge(status)} {number_of(paths[status], 'path')}, {number_of(found[status], 'finding')}</li>"
        for status in (Status.FAIL, Status.UNKNOWN, Status.PASS)
    )
    return f'<ul class="counts">{rows}</ul>'


def labelled(what: str, cell: str) -> str:
    """A finished cell with what it is, which a narrow page shows in place of the column's head."""
    return f'<span class="label">{what}: </span>{cell}'


def table(kind: str, head: Sequence[str], rows: Iterable[str]) -> str:
    """A table of finished rows."""
    columns = "".join(f'<th scope="col">{name}</th>' for name in head)
    return f'<table class="{kind}"><thead><tr>{columns}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _standards(report: Report) -> str:
    rows = []
    for name, status in report.standards.items():
        standard = Standard(name)
        controls = "<br>".join(escaped(item.words) for item in frameworks_of(standard))
        words = escaped(standard.words)
        rows.append(f'<tr><th scope="row">{words}</th><td>{controls}</td><td>{badge(status)}</td></tr>')
    others = [item for item in FRAMEWORKS if item.standard is None and "audit report" in item.evidence]
    listed = "; ".join(escaped(item.words) for item in others)
    words = f"This report is also evidence for {listed}. Whether a control is met is the auditor's decision."
    return f'{table("standards stacked", ("Standard", "Controls", "Answer"), rows)}<p class="soft">{words}</p>'


def _coverage(report: Report) -> str:
    rows = (
        f'<tr><th scope="row"><code>{escaped(event)}</code></th><td>{badge(answer.status)}</td>'
        f'<td class="number">{"" if answer.seconds is None else f"{answer.seconds} s"}</td></tr>'
        for event, answer in report.coverage.items()
    )
    return table("events", ("CloudTrail event", "Reaches somebody", "At worst after"), rows)


def _path(number: int, path: PathReport, level: int) -> str:
    links = "".join(_link(link, name, status) for link, name, status in links_of(path))
    return (
        f'<section class="path"><h{level}>{badge(path.status)} Path {number}</h{level}>'
        f'<ol class="chain">{links}</ol>{_findings(path.findings)}</section>'
    )


def _link(kind: str, name: str, status: Status | None) -> str:
    mark, tone = (MARKS[status], status.value) if status else ("·", "none")
    label = f"<small>{kind}</small>" if name else ""
    return f'<li><div class="{tone}">{label}<span class="mark">{mark}</span> <b>{escaped(name or kind)}</b></div></li>'


def _findings(findings: Iterable[Finding]) -> str:
    rows = (
        f"<tr><td>{badge(finding.status)}</td><td><code>{escaped(finding.check)}</code></td>"
        f"<td>{escaped(finding.reason)}{_fix(finding)}</td></tr>"
        for finding in worst_first(findings)
    )
    return table("findings stacked", ("Answer", "Check", "Reason, and what mends it"), rows)


def _fix(finding: Finding) -> str:
    return f"<pre>{escaped(finding.fix)}</pre>" if finding.fix and finding.status is not Status.PASS else ""


def _evidence(report: Report, document: Mapping[str, Any], file: SnapshotFile | None) -> Iterator[str]:
    when = f"{report.checked_at:%Y-%m-%d %H:%M:%S} UTC"
    yield (
        f"<h2>Facts collected</h2><p>Judged by sgwatch {escaped(VERSION)} from AWS's own answers of {when}. The same "
        "snapshot gives the same answer: keep it with <code>sgwatch audit --collect FILE</code>, and judge it again, "
        "without AWS, with <code>sgwatch audit --from FILE</code>.</p>"
    )
    if file is not None:
        digest = f"SHA-256 <code>{file.sha256}</code>" if file.sha256 else "hash not known"
        yield f"<p>Snapshot: {escaped(file.name)}, {digest}.</p>"
    yield table("collected", ("Place", "Collected"), _collected(document))
    yield _refused(document)
    facts = json.dumps(document, indent=2, default=str)
    yield f'<details><summary>AWS\'s answers in full</summary><pre class="facts">{escape(facts)}</pre></details>'


_PARTS = {
    "log_groups": "log group",
    "metric_filters": "metric filter",
    "metric_alarms": "metric alarm",
    "composite_alarms": "composite alarm",
    "topics": "topic",
}


def _collected(document: Mapping[str, Any]) -> Iterator[str]:
    """How much of what was collected, by region; what was not is said."""
    trails = document.get("trails")
    yield _row("trails", number_of(len(trails), "trail") if isinstance(trails, list) else "not collected")
    regions = document.get("regions")
    for name, region in regions.items() if isinstance(regions, Mapping) else ():
        parts = region if isinstance(region, Mapping) else {}
        said = (_amount(parts.get(key), noun) for key, noun in _PARTS.items())
        yield _row(str(name), ", ".join(said))
    own = document.get("self")
    functions = own.get("functions") if isinstance(own, Mapping) else None
    yield _row("sgwatch itself", number_of(len(functions), "function") if functions else "not collected")


def _amount(part: object, noun: str) -> str:
    return number_of(len(part), noun) if isinstance(part, list | Mapping) else f"{noun}s not collected"


def _row(place: str, said: str) -> str:
    return f'<tr><th scope="row">{escaped(place)}</th><td>{escaped(said)}</td></tr>'


def _refused(document: Mapping[str, Any]) -> str:
    listed = document.get("errors")
    errors = [item for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []
    if not errors:
        return "<p>AWS refused no call.</p>"
    rows = (
        "<tr>"
        + "".join(f"<td>{escaped(str(item.get(key) or ''))}</td>" for key in ("call", "resource", "code"))
        + "</tr>"
        for item in errors
    )
    return f"<h3>Calls that AWS refused ({len(errors):,})</h3>" + table("refused", ("Call", "On", "Answer"), rows)
