"""What ``sgwatch watch`` draws on a terminal: alerts as they come, and below them how the stage stands now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from chalicelib.alarm_path.verdicts import Status
from chalicelib.text import visible
from sgwatch.durable_template import StagePlace
from sgwatch.live_view import LiveLook, LoggedAlert

MARKS = {Status.PASS: "✔", Status.FAIL: "✘", Status.UNKNOWN: "?"}
_COLORS = {Status.PASS: "green", Status.FAIL: "red", Status.UNKNOWN: "yellow"}
_SEVERITIES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


class LiveScreen:
    """A terminal: alerts scroll by, and the state stays below them."""

    def __init__(self, live: Live, place: StagePlace) -> None:
        self._live, self._place = live, place

    def show(self, found: LiveLook) -> None:
        """Another look."""
        for item in found.new_alerts:
            self._live.console.print(alert_row(item))
        self._live.update(state(found, self._place), refresh=True)


@contextmanager
def screen(place: StagePlace, console: Console) -> Iterator[LiveScreen]:
    """The terminal, left as it is at the end."""
    with Live(console=console, auto_refresh=False, redirect_stdout=False) as live:
        yield LiveScreen(live, place)


def alert_row(item: LoggedAlert) -> RenderableType:
    """An alert, its title broken between words and below itself."""
    row = Table.grid(padding=(0, 2))
    row.add_column(no_wrap=True)
    row.add_column(no_wrap=True, min_width=8)
    row.add_column(overflow="fold")
    style = "" if item.is_good else "red"
    said = Text(f"\n{visible(item.said)}", "dim" if item.is_good else "red")
    severity = Text(item.severity or "-", _SEVERITIES.get(item.severity, ""))
    row.add_row(f"{item.at:%H:%M:%S}", severity, Text(visible(item.what), style) + said)
    return row


def state(found: LiveLook, place: StagePlace) -> RenderableType:
    """How the stage stands: the path, the queues and the destinations."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for status, name, said in state_rows(found, place):
        rows.add_row(Text(MARKS[status], _COLORS[status]), visible(name), visible(said))
    title = f"stage {place.stage}, {place.region}, {found.at:%H:%M:%S} UTC"
    return Group(Rule(title, align="left", style="dim"), rows)


def state_rows(found: LiveLook, place: StagePlace) -> Iterator[tuple[Status, str, str]]:
    """A status, a name and a sentence for each part."""
    path = found.path
    if path is None:
        yield Status.UNKNOWN, "alarm path", "no audit is remembered; sgwatch audit makes one"
    else:
        at = f", audited {_ago(path.audited_at, found.at)}" if path.audited_at else ""
        yield path.status, "alarm path", f"{path.status.value}{at}"
    for queue in found.queues:
        bad = queue.is_for_failures and queue.messages
        age = f", the oldest for {_span(queue.oldest_seconds)}" if queue.messages and queue.oldest_seconds else ""
        way_out = "; sgwatch redrive sends it again" if bad else ""
        status = Status.FAIL if bad else Status.PASS
        yield status, queue.name.removeprefix(f"sgwatch-{place.stage}-"), f"{queue.messages} waiting{age}{way_out}"
    for name, item in sorted(found.last_by_destination.items()):
        yield Status.PASS if item.is_good else Status.FAIL, name, f"{item.said}, {_ago(item.at, found.at)}"


def _ago(at: datetime, now: datetime) -> str:
    return f"{_span(max((now - at).total_seconds(), 0))} ago"


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6_000 else f"{seconds / 3600:.0f} h"
