"""One evaluation of a metric alarm after another: which state it takes, missing data included.

An alarm may look back over thousands of periods, so what an evaluation sees is taken from sums over
the whole run and costs the same however long the range is.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate

from chalicelib.alarm_path.alarms.points import Point
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import MetricAlarm

# Beside its evaluation periods an alarm retrieves some datapoints more, to make up for missing ones.
MORE_POINTS = 2


class AlarmState(Enum):
    """An alarm's state."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Seen:
    """What an evaluation goes by: its newest datapoints, as many as evaluation periods at most.

    ``age`` is the number of periods since the oldest breach within the evaluation periods, 0 without one.
    """

    datapoints: int
    breaching: int
    age: int


class Run:
    """An alarm's periods, oldest first, to be evaluated at the end of any of them."""

    def __init__(self, points: Sequence[Point], periods: int) -> None:
        self.length, self._periods = len(points), periods
        real = [point for point in points if point is not Point.MISSING]
        self._real = [0, *accumulate(point is not Point.MISSING for point in points)]
        self._breaching = [0, *accumulate(point is Point.BREACHING for point in real)]
        self._next_breach = self._places(points)

    @staticmethod
    def _places(points: Sequence[Point]) -> list[int]:
        """For each place that of the first breach there or later; behind the end where none follows."""
        following, places = len(points), [0] * len(points)
        for place in range(len(points) - 1, -1, -1):
            following = place if points[place] is Point.BREACHING else following
            places[place] = following
        return places

    def at(self, end: int) -> Seen:
        """What the evaluation at the end of this period sees."""
        last = self._real[end + 1]
        first = max(self._real[max(0, end + 1 - self._periods - MORE_POINTS)], last - self._periods)
        oldest = self._next_breach[max(0, end + 1 - self._periods)]
        age = end + 1 - oldest if oldest <= end else 0
        return Seen(last - first, self._breaching[last] - self._breaching[first], age)


def next_state(seen: Seen, alarm: MetricAlarm, current: AlarmState) -> AlarmState:
    """The state after an evaluation."""
    needed, filled = alarm.datapoints_to_alarm, alarm.evaluation_periods - seen.datapoints
    if filled == 0 or seen.breaching >= needed:
        return AlarmState.ALARM if seen.breaching >= needed else AlarmState.OK
    match alarm.treat_missing:
        case "breaching":
            return AlarmState.ALARM if seen.breaching + filled >= needed else AlarmState.OK
        case "notBreaching":
            return AlarmState.OK
        case "ignore":
            return AlarmState.OK if seen.datapoints and seen.breaching + filled < needed else current
        case _:
            return _without_enough_data(seen, needed, current)


def _without_enough_data(seen: Seen, needed: int, current: AlarmState) -> AlarmState:
    """Missing data treated as missing: an old enough breach followed by nothing is an alarm too."""
    if not seen.datapoints:
        return AlarmState.INSUFFICIENT_DATA
    if seen.breaching < seen.datapoints:
        return AlarmState.OK
    return AlarmState.ALARM if seen.age >= needed else current
