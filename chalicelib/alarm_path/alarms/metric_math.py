"""CloudWatch metric math, evaluated on time series as far as AWS documents what it does.

A time series is a list with one value per period, ``None`` where there is no datapoint and ``UNSURE``
where there may be any or none. Whatever this module does not know raises ``UnknownMathError``: the
audit then says so instead of guessing.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chalicelib.alarm_path.alarms.metric_series import (
    PER_VALUE,
    UNSURE,
    Interpretation,
    Operand,
    Series,
    UnknownMathError,
    across,
    as_array,
    binary,
    change,
    choose,
    each,
    fill,
    map_series,
    repeat,
)

__all__ = ["UNSURE", "Interpretation", "Series", "UnknownMathError", "evaluate"]


DEFAULT_READING = Interpretation()

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<symbol>&&|\|\||==|!=|<=|>=|[-+*/^()<>,\[\]]))"
)

_SAME = {"&&": "AND", "||": "OR"}
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("OR",),
    ("AND",),
    ("==", "!=", "<", ">", "<=", ">="),
    ("+", "-"),
    ("*", "/"),
)


def evaluate(
    expression: str, series: Mapping[str, Series], length: int, period: int, reading: Interpretation = DEFAULT_READING
) -> Series:
    """The series that the expression yields; ``series`` holds the metrics and earlier expressions by id.

    Raises UnknownMathError for what is not understood.
    """
    reader = _ExpressionParser(_tokens(expression), series, length, period, reading)
    try:
        result = reader.expression()
    except RecursionError:
        raise UnknownMathError("its parentheses are too deep") from None
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
class _ExpressionParser:
    tokens: list[str]
    series: Mapping[str, Series]
    length: int
    period: int
    reading: Interpretation
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
            left = binary(sign, left, self.expression(level + 1), self.reading)
        return left

    @property
    def _silent(self) -> float | None:
        return 0.0 if self.reading.silent_zero else None

    def _power(self) -> Operand:
        left = self._unary()
        if self._peek() == "^":
            self._take()
            return binary("^", left, self._power(), self.reading)
        return left

    def _unary(self) -> Operand:
        if self._peek() == "-":
            self._take()
            return each(self._unary(), operator.neg, missing=self._silent)
        if self._operator() == "NOT":
            self._take()
            return each(self._unary(), lambda value: float(not value), missing=self._silent)
        return self._primary()

    def _primary(self) -> Operand:
        token = self._take()
        if token == "(":  # noqa: S105
            inside = self.expression()
            self._take(")")
            return inside
        if token == "[":  # noqa: S105
            return [one for item in self._arguments("]") for one in as_array(item, self.length)]
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
        if name != upper:
            raise UnknownMathError(f"AWS wants functions in upper case, and this one is {name}")
        result = self._if_call(arguments) if upper == "IF" else self._one_argument(upper, arguments)
        if result is None:
            raise UnknownMathError(f"what {upper} yields in an alarm is not known here")
        return result

    def _if_call(self, arguments: list[Operand]) -> Operand | None:
        if len(arguments) == 2:
            arguments.append((None,) * self.length)
        return choose(*arguments, length=self.length) if len(arguments) == 3 else None

    def _one_argument(self, name: str, arguments: list[Operand]) -> Operand | None:
        result: Operand | None = None
        match name, arguments:
            case (("SUM" | "MAX" | "MIN" | "AVG"), [list() as array]):
                result = across(name, array, self.length, self.reading)
            case (("ABS" | "CEIL" | "FLOOR" | "LOG" | "LOG10"), [argument]):
                result = each(argument, PER_VALUE[name])
            case (("RATE" | "DIFF"), [tuple() as values]):
                result = change(values, self.period if name == "RATE" else 1)
            case "METRIC_COUNT", [list() as array]:
                result = float(len(array))
            case (("FIRST" | "LAST"), [list() as array]) if array:
                result = array[0] if name == "FIRST" else array[-1]
            case "TIME_SERIES", [float() as constant]:
                result = (constant,) * self.length
            case "PERIOD", [_]:
                result = float(self.period)
        return result

    def _metrics(self) -> Operand:
        """Every metric, or those whose id holds the text."""
        part = "" if self._peek() == ")" else self._take()
        if part and part[0] not in "\"'":
            raise UnknownMathError(f"{part} stands where METRICS takes a text")
        self._take(")")
        return [values for name, values in self.series.items() if part[1:-1] in name]

    def _fill(self) -> Operand:
        target = self.expression()
        self._take(",")
        if self._peek().upper() in {"REPEAT", "LINEAR"}:
            how = self._take().upper()
            self._take(")")
            if how == "LINEAR":
                raise UnknownMathError("what FILL(…, LINEAR) yields at the newest period is not known here")
            return map_series(target, repeat)
        filler = self.expression()
        self._take(")")
        if isinstance(filler, list):
            raise UnknownMathError("FILL with an array of time series is not known here")
        fillers = filler if isinstance(filler, tuple) else (filler,) * self.length
        return map_series(target, lambda values: fill(values, fillers))
