"""CloudWatch's metric filters, math and alarms, minute by minute and as plainly as can be: slow, and shares no code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Number = float | None
# Which filters match one log event, and a minute's log events: how many of which kind.
Kind = tuple[bool, ...]
Minute = Sequence[tuple[Kind, int]]


@dataclass(frozen=True)
class Filter:
    """A filter that publishes to a metric of its own or of others."""

    metric: str
    value: float
    default: Number


@dataclass(frozen=True)
class World:
    """Filters of one log group, an alarm over them, and the readings of what AWS leaves open."""

    filters: tuple[Filter, ...]
    statistics: Mapping[str, str]
    expression: Any
    period: int
    periods: int
    needed: int
    threshold: float
    compare: str
    treat_missing: str
    zero_beside_scalar: bool
    default_beside_match: bool


def raised(world: World, minutes: Sequence[Minute], record_minute: int) -> bool:
    """Whether the alarm, OK until then, is in ALARM at the end of the record's period or while it still looks at it."""
    length = max(1, world.period // 60)
    values = [_value(world, minutes[start : start + length]) for start in range(0, len(minutes), length)]
    state = "OK"
    first = record_minute // length
    for end in range(first, min(len(values), first + world.periods + 2)):
        state = _evaluated(world, values[: end + 1], state)
        if state == "ALARM":
            return True
    return False


def _value(world: World, minutes: Sequence[Minute]) -> Number:
    published: dict[str, list[tuple[float, int]]] = {name: [] for name in world.statistics}
    for minute in minutes:
        for place, item in enumerate(world.filters):
            hits = sum(count for kind, count in minute if kind[place])
            others = sum(count for kind, count in minute if not kind[place])
            published[item.metric] += [(item.value, hits)] if hits else []
            if item.default is not None and others and (world.default_beside_match or not hits):
                published[item.metric].append((item.default, others))
    metrics = {name: _statistic(world.statistics[name], values) for name, values in published.items()}
    return _math(world, world.expression, metrics)


def _statistic(name: str, values: list[tuple[float, int]]) -> Number:
    if not values:
        return None
    total, count = sum(value * times for value, times in values), sum(times for _, times in values)
    computed = {
        "Sum": float(total),
        "SampleCount": float(count),
        "Average": total / count,
        "Minimum": min(value for value, _ in values),
        "Maximum": max(value for value, _ in values),
    }
    return computed[name]


def _math(world: World, tree: Any, metrics: Mapping[str, Number]) -> Number:
    """One period of an expression given as nested tuples."""
    match tree:
        case str(name):
            return metrics[name]
        case float(number):
            return number
        case ("FILL", inner, float(filler)):
            found = _math(world, inner, metrics)
            return filler if found is None else found
        case ("IF", condition, then, otherwise):
            decided = _math(world, condition, metrics)
            if decided is None:
                return None
            return (_math(world, then, metrics) or 0.0) if decided else _math(world, otherwise, metrics)
        case (("SUM" | "MAX" | "MIN" | "AVG") as name, *parts):
            return _array(world, name, [_math(world, part, metrics) for part in parts])
        case (sign, left, right):
            return _operator(world, sign, (left, _math(world, left, metrics)), (right, _math(world, right, metrics)))
    raise AssertionError(tree)


def _array(world: World, name: str, values: list[Number]) -> Number:
    if all(value is None for value in values):
        return None
    zero = name == "AVG" or world.zero_beside_scalar
    numbers = [0.0 if value is None else value for value in values if zero or value is not None]
    if name == "AVG":
        return sum(numbers) / len(numbers)
    if name == "SUM":
        return sum(numbers)
    return max(numbers) if name == "MAX" else min(numbers)


def _operator(world: World, sign: str, left: tuple[Any, Number], right: tuple[Any, Number]) -> Number:
    both_series = not isinstance(left[0], float) and not isinstance(right[0], float)
    one, other = left[1], right[1]
    if (one is None and other is None) or (not (both_series or world.zero_beside_scalar) and None in (one, other)):
        return None
    a, b = one or 0.0, other or 0.0
    computed: dict[str, Callable[[], float]] = {
        "+": lambda: a + b,
        "-": lambda: a - b,
        ">": lambda: float(a > b),
        ">=": lambda: float(a >= b),
        "<": lambda: float(a < b),
    }
    return computed[sign]()


def _evaluated(world: World, values: Sequence[Number], state: str) -> str:
    """One evaluation: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html"""
    fetched = list(values[-(world.periods + 2) :])
    real = [value for value in fetched if value is not None][-world.periods :]
    hits = sum(_breaches(world, value) for value in real)
    gaps = world.periods - len(real)
    if hits >= world.needed:
        return "ALARM"
    if gaps == 0:
        return "OK"
    if world.treat_missing == "breaching":
        return "ALARM" if hits + gaps >= world.needed else "OK"
    if world.treat_missing == "notBreaching":
        return "OK"
    if world.treat_missing == "ignore":
        return "OK" if real and hits + gaps < world.needed else state
    return _missing(world, values, real, hits, state)


def _missing(world: World, values: Sequence[Number], real: Sequence[float], hits: int, state: str) -> str:
    if not real:
        return "INSUFFICIENT_DATA"
    if hits < len(real):
        return "OK"
    window = values[-world.periods :]
    ages = [len(window) - place for place, value in enumerate(window) if value is not None and _breaches(world, value)]
    return "ALARM" if ages and max(ages) >= world.needed else state


def _breaches(world: World, value: float) -> bool:
    return value >= world.threshold if world.compare == "GreaterThanOrEqualToThreshold" else value > world.threshold


def text_of(tree: Any) -> str:
    """The expression as AWS writes it."""
    match tree:
        case str(name):
            return name
        case float(number):
            return f"{number:g}"
        case ("FILL" | "IF", *parts):
            return f"{tree[0]}({', '.join(map(text_of, parts))})"
        case (("SUM" | "MAX" | "MIN" | "AVG") as name, *parts):
            return f"{name}([{', '.join(map(text_of, parts))}])"
        case (sign, left, right):
            return f"({text_of(left)} {sign} {text_of(right)})"
    raise AssertionError(tree)
