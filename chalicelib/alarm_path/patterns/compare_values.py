"""One value of a record against the right side of a comparison, as AWS does it.

A missing field, null, an array or an object meets no comparison at all, ``!=`` included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

from chalicelib.alarm_path.patterns.regex import compile_regex
from chalicelib.alarm_path.patterns.syntax import Compare, Number, Regex, Text, WantedValue


class Verdict(IntEnum):
    """Whether a filter counts a record. Ordered, so that AND is ``min`` and OR is ``max``."""

    NO_MATCH = 0
    UNKNOWN = 1
    MATCH = 2

    @classmethod
    def of(cls, found: bool) -> Verdict:
        """MATCH or NO_MATCH."""
        return cls.MATCH if found else cls.NO_MATCH


def compare_any(condition: Compare, values: Sequence[Any]) -> Verdict:
    """Whether any of the values meets the comparison."""
    if len(values) == 1:
        return compare(condition.operator, values[0], condition.value)
    if not values:
        return Verdict.NO_MATCH
    verdicts = [compare(condition.operator, value, condition.value) for value in values]
    if condition.operator == "!=" and condition.selector.has_wildcard and min(verdicts) != max(verdicts):
        return Verdict.UNKNOWN  # not documented: is it one element that differs, or all of them?
    return max(verdicts)


def compare(operator: str, actual: Any, wanted: WantedValue) -> Verdict:
    """Whether one value of a record meets ``operator wanted``."""
    if isinstance(actual, str) and isinstance(wanted, Text) and "*" not in wanted.text:
        return Verdict.of((actual == wanted.text) is (operator == "="))
    if actual is None or isinstance(actual, Mapping | list):
        return Verdict.NO_MATCH
    if operator not in ("=", "!="):
        return _ordered(operator, actual, wanted)
    equal = _equals(actual, wanted)
    if isinstance(actual, bool):
        return _boolean(operator, equal, wanted)
    return equal if operator == "=" else Verdict(Verdict.MATCH - equal)


def _boolean(operator: str, equal: Verdict, wanted: WantedValue) -> Verdict:
    # Only IS TRUE and IS FALSE are documented for booleans; * matches any scalar.
    if wanted == Text("*", quoted=True) or wanted == Text("*", quoted=False):
        return Verdict.of(operator == "=")
    return Verdict.UNKNOWN if operator == "!=" else min(equal, Verdict.UNKNOWN)


def _ordered(operator: str, actual: Any, wanted: WantedValue) -> Verdict:
    if isinstance(actual, bool) or not isinstance(actual, int | float) or not isinstance(wanted, Number):
        return Verdict.NO_MATCH
    limit = wanted.value
    return Verdict.of(
        {"<": actual < limit, ">": actual > limit, "<=": actual <= limit, ">=": actual >= limit}[operator]
    )


def _equals(actual: Any, wanted: WantedValue) -> Verdict:
    text = _text_of(actual)
    if isinstance(wanted, Number):
        if isinstance(actual, str):
            return _number_in_text(actual, wanted)
        return Verdict.of(not isinstance(actual, bool) and actual == wanted.value)
    if isinstance(wanted, Regex):
        return Verdict.of(compile_regex(wanted.source).found_in(text))
    number = isinstance(actual, int | float) and not isinstance(actual, bool)
    return wildcard_verdict(wanted.text, text, infix_is_known=not number)


def _number_in_text(actual: str, wanted: Number) -> Verdict:
    if actual == wanted.text:
        return Verdict.MATCH
    try:
        same_number = float(actual) == wanted.value
    except ValueError:
        return Verdict.NO_MATCH
    return Verdict.UNKNOWN if same_number else Verdict.NO_MATCH


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def wildcard_verdict(wanted: str, text: str, *, infix_is_known: bool = True) -> Verdict:
    """Whether a text meets a wanted text whose first and last characters may be ``*``."""
    if "*" not in wanted:
        return Verdict.of(wanted == text)
    if wanted == "*":
        return Verdict.MATCH
    leading, trailing = wanted.startswith("*"), wanted.endswith("*")
    core = wanted[leading : len(wanted) - trailing]
    if "*" in core:
        known = infix_is_known and not core.startswith("*") and not core.endswith("*")
        verdict = _ends_verdict(core, text, leading, trailing)
        return verdict if known or verdict == _glob(wanted, text) else Verdict.UNKNOWN
    return _ends_verdict(core, text, leading, trailing)


def _ends_verdict(core: str, text: str, leading: bool, trailing: bool) -> Verdict:
    if leading and trailing:
        return Verdict.of(core in text)
    if trailing:
        return Verdict.of(text.startswith(core))
    if leading and text.endswith(core):
        # Seen: = *111.111.111 does not match 111.111.111.111, as if only the first occurrence were tried.
        # https://github.com/cfchou/metric_filter_parser/blob/master/e2e/test_strings.py
        return Verdict.MATCH if text.find(core) + len(core) == len(text) else Verdict.UNKNOWN
    return Verdict.of(core == text and not leading)


def _glob(wanted: str, text: str) -> Verdict:
    """The reading in which every ``*`` is a wildcard."""
    parts = wanted.split("*")
    if not text.startswith(parts[0]) or not text[len(parts[0]) :].endswith(parts[-1]):
        return Verdict.NO_MATCH
    rest = text[len(parts[0]) : len(text) - len(parts[-1])]
    for part in parts[1:-1]:
        _, found, rest = rest.partition(part) if part else ("", "*", rest)
        if not found:
            return Verdict.NO_MATCH
    return Verdict.MATCH


_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def compare_word(operator: str, word: str, wanted: WantedValue) -> Verdict:
    """A field of a space-delimited line, where numbers are written as text."""
    if operator not in ("=", "!=") or isinstance(wanted, Number):
        if not _PLAIN_NUMBER.fullmatch(word):
            return Verdict.of(operator == "!=")
        return compare(operator, float(word), wanted)
    return compare(operator, word, wanted)
