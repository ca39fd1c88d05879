"""A filter pattern as it reads in one account: what that account's records always hold is decided.

``recipientAccountId`` is the account that received the record, also where another account called, and ``awsRegion`` is
one of its partition's regions.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.alarm_path.patterns.evaluate import Verdict, condition_verdict
from chalicelib.alarm_path.patterns.field_forms import regions_of
from chalicelib.alarm_path.patterns.parser import MAX_LENGTH, parse
from chalicelib.alarm_path.patterns.pattern_error import FilterPatternError
from chalicelib.alarm_path.patterns.syntax import (
    And,
    Compare,
    Expression,
    JsonPattern,
    Name,
    NotExists,
    Number,
    Or,
    Selector,
    Term,
    TermsPattern,
    Text,
)
from chalicelib.alarm_path.patterns.to_text import render

_NAME, _REGION_NAME = "recipientAccountId", "awsRegion"
_RECIPIENT, _REGION = Selector((Name(_NAME),)), Selector((Name(_REGION_NAME),))
_ALWAYS, _NEVER = Compare(_RECIPIENT, "=", Text("*", quoted=True)), NotExists(_RECIPIENT)
# Of no record known: every one has this field, and a truth value has IS TRUE, and not =, on AWS's page.
_UNKNOWN = Compare(Selector((Name("managementEvent"),)), "=", Text("true", quoted=False))


def in_account(text: str, account: str, partition: str = "aws") -> str:
    """The pattern with conditions on account and region as one that every record meets, or none; else as it is."""
    try:
        pattern = parse(text.strip())
    except FilterPatternError:
        return text
    if isinstance(pattern, TermsPattern):
        terms = tuple(_term(term, account) for term in pattern.terms)
        return text if terms == pattern.terms else render(TermsPattern(terms))
    if not isinstance(pattern, JsonPattern) or (_NAME not in text and _REGION_NAME not in text):
        return text
    decided = render(JsonPattern(_decided(pattern.expression, account, regions_of(partition))))
    return decided if len(decided) <= MAX_LENGTH else text


def _term(term: Term, account: str) -> Term:
    """A term that every line holds because of the account, as one that every line holds in any account."""
    field = f'"{_NAME}":"{account}"'
    return Term(_NAME, sign=term.sign) if account and term.text and term.text in field else term


def _decided(expression: Expression, account: str, regions: tuple[str, ...]) -> Expression:
    if isinstance(expression, Or):
        alone = tuple(item for item in expression.items if _is_on(item, _REGION))
        if len(alone) > 1 and all(_meets_any(alone, region) for region in regions):
            return _ALWAYS
    if isinstance(expression, And | Or):
        return type(expression)(tuple(_decided(item, account, regions) for item in expression.items))
    if not isinstance(expression, Compare):
        return expression
    if expression.selector == _RECIPIENT:
        if isinstance(expression.value, Number):
            return _numbered(expression.operator, expression.value, account)
        return _known(expression, (account,))
    return _known(expression, regions) if expression.selector == _REGION else expression


def _numbered(operator: str, wanted: Number, account: str) -> Expression:
    """A number without quotes beside the account, which is text.

    AWS's page takes digits for a string, which needs no quotes, and for a number, which no text is equal or unequal to.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    as_text = Compare(_RECIPIENT, operator, Text(wanted.text, quoted=True))
    matches = operator in ("=", "!=") and condition_verdict(as_text, (account,)) is Verdict.MATCH
    return _UNKNOWN if matches else _NEVER


def _is_on(item: Expression, selector: Selector) -> bool:
    return isinstance(item, Compare) and item.selector == selector


def _meets_any(items: Iterable[Expression], value: str) -> bool:
    return any(condition_verdict(item, (value,)) is Verdict.MATCH for item in items if isinstance(item, Compare))


def _known(condition: Compare, values: Iterable[str]) -> Expression:
    """What every one of the values makes of a condition; the condition itself where they differ."""
    found = {condition_verdict(condition, (value,)) for value in values}
    known: dict[Verdict, Expression] = {Verdict.MATCH: _ALWAYS, Verdict.NO_MATCH: _NEVER}
    return known.get(found.pop(), condition) if len(found) == 1 else condition
