"""The state table in DynamoDB, and one in memory that answers the same way.

The table has the string keys ``pk`` and ``sk``; ``expires_at`` is its time-to-live attribute.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chalicelib.aws.reader import LookupFailed, named_failures

Item = Mapping[str, Any]


class VersionConflict(Exception):  # noqa: N818 - the other writer's luck is no error
    """Somebody else wrote the item since it was read."""


class DynamoTable:
    """A DynamoDB table; ``client`` makes its client when first needed."""

    def __init__(self, name: str, client: Callable[[], Any]) -> None:
        self._name = name
        self._client = client

    def get(self, pk: str, sk: str) -> Item | None:
        """The item, read consistently: what was written last is what comes."""
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        with named_failures("dynamodb:GetItem"):
            answer = self._client().get_item(TableName=self._name, Key=key, ConsistentRead=True)
        return _decoded(answer["Item"]) if "Item" in answer else None

    def put(self, item: Item, seen: int) -> None:
        """Write the item where nobody else has since it was read."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if seen:
            condition = {
                "ConditionExpression": "revision = :seen",
                "ExpressionAttributeValues": {":seen": {"N": str(seen)}},
            }
        try:
            with named_failures("dynamodb:PutItem"):
                self._client().put_item(TableName=self._name, Item=_encoded(item), **condition)
        except LookupFailed as error:
            if error.code == "ConditionalCheckFailedException":
                raise VersionConflict(f"{item['sk']} was written by somebody else") from error
            raise

    def query(self, pk: str) -> Iterator[Item]:
        """Every item of a partition."""
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ConsistentRead": True,
        }
        while True:
            with named_failures("dynamodb:Query"):
                page = self._client().query(**request)
            yield from map(_decoded, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _encoded(item: Item) -> dict[str, Any]:
    return {name: _encoded_value(value) for name, value in item.items()}


def _encoded_value(value: object) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"B": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": str(value)}


def _decoded(item: Mapping[str, Any]) -> Item:
    return {name: _decoded_value(value) for name, value in item.items()}


def _decoded_value(value: Mapping[str, Any]) -> Any:
    if "N" in value:
        return int(value["N"])
    return bytes(value["B"]) if "B" in value else value["S"]


class MemoryTable:
    """The same in memory: for tests, and for what needs no table to outlive it."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], Item] = {}
        self._lock = threading.Lock()

    def get(self, pk: str, sk: str) -> Item | None:
        """The item."""
        return self._items.get((pk, sk))

    def put(self, item: Item, seen: int) -> None:
        """Write the item where nobody else has since it was read."""
        with self._lock:
            key = (item["pk"], item["sk"])
            present = self._items.get(key)
            if (present["revision"] if present else 0) != seen:
                raise VersionConflict(f"{item['sk']} was written by somebody else")
            self._items[key] = dict(item)

    def query(self, pk: str) -> Iterator[Item]:
        """Every item of a partition."""
        yield from (self._items[key] for key in sorted(self._items) if key[0] == pk)
