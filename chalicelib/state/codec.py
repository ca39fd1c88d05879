"""Items of the state table in DynamoDB's form and back, by boto3's own serializer.

What comes back may have been written by anybody with PutItem: values of types that are never written
here come as boto3 reads them, and whoever uses an item checks what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

StateValue = str | int | float | bool | bytes
StateItem = dict[str, Any]


@cache
def _types() -> tuple[Any, Any, Any]:
    from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer  # noqa: PLC0415 - 200 ms of a cold start

    return TypeSerializer(), TypeDeserializer(), Binary


def encode(item: Mapping[str, StateValue | None]) -> dict[str, Any]:
    """DynamoDB's form of an item; what is None is left out."""
    serializer, _, _ = _types()
    return {name: serializer.serialize(_exact(value)) for name, value in item.items() if value is not None}


def decode(item: Mapping[str, Any]) -> StateItem:
    """An item from DynamoDB's form: numbers as int or float, binaries as bytes."""
    _, deserializer, _ = _types()
    return {name: _plain(deserializer.deserialize(value)) for name, value in item.items()}


def _exact(value: StateValue) -> StateValue | Decimal:
    # DynamoDB keeps 38 digits and refuses more; boto3 refuses floats.
    return Decimal(format(value, ".6f")) if isinstance(value, float) else value


def _plain(value: Any) -> Any:
    _, _, binary = _types()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return bytes(value.value) if isinstance(value, binary) else value
