"""infra/durable.yaml, read and resolved for one stage: what each resource should be.

The template is the one source: CloudFormation deploys it, ``setup`` holds what is there against it,
and ``chalice package`` gets the same resources with what Chalice has no setting for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chalicelib.destinations.http import encode_json

TEMPLATE = Path(__file__).parents[1] / "infra" / "durable.yaml"
# Chalice's names of the functions' resources in its SAM template.
ALERT_RESOURCE, DELIVER_RESOURCE, DELIVER_SOURCE = "AlertOnChange", "Deliver", "DeliverSqsEventSource"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage's resources are."""

    stage: str
    partition: str
    region: str
    account: str
    topic: str = ""

    @property
    def stack(self) -> str:
        """The stack's name."""
        return f"sgwatch-{self.stage}-durable"

    @property
    def queue(self) -> str:
        """The value of DELIVERY_QUEUE."""
        return f"sgwatch-{self.stage}-deliveries.fifo"

    @property
    def dead_letters(self) -> str:
        """The dead-letter queue's name."""
        return f"sgwatch-{self.stage}-undelivered.fifo"

    @property
    def failed_events(self) -> str:
        """The name of the queue of events that the alert function failed on."""
        return f"sgwatch-{self.stage}-failed-events"

    @property
    def table(self) -> str:
        """The value of STATE_TABLE."""
        return f"sgwatch-{self.stage}-state"

    def function(self, handler: str) -> str:
        """The name that Chalice gives a function."""
        return f"sgwatch-{self.stage}-{handler}"

    def queue_arn(self, name: str) -> str:
        """The ARN of a queue."""
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{name}"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads CloudFormation's short forms (``!Ref x``) as ``{"Ref": "x"}``."""


def _short_form(loader: Any, name: str, node: Any) -> dict[str, Any]:
    key = name if name in ("Ref", "Condition") else f"Fn::{name}"
    if isinstance(node, yaml.SequenceNode):
        return {key: loader.construct_sequence(node, deep=True)}
    return {key: loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _short_form)


def template() -> dict[str, Any]:
    """The template, short forms written out."""
    document: dict[str, Any] = yaml.load(TEMPLATE.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - it is a SafeLoader
    return document


def resources(place: Place) -> dict[str, tuple[str, dict[str, Any]]]:
    """Each resource's type and its properties as they should be at this place."""
    document = template()
    return {
        name: (item["Type"], _resolve(item["Properties"], place, document["Resources"]))
        for name, item in document["Resources"].items()
    }


def package_template(stage: str = "prod") -> bytes:
    """What ``chalice package --merge-template`` is given: the same resources, and the functions' wiring to them."""
    document = template()
    document["Parameters"]["Stage"]["Default"] = stage
    document["Resources"][ALERT_RESOURCE] = {
        "Properties": {
            "EventInvokeConfig": {
                "MaximumRetryAttempts": 2,
                "DestinationConfig": {
                    "OnFailure": {"Type": "SQS", "Destination": {"Fn::GetAtt": ["FailedEvents", "Arn"]}}
                },
            }
        }
    }
    document["Resources"][DELIVER_RESOURCE] = {
        "Properties": {
            "Events": {DELIVER_SOURCE: {"Properties": {"FunctionResponseTypes": ["ReportBatchItemFailures"]}}}
        }
    }
    errors = document["Resources"]["DeliverErrorsAlarm"]["Properties"]
    # SAM names the functions of a package itself.
    errors["Dimensions"] = [{"Name": "FunctionName", "Value": {"Ref": DELIVER_RESOURCE}}]
    return encode_json(document)


def _resolve(node: Any, place: Place, siblings: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_resolve(item, place, siblings) for item in node]
    if not isinstance(node, dict):
        return node
    match node:
        case {"Ref": "AlarmTopicArn"}:
            return place.topic
        case {"Ref": str(name)}:
            return _name_of(siblings[name], place)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{Stage\}", place.stage, text)
        case {"Fn::GetAtt": str(path)}:
            name, _, attribute = path.partition(".")
            found = _name_of(siblings[name], place)
            return place.queue_arn(found) if attribute == "Arn" else found
        case {"Fn::If": [_, then, _]}:
            return [_resolve(item, place, siblings) for item in then] if place.topic else []
    return {key: _resolve(value, place, siblings) for key, value in node.items()}


def _name_of(resource: Mapping[str, Any], place: Place) -> str:
    properties = resource["Properties"]
    named = next(properties[key] for key in ("QueueName", "TableName", "AlarmName") if key in properties)
    return str(_resolve(named, place, {}))


if __name__ == "__main__":
    sys.stdout.buffer.write(package_template(sys.argv[1]))
