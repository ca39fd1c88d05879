"""What docs/architecture.md shows of the code: the packages with their imports, and the tree of exceptions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import grimp

ROOT = "chalicelib"
_SOURCES = Path(__file__).parents[1] / ROOT
_BUILT_IN = ("Exception", "ValueError")


def imports() -> dict[str, set[str]]:
    """Package or module directly under ``chalicelib`` → those that it imports."""
    graph = grimp.build_graph(ROOT)
    rooms = sorted(graph.find_children(ROOT))
    return {
        importer.removeprefix(f"{ROOT}."): {
            imported.removeprefix(f"{ROOT}.")
            for imported in rooms
            if imported != importer
            and graph.direct_import_exists(importer=importer, imported=imported, as_packages=True)
        }
        for importer in rooms
    }


def reduced(arrows: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same order with the fewest arrows: one that a longer way implies is left out."""
    return {
        room: {direct for direct in below if not any(direct in _reach(arrows, other) for other in below - {direct})}
        for room, below in arrows.items()
    }


def _reach(arrows: Mapping[str, set[str]], room: str) -> set[str]:
    found: set[str] = set()
    waiting = [room]
    while waiting:
        new = arrows[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def exceptions() -> list[str]:
    """The lines of the tree of exceptions, each with what its docstring says first."""
    below: dict[str, list[tuple[str, str]]] = {}
    for name, base, meaning in sorted(_raised()):
        below.setdefault(base, []).append((name, meaning))
    return ["```text", *(line for base in _BUILT_IN for line in (base, *_branch(base, below, "  "))), "```"]


def _branch(base: str, below: Mapping[str, list[tuple[str, str]]], indent: str) -> Iterator[str]:
    for name, meaning in below.get(base, ()):
        yield f"{indent}{name}: {meaning}"
        yield from _branch(name, below, f"{indent}  ")


def _raised() -> Iterator[tuple[str, str, str]]:
    """Name, base and meaning of every public exception of the package."""
    classes = {
        node.name: (node.bases[0].id, (ast.get_docstring(node) or "").partition("\n")[0])
        for path in _SOURCES.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.bases and isinstance(node.bases[0], ast.Name)
    }
    known = set(_BUILT_IN)
    while new := {name for name, (base, _) in classes.items() if base in known} - known:
        known |= new
    yield from ((name, *classes[name]) for name in known - set(_BUILT_IN) if not name.startswith("_"))
