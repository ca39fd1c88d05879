"""Patterns run on records: match, no match, or unknown where what AWS does is not known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from chalicelib.alarm_path.patterns.compare_values import Verdict, compare_any
from chalicelib.alarm_path.patterns.doubts import acceptance_doubts, is_doubtful, means_unknown
from chalicelib.alarm_path.patterns.regex import compile_regex
from chalicelib.alarm_path.patterns.space_delimited import fields_verdict
from chalicelib.alarm_path.patterns.syntax import (
    And,
    AnyElement,
    Compare,
    Expression,
    FieldCondition,
    FieldsPattern,
    Index,
    Is,
    JsonPattern,
    Name,
    Or,
    Pattern,
    RegexPattern,
    Selector,
    SelectorStep,
    TermsPattern,
)

__all__ = ["Verdict", "condition_verdict", "line_of", "line_verdict", "matches", "resolve"]


class _Missing(Enum):
    MISSING = 0


def matches(pattern: Pattern, record: Mapping[str, Any]) -> Verdict:
    """Whether a filter with this pattern counts this CloudTrail record."""
    if isinstance(pattern, JsonPattern):
        verdict = _expression_verdict(pattern.expression, record)
        return soften(verdict) if acceptance_doubts(pattern) else verdict
    return line_verdict(pattern, line_of(record))


def soften(verdict: Verdict) -> Verdict:
    """The verdict of a filter that AWS may refuse: what would match is unknown, what would not stays so."""
    return min(verdict, Verdict.UNKNOWN)


def line_of(record: Mapping[str, Any]) -> str:
    """A record as CloudTrail writes it into a log group: JSON without a blank between tokens."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False, default=str)


def line_verdict(pattern: TermsPattern | RegexPattern | FieldsPattern, line: str) -> Verdict:
    """Whether a pattern on text matches a line."""
    if isinstance(pattern, TermsPattern):
        verdict = _terms_verdict(pattern, line)
    elif isinstance(pattern, RegexPattern):
        compiled = compile_regex(pattern.regex.source)
        verdict = Verdict.UNKNOWN if compiled.doubtful else Verdict.of(compiled.found_in(line))
    else:
        verdict = fields_verdict(pattern, line)
    return soften(verdict) if acceptance_doubts(pattern) else verdict


def _expression_verdict(expression: Expression, record: Mapping[str, Any]) -> Verdict:
    if isinstance(expression, And):
        return min(_expression_verdict(item, record) for item in expression.items)
    if isinstance(expression, Or):
        return max(_expression_verdict(item, record) for item in expression.items)
    return condition_verdict(expression, resolve(expression.selector, record))


def condition_verdict(condition: FieldCondition, values: Sequence[Any]) -> Verdict:
    """A condition's verdict on what its selector found; no values is a missing field."""
    if isinstance(condition, Compare):
        if means_unknown(condition):
            return Verdict.UNKNOWN if any(map(_is_scalar, values)) else Verdict.NO_MATCH
        verdict = compare_any(condition, values)
        return soften(verdict) if is_doubtful(condition) else verdict
    if isinstance(condition, Is):
        verdict = Verdict.of(any(value is condition.wanted for value in values))
    else:
        verdict = Verdict.of(not values)
        # With a wildcard it is not documented whether one missing element is enough.
        if condition.selector.has_wildcard:
            return soften(verdict)
    return soften(verdict) if is_doubtful(condition) else verdict


def _is_scalar(value: Any) -> bool:
    return value is not None and not isinstance(value, Mapping | list)


def resolve(selector: Selector, record: Any) -> tuple[Any, ...]:
    """The values a selector leads to in a record: none, one, or with a wildcard several."""
    values: list[Any] = [record]
    for step in selector.steps:
        values = [found for value in values for found in _stepped(step, value)]
    return tuple(values)


def _stepped(step: SelectorStep, value: Any) -> Iterable[Any]:
    if isinstance(step, Name):
        found = value.get(step.name, _Missing.MISSING) if isinstance(value, Mapping) else _Missing.MISSING
        return () if found is _Missing.MISSING else (found,)
    if isinstance(step, Index):
        return value[step.index : step.index + 1] if isinstance(value, list) else ()
    if isinstance(step, AnyElement):
        return value if isinstance(value, list) else ()
    return value.values() if isinstance(value, Mapping) else ()


def _terms_verdict(pattern: TermsPattern, line: str) -> Verdict:
    if any(term.quoted and term.text == " " and not term.sign for term in pattern.terms) and len(pattern.terms) == 1:
        return Verdict.MATCH  # documented: a blank in quotes matches everything
    if any(_found(term.text, line) for term in pattern.terms if term.sign == "-"):
        return Verdict.NO_MATCH
    plain = [term for term in pattern.terms if not term.sign]
    if plain:
        # Optional terms beside plain ones are ignored.
        return Verdict.of(all(_found(term.text, line) for term in plain))
    optional = [term for term in pattern.terms if term.sign == "?"]
    if not optional or any(_found(term.text, line) for term in optional):
        return Verdict.MATCH
    # Whether optional terms beside excluded ones are ignored too is not known.
    return Verdict.UNKNOWN if len(optional) < len(pattern.terms) else Verdict.NO_MATCH


def _found(term: str, line: str) -> bool:
    return term in line
