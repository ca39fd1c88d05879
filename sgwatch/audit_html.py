"""The audit as evidence: one HTML file without anything from elsewhere, dated, with what was collected."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from chalicelib.alarm_path.report import PathReport, Report
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.verdicts import Finding, Status
from sgwatch.audit_text import MARKS, failures_first, headline, links_of, printable

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}code,pre{font:13px ui-monospace,monospace}
pre{background:#f4f5f7;padding:.75rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d9dde3;
vertical-align:top;overflow-wrap:anywhere}th,.findings td:nth-child(-n+2){white-space:nowrap;overflow-wrap:normal}
.chain{display:flex;flex-wrap:wrap;gap:.4rem;margin:.6rem 0}
.chain span{border:1px solid;border-radius:.4rem;padding:.2rem .5rem}
.pass{color:#116329}.fail{color:#b31d28}.unknown{color:#7a5200}.none{color:#8a9099}.answer{font-weight:600;white-space:nowrap}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e4e7ea}pre{background:#20252a}td,th{border-color:#333a41}
.pass{color:#6fd38a}.fail{color:#ff8b8b}.unknown{color:#e8c268}}
.events th{white-space:normal}.events code{overflow-wrap:normal}
@media(max-width:40rem){th,.findings td:nth-child(-n+2){white-space:normal}
td,th{padding:.35rem .3rem}td code{overflow-wrap:normal;font-size:11px}pre{font-size:11px}}
@media print{details{display:block}}
"""


def page(report: Report, document: Mapping[str, Any]) -> str:
    """The report with the snapshot it judges."""
    stamp = f"{report.checked_at:%Y-%m-%d %H:%M:%S} UTC"
    status, sentence = headline(report)
    head = f"<h1 class={status.value}>{MARKS[status]} {escape(sentence)}</h1>"
    facts = json.dumps(document, indent=2, default=str)
    body = [
        head,
        f"<p>Account <b>{escape(printable(report.account_id)) or 'not known'}</b>, as of <b>{stamp}</b>.</p>",
        _standards(report),
        "<h2>Events</h2>",
        _coverage(report),
        "<h2>Paths</h2>",
        *(_path(path) for path in failures_first(report.paths)),
        "<p>There is no path.</p>" if not report.paths else "",
        "<h2>Findings outside any path</h2>" + _findings(report.findings) if report.findings else "",
        "<h2>Notes</h2><ul>" + "".join(f"<li>{escape(note)}</li>" for note in report.notes) + "</ul>",
        f"<h2>What was collected</h2><details><summary>AWS's answers</summary><pre>{escape(facts)}</pre></details>",
    ]
    title = f"Alarm path of account {escape(printable(report.account_id))}, {stamp}"
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    return (
        f'<!doctype html><html lang="en"><head>{meta}<title>{title}</title><style>{_STYLE}</style></head><body>\n'
        + ("\n".join(body) + "\n</body></html>\n")
    )


def _answer(status: Status) -> str:
    return f'<span class="answer {status.value}">{MARKS[status]} {status.value}</span>'


def _standards(report: Report) -> str:
    rows = (
        f"<tr><td>{escape(Standard(name).words)}</td><td>{_answer(status)}</td></tr>"
        for name, status in report.standards.items()
    )
    return f"<table><tr><th>Standard</th><th>Answer</th></tr>{''.join(rows)}</table>"


def _coverage(report: Report) -> str:
    rows = (
        f"<tr><td><code>{escape(event)}</code></td><td>{_answer(answer.status)}</td>"
        f"<td>{'' if answer.seconds is None else f'{answer.seconds} s'}</td></tr>"
        for event, answer in report.coverage.items()
    )
    head = "<tr><th>Event</th><th>Reaches somebody</th><th>At worst after</th></tr>"
    return f"<table class=events>{head}{''.join(rows)}</table>"


def _path(path: PathReport) -> str:
    links = "".join(_link(name or link, status) for link, name, status in links_of(path))
    return f"<div class=chain>{links}</div>{_findings(path.findings)}"


def _link(name: str, status: Status | None) -> str:
    mark, kind = (MARKS[status], status.value) if status else ("·", "none")
    return f"<span class={kind}>{mark} {escape(name)}</span>"


def _findings(findings: Iterable[Finding]) -> str:
    rows = (
        f"<tr><td>{_answer(finding.status)}</td><td><code>{escape(finding.check)}</code></td>"
        f"<td>{escape(printable(finding.reason))}{_fix(finding)}</td></tr>"
        for finding in findings
    )
    return f"<table class=findings><tr><th>Answer</th><th>Check</th><th>Reason</th></tr>{''.join(rows)}</table>"


def _fix(finding: Finding) -> str:
    return f"<pre>{escape(finding.fix)}</pre>" if finding.fix and finding.status is not Status.PASS else ""
