"""Tree → filter pattern text, in one normal form; parsing it again gives the same tree."""

from __future__ import annotations

import re
from functools import partial

from chalicelib.alarm_path.patterns.parser import MAX_LENGTH
from chalicelib.alarm_path.patterns.syntax import (
    And,
    AnyElement,
    AnyValue,
    Compare,
    DelimitedField,
    Expression,
    FieldCondition,
    FieldsPattern,
    Index,
    JsonPattern,
    Name,
    Number,
    Or,
    Pattern,
    RegexPattern,
    Selector,
    SelectorStep,
    Term,
    Text,
    WantedValue,
)

_BACKSLASH = re.compile(r"\\")
_MUST_ESCAPE = re.compile(r'\\(?=[\\"]|\Z)')
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")


def render(pattern: Pattern) -> str:
    """The pattern as text; blanks are left out only where AWS's 1,024 characters would be passed."""
    roomy = _render(pattern, " ")
    return roomy if len(roomy) <= MAX_LENGTH else _render(pattern, "")


def _render(pattern: Pattern, blank: str) -> str:
    if isinstance(pattern, JsonPattern):
        return f"{{{blank}{render_expression(pattern.expression, blank)}{blank}}}"
    if isinstance(pattern, FieldsPattern):
        return f"[{f',{blank}'.join(_field(field, blank) for field in pattern.fields)}]"
    if isinstance(pattern, RegexPattern):
        return f"%{pattern.regex.source}%"
    terms = " ".join(map(_term, pattern.terms))
    # Without the blank behind it, a term that is a regular expression would be a pattern of that kind.
    return f"{terms} " if terms.startswith("%") and terms.endswith("%") else terms or " " * pattern.blank


def render_expression(expression: Expression, blank: str = " ") -> str:
    """Conditions as text, with parentheses only where the tree needs them."""
    if isinstance(expression, Or):
        return f"{blank}||{blank}".join(_inside(item, Or, blank) for item in expression.items)
    if isinstance(expression, And):
        return f"{blank}&&{blank}".join(_inside(item, And, blank) for item in expression.items)
    return _condition(expression, blank)


def _inside(item: Expression, outer: type[Or | And], blank: str) -> str:
    text = render_expression(item, blank)
    binds_tighter = not isinstance(item, Or) and not (isinstance(item, And) and outer is And)
    return text if binds_tighter else f"({text})"


def _condition(condition: FieldCondition, blank: str) -> str:
    selector = render_selector(condition.selector)
    if isinstance(condition, Compare):
        return f"{selector}{blank}{condition.operator}{blank}{render_value(condition.value)}"
    return f"{selector} {' '.join(condition.keywords)}"


def render_selector(selector: Selector) -> str:
    """A selector as text: ``$.a[0].['b.c']``."""
    return "$" + "".join(map(_step, selector.steps))


def _step(step: SelectorStep) -> str:
    if isinstance(step, Index):
        return f"[{step.index}]"
    if isinstance(step, AnyElement):
        return "[*]"
    if isinstance(step, AnyValue):
        return ".*"
    return _name(step)


def _name(step: Name) -> str:
    if step.raw:
        return step.raw
    return f".{step.name}" if _PLAIN_NAME.fullmatch(step.name) else f".['{step.name}']"


def render_value(value: WantedValue) -> str:
    """The right side of a comparison as text."""
    if isinstance(value, Text):
        return _quote(value.text, value.lone_backslash) if value.quoted else value.text
    return value.text if isinstance(value, Number) else f"%{value.source}%"


def _quote(text: str, lone_backslash: bool) -> str:
    backslashes = _MUST_ESCAPE if lone_backslash else _BACKSLASH
    escaped = backslashes.sub(r"\\\\", text).replace('"', '\\"')
    return f'"{escaped}"'


def _term(term: Term) -> str:
    return term.sign + (_quote(term.text, lone_backslash=True) if term.quoted else term.text)


def _field(field: DelimitedField, blank: str) -> str:
    if field.ellipsis:
        return "..."
    if not field.tests:
        return field.name
    tests = partial(map, lambda test: f"{test.name}{blank}{test.operator}{blank}{render_value(test.value)}")
    return f"{blank}||{blank}".join(f"{blank}&&{blank}".join(tests(group)) for group in field.tests)
