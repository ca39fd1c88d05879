"""The mutants of a module: every place in its syntax tree where one small change makes another program."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.Lt: ast.LtE(),
    ast.LtE: ast.Lt(),
    ast.Gt: ast.GtE(),
    ast.GtE: ast.Gt(),
    ast.Is: ast.IsNot(),
    ast.IsNot: ast.Is(),
    ast.In: ast.NotIn(),
    ast.NotIn: ast.In(),
}
_COUNTED: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.FloorDiv(),
    ast.FloorDiv: ast.Mult(),
    ast.Mod: ast.Mult(),
    ast.LShift: ast.RShift(),
    ast.RShift: ast.LShift(),
    ast.BitOr: ast.BitAnd(),
    ast.BitAnd: ast.BitOr(),
}


@dataclass(frozen=True, order=True)
class Mutant:
    """One change of one module: ``place`` is the node in the order of a walk through the tree, ``kind`` the change."""

    module: str
    line: int
    place: int
    kind: str

    @property
    def name(self) -> str:
        """``exposure/compare.py:99#12:in`` and the like."""
        return f"{self.module}:{self.line}#{self.place}:{self.kind}"


_Change = Callable[[ast.AST], ast.AST]


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module's source, in the order of its nodes."""
    tree = ast.parse(source)
    skipped = _skipped(tree)
    for place, node in enumerate(ast.walk(tree)):
        if id(node) not in skipped:
            for kind in _changes(node):
                yield Mutant(module, _line(node), place, kind)


def _line(node: ast.AST) -> int:
    # A comprehension has no line of its own.
    lines: list[int | None] = [getattr(inner, "lineno", None) for inner in ast.walk(node)]
    return next(line for line in lines if line is not None)


def mutated(source: str, mutant: Mutant) -> ast.Module:
    """The module's tree with the change made."""
    tree = ast.parse(source)
    target = next(node for place, node in enumerate(ast.walk(tree)) if place == mutant.place)
    made = _changes(target)[mutant.kind](copy.deepcopy(target))

    class Replacing(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return ast.copy_location(made, node) if node is target else self.generic_visit(node)

    Replacing().visit(tree)
    return ast.fix_missing_locations(tree)


def _skipped(tree: ast.Module) -> set[int]:  # noqa: C901 - one branch for each kind of node
    """What is no behavior of a program: annotations, docstrings, decorators, types of classes, texts put together."""
    skipped: set[int] = set()

    def skip(node: ast.AST | None) -> None:
        if node is not None:
            skipped.update(id(inner) for inner in ast.walk(node))

    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module) and _has_docstring(
            node
        ):
            skip(node.body[0])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            skip(node.returns)
            for decorator in node.decorator_list:
                skip(decorator)
        if isinstance(node, ast.arg | ast.AnnAssign):
            skip(node.annotation)
        if isinstance(node, ast.JoinedStr | ast.Slice):
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.Constant):
                    skip(part)
        if isinstance(node, ast.FormattedValue):
            skip(node.format_spec)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            skip(node)
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "__all__" for to in node.targets):
            skip(node)
    return skipped


def _has_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _changes(node: ast.AST) -> dict[str, _Change]:  # noqa: C901, PLR0912 - one branch for each kind of node
    changes: dict[str, _Change] = {}
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            if type(operator) in _COMPARED:
                changes[f"comparison{number or ''}"] = _compared(number)
    elif isinstance(node, ast.BoolOp):
        changes["and/or"] = _with(op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        for number in range(len(node.values)):
            changes[f"without operand {number}"] = _without_operand(number)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        changes["without not" if isinstance(node.op, ast.Not) else "without minus"] = _inner("operand")
    elif isinstance(node, ast.BinOp) and type(node.op) in _COUNTED:
        changes["arithmetic"] = _with(op=_COUNTED[type(node.op)])
    elif isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            changes["constant"] = _with(value=not value)
        elif isinstance(value, int):
            changes["constant"] = _with(value=value + 1)
        elif isinstance(value, str) and value:
            changes["constant"] = _with(value=f"XX{value}XX")
    elif isinstance(node, ast.Return) and node.value is not None and not _is_false(node.value):
        changes["return None"] = _with(value=ast.Constant(None))
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        changes["condition"] = _negated("test")
    elif isinstance(node, ast.comprehension) and node.ifs:
        changes["no condition"] = _with(ifs=[])
    elif isinstance(node, ast.Call):
        for number, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                changes[f"without {keyword.arg}"] = _without_keyword(number)
        only = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if only is not None and not isinstance(only, ast.Starred | ast.GeneratorExp) and not _is_frozen(node):
            changes["without call"] = _first_argument
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        changes["without statement"] = _with_pass
    elif isinstance(node, ast.AugAssign):
        changes["assignment"] = _as_assignment
    return changes


def _is_false(node: ast.AST) -> bool:
    """None itself, and False, which is told from None nowhere."""
    return isinstance(node, ast.Constant) and (node.value is None or node.value is False)


def _is_frozen(node: ast.Call) -> bool:
    """``frozenset({…})``: the set by itself is the same to all who change nothing."""
    return isinstance(node.func, ast.Name) and node.func.id == "frozenset" and isinstance(node.args[0], ast.Set)


def _with(**fields: object) -> _Change:
    def change(made: ast.AST) -> ast.AST:
        for name, value in fields.items():
            setattr(made, name, value)
        return made

    return change


def _inner(name: str) -> _Change:
    def change(made: ast.AST) -> ast.AST:
        inner: ast.AST = getattr(made, name)
        return inner

    return change


def _first_argument(made: ast.AST) -> ast.AST:
    assert isinstance(made, ast.Call)
    return made.args[0]


def _as_assignment(made: ast.AST) -> ast.AST:
    assert isinstance(made, ast.AugAssign)
    return ast.Assign([made.target], made.value)


def _compared(number: int) -> _Change:
    def change(made: ast.AST) -> ast.AST:
        assert isinstance(made, ast.Compare)
        made.ops[number] = _COMPARED[type(made.ops[number])]
        return made

    return change


def _without_operand(number: int) -> _Change:
    def change(made: ast.AST) -> ast.AST:
        assert isinstance(made, ast.BoolOp)
        del made.values[number]
        return made if len(made.values) > 1 else made.values[0]

    return change


def _without_keyword(number: int) -> _Change:
    def change(made: ast.AST) -> ast.AST:
        assert isinstance(made, ast.Call)
        del made.keywords[number]
        return made

    return change


def _negated(name: str) -> _Change:
    def change(made: ast.AST) -> ast.AST:
        setattr(made, name, ast.UnaryOp(ast.Not(), getattr(made, name)))
        return made

    return change


def _with_pass(_made: ast.AST) -> ast.AST:
    return ast.Pass()
