"""A name means one thing: no two types share one, and a module's name repeats only where that is meant."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from chalicelib.settings.kinds import KINDS
from localcloud.receivers import BY_AWS

ROOT = Path(__file__).parents[1]
SOURCES = ("app.py", "chalicelib", "sgwatch", "localcloud", "benchmarks")
_COMMAND = "the command, and the idea that it runs"
_RECEIVER = "the destination, and the receiver of the local cloud that plays its service"
# Name of a module or package → what it means wherever it stands.
MEANT = {
    "__main__": "what `python -m` runs",
    "model": "the types of its package",
    "functions": "the Lambda functions, and the part of the local cloud that runs them",
    "audit": _COMMAND,
    "deploy": "the command, and how the local cloud deploys the same app",
    "explain": _COMMAND,
    "repair": _COMMAND,
    "undo": _COMMAND,
    "replay": "the command, and the benchmark that measures it",
    "alarm_path": "the alarm path, and the benchmark that measures its audit",
    **{kind.key: _RECEIVER for kind in KINDS if kind.key not in BY_AWS},
}


def files() -> Iterator[Path]:
    for name in SOURCES:
        place = ROOT / name
        yield from [place] if place.is_file() else sorted(place.rglob("*.py"))


def types_in(source: str) -> Iterator[str]:
    """The types that a module defines at its top: its classes, and what is assigned to a name in CamelCase."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name) and is_camel_case(target.id))


def is_camel_case(name: str) -> bool:
    bare = name.lstrip("_")
    return bare[:1].isupper() and any(letter.islower() for letter in bare)


def repeated(places: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: found for name, found in sorted(places.items()) if len(found) > 1}


def test_no_two_types_share_a_name() -> None:
    places = defaultdict(list)
    for path in files():
        for name in types_in(path.read_text(encoding="utf-8")):
            places[name.lstrip("_")].append(str(path.relative_to(ROOT)))
    assert repeated(places) == {}


def module_places() -> dict[str, list[str]]:
    places = defaultdict(list)
    for path in files():
        place = path.parent if path.name == "__init__.py" else path
        places[place.stem].append(str(place.relative_to(ROOT)))
    return repeated(places)


def test_a_modules_name_repeats_only_where_it_means_the_same() -> None:
    assert {name: places for name, places in module_places().items() if name not in MEANT} == {}


def test_every_repetition_that_is_meant_is_there() -> None:
    assert set(MEANT) <= set(module_places())


def test_a_type_is_seen_however_it_is_defined() -> None:
    lines = ("class One: ...", "Two = dict[str, int]", "Three: object = int", "_Four = str", "LIMIT = 4", "five = 5")
    assert list(types_in("\n".join(lines))) == ["One", "Two", "Three", "_Four"]
