"""Filter pattern text → tree, or an error at the offending place.

The text decides the kind: ``{`` opens a JSON pattern, ``[`` a space-delimited one, ``%`` a regular
expression, anything else is terms. Nothing may stand outside the brackets, not even a blank.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn

from chalicelib.alarm_path.patterns.conditions import ConditionParser
from chalicelib.alarm_path.patterns.pattern_error import INVALID_TERM, FilterPatternError
from chalicelib.alarm_path.patterns.scanner import BLANKS, OPERATORS, Scanner
from chalicelib.alarm_path.patterns.syntax import (
    Compare,
    DelimitedField,
    Expression,
    FieldsPattern,
    FieldTest,
    JsonPattern,
    Pattern,
    Regex,
    RegexPattern,
    Term,
    TermsPattern,
    conditions,
)

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
MAX_LENGTH = 1024
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-json-log-events.html
MAX_WILDCARD_SELECTORS = 3
MAX_REGEXES = 2

_TOO_LONG = "InvalidParameterException: 'filterPattern' failed to satisfy constraint: length at most 1024"
_WORD = re.compile(r"[A-Za-z0-9_]+")
_LONE_REGEX = re.compile(r"%[^%]*%")
_UNTIL_BLANK = re.compile(r"[^ \t\r\n]+")
_FIELD_NAME = re.compile(r"[A-Za-z0-9_-]+")


@lru_cache(maxsize=4096)
def parse(text: str) -> Pattern:
    """Read a filter pattern; raises FilterPatternError where AWS would refuse it."""
    if len(text) > MAX_LENGTH:
        raise FilterPatternError(f"a pattern has at most 1024 characters, not {len(text)}", text, MAX_LENGTH, _TOO_LONG)
    trimmed = text.strip(BLANKS)
    if trimmed[:1] in ("{", "["):
        _check_brackets(text, trimmed, trimmed[0])
    if trimmed.startswith("{"):
        return JsonPattern(_json(Scanner(text)))
    if trimmed.startswith("["):
        return FieldsPattern(_fields(Scanner(text)))
    if _LONE_REGEX.fullmatch(text):
        return RegexPattern(Scanner(text).regex())
    return _terms(Scanner(text), blank=bool(text) and not trimmed)


def _check_brackets(text: str, trimmed: str, opening: str) -> None:
    closing = {"{": "}", "[": "]"}[opening]
    if not trimmed.endswith(closing):
        raise FilterPatternError(f"a pattern that starts with {opening} must end with {closing}", text, len(text))
    if trimmed != text:
        place = 0 if text[0] in BLANKS else len(text.rstrip(BLANKS))
        raise FilterPatternError(f"AWS takes no blank outside {opening} and {closing}; trim the text", text, place)


def _json(scanner: Scanner) -> Expression:
    scanner.take("{")
    expression = ConditionParser(scanner).expression()
    if not scanner.take("}"):
        scanner.fail("a } is expected here")
    if scanner.next:
        scanner.fail("the pattern goes on after its closing }")
    _check_quotas(scanner, expression)
    return expression


def _check_quotas(scanner: Scanner, expression: Expression) -> None:
    found = conditions(expression)
    if sum(condition.selector.has_wildcard for condition in found) > MAX_WILDCARD_SELECTORS:
        scanner.fail("a pattern may hold at most three selectors with a wildcard", 0)
    if sum(isinstance(condition, Compare) and isinstance(condition.value, Regex) for condition in found) > MAX_REGEXES:
        scanner.fail("a pattern may hold at most two regular expressions", 0)


def _terms(scanner: Scanner, *, blank: bool) -> TermsPattern:
    terms: list[Term] = []
    scanner.blanks()
    while scanner.next:
        terms.append(_term(scanner))
        if scanner.next and scanner.next not in BLANKS:
            scanner.fail("terms are separated by blanks", aws=_refused_term(scanner))
        scanner.blanks()
    return TermsPattern(tuple(terms), blank)


def _term(scanner: Scanner) -> Term:
    start = scanner.position
    sign = scanner.next if scanner.next in ("?", "-") else ""
    scanner.take(sign)
    if scanner.at('"'):
        return Term(scanner.quoted(), quoted=True, sign=sign)
    if scanner.at("%"):
        return Term(f"%{scanner.regex().source}%", sign=sign)
    word = scanner.take_match(_WORD)
    if not word:
        _fail_on_term(scanner, start)
    return Term(word, sign=sign)


def _fail_on_term(scanner: Scanner, start: int) -> NoReturn:
    aws = _refused_term(scanner)
    if scanner.at("$."):
        scanner.fail("a JSON condition stands between { and }", start, aws)
    scanner.fail("a term with other characters than letters, digits and _ must stand in double quotes", aws=aws)


def _refused_term(scanner: Scanner) -> str:
    found = _UNTIL_BLANK.match(scanner.text, scanner.position)
    return f"{INVALID_TERM} '{found.group() if found else ''}'"


def _fields(scanner: Scanner) -> tuple[DelimitedField, ...]:
    scanner.take("[")
    fields = [_field(scanner)]
    while scanner.take(","):
        fields.append(_field(scanner))
    if not scanner.take("]"):
        scanner.fail("a , or ] is expected here")
    if scanner.next:
        scanner.fail("the pattern goes on after its closing ]")
    found = [test for field in fields for group in field.tests for test in group]
    if sum(isinstance(test.value, Regex) for test in found) > MAX_REGEXES:
        scanner.fail("a pattern may hold at most two regular expressions", 0)
    return tuple(fields)


def _field(scanner: Scanner) -> DelimitedField:
    scanner.blanks()
    if scanner.take("..."):
        scanner.blanks()
        return DelimitedField(ellipsis=True)
    name = scanner.take_match(_FIELD_NAME)
    if not name:
        return DelimitedField()
    scanner.blanks()
    if not _operator(scanner, peek=True):
        return DelimitedField(name)
    groups = [[_field_test(scanner, name)]]
    while scanner.at("||") or scanner.at("&&"):
        if scanner.take("||"):
            groups.append([])
        scanner.take("&&")
        scanner.blanks()
        start = scanner.position
        groups[-1].append(_field_test(scanner, scanner.take_match(_FIELD_NAME)))
        if groups[-1][-1].name != name:
            # https://github.com/awsdocs/amazon-cloudwatch-logs-user-guide/issues/21
            scanner.fail(f"what is compared between two commas is one field, here {name}", start)
    return DelimitedField(name, tuple(map(tuple, groups)))


def _field_test(scanner: Scanner, name: str) -> FieldTest:
    if not name:
        scanner.fail("the name of a field is expected here")
    scanner.blanks()
    operator = _operator(scanner)
    if not operator:
        scanner.fail("a comparison is expected here")
    # The 2018 revision of AWS's page writes [w1=!ERROR && w1=!WARN, w2] and explains it in two ways.
    if operator == "=" and scanner.take("!"):
        operator = "=!"
    scanner.blanks()
    value = scanner.value(operator)
    scanner.blanks()
    return FieldTest(name, operator, value)


def _operator(scanner: Scanner, *, peek: bool = False) -> str:
    for operator in OPERATORS:
        if scanner.at(operator):
            if not peek:
                scanner.take(operator)
            return operator
    return ""
