"""Space-delimited patterns on a line of JSON.

How AWS cuts a CloudTrail record, which is one long run of quotes and brackets, is not documented:
both readings are tried, and where they differ, or would match, the answer is unknown.
"""

from __future__ import annotations

from chalicelib.alarm_path.patterns.compare_values import Verdict, compare_word
from chalicelib.alarm_path.patterns.syntax import DelimitedField, FieldsPattern, FieldTest


def fields_verdict(pattern: FieldsPattern, line: str) -> Verdict:
    """Whether the pattern matches the line: the readings' common answer, or unknown."""
    whole = [line]
    cut = line.split()
    verdicts = {_row_verdict(pattern.fields, words) for words in (whole, cut)}
    return verdicts.pop() if len(verdicts) == 1 else Verdict.UNKNOWN


def _row_verdict(fields: tuple[DelimitedField, ...], words: list[str]) -> Verdict:
    """The best verdict over all ways to lay the fields over the words; ``...`` takes any number."""
    if len(fields) != len(words) and not any(field.ellipsis for field in fields):
        return Verdict.NO_MATCH
    reached = [Verdict.MATCH] + [Verdict.NO_MATCH] * len(words)
    for field in fields:
        if field.ellipsis:
            for index in range(1, len(reached)):
                reached[index] = max(reached[index], reached[index - 1])
        else:
            tested = [min(before, _field_verdict(field, word)) for before, word in zip(reached, words, strict=False)]
            reached = [Verdict.NO_MATCH, *tested]
    return reached[-1]


def _field_verdict(field: DelimitedField, word: str) -> Verdict:
    if not field.tests:
        return Verdict.MATCH
    return max(min(_test_verdict(test, word) for test in group) for group in field.tests)


def _test_verdict(test: FieldTest, word: str) -> Verdict:
    if test.operator == "=!":
        return Verdict.UNKNOWN
    return compare_word(test.operator, word, test.value)
