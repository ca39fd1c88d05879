"""What a field of a successful security group call may hold, as far as a filter's own literals care.

For each field that callers or requests may fill freely: the value the sample has, a value that the
filter does not name, and one per literal of the filter that would fit there, or per two of them.
Fields that are always the same (eventSource, eventType …) or come from a closed list stay as the
samples have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any, TypeAlias

from chalicelib.alarm_path.patterns.evaluate import resolve
from chalicelib.alarm_path.patterns.field_forms import REGIONS, is_request_field, others_of, shape_of
from chalicelib.alarm_path.patterns.regex import example
from chalicelib.alarm_path.patterns.syntax import (
    AnyValue,
    Compare,
    FieldCondition,
    Index,
    Name,
    Number,
    Regex,
    Selector,
    Text,
)


def found_values(
    selector: Selector, sample: dict[str, Any], conditions: Iterable[FieldCondition], *, is_service: bool
) -> tuple[tuple[Any, ...], ...]:
    """What the selector may lead to in records like this sample, one entry per case; () is a missing field."""
    base, conditions = resolve(selector, sample), tuple(conditions)
    if any(isinstance(step, AnyValue) for step in selector.steps):
        return (base, *_any_value(selector, sample, base, conditions, is_service=is_service))
    examples = there(selector, sample)
    # Of a list that may be longer, what its first elements hold, or nothing.
    bases = (base,) if base or not examples else (base, examples[:1])
    shape = shape_of(selector, is_service=is_service) if examples else None
    if shape is None:
        return bases
    named = [(value,) for condition in conditions for value in _values(shape, examples[0], condition)]
    if not isinstance(examples[0], str):
        return (*bases, *named, *((port,) for port in _OTHER_PORTS))
    joined = [(value,) for value in _together(shape, examples[0], conditions)]
    others = [(value,) for value in others_of(selector, examples[0])]
    return (*bases, *named, *joined, *others)


def there(selector: Selector, sample: dict[str, Any]) -> tuple[Any, ...]:
    """What the selector leads to in records like this sample, whose lists may be longer; nothing if it never does."""
    return resolve(selector, sample) or (_first_elements(selector, sample) if is_request_field(selector) else ())


def _any_value(
    selector: Selector,
    sample: dict[str, Any],
    base: tuple[Any, ...],
    conditions: tuple[FieldCondition, ...],
    *,
    is_service: bool,
) -> Iterator[tuple[Any, ...]]:
    """``$.*``: each field in turn takes the values that the filter names."""
    at = next(index for index, step in enumerate(selector.steps) if isinstance(step, AnyValue))
    before, after = selector.steps[:at], selector.steps[at + 1 :]
    parents = (parent for parent in resolve(Selector(before), sample) if isinstance(parent, dict))
    for name in dict.fromkeys(name for parent in parents for name in parent):
        one = Selector((*before, Name(name), *after))
        here = resolve(one, sample)
        shape = shape_of(one, is_service=is_service) if len(here) == 1 else None
        # That a user agent could spell an event's name is not what such a filter is about.
        if shape is not None and name != "userAgent":
            others = [value for value in base if value is not here[0]]
            named = (value for condition in conditions for value in _values(shape, here[0], condition))
            yield from ((*others, value) for value in named)


def _first_elements(selector: Selector, sample: dict[str, Any]) -> tuple[Any, ...]:
    """What the first elements hold where the selector asks for later ones: lists may be longer."""
    steps = tuple(Index(0) if isinstance(step, Index) else step for step in selector.steps)
    return resolve(Selector(steps), sample)


# What a literal asks a value to begin with, to hold and to end with.
_Piece: TypeAlias = tuple[str, str, str]

# Ports that differ in their first and last digits, so that no text, wildcard or regex that names one meets them all.
_OTHER_PORTS = (7, 3389, 60000)


def _values(shape: tuple[str, str], sample: Any, condition: FieldCondition) -> Iterator[Any]:
    """Values that meet the condition's literal, where the field could hold them."""
    if not isinstance(condition, Compare):
        return
    if isinstance(condition.value, Number):
        yield from _numbers(condition.value, sample, shape)
    elif isinstance(condition.value, Regex):
        text = example(condition.value.source)
        if text is not None and not isinstance(sample, str):
            yield from _texts(text, sample, shape)
        elif text is not None and isinstance(sample, str) and re.fullmatch(shape[0], text):
            yield text if condition.value.source.startswith("^") else sample + text
    elif isinstance(condition.value, Text):
        yield from _texts(condition.value.text, sample, shape)


def _numbers(wanted: Number, sample: Any, shape: tuple[str, str]) -> Iterator[Any]:
    if isinstance(sample, int) and not isinstance(sample, bool):
        if -1 <= wanted.value <= 65535:
            yield from (port for port in (int(wanted.value) + step for step in (-1, 0, 1)) if -1 <= port <= 65535)
    elif isinstance(sample, str) and re.fullmatch(shape[1], wanted.text):
        yield wanted.text


def _texts(wanted: str, sample: Any, shape: tuple[str, str]) -> Iterator[Any]:
    leading, trailing = wanted.startswith("*"), wanted.endswith("*")
    core = wanted.strip("*")
    if not core or not re.fullmatch(shape[0], core):
        return
    if not isinstance(sample, str):
        if core.isdigit() and len(core) <= 5:
            yield int(core)
        return
    if not leading and not trailing:
        if re.fullmatch(shape[1], core) and _same_kind_of_arn(core, sample):
            yield core
    elif sample in REGIONS:
        return
    elif leading:
        # Built around the sample, so that it stays a value of its kind; root's ARN is the account's.
        if not sample.endswith(":root") or core.isdigit():
            yield sample + core
    elif _may_begin(core, sample, shape):
        yield core + ("1" if core[-1:].isdigit() or not core[-1:].isalpha() else "x")


# Of few literals on one field every set is tried together, of more every two and all of them, of many all of them.
_MAX_SETS, _MAX_PAIRED = 5, 12


def _together(shape: tuple[str, str], sample: str, conditions: Iterable[FieldCondition]) -> Iterator[str]:
    """Values that meet several literals at once: ``arn:aws:sts::123456789012:*`` and ``*deploy*``."""
    if sample.endswith(":root") or sample in REGIONS:
        return
    found = tuple(dict.fromkeys(piece for condition in conditions for piece in _pieces(shape, sample, condition)))
    filler = next((text for text in ("z", "1") if re.fullmatch(shape[0], text)), "")
    for chosen in _sets(found):
        heads, inner, tails = zip(*chosen, strict=True)
        value = (max(heads, key=len) or sample) + "".join(inner) + max(tails, key=len)
        yield value
        if not any(tails) and filler:
            yield value + filler


def _sets(found: tuple[_Piece, ...]) -> Iterable[tuple[_Piece, ...]]:
    """The sets of literals that are tried together."""
    if len(found) <= _MAX_SETS:
        return [chosen for size in range(2, len(found) + 1) for chosen in combinations(found, size)]
    pairs = combinations(found, 2) if len(found) <= _MAX_PAIRED else ()
    return (*pairs, found)


def _pieces(shape: tuple[str, str], sample: str, condition: FieldCondition) -> Iterator[_Piece]:
    """What a literal with a wildcard asks a value to begin with, to hold and to end with, or not to."""
    if not isinstance(condition, Compare) or not isinstance(condition.value, Text):
        return
    wanted = condition.value.text
    leading, trailing = wanted.startswith("*"), wanted.endswith("*")
    core = wanted.strip("*")
    if not core or not (leading or trailing) or not re.fullmatch(shape[0], core):
        return
    if leading:
        yield ("", core, "") if trailing else ("", "", core)
    elif _may_begin(core, sample, shape):
        yield core, "", ""


def _may_begin(core: str, sample: str, shape: tuple[str, str]) -> bool:
    """Whether a value of the field's form could begin like this: ``sg-*`` may, ``vpc-*`` in a group's id may not."""
    fixed = re.match(r"[a-z]+-|arn:", shape[1])
    begins = fixed is None or core.startswith(fixed.group()) or fixed.group().startswith(core)
    return begins and _same_kind_of_arn(core, sample)


def _same_kind_of_arn(core: str, sample: str) -> bool:
    """Whether an ARN names the same service and kind as the sample's; root's ARN names nobody else."""
    if not core.startswith("arn:") or not sample.startswith("arn:"):
        return True
    wanted, has = core.split(":", 5), sample.split(":", 5)
    if len(wanted) > 2 and wanted[2] != has[2] and not has[2].startswith(wanted[2] if len(wanted) == 3 else "\0"):
        return False
    if len(wanted) < 6:
        return True
    wanted_kind, kind = wanted[5].split("/")[0], has[5].split("/")[0]
    return wanted_kind == kind or ("/" not in wanted[5] and kind.startswith(wanted_kind))
