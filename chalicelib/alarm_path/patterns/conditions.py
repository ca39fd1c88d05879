"""The inside of a JSON pattern: selectors, comparisons, and how && and || bind them.

Parentheses are kept on an explicit stack, so that a thousand of them cost no recursion.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from chalicelib.alarm_path.patterns.scanner import BLANKS, OPERATORS, Scanner
from chalicelib.alarm_path.patterns.syntax import (
    And,
    AnyElement,
    AnyValue,
    Compare,
    Expression,
    FieldCondition,
    Index,
    Is,
    Name,
    NotExists,
    Or,
    Selector,
    SelectorStep,
)

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_DIGITS = re.compile(r"[0-9]{1,9}")
_LETTERS = re.compile(r"[A-Za-z]+")
_BRACKETED = re.compile(r"\['([^'\r\n]+)'\]")
_BRACKETED_OTHERWISE = re.compile(r"\.?\[(?:'([^'\r\n]+)'|\"([^\"\r\n]+)\")\]")


@dataclass(slots=True)
class _Group:
    """What stands between one pair of parentheses: an OR of ANDs, and where it opened."""

    opened: int
    alternatives: list[list[Expression]] = field(default_factory=lambda: [[]])

    def expression(self) -> Expression:
        anded = [items[0] if len(items) == 1 else And(tuple(items)) for items in self.alternatives]
        return anded[0] if len(anded) == 1 else Or(tuple(anded))


class ConditionParser:
    """Reads conditions from a scanner up to the closing brace."""

    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner

    def expression(self) -> Expression:
        """Everything up to the closing brace, which is left to the caller."""
        scanner = self.scanner
        stack = [_Group(scanner.position)]
        while True:
            self._open(stack)
            stack[-1].alternatives[-1].append(self._condition())
            self._close(stack)
            if scanner.take("||"):
                stack[-1].alternatives.append([])
            elif not scanner.take("&&"):
                break
        if not scanner.at("}"):
            self._fail_on_operator()
        if len(stack) > 1:
            scanner.fail("a ) is missing for the ( that begins here", stack[-1].opened)
        return stack[0].expression()

    def _open(self, stack: list[_Group]) -> None:
        self.scanner.blanks()
        while self.scanner.at("("):
            stack.append(_Group(self.scanner.position))
            self.scanner.take("(")
            self.scanner.blanks()

    def _close(self, stack: list[_Group]) -> None:
        self.scanner.blanks()
        while self.scanner.at(")"):
            if len(stack) == 1:
                self.scanner.fail("this ) has no ( before it")
            self.scanner.take(")")
            closed = stack.pop().expression()
            stack[-1].alternatives[-1].append(closed)
            self.scanner.blanks()

    def _condition(self) -> FieldCondition:
        scanner = self.scanner
        if not scanner.at("$"):
            scanner.fail("a selector is expected here, such as $.eventName")
        selector = self._selector()
        scanner.blanks()
        for operator in OPERATORS:
            if scanner.take(operator):
                scanner.blanks()
                return Compare(selector, operator, scanner.value(operator))
        start = scanner.position
        return self._keywords(selector, scanner.take_match(_LETTERS), start)

    def _keywords(self, selector: Selector, word: str, start: int) -> FieldCondition:
        if word.upper() == "EXISTS":
            self.scanner.fail("EXISTS alone is not supported; any value at all is written = *", start)
        if word.upper() not in ("IS", "NOT"):
            self.scanner.fail("an operator is expected here: = != < > <= >= IS, or NOT EXISTS", start)
        self.scanner.blanks()
        start = self.scanner.position
        second = self.scanner.take_match(_LETTERS)
        if word.upper() == "NOT":
            if second.upper() != "EXISTS":
                self.scanner.fail("EXISTS is expected after NOT", start)
            return NotExists(selector, (word, second))
        if second.upper() == "NOT":
            self.scanner.fail("IS NOT is not supported", start)
        if second.upper() not in ("NULL", "TRUE", "FALSE"):
            self.scanner.fail("NULL, TRUE or FALSE is expected after IS", start)
        return Is(selector, (word, second))

    def _selector(self) -> Selector:
        scanner = self.scanner
        start = scanner.position
        scanner.take("$")
        steps: list[SelectorStep] = []
        while scanner.next in (".", "[") and scanner.next:
            steps.append(self._step())
        if not steps:
            scanner.fail("a selector goes on after $ with the name of a field: $.eventName")
        if scanner.next and scanner.next not in BLANKS + "=!<>)&|}":
            scanner.fail(f"a name with {scanner.next} in it is written .['name']")
        selector = Selector(tuple(steps))
        if sum(isinstance(step, AnyElement | AnyValue) for step in steps) > 1:
            scanner.fail("a selector may hold only one wildcard", start)
        return selector

    def _step(self) -> SelectorStep:
        scanner = self.scanner
        if scanner.take("[*]"):
            return AnyElement()
        if scanner.take(".*"):
            return AnyValue()
        start = scanner.position
        if scanner.at(".["):
            scanner.take(".")
            named = scanner.take_match(_BRACKETED)
            if named:
                return Name(named[2:-2])
            scanner.position = start
        raw = scanner.take_match(_BRACKETED_OTHERWISE)
        if raw:
            return Name(raw.lstrip(".")[2:-2], raw)
        return self._index() if scanner.take("[") else self._name()

    def _index(self) -> Index:
        digits = self.scanner.take_match(_DIGITS)
        if not digits or not self.scanner.take("]"):
            self.scanner.fail("the number of an array element and a ] are expected here")
        return Index(int(digits))

    def _name(self) -> Name:
        self.scanner.take(".")
        name = self.scanner.take_match(_NAME)
        if not name:
            self.scanner.fail("the name of a field is expected after the dot")
        return Name(name)

    def _fail_on_operator(self) -> None:
        scanner = self.scanner
        start = scanner.position
        word = scanner.take_match(_LETTERS)
        if word.upper() in ("AND", "OR"):
            scanner.fail(f"{word} is not an operator here; write {'&&' if word.upper() == 'AND' else '||'}", start)
        if scanner.next in ("|", "&") and not word:
            scanner.fail(f"a single {scanner.next} is not an operator; write {scanner.next * 2}", start)
        if word:
            scanner.fail("&&, || or a closing bracket is expected here; quote a value that has blanks", start)
        if not scanner.next:
            scanner.fail("the closing } is missing")
        scanner.fail("&&, || or a closing bracket is expected here", start)
