"""What a CloudWatch metric alarm does when one record matches the filter that feeds it.

The alarm starts from OK, the record publishes one datapoint at the beginning of a period (the worst
place for it), and the alarm is evaluated at the end of that period and of each following one. Two
surroundings are tried: *quiet*, where no other log event arrives, and *busy*, where others arrive in
every minute and the filter publishes its default value for them. The alarm fires only if it fires in
both. CloudWatch may be quicker (its window slides); the seconds given are the upper bound, counted
from the moment the record is in the log group.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.alarm_path.alarms.datapoints import (
    COMPARISONS,
    FILTER_INTERVAL,
    Emission,
    Point,
    Sources,
    period_of,
    points_around,
    values_around,
)
from chalicelib.alarm_path.alarms.evaluation import Run, Seen, State, next_state
from chalicelib.alarm_path.alarms.metric_math import UnknownMathError
from chalicelib.alarm_path.snapshot.alarms import MetricAlarm, MetricQuery
from chalicelib.alarm_path.verdicts import Status

_WORDS = {
    "GreaterThanOrEqualToThreshold": "≥",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether one matching record drives the alarm to ALARM, at most how many seconds later, and why.

    ``leaves``: whether the alarm leaves ALARM again without anybody's doing, and ``rests`` the state in which
    it then is, None where that cannot be told. ``notes`` are facts beside the answer.
    """

    fires: Status
    seconds: int | None
    reason: str
    leaves: Status = Status.PASS
    leaves_reason: str = ""
    notes: tuple[str, ...] = ()
    rests: State | None = None


def simulate(alarm: MetricAlarm, sources: Sources) -> Outcome:
    """Run one matching record through the alarm.

    ``sources`` tells what the record publishes to the metric of a query; None where nothing collected
    says what that metric holds.
    """
    if alarm.is_anomaly or alarm.threshold is None or alarm.comparison not in COMPARISONS:
        why = "it compares with an anomaly detection band" if alarm.is_anomaly else "its threshold is not understood"
        return Outcome(Status.UNKNOWN, None, f"Whether alarm {alarm.name} would fire cannot be told: {why}.")
    try:
        quiet, busy = points_around(alarm, sources, busy=False), points_around(alarm, sources, busy=True)
        resting = points_around(alarm, _without_match(sources), busy=_has_default(alarm, sources))
    except UnknownMathError as error:
        return Outcome(Status.UNKNOWN, None, f"Whether alarm {alarm.name} would fire cannot be told: {error}.")
    return replace(_outcome(alarm, sources, quiet, busy, resting), rests=_rests(alarm, resting))


def _outcome(
    alarm: MetricAlarm, sources: Sources, quiet: Sequence[Point], busy: Sequence[Point], resting: Sequence[Point]
) -> Outcome:
    leaves, leaves_reason = _leaves(alarm, resting)
    if quiet[alarm.evaluation_periods + 1] is Point.BREACHING and _needs_more_samples(alarm):
        reason = f"Alarm {alarm.name} ignores percentiles of few samples, and one record is one sample."
        return Outcome(Status.FAIL, None, reason, leaves, leaves_reason)
    runs = [_fires(alarm, points, hopeful=False) for points in (quiet, busy)]
    if all(step is not None for step in runs):
        steps = max(step for step in runs if step is not None)
        seconds = max(FILTER_INTERVAL, (steps + 1) * period_of(alarm))
        reason = f"One matching record puts alarm {alarm.name} into ALARM within {seconds} seconds."
        return Outcome(Status.PASS, seconds, reason, leaves, leaves_reason, _notes(alarm, sources))
    hopes = [_fires(alarm, points, hopeful=True) for points in (quiet, busy)]
    if all(step is not None for step in hopes):
        reason = f"Whether one matching record drives alarm {alarm.name} to ALARM depends on what AWS does not document"
        return Outcome(Status.UNKNOWN, None, f"{reason}, or on metrics that were not collected.", leaves, leaves_reason)
    return Outcome(Status.FAIL, None, _why_not(alarm, sources, quiet, busy), leaves, leaves_reason)


def _fires(alarm: MetricAlarm, points: Sequence[Point], *, hopeful: bool) -> int | None:
    """The number of whole periods after the record's own until ALARM, or None where it never comes."""
    swap = {Point.EITHER: Point.OK, Point.UNKNOWN: Point.BREACHING if hopeful else Point.OK}
    run = Run([swap.get(point, point) for point in points], alarm.evaluation_periods)
    start, state = alarm.evaluation_periods + 1, State.OK
    for end in range(start, run.length):
        state = next_state(run.at(end), alarm, state)
        if state is State.ALARM:
            return end - start
    return None


def _leaves(alarm: MetricAlarm, resting: Sequence[Point]) -> tuple[Status, str]:
    """Whether the alarm, once in ALARM, leaves it when no further record matches."""
    if Point.UNKNOWN in resting:
        reason = f"Whether alarm {alarm.name} ever leaves ALARM depends on metrics that were not collected."
        return Status.UNKNOWN, reason
    if _rests(alarm, resting) is not State.ALARM:
        return Status.PASS, ""
    stuck = f"Alarm {alarm.name} never leaves ALARM by itself, and actions run only on a change of state"
    if set(resting) != {Point.MISSING}:
        return Status.FAIL, f"{stuck}: it is breaching even when no record matches."
    return Status.FAIL, f"{stuck}: no data comes between matches, and it treats missing data as {alarm.treat_missing}."


def _rests(alarm: MetricAlarm, resting: Sequence[Point]) -> State | None:
    """The state after ALARM when no further record matches."""
    unclear = {Point.UNKNOWN, Point.EITHER} & set(resting)
    return None if unclear else next_state(_last(resting, alarm), alarm, State.ALARM)


def _last(points: Sequence[Point], alarm: MetricAlarm) -> Seen:
    run = Run(points, alarm.evaluation_periods)
    return run.at(run.length - 1)


def _needs_more_samples(alarm: MetricAlarm) -> bool:
    percentile = any(re.fullmatch(r"p\d.*", query.statistic) for query in alarm.queries)
    return percentile and alarm.low_sample_percentile == "ignore"


def _has_default(alarm: MetricAlarm, sources: Sources) -> bool:
    emissions = [sources(query) for query in alarm.queries if not query.expression]
    return any(emission is not None and emission.default is not None for emission in emissions)


def _without_match(sources: Sources) -> Sources:
    def emission(query: MetricQuery) -> Emission | None:
        found = sources(query)
        return None if found is None else Emission(None, found.default)

    return emission


def _notes(alarm: MetricAlarm, sources: Sources) -> tuple[str, ...]:
    if alarm.treat_missing == "breaching" and _has_default(alarm, sources):
        return (
            f"Alarm {alarm.name} treats missing data as breaching: it also fires when no log events arrive at all.",
        )
    return ()


def _why_not(alarm: MetricAlarm, sources: Sources, quiet: Sequence[Point], busy: Sequence[Point]) -> str:
    place = alarm.evaluation_periods + 1
    needed, periods = alarm.datapoints_to_alarm, alarm.evaluation_periods
    wants = f"{_WORDS[alarm.comparison]} {alarm.threshold:g}"
    if quiet[place] is Point.MISSING:
        return f"One matching record gives alarm {alarm.name} no datapoint to compare."
    if quiet[place] in {Point.OK, Point.EITHER}:
        return (
            f"One matching record does not breach alarm {alarm.name}: {_measures(alarm)} of it is "
            f"{_shown(alarm, sources)}, and the alarm wants {wants}{_how_often(alarm)}."
        )
    if busy[place] is not Point.BREACHING:
        return (
            f"Alarm {alarm.name} wants {_measures(alarm)} {wants}, which the filter's default value for other log "
            f"events in the same {period_of(alarm)} seconds prevents."
        )
    return (
        f"Alarm {alarm.name} wants {needed} breaching datapoints out of {periods}, and one matching record gives one "
        f"(missing data is treated as {alarm.treat_missing})."
    )


def _how_often(alarm: MetricAlarm) -> str:
    if alarm.datapoints_to_alarm == 1:
        return ""
    return f" in {alarm.datapoints_to_alarm} of {alarm.evaluation_periods} periods"


def _measures(alarm: MetricAlarm) -> str:
    if alarm.is_math:
        return "the expression"
    return alarm.queries[0].statistic or "the statistic"


def _shown(alarm: MetricAlarm, sources: Sources) -> str:
    values = values_around(alarm, sources, busy=False, low=True)
    value = values[(len(values) - 1) // 2]
    return f"{value:g}" if isinstance(value, float | int) else str(value)
