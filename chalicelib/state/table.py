"""The state table: items under a string ``pk`` and ``sk``, written under conditions.

DynamoDB takes the item away some time after ``expires_at``; until then it is still read, so whoever
reads compares times itself. What is throttled is tried again here, for a few seconds at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.aws.retries import AwsCalls, CallFailed

Value = str | int | float | bool | bytes
Item = dict[str, Value]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_RETRIED = frozenset(
    {
        "InternalServerError",
        "ItemCollectionSizeLimitExceededException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


class StateError(Exception):
    """The table could not be read or written; the text says what and why, and holds no value."""


class StateTable(AwsCalls):
    """One table, by its name."""

    attempts = 8
    first_wait = 0.05
    # An alert function that cannot ask the table still has to send.
    longest = 8.0

    def get(self, pk: str, sk: str) -> Item | None:
        """The item, read consistently.

        Raises:
            StateError: it could not be read.
        """
        answer = self._call("get_item", Key=_key(pk, sk), ConsistentRead=True)
        return decode(answer["Item"]) if answer and "Item" in answer else None

    def put(self, item: Mapping[str, Value | None], condition: str = "", **values: Value) -> bool:
        """Write the item; False where the condition does not hold.

        Raises:
            StateError: it could not be written.
        """
        return self._call("put_item", Item=encode(item), **_condition(condition, values)) is not None

    def update(
        self, pk: str, sk: str, expression: str, condition: str = "", names: Sequence[str] = (), **values: Value
    ) -> Item | None:
        """Change the item and give it as it is then; None where the condition does not hold.

        ``names`` are attributes that DynamoDB reserves; they are written ``#name`` in expressions,
        and the values ``:name``.

        Raises:
            StateError: it could not be written.
        """
        arguments = _condition(condition, values)
        if names:
            arguments["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
        answer = self._call(
            "update_item", Key=_key(pk, sk), UpdateExpression=expression, ReturnValues="ALL_NEW", **arguments
        )
        return None if answer is None else decode(answer["Attributes"])

    def query(self, pk: str) -> Iterator[Item]:
        """The items under a ``pk`` in the order of their ``sk``, read consistently.

        Raises:
            StateError: they could not be read.
        """
        arguments: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": encode({":pk": pk}),
            "ConsistentRead": True,
        }
        while True:
            answer = self._call("query", **arguments) or {}
            yield from (decode(item) for item in answer.get("Items", ()))
            if "LastEvaluatedKey" not in answer:
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def write_all(self, *writes: Mapping[str, Any]) -> bool:
        """All of these writes (see ``put_write`` and those after it) or none; False where a condition does not hold.

        Raises:
            StateError: they could not be made.
        """
        items = [{kind: {"TableName": self.name, **body} for kind, body in write.items()} for write in writes]
        return self._call("transact_write_items", with_table=False, TransactItems=items) is not None

    def _call(self, operation: str, with_table: bool = True, **arguments: Any) -> Mapping[str, Any] | None:
        """The answer, None where a condition does not hold."""
        table = {"TableName": self.name} if with_table else {}
        try:
            return self._again(operation, **table, **arguments)
        except CallFailed as failure:
            if _is_refusal(failure):
                return None
            # Raised without the failure behind it, whose text may hold what was to be written.
            error = StateError(f"{failure.operation} on the state table {self.name}: {failure.reason}")
        raise error

    def _may_go_better(self, failure: CallFailed) -> bool:
        # No code: the connection failed, or no answer came. Writes are conditional or idempotent.
        conflict = failure.code == "TransactionCanceledException" and bool(_cancellations(failure))
        return not _is_refusal(failure) and (not failure.code or failure.code in _RETRIED or conflict)


def put_write(item: Mapping[str, Value | None], condition: str = "", **values: Value) -> dict[str, Any]:
    """A put for ``StateTable.write_all``."""
    return {"Put": {"Item": encode(item), **_condition(condition, values)}}


def one_more_write(pk: str, sk: str, name: str, condition: str) -> dict[str, Any]:
    """One more of what an item counts, for ``StateTable.write_all``."""
    return {
        "Update": {"Key": _key(pk, sk), "UpdateExpression": f"ADD {name} :one", **_condition(condition, {"one": 1})}
    }


def check(pk: str, sk: str, condition: str, **values: Value) -> dict[str, Any]:
    """A condition on an item that ``StateTable.write_all`` does not write."""
    return {"ConditionCheck": {"Key": _key(pk, sk), **_condition(condition, values)}}


def encode(item: Mapping[str, Value | None]) -> dict[str, Any]:
    """DynamoDB's form of an item; what is None is left out."""
    return {name: _encode_value(value) for name, value in item.items() if value is not None}


def decode(item: Mapping[str, Any]) -> Item:
    """An item from DynamoDB's form; of the types only those that ``encode`` makes."""
    return {name: _decode_value(value) for name, value in item.items()}


def _encode_value(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case float():
            # DynamoDB keeps 38 digits and refuses more.
            return {"N": format(value, ".6f")}
        case bytes():
            return {"B": value}
    return {"S": value}


def _decode_value(value: Mapping[str, Any]) -> Value:
    ((kind, content),) = value.items()
    if kind == "N":
        return float(content) if "." in content else int(content)
    if kind == "B":
        return bytes(content)
    known: Value = content
    return known


def _key(pk: str, sk: str) -> dict[str, Any]:
    return encode({"pk": pk, "sk": sk})


def _condition(condition: str, values: Mapping[str, Value]) -> dict[str, Any]:
    arguments: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
    if values:
        arguments["ExpressionAttributeValues"] = encode({f":{name}": value for name, value in values.items()})
    return arguments


def _is_refusal(failure: CallFailed) -> bool:
    if failure.code != "TransactionCanceledException":
        return failure.code == "ConditionalCheckFailedException"
    return "ConditionalCheckFailed" in _cancellations(failure)


def _cancellations(failure: CallFailed) -> list[str]:
    reasons = failure.response.get("CancellationReasons") or []
    found = [str(reason.get("Code")) for reason in reasons if reason.get("Code") not in (None, "None")]
    return found or [name for name in ("ConditionalCheckFailed", "TransactionConflict") if name in failure.said]
