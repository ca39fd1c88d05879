"""Time series and what metric math does to them, value by value.

``None`` stands for a period without a datapoint, ``UNSURE`` for one that may hold anything or nothing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class Unsure:
    """A value that is not known: of a metric that nothing collected describes, or where AWS documents no rule."""

    def __repr__(self) -> str:
        return "UNSURE"


UNSURE = Unsure()
Value = float | None | Unsure
Series = tuple[Value, ...]
# a scalar, a time series, or an array of time series
Operand = float | Series | list[Series]


class UnknownMathError(ValueError):
    """The expression uses something whose behavior is not known here; the text says what."""


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": lambda a, b: math.nan if isinstance(power := operator.pow(a, b), complex) else power,
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
    "<=": lambda a, b: float(a <= b),
    ">=": lambda a, b: float(a >= b),
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "AND": lambda a, b: float(bool(a) and bool(b)),
    "OR": lambda a, b: float(bool(a) or bool(b)),
}
PER_VALUE: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": math.log,
    "LOG10": math.log10,
}
ACROSS: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "MAX": max,
    "MIN": min,
    "AVG": lambda values: math.fsum(values) / len(values),
}


@dataclass(frozen=True, slots=True)
class Interpretation:
    """How sentences of AWS's pages are read that leave two readings open; an answer has to hold in each.

    ``silent_zero``: a missing value is 0 also where the page on metric math does not say so: beside a scalar, under
    a sign, and in MIN, MAX and SUM of an array. ``defaults_beside_match``: a minute with a match publishes the
    default value too, for its other log events.
    """

    silent_zero: bool = False
    defaults_beside_match: bool = True


def as_array(item: Operand, length: int) -> list[Series]:
    """The operand as an array of time series."""
    if isinstance(item, list):
        return item
    return [item if isinstance(item, tuple) else (item,) * length]


def map_series(item: Operand, change: Callable[[Series], Series]) -> Operand:
    """Each time series of the operand changed; a number stays as it is."""
    if isinstance(item, list):
        return [change(one) for one in item]
    return change(item) if isinstance(item, tuple) else item


def repeat(values: Series) -> Series:
    """FILL(…, REPEAT): the value before stands for a missing one."""
    last: Value = None
    filled: list[Value] = []
    for value in values:
        last = last if value is None else value
        filled.append(last)
    return tuple(filled)


def fill(values: Series, filler: Series) -> Series:
    """FILL(…, x): the filler stands for a missing value."""
    return tuple(other if value is None else value for value, other in zip(values, filler, strict=True))


def _guarded(compute: Callable[..., float | complex], *values: Value) -> Value:
    """No datapoint where one is missing or the arithmetic has no answer."""
    if any(value is None for value in values):
        return None
    if any(isinstance(value, Unsure) for value in values):
        return UNSURE
    try:
        result = compute(*values)
    except (ArithmeticError, ValueError):
        return None
    return None if isinstance(result, complex) or math.isnan(result) else result


def each(item: Operand, compute: Callable[[float], float], *, missing: Value = None) -> Operand:
    """A function of one value, value by value; ``missing`` is what a missing one is taken as."""
    if isinstance(item, float):
        result = _guarded(compute, item)
        if not isinstance(result, float):
            raise UnknownMathError("a constant of the expression has no value")
        return result
    return map_series(
        item, lambda values: tuple(_guarded(compute, missing if value is None else value) for value in values)
    )


def binary(sign: str, left: Operand, right: Operand, reading: Interpretation) -> Operand:
    """An operator between two operands, value by value."""
    compute = _ARITHMETIC[sign]
    if isinstance(left, list) and isinstance(right, list):
        raise UnknownMathError(f"{sign} between two arrays is not known here")
    if isinstance(left, list):
        return [_pair(compute, one, right, reading) for one in left]
    if isinstance(right, list):
        return [_pair(compute, left, one, reading) for one in right]
    if isinstance(left, float) and isinstance(right, float):
        return each(left, lambda value: compute(value, right))
    return _pair(compute, left, right, reading)


def _pair(compute: Callable[[float, float], float], left: Operand, right: Operand, reading: Interpretation) -> Series:
    if isinstance(left, tuple) and isinstance(right, tuple):
        return tuple(_two(compute, one, other) for one, other in zip(left, right, strict=True))
    missing = 0.0 if reading.silent_zero else None
    if isinstance(left, tuple) and isinstance(right, float):
        return tuple(_guarded(compute, missing if one is None else one, right) for one in left)
    if isinstance(left, float) and isinstance(right, tuple):
        return tuple(_guarded(compute, left, missing if one is None else one) for one in right)
    raise UnknownMathError("an array stands where a time series is expected")


def _two(compute: Callable[[float, float], float], one: Value, other: Value) -> Value:
    """Of two time series the missing value of one is 0; where both have none there is no datapoint."""
    if one is None and other is None:
        return None
    return _guarded(compute, 0.0 if one is None else one, 0.0 if other is None else other)


def across(name: str, array: list[Series], length: int, reading: Interpretation) -> Series:
    """SUM, MAX, MIN or AVG of several series; where all have no value there is no datapoint.

    AWS says that AVG takes a missing value as 0, and says nothing of the others.
    """
    combine, zero = ACROSS[name], name == "AVG" or reading.silent_zero
    result: list[Value] = []
    for place in range(length):
        column = [one[place] for one in array]
        if all(value is None for value in column):
            result.append(None)
        elif any(isinstance(value, Unsure) for value in column):
            result.append(UNSURE)
        else:
            numbers = [0.0 if value is None else value for value in column if zero or value is not None]
            result.append(_guarded(lambda *found: combine(found), *numbers))
    return tuple(result)


def choose(condition: Operand, then: Operand, otherwise: Operand, *, length: int) -> Operand:
    """IF, value by value."""
    columns = [_one_series(item, length) for item in (condition, then, otherwise)]
    return tuple(_choose(*row) for row in zip(*columns, strict=True))


def _choose(condition: Value, then: Value, otherwise: Value) -> Value:
    """A true condition over a missing value gives 0; a false one, or no condition, gives no datapoint."""
    if condition is None:
        return None
    if isinstance(condition, Unsure):
        same = then == otherwise and not isinstance(then, Unsure)
        return then if same else UNSURE
    return (0.0 if then is None else then) if condition else otherwise


def _one_series(item: Operand, length: int) -> Series:
    if isinstance(item, list):
        raise UnknownMathError("IF over an array is not known here")
    return item if isinstance(item, tuple) else (item,) * length


def change(values: Series, divisor: float) -> Series:
    """RATE and DIFF: the difference from the value before.

    Which value that is where the period before has none depends on how far back the alarm fetches data, which
    AWS calls unpredictable.
    """
    before: Value = UNSURE
    result: list[Value] = []
    for value in values:
        then = UNSURE if before is None else before
        result.append(_guarded(lambda now, then: (now - then) / divisor, value, then))
        before = value
    return tuple(result)
