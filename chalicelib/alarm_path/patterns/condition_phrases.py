"""Conditions of a filter pattern in words: "userIdentity.type = Root and errorCode is absent"."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chalicelib.alarm_path.patterns.syntax import (
    And,
    Compare,
    Expression,
    FieldCondition,
    Is,
    Or,
    Selector,
    Text,
    conditions,
)
from chalicelib.alarm_path.patterns.to_text import render_selector, render_value

_MAX_LENGTH = 300


def in_words(expressions: Sequence[Expression], may_be_missing: Collection[Selector]) -> str:
    """When any of these expressions holds; ``may_be_missing`` are the selectors of fields not always there."""
    several = expressions[0] if len(expressions) == 1 else Or(tuple(expressions))
    text = _expression(several, may_be_missing)
    if len(text) <= _MAX_LENGTH:
        return text
    names = dict.fromkeys(_field(condition.selector) for condition in conditions(several))
    return f"the filter's conditions on {', '.join(names)} are met"


def _expression(expression: Expression, may_be_missing: Collection[Selector]) -> str:
    if not isinstance(expression, And | Or):
        return _condition(expression, may_be_missing)
    texts = [
        f"({_expression(item, may_be_missing)})" if isinstance(item, And | Or) else _condition(item, may_be_missing)
        for item in expression.items
    ]
    return (" and " if isinstance(expression, And) else " or ").join(texts)


def _field(selector: Selector) -> str:
    name = render_selector(selector).removeprefix("$").removeprefix(".")
    return "any field" if name == "*" else name


def _condition(condition: FieldCondition, may_be_missing: Collection[Selector]) -> str:
    name = _field(condition.selector)
    if isinstance(condition, Is):
        return f"{name} is {condition.keywords[1].lower()}"
    if not isinstance(condition, Compare):
        return f"{name} is absent"
    if condition.operator not in ("=", "!="):
        return f"{name} {condition.operator} {render_value(condition.value)}"
    if condition.operator == "=":
        return f"{name} {_positive(condition)}"
    there = "is there and " if condition.selector in may_be_missing else ""
    return f"{name} {there}{_negative(condition)}"


def _ends(condition: Compare) -> tuple[str, str]:
    """How the text may stand in the field, and the text."""
    if not isinstance(condition.value, Text):
        return ("", render_value(condition.value))
    text = condition.value.text
    core = text.removeprefix("*").removesuffix("*")
    if "*" not in text or "*" in core or not core:
        return ("", text)
    return (
        {(True, True): "contain", (True, False): "end with", (False, True): "begin with"}[
            text[0] == "*", text[-1] == "*"
        ],
        core,
    )


def _positive(condition: Compare) -> str:
    how, text = _ends(condition)
    if text == "*":
        return "is there"
    if not how:
        return f"matches {text}" if text.startswith("%") else f"= {text}"
    verb, _, rest = how.partition(" ")
    return f"{verb}s {rest} {text}" if rest else f"{verb}s {text}"


def _negative(condition: Compare) -> str:
    how, text = _ends(condition)
    return f"does not {how} {text}" if how else f"is not {text}"
