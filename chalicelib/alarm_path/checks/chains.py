"""Chains: every way from a trail to a subscriber that the snapshot shows, with what was found along it.

A place that could not be read may hold a good link, so it yields a chain of its own that is unknown
there; that chain counts only where no other is good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chalicelib.alarm_path.check_registry import CHECKS
from chalicelib.alarm_path.checks.alarm_checks import AlarmVerdict, RegionIndex, TopicRoute, judge_alarm
from chalicelib.alarm_path.checks.filter_checks import FilterVerdict, judge_filter
from chalicelib.alarm_path.checks.topic_checks import judge_topic
from chalicelib.alarm_path.checks.trail_checks import judge_trail, unread
from chalicelib.alarm_path.checks.unread_filters import alarms_for_any_filter
from chalicelib.alarm_path.patterns.pattern_coverage import CoverageOf, PatternCoverage
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import MetricAlarm
from chalicelib.alarm_path.snapshot.model import MetricFilter, Snapshot, Trail
from chalicelib.alarm_path.standards import CLASSIC_EVENTS, EVENTS
from chalicelib.alarm_path.verdicts import Finding, Status, all_of, status_of, worst
from chalicelib.aws.arns import Arn, log_group_name

# Checks whose answer differs from event to event; ``Chain.reach`` holds their answers.
EVENT_CHECKS = frozenset(check.id for check in CHECKS if check.by_event)

# Of alarms none of which would fire, so many are shown as examples.
MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Chain:
    """One way: the names of its links, and the findings.

    ``reach`` says per event whether the trail logs it and the alarm reads what the filter publishes;
    ``by_event`` are the checks whose answers it holds. ``links`` is the answer of everything that holds for every event
    alike, ``answers`` that of all together.
    """

    trail: str
    findings: tuple[Finding, ...]
    trail_arn: str = ""
    log_group: str | None = None
    metric_filter: MetricFilter | None = None
    region: str = ""
    alarm: str | None = None
    alarm_arn: str = ""
    topic: str | None = None
    reach: Mapping[str, Status] = field(default_factory=dict)
    coverage: PatternCoverage | None = None
    seconds: int | None = None
    notes: tuple[str, ...] = ()

    by_event: frozenset[str] = EVENT_CHECKS
    links: Status = Status.UNKNOWN
    answers: Mapping[str, Status] = field(default_factory=dict)

    def passes(self, event: str) -> Status:
        """Whether a successful call of this event reaches somebody along this chain."""
        return self.answers.get(event, Status.UNKNOWN)

    @property
    def exact(self) -> Status:
        """Whether this chain is all that Security Hub CloudWatch.10 asks for."""
        means = status_of(self.coverage.exact) if self.coverage else Status.UNKNOWN
        return all_of([means, *(self.passes(event) for event in CLASSIC_EVENTS)])


@dataclass(slots=True)
class Builder:
    """Builds the chains of a snapshot; patterns, regions and topics are judged once."""

    snapshot: Snapshot
    coverage_of: CoverageOf
    _patterns: dict[tuple[str, ...], PatternCoverage] = field(default_factory=dict)
    _regions: dict[str, RegionIndex] = field(default_factory=dict)
    _topics: dict[tuple[str, str, str], tuple[list[Finding], list[str]]] = field(default_factory=dict)
    _fed: list[Arn] | None = None

    def chains(self) -> list[Chain]:
        """Every chain of every trail."""
        trails = _distinct(self.snapshot.trails or ())
        return [_answered(chain) for trail in trails for chain in self._of_trail(trail)]

    def coverage(self, *patterns: str) -> PatternCoverage:
        """What patterns match together, worked out once."""
        if patterns not in self._patterns:
            self._patterns[patterns] = self.coverage_of(patterns)
        return self._patterns[patterns]

    def index(self, region: str) -> RegionIndex:
        """A region's index, built once."""
        if region not in self._regions:
            found = self.snapshot.region(region)
            complete = found.metric_alarms is not None and found.composite_alarms is not None
            complete = complete and not self.snapshot.errors_of("cloudwatch:DescribeAlarms", region=region)
            account, partition = self.snapshot.account_id, self.snapshot.partition
            self._regions[region] = RegionIndex.of(found, account, partition=partition, complete=complete)
        return self._regions[region]

    def groups(self, region: str) -> frozenset[str]:
        """The log groups of a region that receive the same records: those of trails without a broken link."""
        if self._fed is None:
            judged = [judge_trail(self.snapshot, trail) for trail in _distinct(self.snapshot.trails or ())]
            self._fed = [
                verdict.log_group
                for verdict in judged
                if verdict.log_group is not None and not verdict.elsewhere and worst(verdict.findings) is Status.PASS
            ]
        return frozenset(log_group_name(group) for group in self._fed if group.region == region)

    def _of_trail(self, trail: Trail) -> Iterator[Chain]:
        verdict = judge_trail(self.snapshot, trail)
        start = Chain(trail.name, verdict.findings, trail.arn, reach=dict(verdict.events), notes=verdict.notes)
        group = verdict.log_group
        if group is None:
            yield start
            return
        start = replace(start, log_group=log_group_name(group), region=group.region)
        if verdict.elsewhere:
            yield start
            return
        yield from self._of_group(start, group)

    def _of_group(self, start: Chain, group: Arn) -> Iterator[Chain]:
        filters = self.index(group.region).region.metric_filters
        name = log_group_name(group)
        judged = [(item, self.coverage(item.pattern)) for item in filters or () if item.log_group == name]
        relevant = [(item, coverage) for item, coverage in judged if _relevant(item, coverage)]
        for item, coverage in relevant:
            found = judge_filter(item, coverage, group, self.snapshot)
            yield from self._of_filter(_with_filter(start, found, item), group, found, item)
        gap = self._gap(
            group, "logs:DescribeMetricFilters", filters is None, f"The metric filters of {name}", str(group)
        )
        if gap:
            yield from self._of_unread_filters(replace(start, findings=(*start.findings, gap)), group)
        elif not relevant:
            yield replace(start, findings=(*start.findings, self._no_filter(group)))

    def _of_unread_filters(self, start: Chain, group: Arn) -> list[Chain]:
        """What follows a filter that nobody saw: not known, unless no alarm could carry on what it publishes."""
        index = self.index(group.region)
        if not index.composites.complete or worst(start.findings) is Status.FAIL:
            return [start]
        chains: list[Chain] = []
        for alarm, verdict in alarms_for_any_filter(self.snapshot, index):
            ways = [self._of_route(start, alarm, verdict, route) for route in verdict.routes]
            if any(worst(way.findings) is not Status.FAIL for way in ways):
                return [start]
            chains += ways
        if chains:
            return chains[:MOST_SHOWN]
        reason = f"No alarm in {group.region} reads a metric that a metric filter could publish."
        fix = "sgwatch repair, once the metric filters can be read"
        none = Finding("alarm-exists", Status.FAIL, str(group), reason, fix)
        return [replace(start, findings=(*start.findings, none))]

    def _gap(self, group: Arn, call: str, missing: bool, what: str, resource: str | None) -> Finding | None:
        """The finding for a list that was not read, or not read to its end."""
        errors = self.snapshot.errors_of(call, region=group.region, resource=resource)
        if not missing and all(error.not_found for error in errors):
            return None
        status, reason = unread(errors, what)
        check = "filter-exists" if call == "logs:DescribeMetricFilters" else "alarm-exists"
        return Finding(check, status, str(group), reason)

    def _no_filter(self, group: Arn) -> Finding:
        name = log_group_name(group)
        reason = f"No metric filter on log group {name} matches security group changes.{self._nearest_filter(group)}"
        return Finding("filter-exists", Status.FAIL, str(group), reason)

    def _nearest_filter(self, group: Arn) -> str:
        """A filter that does match them, on a log group to which this trail does not deliver."""
        for region in self.snapshot.regions.values():
            for item in region.metric_filters or ():
                here = region.name == group.region and item.log_group == log_group_name(group)
                if not here and _meant(item):
                    return (
                        f" Metric filter {item.name} is about them, but on log group {item.log_group} "
                        f"in {region.name}, to which this trail does not deliver."
                    )
        return ""

    def _of_filter(self, start: Chain, group: Arn, found: FilterVerdict, item: MetricFilter) -> Iterator[Chain]:
        index = self.index(group.region)
        alarms = index.readers.get((item.namespace, item.metric), [])
        for alarm in alarms:
            groups = self.groups(group.region)
            verdict = judge_alarm(self.snapshot, index, alarm, item, found.coverage, found.value, groups)
            for route in verdict.routes:
                yield self._of_route(start, alarm, verdict, route)
        metric = f"{item.namespace}/{item.metric}"
        missing = index.region.metric_alarms is None
        gap = self._gap(group, "cloudwatch:DescribeAlarms", missing, f"The alarms on {metric} in {group.region}", None)
        if gap:
            yield replace(start, findings=(*start.findings, replace(gap, subject=metric)))
        elif not alarms:
            yield replace(start, findings=(*start.findings, self._no_alarm(index, item)))

    def _no_alarm(self, index: RegionIndex, item: MetricFilter) -> Finding:
        metric, here = f"{item.namespace}/{item.metric}", index.region.name
        near = index.nearest(item) or self._elsewhere(item, here)
        reason = f"No alarm in {here} reads {metric}, which metric filter {item.name} publishes.{near}"
        return Finding("alarm-exists", Status.FAIL, metric, reason)

    def _elsewhere(self, item: MetricFilter, here: str) -> str:
        for region in self.snapshot.regions:
            readers = self.index(region).readers.get((item.namespace, item.metric), [])
            if region != here and readers:
                return f" Alarm {readers[0].name} does, but in {region}, where this metric is not."
        return ""

    def _of_route(self, start: Chain, alarm: MetricAlarm, verdict: AlarmVerdict, route: TopicRoute) -> Chain:
        findings, notes = [*verdict.findings, *route.findings], [*verdict.notes, *route.notes]
        if route.topic:
            key = (route.topic, route.owner_name, route.owner_arn)
            if key not in self._topics:
                own = alarm if route.owner_arn == alarm.arn else None
                self._topics[key] = judge_topic(self.snapshot, *key, own)
            findings += self._topics[key][0]
            notes += self._topics[key][1]
        return replace(
            start,
            alarm=alarm.name,
            alarm_arn=route.owner_arn,
            topic=route.topic,
            findings=(*start.findings, *findings),
            reach={event: all_of([start.reach[event], verdict.events[event]]) for event in EVENTS},
            by_event=EVENT_CHECKS | {"alarm-fires"} if verdict.differs else EVENT_CHECKS,
            seconds=None if verdict.seconds is None else verdict.seconds + route.wait,
            notes=(*start.notes, *notes),
        )


def _answered(chain: Chain) -> Chain:
    links = worst(finding for finding in chain.findings if finding.check not in chain.by_event)
    answers = {
        event: all_of(
            [
                links,
                chain.reach.get(event, Status.UNKNOWN),
                chain.coverage.covers(event) if chain.coverage else Status.UNKNOWN,
            ]
        )
        for event in EVENTS
    }
    return replace(chain, links=links, answers=answers)


def _distinct(trails: Sequence[Trail]) -> list[Trail]:
    """Each trail once: a multi-region trail is listed in every region, and answers best in its home region."""
    found: dict[str, Trail] = {}
    for trail in trails:
        key = trail.arn or trail.name
        known = found.get(key)
        if known is None or (known.status is None and trail.status is not None):
            found[key] = trail
    return list(found.values())


def _relevant(item: MetricFilter, coverage: PatternCoverage) -> bool:
    """Whether a filter has to do with security group changes, or was meant to."""
    return any(answer != "never" for answer in coverage.events.values()) or _meant(item)


def _meant(item: MetricFilter) -> bool:
    """Whether a filter, by its name, its metric's or its pattern, was made for security groups."""
    texts = (item.name, item.metric, item.pattern)
    return any("securitygroup" in re.sub("[^a-z]", "", text.lower()) for text in texts)


def _with_filter(start: Chain, found: FilterVerdict, item: MetricFilter) -> Chain:
    return replace(
        start,
        metric_filter=item,
        coverage=found.coverage,
        findings=(*start.findings, *found.findings),
        notes=(*start.notes, *found.notes),
    )


def about_groups(chain: Chain) -> bool:
    """Whether a chain was meant for security group changes, rather than touching them by accident."""
    if chain.metric_filter is None or chain.coverage is None:
        return True
    return any(chain.coverage.events.get(event) == "always" for event in EVENTS) or _meant(chain.metric_filter)


def good(chains: Sequence[Chain]) -> list[Chain]:
    """The chains without a broken or unread link, whatever their filters match."""
    return [chain for chain in chains if chain.links is Status.PASS and chain.metric_filter is not None]
