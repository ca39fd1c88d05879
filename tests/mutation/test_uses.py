"""What a change of something bound at import reaches."""

from __future__ import annotations

import ast
from textwrap import dedent

from tests.mutation.uses import Line, Place, Uses

LOW = dedent(
    """\
    TABLE = {1: "x"}
    OTHER = [TABLE]
    def read(
        key=TABLE,
    ) -> "TABLE":
        return (
            key
        )
    class Kind:
        ONE = 1
        def name(self):
            return self.ONE
    """
)
HIGH = dedent(
    """\
    from low import OTHER as LIST
    def use():
        first = LIST[0]
        return first
    def call(kind: Kind):
        if read():
            return 1
        return 2
    """
)
USES = Uses({"low.py": LOW, "high.py": HIGH})


def of(source: str, module: str, kind: type[ast.AST], text: str) -> Place:
    numbers = [
        number
        for number, node in enumerate(ast.walk(ast.parse(source)))
        if isinstance(node, kind) and ast.unparse(node) == text
    ]
    return USES.place(module, numbers[0])


def test_a_node_is_in_its_statement_and_in_the_body_around_it() -> None:
    assert of(LOW, "low.py", ast.Constant, "'x'") == Place((1, 1), None, frozenset({"TABLE"}))
    assert of(LOW, "low.py", ast.Return, "return key") == Place((6, 8), (6, 8), frozenset({"read"}))
    assert of(LOW, "low.py", ast.List, "[TABLE]").statement == (2, 2)
    assert of(LOW, "low.py", ast.Attribute, "self.ONE") == Place((12, 12), (12, 12), frozenset({"Kind", "ONE", "name"}))
    assert of(HIGH, "high.py", ast.Call, "read()").statement == (6, 6)


def reached(*names: str, at_import: frozenset[Line] = frozenset()) -> set[Line]:
    return USES.reached(frozenset(names), at_import.__contains__)[0]


def test_a_name_reaches_the_functions_that_read_it_whatever_it_is_called_on_the_way() -> None:
    assert reached("OTHER") == {Line("high.py", 3)}
    assert reached("TABLE") == {Line("high.py", 3), Line("high.py", 6)}
    assert reached("ONE") == {Line("low.py", 12)}
    assert reached("Kind") == set(), "an annotation reads nothing"


def test_what_is_run_at_import_hands_a_change_on() -> None:
    ran = frozenset({Line("high.py", 6)})
    assert reached("read", at_import=ran) == {Line("high.py", 6)}
    assert USES.reached(frozenset({"read"}), ran.__contains__)[1] == {"read", "call"}
