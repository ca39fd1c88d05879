"""Where each field of an alert came from, found by trying: change one value of the record and see what changes.

So it cannot drift from the code that reads records, and names a value that was not used, too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert, AlertKind, to_json
from chalicelib.security_groups.address_ranges import parse_range
from chalicelib.security_groups.changes import NotWatched

Path = tuple[str | int, ...]
# Of a long list the first items stand for the others.
MOST_ITEMS = 3
_MOST_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Trace:
    """``sources``: for each field of the alert, the values of the record that it was made of.

    ``decisive`` are values without which the record is of no watched event or cannot be understood;
    ``unused`` are those of which nothing in the alert is made.
    """

    sources: Mapping[Path, tuple[Path, ...]]
    decisive: tuple[Path, ...]
    unused: tuple[Path, ...]


def trace(raw: Mapping[str, Any]) -> Trace:
    """The trace of a watched record.

    Raises:
        NotWatched: as ``alert_of`` does.
    """
    original = alert_of(raw)
    before = dict(leaves(to_json(original)))
    sources: dict[Path, list[Path]] = {field: [] for field in before}
    decisive, unused = [], []
    for path, value in leaves(raw, MOST_ITEMS):
        if value is None:
            continue
        fields = _touched(raw, path, value, original, before)
        if fields is None:
            decisive.append(path)
            # What is copied into the alert is kept apart from what only decides.
            fields = [field for field, held in before.items() if held == value]
        elif not fields:
            unused.append(path)
        for field in fields:
            sources[field].append(path)
    return Trace({field: tuple(paths) for field, paths in sources.items()}, tuple(decisive), tuple(unused))


def _touched(
    raw: Mapping[str, Any], path: Path, value: object, original: Alert, before: Mapping[Path, object]
) -> list[Path] | None:
    """The alert's fields that change with this value, or else that change without it; None where no alert is left."""
    for another in (_another(value), None):
        try:
            alert = alert_of(_changed(raw, path, another))
        except NotWatched:
            return None
        if alert.kind is not original.kind and alert.kind is AlertKind.NOT_UNDERSTOOD:
            return None
        after = dict(leaves(to_json(alert)))
        fields = [field for field in before if after.get(field) != before[field]]
        if fields or after != before:
            return fields
    return []


def leaves(value: object, most_items: int | None = None, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every value in a document that holds no others, with its path."""
    if len(path) < _MOST_DEPTH and isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, most_items, (*path, key))
    elif len(path) < _MOST_DEPTH and isinstance(value, list) and value:
        for index, item in enumerate(value[:most_items]):
            yield from leaves(item, most_items, (*path, index))
    else:
        yield path, value


def path_text(path: Path) -> str:
    """``requestParameters.ipPermissions.items[0].fromPort``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _changed(raw: Mapping[str, Any], path: Path, another: object) -> Mapping[str, Any]:
    changed: Any = copy.deepcopy(raw)
    inside = changed
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = another
    return changed  # type: ignore[no-any-return]


def _another(value: object) -> object:
    """A value of the same kind that says something else."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if not isinstance(value, str):
        return "changed"
    if value.lower() in ("true", "false"):
        return "false" if value.lower() == "true" else "true"
    if value.isdecimal() and len(value) < 12:
        return str(int(value) + 1)
    if parse_range(value):
        return "198.51.100.7/32" if ":" not in value else "2001:db8::7/128"
    if value[-1:] == "Z" and value[:4].isdecimal():
        return "2000" + value[4:]
    return value + "x"
