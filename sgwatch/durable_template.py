"""infra/durable.yaml, read and resolved for one stage: what each resource should be.

The template is the one source: CloudFormation deploys it, ``setup`` holds what is there against it,
and ``chalice package`` gets the same resources with what Chalice has no setting for.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chalicelib.deployment import DELIVER, HANDLERS, RECONCILE, WITH_EVENTS
from chalicelib.destinations.http_door import encode_json
from sgwatch.project_files import StageError
from sgwatch.project_source import source
from sgwatch.stages import deployed_stage

TEMPLATE = source() / "infra" / "durable.yaml"
# Chalice's names of the functions' resources in its SAM template.
DELIVER_RESOURCE, DELIVER_SOURCE = "Deliver", "DeliverSqsEventSource"


@dataclass(frozen=True, slots=True)
class StagePlace:
    """Where a stage's resources are."""

    stage: str
    partition: str
    region: str
    account: str
    topic: str = ""
    path_alarms: tuple[str, ...] = ()

    @property
    def dashboard(self) -> str:
        """The dashboard's name."""
        return f"sgwatch-{self.stage}"

    @property
    def stack(self) -> str:
        """The stack's name."""
        return f"sgwatch-{self.stage}-durable"

    @property
    def forwarder(self) -> str:
        """The name of the stacks, one in each other region, that ``sgwatch fleet deploy`` makes."""
        return f"sgwatch-{self.stage}-forwarder"

    @property
    def fleet(self) -> str:
        """The name of the stack with the bus that other accounts send to."""
        return f"sgwatch-{self.stage}-fleet"

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
        """The name of the queue of events that a function failed on."""
        return f"sgwatch-{self.stage}-failed-events"

    @property
    def table(self) -> str:
        """The value of STATE_TABLE."""
        return f"sgwatch-{self.stage}-state"

    def function(self, handler: str) -> str:
        """The name that Chalice gives a function, and its role."""
        return f"sgwatch-{self.stage}-{handler}"

    def rule(self, handler: str) -> str:
        """The name that Chalice gives the EventBridge rule of a function."""
        return f"{self.function(handler)}-event"

    def queue_arn(self, name: str) -> str:
        """The ARN of a queue."""
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{name}"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads CloudFormation's short forms (``!Ref x``) as ``{"Ref": "x"}``."""


def _short_form(loader: Any, name: str, node: Any) -> dict[str, Any]:
    key = name if name in ("Ref", "Condition") else f"Fn::{name}"
    if isinstance(node, yaml.SequenceNode):
        return {key: loader.construct_sequence(node, deep=True)}
    if name == "GetAtt":  # written out, it takes a list alone
        return {key: loader.construct_scalar(node).split(".", 1)}
    return {key: loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _short_form)


def template() -> dict[str, Any]:
    """The template, short forms written out; the caller's own copy."""
    document: dict[str, Any] = json.loads(_template_as_json())
    return document


@functools.cache
def _template_as_json() -> str:
    return json.dumps(yaml.load(TEMPLATE.read_text(encoding="utf-8"), _Loader))  # noqa: S506 - it is a SafeLoader


def resources(place: StagePlace) -> dict[str, tuple[str, dict[str, Any]]]:
    """Each resource's type and its properties as they should be at this place."""
    document = template()
    return {
        name: (item["Type"], _resolve(item["Properties"], place, document["Resources"]))
        for name, item in document["Resources"].items()
    }


def package_template(stage: str = "prod", handlers: Sequence[str] = HANDLERS) -> bytes:
    """What ``chalice package --merge-template`` is given: the same resources, and the functions' wiring to them.

    ``handlers`` are those of the stage: one that is not in the package has no place here.
    """
    document = template()
    document["Parameters"]["Stage"]["Default"] = stage
    for handler in handlers:
        _merge(document["Resources"], _named(stage, handler))
        _merge(document["Resources"], {_resource_of(handler): {"Properties": _wiring(stage, handler)}})
    if DELIVER in handlers:
        # Chalice names the queue by its ARN, in which CloudFormation sees no dependency: the event source mapping,
        # which is made after its function, would be made before its queue.
        document["Resources"][DELIVER_RESOURCE]["DependsOn"].append("Deliveries")
    return encode_json(document)


def names_template(stage: str, handlers: Iterable[str]) -> bytes:
    """The same without durable resources: only the names of functions, rules, roles and log groups."""
    found: dict[str, Any] = {}
    for handler in handlers:
        found |= _named(stage, handler)
    return encode_json({"Resources": found})


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _named(stage: str, handler: str) -> dict[str, Any]:
    """A function and what is its own, by the names that ``chalice deploy`` gives them.

    Without names CloudFormation gives <stack>-<resource>-<12 characters>, by which nothing knows a function, a rule or
    a role for sgwatch's: a change of it would not be alerted.
    """
    place, resource = StagePlace(stage, "", "", ""), _resource_of(handler)
    name = place.function(handler)
    properties: dict[str, Any] = {"FunctionName": name}
    if handler in WITH_EVENTS:
        # Chalice writes CloudWatchEvent, for which SAM documents no name; it makes the same resource.
        # https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventbridgerule.html
        rule = {"Type": "EventBridgeRule", "Properties": {"RuleName": place.rule(handler)}}
        properties["Events"] = {f"{resource}Event": rule}
    elif handler != DELIVER:
        properties["Events"] = {f"{resource}Event": {"Properties": {"Name": place.rule(handler)}}}
    group = f"{resource}LogGroup"
    return {
        # Before the function: its first line makes Lambda create the log group, which then cannot be made any more.
        resource: {"Properties": properties, "DependsOn": [group]},
        f"{resource}Role": {"Properties": {"RoleName": name}},
        group: {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/aws/lambda/{name}"}},
    }


def _wiring(stage: str, handler: str) -> dict[str, Any]:
    """What a function's properties have to say of the durable resources."""
    place = StagePlace(stage, "", "", "")
    variables = {"DELIVERY_QUEUE": place.queue, "STATE_TABLE": place.table}
    properties: dict[str, Any] = {"Environment": {"Variables": variables}}
    if handler in WITH_EVENTS:
        on_failure = {"Type": "SQS", "Destination": {"Fn::GetAtt": ["FailedEvents", "Arn"]}}
        properties["EventInvokeConfig"] = {
            "MaximumRetryAttempts": 2,
            "DestinationConfig": {"OnFailure": on_failure},
        }
    if handler == DELIVER:
        source = {"Properties": {"FunctionResponseTypes": ["ReportBatchItemFailures"]}}
        properties["Events"] = {DELIVER_SOURCE: source}
    return properties


def _resource_of(handler: str) -> str:
    """The name that Chalice gives a function's resource in a package."""
    return "".join(part.capitalize() for part in handler.split("_"))


def _resolve(node: Any, place: StagePlace, siblings: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_resolve(item, place, siblings) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((name, argument),) = node.items()
        if name in _FUNCTIONS:
            return _FUNCTIONS[name](argument, place, siblings)
    return {key: _resolve(value, place, siblings) for key, value in node.items()}


def _ref(name: str, place: StagePlace, siblings: Mapping[str, Any]) -> Any:
    # A list is all that is left out here.
    given = {"AlarmTopicArn": place.topic, "PathAlarmArns": list(place.path_alarms), "AWS::NoValue": []}
    return given[name] if name in given else _name_of(siblings[name], place)


def _get_att(path: tuple[str, str], place: StagePlace, siblings: Mapping[str, Any]) -> str:
    name, attribute = path
    found = _name_of(siblings[name], place)
    return place.queue_arn(found) if attribute == "Arn" else found


def _if(argument: tuple[str, Any, Any], place: StagePlace, siblings: Mapping[str, Any]) -> Any:
    condition, then, otherwise = argument
    holds = {"HasAlarmTopic": bool(place.topic), "HasPathAlarms": bool(place.path_alarms)}
    return _resolve(then if holds[condition] else otherwise, place, siblings)


def _join(argument: tuple[str, Any], place: StagePlace, siblings: Mapping[str, Any]) -> str:
    between, items = argument
    return between.join(_resolve(items, place, siblings))


def _sub(argument: str | tuple[str, Mapping[str, Any]], place: StagePlace, siblings: Mapping[str, Any]) -> str:
    if isinstance(argument, str):
        return _filled_in(argument, place, {})
    text, values = argument
    return _filled_in(text, place, {name: str(_resolve(value, place, siblings)) for name, value in values.items()})


_FUNCTIONS: Mapping[str, Callable[[Any, StagePlace, Mapping[str, Any]], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::Join": _join,
    "Fn::Sub": _sub,
}


def _filled_in(text: str, place: StagePlace, values: Mapping[str, str]) -> str:
    known = {
        "Stage": place.stage,
        "AWS::Partition": place.partition,
        "AWS::Region": place.region,
        "AWS::AccountId": place.account,
        **values,
    }
    return re.sub(r"\$\{([\w:]+)\}", lambda found: known[found[1]], text)


def _name_of(resource: Mapping[str, Any], place: StagePlace) -> str:
    properties = resource["Properties"]
    named = next(properties[key] for key in ("QueueName", "TableName", "AlarmName") if key in properties)
    return str(_resolve(named, place, {}))


def main(stage: str, project: Path, *, durable: bool = True) -> None:
    """Write what is merged into the package's template, for the project's stage, to stdout."""
    try:
        deployed = deployed_stage(stage, project)
    except StageError as error:
        sys.exit(f"sgwatch: {error}")
    there = {name.rpartition("-")[2] for name in deployed.functions} | ({DELIVER, RECONCILE} if durable else set())
    handlers = [handler for handler in HANDLERS if handler in there]
    sys.stdout.buffer.write((package_template if durable else names_template)(stage, handlers))


if __name__ == "__main__":
    main(sys.argv[1], Path.cwd(), durable="--direct" not in sys.argv[2:])
