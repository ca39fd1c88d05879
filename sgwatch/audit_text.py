"""The audit for the terminal: each path drawn as a chain with a mark at each link, then the findings."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chalicelib.alarm_path.check_registry import PATH_LINKS, PathLink
from chalicelib.alarm_path.report import PathReport, Report
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.verdicts import Finding, Status, worst

STYLES = {Status.PASS: "green", Status.FAIL: "red", Status.UNKNOWN: "yellow"}
MARKS = {Status.PASS: "✔", Status.FAIL: "✘", Status.UNKNOWN: "?"}
HEADLINES = {
    Status.PASS: "Every security group change would raise an alarm and reach somebody.",
    Status.FAIL: "Not every security group change would raise an alarm and reach somebody.",
    Status.UNKNOWN: "Whether every security group change would raise an alarm and reach somebody is not known.",
}


def show(console: Console, report: Report) -> None:
    """Print the report for people."""
    status, sentence = headline(report)
    console.print(Text(f"{MARKS[status]} {printable(sentence)}", style=f"bold {STYLES[status]}"))
    console.print(
        Text(
            f"Account {printable(report.account_id) or 'not known'}, as of {report.checked_at:%F %T} UTC\n", style="dim"
        )
    )
    for path in failures_first(report.paths):
        _show_path(console, path)
    _show_findings(console, "Findings outside any path", report.findings)
    if report.findings:
        console.print()
    console.print(_coverage(report))
    console.print(_standards(report))
    for note in report.notes:
        console.print(Text(f"• {printable(note)}", style="dim"))


def headline(report: Report) -> tuple[Status, str]:
    """The answer in a sentence; never a good one over an alarm that cannot fire before it has left ALARM."""
    if report.status is not Status.PASS or not report.in_alarm:
        return report.status, HEADLINES[report.status]
    alarms = ", ".join(report.in_alarm)
    return (
        Status.UNKNOWN,
        f"A further security group change sends nothing before {alarms} leaves ALARM; then each does.",
    )


def failures_first(paths: Sequence[PathReport]) -> list[PathReport]:
    """The paths in the order of what there is to do."""
    order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    return sorted(paths, key=lambda path: order.index(path.status))


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


def _show_path(console: Console, path: PathReport) -> None:
    chain = Text(" → ", style="dim").join(_link(name or link, status) for link, name, status in links_of(path))
    console.print(chain if chain.cell_len <= console.width else _upright(path))
    _show_findings(console, "", [finding for finding in path.findings if finding.status is not Status.PASS])
    console.print()


def _link(name: str, status: Status | None) -> Text:
    mark, style = (MARKS[status], STYLES[status]) if status else ("·", "dim")
    return Text().append(f"{mark} ", style=f"bold {style}").append(printable(name), style=style)


def _upright(path: PathReport) -> Text:
    """The chain from top to bottom, where it is wider than the terminal."""
    rows = [_link(f"{link:<14}{name}".rstrip(), status) for link, name, status in links_of(path)]
    return Text("\n", style="dim").join(rows)


def _show_findings(console: Console, title: str, findings: tuple[Finding, ...] | list[Finding]) -> None:
    if findings and title:
        console.print(Text(title, style="bold"))
    for finding in findings:
        line = Table.grid(padding=(0, 1))
        for _ in range(3):
            line.add_column(overflow="fold")  # an ARN that is cut does not say which function it is
        line.add_row("  ", Text(MARKS[finding.status], style=STYLES[finding.status]), Text(printable(finding.reason)))
        console.print(line)
        if finding.fix and finding.status is not Status.PASS:
            console.print(Text("     fix: ", style="dim"), end="")
            console.print(Text(printable(finding.fix)), soft_wrap=True)


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


def _standards(report: Report) -> Text:
    text = Text()
    for name, status in report.standards.items():
        text.append(f"\n{MARKS[status]} ", style=STYLES[status]).append(Standard(name).words)
    return text.append("\n")
