"""Lists and keys as CloudTrail writes them: several spellings of one thing, made one.

CloudTrail wraps lists in ``{"items": […]}``, writes an empty one as ``{}``, and spells the same key ``groupSet``,
``Groups`` or ``SecurityGroupId`` depending on the call and on who stored the record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from chalicelib.cloudtrail.records import text
from chalicelib.named_tuple import NamedTuple

_WRAPPERS = ("items", "item", "member")


def items(value: object) -> list[Any]:
    """The members of a CloudTrail list in any of its spellings; an absent one has none.

    What stands beside the wrapper of a list is a member, too: nothing that a caller wrote may be passed over.
    """
    while isinstance(value, (dict, Mapping)):  # nearly always a dict, and the check for that is the quicker
        wrapped = [key for key in _WRAPPERS if key in value]
        if not wrapped:
            return [value] if value else []
        if len(value) > 1 and (beside := _beside(value, wrapped)):
            return beside
        value = value[wrapped[0]]
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _beside(value: Mapping[str, Any], wrapped: list[str]) -> list[Any]:
    """The members of every wrapper and the rest of the object; none where there is only one wrapper."""
    rest = {key: inner for key, inner in value.items() if key not in wrapped and key != "tag" and is_set(inner)}
    if not rest and len(wrapped) == 1:
        return []
    return [*(member for key in wrapped for member in items(value[key])), *([rest] if rest else [])]


def is_set(value: object) -> bool:
    """Whether a parameter was given at all: an empty text, list or object is how CloudTrail writes an absent one."""
    return any(item not in (None, "", {}, []) for item in items(value))


def field(source: Mapping[str, Any], name: str) -> Any:
    """A field by its lower-camel name, in whatever case the record has it."""
    value = source.get(name)
    if value is None:
        value = source.get(name[0].upper() + name[1:])
    # Tools that store records in tables fold keys to lower case.
    return source.get(name.lower()) if value is None else value


def item_text(item: object, name: str) -> str | None:
    """A text in a list of texts: bare, under its name, or as ``{"tag": 1, "content": …}``."""
    if not isinstance(item, (dict, Mapping)):
        return text(item)
    return text(field(item, name)) or text(item.get("content"))


class KeyNames(NamedTuple):
    """The keys that an object may carry: as code reads them, and every other spelling of each."""

    spelled: frozenset[str]
    by_folded: Mapping[str, str]


# EC2's query protocol numbers the members of a list in the key; CloudTrail adds "Set" or the plural.
_ENDING = re.compile(r"(\.\d+)+$")


@lru_cache(maxsize=1024)  # the same keys come in every record
def fold(key: str) -> str:
    """What the spellings of one key have in common."""
    folded = _ENDING.sub("", key).lower().replace("_", "").replace("-", "")
    return folded.removesuffix("set").removesuffix("s")


# CloudTrail's own keys in a member of a list.
_PLACE, _TEXT = "tag", "content"


def key_names(*names: str, **other_spellings: tuple[str, ...]) -> KeyNames:
    """The keys by their lower-camel names, those of ``other_spellings`` with what else they are called.

    ``tag`` and ``content`` are CloudTrail's own: the place of a member in a list, and the member where it is a text.
    """
    spelled = (_PLACE, _TEXT, *names, *other_spellings)
    by_folded = {fold(name): name for name in spelled}  # "tagSet" folds as "tag" does, and is the one that is read
    for name, spellings in other_spellings.items():
        by_folded |= {fold(spelling): name for spelling in spellings}
    return KeyNames(frozenset(spelled), by_folded)


class Canonical(NamedTuple):
    """An object with the names that code reads, and the keys that are set in it and not among them."""

    values: Mapping[str, Any]
    unknown: tuple[str, ...] = ()


def canonical(source: Mapping[str, Any], names: KeyNames) -> Canonical:
    """The object with each known key under its one name, the others as they are; spellings of one key add up."""
    if source.keys() <= names.spelled:
        return Canonical(source)
    values: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in source.items():
        name = names.by_folded.get(fold(str(key)))
        if name is None:
            values[str(key)] = value
            unknown += [str(key)] if is_set(value) else []
        elif is_set(values.get(name)) and is_set(value) and values[name] != value:
            values[name] = [*items(values[name]), *items(value)]
        elif name not in values or is_set(value):
            values[name] = value
    return Canonical(values, tuple(unknown))
