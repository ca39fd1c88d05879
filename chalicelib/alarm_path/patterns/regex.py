"""The regular expressions of filter patterns, matched in time linear in the text.

AWS has no groups, so an expression is alternatives of repeated single characters: states in a row,
simulated as the bits of one integer. Python's ``re`` would backtrack without bound on ``.*.*.*x``.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

_LITERALS = frozenset(string.ascii_letters + string.digits + ":_#=@/;,-")
_OPERATORS = frozenset("^$?[]{}|\\*+.")
_REPEAT = re.compile(r"\{([0-9]{1,6})(?:(,)([0-9]{0,6}))?\}")
_HEX = re.compile(r"x([0-9a-fA-F]{2})")

# AWS's own bound on repetition is not known; beyond this many states the answer is "unknown".
_MAX_STATES = 1024

Accepts: TypeAlias = Callable[[str], bool]

_WORD = frozenset(string.ascii_letters + string.digits + "_")
_CLASSES: dict[str, frozenset[str]] = {"d": frozenset(string.digits), "s": frozenset(" \t\n\r\f\v"), "w": _WORD}


class RegexSyntaxError(ValueError):
    """An expression that AWS refuses, and where in it."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


@dataclass(frozen=True, slots=True)
class CharSet:
    """A set of characters, or all but these."""

    characters: frozenset[str]
    negated: bool = False

    def __contains__(self, character: str) -> bool:
        return (character in self.characters) != self.negated


@dataclass(frozen=True, slots=True)
class CharState:
    """One place of a row: the characters that lead on; it may loop, be skipped, or be an anchor."""

    accepts: CharSet
    loops: bool = False
    optional: bool = False
    anchor: str = ""


_NOTHING = CharSet(frozenset())
_ANYTHING = CharSet(frozenset(), negated=True)


@dataclass(slots=True)
class StateMasks:
    """One alternative: its states as bit masks; bit i stands before state i, the last bit is the end.

    ``needed`` is the longest text that must occur wherever it matches: most records lack it, and that is soon seen.
    """

    states: tuple[CharState, ...]
    needed: str = ""
    loops: int = 0
    optional: int = 0
    begins: int = 0
    ends: int = 0
    accepting: dict[str, int] = field(default_factory=dict)
    moves: dict[tuple[int, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.needed = max(self._literals(), key=len)
        for index, state in enumerate(self.states):
            bit = 1 << index
            self.loops |= bit if state.loops else 0
            self.optional |= bit if state.optional else 0
            self.begins |= bit if state.anchor == "^" else 0
            self.ends |= bit if state.anchor == "$" else 0

    def found_in(self, text: str) -> bool:
        """Whether the row matches anywhere in the text."""
        if self.needed not in text:
            return False
        if len(self.needed) == len(self.states):
            return True
        end = 1 << len(self.states)
        active = _closure(1, self.optional | self.begins)
        for character in text:
            if active & end:
                return True
            active = self._move(active, character)
        return bool(_closure(active, self.optional | self.ends | (0 if text else self.begins)) & end)

    def _literals(self) -> list[str]:
        """The runs of characters that have to follow each other, none of them repeated or left out."""
        runs = [""]
        for state in self.states:
            only = state.accepts.characters
            if state.loops or state.optional or state.accepts.negated or len(only) != 1:
                runs.append("")
            else:
                runs[-1] += next(iter(only))
        return runs

    def _move(self, active: int, character: str) -> int:
        known = self.moves.get((active, character))
        if known is not None:
            return known
        taken = active & self._mask(character)
        moved = _closure(((taken & ~self.loops) << 1) | (taken & self.loops) | 1, self.optional)
        if len(self.moves) < 4096:
            self.moves[active, character] = moved
        return moved

    def _mask(self, character: str) -> int:
        mask = self.accepting.get(character)
        if mask is None:
            mask = sum(1 << index for index, state in enumerate(self.states) if character in state.accepts)
            self.accepting[character] = mask
        return mask


def _closure(active: int, skippable: int) -> int:
    """Every bit that can be reached by stepping over skippable states.

    Adding a bit to a run of skippable bits carries through the run: the carry is what is reached.
    """
    reached = active
    starts = active & skippable
    while starts:
        lowest = starts & -starts
        run = (skippable + lowest) ^ skippable
        reached |= run
        starts &= ~run
    return reached


@dataclass(frozen=True, slots=True)
class CompiledRegex:
    """An expression ready to run; ``doubtful`` where its meaning at AWS is not documented."""

    rows: tuple[StateMasks, ...]
    doubtful: bool = False

    def found_in(self, text: str) -> bool:
        """Whether the expression matches anywhere in the text."""
        return any(row.found_in(text) for row in self.rows)


@lru_cache(maxsize=512)
def compile_regex(source: str) -> CompiledRegex:
    """Compile an expression; raises RegexSyntaxError where AWS would refuse it."""
    for position, character in enumerate(source):
        if character in "()":
            raise RegexSyntaxError("parentheses are not supported in a regular expression here", position)
        if character not in _LITERALS and character not in _OPERATORS and character != " ":
            raise RegexSyntaxError(f"{character!r} is not supported in a regular expression here", position)
    return _Compiler(source).run()


class _Compiler:
    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.doubtful = not source

    def run(self) -> CompiledRegex:
        rows: list[list[CharState]] = [[]]
        while self.position < len(self.source):
            character = self.source[self.position]
            if character == "|":
                self.position += 1
                rows.append([])
            elif character in "^$":
                self.position += 1
                rows[-1].append(CharState(_NOTHING, anchor=character))
            elif character in "?*+{}":
                # A quantifier of nothing: engines differ between an error and a literal.
                self.position += 1
                self.doubtful = True
            else:
                rows[-1].extend(self._repeated(self._atom()))
            if sum(map(len, rows)) > _MAX_STATES:
                return CompiledRegex((), doubtful=True)
        # An empty alternative matches everything; whether AWS takes one is not known.
        self.doubtful = self.doubtful or any(not row for row in rows)
        return CompiledRegex(tuple(StateMasks(tuple(row)) for row in rows), self.doubtful)

    def _atom(self) -> CharSet:
        character = self.source[self.position]
        self.position += 1
        if character == ".":
            return _ANYTHING
        if character == "\\":
            return self._escape()
        if character == "[":
            return self._character_class()
        self.doubtful = self.doubtful or character == "]"
        return CharSet(frozenset(character))

    def _escape(self) -> CharSet:
        if self.position >= len(self.source):
            raise RegexSyntaxError("the regular expression ends with a lone backslash", self.position - 1)
        hexadecimal = _HEX.match(self.source, self.position)
        if hexadecimal:
            self.position = hexadecimal.end()
            return CharSet(frozenset(chr(int(hexadecimal.group(1), 16))))
        character = self.source[self.position]
        self.position += 1
        if character.lower() in _CLASSES:
            return CharSet(_CLASSES[character.lower()], negated=character.isupper())
        self.doubtful = self.doubtful or character not in _OPERATORS | frozenset(":#=@/;,-_")
        return CharSet(frozenset(character))

    def _character_class(self) -> CharSet:
        start = self.position - 1
        negated = self.source.startswith("^", self.position)
        self.position += negated
        members: set[str] = set()
        while not self.source.startswith("]", self.position):
            if self.position >= len(self.source):
                raise RegexSyntaxError("the [ that begins here is never closed", start)
            members |= self._member()
        self.position += 1
        self.doubtful = self.doubtful or not members
        return CharSet(frozenset(members), negated)

    def _member(self) -> frozenset[str]:
        start = self.position
        first = self._single()
        last_at = self.position + 1
        if (
            len(first) != 1
            or not self.source.startswith("-", self.position)
            or self.source[last_at : last_at + 1] in ("", "]")
        ):
            return first
        self.position += 1
        last = self._single()
        low, high = next(iter(first)), next(iter(last))
        if len(last) != 1 or low > high:
            raise RegexSyntaxError("the range that begins here is not one", start)
        return frozenset(map(chr, range(ord(low), ord(high) + 1)))

    def _single(self) -> frozenset[str]:
        character = self.source[self.position]
        self.position += 1
        if character != "\\":
            self.doubtful = self.doubtful or character == "["
            return frozenset(character)
        escaped = self._escape()
        if escaped.negated:
            self.doubtful = True
        return escaped.characters

    def _repeated(self, accepts: CharSet) -> list[CharState]:
        character = self.source[self.position : self.position + 1]
        counted = _REPEAT.match(self.source, self.position)
        if counted:
            self.position = counted.end()
            states = self._counted(accepts, counted)
        elif character and character in "*+?":
            self.position += 1
            once = [CharState(accepts)] if character == "+" else []
            states = [*once, CharState(accepts, loops=character != "?", optional=True)]
        else:
            return [CharState(accepts)]
        # A quantifier on a quantifier (lazy, possessive) is not documented.
        self.doubtful = self.doubtful or self.source[self.position : self.position + 1] in tuple("*+?{")
        return states

    def _counted(self, accepts: CharSet, counted: re.Match[str]) -> list[CharState]:
        least = int(counted.group(1))
        most = least if counted.group(2) is None else int(counted.group(3) or -1)
        if counted.group(2) and not counted.group(3):
            return [CharState(accepts)] * min(least, _MAX_STATES + 1) + [CharState(accepts, loops=True, optional=True)]
        if most < least:
            raise RegexSyntaxError("a repetition must not end below where it begins", counted.start())
        optional = min(most - least, _MAX_STATES + 1)
        return [CharState(accepts)] * min(least, _MAX_STATES + 1) + [CharState(accepts, optional=True)] * optional


def example(source: str) -> str | None:
    """A text that the expression is found in, or None where none is at hand."""
    compiled = compile_regex(source)
    if not compiled.rows:
        return None
    wanted = (state for state in compiled.rows[0].states if not state.optional and not state.anchor)
    text = "".join(_one_of(state.accepts) for state in wanted)
    return text if compiled.found_in(text) else None


def _one_of(accepts: CharSet) -> str:
    return next((character for character in "a1x-_0bcA" if character in accepts), None) or min(
        accepts.characters, default=""
    )
