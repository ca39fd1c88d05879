"""Objects as Athena and CloudTrail Lake print them in a row: as JSON, or as ``{type=IAMUser, arn=arn:aws:…}``."""

from __future__ import annotations

import json
import re

_DECODER = json.JSONDecoder()
_KEY = re.compile(r"\s*([A-Za-z_@][\w.\-@]*)=")
# A plain value ends before the next key, or where its object does.
_END = re.compile(r", (?=[A-Za-z_@][\w.\-@]*=)|[}]")
_NOTHING = frozenset({"", "-", "null", "None"})
_MAX_DEPTH = 20


class _NotARowError(ValueError):
    """The text is not an object of that form."""


def object_of_text(text: str) -> object:
    """The object of a text; None for an empty one, and the text itself where it is neither form."""
    stripped = text.strip()
    if stripped in _NOTHING:
        return None
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        pass
    try:
        value, end = _object(stripped, 0, 0)
    except _NotARowError:
        return text
    return value if end == len(stripped) else text


def _object(text: str, position: int, depth: int) -> tuple[dict[str, object], int]:
    if depth > _MAX_DEPTH or text[position : position + 1] != "{":
        raise _NotARowError
    found: dict[str, object] = {}
    position += 1
    while text[position : position + 1] != "}":
        key = _KEY.match(text, position)
        if key is None:
            raise _NotARowError
        found[key[1]], position = _value(text, key.end(), depth)
        if text[position : position + 2] == ", ":
            position += 2
    return found, position + 1


def _value(text: str, position: int, depth: int) -> tuple[object, int]:
    if text[position : position + 1] in ("{", "[", '"'):
        try:
            return _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            pass
    if text[position : position + 1] == "{":
        return _object(text, position, depth + 1)
    end = _END.search(text, position)
    if end is None:
        raise _NotARowError
    value = text[position : end.start()]
    return (None if value in _NOTHING else value), end.start()
