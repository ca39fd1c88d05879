"""EventBridge: matches events against the rules that exist in the endpoint and feeds their targets.

CloudTrail's records come in as events of the service that was called. AWS delivers those best effort
and sometimes twice; a test can ask for both.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.events.models import events_backends
from moto.events.utils import EventTemplateParser
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from localcloud import event_patterns, trails
from localcloud.aws_error import AwsError
from localcloud.callers import PARTITION
from localcloud.other_accounts import lets_in
from localcloud.permissions import role_may

if TYPE_CHECKING:
    import threading

    from localcloud.calls import ApiRequest
    from localcloud.functions.deliveries import Deliveries

CLOUDTRAIL_DETAIL_TYPE = "AWS API Call via CloudTrail"
ALL_CALLS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


def event_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The EventBridge event that carries a CloudTrail record."""
    source = str(record["eventSource"]).removesuffix(".amazonaws.com")
    return envelope(
        f"aws.{source}",
        CLOUDTRAIL_DETAIL_TYPE,
        record,
        account_id=str(record["recipientAccountId"]),
        region=str(record["awsRegion"]),
        at=str(record["eventTime"]),
    )


def envelope(
    source: str, detail_type: str, detail: Any, *, account_id: str, region: str, at: str = "", resources: Any = ()
) -> dict[str, Any]:
    """An event in EventBridge's envelope."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account_id,
        "time": at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": list(resources),
        "detail": detail,
    }


@dataclass(slots=True)
class EventBus:
    """The event buses of every account and region.

    ``duplicates``: how many extra times each event is delivered. ``delay_seconds``: how late. After
    :meth:`hold` nothing is delivered until :meth:`release`, which may turn the order around.
    """

    deliveries: Deliveries
    lock: threading.RLock
    duplicates: int = 0
    delay_seconds: float = 0.0
    drop: Callable[[Mapping[str, Any]], bool] | None = None
    _held: list[tuple[dict[str, Any], str]] | None = None

    def publish(self, event: dict[str, Any], bus_name: str = "default") -> None:
        """Deliver an event to the targets of the rules that match it."""
        if self._held is not None:
            self._held.append((event, bus_name))
            return
        if self.drop is not None and self.drop(event):
            return
        for _ in range(1 + self.duplicates):
            if self.delay_seconds:
                self.deliveries.start(lambda: self._later(event, bus_name))
            else:
                self._deliver(event, bus_name)

    def _later(self, event: dict[str, Any], bus_name: str) -> None:
        time.sleep(self.delay_seconds)
        self._deliver(event, bus_name)

    def hold(self) -> None:
        """Keep events back until they are released."""
        self._held = []

    def release(self, *, reverse: bool = False) -> int:
        """Deliver what was kept back, in its order or turned around; returns how many."""
        held, self._held = self._held or [], None
        for event, bus_name in reversed(held) if reverse else held:
            self.publish(event, bus_name)
        return len(held)

    def _deliver(self, event: dict[str, Any], bus_name: str) -> None:
        self._deliver_to(event["account"], event["region"], bus_name, event, forwarded=False)

    def _deliver_to(
        self, account_id: str, region: str, bus_name: str, event: dict[str, Any], *, forwarded: bool
    ) -> None:
        with self.lock:
            bus = events_backends[account_id][region].event_buses.get(bus_name)
            rules = list(bus.rules.values()) if bus else []
            targets = [(rule, target) for rule in rules if _matches(rule, event) for target in list(rule.targets)]
        for rule, target in targets:
            if ":event-bus/" not in target["Arn"]:
                self.feed(rule, target, event)
            elif not forwarded:  # from a bus that it was forwarded to, an event goes to no third one
                self._forward(account_id, rule, target, event)

    def _forward(self, account_id: str, rule: Any, target: Mapping[str, Any], event: dict[str, Any]) -> None:
        """To another bus where the target's role may put events there and the bus lets it, else a dead letter."""
        _, _, _, to_region, to_account, resource = target["Arn"].split(":", maxsplit=5)
        name = resource.removeprefix("event-bus/")
        with self.lock:
            allowed = _may_put(account_id, target, events_backends[to_account][to_region].event_buses.get(name))
            if not allowed:
                self._bury(rule, target, event)
        if allowed:
            self._deliver_to(to_account, to_region, name, event, forwarded=True)

    def _bury(self, rule: Any, target: Mapping[str, Any], event: dict[str, Any]) -> None:
        queue = target.get("DeadLetterConfig", {}).get("Arn")
        if queue:
            _, _, _, region, account_id, name = queue.split(":", maxsplit=5)
            _send_to_queue(account_id, region, name, json.dumps(event), {"RuleArn": rule.arn})

    def feed(self, rule: Any, target: Mapping[str, Any], event: dict[str, Any]) -> None:
        """Hand an event to one target, as the target's input says."""
        arn, payload = target["Arn"], json.dumps(_input(target, event))
        _, _, service, region, account_id, name = arn.split(":", maxsplit=5)
        if service == "lambda":
            function = self.deliveries.pool.find(arn)
            if function is not None and may_invoke(function, "events.amazonaws.com", rule.arn):
                self.deliveries.send(function, payload.encode())
            return
        with self.lock:
            if service == "sns":
                _send_to_topic(arn, payload)
            elif service == "sqs":
                _send_to_queue(account_id, region, name, payload, target)
            elif service == "logs":
                group = name.removeprefix("log-group:").removesuffix(":*")
                trails.write_log(account_id, region, group, str(uuid.uuid4()), payload)

    def put_events(self, call: ApiRequest, account_id: str) -> Mapping[str, Any]:
        """The PutEvents call."""
        return {
            "FailedEntryCount": 0,
            "Entries": [self._put(call, account_id, item) for item in call.params["Entries"]],
        }

    def _put(self, call: ApiRequest, account_id: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        source = str(entry.get("Source", ""))
        if source.startswith("aws."):  # only AWS may send events in its own name
            return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}
        try:
            detail = json.loads(entry.get("Detail") or "{}")
        except ValueError:
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        bus_name = str(entry.get("EventBusName") or "default").rsplit("/", maxsplit=1)[-1]
        event = envelope(source, str(entry.get("DetailType")), detail, account_id=account_id, region=call.region)
        self.publish(event | {"resources": entry.get("Resources", [])}, bus_name)
        return {"EventId": event["id"]}

    def try_pattern(self, call: ApiRequest, _account_id: str) -> Mapping[str, Any]:
        """The TestEventPattern call, which moto answers with nothing."""
        try:
            pattern, event = json.loads(call.params["EventPattern"]), json.loads(call.params["Event"])
        except ValueError as error:
            raise AwsError("InvalidEventPatternException", "Event pattern is not valid.") from error
        return {"Result": event_patterns.matches(pattern, event)}


def _matches(rule: Any, event: Mapping[str, Any]) -> bool:
    """Whether a rule takes an event. Read-only calls reach only the rules that ask for them.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
    """
    if not rule.event_pattern.get_pattern() or rule.state not in ("ENABLED", ALL_CALLS):
        return False
    detail = event.get("detail")
    if event.get("detail-type") == CLOUDTRAIL_DETAIL_TYPE and isinstance(detail, Mapping):
        reads = detail.get("readOnly") is True
        if reads and rule.state != ALL_CALLS:
            return False
    return event_patterns.matches(rule.event_pattern.get_pattern(), event)


def _may_put(account_id: str, target: Mapping[str, Any], bus: Any) -> bool:
    """Whether a target's events get onto a bus: its role's policies allow it, and the bus of another account does.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
    """
    if bus is None:
        return False
    role = target.get("RoleArn")
    if role and not role_may(str(role), "events:PutEvents", bus.arn):
        return False
    if bus.account_id == account_id:
        return True
    principal = role or f"arn:{PARTITION}:iam::{account_id}:root"
    return lets_in(json.loads(bus.policy or "{}"), "events:PutEvents", str(principal), {})


def may_invoke(function: Any, principal: str, source_arn: str) -> bool:
    """Whether the function's resource policy lets a service invoke it."""
    for statement in function.policy.statements:
        if statement.get("Effect") != "Allow" or statement.get("Principal", {}).get("Service") != principal:
            continue
        condition = statement.get("Condition", {})
        wanted = condition.get("ArnLike", {}).get("AWS:SourceArn")
        if wanted is None or wanted == source_arn or source_arn.startswith(wanted.rstrip("*")):
            return True
    return False


def _send_to_topic(arn: str, payload: str) -> None:
    account_id, region = arn.split(":")[4], arn.split(":")[3]
    backend = sns_backends[account_id][region]
    if arn in backend.topics:
        backend.publish(message=payload, arn=arn)


def _send_to_queue(account_id: str, region: str, name: str, payload: str, target: Mapping[str, Any]) -> None:
    backend = sqs_backends[account_id][region]
    if name in backend.queues:
        group_id = target.get("SqsParameters", {}).get("MessageGroupId")
        backend.send_message(queue_name=name, message_body=payload, group_id=group_id)


def _input(target: Mapping[str, Any], event: dict[str, Any]) -> Any:
    if "Input" in target:
        return json.loads(target["Input"])
    if transformer := target.get("InputTransformer"):
        dated = {**event, "ingestion-time": datetime.now(UTC).isoformat()}
        paths = transformer.get("InputPathsMap", {})
        return EventTemplateParser.parse(transformer["InputTemplate"], paths, dated)
    value: Any = event
    for part in target.get("InputPath", "$").removeprefix("$").split("."):
        value = value.get(part) if part and isinstance(value, Mapping) else value
    return value
