"""Whether a region's forwarder sends what the stage watches: judged from its rules and its dead-letter queue.

A region is {"rules": [DescribeRule's fields with "Targets"], "dead_letters": how many | null where there is no queue};
a key is absent where it was not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json
from chalicelib.aws.arns import parse_arn

# Each sends something else than the event.
_INSTEAD = ("Input", "InputPath", "InputTransformer")


class ForwarderState(StrEnum):
    """What a region's forwarder comes to, the best first."""

    OK = "ok"
    DEAD_LETTERS = "dead letters"
    UNREAD = "unknown"
    NARROWED = "other pattern"
    NO_TARGET = "no target"
    DISABLED = "disabled"
    INCOMPLETE = "incomplete"
    MISSING = "missing"


_BY_RANK = tuple(ForwarderState)


@dataclass(frozen=True, slots=True)
class ForwarderFault:
    """What is wrong with a forwarder; ``rule`` is empty where it is all of it."""

    state: ForwarderState
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class ForwarderVerdict:
    """``state`` is the worst of the faults'."""

    state: ForwarderState
    faults: tuple[ForwarderFault, ...] = ()

    @property
    def is_hole(self) -> bool:
        """Whether events are known not to arrive."""
        return self.state not in (ForwarderState.OK, ForwarderState.UNREAD)


def judge_forwarder(region: Json, expected: Mapping[str, Json], bus_arn: str) -> ForwarderVerdict:
    """The verdict on one region; ``expected`` is the pattern of each rule by name."""
    faults = tuple(_faults(region, expected, bus_arn))
    worst = max((fault.state for fault in faults), key=_BY_RANK.index, default=ForwarderState.OK)
    return ForwarderVerdict(worst, faults)


def has_forwarder(region: Json) -> bool:
    """Whether there is any rule of a forwarder, sound or not."""
    return bool(region.get("rules"))


def _faults(region: Json, expected: Mapping[str, Json], bus_arn: str) -> Iterable[ForwarderFault]:
    if region.get("rules") is None:
        yield ForwarderFault(ForwarderState.UNREAD, "", "its EventBridge rules could not be read")
        return
    found = {str(rule.get("Name")): rule for rule in region["rules"]}
    if not any(name in found for name in expected):
        yield ForwarderFault(ForwarderState.MISSING, "", "there is no forwarder")
        return
    for name, pattern in expected.items():
        yield from _rule_faults(name, found.get(name), pattern, bus_arn)
    letters = region.get("dead_letters", "unread")
    if letters == "unread":
        yield ForwarderFault(ForwarderState.UNREAD, "", "its dead-letter queue could not be read")
    elif letters is None:
        yield ForwarderFault(ForwarderState.INCOMPLETE, "", "its dead-letter queue does not exist")
    elif letters:
        yield ForwarderFault(ForwarderState.DEAD_LETTERS, "", f"its dead-letter queue holds {letters} events")


def _rule_faults(name: str, rule: Json | None, pattern: Json, bus_arn: str) -> Iterable[ForwarderFault]:
    if rule is None:
        yield ForwarderFault(ForwarderState.INCOMPLETE, name, f"rule {name} does not exist")
        return
    if not str(rule.get("State", "")).startswith("ENABLED"):
        yield ForwarderFault(ForwarderState.DISABLED, name, f"rule {name} is {rule.get('State')}")
    if without_order(read_object(rule.get("EventPattern"))) != without_order(pattern):
        reason = f"rule {name} does not match what the catalog says"
        yield ForwarderFault(ForwarderState.NARROWED, name, reason)
    if "Targets" not in rule:
        yield ForwarderFault(ForwarderState.UNREAD, name, f"the targets of rule {name} could not be read")
        return
    targets = [target for target in rule["Targets"] if _is_bus(target.get("Arn"), bus_arn)]
    if not targets:
        yield ForwarderFault(ForwarderState.NO_TARGET, name, f"rule {name} does not send to {bus_arn}")
    elif all(any(target.get(key) for key in _INSTEAD) for target in targets):
        yield ForwarderFault(ForwarderState.NO_TARGET, name, f"the target of rule {name} does not get the event itself")


def _is_bus(arn: str | None, bus_arn: str) -> bool:
    target, bus = parse_arn(arn), parse_arn(bus_arn)
    return target is not None and target == bus


def read_object(value: Any) -> Any:
    """A JSON document, or what is already read of one; text that is none as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def without_order(pattern: Any) -> Any:
    """An event pattern without the order of its lists, which means nothing."""
    if isinstance(pattern, Mapping):
        return {key: without_order(value) for key, value in pattern.items()}
    if isinstance(pattern, list | tuple):
        return sorted(json.dumps(without_order(item), sort_keys=True) for item in pattern)
    return pattern
