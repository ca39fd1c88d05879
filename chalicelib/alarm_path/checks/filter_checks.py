"""Checks of a metric filter: what it matches, what it publishes for a match, and under which dimensions."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from chalicelib.alarm_path.checks.transformers import untransformed
from chalicelib.alarm_path.patterns.pattern_coverage import PatternCoverage
from chalicelib.alarm_path.snapshot.model import MetricFilter, Snapshot
from chalicelib.alarm_path.standards import EVENTS
from chalicelib.alarm_path.verdicts import Finding, Status, all_of
from chalicelib.aws.arns import Arn

# No field of CloudTrail's is a number in every record of these calls, nor anything that their requests and responses
# hold: DeleteSecurityGroup's hold an id. Of numbers written as text it is not documented whether they are published.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
_UNSURE_FIELDS = ("$.eventVersion", "$.recipientAccountId", "$.userIdentity.accountId", "$.*", "$.[")

_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")

_VALUE = re.compile(r'"([^"]*)"')
_CRITERION = re.compile(
    r"\s*(?P<field>@aws\.(?:account|region))\s*(?P<operator>!=|=|NOT\s+IN|IN)\s*"
    r"(?P<values>\"[^\"]*\"|\[\s*\"[^\"]*\"(?:\s*,\s*\"[^\"]*\")*\s*\])\s*(?P<glue>AND|OR|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class FilterVerdict:
    """What was found about a filter; ``value`` is what it publishes for a match, None where that is not known."""

    findings: tuple[Finding, ...]
    coverage: PatternCoverage
    value: float | None
    notes: tuple[str, ...] = ()


def judge_filter(item: MetricFilter, coverage: PatternCoverage, group: Arn, snapshot: Snapshot) -> FilterVerdict:
    """Every check of the filter itself."""
    published, value = _value(item)
    findings = (_coverage(item, coverage), published, _scope(item, group, snapshot))
    notes = []
    if coverage.over_matches:
        notes.append(f"Metric filter {item.name} matches other calls too, so its alarm also fires for those.")
    return FilterVerdict(findings, coverage, value, tuple(notes))


def _coverage(item: MetricFilter, coverage: PatternCoverage) -> Finding:
    status = all_of(coverage.covers(event) for event in EVENTS)
    return Finding("filter-coverage", status, item.name, coverage_sentence(item, coverage))


def coverage_sentence(item: MetricFilter, coverage: PatternCoverage) -> str:
    """Which events a filter matches, in words."""
    if coverage.error:
        return f"Metric filter {item.name} has a pattern that matches nothing: {coverage.error}."
    by_answer: dict[str, list[str]] = {}
    for event in EVENTS:
        answer = coverage.events.get(event, "never")
        when = coverage.conditions.get(event)
        by_answer.setdefault(answer, []).append(f"{event} ({when})" if answer == "sometimes" and when else event)
    if set(by_answer) == {"always"}:
        return f"Metric filter {item.name} matches every watched call."
    words = {
        "always": "always matches",
        "sometimes": "matches only sometimes",
        "never": "does not match",
        "unknown": "may or may not match",
    }
    parts = [f"{words[answer]} {', '.join(by_answer[answer])}" for answer in words if answer in by_answer]
    return f"Metric filter {item.name} " + "; it ".join(parts) + "."


def _value(item: MetricFilter) -> tuple[Finding, float | None]:
    check = "filter-value"
    value = published_number(item.value)
    if value is None:
        return _field_value(item, check), None
    reason = f"Metric filter {item.name} publishes {item.value} to {item.namespace}/{item.metric} for a match."
    return Finding(check, Status.PASS, item.name, reason), value


def published_number(text: str) -> float | None:
    """The number that a filter's metricValue is; None where it names a field, or is no number as JSON writes them."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def publishes_nothing(item: MetricFilter) -> bool:
    """Of a filter without a number of its own: whether the field it names is none in some of these records."""
    return not item.value.startswith(_UNSURE_FIELDS)


def _field_value(item: MetricFilter, check: str) -> Finding:
    what = f"Metric filter {item.name} publishes the value of {item.value or 'nothing'}"
    if not publishes_nothing(item):
        return Finding(
            check, Status.UNKNOWN, item.name, f"{what}, which these records may or may not hold as a number."
        )
    some = item.value.startswith(("$.requestParameters", "$.responseElements"))
    which = "not all of these records" if some else "these records do not"
    reason = f"{what}, which {which} hold as a number: a match without one publishes no datapoint."
    return Finding(check, Status.FAIL, item.name, reason)


def _scope(item: MetricFilter, group: Arn, snapshot: Snapshot) -> Finding:
    check = "filter-scope"
    if item.on_transformed:
        status, why = untransformed(snapshot, group)
        if status is not Status.PASS:
            reason = f"Metric filter {item.name} reads transformed log events, {why}."
            return Finding(check, status, item.name, reason)
    if item.criteria:
        return _criteria(item, group, check)
    return Finding(check, Status.PASS, item.name, f"Metric filter {item.name} reads every log event of its group.")


def _criteria(item: MetricFilter, group: Arn, check: str) -> Finding:
    """Field selection criteria: AWS documents them for centralized logs, where a group holds several accounts."""
    here = selected(item.criteria, group.account, group.region)
    others = ("another-region-1", *_VALUE.findall(item.criteria))
    elsewhere = all(selected(item.criteria, group.account, region) for region in others)
    what = f"Metric filter {item.name} reads only log events with {item.criteria}"
    if here is False:
        reason = f"{what}, which leaves out those of {group.account} in {group.region}."
        return Finding(check, Status.FAIL, item.name, reason)
    if here and elsewhere:
        return Finding(check, Status.PASS, item.name, f"{what}, which leaves out nothing.")
    reason = f"{what}; whether that leaves out records of other regions is not documented."
    return Finding(check, Status.UNKNOWN, item.name, reason)


def selected(criteria: str, account: str, region: str) -> bool | None:
    """Whether log events of an account and a region meet the criteria; None where they are not understood."""
    answer, glue, position = True, "AND", 0
    used: set[str] = set()
    while position < len(criteria.rstrip()):
        match = _CRITERION.match(criteria, position)
        if match is None:
            return None
        actual = account if match["field"].lower() == "@aws.account" else region
        listed = actual in _VALUE.findall(match["values"])
        holds = listed is (match["operator"].upper() in {"=", "IN"})
        answer = (answer and holds) if glue == "AND" else (answer or holds)
        glue, position = match["glue"].upper(), match.end()
        used.add(glue)
    return answer if not {"AND", "OR"} <= used and glue == "" else None
