"""The datapoints that an alarm compares with its threshold, each as the evaluation sees it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from chalicelib.alarm_path.alarms.metric_series import Series, Unsure, Value
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import MetricAlarm

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


class Point(Enum):
    """One period as the alarm sees it."""

    BREACHING = "X"
    OK = "0"
    MISSING = "-"
    UNKNOWN = "!"  # depends on what was not collected or is not documented


def points_of(alarm: MetricAlarm, series: Series) -> list[Point]:
    """Each value of a series compared with the alarm's threshold."""
    compare, threshold = COMPARISONS[alarm.comparison], alarm.threshold or 0.0
    return [_point(value, compare, threshold) for value in series]


def _point(value: Value, compare: Callable[[float, float], bool], threshold: float) -> Point:
    if value is None:
        return Point.MISSING
    if isinstance(value, Unsure):
        return Point.UNKNOWN
    return Point.BREACHING if compare(value, threshold) else Point.OK
