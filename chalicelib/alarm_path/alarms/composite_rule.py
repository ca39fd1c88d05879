"""The rule of a composite alarm: ALARM(a) AND (OK("b") OR NOT INSUFFICIENT_DATA(c)).

Names may be quoted or bare, and stand for an alarm's name or its ARN. A function this module does not
know makes the rule unreadable, which the audit reports as unknown.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

StateOf = Callable[[str], str | None]

# An alarm that is known not to exist is not in ALARM; which of the other states AWS takes it for is not documented.
ABSENT = "ABSENT"

_TOKEN = re.compile(
    r"\s*(?:(?P<paren>[()])"
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


Rule = StateIs | Constant | Not | Both | Either
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
        case Not(inner=inner):
            inside = holds(inner, state_of)
            return None if inside is None else not inside
        case Both(left=left, right=right):
            sides = (holds(left, state_of), holds(right, state_of))
            return False if False in sides else (None if None in sides else True)
        case Either(left=left, right=right):
            sides = (holds(left, state_of), holds(right, state_of))
            return True if True in sides else (None if None in sides else False)


def _tokens(text: str) -> Iterator[str | StateIs]:
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise RuleError(f"{text[position:].strip()[:40]!r} is not understood")
        if (match["bare"] or "").startswith("'"):
            raise RuleError(f"how AWS reads {match['bare']} in single quotes is not documented")
        if match["state"]:
            name = match["bare"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"])
            yield StateIs(match["state"].upper(), name)
        else:
            yield match["paren"] or match["word"].upper()
        position = match.end()


@dataclass(slots=True)
class _RuleParser:
    tokens: list[str | StateIs]

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
        if isinstance(token, StateIs):
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
