"""A filter pattern as it reads in one account: what that account's records always hold is decided.

``recipientAccountId`` is the account that received the record, also where another account called.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from chalicelib.alarm_path.patterns.evaluate import Verdict, condition_verdict
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
    Text,
)
from chalicelib.alarm_path.patterns.to_text import render

_NAME = "recipientAccountId"
_RECIPIENT = Selector((Name(_NAME),))
_ALWAYS, _NEVER = Compare(_RECIPIENT, "=", Text("*", quoted=True)), NotExists(_RECIPIENT)


def in_account(text: str, account: str) -> str:
    """The pattern with each condition on the account as one that every record meets, or none; else as it is."""
    if _NAME not in text:
        return text
    try:
        pattern = parse(text.strip())
    except FilterPatternError:
        return text
    if not isinstance(pattern, JsonPattern):
        return text
    decided = render(JsonPattern(_decided(pattern.expression, account)))
    return decided if len(decided) <= MAX_LENGTH else text


def _decided(expression: Expression, account: str) -> Expression:
    if isinstance(expression, And | Or):
        return type(expression)(tuple(_decided(item, account) for item in expression.items))
    if not isinstance(expression, Compare) or expression.selector != _RECIPIENT or isinstance(expression.value, Number):
        return expression  # the account is text, and what AWS makes of a number beside it is not documented
    known: dict[Verdict, Expression] = {Verdict.MATCH: _ALWAYS, Verdict.NO_MATCH: _NEVER}
    return known.get(condition_verdict(expression, (account,)), expression)
