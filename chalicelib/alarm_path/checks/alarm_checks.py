"""Checks of an alarm that reads a metric filter's metric: would it fire, leave ALARM again, and tell a topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from shlex import quote
from typing import Any

from chalicelib.alarm_path.alarms.composites import Composites, Parent
from chalicelib.alarm_path.alarms.datapoints import Emission
from chalicelib.alarm_path.alarms.evaluation import State
from chalicelib.alarm_path.alarms.simulation import Outcome, simulate
from chalicelib.alarm_path.checks.filter_checks import dimension_answers, publishes_nothing
from chalicelib.alarm_path.snapshot.alarms import Actions, CompositeAlarm, MetricAlarm, MetricQuery
from chalicelib.alarm_path.snapshot.model import MetricFilter, Region, Snapshot
from chalicelib.alarm_path.standards import EVENTS
from chalicelib.alarm_path.verdicts import Finding, Status, all_of
from chalicelib.aws.arns import parse_arn

MetricKey = tuple[str, str]

# An alarm slower than this, in seconds, is worth a word.
SLOW = 900

# The options of an alarm that one matching record moves within a minute.
GOOD_ALARM = (
    "--statistic Sum --period 60 --evaluation-periods 1 --threshold 1 "
    "--comparison-operator GreaterThanOrEqualToThreshold --treat-missing-data notBreaching"
)


@dataclass(slots=True)
class RegionIndex:
    """One region's alarms by the metric they read, its filters by the metric they publish, its composites."""

    region: Region
    readers: dict[MetricKey, list[MetricAlarm]] = field(default_factory=dict)
    publishers: dict[MetricKey, list[MetricFilter]] = field(default_factory=dict)
    by_metric: dict[str, MetricAlarm] = field(default_factory=dict)
    by_namespace: dict[str, MetricAlarm] = field(default_factory=dict)
    composites: Composites = field(default_factory=lambda: Composites({}))

    @classmethod
    def of(cls, region: Region, *, complete: bool = False) -> RegionIndex:
        """Index a region once; judging then takes time in proportion to what it looks at."""
        index = cls(region, composites=Composites.of(region, complete=complete))
        for alarm in region.metric_alarms or ():
            for key in dict.fromkeys(query.key for query in alarm.watched):
                index.readers.setdefault(key, []).append(alarm)
                index.by_metric.setdefault(key[1].lower(), alarm)
                index.by_namespace.setdefault(key[0].lower(), alarm)
        for item in region.metric_filters or ():
            index.publishers.setdefault((item.namespace, item.metric), []).append(item)
        return index

    def nearest(self, item: MetricFilter) -> str:
        """The alarm that somebody may have meant for this filter, in words."""
        alarm = self.by_metric.get(item.metric.lower()) or self.by_namespace.get(item.namespace.lower())
        if alarm is None:
            return ""
        read = alarm.watched[0]
        return f" The nearest is alarm {alarm.name}, which reads {read.namespace}/{read.metric}."


@dataclass(frozen=True, slots=True)
class Route:
    """One way from the alarm to a topic (None where it ends before one), with what was found on it."""

    topic: str | None
    owner_name: str
    owner_arn: str
    findings: tuple[Finding, ...]
    wait: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlarmVerdict:
    """What was found about an alarm, and its ways to topics."""

    findings: tuple[Finding, ...]
    events: Mapping[str, Status]
    seconds: int | None
    routes: tuple[Route, ...]
    notes: tuple[str, ...]


def judge_alarm(
    snapshot: Snapshot, index: RegionIndex, alarm: MetricAlarm, item: MetricFilter, emission: Emission | None
) -> AlarmVerdict:
    """Every check of an alarm on a filter's metric."""
    read = [query for query in alarm.watched if query.key == (item.namespace, item.metric)]
    events = _events(read, item, snapshot.account_id)
    # Beside a filter that publishes nothing, the alarm's own faults show on the usual 1.
    assumed = emission or (Emission(1.0, item.default) if publishes_nothing(item) else None)
    outcome = _outcome(index, alarm, item, assumed, snapshot.account_id)
    fires = _fires(alarm, item, emission, outcome, index.region.name)
    findings = [_metric(alarm, item, read, events), fires]
    if outcome.leaves is not Status.PASS:
        fix = f"Set TreatMissingData of alarm {alarm.name} to notBreaching." if outcome.leaves is Status.FAIL else None
        findings.append(Finding("alarm-leaves", outcome.leaves, alarm.name, outcome.leaves_reason, fix))
    if alarm.evaluation_state in {"EVALUATION_ERROR", "EVALUATION_FAILURE"}:
        reason = f"CloudWatch cannot evaluate alarm {alarm.name} ({alarm.evaluation_state}): {alarm.state_reason}."
        findings.append(Finding("alarm-evaluated", Status.UNKNOWN, alarm.name, reason))
    notes = list(outcome.notes)
    if alarm.state == "ALARM":
        notes.append(_in_alarm(alarm.name))
    if outcome.seconds is not None and outcome.seconds > SLOW:
        notes.append(f"Alarm {alarm.name} may take up to {outcome.seconds} seconds to fire.")
    ways = routes(snapshot, index, alarm, outcome.rests)
    return AlarmVerdict(tuple(findings), events, outcome.seconds, ways, tuple(notes))


def _in_alarm(name: str) -> str:
    return f"Alarm {name} is in ALARM now: until it leaves that state a further change sends nothing."


def _events(read: Sequence[MetricQuery], item: MetricFilter, account: str) -> dict[str, Status]:
    """Per event, whether the alarm reads the metric under the dimensions and the unit it is published with."""
    units = all(query.unit in {None, item.unit} for query in read)
    answers = [dimension_answers(item, query.dimensions, account) for query in read]
    agreeing = {event: any(answer[event] is Status.PASS for answer in answers) for event in EVENTS}
    return {event: Status.PASS if units and agreeing[event] else Status.FAIL for event in EVENTS}


def _metric(
    alarm: MetricAlarm, item: MetricFilter, read: Sequence[MetricQuery], events: Mapping[str, Status]
) -> Finding:
    metric, check = f"{item.namespace}/{item.metric}", "alarm-metric"
    if all_of(events.values()) is Status.PASS:
        reason = f"Alarm {alarm.name} reads {metric}, which metric filter {item.name} publishes."
        return Finding(check, Status.PASS, alarm.name, reason)
    fix = f"Put alarm {alarm.name} again on the metric as the filter publishes it."
    wrong_unit = next((query.unit for query in read if query.unit not in {None, item.unit}), None)
    if wrong_unit:
        reason = (
            f"Alarm {alarm.name} reads {metric} in the unit {wrong_unit}, and the filter publishes it in {item.unit}."
        )
        return Finding(check, Status.FAIL, alarm.name, reason, fix)
    published = _listed([*item.dimensions, *item.system_dimensions])
    wanted = _listed(f"{name}={value}" for query in read for name, value in query.dimensions.items())
    reason = f"Alarm {alarm.name} reads {metric} with {wanted}, and the filter publishes it with {published}."
    return Finding(check, Status.FAIL, alarm.name, reason, fix)


def _listed(names: Any) -> str:
    found = list(names)
    return f"dimensions {', '.join(found)}" if found else "no dimensions"


def _outcome(
    index: RegionIndex, alarm: MetricAlarm, item: MetricFilter, emission: Emission | None, account: str
) -> Outcome:
    """The worst that comes of the default values which the filters of one metric publish to it."""
    key = (item.namespace, item.metric)
    defaults = {other.default for other in index.publishers.get(key, []) if other.default is not None}

    def sources(query: MetricQuery, default: float | None) -> Emission | None:
        if query.account_id not in {None, account}:
            return None
        if query.key == key:
            return Emission(emission.value, default) if emission else None
        others = index.publishers.get(query.key)
        if not others:
            return None
        return Emission(None, next((other.default for other in others if other.default is not None), None))

    outcomes = [simulate(alarm, partial(sources, default=default)) for default in sorted(defaults) or (None,)]
    worst_first = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    return min(outcomes, key=lambda outcome: worst_first.index(all_of([outcome.fires, outcome.leaves])))


def _fires(alarm: MetricAlarm, item: MetricFilter, emission: Emission | None, outcome: Outcome, region: str) -> Finding:
    status, reason = outcome.fires, outcome.reason
    if emission is None and status is Status.FAIL:
        reason = f"Alarm {alarm.name} would not fire even if metric filter {item.name} published 1. {reason}"
    elif emission is None:
        status, reason = (
            Status.UNKNOWN,
            f"Whether alarm {alarm.name} fires depends on what metric filter {item.name} publishes.",
        )
    if status is Status.FAIL and emission is not None and emission.value == 0:
        reason += f" Metric filter {item.name} publishes {item.value} for a match."
    fix = None
    if status is not Status.PASS:
        fix = (
            f"aws cloudwatch put-metric-alarm --region {region} --alarm-name {quote(alarm.name)} "
            f"--namespace {quote(item.namespace)} --metric-name {quote(item.metric)} {GOOD_ALARM} "
            f"--alarm-actions {' '.join(map(quote, alarm.actions.on_alarm)) or 'TOPIC_ARN'}"
        )
    return Finding("alarm-fires", status, alarm.name, reason, fix)


def routes(snapshot: Snapshot, index: RegionIndex, alarm: MetricAlarm, rests: State | None) -> tuple[Route, ...]:
    """The ways from an alarm, itself or through composite alarms above it, to topics."""
    own = _actions(index.region, alarm.name, alarm.arn, alarm.actions)
    parents = index.composites.above(alarm.name, alarm.arn, rests.value if rests else None)
    above = [route for parent in parents for route in _through(index.region, parent)]
    if any(route.topic for route in own):
        return (*own, *(route for route in above if route.topic))
    unread = _unread_composites(snapshot, index.region, alarm)
    if any(route.topic for route in above):
        return (*(route for route in above if route.topic), *unread)
    findings = (*own[0].findings, *(finding for route in above for finding in route.findings))
    return (Route(None, alarm.name, alarm.arn, findings), *unread)


def _through(region: Region, parent: Parent) -> list[Route]:
    composite: CompositeAlarm = parent.alarm
    fix = f"Put composite alarm {composite.name} again so that its ALARM follows the alarm below it alone."
    fix_or_none = fix if parent.status is Status.FAIL else None
    finding = Finding("composite-alarm", parent.status, composite.name, parent.reason, fix_or_none)
    notes = [parent.reason] if composite.suppressor and parent.status is Status.PASS else []
    notes += [_in_alarm(composite.name)] if composite.state == "ALARM" else []
    wait = composite.suppressor_wait if composite.suppressor else 0
    return [
        Route(route.topic, route.owner_name, route.owner_arn, (finding, *route.findings), wait, (*notes, *route.notes))
        for route in _actions(region, composite.name, composite.arn, composite.actions)
    ]


def _unread_composites(snapshot: Snapshot, region: Region, alarm: MetricAlarm) -> tuple[Route, ...]:
    errors = [e for e in snapshot.errors_of("cloudwatch:DescribeAlarms", region=region.name) if not e.not_found]
    if region.composite_alarms is not None and not errors:
        return ()
    why = f"could not all be read: {errors[0]}" if errors else "were not collected"
    reason = f"Alarm {alarm.name} tells no topic itself; composite alarms, which might, {why}."
    return (Route(None, alarm.name, alarm.arn, (Finding("composite-alarm", Status.UNKNOWN, alarm.name, reason),)),)


def _actions(region: Region, name: str, arn: str, actions: Actions) -> list[Route]:
    """One route for each topic that an alarm tells when it goes to ALARM; one that ends where there is none."""
    check = "alarm-actions"
    topics = [action for action in actions.on_alarm if _service(action) == "sns"]
    muted, notes = _mute(region, name)
    if not actions.enabled:
        fix = f"aws cloudwatch enable-alarm-actions --alarm-names {quote(name)} --region {region.name}"
        return _ends(name, arn, Finding(check, Status.FAIL, name, f"The actions of alarm {name} are disabled.", fix))
    if muted:
        return _ends(name, arn, Finding(check, Status.FAIL, name, f"Alarm {name} is muted by mute rule {muted}."))
    if not topics:
        return _ends(name, arn, Finding(check, Status.FAIL, name, _no_topic(name, actions), _topic_fix(name)))
    return [
        Route(topic, name, arn, (_action(topic, name, region.name),), notes=notes) for topic in dict.fromkeys(topics)
    ]


def _ends(name: str, arn: str, finding: Finding) -> list[Route]:
    return [Route(None, name, arn, (finding,))]


def _service(action: str) -> str:
    parsed = parse_arn(action)
    return parsed.service if parsed else ""


def _topic_fix(name: str) -> str:
    return f"Put alarm {name} again with --alarm-actions TOPIC_ARN."


def _no_topic(name: str, actions: Actions) -> str:
    if actions.on_alarm:
        return f"Alarm {name} tells no SNS topic when it goes to ALARM, only {', '.join(actions.on_alarm)}."
    elsewhere = {"OK": actions.on_ok, "INSUFFICIENT_DATA": actions.on_insufficient_data}
    others = " and ".join(state for state, found in elsewhere.items() if found)
    if others:
        return f"Alarm {name} has actions for {others} only, and none for ALARM."
    return f"Alarm {name} has no action."


def _action(topic: str, name: str, region: str) -> Finding:
    parsed = parse_arn(topic)
    if parsed is not None and parsed.region != region:
        reason = f"Alarm {name} in {region} names topic {topic}, and an alarm can only tell topics of its own region."
        return Finding("alarm-actions", Status.FAIL, name, reason, _topic_fix(name))
    return Finding("alarm-actions", Status.PASS, name, f"Alarm {name} tells topic {topic} when it goes to ALARM.")


def _muted_names(rule: Mapping[str, Any]) -> Sequence[str]:
    targets = rule.get("MuteTargets")
    names = targets.get("AlarmNames") if isinstance(targets, Mapping) else None
    return names if isinstance(names, list) else ()


def _mute(region: Region, name: str) -> tuple[str | None, tuple[str, ...]]:
    """The mute rule that silences an alarm now, and notes on those that will.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutAlarmMuteRule.html
    """
    rules = [rule for rule in region.mute_rules if name in _muted_names(rule)]
    active = next((str(rule.get("Name")) for rule in rules if rule.get("Status") == "ACTIVE"), None)
    later = tuple(
        f"Mute rule {rule.get('Name')} is scheduled to mute alarm {name}."
        for rule in rules
        if rule.get("Status") == "SCHEDULED"
    )
    return active, later
