"""What a CloudWatch metric alarm does when one record is read by the metric filters that feed it.

The alarm starts from OK, the record comes at the beginning of a period (the worst place for it), and the alarm is
evaluated at the end of that period and of each following one. It fires only if it fires in every scene (see
``scenes``) and under every reading of what AWS's pages leave open. CloudWatch may be quicker (its window slides);
the seconds given are the upper bound, counted from the moment the record is in the log group.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from chalicelib.alarm_path.alarms.evaluation import MORE_POINTS, AlarmState, Run, next_state
from chalicelib.alarm_path.alarms.metric_math import Interpretation, UnknownMathError
from chalicelib.alarm_path.alarms.points import COMPARISONS, Point, points_of
from chalicelib.alarm_path.alarms.scenes import Background, Cause, afterwards, scenes
from chalicelib.alarm_path.alarms.timeline import (
    COLUMNS,
    FILTER_INTERVAL,
    RECORD_COLUMN,
    LogEvent,
    Scene,
    period_of,
    series_of,
)
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import MetricAlarm
from chalicelib.alarm_path.verdicts import Status, all_of

_WORDS = {
    "GreaterThanOrEqualToThreshold": "≥",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
}


@dataclass(frozen=True, slots=True)
class Simulated:
    """Whether one matching record drives the alarm to ALARM, at most how many seconds later, and why.

    ``leaves``: whether the alarm leaves ALARM again without anybody's doing, and ``rests`` the state in which
    it then is, None where that is not known. ``notes`` are facts beside the answer. ``silent_in`` is a scene in which
    the alarm stays silent, where there is one.
    """

    fires: Status
    seconds: int | None
    reason: str
    leaves: Status = Status.PASS
    leaves_reason: str = ""
    notes: tuple[str, ...] = ()
    rests: AlarmState | None = None
    silent_in: Scene | None = None


@dataclass(frozen=True, slots=True)
class SimulationOutcome:
    """What comes of one record in all its scenes: the worst answer, what brought it about and the most periods."""

    status: Status
    cause: Cause
    scene: Scene
    steps: int


@dataclass(slots=True)
class Tried:
    """What came of each record, by its identity and whether it is in doubt: many filters' matches share records."""

    outcomes: dict[tuple[int, bool], SimulationOutcome] = field(default_factory=dict)
    rests: dict[int, tuple[list[AlarmState | None], bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Records:
    """What the filters publish for each record that one kind of call may leave, and what may come beside it.

    ``doubtful`` are records of which it is not known whether they come: a filter may or may not match them.
    ``complete`` is False where there are more combinations of matching filters than were tried. ``tried`` is shared by
    those around which the same may come, and who shares it keeps their records.
    """

    certain: tuple[LogEvent, ...]
    doubtful: tuple[LogEvent, ...]
    around: Background
    complete: bool = True
    tried: Tried = field(default_factory=Tried, compare=False)


@dataclass(slots=True)
class Effort:
    """How much may still be simulated, counted in metrics looked at: a few hundred metrics in one expression are
    tried beside hundreds of kinds of log events, and an audit has seconds."""

    left: int = 100_000

    def spend(self, metrics: int) -> None:
        """Count a simulated scene. Raises UnknownMathError where nothing is left."""
        self.left -= metrics
        if self.left < 0:
            raise UnknownMathError("more metrics and filters feed it than an audit can try together")


class _Firing(Enum):
    FIRES = 0
    UNSURE = 1
    SILENT = 2


def simulate(alarm: MetricAlarm, records: Records, effort: Effort | None = None) -> Simulated:
    """Run each record through the alarm; the worst answer counts. Without any ``effort`` left the answer is unknown."""
    if alarm.is_anomaly or alarm.threshold is None or alarm.comparison not in COMPARISONS:
        why = "it compares with an anomaly detection band" if alarm.is_anomaly else "its threshold is not understood"
        return _unknown(alarm, why)
    effort = effort or Effort()
    try:
        simulated = _fires(alarm, records, effort)
        return _with_rest(alarm, records, simulated, effort)
    except UnknownMathError as error:
        return _unknown(alarm, str(error))


def _unknown(alarm: MetricAlarm, why: str) -> Simulated:
    return Simulated(Status.UNKNOWN, None, f"It is not known whether alarm {alarm.name} would fire: {why}.")


def readings(alarm: MetricAlarm) -> tuple[Interpretation, ...]:
    """The readings of AWS's pages under which an alarm is judged."""
    zeros = (False, True) if alarm.is_math else (False,)
    # AWS says both that the default value stands for a minute without a match and that it stands for a log event
    # without one; a longer period has minutes of either kind.
    defaults = (True, False) if period_of(alarm) <= FILTER_INTERVAL else (True,)
    return tuple(Interpretation(zero, default) for zero in zeros for default in defaults)


def _fires(alarm: MetricAlarm, records: Records, effort: Effort) -> Simulated:
    answered: list[SimulationOutcome] = []
    for doubtful, record in _each(records):
        key = (id(record), doubtful)
        if key not in records.tried.outcomes:
            records.tried.outcomes[key] = _of_record(alarm, record, records.around, effort, doubtful=doubtful)
        found = records.tried.outcomes[key]
        answered.append(found)
        if found.status is Status.FAIL:
            return Simulated(Status.FAIL, None, _why_silent(alarm, found.cause, found.scene), silent_in=found.scene)
    unsure = next((item for item in answered if item.status is Status.UNKNOWN), None)
    if unsure is not None:
        return Simulated(Status.UNKNOWN, None, _why_unsure(alarm, unsure.cause), silent_in=unsure.scene)
    if not answered:
        return _unknown(alarm, "no record is known to reach it")
    if not records.complete:
        return _unknown(alarm, "its filters match in more combinations than an audit can try")
    if _stuck_in_fill(alarm):
        return Simulated(Status.UNKNOWN, None, _why_stuck(alarm))
    steps = max(item.steps for item in answered)
    seconds = max(FILTER_INTERVAL, (steps + 1) * period_of(alarm))
    reason = f"One matching record puts alarm {alarm.name} into ALARM within {seconds} seconds."
    return Simulated(Status.PASS, seconds, reason, notes=_notes(alarm, records))


def _of_record(
    alarm: MetricAlarm, record: LogEvent, around: Background, effort: Effort, *, doubtful: bool
) -> SimulationOutcome:
    """What comes of a record, up to the first scene in which the alarm surely stays silent."""
    unsure: SimulationOutcome | None = None
    most = 0
    for cause, scene in scenes(record, around):
        effort.spend(len(alarm.queries))
        status, steps = _in_scene(alarm, scene, Cause.DOUBT if doubtful else cause)
        most = max(most, steps or 0)
        if status is Status.FAIL:
            return SimulationOutcome(status, cause, scene, most)
        if status is Status.UNKNOWN and unsure is None:
            unsure = SimulationOutcome(status, cause, scene, most)
    return unsure or SimulationOutcome(Status.PASS, Cause.RECORD, Scene(record), most)


def _each(records: Records) -> Iterable[tuple[bool, LogEvent]]:
    yield from ((False, record) for record in records.certain)
    yield from ((True, record) for record in records.doubtful)


def _in_scene(alarm: MetricAlarm, scene: Scene, cause: Cause) -> tuple[Status, int | None]:
    answers = [_answer(alarm, scene, reading) for reading in readings(alarm)]
    found = {answer for answer, _ in answers}
    if found == {_Firing.FIRES}:
        return Status.PASS, max(steps for _, steps in answers)
    # Nobody can say that a further change, or a metric that was not collected, does what it might do.
    guilty = cause not in {Cause.OTHER_CHANGES, Cause.DOUBT, Cause.OUTSIDE}
    return (Status.FAIL if found == {_Firing.SILENT} and guilty else Status.UNKNOWN), None


def _answer(alarm: MetricAlarm, scene: Scene, reading: Interpretation) -> tuple[_Firing, int]:
    points = points_of(alarm, series_of(alarm, scene, reading))
    if points[RECORD_COLUMN] is Point.BREACHING and _needs_more_samples(alarm) and not scene.beside:
        return _Firing.SILENT, 0
    steps = _steps(alarm, points, hopeful=False)
    if steps is not None:
        return _Firing.FIRES, steps
    return (_Firing.SILENT if _steps(alarm, points, hopeful=True) is None else _Firing.UNSURE), 0


def expanded(alarm: MetricAlarm, points: Sequence[Point]) -> list[Point]:
    """The columns as all the periods that evaluations look at; the record's own is at ``evaluation_periods`` + 1."""
    periods = alarm.evaluation_periods
    before, after = list(points[:RECORD_COLUMN]), list(points[RECORD_COLUMN + 1 : COLUMNS])
    return [*before[:1] * periods, before[-1], points[RECORD_COLUMN], *after, *after[-1:] * (periods + 2)]


def _steps(alarm: MetricAlarm, points: Sequence[Point], *, hopeful: bool) -> int | None:
    """The number of whole periods after the record's own until ALARM, or None where it never comes."""
    swap = {Point.UNKNOWN: Point.BREACHING if hopeful else Point.OK}
    run = Run([swap.get(point, point) for point in expanded(alarm, points)], alarm.evaluation_periods)
    start, state = alarm.evaluation_periods + 1, AlarmState.OK
    for end in range(start, start + alarm.evaluation_periods + 2):
        state = next_state(run.at(end), alarm, state)
        if state is AlarmState.ALARM:
            return end - start
    return None


def _needs_more_samples(alarm: MetricAlarm) -> bool:
    percentile = any(re.fullmatch(r"p\d.*", query.statistic) for query in alarm.queries)
    return percentile and alarm.low_sample_percentile == "ignore"


def _with_rest(alarm: MetricAlarm, records: Records, simulated: Simulated, effort: Effort) -> Simulated:
    """Whether the alarm, once in ALARM, leaves it when no further record matches, and for which state."""
    ends: list[AlarmState | None] = []
    missing = True
    for _, record in _each(records):
        if id(record) not in records.tried.rests:
            records.tried.rests[id(record)] = _rests(alarm, record, records.around, effort)
        found, without_data = records.tried.rests[id(record)]
        ends += found
        missing = missing and without_data
    rests = ends[0] if ends and all(end is ends[0] for end in ends) else None
    leaves = all_of(_left(end) for end in ends)
    if leaves is Status.FAIL and rests is None:
        leaves = Status.UNKNOWN
    reason = "" if leaves is Status.PASS else _why_stays(alarm, leaves, missing=missing)
    return replace(simulated, leaves=leaves, leaves_reason=reason, rests=rests)


def _rests(
    alarm: MetricAlarm, record: LogEvent, around: Background, effort: Effort
) -> tuple[list[AlarmState | None], bool]:
    """The states at last after a record, and whether no data comes then."""
    ends: list[AlarmState | None] = []
    missing = True
    for scene in afterwards(record, around):
        effort.spend(len(alarm.queries))
        for reading in readings(alarm):
            points = points_of(alarm, series_of(alarm, scene, reading))
            missing = missing and points[-1] is Point.MISSING
            ends.append(_rest(alarm, points))
    return ends, missing


def _rest(alarm: MetricAlarm, points: Sequence[Point]) -> AlarmState | None:
    """The state at last; None where it is not known."""
    if Point.UNKNOWN in points[RECORD_COLUMN + 1 :]:
        return None
    run = Run(expanded(alarm, points), alarm.evaluation_periods)
    rests = next_state(run.at(run.length - 1), alarm, AlarmState.ALARM)
    states = set(_between_minutes(alarm, points[-1]))
    if AlarmState.ALARM not in states:
        return rests
    return AlarmState.ALARM if len(states) == 1 else None


def _between_minutes(alarm: MetricAlarm, point: Point) -> Iterable[AlarmState]:
    """The states of one minute, of an alarm of shorter periods: a filter brings one of them data, the others none.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html (Period)
    """
    each = FILTER_INTERVAL // period_of(alarm)
    minutes = 2 + (alarm.evaluation_periods + MORE_POINTS) // each if each > 1 else 0
    points = [point, *(Point.MISSING,) * (each - 1)] * minutes
    run, state = Run(points, alarm.evaluation_periods), AlarmState.ALARM
    for end in range(run.length):
        state = next_state(run.at(end), alarm, state)
        if end >= run.length - each:
            yield state


def _left(end: AlarmState | None) -> Status:
    if end is None:
        return Status.UNKNOWN
    return Status.FAIL if end is AlarmState.ALARM else Status.PASS


def _why_stays(alarm: MetricAlarm, leaves: Status, *, missing: bool) -> str:
    if leaves is Status.UNKNOWN:
        return (
            f"It is not known whether alarm {alarm.name} ever leaves ALARM: that depends on metrics that were not "
            "collected, or on what AWS does not document."
        )
    stuck = f"Alarm {alarm.name} never leaves ALARM by itself, and actions run only on a change of state"
    if not missing:
        return f"{stuck}: it is breaching even when no record matches."
    return f"{stuck}: no data comes between matches, and it treats missing data as {alarm.treat_missing}."


_FILL = re.compile(r"\bFILL\s*\(")
_CHANGE = re.compile(r"\b(?:RATE|DIFF)\s*\(")


def _stuck_in_fill(alarm: MetricAlarm) -> bool:
    """Whether AWS warns of the alarm: where data comes late, the newest minute always has the filler.

    "You can work around this by using an M out of N alarm."
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    expressions = " ".join(query.expression or "" for query in alarm.used)
    every = alarm.datapoints_to_alarm == alarm.evaluation_periods
    short = every and period_of(alarm) <= FILTER_INTERVAL
    return short and bool(_FILL.search(expressions)) and not _CHANGE.search(expressions)


def _why_stuck(alarm: MetricAlarm) -> str:
    return (
        f"Alarm {alarm.name} compares the newest minute alone and fills it: where data comes late, AWS warns, the "
        "newest minute always has the filler, and the alarm stays in its state."
    )


def _notes(alarm: MetricAlarm, records: Records) -> tuple[str, ...]:
    if alarm.treat_missing == "breaching" and records.around.usual:
        return (
            f"Alarm {alarm.name} treats missing data as breaching: it also fires when no log events arrive at all.",
        )
    return ()


def _why_unsure(alarm: MetricAlarm, cause: Cause) -> str:
    start = f"It is not known whether one matching record drives alarm {alarm.name} to ALARM"
    because = {
        Cause.OTHER_CHANGES: "a further change of a security group in the same period may keep it silent",
        Cause.DOUBT: "a filter that feeds it may or may not match the record",
    }
    return f"{start}: {because.get(cause, 'that depends on what AWS does not document, or on metrics not collected')}."


def _why_silent(alarm: MetricAlarm, cause: Cause, scene: Scene) -> str:
    reading = readings(alarm)[0]
    series = series_of(alarm, scene, reading)
    value, point = series[RECORD_COLUMN], points_of(alarm, series)[RECORD_COLUMN]
    wants = f"{_WORDS[alarm.comparison]} {alarm.threshold:g}"
    shown = f"{value:g}" if isinstance(value, float | int) else str(value)
    if point is Point.BREACHING and _needs_more_samples(alarm):
        return f"Alarm {alarm.name} ignores percentiles of few samples, and one record is one sample."
    if cause is not Cause.RECORD and point is not Point.BREACHING:
        return (
            f"Alarm {alarm.name} wants {_measures(alarm)} {wants}, which {_preventing(alarm, cause, scene)}: {shown}."
        )
    if point is Point.MISSING:
        return f"One matching record gives alarm {alarm.name} no datapoint to compare."
    if point is not Point.BREACHING:
        return (
            f"One matching record does not breach alarm {alarm.name}: {_measures(alarm)} of it is {shown}, and the "
            f"alarm wants {wants}{_how_often(alarm)}."
        )
    return (
        f"Alarm {alarm.name} wants {alarm.datapoints_to_alarm} breaching datapoints out of "
        f"{alarm.evaluation_periods}, and one matching record gives one (missing data is treated as "
        f"{alarm.treat_missing})."
    )


def _preventing(alarm: MetricAlarm, cause: Cause, scene: Scene) -> str:
    """What keeps the alarm silent, with its verb."""
    by_default = any(not item.matched for log_event, _ in scene.beside for item in log_event)
    where = f"in the same {period_of(alarm)} seconds"
    if cause is Cause.TRAFFIC and by_default:
        return f"the filter's default value for other log events {where} prevents"
    return f"other {'log events' if cause is Cause.TRAFFIC else 'calls'} {where} prevent"


def _how_often(alarm: MetricAlarm) -> str:
    if alarm.datapoints_to_alarm == 1:
        return ""
    return f" in {alarm.datapoints_to_alarm} of {alarm.evaluation_periods} periods"


def _measures(alarm: MetricAlarm) -> str:
    if alarm.is_math:
        return "the expression"
    return alarm.queries[0].statistic or "the statistic"
