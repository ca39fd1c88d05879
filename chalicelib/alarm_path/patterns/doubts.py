"""What a pattern holds whose meaning at AWS, or even acceptance, is not documented or was never verified.

A doubt about acceptance concerns the whole filter: if AWS refuses one clause, nothing matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chalicelib.alarm_path.patterns.regex import compile_regex
from chalicelib.alarm_path.patterns.syntax import (
    Compare,
    FieldCondition,
    FieldsPattern,
    JsonPattern,
    NotExists,
    Number,
    Pattern,
    Regex,
    RegexPattern,
    TermsPattern,
    Text,
    conditions,
)

_BARE_SYMBOLS = re.compile(r"[:/@]")


def acceptance_doubts(pattern: Pattern) -> tuple[str, ...]:
    """Why it is not known whether AWS takes this pattern, a phrase per reason; empty where it is known."""
    if isinstance(pattern, JsonPattern):
        found = (doubt for condition in conditions(pattern.expression) for doubt in condition_doubts(condition))
        return tuple(dict.fromkeys(found))
    if isinstance(pattern, RegexPattern):
        return tuple(_regex_doubts(pattern.regex))
    if isinstance(pattern, TermsPattern):
        return tuple(dict.fromkeys(_terms_doubts(pattern)))
    return _fields_doubts(pattern)


def is_doubtful(condition: FieldCondition) -> bool:
    """Whether there is any doubt about one condition."""
    if isinstance(condition, Compare) and isinstance(condition.value, Number):
        return condition.selector.is_undocumented
    return next(condition_doubts(condition), None) is not None


def means_unknown(condition: Compare) -> bool:
    """Whether it is not known what AWS compares, and not only whether it takes the condition."""
    value = condition.value
    if isinstance(value, Regex):
        return condition.operator == "!=" or compile_regex(value.source).doubtful
    return isinstance(value, Text) and value.lone_backslash


def condition_doubts(condition: FieldCondition) -> Iterator[str]:
    """The doubts about one condition."""
    if condition.selector.is_undocumented:
        yield "a bracketed name that is not written .['name']"
    if not isinstance(condition, Compare):
        if any(not keyword.isupper() for keyword in condition.keywords):
            yield f"{'NOT EXISTS' if isinstance(condition, NotExists) else 'IS'} in other than capital letters"
    elif isinstance(condition.value, Text):
        yield from _text_doubts(condition.value)
    elif isinstance(condition.value, Regex):
        if condition.operator == "!=":
            yield "a regular expression with !="
        yield from _regex_doubts(condition.value)


def _text_doubts(value: Text) -> Iterator[str]:
    if not value.quoted and _BARE_SYMBOLS.search(value.text):
        yield "one of : / @ in a value without quotes"
    if value.lone_backslash:
        yield "a backslash in quotes that escapes neither a quote nor a backslash"


def _regex_doubts(regex: Regex) -> Iterator[str]:
    # A blank is not among the characters that AWS lists, and public filters have it.
    if compile_regex(regex.source).doubtful or " " in regex.source:
        yield f"the regular expression %{regex.source}%"


def _terms_doubts(pattern: TermsPattern) -> Iterator[str]:
    if pattern.blank:
        yield "a pattern of nothing but blanks"
    for term in pattern.terms:
        if term.quoted and not term.text:
            yield "an empty phrase"
        if not term.quoted and term.text.startswith("%"):
            yield "a regular expression beside other terms"


def _fields_doubts(pattern: FieldsPattern) -> tuple[str, ...]:
    return ("a space-delimited pattern on JSON text",) if pattern.fields else ()
