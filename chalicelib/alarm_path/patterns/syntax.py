"""The tree of a filter pattern: JSON conditions, unstructured terms, space-delimited fields or a lone regex.

Nodes keep what changes the meaning and nothing else: quotes do (``= "123"`` compares text), blanks
and redundant parentheses do not. Spellings that AWS does not document are kept as they were written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Name:
    """A property. ``raw`` is how it was written where AWS documents no such form: ``["name"]``."""

    name: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """An array element, from 0."""

    index: int


@dataclass(frozen=True, slots=True)
class AnyElement:
    """``[*]``: any element of an array."""


@dataclass(frozen=True, slots=True)
class AnyValue:
    """``.*``: any value of an object."""


SelectorStep: TypeAlias = Name | Index | AnyElement | AnyValue


@dataclass(frozen=True, slots=True)
class Selector:
    """The way from the root of the record to a value: ``$.userIdentity.type``.

    ``has_wildcard``: it may lead to several values. ``is_undocumented``: a name is not written as AWS documents.
    """

    steps: tuple[SelectorStep, ...]
    has_wildcard: bool = field(init=False, repr=False, compare=False)
    is_undocumented: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wildcard = any(isinstance(step, AnyElement | AnyValue) for step in self.steps)
        object.__setattr__(self, "has_wildcard", wildcard)
        raw = any(isinstance(step, Name) and bool(step.raw) for step in self.steps)
        object.__setattr__(self, "is_undocumented", raw)


@dataclass(frozen=True, slots=True)
class Text:
    """A text to compare with, quoted or bare; a ``*`` at its start and end is a wildcard.

    ``lone_backslash`` is true where a backslash escapes neither a quote nor a backslash.
    """

    text: str
    quoted: bool
    lone_backslash: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A bare number, as it was written."""

    text: str

    @property
    def value(self) -> float:
        """The number; whole numbers stay exact."""
        return float(self.text) if set(self.text) & set(".eE") else int(self.text)


@dataclass(frozen=True, slots=True)
class Regex:
    """The source between two ``%``."""

    source: str


WantedValue: TypeAlias = Text | Number | Regex


@dataclass(frozen=True, slots=True)
class Compare:
    """``selector operator value``; the operator is one of = != < > <= >=."""

    selector: Selector
    operator: str
    value: WantedValue


@dataclass(frozen=True, slots=True)
class Is:
    """``selector IS NULL``, ``IS TRUE`` or ``IS FALSE``, the keywords as they were written."""

    selector: Selector
    keywords: tuple[str, str]

    @property
    def wanted(self) -> bool | None:
        """The JSON value asked for."""
        return {"NULL": None, "TRUE": True, "FALSE": False}[self.keywords[1].upper()]


@dataclass(frozen=True, slots=True)
class NotExists:
    """``selector NOT EXISTS``, the keywords as they were written."""

    selector: Selector
    keywords: tuple[str, str] = ("NOT", "EXISTS")


FieldCondition: TypeAlias = Compare | Is | NotExists


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    items: tuple[Expression, ...]


Expression: TypeAlias = FieldCondition | And | Or


@dataclass(frozen=True, slots=True)
class JsonPattern:
    """``{ … }``: conditions on the fields of a JSON log event."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase to be found in the line; ``sign`` is "" (all of these), "?" (any) or "-" (none)."""

    text: str
    quoted: bool = False
    sign: str = ""


@dataclass(frozen=True, slots=True)
class TermsPattern:
    """Words and phrases looked for in the line as text; no terms at all match everything."""

    terms: tuple[Term, ...]
    blank: bool = False  # only blanks were written: undocumented


@dataclass(frozen=True, slots=True)
class RegexPattern:
    """``%…%`` alone: looked for in the line as text."""

    regex: Regex


@dataclass(frozen=True, slots=True)
class FieldTest:
    """``name operator value`` inside a space-delimited pattern."""

    name: str
    operator: str
    value: WantedValue


@dataclass(frozen=True, slots=True)
class DelimitedField:
    """One field of a space-delimited pattern: its name, or tests as an OR of ANDs; ``...`` is any number of fields."""

    name: str = ""
    tests: tuple[tuple[FieldTest, ...], ...] = ()
    ellipsis: bool = False


@dataclass(frozen=True, slots=True)
class FieldsPattern:
    """``[ … ]``: the line cut at blanks into fields."""

    fields: tuple[DelimitedField, ...]


Pattern: TypeAlias = JsonPattern | TermsPattern | RegexPattern | FieldsPattern


def conditions(expression: Expression) -> tuple[FieldCondition, ...]:
    """Every condition of an expression, from left to right."""
    if isinstance(expression, And | Or):
        return tuple(condition for item in expression.items for condition in conditions(item))
    return (expression,)
