"""The state table: items under a string ``pk`` and ``sk``, written under conditions.

DynamoDB takes the item away some time after ``expires_at``; until then it is still read, so code that
reads compares times itself. What is throttled is tried again here, for a few seconds at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.aws.retries import AwsCalls, CallFailed
from chalicelib.state.codec import FORM_VERSION, StateItem, StateValue, decode, encode, is_readable
from chalicelib.state.errors import StateError, VersionConflict

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


class StateTable(AwsCalls):
    """One table, by its name."""

    attempts = 8
    base_delay = 0.05
    # An alert function that cannot ask the table still has to send.
    max_seconds = 8.0

    def get(self, pk: str, sk: str) -> StateItem | None:
        """The item, read consistently.

        Raises:
            StateError: it could not be read, or is of a form that this version cannot read.
        """
        answer = self._call("get_item", Key=_key(pk, sk), ConsistentRead=True)
        if not answer or "Item" not in answer:
            return None
        item = decode(answer["Item"])
        if not is_readable(item):
            raise StateError(f"an item of the state table {self.name} has a form that this version cannot read")
        return item

    def put(self, item: Mapping[str, StateValue | None], condition: str = "", **values: StateValue) -> bool:
        """Write the item; False where the condition does not hold.

        Raises:
            StateError: it could not be written.
        """
        return self._call("put_item", Item=_stamped(item), **_condition(condition, values)) is not None

    def put_revision(self, item: Mapping[str, StateValue | None], seen: int) -> None:
        """Write the item where its ``revision`` in the table is still ``seen``; 0 means that there is none.

        Raises:
            VersionConflict: it is another one by now.
            StateError: it could not be written.
        """
        written = self.put(item, "revision = :seen", seen=seen) if seen else self.put(item, "attribute_not_exists(pk)")
        if not written:
            raise VersionConflict(f"{item['sk']!s} was written by somebody else")

    def update(
        self, pk: str, sk: str, expression: str, condition: str = "", names: Sequence[str] = (), **values: StateValue
    ) -> StateItem | None:
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

    def query(self, pk: str) -> Iterator[StateItem]:
        """The items under a ``pk`` in the order of their ``sk``, read consistently, of whatever form (``is_readable``).

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
            return self._with_retries(operation, **table, **arguments)
        except CallFailed as failure:
            if _is_refusal(failure):
                return None
            # Raised without the failure behind it, whose text may hold what was to be written.
            action = f"dynamodb:{operation.title().replace('_', '')}"
            error = StateError(f"{failure.reason} on {action} of the state table {self.name}", failure.name)
        raise error

    def _is_retryable(self, failure: CallFailed) -> bool:
        # No code: the connection failed, or no answer came. Writes are conditional or idempotent.
        conflict = failure.code == "TransactionCanceledException" and bool(_cancellations(failure))
        return not _is_refusal(failure) and (failure.is_unanswered or failure.code in _RETRIED or conflict)


def put_write(item: Mapping[str, StateValue | None], condition: str = "", **values: StateValue) -> dict[str, Any]:
    """A put for ``StateTable.write_all``."""
    return {"Put": {"Item": _stamped(item), **_condition(condition, values)}}


def update_write(pk: str, sk: str, expression: str, condition: str = "", **values: StateValue) -> dict[str, Any]:
    """A change of an item for ``StateTable.write_all``."""
    return {"Update": {"Key": _key(pk, sk), "UpdateExpression": expression, **_condition(condition, values)}}


def one_more_write(pk: str, sk: str, name: str, condition: str) -> dict[str, Any]:
    """One more of what an item counts, for ``StateTable.write_all``."""
    return update_write(pk, sk, f"ADD {name} :one", condition, one=1)


def check(pk: str, sk: str, condition: str, **values: StateValue) -> dict[str, Any]:
    """A condition on an item that ``StateTable.write_all`` does not write."""
    return {"ConditionCheck": {"Key": _key(pk, sk), **_condition(condition, values)}}


def _stamped(item: Mapping[str, StateValue | None]) -> dict[str, Any]:
    return encode({"form_version": FORM_VERSION, **item})


def _key(pk: str, sk: str) -> dict[str, Any]:
    return encode({"pk": pk, "sk": sk})


def _condition(condition: str, values: Mapping[str, StateValue]) -> dict[str, Any]:
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
