"""The rule of a composite alarm: ALARM(a) AND (OK("b") OR NOT INSUFFICIENT_DATA(c)), AT_LEAST(2, ALARM, (a, b, c)).

Names may be quoted or bare, and stand for an alarm's name or its ARN. A function this module does not
know makes the rule unreadable, which the audit reports as unknown.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

StateOf = Callable[[str], str | None]

# An alarm that is known not to exist is not in ALARM; which of the other states AWS takes it for is not documented.
ABSENT = "ABSENT"

_NAMES = re.compile(r"\"(?:[^\"\\]|\\.)*\"|[^()\",]+")
_TOKEN = re.compile(
    r"\s*(?:(?P<paren>[()])"
    r"|AT_LEAST\s*\(\s*(?P<least>\d+)\s*(?P<percent>%?)\s*,\s*(?P<no>NOT\s+)?"
    r"(?P<counted>ALARM|OK|INSUFFICIENT_DATA)\s*,\s*"
    r"\((?P<operands>(?:\"(?:[^\"\\]|\\.)*\"|[^()\"])*)\)\s*\)"
    r"|(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<bare>[^()\"]+?))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b)",
    re.IGNORECASE,
)


class RuleError(ValueError):
    """The rule is not understood; the text says where."""


@dataclass(frozen=True, slots=True)
class StateIs:
    """ALARM("name"): the named alarm is in that state."""

    state: str
    alarm: str


@dataclass(frozen=True, slots=True)
class AtLeast:
    """AT_LEAST(2, ALARM, (a, b)): so many of the conditions hold, which are ALARM(a), ALARM(b) or their opposites."""

    count: int
    conditions: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    inner: Rule


@dataclass(frozen=True, slots=True)
class Both:
    """AND."""

    left: Rule
    right: Rule


@dataclass(frozen=True, slots=True)
class Either:
    """OR."""

    left: Rule
    right: Rule


Rule = StateIs | AtLeast | Constant | Not | Both | Either
_CONSTANTS = {"TRUE": Constant(value=True), "FALSE": Constant(value=False)}


def parse_rule(text: str) -> Rule:
    """The rule's tree. Raises RuleError."""
    reader = _RuleParser(list(_tokens(text)))
    try:
        rule = reader.either()
    except RecursionError:
        raise RuleError("its parentheses are too deep") from None
    if reader.tokens:
        raise RuleError(f"{reader.tokens[0]} stands where the rule should end")
    return rule


def alarms_in(rule: Rule) -> frozenset[str]:
    """The names and ARNs that a rule refers to."""
    match rule:
        case StateIs(alarm=alarm):
            return frozenset({alarm})
        case Not(inner=inner):
            return alarms_in(inner)
        case AtLeast(conditions=conditions):
            return frozenset().union(*map(alarms_in, conditions))
        case Both(left=left, right=right) | Either(left=left, right=right):
            return alarms_in(left) | alarms_in(right)
        case _:
            return frozenset()


def _is(found: str | None, state: str) -> bool | None:
    if found is None or (found == ABSENT and state != "ALARM"):
        return None
    return found == state


def holds(rule: Rule, state_of: StateOf) -> bool | None:
    """Whether the rule is true; None where that depends on an alarm whose state is not known."""
    match rule:
        case StateIs(state=state, alarm=alarm):
            return _is(state_of(alarm), state)
        case Constant(value=value):
            return value
        case AtLeast(count=count, conditions=conditions):
            answers = [holds(condition, state_of) for condition in conditions]
            if answers.count(True) >= count:
                return True
            return None if answers.count(True) + answers.count(None) >= count else False
        case Not(inner=inner):
            inside = holds(inner, state_of)
            return None if inside is None else not inside
        case Both(left=left, right=right):
            sides = (holds(left, state_of), holds(right, state_of))
            return False if False in sides else (None if None in sides else True)
        case Either(left=left, right=right):
            sides = (holds(left, state_of), holds(right, state_of))
            return True if True in sides else (None if None in sides else False)


def _tokens(text: str) -> Iterator[str | StateIs | AtLeast]:
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise RuleError(f"{text[position:].strip()[:40]!r} is not understood")
        if match["state"]:
            name = match["bare"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"])
            yield StateIs(match["state"].upper(), _sure(name, match["bare"]))
        elif match["least"]:
            yield _at_least(match)
        else:
            yield match["paren"] or match["word"].upper()
        position = match.end()


def _sure(name: str, bare: str | None) -> str:
    if (bare or "").startswith("'"):
        raise RuleError(f"how AWS reads {bare} in single quotes is not documented")
    return name


def _at_least(match: re.Match[str]) -> AtLeast:
    """A count, or the least count that is the percentage of the alarms."""
    texts = [text for found in _NAMES.findall(match["operands"]) if (text := found.strip())]
    names = [re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else _sure(text, text) for text in texts]
    wanted = int(match["least"])
    count = -(-wanted * len(names) // 100) if match["percent"] else wanted
    if not 1 <= count <= len(names):
        raise RuleError(f"AT_LEAST of {match['least']}{match['percent']} of {len(names)} alarms is not understood")
    states: list[Rule] = [StateIs(match["counted"].upper(), name) for name in names]
    return AtLeast(count, tuple(Not(state) for state in states) if match["no"] else tuple(states))


@dataclass(slots=True)
class _RuleParser:
    tokens: list[str | StateIs | AtLeast]

    def either(self) -> Rule:
        left = self._both()
        while self._skip("OR"):
            left = Either(left, self._both())
        return left

    def _both(self) -> Rule:
        left = self._not()
        while self._skip("AND"):
            left = Both(left, self._not())
        return left

    def _not(self) -> Rule:
        if self._skip("NOT"):
            return Not(self._not())
        if not self.tokens:
            raise RuleError("the rule ends where a condition is expected")
        token = self.tokens.pop(0)
        if isinstance(token, StateIs | AtLeast):
            return token
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if token != "(":  # noqa: S105 - a parenthesis
            raise RuleError(f"{token} stands where a condition is expected")
        inside = self.either()
        if not self._skip(")"):
            raise RuleError("a closing parenthesis is missing")
        return inside

    def _skip(self, token: str) -> bool:
        if self.tokens and self.tokens[0] == token:
            self.tokens.pop(0)
            return True
        return False
