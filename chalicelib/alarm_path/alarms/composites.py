"""Composite alarms above a metric alarm: which of them go to ALARM with it.

A composite counts as firing only where its rule turns true both with every other alarm in OK and with
every other alarm in the state it is in now; so a silence that holds right now is seen too. Other alarms
that the same record moves, or may move, are tried in either state.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from chalicelib.alarm_path.alarms.composite_rule import ABSENT, Rule, RuleError, alarms_in, holds, parse_rule
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import CompositeAlarm, LogAlarm, MetricAlarm
from chalicelib.alarm_path.snapshot.model import Region
from chalicelib.alarm_path.verdicts import Status


@dataclass(frozen=True, slots=True)
class Parent:
    """A composite alarm above the one that fires: whether it fires with it, and the sentence that says why."""

    alarm: CompositeAlarm
    status: Status
    reason: str


# Other alarms that a record moves too, by name and ARN: True where it surely does and at the same moment, else False.
Companions = Mapping[str, bool]

# Of companions that a rule names, so many are tried in every combination of states.
_MOST_COMPANIONS = 8


@dataclass(slots=True)
class Composites:
    """The composite alarms of a region, with an index from each alarm to those that name it."""

    states: Mapping[str, str | None]
    complete: bool = False
    names: dict[str, str] = field(default_factory=dict)
    rules: dict[str, tuple[CompositeAlarm, Rule]] = field(default_factory=dict)
    naming: dict[str, list[str]] = field(default_factory=dict)
    named: dict[str, frozenset[str]] = field(default_factory=dict)
    unreadable: list[tuple[CompositeAlarm, str]] = field(default_factory=list)

    @classmethod
    def of(cls, region: Region, *, complete: bool) -> Composites:
        """Read every rule of a region once. ``complete`` says whether the region's alarms were all read."""
        alarms: list[MetricAlarm | CompositeAlarm | LogAlarm] = [
            *(region.metric_alarms or ()),
            *(region.composite_alarms or ()),
            *region.log_alarms,
        ]
        states = {key: alarm.state for alarm in alarms for key in (alarm.name, alarm.arn)}
        found = cls(states, complete, {key: alarm.name for alarm in alarms for key in (alarm.name, alarm.arn)})
        for alarm in region.composite_alarms or ():
            try:
                rule = parse_rule(alarm.rule)
            except RuleError as error:
                found.unreadable.append((alarm, str(error)))
                continue
            found.rules[alarm.name] = (alarm, rule)
            found.named[alarm.name] = alarms_in(rule)
            for child in found.named[alarm.name]:
                found.naming.setdefault(child, []).append(alarm.name)
        return found

    def named_with(self, name: str, arn: str) -> frozenset[str]:
        """The other alarms that composites above an alarm name, in their rules or as suppressors."""
        found: set[str] = set()
        waiting, seen = [name, arn], {name, arn}
        while waiting:
            for parent in self.naming.get(waiting.pop(), []):
                alarm, _ = self.rules[parent]
                found |= self.named[parent] | ({alarm.suppressor} if alarm.suppressor else set())
                waiting += {alarm.name, alarm.arn} - seen
                seen |= {alarm.name, alarm.arn}
        return frozenset(found - {name, arn})

    def above(self, name: str, arn: str, rests: str | None, companions: Companions | None = None) -> list[Parent]:
        """Every composite above an alarm, nearest first; ``rests`` is the state to which the alarm goes back."""
        parents: dict[str, Parent] = {}
        firing: dict[str, str | None] = {name: rests, arn: rests}
        for parent in self._climb(firing, companions or {}):
            known = parents.get(parent.alarm.name)
            if known is None or known.status is not Status.PASS:
                parents[parent.alarm.name] = parent
        # What suppresses an action may itself be above the alarm, and is known when all of those are.
        doubtful = {
            key
            for parent in parents.values()
            if parent.status is Status.UNKNOWN
            for key in (parent.alarm.name, parent.alarm.arn)
        }
        parents = {
            key: self._suppressed(parent.alarm, firing, companions or {}, doubtful)
            if parent.status is Status.PASS
            else parent
            for key, parent in parents.items()
        }
        doubts = [
            Parent(alarm, Status.UNKNOWN, f"The rule of composite alarm {alarm.name} is not understood: {why}.")
            for alarm, why in self.unreadable
            if name in alarm.rule or arn in alarm.rule
        ]
        return [*parents.values(), *doubts]

    def _climb(self, firing: dict[str, str | None], companions: Companions) -> Iterator[Parent]:
        waiting, tries = list(firing), 0
        while waiting and tries <= 4 * len(self.rules) + 4:
            tries += 1
            for name in self.naming.get(waiting.pop(0), []):
                alarm, rule = self.rules[name]
                if name in firing:
                    continue
                parent = self._judge(alarm, rule, firing, companions)
                yield parent
                if parent.status is Status.PASS:
                    firing |= {name: "OK", alarm.arn: "OK"}
                    waiting += [name, alarm.arn]

    def _judge(
        self, alarm: CompositeAlarm, rule: Rule, firing: Mapping[str, str | None], companions: Companions
    ) -> Parent:
        what = f"composite alarm {alarm.name}, whose rule is {alarm.rule}"
        if self._in_circle(alarm):
            return Parent(alarm, Status.FAIL, f"CloudWatch does not evaluate {what}: its rule leads back to itself.")
        before = holds(rule, lambda key: (firing[key] or "OK") if key in firing else self._at_rest(key))
        if before:
            return Parent(alarm, Status.FAIL, f"A change does not move {what}: it is true before the change too.")
        if holds(rule, lambda key: (firing[key] or "OK") if key in firing else self._without_data(key)):
            reason = f"A change does not move {what}: it is true before the change too, while others have no data."
            return Parent(alarm, Status.FAIL, reason)
        named = [name for name in sorted(companions) if name in self.named[alarm.name]]
        truths = {self._truths(rule, {*firing, *together}) for together in _combinations(named, companions)}
        if truths != {(True, True)} or before is None:
            return Parent(alarm, *self._why_not(what, truths))
        if holds(rule, lambda key: firing.get(key) if key in firing else self._at_rest(key)):
            back = ", ".join(f"{key} {state}" for key, state in firing.items() if key in self.named[alarm.name])
            reason = f"Once in ALARM nothing moves {what}: it still holds with {back} again."
            return Parent(alarm, Status.FAIL, reason)
        return Parent(alarm, Status.PASS, f"Composite alarm {alarm.name} goes to ALARM with it.")

    def _in_circle(self, alarm: CompositeAlarm) -> bool:
        """Whether a composite's rule depends on its own state: CloudWatch then stops evaluating it."""
        waiting, seen = [alarm.name], set[str]()
        while waiting:
            for child in self.named[waiting.pop()]:
                name = self.names.get(child, child)
                if name == alarm.name:
                    return True
                if name in self.rules and name not in seen:
                    seen.add(name)
                    waiting.append(name)
        return False

    def _truths(self, rule: Rule, moving: Collection[str]) -> tuple[bool | None, bool | None]:
        """What the rule says with these alarms in ALARM, the others at rest or in their present states."""
        absent = ABSENT if self.complete else None
        at_rest = holds(rule, lambda key: _state(key, moving, self._at_rest(key)))
        return at_rest, holds(rule, lambda key: _state(key, moving, self.states.get(key, absent)))

    def _why_not(self, what: str, truths: Collection[tuple[bool | None, bool | None]]) -> tuple[Status, str]:
        if (True, True) in truths and len(truths) > 1:
            reason = f"Whether a change moves {what} depends on another alarm that the same change may move."
            return Status.UNKNOWN, reason
        if any(at_rest is False for at_rest, _ in truths):
            return Status.FAIL, f"A change does not move {what}: it needs other alarms too."
        if any(now is False for _, now in truths):
            return Status.FAIL, f"A change does not move {what}: the present state of the others forbids it."
        lacking = "do not exist" if self.complete else "were not collected"
        return Status.UNKNOWN, f"Whether a change moves {what} depends on alarms that {lacking}."

    def _at_rest(self, key: str) -> str | None:
        return "OK" if key in self.states else (ABSENT if self.complete else None)

    def _without_data(self, key: str) -> str | None:
        """An alarm's state at rest, or INSUFFICIENT_DATA where it is in that now: no call need ever bring it data."""
        state = self.states.get(key)
        return state if state == "INSUFFICIENT_DATA" else self._at_rest(key)

    def _suppressed(
        self, alarm: CompositeAlarm, firing: Collection[str], companions: Companions, doubtful: Collection[str]
    ) -> Parent:
        """Whether the actions of a composite that goes to ALARM are suppressed; it does so either way."""
        name = alarm.suppressor
        if name is None:
            return Parent(alarm, Status.PASS, f"Composite alarm {alarm.name} goes to ALARM with it.")
        if name in firing or companions.get(name):
            return Parent(alarm, Status.FAIL, f"Alarm {name}, which fires on the same change, suppresses {alarm.name}.")
        if name in companions or name in doubtful:
            reason = f"Alarm {name}, which may fire on the same change, suppresses {alarm.name}."
            return Parent(alarm, Status.UNKNOWN, reason)
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


def _combinations(named: list[str], companions: Companions) -> Iterator[frozenset[str]]:
    """The sets of companions that may be in ALARM at once: those that surely are, with any of the others."""
    sure = [name for name in named if companions[name]]
    open_ones = [name for name in named if not companions[name]][:_MOST_COMPANIONS]
    for chosen in product((False, True), repeat=len(open_ones)):
        moved = (name for name, is_in in zip(open_ones, chosen, strict=True) if is_in)
        yield frozenset((*sure, *moved))
