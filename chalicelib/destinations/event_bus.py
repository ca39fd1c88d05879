"""An EventBridge bus: the alert as an event, for rules of one's own.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from chalicelib.alert.model import Alert, to_json
from chalicelib.destinations.aws_errors import error_from, refused_entry
from chalicelib.destinations.contract import Receipt, Tools
from chalicelib.destinations.http_door import encode_json
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.lines import value
from chalicelib.rendering.shrink import shrink

SOURCE = "sgwatch"
DETAIL_TYPE = "sgwatch alert"
# An entry's limit, with its other fields: an event rule's target may take no more than this.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
MAX_BYTES = 262_144
_RESERVED = 4_096


class EventBridgeClient(Protocol):
    """The one call that is needed of an EventBridge client."""

    def put_events(self, **kwargs: Any) -> Any:
        """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html."""


def payload(alert: Alert) -> dict[str, Any]:
    """The entry without its bus; ``detail.severity`` and the like are what rules match on."""
    group = alert.security_group
    entry: dict[str, Any] = {
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": encode_json(to_json(shrink(alert, MAX_BYTES - _RESERVED, "an EventBridge event"))).decode(),
        "Resources": [value(group.id)] if group and group.id else [],
    }
    # Years before 1970 are refused.
    return {**entry, "Time": alert.occurred_at} if alert.occurred_at and alert.occurred_at.year >= 1970 else entry


class EventBridgeBus(NamedTuple):
    """Puts alerts on a bus; ``client`` is called for the EventBridge client when there is something to send."""

    name: str
    bus_arn: str
    client: Callable[[], EventBridgeClient]

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert; the receipt's reference is the event's id.

        Raises:
            DeliveryError: it was not delivered.
        """
        entry = {"EventBusName": self.bus_arn, **payload(alert)}
        try:
            answer = self.client().put_events(Entries=[entry])
        except Exception as error:  # noqa: BLE001 - boto3 raises what it likes where no answer comes
            failure = error_from(error, "EventBridge")
        else:
            (result,) = answer["Entries"]
            if not answer.get("FailedEntryCount"):
                return Receipt(result.get("EventId"))
            failure = refused_entry(str(result.get("ErrorCode")), "EventBridge")
        raise failure


def build(name: str, values: Mapping[str, str], tools: Tools) -> EventBridgeBus:
    """The destination of these settings."""
    bus = values["ARN"]
    return EventBridgeBus(name, bus, lambda: tools.client("events", bus.split(":")[3]))
