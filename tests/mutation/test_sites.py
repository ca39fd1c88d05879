"""The mutants themselves: one change each, and none where there is no behavior."""

from __future__ import annotations

import ast

from tests.mutation.__main__ import EQUIVALENT, core_files, equivalents, interval, labels
from tests.mutation.session import ROOT
from tests.mutation.sites import mutants, mutated
from tests.support.rows import every


@every(
    ("source", "made"),
    [
        ("a == b", {"a != b"}),
        ("a < b <= c", {"a <= b <= c", "a < b < c"}),
        ("a in b", {"a not in b"}),
        ("a is None", {"a is not None"}),
        ("a and b", {"a or b", "a", "b"}),
        ("not a", {"a"}),
        ("-a", {"a"}),
        ("a + b", {"a - b"}),
        ("a = 1", {"a = 2"}),
        ("a = True", {"a = False"}),
        ("a = 'b'", {"a = 'XXbXX'"}),
        ("def f():\n    return a", {"def f():\n    return None"}),
        ("def f():\n    return False", {"def f():\n    return True"}),
        ("def f():\n    return 0", {"def f():\n    return 1", "def f():\n    return None"}),
        ("frozenset({a})", {"pass"}),
        ("a if b else c", {"a if not b else c"}),
        ("while a:\n    pass", {"while not a:\n    pass"}),
        ("[a for a in b if c]", {"[a for a in b]"}),
        ("f(a)", {"a", "pass"}),
        ("f(a, b=c)", {"f(a)", "pass"}),
        ("a += b", {"a = b"}),
        ("'''A docstring.'''", set()),
        ("def f(a: 'x') -> 'y':\n    '''A docstring.'''", set()),
        ("f'a {b:>2}'", set()),
        ("if TYPE_CHECKING:\n    f(a)", set()),
    ],
)
def test_each_mutant_has_one_change(source: str, made: set[str]) -> None:
    found = {ast.unparse(mutated(source, mutant)) for mutant in mutants("m.py", source)}
    assert found == {ast.unparse(ast.parse(each)) for each in made}


def test_every_equivalent_mutant_is_there_and_has_a_reason() -> None:
    assert EQUIVALENT.exists()
    modules = {str(path.relative_to(ROOT / "chalicelib")): path for path in core_files()}
    for (module, text, kind), reason in equivalents().items():
        source = modules[module].read_text()
        lines = [line.strip() for line in source.splitlines()]
        assert text in lines, (module, text)
        made = [pair for pair in labels(mutants(module, source)).items() if lines[pair[0].line - 1] == text]
        assert kind in {name for item, label in made for name in (item.kind, label)}, (text, kind)
        assert reason.strip()


def test_the_interval_holds_the_share() -> None:
    low, high = interval(0.9, 600)
    assert 0.87 < low < 0.9 < high < 0.93
