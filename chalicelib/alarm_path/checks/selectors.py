"""Whether a trail's event selectors let the watched calls through, per event.

Advanced selectors may name callers (``userIdentity.arn``) and the like. Such a selector is tried on
callers made from its own values and on others, so that two selectors that share the callers out
between them still count as all callers.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from chalicelib.alarm_path.snapshot.model import BasicSelector, FieldSelector, Selectors
from chalicelib.alarm_path.verdicts import Status, all_of, any_of, status_of

SOURCE = "ec2.amazonaws.com"

# What every record of a security group call has in these fields.
_FIXED = {"eventCategory": "Management", "readOnly": "false", "eventSource": SOURCE, "eventType": "AwsApiCall"}
_VARYING = ("userIdentity.arn", "sessionCredentialFromConsole")
# A trail has at most 500 conditions in its selectors; of beginnings and ends so many pairs are tried.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
_MOST_PAIRS = 400
_OTHER_VALUES = ("arn:aws:iam::123456789012:user/somebody", "true", None)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a trail logs of the watched events: the answer per event, in words, and whether reads are logged too."""

    events: Mapping[str, Status]
    why: str
    write_only: bool


def select(selectors: Selectors, custom: bool, events: Sequence[str]) -> Selection:
    """Judge a trail's selectors; a trail without any logs every management event."""
    if selectors.advanced:
        return _advanced(selectors.advanced, events)
    if selectors.basic:
        return _basic(selectors.basic, events)
    if custom:
        answers = dict.fromkeys(events, Status.UNKNOWN)
        return Selection(answers, "the trail has selectors of its own, and none were returned", write_only=False)
    return Selection(dict.fromkeys(events, Status.PASS), "a trail without selectors logs every management event", False)


def _basic(selectors: Sequence[BasicSelector], events: Sequence[str]) -> Selection:
    open_ones = [item for item in selectors if item.management and SOURCE not in item.excluded_sources]
    writing = [item for item in open_ones if item.read_write in {"All", "WriteOnly"}]
    if writing:
        write_only = all(item.read_write == "WriteOnly" for item in writing) and len(writing) == len(open_ones)
        return Selection(
            dict.fromkeys(events, Status.PASS), "its selectors include management write events", write_only
        )
    return Selection(dict.fromkeys(events, Status.FAIL), _why_basic(selectors), write_only=False)


def _why_basic(selectors: Sequence[BasicSelector]) -> str:
    if not any(item.management for item in selectors):
        return "IncludeManagementEvents is false"
    if any(SOURCE in item.excluded_sources for item in selectors):
        return f"ExcludeManagementEventSources holds {SOURCE}"
    return "ReadWriteType is ReadOnly, and a security group change is a write"


def _advanced(selectors: Sequence[Sequence[FieldSelector]], events: Sequence[str]) -> Selection:
    answers = {event: _answer(selectors, event) for event in events}
    write_only = not any(_logs_reads(selector) for selector in selectors)
    if all(answer is Status.PASS for answer in answers.values()):
        return Selection(answers, "its advanced selectors include management write events", write_only)
    return Selection(answers, _why_advanced(selectors), write_only)


def _logs_reads(selector: Sequence[FieldSelector]) -> bool:
    management = any(
        item.field == "eventCategory" and "Management" in item.operators.get("Equals", ()) for item in selector
    )
    return management and not any(
        item.field == "readOnly" and item.operators.get("Equals") == ("false",) for item in selector
    )


def _answer(selectors: Sequence[Sequence[FieldSelector]], event: str) -> Status:
    """Whether records of an event are logged for every caller."""
    samples = [_samples(selectors, field) for field in _VARYING]
    records = (dict(zip(_VARYING, values, strict=True)) for values in product(*(values for values, _ in samples)))
    tried = all_of(
        any_of(_matches(selector, {**_FIXED, "eventName": event, **record}) for selector in selectors)
        for record in records
    )
    return all_of([tried, *(Status.UNKNOWN for _, complete in samples if not complete)])


def _samples(selectors: Sequence[Sequence[FieldSelector]], field: str) -> tuple[tuple[str | None, ...], bool]:
    """Values that distinguish the selectors on a field, and whether none was left out.

    They are the selectors' own, those with something before or behind, those that begin as one and end as another.
    """
    by_operator: dict[str, set[str]] = {}
    for item in (item for selector in selectors for item in selector if item.field == field):
        for name, values in item.operators.items():
            by_operator.setdefault(name.removeprefix("Not"), set()).update(values)
    own = set[str]().union(*by_operator.values())
    if not own:
        return (None,), True
    around = {text for value in own for text in (value, f"{value}~", f"~{value}")}
    begins, ends = (sorted(by_operator.get(name, ())) for name in ("StartsWith", "EndsWith"))
    pairs = islice(product(begins, ends), _MOST_PAIRS)
    joined = {text for begin, end in pairs for text in _joined(begin, end)}
    return (*sorted(around | joined), *_OTHER_VALUES), len(begins) * len(ends) <= _MOST_PAIRS


def _joined(begin: str, end: str) -> Iterator[str]:
    """Texts that begin and end so, apart, side by side and overlapping."""
    yield f"{begin}~{end}"
    yield from (begin + end[shared:] for shared in range(len(end) + 1) if begin.endswith(end[:shared]))


def _matches(selector: Sequence[FieldSelector], record: Mapping[str, str | None]) -> Status:
    # Every selector names a category; what one without would select is not documented.
    category = status_of(any(item.field == "eventCategory" for item in selector) or None)
    return all_of([category, *(_holds(item, record) for item in selector)])


def _holds(item: FieldSelector, record: Mapping[str, str | None]) -> Status:
    if item.field not in record:
        # resources.type and resources.ARN belong to data events; a management event has neither.
        return Status.FAIL if item.field.startswith("resources.") else Status.UNKNOWN
    value = record[item.field]
    return all_of(status_of(_operator(name, values, value)) for name, values in item.operators.items())


def _operator(name: str, values: Sequence[str], value: str | None) -> bool | None:
    positive = name.removeprefix("Not")
    if positive not in {"Equals", "StartsWith", "EndsWith"}:
        return None
    found = value is not None and any(_compare(positive, value, wanted) for wanted in values)
    return found if positive == name else not found


def _compare(operator: str, value: str, wanted: str) -> bool:
    if operator == "Equals":
        return value == wanted
    return value.startswith(wanted) if operator == "StartsWith" else value.endswith(wanted)


def _why_advanced(selectors: Sequence[Sequence[FieldSelector]]) -> str:
    """The conditions that stand in the way, in words."""
    management = [
        item
        for item in selectors
        if all(_holds(one, {**_FIXED}) is Status.PASS for one in item if one.field == "eventCategory")
    ]
    if not management:
        return "no advanced selector has eventCategory = Management"
    shown = [
        f"{one.field} {name} {', '.join(values)}"
        for item in management
        for one in item
        if one.field != "eventCategory"
        for name, values in one.operators.items()
    ]
    return f"its advanced selectors allow only {'; '.join(shown)}"
