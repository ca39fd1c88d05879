"""Where names are used that are bound at import: what a change of the binding reaches."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Span = tuple[int, int]
_Compound = ast.If | ast.For | ast.While | ast.With | ast.Try | ast.Match | ast.FunctionDef | ast.ClassDef
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Line(NamedTuple):
    """One line of a module, by the module's name under ``chalicelib/``."""

    module: str
    number: int


@dataclass(frozen=True)
class Place:
    """Where a node is: the lines of its statement, and of the body that is run when it is called."""

    statement: Span
    function: Span | None
    # What its outermost statement binds: the name of its class or function, say.
    binds: frozenset[str]


class Uses:
    """The places of every node of the modules, and the lines that a name's value may reach."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._places = {module: list(_places(ast.parse(source))) for module, source in sources.items()}
        self._of_name: defaultdict[str, list[tuple[str, Place]]] = defaultdict(list)
        self._other_names: defaultdict[str, set[str]] = defaultdict(set)
        for module, source in sources.items():
            for (name, other), place in zip(_uses(ast.parse(source)), self._places[module], strict=True):
                if name:
                    self._of_name[name].append((module, place))
                if other:
                    self._other_names[other[0]].add(other[1])

    def place(self, module: str, number: int) -> Place:
        """The place of a module's node, by its number in a walk through the tree."""
        return self._places[module][number]

    def reached(self, names: frozenset[str], is_run_at_import: Callable[[Line], bool]) -> tuple[set[Line], set[str]]:
        """The lines of functions that what these names are bound to may reach, and the names that lead there."""
        lines: set[Line] = set()
        todo, seen = set(names), set[str]()
        while todo:
            name = todo.pop()
            seen.add(name)
            todo |= self._other_names[name] - seen
            for module, place in self._of_name[name]:
                found = {Line(module, number) for number in range(place.statement[0], place.statement[1] + 1)}
                if place.function is not None:
                    lines |= found
                if place.function is None or any(map(is_run_at_import, found)):
                    todo |= place.binds - seen
        return lines, seen


def _places(tree: ast.Module) -> Iterator[Place]:
    """The place of each node in the order of a walk."""
    found: dict[ast.AST, Place] = {tree: Place((0, 0), None, frozenset())}
    for statement in tree.body:
        _note(statement, Place(_span(statement), None, _bound(statement)), found)
    return (found[node] for node in ast.walk(tree))


def _note(node: ast.AST, place: Place, found: dict[ast.AST, Place]) -> None:
    if isinstance(node, ast.stmt):
        place = Place(_span(node), place.function, place.binds)
    found[node] = place
    within = place
    if isinstance(node, _Function):
        within = Place(place.statement, (node.body[0].lineno, node.end_lineno or node.lineno), place.binds)
    body = set(node.body) if isinstance(node, _Function) else set()
    for inner in ast.iter_child_nodes(node):
        _note(inner, within if inner in body else place, found)


def _span(statement: ast.stmt) -> Span:
    """The lines of a statement; of one with a body those before the body."""
    first = min([statement.lineno, *(node.lineno for node in getattr(statement, "decorator_list", ()))])
    if isinstance(statement, _Compound):
        body = statement.cases[0].pattern if isinstance(statement, ast.Match) else statement.body[0]
        return first, max(first, body.lineno - 1)
    return first, statement.end_lineno or first


def _bound(statement: ast.stmt) -> frozenset[str]:
    if isinstance(statement, _Function | ast.ClassDef):
        inside = statement.body if isinstance(statement, ast.ClassDef) else []
        return frozenset({statement.name}).union(*map(_bound, inside))
    return frozenset(
        node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )


def _uses(tree: ast.Module) -> Iterator[tuple[str | None, tuple[str, str] | None]]:
    """For each node in the order of a walk the name that it reads, or the name and the one that an import gives it."""
    skipped = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.arg | ast.AnnAssign | _Function)
        for kind in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if kind is not None
        for inner in ast.walk(kind)
    }
    for node in ast.walk(tree):
        name = node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else None
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            name = node.attr
        other = (node.name, node.asname) if isinstance(node, ast.alias) and node.asname else None
        yield (None if node in skipped else name), other
