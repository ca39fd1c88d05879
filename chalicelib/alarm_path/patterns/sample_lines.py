"""Patterns on text tried on records as lines: which lines match, and what the match hangs on.

A term that callers or requests could bring in (a name, an address, an id) is also tried on lines
that hold it; an event's name or a field's is not, for no sensible record has it elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

from chalicelib.alarm_path.patterns.evaluate import Verdict, line_of, line_verdict
from chalicelib.alarm_path.patterns.regex import example
from chalicelib.alarm_path.patterns.sample_callers import call_of, callers
from chalicelib.alarm_path.patterns.sample_requests import requests
from chalicelib.alarm_path.patterns.syntax import FieldsPattern, RegexPattern, Term, TermsPattern

LinePattern: TypeAlias = TermsPattern | RegexPattern | FieldsPattern

_FIELD_AND_VALUE = re.compile(r'"(\w+)":"?[^"{}\[\]]*"?,?')
_CHOSEN_BY_CALLERS = (
    *("arn", "userName", "accountId", "principalId", "accessKeyId", "sourceIdentity", "invokedBy", "userAgent"),
    *("sourceIPAddress", "awsRegion", "recipientAccountId", "groupId", "groupName", "groupDescription", "description"),
    *("vpcId", "cidrIp", "cidrIpv6", "fromPort", "toPort", "securityGroupRuleId", "prefixListId", "vpcEndpointId"),
)
_VALUE = re.compile(r"(?:[a-z0-9]|(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9])[\w .@:/+=,-]*")
_FIELD_NAME = re.compile(r"[a-z]+([A-Z][a-z]*)+")


# Beyond so many patterns together, texts are tried in one line each, and not in every kind of line.
_MAX_CROSSED = 4


def verdicts_on_lines(patterns: Sequence[LinePattern], event: str) -> tuple[frozenset[Verdict], str]:
    """Every verdict of patterns together on an event's records, and in words when one of them matches."""
    seen = {max(verdicts) for verdicts in verdicts_by_pattern(tuple(patterns), event)}
    return frozenset(seen), " or ".join(map(_in_words, patterns))


@lru_cache(maxsize=256)
def verdicts_by_pattern(patterns: tuple[LinePattern, ...], event: str) -> frozenset[tuple[Verdict, ...]]:
    """Every combination of one verdict for each pattern that an event's records get."""
    lines = _lines(event)
    tried = dict.fromkeys(lines)
    for pattern in patterns:
        # A regular expression is one text, found in any line or none; of several terms, lines hold the others.
        extended = lines[:1] if isinstance(pattern, RegexPattern) or len(patterns) > _MAX_CROSSED else lines
        tried.update((f"{line[:-1]},{text}}}", None) for text in _free_texts(pattern) for line in extended)
    return frozenset(tuple(line_verdict(pattern, line) for pattern in patterns) for line in tried)


@lru_cache(maxsize=64)
def _lines(event: str) -> tuple[str, ...]:
    """Each kind of caller with one request, each shape of request with one caller, and each with other values."""
    shapes = requests(event)
    samples = [call_of(caller, event) for caller in callers()]
    lines = (
        *(line_of({**sample, **shapes[0]}) for sample in samples),
        *(line_of({**samples[0], **shape}) for shape in shapes[1:]),
    )
    return (*lines, *(_SAMPLE_VALUE.sub(lambda found: _OTHER_VALUES[found.group()], line) for line in lines))


# What the samples hold by chance is not in every record: a value of the samples and one that differs wholly.
_OTHER_VALUES = {
    "123456789012": "999988887777",
    "444455556666": "888877776666",
    "203.0.113.7": "192.0.2.77",
    "198.51.100.9": "192.0.2.78",
    "2001:db8::7": "fd00::77",
    "10.0.1.5": "172.16.0.77",
    "0.0.0.0/0": "192.0.2.77/32",
    "10.0.0.0/8": "172.16.0.0/16",
    "198.51.100.0/24": "192.0.2.0/25",
    "::/0": "fd00::/8",
    "us-east-1": "ap-east-2",
    "eu-west-1": "sa-west-7",
    "us-gov-west-1": "cn-north-1",
    "2026-11-23": "2027-02-03",
    "T09:00:00Z": "T04:05:06Z",
    "T10:00:00Z": "T04:05:07Z",
    "1.10": "1.09",
    "11111111-2222-3333-4444-555555555555": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "66666666-7777-8888-9999-000000000000": "ffffffff-eeee-dddd-cccc-bbbbbbbbbbbb",
    "AIDAEXAMPLE": "AIDAZQ",
    "AROAEXAMPLE": "AROAZQ",
    "AKIAEXAMPLE": "AKIAZQ",
    "ASIAEXAMPLE": "ASIAZQ",
    "sg-0abc": "sg-0zq7",
    "sg-0def": "sg-0zq8",
    "sgr-0abc": "sgr-0zq7",
    "vpc-0abc": "vpc-0zq7",
    "maria": "zq7",
    "deployer": "zq8",
    "ssh": "zq9",
    "web": "zq6",
    "TLSv1.3": "TLSv1.2",
    "TLS_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-SHA",
    '"fromPort":22,"toPort":22': '"fromPort":8,"toPort":8',
}
_SAMPLE_VALUE = re.compile("|".join(map(re.escape, sorted(_OTHER_VALUES, key=len, reverse=True))))


def _free_texts(pattern: LinePattern) -> Iterator[str]:
    """What the pattern looks for that people could have written, each by itself and all that must be there."""
    if isinstance(pattern, RegexPattern):
        text = example(pattern.regex.source)
        if text and _VALUE.fullmatch(text):
            yield text
    elif isinstance(pattern, TermsPattern):
        free = [term for term in pattern.terms if _is_free(term.text) or _shuts_out(term)]
        yield from (term.text for term in free)
        wanted = [term.text for term in free if term.sign != "-"]
        if len(wanted) > 1:
            yield ",".join(wanted)


def _shuts_out(term: Term) -> bool:
    """Whether callers can bring in the term and so keep their record from the filter: a user agent holds any text.

    A quote is written with a backslash before it inside of a value, so a term with one is only ever JSON's own.
    """
    return term.sign == "-" and '"' not in term.text and "\\" not in term.text


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
