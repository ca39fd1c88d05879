"""The timeline: how many alerts of which severity in each stretch of time, as inline SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from chalicelib.alert.model import Alert, Severity

_WIDTH, _HEIGHT, _LEFT, _FOOT, _TOP = 1000, 170, 34, 22, 8
_MOST_BARS = 72
_STEPS = tuple(
    timedelta(**{unit: count})
    for unit, counts in (("minutes", (1, 5, 15, 30)), ("hours", (1, 3, 6, 12)), ("days", (1, 2, 7, 14, 30, 91, 365)))
    for count in counts
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timeline(alerts: Iterable[Alert]) -> str:
    """The chart, empty where no alert has a time."""
    dated = [(alert.occurred_at, alert.severity) for alert in alerts if alert.occurred_at is not None]
    if not dated:
        return ""
    first, last = min(dated)[0], max(dated)[0]
    step = next((item for item in _STEPS if (last - first) / item < _MOST_BARS), (last - first) / _MOST_BARS)
    start = _EPOCH + (first - _EPOCH) // step * step
    bars = (last - start) // step + 1
    counts = Counter(((moment - start) // step, severity) for moment, severity in dated)
    highest = max(sum(counts[bar, severity] for severity in Severity) for bar in {bar for bar, _ in counts})
    parts = [*_scale(highest), *_bars(counts, bars, highest, start, step), *_dates(start, step, bars)]
    label = f"Alerts over time, from {start:%Y-%m-%d} to {last:%Y-%m-%d}"
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _bars(
    counts: Counter[tuple[int, Severity]], bars: int, highest: int, start: datetime, step: timedelta
) -> Iterator[str]:
    each = (_WIDTH - _LEFT) / bars
    width = max(1.0, min(each - 2, 24))
    room = _HEIGHT - _FOOT - _TOP
    for bar in sorted({bar for bar, _ in counts}):
        bottom = float(_HEIGHT - _FOOT)
        here = [(severity, counts[bar, severity]) for severity in reversed(Severity) if counts[bar, severity]]
        told = ", ".join(f"{count} {severity}" for severity, count in here)
        rects = []
        for severity, count in here:
            height = room * count / highest
            bottom -= height
            rects.append(
                f'<rect class="{severity}" x="{_LEFT + bar * each + (each - width) / 2:.1f}" y="{bottom:.1f}" '
                f'width="{width:.1f}" height="{height:.1f}"/>'
            )
        yield f"<g><title>{start + bar * step:%Y-%m-%d %H:%M} UTC: {told}</title>{''.join(rects)}</g>"


def _scale(highest: int) -> Iterator[str]:
    room = _HEIGHT - _FOOT - _TOP
    for count in sorted({0, highest // 2, highest}):
        y = _HEIGHT - _FOOT - room * count / highest
        yield f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{count}</text>'


def _dates(start: datetime, step: timedelta, bars: int) -> Iterator[str]:
    each = (_WIDTH - _LEFT) / bars
    form = "%H:%M" if step * bars <= timedelta(days=1) else "%b %d %H:%M" if step < timedelta(days=1) else "%Y-%m-%d"
    for bar in range(0, bars, max(1, -(-bars // 8))):
        x = _LEFT + bar * each
        if x < _WIDTH - 60:
            yield f'<text x="{x:.1f}" y="{_HEIGHT - 5}">{start + bar * step:{form}}</text>'
