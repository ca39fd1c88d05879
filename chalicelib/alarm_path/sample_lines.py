"""Patterns on text tried on records as lines: which lines match, and what the match hangs on.

A term that callers or requests could bring in (a name, an address, an id) is also tried on lines
that hold it; an event's name or a field's is not, for no sensible record has it elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

from chalicelib.alarm_path.filter_pattern.evaluate import Verdict, line_of, line_verdict
from chalicelib.alarm_path.filter_pattern.regex import example
from chalicelib.alarm_path.filter_pattern.syntax import FieldsPattern, RegexPattern, TermsPattern
from chalicelib.alarm_path.sample_callers import call_of, callers
from chalicelib.alarm_path.sample_requests import requests

LinePattern: TypeAlias = TermsPattern | RegexPattern | FieldsPattern

_FIELD_AND_VALUE = re.compile(r'"(\w+)":"?[^"{}\[\]]*"?,?')
_CHOSEN_BY_CALLERS = (
    *("arn", "userName", "accountId", "principalId", "accessKeyId", "sourceIdentity", "invokedBy", "userAgent"),
    *("sourceIPAddress", "awsRegion", "recipientAccountId", "groupId", "groupName", "groupDescription", "description"),
    *("vpcId", "cidrIp", "cidrIpv6", "fromPort", "toPort"),
)
_VALUE = re.compile(r"[a-z0-9][\w .@:/+=,-]*")
_FIELD_NAME = re.compile(r"[a-z]+([A-Z][a-z]*)+")


def verdicts_on_lines(pattern: LinePattern, event: str) -> tuple[frozenset[Verdict], str]:
    """Every verdict on an event's records, and in words when the pattern matches."""
    lines = _lines(event)
    seen = {line_verdict(pattern, line) for line in lines}
    for text in _free_texts(pattern):
        if not any(text in line for line in lines):
            seen.add(line_verdict(pattern, f"{lines[0][:-1]},{text}}}"))
    return frozenset(seen), _in_words(pattern)


@lru_cache(maxsize=64)
def _lines(event: str) -> tuple[str, ...]:
    """Each kind of caller with one request, and each shape of request with one caller."""
    shapes = requests(event)
    samples = [call_of(caller, event) for caller in callers()]
    return (
        *(line_of({**sample, **shapes[0]}) for sample in samples),
        *(line_of({**samples[0], **shape}) for shape in shapes[1:]),
    )


def _free_texts(pattern: LinePattern) -> Iterator[str]:
    """What the pattern looks for that people could have written."""
    if isinstance(pattern, RegexPattern):
        text = example(pattern.regex.source)
        if text and _VALUE.fullmatch(text):
            yield text
    elif isinstance(pattern, TermsPattern):
        yield from (term.text for term in pattern.terms if _is_free(term.text))


def _is_free(text: str) -> bool:
    field = _FIELD_AND_VALUE.fullmatch(text)
    if field:
        return field.group(1) in _CHOSEN_BY_CALLERS
    return bool(_VALUE.fullmatch(text)) and not _FIELD_NAME.fullmatch(text)


def _in_words(pattern: LinePattern) -> str:
    if isinstance(pattern, RegexPattern):
        return f"the record's text matches %{pattern.regex.source}%"
    if isinstance(pattern, FieldsPattern):
        return "the record's text, cut at blanks, has these fields"
    return "the record's text " + " and ".join(_terms_in_words(pattern))


def _terms_in_words(pattern: TermsPattern) -> Iterator[str]:
    by_sign = {sign: [f"“{term.text}”" for term in pattern.terms if term.sign == sign] for sign in ("", "?", "-")}
    if by_sign[""]:
        yield f"holds {' and '.join(by_sign[''])}"
    elif by_sign["?"]:
        yield f"holds {' or '.join(by_sign['?'])}"
    if by_sign["-"]:
        yield f"does not hold {' or '.join(by_sign['-'])}"
