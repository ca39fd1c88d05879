"""The way back from calls on the alarm path that invert without any state: what was stopped is started again.

Of the others (a filter, an alarm or a policy that was overwritten or deleted) the settings before are in no record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from chalicelib.cloudtrail.records import text
from chalicelib.security_groups.wire_shapes import field, items
from chalicelib.undo.commands import REGION, Undo, command

Request = Mapping[str, Any]


class _Inverse(NamedTuple):
    """The calls that take one back; ``names`` maps the request's parameters to those of the calls."""

    service: str
    calls: tuple[str, ...]
    names: Mapping[str, str]
    reason: str | None = None
    applies: Callable[[Request], bool] = lambda _request: True
    constants: Mapping[str, Any] = {}


def _is_switched_off(request: Request) -> bool:
    # A mapping that was changed in more than this has settings that the record does not hold.
    changed = {str(key) for key, value in request.items() if value is not None} - {"uUID", "functionName"}
    return changed == {"enabled"} and field(request, "enabled") is False


_KEY_ENABLED = (
    "The key is enabled, too, which it was before the deletion was scheduled unless somebody had disabled it."
)
_INVERSES: dict[str, _Inverse] = {
    "StopLogging": _Inverse("cloudtrail", ("start-logging",), {"name": "Name"}),
    "DisableAlarmActions": _Inverse("cloudwatch", ("enable-alarm-actions",), {"alarmNames": "AlarmNames"}),
    "DisableRule": _Inverse("events", ("enable-rule",), {"name": "Name", "eventBusName": "EventBusName"}),
    "DisableKey": _Inverse("kms", ("enable-key",), {"keyId": "KeyId"}),
    "ScheduleKeyDeletion": _Inverse("kms", ("cancel-key-deletion", "enable-key"), {"keyId": "KeyId"}, _KEY_ENABLED),
    "AddPermission": _Inverse("sns", ("remove-permission",), {"topicArn": "TopicArn", "label": "Label"}),
    "UpdateEventSourceMapping20150331": _Inverse(
        "lambda",
        ("update-event-source-mapping",),
        {"uUID": "UUID"},
        applies=_is_switched_off,
        constants={"Enabled": True},
    ),
}
# EventBridge's default bus is meant where none is named.
_MAY_BE_MISSING = frozenset({"eventBusName"})


def undo_tampering(event_name: str, request: Request, region: str | None) -> Undo:
    """The commands that take the call back; none with the reason where its record does not hold what was before."""
    inverse = _INVERSES.get(event_name)
    if inverse is None or not inverse.applies(request):
        return Undo(None, "the settings before are not in the record")
    if region is None or not REGION.fullmatch(region):
        return Undo(None, "the record does not name the region")
    parameters = {new: _value(request, name) for name, new in inverse.names.items()}
    missing = [name for name, new in inverse.names.items() if not parameters[new] and name not in _MAY_BE_MISSING]
    if missing:
        return Undo(None, f"the record does not hold {', '.join(missing)}")
    named = {name: value for name, value in parameters.items() if value}
    commands = (command(call, {**named, **inverse.constants}, region, inverse.service) for call in inverse.calls)
    return Undo(tuple(commands), inverse.reason)


def _value(request: Request, name: str) -> str | Sequence[str] | None:
    value = field(request, name)
    if name == "alarmNames":
        return [found for item in items(value) if (found := text(item))]
    return text(value)
