"""One event tried against conditions: every verdict that some successful call of it can get, and when.

Conditions on the same field are decided together, and fields are then combined: what matters is the
set of distinct answers, which stays small however many callers, requests and literals there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from chalicelib.alarm_path.patterns.candidates import found_values, there
from chalicelib.alarm_path.patterns.condition_phrases import in_words
from chalicelib.alarm_path.patterns.evaluate import Verdict, condition_verdict, resolve, soften
from chalicelib.alarm_path.patterns.field_forms import is_request_field
from chalicelib.alarm_path.patterns.sample_callers import call_of, callers
from chalicelib.alarm_path.patterns.sample_lines import LinePattern, verdicts_on_lines
from chalicelib.alarm_path.patterns.sample_requests import requests
from chalicelib.alarm_path.patterns.syntax import (
    And,
    AnyValue,
    Expression,
    FieldCondition,
    Name,
    Or,
    Selector,
    conditions,
)
from chalicelib.cloudtrail.catalog import EC2

# Combinations of answers per event; a pattern of 1,024 characters hardly needs a hundred. Together, a group's
# hundred filters may hold so many conditions that fewer have to do: what is left out makes the answer unknown.
_MAX_COMBINATIONS = 4_000
_MAX_ANSWERS = 40_000

Verdicts: TypeAlias = tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """Every verdict that successful calls of an event can get, and in words when they match."""

    verdicts: frozenset[Verdict]
    condition: str = ""


def try_on_event(expressions: Sequence[Expression], doubtful: Sequence[bool], event: str) -> Trial:
    """Try filters together on one event; those of which AWS's acceptance is doubtful can at best be unknown."""
    reduced = [(_reduce(expression, event), doubt) for expression, doubt in zip(expressions, doubtful, strict=True)]
    decided = max(
        (_softened(item, doubt) for item, doubt in reduced if isinstance(item, Verdict)), default=Verdict.NO_MATCH
    )
    open_ones = [(item, doubt) for item, doubt in reduced if not isinstance(item, Verdict)]
    if decided is Verdict.MATCH or not open_ones:
        return Trial(frozenset({decided}), _unknown_in_words(expressions, event) if decided is Verdict.UNKNOWN else "")
    found = tuple(dict.fromkeys(condition for item, _ in open_ones for condition in conditions(item)))
    possible, complete = _possible_answers(found, event)
    numbered = _numbered([item for item, _ in open_ones], found)
    undecided = [(item, doubt) for item, (_, doubt) in zip(numbered, open_ones, strict=True)]
    verdicts = frozenset(
        max(decided, *(_softened(_decide(item, answers), doubt) for item, doubt in undecided)) for answers in possible
    )
    if not complete and len(verdicts) == 1:
        verdicts |= {Verdict.UNKNOWN}
    return Trial(verdicts, in_words([item for item, _ in open_ones], _may_be_missing(found, event)))


def try_each(
    expressions: Sequence[Expression], doubtful: Sequence[bool], event: str
) -> tuple[frozenset[Verdicts], bool]:
    """Every combination of one verdict for each filter that successful calls of an event get, and whether all."""
    reduced = [_reduce(expression, event) for expression in expressions]
    found = tuple(
        dict.fromkeys(condition for item in reduced if not isinstance(item, Verdict) for condition in conditions(item))
    )
    possible, complete = _possible_answers(found, event) if found else ({()}, True)
    numbered = iter(_numbered([item for item in reduced if not isinstance(item, Verdict)], found))
    items = [item if isinstance(item, Verdict) else next(numbered) for item in reduced]
    combined = set()
    for answers in possible:
        verdicts = (item if isinstance(item, Verdict) else _decide(item, answers) for item in items)
        combined.add(tuple(_softened(verdict, doubt) for verdict, doubt in zip(verdicts, doubtful, strict=True)))
    return frozenset(combined), complete


def _unknown_in_words(expressions: Sequence[Expression], event: str) -> str:
    found = (condition for expression in expressions for condition in conditions(expression))
    unknown = [condition for condition in found if _constant(condition, event) is Verdict.UNKNOWN]
    return in_words(unknown, ()) if unknown else ""


def try_lines(patterns: Sequence[LinePattern], event: str) -> Trial:
    """Try patterns on text together on one event's records."""
    return Trial(*verdicts_on_lines(patterns, event))


def _softened(verdict: Verdict, doubtful: bool) -> Verdict:
    return soften(verdict) if doubtful else verdict


def _reduce(expression: Expression, event: str) -> Verdict | Expression:
    """The expression without what is the same in all successful calls of the event; a verdict if nothing is left."""
    if not isinstance(expression, And | Or):
        return _constant(expression, event)
    both = isinstance(expression, And)
    neutral, absorbing = (Verdict.MATCH, Verdict.NO_MATCH) if both else (Verdict.NO_MATCH, Verdict.MATCH)
    undecided: list[Expression] = []
    unknown: list[Expression] = []
    for item in expression.items:
        reduced = _reduce(item, event)
        if reduced is absorbing:
            return absorbing
        if reduced is Verdict.UNKNOWN:
            unknown.append(item)
        elif not isinstance(reduced, Verdict):
            undecided.append(reduced)
    if not undecided:
        return Verdict.UNKNOWN if unknown else neutral
    items = tuple(dict.fromkeys(undecided + unknown))
    return items[0] if len(items) == 1 else type(expression)(items)


_EVENT_NAME = Selector((Name("eventName"),))
_EVENT_SOURCE = Selector((Name("eventSource"),))


def _constant(condition: FieldCondition, event: str) -> Verdict | FieldCondition:
    if condition.selector == _EVENT_NAME:
        return condition_verdict(condition, (event,))
    if condition.selector == _EVENT_SOURCE:
        return condition_verdict(condition, (EC2,))
    if is_absent(condition.selector, event):
        return condition_verdict(condition, ())
    answers = _answers_alone(condition, event)
    return next(iter(answers)) if len(answers) == 1 else condition


@lru_cache(maxsize=4096)
def is_absent(selector: Selector, event: str) -> bool:
    """Whether no successful call has the field, as ``errorCode``: then no literal can bring it there."""
    if any(isinstance(step, AnyValue) for step in selector.steps):
        return False
    if is_request_field(selector):
        return not any(there(selector, shape) for shape in requests(event))
    return not any(there(selector, call_of(caller, event)) for caller in callers())


@lru_cache(maxsize=4096)
def _answers_alone(condition: FieldCondition, event: str) -> frozenset[Verdict]:
    possible, _ = _possible_answers((condition,), event)
    return frozenset(answers[0] for answers in possible)


def _possible_answers(found: tuple[FieldCondition, ...], event: str) -> tuple[set[Verdicts], bool]:
    """Every combination of answers that some call gives to these conditions, and whether none was left out."""
    of_requests = tuple(condition for condition in found if is_request_field(condition.selector))
    of_callers = tuple(condition for condition in found if not is_request_field(condition.selector))
    requested, all_requests = _answers_of_requests(of_requests, event)
    # Only with a wildcard at the root do conditions on callers depend on the event.
    whole = any(_may_depend_on_event(condition.selector) for condition in of_callers)
    called, all_callers = _answers_of_callers(of_callers, *((event,) if whole else ("",)))
    limit = _limit(found)
    complete = all_requests and all_callers and len(requested) * len(called) <= limit
    order = [(*of_callers, *of_requests).index(condition) for condition in found]
    joined = {
        tuple((*caller, *request)[place] for place in order)
        for caller in _from_both_ends(called, max(1, limit // len(requested)))
        for request in requested
    }
    return joined, complete


def _from_both_ends(answers: Sequence[Verdicts], most: int) -> Sequence[Verdicts]:
    """So many of the answers, which are in order: of those that meet the least and of those that meet the most."""
    low = (most + 1) // 2
    return answers if len(answers) <= most else (*answers[:low], *answers[len(answers) - (most - low) :])


def _may_depend_on_event(selector: Selector) -> bool:
    first = selector.steps[0]
    return isinstance(first, AnyValue) or (isinstance(first, Name) and first.name in ("eventName", "eventSource"))


@lru_cache(maxsize=1024)
def _answers_of_requests(found: tuple[FieldCondition, ...], event: str) -> tuple[tuple[Verdicts, ...], bool]:
    return _combined(found, [(sample, False) for sample in requests(event)])


@lru_cache(maxsize=1024)
def _answers_of_callers(found: tuple[FieldCondition, ...], event: str) -> tuple[tuple[Verdicts, ...], bool]:
    inside = any(len(condition.selector.steps) > 1 for condition in found)
    shapes: tuple[dict[str, Any], ...] = requests(event) if event and inside else ({},)
    samples = [({**call_of(caller, event), **shape}, caller.is_service) for caller in callers() for shape in shapes]
    return _combined(found, samples)


def _combined(
    found: Sequence[FieldCondition], samples: Sequence[tuple[dict[str, Any], bool]]
) -> tuple[tuple[Verdicts, ...], bool]:
    """The combinations of answers over samples; within one sample, fields vary independently."""
    by_selector: dict[Selector, list[int]] = {}
    for place, condition in enumerate(found):
        by_selector.setdefault(condition.selector, []).append(place)
    combined: set[Verdicts] = set()
    complete, limit = True, _limit(found)
    # Most values are made from the literals, and are the same for many samples.
    tried: dict[Selector, dict[str, Verdicts]] = {selector: {} for selector in by_selector}
    for sample, is_service in samples:
        partial: set[Verdicts] = {(Verdict.NO_MATCH,) * len(found)}
        for selector, places in by_selector.items():
            here = [found[place] for place in places]
            values = _distinct(found_values(selector, sample, here, is_service=is_service))
            known = tried[selector]
            for text in values.keys() - known.keys():
                known[text] = tuple(condition_verdict(condition, values[text]) for condition in here)
            options = {known[text] for text in values}
            if len(partial) * len(options) > limit:
                complete, ends = False, sorted(options)
                options = {ends[0], ends[-1]} if 2 * len(partial) <= limit else {ends[0]}
            partial = {_placed(answers, places, option) for answers in partial for option in options}
        combined |= partial
    return tuple(sorted(combined)), complete


def _limit(found: Sequence[FieldCondition]) -> int:
    return max(1, min(_MAX_COMBINATIONS, _MAX_ANSWERS // max(1, len(found))))


def _distinct(values: Iterable[tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    # 1 == True == 1.0 for Python, and not for AWS.
    return {repr(value): value for value in values}


def _placed(answers: Verdicts, places: Sequence[int], option: Verdicts) -> Verdicts:
    changed = list(answers)
    for place, verdict in zip(places, option, strict=True):
        changed[place] = verdict
    return tuple(changed)


@dataclass(frozen=True, slots=True)
class _Numbered:
    """An expression whose conditions are the places of their answers: to look them up by value takes time."""

    combine: Callable[[Iterable[Verdict]], Verdict]
    items: tuple[_Numbered | int, ...]


def _numbered(expressions: Iterable[Expression], found: Sequence[FieldCondition]) -> list[_Numbered | int]:
    places = {condition: place for place, condition in enumerate(found)}
    return [_with_places(expression, places) for expression in expressions]


def _with_places(expression: Expression, places: Mapping[FieldCondition, int]) -> _Numbered | int:
    if isinstance(expression, And | Or):
        combine: Callable[[Iterable[Verdict]], Verdict] = min if isinstance(expression, And) else max
        return _Numbered(combine, tuple(_with_places(item, places) for item in expression.items))
    return places[expression]


def _decide(expression: _Numbered | int, answers: Verdicts) -> Verdict:
    if isinstance(expression, int):
        return answers[expression]
    return expression.combine(_decide(item, answers) for item in expression.items)


def _may_be_missing(found: Iterable[FieldCondition], event: str) -> frozenset[Selector]:
    """The selectors that lead to nothing in some successful call of the event."""
    selectors = {condition.selector for condition in found}
    calls = [call_of(caller, event) for caller in callers()]
    return frozenset(
        selector
        for selector in selectors
        if any(not resolve(selector, sample) for sample in (requests(event) if is_request_field(selector) else calls))
    )
