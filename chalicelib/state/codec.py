"""Items of the state table in DynamoDB's form and back, by boto3's own serializer.

What comes back may have been written by anybody with PutItem: values of types that are never written
here come as boto3 reads them, and code that uses an item checks what it needs.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

StateValue = str | int | float | bool | bytes
StateItem = dict[str, Any]

# The form of the items that this version writes. Raise it when an item's form changes.
FORM_VERSION = 1

# An item has at most 400 KB, and zlib makes a thousand bytes of one. The largest that is written here is an
# alert or a snapshot of some 10 MB; the function has 256 MB.
MAX_INFLATED_BYTES = 32_000_000


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


def inflate(content: object) -> bytes:
    """What was compressed with zlib into an item.

    Raises:
        ValueError: it is not that, or larger than anything that is written here.
    """
    if not isinstance(content, bytes):
        raise ValueError("no compressed content")  # noqa: TRY004 - it is the item that is wrong, not the call
    reader = zlib.decompressobj()
    try:
        inflated = reader.decompress(content, MAX_INFLATED_BYTES)
    except zlib.error as error:
        raise ValueError("the compressed content is broken") from error
    if not reader.eof:
        raise ValueError("the compressed content is cut or too large")
    return inflated


def is_readable(item: Mapping[str, Any]) -> bool:
    """Whether the item is of this form, the one before or the one after; items of 0.1.0 do not say theirs."""
    version = item.get("form_version", 0)
    return isinstance(version, int) and abs(version - FORM_VERSION) <= 1


def number_in(item: Mapping[str, Any], name: str) -> float | None:
    """A number that an item holds; None where it holds none."""
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
