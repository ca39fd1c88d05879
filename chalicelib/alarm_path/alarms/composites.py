"""Composite alarms above a metric alarm: which of them go to ALARM with it.

A composite counts as firing only where its rule turns true both with every other alarm in OK and with
every other alarm in the state it is in now; so a silence that holds right now is seen too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from chalicelib.alarm_path.alarms.composite_rule import ABSENT, Rule, RuleError, alarms_in, holds, parse_rule
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import CompositeAlarm, MetricAlarm
from chalicelib.alarm_path.snapshot.model import Region
from chalicelib.alarm_path.verdicts import Status


@dataclass(frozen=True, slots=True)
class Parent:
    """A composite alarm above the one that fires: whether it fires with it, and the sentence that says why."""

    alarm: CompositeAlarm
    status: Status
    reason: str


@dataclass(slots=True)
class Composites:
    """The composite alarms of a region, with an index from each alarm to those that name it."""

    states: Mapping[str, str | None]
    complete: bool = False
    rules: dict[str, tuple[CompositeAlarm, Rule]] = field(default_factory=dict)
    naming: dict[str, list[str]] = field(default_factory=dict)
    unreadable: list[tuple[CompositeAlarm, str]] = field(default_factory=list)

    @classmethod
    def of(cls, region: Region, *, complete: bool) -> Composites:
        """Read every rule of a region once. ``complete`` says whether the region's alarms were all read."""
        alarms: list[MetricAlarm | CompositeAlarm] = [*(region.metric_alarms or ()), *(region.composite_alarms or ())]
        states = {key: alarm.state for alarm in alarms for key in (alarm.name, alarm.arn)}
        found = cls(states, complete)
        for alarm in region.composite_alarms or ():
            try:
                rule = parse_rule(alarm.rule)
            except RuleError as error:
                found.unreadable.append((alarm, str(error)))
                continue
            found.rules[alarm.name] = (alarm, rule)
            for child in alarms_in(rule):
                found.naming.setdefault(child, []).append(alarm.name)
        return found

    def above(self, name: str, arn: str, rests: str | None) -> list[Parent]:
        """Every composite above an alarm, nearest first; ``rests`` is the state to which the alarm goes back."""
        parents: dict[str, Parent] = {}
        firing: dict[str, str | None] = {name: rests, arn: rests}
        for parent in self._climb(firing):
            known = parents.get(parent.alarm.name)
            if known is None or known.status is not Status.PASS:
                parents[parent.alarm.name] = parent
        doubts = [
            Parent(alarm, Status.UNKNOWN, f"The rule of composite alarm {alarm.name} is not understood: {why}.")
            for alarm, why in self.unreadable
            if name in alarm.rule or arn in alarm.rule
        ]
        return [*parents.values(), *doubts]

    def _climb(self, firing: dict[str, str | None]) -> Iterator[Parent]:
        waiting, tries = list(firing), 0
        while waiting and tries <= 4 * len(self.rules) + 4:
            tries += 1
            for name in self.naming.get(waiting.pop(0), []):
                alarm, rule = self.rules[name]
                if name in firing:
                    continue
                parent = self._judge(alarm, rule, firing)
                yield parent
                if parent.status is Status.PASS:
                    firing |= {name: "OK", alarm.arn: "OK"}
                    waiting += [name, alarm.arn]

    def _judge(self, alarm: CompositeAlarm, rule: Rule, firing: Mapping[str, str | None]) -> Parent:
        absent = ABSENT if self.complete else None
        before = holds(rule, self._at_rest)
        at_rest = holds(rule, lambda key: _state(key, firing, self._at_rest(key)))
        now = holds(rule, lambda key: _state(key, firing, self.states.get(key, absent)))
        what = f"composite alarm {alarm.name}, whose rule is {alarm.rule}"
        if before:
            return Parent(alarm, Status.FAIL, f"A change does not move {what}: it is true before the change too.")
        if at_rest is False:
            return Parent(alarm, Status.FAIL, f"A change does not move {what}: it needs other alarms too.")
        if now is False:
            return Parent(
                alarm, Status.FAIL, f"A change does not move {what}: the present state of the others forbids it."
            )
        if at_rest is None or now is None or before is None:
            lacking = "do not exist" if self.complete else "were not collected"
            return Parent(alarm, Status.UNKNOWN, f"Whether a change moves {what} depends on alarms that {lacking}.")
        if holds(rule, lambda key: firing.get(key) if key in firing else self._at_rest(key)):
            back = ", ".join(f"{key} {state}" for key, state in firing.items() if key in alarms_in(rule))
            reason = f"Once in ALARM nothing moves {what}: it still holds with {back} again."
            return Parent(alarm, Status.FAIL, reason)
        return self._suppressed(alarm, firing)

    def _at_rest(self, key: str) -> str | None:
        return "OK" if key in self.states else (ABSENT if self.complete else None)

    def _suppressed(self, alarm: CompositeAlarm, firing: Collection[str]) -> Parent:
        name = alarm.suppressor
        if name is None:
            return Parent(alarm, Status.PASS, f"Composite alarm {alarm.name} goes to ALARM with it.")
        if name in firing:
            return Parent(alarm, Status.FAIL, f"Alarm {name}, which fires on the same change, suppresses {alarm.name}.")
        state = self.states.get(name)
        if state == "ALARM":
            return Parent(alarm, Status.FAIL, f"Alarm {name} is in ALARM and suppresses the actions of {alarm.name}.")
        if state is None:
            reason = f"Alarm {name}, which suppresses the actions of {alarm.name}, was not collected."
            return Parent(alarm, Status.UNKNOWN, reason)
        reason = f"Composite alarm {alarm.name} goes to ALARM with it, unless alarm {name} suppresses its actions."
        return Parent(alarm, Status.PASS, reason)


def _state(key: str, firing: Collection[str], otherwise: str | None) -> str | None:
    return "ALARM" if key in firing else otherwise
