"""A cursor over a filter pattern's text: blanks, values and errors that know their place."""

from __future__ import annotations

import re
from typing import NoReturn

from chalicelib.alarm_path.patterns.pattern_error import INVALID_PATTERN, INVALID_TERM, FilterPatternError
from chalicelib.alarm_path.patterns.regex import RegexSyntaxError, compile_regex
from chalicelib.alarm_path.patterns.syntax import Number, Regex, Text, WantedValue

BLANKS = " \t\r\n"
SMART_QUOTES = "“”„‟«»‘’‚‛"
ORDERINGS = ("<=", ">=", "<", ">")
OPERATORS = ("!=", *ORDERINGS, "=")

_RUN_OF_BLANKS = re.compile(r"[ \t\r\n]*")
_BARE_RUN = re.compile(r"[^ \t\r\n(){}\[\]|&,\"%=<>]+")
_BARE = re.compile(r"[A-Za-z0-9_.*:/@-]+")
_LONE_BACKSLASH = re.compile(r'(?:[^\\]|\\[\\"])*\\[^\\"].*', re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\["\\]|\\(?!["\\]))*"')
_ESCAPED = re.compile(r'\\(["\\])')
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class Scanner:
    """Reads a text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def blanks(self) -> None:
        """Skip spaces, tabs and line ends."""
        self.take_match(_RUN_OF_BLANKS)

    @property
    def next(self) -> str:
        """The next character, or "" at the end."""
        return self.text[self.position : self.position + 1]

    def at(self, literal: str) -> bool:
        """Whether this literal comes next."""
        return self.text.startswith(literal, self.position)

    def take(self, literal: str) -> bool:
        """SelectorStep over this literal if it comes next."""
        found = self.at(literal)
        if found:
            self.position += len(literal)
        return found

    def take_match(self, expression: re.Pattern[str]) -> str:
        """SelectorStep over what the expression matches here and return it; "" if nothing."""
        found = expression.match(self.text, self.position)
        if found is None:
            return ""
        self.position = found.end()
        return found.group()

    def fail(self, reason: str, at: int | None = None, aws: str = INVALID_PATTERN) -> NoReturn:
        """Raise the error for this place."""
        raise FilterPatternError(reason, self.text, self.position if at is None else at, aws)

    def value(self, operator: str) -> WantedValue:
        """The right side of a comparison."""
        start = self.position
        if operator in ORDERINGS:
            return self._number(operator)
        if self.at('"'):
            text = self.quoted()
            source = self.text[start + 1 : self.position - 1]
            return Text(text, quoted=True, lone_backslash=bool(_LONE_BACKSLASH.fullmatch(source)))
        if self.at("%"):
            return self.regex()
        bare = self.take_match(_BARE_RUN)
        if not bare:
            self._fail_on_missing_value(operator)
        if NUMBER.fullmatch(bare):
            return Number(bare)
        legal = _BARE.match(bare)
        if legal is None or legal.end() != len(bare):
            self._fail_on_character(bare, start, legal.end() if legal else 0)
        return Text(bare, quoted=False)

    def quoted(self) -> str:
        """The text between double quotes, where a backslash escapes a quote or a backslash."""
        found = self.take_match(_QUOTED)
        if not found:
            self.fail("the quote that begins here is never closed")
        return _ESCAPED.sub(r"\1", found[1:-1])

    def regex(self) -> Regex:
        """The regular expression between two percent signs."""
        start = self.position
        end = self.text.find("%", start + 1)
        if end < 0:
            self.fail("the regular expression that begins here has no closing %", start)
        source = self.text[start + 1 : end]
        try:
            compile_regex(source)
        except RegexSyntaxError as error:
            # Seen for parentheses: github.com/ministryofjustice/modernisation-platform-environments/pull/5137
            self.fail(error.reason, start + 1 + error.position, _term_error(f"%{source}%"))
        self.position = end + 1
        return Regex(source)

    def _number(self, operator: str) -> Number:
        start = self.position
        if self.at('"'):
            self.quoted()
            term = self.text[start : self.position]
            self.fail(f"{operator} compares numbers, and a number stands without quotes", start, _term_error(term))
        bare = self.take_match(_BARE_RUN)
        if not bare:
            self._fail_on_missing_value(operator)
        if not NUMBER.fullmatch(bare):
            self.fail(f"{operator} compares numbers, and {bare} is not one", start, _term_error(bare))
        return Number(bare)

    def _fail_on_missing_value(self, operator: str) -> NoReturn:
        if operator == "=" and self.at("="):
            self.fail("== is not an operator here; equality is a single =")
        if not self.next:
            self.fail(f"the pattern ends after {operator}; a value is missing")
        self.fail(f"a value is expected after {operator}, not {self.next}")

    def _fail_on_character(self, bare: str, start: int, offset: int) -> NoReturn:
        character = bare[offset]
        if character in SMART_QUOTES:
            self.fail(f'typographic quotes ({character}) are not quotes here; write "', start + offset)
        if character == "'":
            self.fail('single quotes are not quotes here; write "', start + offset)
        self.fail(f"a value with {character} in it must stand in double quotes", start + offset, _term_error(bare))


def _term_error(term: str) -> str:
    return f"{INVALID_TERM} '{term}'"
