"""Checks of an alarm that reads a metric filter's metric: would it fire, leave ALARM again, and notify a topic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.alarm_path.alarms.composites import Companions, Composites, Parent
from chalicelib.alarm_path.alarms.evaluation import AlarmState
from chalicelib.alarm_path.alarms.simulation import Effort, Simulated, simulate
from chalicelib.alarm_path.checks.alarm_mutes import mute_of, refused_mutes, unread_mute
from chalicelib.alarm_path.checks.dimensions import dimension_answers
from chalicelib.alarm_path.checks.metric_feeds import Feeds, Found, SharedFeed
from chalicelib.alarm_path.patterns.in_account import in_account
from chalicelib.alarm_path.patterns.joint_verdicts import may_match_together
from chalicelib.alarm_path.patterns.pattern_coverage import PatternCoverage
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Actions, CompositeAlarm, MetricAlarm, MetricQuery
from chalicelib.alarm_path.snapshot.model import MetricFilter, Region, Snapshot
from chalicelib.alarm_path.standards import EVENTS
from chalicelib.alarm_path.verdicts import Finding, Status, all_of, any_of
from chalicelib.aws.arns import parse_arn

MetricKey = tuple[str, str]

# An alarm slower than this, in seconds, is worth a word.
SLOW = 900


@dataclass(slots=True)
class RegionIndex:
    """One region's alarms by the metric they read, its filters by the metric they publish, its composites."""

    region: Region
    readers: dict[MetricKey, list[MetricAlarm]] = field(default_factory=dict)
    publishers: dict[MetricKey, list[MetricFilter]] = field(default_factory=dict)
    by_metric: dict[str, MetricAlarm] = field(default_factory=dict)
    by_namespace: dict[str, MetricAlarm] = field(default_factory=dict)
    composites: Composites = field(default_factory=lambda: Composites({}))
    shared: dict[tuple[str, str], SharedFeed] = field(default_factory=dict)
    simulated: dict[tuple[str, str, Found], Simulated] = field(default_factory=dict)
    effort: Effort = field(default_factory=Effort)

    @classmethod
    def of(cls, region: Region, account: str = "", *, partition: str = "aws", complete: bool = False) -> RegionIndex:
        """Index a region once; judging then takes time in proportion to what it looks at.

        Metrics of other accounts are left out: no filter here publishes to them. Patterns read as in the account and
        its partition.
        """
        filters = region.metric_filters and tuple(
            _in_account(item, account, partition) for item in region.metric_filters
        )
        region = replace(region, metric_filters=filters)
        index = cls(region, composites=Composites.of(region, complete=complete))
        for alarm in region.metric_alarms or ():
            for key in dict.fromkeys(query.key for query in alarm.watched if query.account_id in {None, account}):
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


def _in_account(item: MetricFilter, account: str, partition: str) -> MetricFilter:
    pattern = in_account(item.pattern, account, partition)
    return item if pattern == item.pattern else replace(item, pattern=pattern)


@dataclass(frozen=True, slots=True)
class TopicRoute:
    """One way from the alarm to a topic (None where it ends before one), with what was found on it."""

    topic: str | None
    owner_name: str
    owner_arn: str
    findings: tuple[Finding, ...]
    wait: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlarmVerdict:
    """What was found about an alarm, and its ways to topics.

    ``events`` says per event whether the alarm reads what the filter publishes, and fires on it where that differs
    from event to event (``differs``).
    """

    findings: tuple[Finding, ...]
    events: Mapping[str, Status]
    seconds: int | None
    routes: tuple[TopicRoute, ...]
    notes: tuple[str, ...]
    differs: bool = False


def judge_alarm(
    snapshot: Snapshot,
    index: RegionIndex,
    alarm: MetricAlarm,
    item: MetricFilter,
    coverage: PatternCoverage,
    value: float | None,
    groups: frozenset[str] = frozenset(),
) -> AlarmVerdict:
    """Every check of an alarm on a filter's metric.

    ``value`` is what the filter publishes, None where that is not known; ``groups`` are the log groups that receive
    the same records.
    """
    read = [query for query in alarm.watched if query.key == (item.namespace, item.metric)]
    read = [query for query in read if query.account_id in {None, snapshot.account_id}]
    events = _events(read, item, snapshot.account_id)
    runs = _runs(index, Feeds(snapshot.account_id, index.publishers, groups), alarm, item, coverage)
    worst_run = _worst(runs.values())
    differs = len({run.fires for run in runs.values()}) > 1
    findings = [_metric(alarm, item, read, events), _fires(alarm, item, value, runs)]
    findings += _state_findings(snapshot, alarm, worst_run)
    seconds = max((run.seconds for run in runs.values() if run.seconds is not None), default=None)
    return AlarmVerdict(
        tuple(findings),
        {event: all_of([events[event], _fired(runs, event) if differs else Status.PASS]) for event in EVENTS},
        seconds,
        routes(snapshot, index, alarm, worst_run.rests, companions(index, alarm, item)),
        tuple(_alarm_notes(alarm, runs.values(), seconds)),
        differs,
    )


def _runs(
    index: RegionIndex, feeds: Feeds, alarm: MetricAlarm, item: MetricFilter, coverage: PatternCoverage
) -> dict[str, Simulated]:
    """The simulation of each event that the filter may match; of every event where it matches none.

    Filters that feed the same alarm mostly publish the same for a record, so what was simulated is kept.
    """
    feed = feeds.to(alarm, item)
    seen_from = (alarm.arn or alarm.name, feed.seen_from)
    feed = replace(feed, shared=index.shared.setdefault(seen_from, feed.shared))
    matched = [event for event in EVENTS if coverage.events.get(event, "never") != "never"]
    runs: dict[str, Simulated] = {}
    for event in matched or feed.unmatched_events:
        found = feed.found(event)
        key = (*seen_from, found)
        if key not in index.simulated:
            index.simulated[key] = simulate(alarm, feed.records(found), index.effort)
        runs[event] = index.simulated[key]
    return runs


def _fired(runs: Mapping[str, Simulated], event: str) -> Status:
    return runs[event].fires if event in runs else Status.UNKNOWN


def _worst(runs: Iterable[Simulated]) -> Simulated:
    worst_first = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    return min(runs, key=lambda run: worst_first.index(all_of([run.fires, run.leaves])))


def _state_findings(snapshot: Snapshot, alarm: MetricAlarm, run: Simulated) -> list[Finding]:
    """What is known of the alarm's own state: whether it leaves ALARM, can be evaluated, and acts already."""
    findings = []
    if run.leaves is not Status.PASS:
        findings.append(Finding("alarm-leaves", run.leaves, alarm.name, run.leaves_reason))
    if alarm.evaluation_state in {"EVALUATION_ERROR", "EVALUATION_FAILURE"}:
        reason = f"CloudWatch cannot evaluate alarm {alarm.name} ({alarm.evaluation_state}): {alarm.state_reason}."
        findings.append(Finding("alarm-evaluated", Status.UNKNOWN, alarm.name, reason))
    if alarm.warm_up is not None and not _is_warm(alarm, snapshot):
        reason = (
            f"Alarm {alarm.name} is in its warm-up period of {alarm.warm_up.minutes} minutes, in which it may not act."
        )
        findings.append(Finding("alarm-evaluated", Status.UNKNOWN, alarm.name, reason))
    return findings


def _is_warm(alarm: MetricAlarm, snapshot: Snapshot) -> bool:
    """Whether the warm-up is over: all the while the alarm stays in INSUFFICIENT_DATA, and it may end early.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_WarmUpConfiguration.html
    """
    return alarm.state in {"OK", "ALARM"} or bool(alarm.warm_up and alarm.warm_up.over(snapshot.collected_at))


def _alarm_notes(alarm: MetricAlarm, runs: Iterable[Simulated], seconds: int | None) -> list[str]:
    notes = list(dict.fromkeys(note for run in runs for note in run.notes))
    if alarm.state == "ALARM":
        notes.append(_in_alarm(alarm.name))
    if seconds is not None and seconds > SLOW:
        notes.append(f"Alarm {alarm.name} may take up to {seconds} seconds to fire.")
    return notes


def _in_alarm(name: str) -> str:
    return f"Alarm {name} is in ALARM now: until it leaves that state a further change sends nothing."


def _events(read: Sequence[MetricQuery], item: MetricFilter, account: str) -> dict[str, Status]:
    """Per event, whether the alarm reads the metric under the dimensions and the unit it is published with."""
    units = all(query.unit in {None, item.unit} for query in read)
    answers = [dimension_answers(item, query, account) for query in read]
    return {event: any_of(answer[event] for answer in answers) if units else Status.FAIL for event in EVENTS}


def _metric(
    alarm: MetricAlarm, item: MetricFilter, read: Sequence[MetricQuery], events: Mapping[str, Status]
) -> Finding:
    metric, check = f"{item.namespace}/{item.metric}", "alarm-metric"
    if all_of(events.values()) is Status.PASS:
        reason = f"Alarm {alarm.name} reads {metric}, which metric filter {item.name} publishes."
        return Finding(check, Status.PASS, alarm.name, reason)
    wrong_unit = next((query.unit for query in read if query.unit not in {None, item.unit}), None)
    if wrong_unit:
        reason = (
            f"Alarm {alarm.name} reads {metric} in the unit {wrong_unit}, and the filter publishes it in {item.unit}."
        )
        return Finding(check, Status.FAIL, alarm.name, reason)
    if all_of(events.values()) is Status.UNKNOWN:
        reason = f"Whether alarm {alarm.name} reads {metric} as metric filter {item.name} publishes it is not known."
        return Finding(check, Status.UNKNOWN, alarm.name, reason)
    published = _listed([*item.dimensions, *item.system_dimensions])
    wanted = _listed(name for query in read for name in _wanted(query))
    reason = f"Alarm {alarm.name} reads {metric} with {wanted}, and the filter publishes it with {published}."
    return Finding(check, Status.FAIL, alarm.name, reason)


def _wanted(query: MetricQuery) -> list[str]:
    if query.insights is not None:
        return [*(query.insights.schema or ()), *(query.insights.where or ())]
    return [f"{name}={value}" for name, value in query.dimensions.items()]


def _listed(names: Any) -> str:
    found = list(names)
    return f"dimensions {', '.join(found)}" if found else "no dimensions"


def _fires(alarm: MetricAlarm, item: MetricFilter, value: float | None, runs: Mapping[str, Simulated]) -> Finding:
    status = all_of(run.fires for run in runs.values())
    reason = _reason(status, runs)
    if value is None and status is Status.FAIL:
        reason = f"Alarm {alarm.name} would not fire even if metric filter {item.name} published 1. {reason}"
    elif value is None:
        status = Status.UNKNOWN
        reason = f"Whether alarm {alarm.name} fires depends on what metric filter {item.name} publishes."
    if status is Status.FAIL and value == 0:
        reason += f" Metric filter {item.name} publishes {item.value} for a match."
    return Finding("alarm-fires", status, alarm.name, reason)


def _reason(status: Status, runs: Mapping[str, Simulated]) -> str:
    """Why, and for which events where it differs."""
    reason = next(run.reason for run in runs.values() if run.fires is status)
    if all(run.fires is status for run in runs.values()):
        return reason
    return f"{reason} That is so of {', '.join(event for event, run in runs.items() if run.fires is status)}."


def companions(index: RegionIndex, alarm: MetricAlarm, item: MetricFilter) -> Companions:
    """The alarms beside this one in composites above it which records that the filter matches move, or may move."""
    named = index.composites.named_with(alarm.name, alarm.arn)
    others = [
        other for other in index.region.metric_alarms or () if named and (other.name in named or other.arn in named)
    ]
    found: dict[str, bool] = {}
    for other in others:
        keys = {query.key for query in other.watched}
        if any(may_match_together(item.pattern, fed.pattern) for key in keys for fed in index.publishers.get(key, ())):
            same = _evaluated_alike(alarm, other)
            found |= {other.name: same, other.arn: same}
    return found


def _evaluated_alike(alarm: MetricAlarm, other: MetricAlarm) -> bool:
    """Whether two alarms differ in name, words, actions and present state alone: they then move together."""
    own = replace(
        alarm,
        name=other.name,
        arn=other.arn,
        state=other.state,
        actions=other.actions,
        state_reason=other.state_reason,
        description=other.description,
    )
    return own == other


def routes(
    snapshot: Snapshot,
    index: RegionIndex,
    alarm: MetricAlarm,
    rests: AlarmState | None,
    beside: Companions | None = None,
) -> tuple[TopicRoute, ...]:
    """The ways from an alarm, itself or through composite alarms above it, to topics."""
    own = _sure_of_mutes(snapshot, index.region, _actions(index.region, alarm.name, alarm.arn, alarm.actions))
    parents = index.composites.above(alarm.name, alarm.arn, rests.value if rests else None, beside)
    through = [route for parent in parents for route in _through(index.region, parent)]
    above = _sure_of_mutes(snapshot, index.region, through)
    if any(route.topic for route in own):
        return (*own, *(route for route in above if route.topic))
    unread = _unread_composites(snapshot, index.region, alarm)
    if any(route.topic for route in above):
        return (*(route for route in above if route.topic), *unread)
    findings = (*own[0].findings, *(finding for route in above for finding in route.findings))
    return (TopicRoute(None, alarm.name, alarm.arn, findings), *unread)


def _through(region: Region, parent: Parent) -> list[TopicRoute]:
    composite: CompositeAlarm = parent.alarm
    finding = Finding("composite-alarm", parent.status, composite.name, parent.reason)
    notes = [parent.reason] if composite.suppressor and parent.status is Status.PASS else []
    notes += [_in_alarm(composite.name)] if composite.state == "ALARM" else []
    wait = composite.suppressor_wait if composite.suppressor else 0
    return [
        TopicRoute(
            route.topic, route.owner_name, route.owner_arn, (finding, *route.findings), wait, (*notes, *route.notes)
        )
        for route in _actions(region, composite.name, composite.arn, composite.actions)
    ]


def _unread_composites(snapshot: Snapshot, region: Region, alarm: MetricAlarm) -> tuple[TopicRoute, ...]:
    errors = [e for e in snapshot.errors_of("cloudwatch:DescribeAlarms", region=region.name) if not e.not_found]
    if region.composite_alarms is not None and not errors:
        return ()
    why = f"could not all be read: {errors[0]}" if errors else "were not collected"
    reason = f"Alarm {alarm.name} notifies no topic itself; composite alarms, which might, {why}."
    return (TopicRoute(None, alarm.name, alarm.arn, (Finding("composite-alarm", Status.UNKNOWN, alarm.name, reason),)),)


def _actions(region: Region, name: str, arn: str, actions: Actions) -> list[TopicRoute]:
    """One route for each topic that an alarm notifies when it goes to ALARM; one that ends where there is none."""
    check = "alarm-actions"
    topics = [action for action in actions.on_alarm if _service(action) == "sns"]
    muted, notes = mute_of(region, name, arn)
    silent = f"The actions of alarm {name} are disabled." if not actions.enabled else ""
    silent = silent or (f"Alarm {name} is muted by mute rule {muted}." if muted else "")
    doubt = unread_mute(region, name, arn)
    if not topics:
        return _ends(name, arn, Finding(check, Status.FAIL, name, silent or _no_topic(name, actions)))
    if silent:
        finding = Finding(check, Status.FAIL, name, silent)
        return [TopicRoute(topic, name, arn, (finding,), notes=notes) for topic in dict.fromkeys(topics)]
    doubts = (Finding(check, Status.UNKNOWN, name, doubt),) if doubt else ()
    return [
        TopicRoute(topic, name, arn, (_action(topic, name, region.name), *doubts), notes=notes)
        for topic in dict.fromkeys(topics)
    ]


def _ends(name: str, arn: str, finding: Finding) -> list[TopicRoute]:
    return [TopicRoute(None, name, arn, (finding,))]


def _service(action: str) -> str:
    parsed = parse_arn(action)
    return parsed.service if parsed else ""


def _no_topic(name: str, actions: Actions) -> str:
    if actions.on_alarm:
        return f"Alarm {name} notifies no SNS topic when it goes to ALARM, only {', '.join(actions.on_alarm)}."
    elsewhere = {"OK": actions.on_ok, "INSUFFICIENT_DATA": actions.on_insufficient_data}
    others = " and ".join(state for state, found in elsewhere.items() if found)
    if others:
        return f"Alarm {name} has actions for {others} only, and none for ALARM."
    return f"Alarm {name} has no action."


def _action(topic: str, name: str, region: str) -> Finding:
    parsed = parse_arn(topic)
    if parsed is not None and parsed.region != region:
        reason = f"Alarm {name} in {region} names topic {topic}, and an alarm can only notify topics of its own region."
        return Finding("alarm-actions", Status.FAIL, name, reason)
    return Finding("alarm-actions", Status.PASS, name, f"Alarm {name} notifies topic {topic} when it goes to ALARM.")


def _sure_of_mutes(snapshot: Snapshot, region: Region, found: Sequence[TopicRoute]) -> list[TopicRoute]:
    """The routes, with a doubt where AWS refused mute rules, or one of them: it may be about any alarm."""
    reason = refused_mutes(snapshot, region)
    if reason is None:
        return list(found)
    return [
        replace(route, findings=(*route.findings, Finding("alarm-actions", Status.UNKNOWN, route.owner_name, reason)))
        if route.topic
        else route
        for route in found
    ]
