"""Which alerts a destination wants: MIN_SEVERITY, WHEN and IGNORE_WHEN.

A condition that fails on an alert (a function given null, say) never holds the alert back: the
caller hears ``ConditionFailed`` and sends.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

from chalicelib.alert.model import (
    EXPOSURE_FIELDS,
    Account,
    AlarmPath,
    AlarmPathFinding,
    Alert,
    Attached,
    Attachment,
    ChangedPrefixList,
    Changes,
    Event,
    PrefixListUse,
    Principal,
    SecurityGroup,
    Severity,
    Undo,
    field_names,
    to_json,
)
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.changes import PrefixListEntry
from chalicelib.security_groups.rules import ModifiedRule, Peer, SecurityGroupRule

ALERT_FIELDS = frozenset({"version", *field_names(Alert)})
# What has fields of its own in the alert's JSON. Below all else but the group's tags there is nothing by name.
_OBJECTS = {
    ("account",): Account,
    ("event",): Event,
    ("principal",): Principal,
    ("security_group",): SecurityGroup,
    ("security_group", "attached"): Attached,
    ("changes",): Changes,
    ("attachment",): Attachment,
    ("prefix_list",): ChangedPrefixList,
    ("undo",): Undo,
    ("alarm_path",): AlarmPath,
}
_ANY_NAME = ("security_group", "tags")
_LISTED = (AlarmPathFinding, PrefixListEntry, PrefixListUse)
_NAMES = ALERT_FIELDS.union(
    *(field_names(kind) for kind in (*_OBJECTS.values(), ModifiedRule, SecurityGroupRule, Peer, *_LISTED)),
    EXPOSURE_FIELDS,
)
_QUOTES = "A string in JMESPath has single quotes"


class ConditionFailed(Exception):  # noqa: N818 - it reads as what happened
    """A condition could not be evaluated on this alert."""


class Condition(NamedTuple):
    """A JMESPath expression on the alert's JSON object (schemas/alert.v1.json)."""

    text: str
    search: Callable[[Mapping[str, Any]], object]

    def holds(self, alert: Alert) -> bool:
        """Whether it is true of the alert, as JMESPath understands true.

        Raises:
            ConditionFailed: it cannot be evaluated on this alert.
        """
        return _is_true(self._value(alert))

    def value(self, alert: Alert) -> object:
        """What the expression makes of the alert; None where it cannot be evaluated on this one."""
        try:
            return self._value(alert)
        except ConditionFailed:
            return None

    def _value(self, alert: Alert) -> object:
        try:
            return self.search(to_json(alert))
        except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise ConditionFailed(f"{self.text}: {error}") from error


class Filter(NamedTuple):
    """What one destination wants; the default wants everything."""

    min_severity: Severity = Severity.INFO
    when: Condition | None = None

    def refusal(self, alert: Alert) -> str | None:
        """Why the destination does not want the alert (the setting's name), or None where it does.

        Raises:
            ConditionFailed: its WHEN cannot be evaluated on this alert.
        """
        if alert.severity.rank < self.min_severity.rank:
            return "MIN_SEVERITY"
        if self.when is not None and not self.when.holds(alert):
            return "WHEN"
        return None


def compile_condition(text: str) -> Condition:
    """The condition of a JMESPath expression.

    Raises:
        ValueError: it is not JMESPath, calls a function that JMESPath does not have, or reads a
            field that no alert has. The last is how ``severity == "high"`` shows, which would
            compare with a field named high: JMESPath puts strings into single quotes.
    """
    import jmespath  # noqa: PLC0415 - 20 ms of a cold start, and few deployments have a condition
    from jmespath.functions import Functions  # noqa: PLC0415

    try:
        expression = jmespath.compile(text)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{text!r} is not a JMESPath expression: {reason}") from error
    for fault in _faults(expression.parsed, Functions.FUNCTION_TABLE):
        raise ValueError(f"{text!r} {fault}")
    return Condition(text, expression.search)


def _faults(parsed: Mapping[str, Any], functions: Container[str]) -> Iterator[str]:
    """What keeps it from ever being true, as ends of sentences."""
    nodes = list(_nodes(parsed))
    for node in nodes:
        if node["type"] == "function_expression" and node["value"] not in functions:
            yield f"calls {node['value']}(), which JMESPath does not have; see https://jmespath.org"
        if _negates_part(node):
            yield "negates a part of a path alone, which is never true: write !(a.b) in place of !a.b"
    for path in _paths(parsed):
        if path[0] not in ALERT_FIELDS:
            has = ", ".join(sorted(ALERT_FIELDS))
            yield f"reads the field {path[0]}, and an alert has none of that name; it has {has}. {_QUOTES}: '{path[0]}'"
        for depth in range(1, len(path)):
            if fault := _step_fault(path[:depth], path[depth]):
                yield f"reads {'.'.join(path[: depth + 1])}, and {fault}"
    known = _NAMES | {node["value"] for node in nodes if node["type"] == "key_val_pair"}
    for node in nodes:
        if node["type"] == "field" and node["value"] not in known:
            yield f"reads the field {node['value']}, which no part of an alert has. {_QUOTES}: '{node['value']}'"


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every part of the expression but the names of tags, which may be any."""
    yield node
    above: object = None
    for child in node.get("children", []):
        if node["type"] == "subexpression" and above == "tags":
            return
        if isinstance(child, Mapping):
            above = child.get("value")
            yield from _nodes(child)


def _step_fault(place: tuple[str, ...], name: str) -> str | None:
    """Why nothing can be under this name in this place of the alert; None where something can."""
    if place[:2] == _ANY_NAME:
        return None
    kind = _OBJECTS.get(place)
    if kind is None:
        return f"{'.'.join(place)} is a value or a list without fields (those of a list's items: {place[-1]}[].{name})"
    names = field_names(kind)
    return None if name in names else f"{'.'.join(place)} has no field {name}; it has {', '.join(names)}"


# Of these only the first child is read from the alert itself, the others from what it yields.
_SCOPING = frozenset(
    {"subexpression", "index_expression", "projection", "filter_projection", "value_projection", "flatten", "pipe"}
)


def _paths(node: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """What is read from the alert itself, as names one below the other."""
    path = _beginning([node])
    if path:
        yield path
        return
    if node["type"] == "expref":
        return
    children = node.get("children", [])
    for child in children[:1] if node["type"] in _SCOPING else children:
        if isinstance(child, Mapping):
            yield from _paths(child)


def _beginning(nodes: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names with which steps begin that follow each other, up to the first that is more than a name."""
    names: list[str] = []
    for node in nodes:
        if node["type"] == "field":
            names.append(node["value"])
        elif node["type"] == "subexpression":
            names += _beginning(node["children"])
        else:
            names += _beginning(node["children"][:1]) if node["type"] in _SCOPING else ()
            break
    return tuple(names)


def _negates_part(node: Mapping[str, Any]) -> bool:
    """Whether it is ``!a.b``, which JMESPath takes for ``(!a).b``: nothing, whatever the alert."""
    return bool(node["type"] == "subexpression" and node["children"][0]["type"] == "not_expression")


def _is_true(value: object) -> bool:
    """https://jmespath.org/specification.html#or-expressions names what is false; 0 is not."""
    return value is not None and value is not False and value not in ("", [], {})
