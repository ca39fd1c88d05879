"""Whether an event matches an EventBridge event pattern.

moto's own matching lacks ``wildcard`` and takes a list in an event for one value; here a list matches where any
of its members does. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


def matches(pattern: Mapping[str, Any], event: object) -> bool:
    """Whether every field of a pattern is met by an event; in a list of objects one object has to meet them all."""
    if isinstance(event, list):
        return any(matches(pattern, item) for item in event)
    fields = event if isinstance(event, Mapping) else {}
    return all(_field_matches(name, wanted, fields) for name, wanted in pattern.items())


def _field_matches(name: str, wanted: Any, fields: Mapping[str, Any]) -> bool:
    if name == "$or" and isinstance(wanted, list):
        return any(matches(alternative, fields) for alternative in wanted)
    if isinstance(wanted, Mapping):
        return matches(wanted, fields.get(name, {}))
    values = list(_values(fields[name])) if name in fields else []
    return any(_filter_matches(each, values, exists=name in fields) for each in wanted)


def _values(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _values(item)
    else:
        yield value


def _filter_matches(wanted: Any, values: Sequence[Any], *, exists: bool) -> bool:
    if not isinstance(wanted, Mapping):
        return any(_equal(wanted, value) for value in values)
    name, argument = next(iter(wanted.items()))
    if name == "exists":
        return exists is argument
    test = OPERATORS.get(name)
    return test is not None and any(test(argument, value) for value in values)


def _equal(wanted: object, value: object) -> bool:
    """Equal as JSON has it: ``1`` is not ``true``."""
    return wanted == value and isinstance(wanted, bool) == isinstance(value, bool)


def _each(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """A test whose argument may be a list of alternatives."""

    def tested(argument: Any, value: Any) -> bool:
        return any(test(item, value) for item in (argument if isinstance(argument, list) else [argument]))

    return tested


def _affix(find: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    """``prefix`` and ``suffix``, whose argument may ask that case be ignored."""

    def tested(argument: Any, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if isinstance(argument, Mapping):
            return find(value.lower(), str(argument["equals-ignore-case"]).lower())
        return find(value, argument)

    return _each(tested)


def _same_but_for_case(argument: Any, value: Any) -> bool:
    return isinstance(value, str) and value.lower() == str(argument).lower()


def _like(argument: Any, value: Any) -> bool:
    return isinstance(value, str) and _regex(str(argument)).fullmatch(value) is not None


@lru_cache(maxsize=512)
def _regex(wildcard: str) -> re.Pattern[str]:
    r"""``*`` is any text, and ``\\*`` an asterisk."""
    parts = re.findall(r"\\.|\*|[^\\*]+|\\", wildcard, re.DOTALL)
    texts = (
        ".*" if part == "*" else re.escape(part[1:] if part.startswith("\\") and part[1:] else part) for part in parts
    )
    return re.compile("".join(texts), re.DOTALL)


def _anything_but(argument: Any, value: Any) -> bool:
    if isinstance(argument, Mapping):
        name, inner = next(iter(argument.items()))
        return not OPERATORS[name](inner, value)
    return not _each(_equal)(argument, value)


def _numeric(argument: Sequence[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(COMPARISONS[comparison](value, bound) for comparison, bound in pairs)


def _in_range(argument: str, value: Any) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(argument)
    except ValueError:
        return False


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _affix(str.startswith),
    "suffix": _affix(str.endswith),
    "equals-ignore-case": _each(_same_but_for_case),
    "wildcard": _each(_like),
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _each(_in_range),
}
