"""The picture of the packages: a row for each level, arrows downwards only. Drawn here, so that the page loads nothing.

An arrow over several rows goes through a place of its own in each, so that it crosses no box. In each row the places
are ordered by the mean of their neighbors above and below, some times over (Sugiyama's method).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

_LETTER, _PADDING, _HEIGHT, _ROW, _BETWEEN, _MARGIN = 8.4, 24, 30, 68, 18, 16
_PASSING = 14
_ROUNDS = 24
_STYLE = (
    ".ground{fill:#fff}.box{fill:#f5f7f9;stroke:#8c959f}.arrow{fill:none;stroke:#59636e;stroke-width:1.2}"
    ".head{fill:#59636e}text{font:14px ui-monospace,monospace;fill:#1b1f24;text-anchor:middle}"
    "@media (prefers-color-scheme:dark){.ground{fill:#14181d}.box{fill:#1d232a;stroke:#59636e}"
    ".arrow{stroke:#9aa5b1}.head{fill:#9aa5b1}text{fill:#e6e9ed}}"
)


@dataclass(frozen=True, slots=True)
class _PicturePlace:
    """A package's box in a row, or where an arrow passes the row (``passing`` is then which arrow's)."""

    row: int
    package: str
    passing: str = ""

    @property
    def width(self) -> float:
        return _PASSING if self.passing else _LETTER * len(self.package) + _PADDING


def picture(arrows: Mapping[str, Iterable[str]]) -> str:
    """The SVG of these packages: each with those that it imports."""
    rows = _levels(arrows)
    ways = [_way(above, below, rows) for above in sorted(arrows) for below in sorted(arrows[above])]
    lines = _ordered(
        {_PicturePlace(row, package) for package, row in rows.items()} | {each for way in ways for each in way}, ways
    )
    width = max(sum(place.width + _BETWEEN for place in line) - _BETWEEN for line in lines) + 2 * _MARGIN
    center = {place: x for line in lines for place, x in _centers(line, width)}
    height = _ROW * (len(lines) - 1) + _HEIGHT + 2 * _MARGIN
    drawn = [*(_arrow(way, center) for way in ways), *(_box(item, x) for item, x in center.items() if not item.passing)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" role="img" '
        f'aria-label="The packages; an arrow leads from a package to one that it imports"><style>{_STYLE}</style>'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="head" d="M0 0L8 4L0 8z"/></marker></defs>'
        f'<rect class="ground" width="{width:.0f}" height="{height}" rx="6"/>{"".join(drawn)}</svg>\n'
    )


def _levels(arrows: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Each package's row: one below the lowest of those that import it."""
    rows = dict.fromkeys(arrows, 0)
    for _ in arrows:
        for above, imported in arrows.items():
            for below in imported:
                rows[below] = max(rows[below], rows[above] + 1)
    return rows


def _way(above: str, below: str, rows: Mapping[str, int]) -> list[_PicturePlace]:
    passing = [_PicturePlace(row, above, below) for row in range(rows[above] + 1, rows[below])]
    return [_PicturePlace(rows[above], above), *passing, _PicturePlace(rows[below], below)]


def _ordered(places: set[_PicturePlace], ways: Iterable[list[_PicturePlace]]) -> list[list[_PicturePlace]]:
    beside: dict[_PicturePlace, list[_PicturePlace]] = {place: [] for place in places}
    for way in ways:
        for above, below in pairwise(way):
            beside[above].append(below)
            beside[below].append(above)
    lines: list[list[_PicturePlace]] = [[] for _ in range(max(place.row for place in places) + 1)]
    for place in sorted(places, key=lambda place: (place.row, place.package, place.passing)):
        lines[place.row].append(place)
    for number in range(_ROUNDS):
        for line in lines if number % 2 else reversed(lines):
            at = {each: index / max(len(other) - 1, 1) for other in lines for index, each in enumerate(other)}
            mean = {each: sum(at[other] for other in beside[each]) / max(len(beside[each]), 1) for each in line}
            line.sort(key=lambda each: (mean[each], each.package, each.passing))
    return lines


def _centers(line: list[_PicturePlace], width: float) -> Iterator[tuple[_PicturePlace, float]]:
    """The places of a row spread over the whole width."""
    room = (width - 2 * _MARGIN - sum(place.width for place in line)) / (len(line) + 1)
    x = _MARGIN + room
    for place in line:
        yield place, x + place.width / 2
        x += place.width + room


def _top(row: int) -> float:
    return _MARGIN + row * _ROW


def _box(place: _PicturePlace, x: float) -> str:
    left, top = x - place.width / 2, _top(place.row)
    box = f'<rect class="box" x="{left:.1f}" y="{top}" width="{place.width:.1f}" height="{_HEIGHT}" rx="4"/>'
    return f'{box}<text x="{x:.1f}" y="{top + _HEIGHT / 2 + 5:.1f}">{place.package}</text>'


def _arrow(way: list[_PicturePlace], center: Mapping[_PicturePlace, float]) -> str:
    """From the foot of one box to the head of another, straight through the rows between."""
    first, last = way[0], way[-1]
    parts = [f"M{center[first]:.1f} {_top(first.row) + _HEIGHT}"]
    for above, below in pairwise(way):
        start, end = _top(above.row) + _HEIGHT, _top(below.row) - (2 if below is last else 0)
        middle = (start + end) / 2
        parts.append(f"C{center[above]:.1f} {middle} {center[below]:.1f} {middle} {center[below]:.1f} {end}")
        if below is not last:
            parts.append(f"V{_top(below.row) + _HEIGHT}")
    return f'<path class="arrow" marker-end="url(#head)" d="{"".join(parts)}"/>'
