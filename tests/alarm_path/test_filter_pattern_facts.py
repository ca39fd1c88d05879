"""The answers that public sources recorded, row by row."""

from __future__ import annotations

import json
from operator import itemgetter
from pathlib import Path
from typing import Any

from chalicelib.alarm_path.patterns.coverage import Counted, coverage
from chalicelib.alarm_path.patterns.evaluate import Verdict, matches
from chalicelib.alarm_path.patterns.parser import parse
from chalicelib.alarm_path.patterns.pattern_error import FilterPatternError
from chalicelib.alarm_path.patterns.to_text import render
from tests.support.rows import every

ROOT = Path(__file__).parents[2]
FOLDERS = [folder for folder in (ROOT / "tests/data/patterns", ROOT.parent / "shared/patterns") if folder.is_dir()]


def rows(name: str) -> list[Any]:
    found: list[Any] = []
    for folder in FOLDERS:
        with (folder / name).open(encoding="utf-8") as lines:
            found.extend({"line": f"{folder.name}-{n}", **json.loads(line)} for n, line in enumerate(lines, 1))
    return found


VERDICTS, PATTERNS = rows("verdicts.jsonl"), rows("patterns.jsonl")

# The record differs from what the source says, each for a reason.
SINGLES_OUT_CALLERS = {
    # A role session of Identity Center is such a caller; the recorded answer comes from records without one.
    (
        '{ $.readOnly IS FALSE  && $.userIdentity.sessionContext.sessionIssuer.userName = "AWSReservedSSO_*" '
        '&& $.eventName != "ConsoleLogin" }'
    ),
    # A caller at 123.123.x.y is not counted; the recorded answer comes from records without one.
    '{ $.eventType = "*" && $.sourceIPAddress != 123.123.* }',
    # A caller whose user agent, or whose description of the group, holds the excluded word is not counted.
    "SecurityGroup -Describe",
}
NOT_KNOWN = {
    # Lower-case keywords were seen in use; that AWS takes them, or how, was never verified.
    "{$.readOnly is FALSE}",
    # A bare / is refused by AWS's page and was never tried.
    (
        "{ ($.eventName = AuthorizeSecurityGroupIngress) && "
        "($.requestParameters.ipPermissions.items[0].ipRanges.items[0].cidrIp = 0.0.0.0/0) }"
    ),
}


@every("row", VERDICTS, ids=itemgetter("line"))
def test_a_verified_verdict_is_answered_as_recorded(row: dict[str, Any]) -> None:
    if not row["verified"]:
        return
    try:
        answer = {Verdict.MATCH: "match", Verdict.NO_MATCH: "no-match", Verdict.UNKNOWN: "unknown"}[
            matches(parse(row["pattern"]), row["record"])
        ]
    except FilterPatternError:
        answer = "invalid"
    assert answer == row["expected"]


@every("row", PATTERNS, ids=itemgetter("line"))
def test_a_pattern_is_valid_as_recorded(row: dict[str, Any]) -> None:
    valid = coverage(row["pattern"]).error is None
    assert valid is (row["expected_valid"] is not False)


@every("row", PATTERNS, ids=itemgetter("line"))
def test_a_pattern_covers_what_is_recorded(row: dict[str, Any]) -> None:
    judged = coverage(row["pattern"])
    recorded = row.get("coverage_detail") or {}
    expected = {event: Counted("sometimes" if word == "conditional" else word) for event, word in recorded.items()}
    if row["pattern"] in SINGLES_OUT_CALLERS:
        expected = dict.fromkeys(expected, Counted.SOMETIMES)
    elif row["pattern"] in NOT_KNOWN:
        expected = {event: word if word is Counted.NEVER else Counted.UNKNOWN for event, word in expected.items()}
    assert {event: judged.status(event) for event in expected} == expected


@every("row", PATTERNS, ids=itemgetter("line"))
def test_a_recorded_pattern_survives_being_printed(row: dict[str, Any]) -> None:
    if row["expected_valid"] is not False:
        pattern = parse(row["pattern"])
        assert parse(render(pattern)) == pattern
