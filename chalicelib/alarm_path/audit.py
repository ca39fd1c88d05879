"""The audit: chains judged per event, events judged per standard, and the report of it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.alarm_path.checks.chains import Builder, Chain, about_groups, good
from chalicelib.alarm_path.checks.filter_checks import coverage_sentence
from chalicelib.alarm_path.checks.own_path import judge_own_path
from chalicelib.alarm_path.checks.trail_checks import NEW_TRAIL, unread
from chalicelib.alarm_path.fix_context import CollectedItems, FixContext
from chalicelib.alarm_path.fix_simulation import would_fire
from chalicelib.alarm_path.fixes import calls_beside, calls_for, with_calls
from chalicelib.alarm_path.patterns.pattern_coverage import CoverageOf
from chalicelib.alarm_path.report import EventAnswer, PathReport, Report
from chalicelib.alarm_path.snapshot.model import Snapshot
from chalicelib.alarm_path.standards import CLASSIC_EVENTS, EVENTS, WHY_TWO_FILTERS, Standard
from chalicelib.alarm_path.verdicts import Finding, Status, all_of, any_of, status_of, worst

# Of the paths, so many have fixes that were simulated.
MOST_SIMULATED = 20

DELAY_NOTE = (
    "Seconds count from the moment a record is in the log group; "
    "CloudTrail usually takes about five minutes to bring it there."
)


def audit(
    snapshot: Snapshot,
    coverage_of: CoverageOf,
    *,
    checked_at: datetime,
    standard: Standard = Standard.CIS_5,
    profile: str | None = None,
) -> Report:
    """Judge a snapshot. ``checked_at`` is the time that the report is about; ``profile`` goes into its fixes."""
    builder = Builder(snapshot, coverage_of)
    chains = builder.chains()
    missing = _missing_trails(snapshot, profile)
    gaps = [finding.status for finding in missing]
    coverage = {event: _event(chains, gaps, event) for event in EVENTS}
    coverage = _with_unions(builder, chains, coverage)
    standards = _standards(chains, gaps, coverage)
    own, own_notes = judge_own_path(snapshot, profile)
    paths = _paths(builder, chains, standard, met=standards[standard] is Status.PASS, profile=profile)
    notes = [*_notes(snapshot, chains, paths, standards), *own_notes]
    return Report(
        status=standards[standard],
        checked_at=checked_at,
        account_id=snapshot.account_id,
        standards={item.value: standards[item] for item in Standard},
        coverage=coverage,
        paths=paths,
        findings=(*missing, *own),
        notes=tuple(dict.fromkeys(notes)),
        in_alarm=_in_alarm(snapshot, chains, standard),
    )


def _in_alarm(snapshot: Snapshot, chains: Sequence[Chain], standard: Standard) -> tuple[str, ...]:
    """The alarms in ALARM now on all chains that carry some event."""
    states: dict[tuple[str, str], str | None] = {}
    for region in snapshot.regions.values():
        states |= {(region.name, alarm.arn): alarm.state for alarm in region.metric_alarms or ()}
        states |= {(region.name, alarm.arn): alarm.state for alarm in region.composite_alarms or ()}
    found: dict[str, None] = {}
    for event in standard.events:
        carrying = [chain for chain in chains if chain.passes(event) is Status.PASS]
        if carrying and all(states.get((chain.region, chain.alarm_arn)) == "ALARM" for chain in carrying):
            found.update((chain.alarm, None) for chain in carrying if chain.alarm)
    return tuple(found)


def _missing_trails(snapshot: Snapshot, profile: str | None) -> list[Finding]:
    """What belongs to no path: no trail at all, or trails that could not be listed."""
    errors = snapshot.errors_of("cloudtrail:DescribeTrails") + snapshot.errors_of("cloudtrail:ListTrails")
    if snapshot.trails is None or any(not error.not_found for error in errors):
        status, reason = unread(errors, "The list of trails")
        return [Finding("trail-exists", status, snapshot.account_id, reason)]
    if snapshot.trails:
        return []
    reason = f"Account {snapshot.account_id} has no CloudTrail trail, so nothing can raise an alarm."
    missing = Finding("trail-exists", Status.FAIL, snapshot.account_id, reason, NEW_TRAIL)
    region = next(iter(snapshot.regions), "")
    context = FixContext(snapshot, region, CollectedItems(snapshot, region), profile=profile)
    return list(with_calls((missing,), context))


def _event(chains: Sequence[Chain], gaps: Sequence[Status], event: str) -> EventAnswer:
    status = any_of([*(chain.passes(event) for chain in chains), *gaps])
    seconds = [chain.seconds for chain in chains if chain.seconds is not None and chain.passes(event) is Status.PASS]
    return EventAnswer(status, min(seconds, default=None))


def _with_unions(
    builder: Builder, chains: Sequence[Chain], coverage: Mapping[str, EventAnswer]
) -> dict[str, EventAnswer]:
    """Filters that match an event only sometimes may together match it always."""
    improved = dict(coverage)
    for event, answer in coverage.items():
        if answer.status is Status.PASS:
            continue
        sharing = [chain for chain in good(chains) if _in_part(chain, event)]
        patterns = dict.fromkeys(chain.metric_filter.pattern for chain in sharing if chain.metric_filter)
        if len(patterns) > 1 and builder.coverage(*patterns).covers(event) is Status.PASS:
            seconds = [chain.seconds for chain in sharing if chain.seconds is not None]
            improved[event] = EventAnswer(Status.PASS, max(seconds, default=None))
    return improved


def _in_part(chain: Chain, event: str) -> bool:
    """Whether a chain's filter matches the event, be it only sometimes, and its alarm reads that."""
    matches = chain.coverage is not None and chain.coverage.events.get(event) in {"always", "sometimes"}
    return matches and chain.reach.get(event) is Status.PASS


def _standards(
    chains: Sequence[Chain], gaps: Sequence[Status], coverage: Mapping[str, EventAnswer]
) -> dict[Standard, Status]:
    return {
        Standard.CIS_1_TO_4: all_of(coverage[event].status for event in CLASSIC_EVENTS),
        Standard.CIS_5: all_of(coverage[event].status for event in EVENTS),
        Standard.SECURITY_HUB: any_of([*(chain.exact for chain in chains), *gaps]),
    }


def _paths(
    builder: Builder, chains: Sequence[Chain], standard: Standard, *, met: bool, profile: str | None
) -> tuple[PathReport, ...]:
    """The chains as paths: those about security groups, and any other only where it carries something."""
    shown = [chain for chain in chains if about_groups(chain) or _carries(chain, standard.events)]
    shown = shown or list(chains)
    matching = {} if met else _matching(chains)
    contexts = _Contexts(builder, chains, standard, profile)
    paths = [_path(chain, standard, matching, contexts, met=met) for chain in shown]
    return tuple(_with_fixes(path, contexts.of(chain)) for path, chain in zip(paths, shown, strict=True))


def _carries(chain: Chain, events: Sequence[str]) -> bool:
    return chain.metric_filter is not None and any(chain.passes(event) is Status.PASS for event in events)


def _matching(chains: Sequence[Chain]) -> dict[str, Chain]:
    """For each event the chain nearest to soundness whose filter, made for such events, matches every call of it."""
    found: dict[str, Chain] = {}
    for chain in sorted(chains, key=lambda item: (Status.PASS, Status.UNKNOWN, Status.FAIL).index(item.links)):
        for event in EVENTS:
            if chain.coverage and not chain.coverage.over_matches and chain.coverage.covers(event) is Status.PASS:
                found.setdefault(event, chain)
    return found


def _path(
    chain: Chain, standard: Standard, matching: Mapping[str, Chain], contexts: _Contexts, *, met: bool
) -> PathReport:
    contributes = met and any(_in_part(chain, event) for event in standard.events)
    findings = tuple(_for_standard(finding, chain, standard, contributes=contributes) for finding in chain.findings)
    if standard is Standard.SECURITY_HUB and not met:
        findings = tuple(_exactly(finding, chain) for finding in findings)
    findings = _shared(findings, chain, matching, standard.events, contexts)
    return PathReport(
        trail=chain.trail,
        log_group=chain.log_group,
        metric_filter=chain.metric_filter.name if chain.metric_filter else None,
        alarm=chain.alarm,
        topic=chain.topic,
        status=worst(findings),
        findings=findings,
    )


@dataclass(slots=True)
class _Contexts:
    """Where each chain's fixes stand; so many are simulated, since an account may have thousands of broken paths."""

    builder: Builder
    chains: Sequence[Chain]
    standard: Standard
    profile: str | None
    made: dict[int, FixContext] = field(default_factory=dict)
    collected: dict[str, CollectedItems] = field(default_factory=dict)
    carried: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.carried = {event for event in EVENTS if any(chain.passes(event) is Status.PASS for chain in self.chains)}

    def of(self, chain: Chain) -> FixContext:
        """The context of a chain, made once."""
        if id(chain) not in self.made:
            self.made[id(chain)] = self._make(chain)
        return self.made[id(chain)]

    def _make(self, chain: Chain) -> FixContext:
        snapshot = self.builder.snapshot
        region = chain.region or _home_region(snapshot, chain.trail_arn)
        if region not in self.collected:
            self.collected[region] = CollectedItems(snapshot, region)
        context = FixContext(
            snapshot,
            region,
            self.collected[region],
            chain.trail_arn,
            chain.log_group,
            chain.metric_filter,
            chain.alarm,
            chain.alarm_arn,
            chain.topic,
            _uncovered(chain, self.standard, self.carried),
            profile=self.profile,
        )
        simulated = len(self.made) < MOST_SIMULATED
        return replace(context, would_fire=would_fire(self.builder, chain)) if simulated else context


def _home_region(snapshot: Snapshot, trail_arn: str) -> str:
    return next((trail.home_region for trail in snapshot.trails or () if trail.arn == trail_arn), "")


def _uncovered(chain: Chain, standard: Standard, carried: set[str]) -> tuple[str, ...]:
    """The events that the chain's filter does not always match; none where one filter has to hold exactly some."""
    if chain.coverage is None or standard is Standard.SECURITY_HUB:
        return ()
    missing = [event for event in standard.events if chain.coverage.covers(event) is not Status.PASS]
    return tuple(event for event in missing if event not in carried)


def _with_fixes(path: PathReport, context: FixContext) -> PathReport:
    if path.status is Status.PASS:
        return path
    findings = with_calls(path.findings, context)
    return replace(path, findings=findings, beside=calls_beside(findings, context))


def _for_standard(finding: Finding, chain: Chain, standard: Standard, *, contributes: bool) -> Finding:
    """Findings that differ from event to event answer for the standard's; what other paths carry is not missing."""
    events = standard.events
    if finding.check == "filter-coverage" and chain.metric_filter is not None and chain.coverage is not None:
        status = all_of(chain.coverage.covers(event) for event in events)
        if status is Status.PASS:
            reason = (
                f"Metric filter {chain.metric_filter.name} matches every successful call of the {len(events)} events."
            )
            return replace(finding, status=status, reason=reason, fix=None)
        sentence = coverage_sentence(chain.metric_filter, chain.coverage)
        judged = replace(finding, status=status, reason=sentence)
        return _named_elsewhere(judged) if contributes else judged
    if finding.check not in chain.by_event or finding.status is Status.PASS:
        return finding
    if all_of(chain.reach.get(event, Status.UNKNOWN) for event in events) is Status.PASS:
        reason = f"{finding.reason} That is none of the {len(events)} events that count here."
        return replace(finding, status=Status.PASS, reason=reason, fix=None)
    if contributes:
        return replace(finding, status=Status.PASS, reason=f"{finding.reason} Other paths carry the rest.", fix=None)
    return finding


def _shared(
    findings: tuple[Finding, ...],
    chain: Chain,
    matching: Mapping[str, Chain],
    events: Sequence[str],
    contexts: _Contexts,
) -> tuple[Finding, ...]:
    """Where other filters match what this one does not, what is broken is the way behind one of them."""
    missing = [event for event in events if chain.coverage and chain.coverage.covers(event) is not Status.PASS]
    if not missing or any(event not in matching for event in missing):
        return findings
    if any(finding.status is not Status.PASS for finding in findings if finding.check != "filter-coverage"):
        return tuple(_named_elsewhere(finding) for finding in findings)
    other = matching[missing[0]]
    general = (item for item in other.findings if item.check not in other.by_event)
    broken = next((item for item in general if item.status is other.links), None)
    if broken is None or other.links is Status.PASS or other.metric_filter is None:
        return findings
    why = f"Metric filter {other.metric_filter.name} matches {missing[0]}, but its path is not sound: {broken.reason}"
    calls = calls_for(broken, contexts.of(other))
    return tuple(
        replace(finding, status=broken.status, reason=f"{finding.reason} {why}", fix=broken.fix, calls=calls)
        if finding.check == "filter-coverage"
        else finding
        for finding in findings
    )


def _named_elsewhere(finding: Finding) -> Finding:
    if finding.check != "filter-coverage":
        return finding
    return replace(finding, status=Status.PASS, reason=f"{finding.reason} Other filters match the rest.", fix=None)


def _exactly(finding: Finding, chain: Chain) -> Finding:
    """Security Hub's control wants a filter that holds its six events and nothing else."""
    exact = status_of(chain.coverage.exact) if chain.coverage else Status.UNKNOWN
    if finding.check != "filter-coverage" or finding.status is not Status.PASS or exact is Status.PASS:
        return finding
    holds = "holds more than" if exact is Status.FAIL else "may hold more than"
    reason = f"{finding.reason} Security Hub CloudWatch.10 wants exactly those, and this filter {holds} them."
    return replace(finding, status=exact, reason=reason, fix=None)


def _notes(
    snapshot: Snapshot, chains: Sequence[Chain], paths: Sequence[PathReport], standards: Mapping[Standard, Status]
) -> list[str]:
    shown = {(path.metric_filter, path.alarm, path.topic) for path in paths}
    notes = [
        note
        for chain in chains
        if (chain.metric_filter.name if chain.metric_filter else None, chain.alarm, chain.topic) in shown
        for note in chain.notes
    ]
    if any(chain.seconds is not None for chain in chains):
        notes.append(DELAY_NOTE)
    if standards[Standard.SECURITY_HUB] is not standards[Standard.CIS_5]:
        notes.append(WHY_TWO_FILTERS)
    notes += [
        f"Log alarm {alarm.name} in {region.name} was not judged: no standard counts log alarms."
        for region in snapshot.regions.values()
        for alarm in region.log_alarms
    ]
    notes += [f"Could not be read: {error}." for error in snapshot.errors if not error.not_found]
    return notes
