"""Resources that take time to settle, and refuse changes until then."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.awkward.awkwardness import Awkwardness
    from localcloud.calls import ApiRequest

CREATING, UPDATING, DELETING = "Creating", "Updating", "Deleting"
MAPPING_STATES = {
    "CreateEventSourceMapping": CREATING,
    "UpdateEventSourceMapping": UPDATING,
    "DeleteEventSourceMapping": DELETING,
}

CHANGES = frozenset({"DeleteQueue", "PurgeQueue", "UpdateTimeToLive"})


@dataclass(slots=True)
class Settling:
    """Remembers what was changed when, by what AWS calls the resource."""

    awkwardness: Awkwardness
    clock: Callable[[], float] = time.monotonic
    _queues_deleted: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _queues_purged: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _ttl_changed: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _mappings: dict[str, tuple[str, float]] = field(default_factory=dict)

    def refusal(self, call: ApiRequest, account_id: str) -> AwsError | None:
        """The error that refuses a call now."""
        place, kind = (account_id, call.region), self.awkwardness
        match call.operation:
            case "CreateQueue" if self._within(self._queues_deleted, (*place, _queue(call)), kind.deleted_queues):
                text = "You must wait 60 seconds after deleting a queue before you create another with the same name."
                return AwsError("AWS.SimpleQueueService.QueueDeletedRecently", text)
            case "PurgeQueue" if self._within(self._queues_purged, (*place, _queue(call)), kind.purged_queues):
                text = f"Only one PurgeQueue operation on {_queue(call)} is allowed every 60 seconds."
                return AwsError("AWS.SimpleQueueService.PurgeQueueInProgress", text)
            case "UpdateTimeToLive" if self._within(self._ttl_changed, (*place, _table(call)), kind.ttl_changes):
                text = "Time to live has been modified multiple times within a fixed interval"
                return AwsError("ValidationException", text)
            case "UpdateEventSourceMapping" | "DeleteEventSourceMapping" if self.state_of(str(call.params["UUID"])):
                text = "The event source mapping with UUID is being modified; cannot perform the operation."
                return AwsError("ResourceInUseException", text)
        return None

    def note(self, call: ApiRequest, account_id: str, result: Mapping[str, Any]) -> None:
        """Remember a call that was answered."""
        place, now = (account_id, call.region), self.clock()
        match call.operation:
            case "DeleteQueue":
                self._queues_deleted[*place, _queue(call)] = now
            case "PurgeQueue":
                self._queues_purged[*place, _queue(call)] = now
            case "UpdateTimeToLive":
                self._ttl_changed[*place, _table(call)] = now
            case "CreateEventSourceMapping" | "UpdateEventSourceMapping" | "DeleteEventSourceMapping":
                self._mappings[str(result.get("UUID"))] = (MAPPING_STATES[call.operation], now)

    def _within(self, changed: Mapping[tuple[str, str, str], float], key: tuple[str, str, str], seconds: float) -> bool:
        at = changed.get(key)
        return at is not None and self.clock() - at < self.awkwardness.wait(seconds)

    def state_of(self, uuid: str) -> str | None:
        """The state of an event source mapping that is not settled."""
        state, at = self._mappings.get(uuid, ("", 0.0))
        settling = bool(state) and self.clock() - at < self.awkwardness.wait(self.awkwardness.mapping_changes)
        return state if settling else None

    def shown(self, call: ApiRequest, result: Mapping[str, Any]) -> Mapping[str, Any]:
        """An answer of Lambda with the state of the mappings that are not settled."""
        if "EventSourceMappings" in result:
            listed = [self._mapping(item) for item in result["EventSourceMappings"]]
            return {**result, "EventSourceMappings": listed}
        return self._mapping(result) if call.operation.endswith("EventSourceMapping") else result

    def _mapping(self, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
        state = self.state_of(str(mapping.get("UUID")))
        return mapping if state is None else {**mapping, "State": state}


def _queue(call: ApiRequest) -> str:
    return str(call.params.get("QueueName") or call.params.get("QueueUrl", "")).rpartition("/")[2]


def _table(call: ApiRequest) -> str:
    return str(call.params.get("TableName", "")).rpartition("/")[2]
