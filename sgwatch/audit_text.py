"""The audit for the terminal: each path drawn as a chain with a mark at each link, then the findings.

Failures come first, and things are called by their own names: ARNs are in the JSON and on the page. Lines are broken
between words alone; a fix stays on one line, since broken it could not be pasted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chalicelib.alarm_path.check_registry import PATH_LINKS, PathLink
from chalicelib.alarm_path.report import PathReport, Report
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.verdicts import Finding, Status, worst
from chalicelib.aws.arns import parse_arn, resource_name
from chalicelib.text import number_of, wrap

STYLES = {Status.PASS: "green", Status.FAIL: "red", Status.UNKNOWN: "yellow"}
MARKS = {Status.PASS: "✔", Status.FAIL: "✘", Status.UNKNOWN: "?"}
HEADLINES = {
    Status.PASS: "Every security group change would raise an alarm and reach somebody.",
    Status.FAIL: "Not every security group change would raise an alarm and reach somebody.",
    Status.UNKNOWN: "Whether every security group change would raise an alarm and reach somebody is not known.",
}


_ARN = re.compile(r"\barn:[^\s,;()'\"]*[^\s,;()'\".:]")
# Longer lines than this are hard to read, however wide the window is.
_READABLE = 120


def show(console: Console, report: Report) -> None:
    """Print the report for people."""
    status, sentence = headline(report)
    _sentence(console, f"{MARKS[status]} ", "  ", sentence, f"bold {STYLES[status]}")
    account = printable(report.account_id) or "not known"
    console.print(Text(f"Account {account}, as of {report.checked_at:%F %T} UTC\n", style="dim"))
    paths = failures_first(report.paths)
    unsound = [path for path in paths if path.status is not Status.PASS or worst(report.findings) is Status.PASS]
    for path in unsound:
        _show_path(console, report, path)
    _show_others(console, report)
    for path in paths[len(unsound) :]:
        _show_path(console, report, path)
    console.print(_coverage(report))
    console.print()
    for name, answer in report.standards.items():
        _sentence(console, f"{MARKS[answer]} ", "  ", Standard(name).words, STYLES[answer])
    console.print()
    for note in report.notes:
        _sentence(console, "• ", "  ", short(note, report.account_id), "dim")


def headline(report: Report) -> tuple[Status, str]:
    """The answer in a sentence; never a good one over an alarm that cannot fire before it has left ALARM."""
    if report.status is not Status.PASS or not report.in_alarm:
        return report.status, HEADLINES[report.status]
    alarms = ", ".join(report.in_alarm)
    return (
        Status.UNKNOWN,
        f"A further security group change sends nothing before {alarms} leaves ALARM; then each does.",
    )


_URGENCY = (Status.FAIL, Status.UNKNOWN, Status.PASS)


def failures_first(paths: Sequence[PathReport]) -> list[PathReport]:
    """The paths in the order of what there is to do."""
    return sorted(paths, key=lambda path: _URGENCY.index(path.status))


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings in the order of what there is to do."""
    return sorted(findings, key=lambda finding: _URGENCY.index(finding.status))


def short(text: str, account_id: str) -> str:
    """The text with each ARN's own name in its place, and with its account where that is another."""

    def name(found: re.Match[str]) -> str:
        arn = parse_arn(found[0])
        if arn is None:
            return found[0]
        owner = "" if arn.account in ("", account_id) else f" of account {arn.account}"
        return f"{resource_name(found[0])}{owner}"

    return _ARN.sub(name, text)


def printable(text: str) -> str:
    """Text without what a terminal would obey; names come from anybody who may create resources in the account."""
    return "".join(char if char.isprintable() else " " for char in text)


def links_of(path: PathReport) -> list[tuple[str, str, Status | None]]:
    """Each link with its name and its answer; None behind the place where the path ends."""
    names = {
        PathLink.TRAIL: path.trail,
        PathLink.LOG_GROUP: path.log_group,
        PathLink.METRIC_FILTER: path.metric_filter,
        PathLink.ALARM: path.alarm,
        PathLink.TOPIC: path.topic.rsplit(":", 1)[-1] if path.topic else None,
    }
    rows: list[tuple[str, str, Status | None]] = []
    for link in PATH_LINKS:
        found = [finding for finding in path.findings if finding.link is link]
        rows.append((link.value, names.get(link) or "", worst(found) if found else None))
    return rows


def _show_path(console: Console, report: Report, path: PathReport) -> None:
    chain = Text(" → ", style="dim").join(_link(name or link, status) for link, name, status in links_of(path))
    console.print(chain if chain.cell_len <= console.width else _upright(path), soft_wrap=True)
    for finding in worst_first(path.findings):
        if finding.status is not Status.PASS:
            show_finding(console, report, finding)
    console.print()


def _link(name: str, status: Status | None) -> Text:
    mark, style = (MARKS[status], STYLES[status]) if status else ("·", "dim")
    return Text().append(f"{mark} ", style=f"bold {style}").append(printable(name), style=style)


def _upright(path: PathReport) -> Text:
    """The chain from top to bottom, where it is wider than the terminal."""
    rows = [_link(f"{link:<14}{name}".rstrip(), status) for link, name, status in links_of(path)]
    return Text("\n", style="dim").join(rows)


def _show_others(console: Console, report: Report) -> None:
    """What is wrong outside any path, and how much of it is sound."""
    if not report.findings:
        return
    bad = [finding for finding in worst_first(report.findings) if finding.status is not Status.PASS]
    console.print(Text("Outside any path", style="bold"))
    for finding in bad:
        show_finding(console, report, finding)
    if sound := len(report.findings) - len(bad):
        kinds = len({finding.check for finding in report.findings if finding.status is Status.PASS})
        words = f"{number_of(sound, 'finding')} of {number_of(kinds, 'check')} passed."
        _sentence(console, f"   {MARKS[Status.PASS]} ", "     ", words, STYLES[Status.PASS])
    console.print()


def show_finding(console: Console, report: Report, finding: Finding) -> None:
    """A finding with its fix."""
    mark = Text(f"   {MARKS[finding.status]} ", style=STYLES[finding.status])
    reason = _wrapped(console, mark.plain, "     ", short(finding.reason, report.account_id))
    console.print(mark.append(reason[mark.cell_len :], style="default"), soft_wrap=True)
    if finding.fix and finding.status is not Status.PASS:
        console.print(Text("     fix: ", style="dim").append(printable(finding.fix), "default"), soft_wrap=True)


def _sentence(console: Console, first: str, indent: str, text: str, style: str) -> None:
    console.print(Text(_wrapped(console, first, indent, text), style=style), soft_wrap=True)


def _wrapped(console: Console, first: str, indent: str, text: str) -> str:
    return wrap(printable(text), min(console.width, _READABLE), indent, first)


def _coverage(report: Report) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Event", no_wrap=True)
    table.add_column("Reaches somebody")
    table.add_column("At worst after", justify="right")
    for event, answer in report.coverage.items():
        seconds = "" if answer.seconds is None else f"{answer.seconds} s"
        mark = Text(f"{MARKS[answer.status]} {answer.status.value}", style=STYLES[answer.status])
        table.add_row(event, mark, seconds)
    return table
