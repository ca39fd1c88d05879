"""The state table in memory with DynamoDB's conditions and updates: for campaigns for which moto is too slow.

It evaluates the expressions that StateTable is given; a test holds it against moto.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from chalicelib.state.codec import FORM_VERSION, StateItem, decode
from chalicelib.state.state_table import StateTable

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),+-]|[:#]?\w+)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
Names = Mapping[str, Any]


@cache
def _tokens(expression: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(expression))


class _Expression:
    """One expression, read and evaluated at once: OR, AND, NOT, comparison, BETWEEN, IN, functions, + and -."""

    def __init__(self, expression: str, item: Mapping[str, Any], values: Names) -> None:
        self.left = list(_tokens(expression))
        self.item = item
        self.values = values

    def next_is(self, *words: str) -> bool:
        return bool(self.left) and self.left[0] in words

    def take(self, *words: str) -> str:
        assert not words or self.left[0] in words, (self.left[:5], words)
        return self.left.pop(0)

    def either(self) -> bool:
        found = self.both()
        while self.next_is("OR"):
            self.take()
            found = self.both() or found
        return found

    def both(self) -> bool:
        found = self.negated()
        while self.next_is("AND"):
            self.take()
            found = self.negated() and found
        return found

    def negated(self) -> bool:
        if self.next_is("NOT"):
            self.take()
            return not self.negated()
        if self.next_is("("):
            self.take()
            found = self.either()
            self.take(")")
            return found
        if self.next_is("attribute_exists", "attribute_not_exists"):
            function = self.take()
            self.take("(")
            there = self.name(self.take()) in self.item
            self.take(")")
            return there if function == "attribute_exists" else not there
        return self.compared()

    def compared(self) -> bool:
        value, word = self.value(), self.take()
        if word == "BETWEEN":
            low = self.value()
            self.take("AND")
            high = self.value()
            return _comparable(value, low) and low <= value <= high
        if word == "IN":
            self.take("(")
            found = [self.value()]
            while self.take() == ",":
                found.append(self.value())
            return value in found
        other = self.value()
        return _comparable(value, other) and _COMPARE[word](value, other)

    def name(self, token: str) -> str:
        return token.removeprefix("#")

    def value(self) -> Any:
        token = self.take()
        found = self.values[token[1:]] if token.startswith(":") else self.item.get(self.name(token))
        while self.next_is("+", "-"):
            sign = self.take()
            more = self.value()
            found = found + more if sign == "+" else found - more
        return found

    def changed(self) -> StateItem:
        changed = dict(self.item)
        clause = ""
        while self.left:
            if self.next_is("SET", "ADD", "REMOVE"):
                clause = self.take()
            name = self.name(self.take())
            if clause == "SET":
                self.take("=")
                changed[name] = self.value()
            elif clause == "ADD":
                changed[name] = changed.get(name, 0) + self.value()
            else:
                changed.pop(name, None)
            if self.next_is(","):
                self.take()
        return changed


def _comparable(one: Any, other: Any) -> bool:
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (one, other))
    return one is not None and other is not None and (numbers or type(one) is type(other))


class QuickTable(StateTable):
    """A state table that needs no service."""

    def __init__(self) -> None:
        super().__init__(lambda: None, "quick")
        self._items: dict[str, dict[str, StateItem]] = {}

    def get(self, pk: str, sk: str) -> StateItem | None:
        item = self._items.get(pk, {}).get(sk)
        return None if item is None else dict(item)

    def put(self, item: Mapping[str, Any], condition: str = "", **values: Any) -> bool:
        pk, sk = str(item["pk"]), str(item["sk"])
        if condition and not _Expression(condition, self._items.get(pk, {}).get(sk, {}), values).either():
            return False
        kept = {name: value for name, value in {"form_version": FORM_VERSION, **item}.items() if value is not None}
        self._items.setdefault(pk, {})[sk] = kept
        return True

    def update(
        self, pk: str, sk: str, expression: str, condition: str = "", names: Sequence[str] = (), **values: Any
    ) -> StateItem | None:
        item = self._items.get(pk, {}).get(sk, {})
        if condition and not _Expression(condition, item, values).either():
            return None
        changed = _Expression(expression, item, values).changed() | {"pk": pk, "sk": sk}
        self._items.setdefault(pk, {})[sk] = changed
        return dict(changed)

    def query(self, pk: str) -> Iterator[StateItem]:
        items = self._items.get(pk, {})
        yield from [dict(items[sk]) for sk in sorted(items)]

    def write_all(self, *writes: Mapping[str, Any]) -> bool:
        bodies = [(kind, body) for write in writes for kind, body in write.items()]
        if not all(self._holds(body) for _, body in bodies):
            return False
        for kind, body in bodies:
            if kind == "Put":
                self.put(decode(body["Item"]))
            elif kind == "Update":
                key = decode(body["Key"])
                self.update(key["pk"], key["sk"], body["UpdateExpression"], **_values(body))
        return True

    def _holds(self, body: Mapping[str, Any]) -> bool:
        key = decode({name: (body.get("Item") or body.get("Key") or {})[name] for name in ("pk", "sk")})
        item = self._items.get(key["pk"], {}).get(key["sk"], {})
        condition = body.get("ConditionExpression")
        return not condition or _Expression(condition, item, _values(body)).either()


def _values(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name[1:]: value for name, value in decode(body.get("ExpressionAttributeValues", {})).items()}
