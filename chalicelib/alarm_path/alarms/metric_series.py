"""Time series and what metric math does to them, value by value.

``None`` stands for a period without a datapoint, ``UNSURE`` for one that may hold anything or nothing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence


class Unsure:
    """A value that cannot be told: of a metric that nothing collected describes."""

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
    "^": operator.pow,
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
    return None if isinstance(result, complex) else result


def each(item: Operand, compute: Callable[[float], float]) -> Operand:
    """A function of one value, value by value."""
    if isinstance(item, float):
        result = _guarded(compute, item)
        if not isinstance(result, float):
            raise UnknownMathError("a constant of the expression has no value")
        return result
    return map_series(item, lambda values: tuple(_guarded(compute, value) for value in values))


def binary(sign: str, left: Operand, right: Operand) -> Operand:
    """An operator between two operands, value by value."""
    compute = _ARITHMETIC[sign]
    if isinstance(left, list) and isinstance(right, list):
        raise UnknownMathError(f"{sign} between two arrays is not known here")
    if isinstance(left, list):
        return [_pair(compute, one, right) for one in left]
    if isinstance(right, list):
        return [_pair(compute, left, one) for one in right]
    if isinstance(left, float) and isinstance(right, float):
        return each(left, lambda value: compute(value, right))
    return _pair(compute, left, right)


def _pair(compute: Callable[[float, float], float], left: Operand, right: Operand) -> Series:
    if isinstance(left, tuple) and isinstance(right, tuple):
        return tuple(_guarded(compute, one, other) for one, other in zip(left, right, strict=True))
    if isinstance(left, tuple) and isinstance(right, float):
        return tuple(_guarded(compute, one, right) for one in left)
    if isinstance(left, float) and isinstance(right, tuple):
        return tuple(_guarded(compute, left, one) for one in right)
    raise UnknownMathError("an array stands where a time series is expected")


def across(array: list[Series], combine: Callable[[Sequence[float]], float], length: int) -> Series:
    """One series from several; a period's missing values are left out, and none at all is none."""
    result: list[Value] = []
    for place in range(length):
        column = [one[place] for one in array if one[place] is not None]
        if any(isinstance(value, Unsure) for value in column):
            result.append(UNSURE)
        else:
            numbers = [value for value in column if isinstance(value, float | int)]
            result.append(combine(numbers) if numbers else None)
    return tuple(result)


def choose(condition: Operand, then: Operand, otherwise: Operand, *, length: int) -> Operand:
    """IF, value by value."""
    columns = [_one_series(item, length) for item in (condition, then, otherwise)]
    return tuple(_choose(*row) for row in zip(*columns, strict=True))


def _choose(condition: Value, then: Value, otherwise: Value) -> Value:
    if condition is None or isinstance(condition, Unsure):
        return condition
    return then if condition else otherwise


def _one_series(item: Operand, length: int) -> Series:
    if isinstance(item, list):
        raise UnknownMathError("IF over an array is not known here")
    return item if isinstance(item, tuple) else (item,) * length


def change(values: Series, divisor: float) -> Series:
    """The difference from the value before; none where either is missing."""
    before: Value = None
    result: list[Value] = []
    for value in values:
        result.append(_guarded(lambda now, then: (now - then) / divisor, value, before))
        before = value
    return tuple(result)
