"""KMS calls whose key is named by its ARN: moto's own answers take a key's id alone, and fail on others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.kms.models import kms_backends

from localcloud.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiRequest

MONTH_DAYS = 30


def key_of(call: ApiRequest, account_id: str) -> Any:
    """moto's key that a call names by id, ARN, alias or alias ARN."""
    backend = kms_backends[account_id][call.region]
    named = str(call.params["KeyId"])
    key_id = backend.get_key_id(named)
    if ":alias/" in named or named.startswith("alias/"):
        key_id = backend.get_key_id_from_alias(backend.get_alias_name(named))
    if key_id not in backend.keys:
        raise AwsError("NotFoundException", f"Key '{named}' does not exist")
    return backend.keys[key_id]


def disable_key(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """DisableKey."""
    _set_state(key_of(call, account_id), "Disabled")
    return {}


def enable_key(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """EnableKey, refused while a key waits for its deletion."""
    key = key_of(call, account_id)
    if key.key_state == "PendingDeletion":
        raise AwsError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    _set_state(key, "Enabled")
    return {}


def schedule_key_deletion(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """ScheduleKeyDeletion, in 7 to 30 days."""
    key = key_of(call, account_id)
    days = int(call.params.get("PendingWindowInDays") or MONTH_DAYS)
    _set_state(key, "PendingDeletion")
    deleted_at = datetime.now(UTC) + timedelta(days=days)
    key.deletion_date = deleted_at.replace(tzinfo=None)  # moto takes it from a time without zone
    return {
        "KeyId": key.arn,
        "DeletionDate": deleted_at,
        "KeyState": key.key_state,
        "PendingWindowInDays": days,
    }


def cancel_key_deletion(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """CancelKeyDeletion, which leaves the key disabled."""
    key = key_of(call, account_id)
    _set_state(key, "Disabled")
    key.deletion_date = None
    return {"KeyId": key.arn}


def _set_state(key: Any, state: str) -> None:
    key.enabled, key.key_state = state == "Enabled", state


ANSWERS: dict[str, Callable[[ApiRequest, str], Mapping[str, Any]]] = {
    "DisableKey": disable_key,
    "EnableKey": enable_key,
    "ScheduleKeyDeletion": schedule_key_deletion,
    "CancelKeyDeletion": cancel_key_deletion,
}
