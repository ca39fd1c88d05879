"""CloudWatch metric math, evaluated on time series as far as AWS documents what it does.

A time series is a list with one value per period, ``None`` where there is no datapoint and ``UNSURE``
where there may be any or none. Whatever this module does not know raises ``UnknownMathError``: the
audit then says so instead of guessing.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass


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


_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<symbol>&&|\|\||==|!=|<=|>=|[-+*/^()<>,\[\]]))"
)

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
_SAME = {"&&": "AND", "||": "OR"}
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("OR",),
    ("AND",),
    ("==", "!=", "<", ">", "<=", ">="),
    ("+", "-"),
    ("*", "/"),
)
_PER_VALUE: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": math.log,
    "LOG10": math.log10,
}
_ACROSS: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "MAX": max,
    "MIN": min,
    "AVG": lambda values: math.fsum(values) / len(values),
}


def evaluate(expression: str, series: Mapping[str, Series], length: int, period: int) -> Series:
    """The series that the expression yields; ``series`` holds the metrics and earlier expressions by id.

    Raises UnknownMathError for what is not understood.
    """
    reader = _Reader(_tokens(expression), series, length, period)
    result = reader.expression()
    reader.finish()
    if isinstance(result, list):
        if len(result) != 1:
            raise UnknownMathError("an alarm's expression must yield one time series, and this one yields several")
        return result[0]
    return result if isinstance(result, tuple) else (result,) * length


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise UnknownMathError(f"{text[position:].strip()[:20]!r} is not understood")
        tokens.append(match.group().strip())
        position = match.end()
    return tokens


@dataclass(slots=True)
class _Reader:
    tokens: list[str]
    series: Mapping[str, Series]
    length: int
    period: int
    position: int = 0

    def finish(self) -> None:
        if self.position != len(self.tokens):
            raise UnknownMathError(f"{self.tokens[self.position]!r} is not understood")

    def _peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def _operator(self) -> str:
        token = self._peek()
        return _SAME.get(token, token.upper())

    def _take(self, wanted: str | None = None) -> str:
        token = self._peek()
        if not token or (wanted is not None and token != wanted):
            raise UnknownMathError(f"{wanted or 'more'} expected, found {token or 'the end'!r}")
        self.position += 1
        return token

    def expression(self, level: int = 0) -> Operand:
        if level == len(_LEVELS):
            return self._power()
        left = self.expression(level + 1)
        while (sign := self._operator()) in _LEVELS[level]:
            self._take()
            left = _binary(sign, left, self.expression(level + 1))
        return left

    def _power(self) -> Operand:
        left = self._unary()
        if self._peek() == "^":
            self._take()
            return _binary("^", left, self._power())
        return left

    def _unary(self) -> Operand:
        if self._peek() == "-":
            self._take()
            return _each(self._unary(), operator.neg)
        if self._operator() == "NOT":
            self._take()
            return _each(self._unary(), lambda value: float(not value))
        return self._primary()

    def _primary(self) -> Operand:
        token = self._take()
        if token == "(":  # noqa: S105
            inside = self.expression()
            self._take(")")
            return inside
        if token == "[":  # noqa: S105
            return [one for item in self._arguments("]") for one in _as_array(item, self.length)]
        if token[0].isdigit() or token[0] == ".":
            return float(token)
        if self._peek() == "(":
            self._take()
            return self._call(token)
        if token in self.series:
            return self.series[token]
        raise UnknownMathError(f"{token!r} is not a metric or an expression of this alarm")

    def _arguments(self, closing: str) -> Iterator[Operand]:
        while self._peek() != closing:
            yield self.expression()
            if self._peek() != closing:
                self._take(",")
        self._take(closing)

    def _call(self, name: str) -> Operand:
        upper = name.upper()
        if upper == "METRICS":
            return self._metrics()
        if upper == "FILL":
            return self._fill()
        arguments = list(self._arguments(")"))
        result = self._if_call(arguments) if upper == "IF" else self._one_argument(upper, arguments)
        if result is None:
            raise UnknownMathError(f"what {upper} yields in an alarm is not known here")
        return result

    def _if_call(self, arguments: list[Operand]) -> Operand | None:
        if len(arguments) == 2:
            arguments.append((None,) * self.length)
        return _if(*arguments, length=self.length) if len(arguments) == 3 else None

    def _one_argument(self, name: str, arguments: list[Operand]) -> Operand | None:
        result: Operand | None = None
        match name, arguments:
            case (("SUM" | "MAX" | "MIN" | "AVG"), [list() as array]):
                result = _across(array, _ACROSS[name], self.length)
            case (("ABS" | "CEIL" | "FLOOR" | "LOG" | "LOG10"), [argument]):
                result = _each(argument, _PER_VALUE[name])
            case (("RATE" | "DIFF"), [tuple() as values]):
                result = _change(values, self.period if name == "RATE" else 1)
            case "TIME_SERIES", [float() as constant]:
                result = (constant,) * self.length
            case "PERIOD", [_]:
                result = float(self.period)
        return result

    def _metrics(self) -> Operand:
        if self._peek() != ")":
            raise UnknownMathError("METRICS with a label is not known here")
        self._take(")")
        return list(self.series.values())

    def _fill(self) -> Operand:
        target = self.expression()
        self._take(",")
        if self._peek().upper() in {"REPEAT", "LINEAR"}:
            how = self._take().upper()
            self._take(")")
            if how == "LINEAR":
                raise UnknownMathError("what FILL(…, LINEAR) yields at the newest period is not known here")
            return _map_series(target, _repeat)
        filler = self.expression()
        self._take(")")
        if not isinstance(filler, float):
            raise UnknownMathError("FILL with a time series is not known here")
        return _map_series(target, lambda values: tuple(filler if value is None else value for value in values))


def _as_array(item: Operand, length: int) -> list[Series]:
    if isinstance(item, list):
        return item
    return [item if isinstance(item, tuple) else (item,) * length]


def _map_series(item: Operand, change: Callable[[Series], Series]) -> Operand:
    if isinstance(item, list):
        return [change(one) for one in item]
    return change(item) if isinstance(item, tuple) else item


def _repeat(values: Series) -> Series:
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


def _each(item: Operand, compute: Callable[[float], float]) -> Operand:
    if isinstance(item, float):
        result = _guarded(compute, item)
        if not isinstance(result, float):
            raise UnknownMathError("a constant of the expression has no value")
        return result
    return _map_series(item, lambda values: tuple(_guarded(compute, value) for value in values))


def _binary(sign: str, left: Operand, right: Operand) -> Operand:
    compute = _ARITHMETIC[sign]
    if isinstance(left, list) and isinstance(right, list):
        raise UnknownMathError(f"{sign} between two arrays is not known here")
    if isinstance(left, list):
        return [_pair(compute, one, right) for one in left]
    if isinstance(right, list):
        return [_pair(compute, left, one) for one in right]
    if isinstance(left, float) and isinstance(right, float):
        return _each(left, lambda value: compute(value, right))
    return _pair(compute, left, right)


def _pair(compute: Callable[[float, float], float], left: Operand, right: Operand) -> Series:
    if isinstance(left, tuple) and isinstance(right, tuple):
        return tuple(_guarded(compute, one, other) for one, other in zip(left, right, strict=True))
    if isinstance(left, tuple) and isinstance(right, float):
        return tuple(_guarded(compute, one, right) for one in left)
    if isinstance(left, float) and isinstance(right, tuple):
        return tuple(_guarded(compute, left, one) for one in right)
    raise UnknownMathError("an array stands where a time series is expected")


def _across(array: list[Series], combine: Callable[[Sequence[float]], float], length: int) -> Series:
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


def _if(condition: Operand, then: Operand, otherwise: Operand, *, length: int) -> Operand:
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


def _change(values: Series, divisor: float) -> Series:
    before: Value = None
    result: list[Value] = []
    for value in values:
        result.append(_guarded(lambda now, then: (now - then) / divisor, value, before))
        before = value
    return tuple(result)
