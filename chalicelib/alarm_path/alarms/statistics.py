"""The statistic of one period, worked out from the samples that were published in it.

Samples are weighted: "a million times 0" is one entry, so that very many other log events cost nothing.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from chalicelib.alarm_path.alarms.metric_series import UNSURE, UnknownMathError, Value

# A value and how often it was published.
Sample = tuple[float, int]

# p99, tm90, TM(10%:90%), tc, ts, wm, PR(:5), IQM
_EXTENDED = re.compile(r"(?P<name>p|tm|wm|tc|ts|pr|iqm)(?P<rest>\d*(?:\.\d+)?|\(.*\))", re.IGNORECASE)


def statistic(name: str, samples: Sequence[Sample]) -> Value:
    """The statistic of a period's samples; None without a sample, UNSURE where AWS does not say which value it is.

    Raises:
        UnknownMathError: there is no such statistic.
    """
    match = None if name in _PLAIN else _EXTENDED.fullmatch(name)
    if name not in _PLAIN and match is None:
        raise UnknownMathError(f"the statistic {name or '(none)'} is not known here")
    if not samples:
        return None
    if match is None:
        return _plain(name, samples)
    return _extended(match["name"].lower(), match["rest"], samples)


_PLAIN = frozenset({"Sum", "SampleCount", "Average", "Minimum", "Maximum"})


def _plain(name: str, samples: Sequence[Sample]) -> float:
    values = [value for value, _ in samples]
    match name:
        case "Minimum":
            return min(values)
        case "Maximum":
            return max(values)
        case "SampleCount":
            return float(sum(count for _, count in samples))
        case _:
            total = _sum([value * count for value, count in samples])
            return total if name == "Sum" else total / sum(count for _, count in samples)


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond what a float holds, or infinite in both directions
        return sum(values)


def _extended(kind: str, rest: str, samples: Sequence[Sample]) -> Value:
    smallest, largest = min(value for value, _ in samples), max(value for value, _ in samples)
    if kind == "p" and rest:
        return _percentile(float(rest), samples)
    if kind in {"p", "tm", "wm", "iqm"}:
        return smallest if smallest == largest else UNSURE
    # Trimmed sums and counts and percentile ranks: of one sample the sum is the sample, all else is not documented.
    return smallest if kind == "ts" and sum(count for _, count in samples) == 1 else UNSURE


def _percentile(percent: float, samples: Sequence[Sample]) -> Value:
    """The value at the percentile's rank; between two values that differ, which one is not documented."""
    ordered = sorted(samples)
    total = sum(count for _, count in ordered)
    low, high = (total - 1) * percent / 100, total * percent / 100
    found = {_at(ordered, rank) for rank in (math.floor(low), math.ceil(low), math.ceil(high) - 1)}
    return found.pop() if len(found) == 1 else UNSURE


def _at(ordered: Sequence[Sample], rank: int) -> float:
    for value, count in ordered:
        if rank < count:
            return value
        rank -= count
    return ordered[-1][0]
