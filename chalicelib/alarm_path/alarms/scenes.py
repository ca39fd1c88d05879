"""The scenes in which an alarm has to fire: one record, and whatever else may be logged around it.

What else comes is not known and partly in other people's hands, so both ends of each are tried: nothing else
at all, one log event or very many, of each kind that the filters distinguish.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from chalicelib.alarm_path.alarms.metric_series import Value
from chalicelib.alarm_path.alarms.timeline import LogEvent, Scene, Traffic

# More log events of one kind than an alarm's period holds.
MANY = 1_000_000

# So many kinds of log events of each cause are tried in every number; where there are more, very many of each.
_MOST_KINDS = 12


class Cause(Enum):
    """Who brings about a scene; what follows from silence in it differs."""

    RECORD = "the record alone"
    TRAFFIC = "log events that come all the time"
    OTHER_CALLS = "calls that anybody may make"
    OTHER_CHANGES = "further security group changes"
    DOUBT = "a filter of which it is not known whether it matches"
    OUTSIDE = "metrics that no collected filter publishes"


@dataclass(frozen=True, slots=True)
class Background:
    """The kinds of log events that may come beside the record.

    ``usual`` come all the time and match nothing but what matches everything, ``calls`` are other calls that some
    filter matches, ``changes`` further changes of security groups. ``resting`` are the usual ones as far as they
    count where nothing matches. ``outside`` are sets of values, by query, of metrics that no collected filter
    publishes.
    """

    usual: tuple[LogEvent, ...] = ()
    resting: tuple[LogEvent, ...] = ()
    calls: tuple[LogEvent, ...] = ()
    changes: tuple[LogEvent, ...] = ()
    outside: tuple[Mapping[str, Value], ...] = ({},)


def scenes(record: LogEvent, around: Background) -> Iterator[tuple[Cause, Scene]]:
    """Every scene of one record, the quietest first."""
    calm = around.outside[0]
    yield Cause.RECORD, Scene(record, outside=calm)
    usual = _times(around.usual, MANY)
    if usual:
        yield Cause.TRAFFIC, Scene(record, usual, usual, usual, calm)
        yield Cause.TRAFFIC, Scene(record, beside=usual, outside=calm)
        yield Cause.TRAFFIC, Scene(record, before=usual, after=usual, outside=calm)
    for kind in around.usual if len(around.usual) > 1 else ():
        yield Cause.TRAFFIC, Scene(record, beside=((kind, MANY),), outside=calm)
    for cause, kinds in ((Cause.OTHER_CALLS, around.calls), (Cause.OTHER_CHANGES, around.changes)):
        for chosen in _chosen(kinds):
            yield from ((cause, scene) for scene in _beside(record, chosen, usual, calm))
        for kind in kinds if len(kinds) > _MOST_KINDS else ():
            yield cause, Scene(record, usual, (*usual, (kind, MANY)), usual, calm)
    for values in around.outside[1:]:
        yield Cause.OUTSIDE, Scene(record, outside=values)
        yield Cause.OUTSIDE, Scene(record, usual, usual, usual, values)


def _chosen(kinds: tuple[LogEvent, ...]) -> Iterator[tuple[LogEvent, ...]]:
    """Each kind by itself where they are few, and all of them together."""
    yield from ((kind,) for kind in kinds if len(kinds) <= _MOST_KINDS)
    if len(kinds) > 1:
        yield kinds


def _beside(
    record: LogEvent, kinds: Sequence[LogEvent], usual: Traffic, outside: Mapping[str, Value]
) -> Iterator[Scene]:
    for count in (1, MANY):
        more = _times(kinds, count)
        yield Scene(record, beside=more, outside=outside)
        yield Scene(record, usual, (*usual, *more), usual, outside)
    yield Scene(record, beside=_times(kinds, MANY), after=_times(kinds, MANY), outside=outside)


def afterwards(record: LogEvent, around: Background) -> Iterator[Scene]:
    """The scenes in which an alarm has to leave ALARM again: nothing but the usual log events follows."""
    counts = (1, MANY) if around.resting else (0,)
    for count in counts:
        usual = _times(around.resting, count)
        yield Scene(record, usual, usual, usual, around.outside[0])


def _times(kinds: Sequence[LogEvent], count: int) -> Traffic:
    return tuple((kind, count) for kind in kinds if count)
