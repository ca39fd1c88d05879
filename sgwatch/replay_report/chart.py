"""The timeline: how many alerts of which severity in each stretch of time, as buttons that choose that time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from chalicelib.alert.model import Alert, Severity

_MOST_BARS = 72
_STEPS = tuple(
    timedelta(**{unit: count})
    for unit, counts in (("minutes", (1, 5, 15, 30)), ("hours", (1, 3, 6, 12)), ("days", (1, 2, 7, 14, 30, 91, 365)))
    for count in counts
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timeline(alerts: Iterable[Alert]) -> str:
    """The chart and its axis, empty where no alert has a time."""
    dated = [(alert.occurred_at, alert.severity) for alert in alerts if alert.occurred_at is not None]
    if not dated:
        return ""
    first, last = min(dated)[0], max(dated)[0]
    step = next((item for item in _STEPS if (last - first) / item < _MOST_BARS), (last - first) / _MOST_BARS)
    start = _EPOCH + (first - _EPOCH) // step * step
    bars = (last - start) // step + 1
    counts = Counter(((moment - start) // step, severity) for moment, severity in dated)
    highest = max(sum(counts[bar, severity] for severity in Severity) for bar in {bar for bar, _ in counts})
    drawn = "".join(_bar(counts, bar, highest, start + bar * step, step) for bar in range(bars))
    label = f"Alerts over time, at most {highest:,} in one bar. Arrow keys move, Enter chooses the time of a bar."
    return (
        f'<div class="chart" role="group" aria-label="{label}">{drawn}</div>'
        f'<div class="axis">{"".join(_dates(start, step, bars))}</div>'
    )


def _bar(counts: Counter[tuple[int, Severity]], bar: int, highest: int, moment: datetime, step: timedelta) -> str:
    here = [(severity, counts[bar, severity]) for severity in reversed(Severity) if counts[bar, severity]]
    listed = ", ".join(f"{count} {severity}" for severity, count in here) or "no alerts"
    label = f"{moment:%Y-%m-%d %H:%M} UTC: {listed}"
    period = f'data-from="{moment.timestamp():.0f}" data-to="{(moment + step).timestamp():.0f}"'
    rects = "".join(_rects(here, highest))
    svg = f'<svg viewBox="0 0 10 100" preserveAspectRatio="none" aria-hidden="true">{rects}</svg>'
    return f'<button type="button" {period} title="{label}" aria-label="{label}">{svg}</button>'


def _rects(here: Iterable[tuple[Severity, int]], highest: int) -> Iterator[str]:
    bottom = 100.0
    for severity, count in here:
        height = 100 * count / highest
        bottom -= height
        yield f'<rect class="{severity}" x="1" y="{bottom:.2f}" width="8" height="{height:.2f}"/>'


def _dates(start: datetime, step: timedelta, bars: int) -> Iterator[str]:
    form = "%Y-%m-%d" if step >= timedelta(days=1) else "%Y-%m-%d %H:%M"
    for moment in dict.fromkeys(start + bar * step for bar in (0, bars // 2, bars - 1)):
        yield f"<span>{moment:{form}}</span>"
