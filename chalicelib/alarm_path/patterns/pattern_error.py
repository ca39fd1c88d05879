"""The one error of a filter pattern that AWS would refuse: where it is, why, and what AWS would say."""

from __future__ import annotations

import unicodedata

INVALID_PATTERN = "InvalidParameterException: Invalid metric filter pattern"
INVALID_TERM = "InvalidParameterException: Invalid character(s) in term"

# Terminals are 80 columns; the line and the caret under it are indented by two.
_WIDTH = 76


class FilterPatternError(ValueError):
    """A filter pattern that AWS refuses; ``position`` counts characters from 0 in ``text``."""

    def __init__(self, reason: str, text: str, position: int, aws: str = INVALID_PATTERN) -> None:
        super().__init__(reason)
        self.reason = reason
        self.text = text
        self.position = min(max(position, 0), len(text))
        self.aws = aws

    @property
    def line(self) -> int:
        """The line of the offending place, from 1."""
        return self.text.count("\n", 0, self.position) + 1

    @property
    def column(self) -> int:
        """The column of the offending place in its line, from 1."""
        return self.position - (self.text.rfind("\n", 0, self.position) + 1) + 1

    def caret(self) -> str:
        """The offending line, cut to the terminal's width, and a caret under the offending place."""
        line = self.text.split("\n")[self.line - 1]
        visible = "".join(character if character.isprintable() else " " for character in line)
        start = max(0, self.column - 1 - _WIDTH * 2 // 3) if len(visible) > _WIDTH else 0
        head, tail = "…" if start else "", "…" if len(visible) > start + _WIDTH else ""
        before = len(head) + sum(map(_cells, visible[start : self.column - 1]))
        return f"{head}{visible[start : start + _WIDTH]}{tail}\n{' ' * before}^"

    def __str__(self) -> str:
        return f"{self.reason} (line {self.line}, column {self.column}); AWS would say: {self.aws}"


def _cells(character: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
