"""Text that somebody else chose, made safe to look at, and text made to fit.

Names, descriptions and session names come from the caller. Nothing in them may be
invisible, reorder what stands beside it or start a new line; what is cut is always said to be cut.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator

ELLIPSIS = "…"

# Printable by Python's definition and yet drawn as nothing or joined to its neighbor: the rest of
# Default_Ignorable_Code_Point (https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point),
# and the empty braille pattern.
_DRAWN_AS_NOTHING = frozenset(
    chr(point)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xE0100, 0xE01EF),
    )
    for point in range(first, last + 1)
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Scripts stack one or two marks on a letter; more of them are there to paint over other lines.
_MOST_MARKS = 2


def visible(text: str) -> str:
    r"""The text on one line with nothing hidden in it: ``\n``, ``\u202e`` in place of the character itself."""
    if text.isprintable() and text.isascii():
        return text
    return "".join(_visible_characters(text))


def is_plain(text: str) -> bool:
    """True if the text has no invisible or ambiguous characters."""
    return visible(text) == text


def clip(text: str, limit: int, size: Callable[[str], int] = len) -> tuple[str, bool]:
    """The text, or as much of its beginning as fits with an ellipsis behind it; and whether it was cut."""
    if size(text) <= limit:
        return text, False
    room = limit - size(ELLIPSIS)
    low, high = 0, min(len(text), max(room, 0))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle]) <= room else (low, middle - 1)
    return text[:low].rstrip() + ELLIPSIS, True


def fit(entries: Iterable[str], limit: int, size: Callable[[str], int] = len) -> list[str]:
    """The first entries that fit in ``limit`` with a line break after each; no more are made than that."""
    kept: list[str] = []
    left, line_break = limit, size("\n")
    for entry in entries:
        left -= size(entry) + line_break
        if left < 0:
            break
        kept.append(entry)
    return kept


def wrap(text: str, width: int = 80, indent: str = "", first: str | None = None) -> str:
    """The text broken between words; a word wider than the line stays whole."""
    lines: list[str] = []
    line = indent if first is None else first
    empty = True
    for word in text.split(" "):
        if not empty and len(line) + 1 + len(word) > width:
            lines.append(line)
            line, empty = indent, True
        line += word if empty else " " + word
        empty = False
    return "\n".join([*lines, line])


def number_of(count: int, noun: str) -> str:
    """``1 rule``, ``1,000 rules``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _visible_characters(text: str) -> Iterator[str]:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if character.isprintable() and character not in _DRAWN_AS_NOTHING and marks <= _MOST_MARKS:
            yield character
        else:
            yield _SHORT.get(character) or _code_point(character)


def _code_point(character: str) -> str:
    point = ord(character)
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
