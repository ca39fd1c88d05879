"""What deploying, setting up and repairing made of a stage, found by its names in AWS, in the order of removal.

AWS is asked, not Chalice's notes: those are on one machine, and say nothing of log groups, parameters and repairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.alarm_path.repair import FILTERS, TOPIC
from chalicelib.alarm_path.snapshot.collect_forwarders import AT_ONCE, opted_in
from chalicelib.aws.clients import ClientFactory
from chalicelib.deployment import AUDIT_ON_SCHEDULE, DELIVER, HANDLERS
from sgwatch.aws_refusals import sentence
from sgwatch.durable_mending import is_protected, let_go, unprotect
from sgwatch.durable_stack import PLANNED, Stack
from sgwatch.durable_template import StagePlace
from sgwatch.fleet_stacks import ForwarderStack
from sgwatch.package_owner import package_owner

# Stored by `sgwatch init`, which marks what it stores.
TAG = {"Key": "app", "Value": "sgwatch"}
_DURABLE = "stack of durable delivery"
# Of StackSets, which `sgwatch fleet template` has people make.
_IN_OTHER_ACCOUNTS = "its stacks are in other accounts: delete its instances first, in CloudFormation's StackSets"
_NOT_THERE = (
    "ResourceNotFoundException",
    "NoSuchEntity",
    "NoSuchEntityException",
    "NotFoundException",
    "StackSetNotFoundException",
)


@dataclass(frozen=True, slots=True)
class MadeResource:
    """One thing in AWS; ``kept`` is why it is not removed, empty where it is.

    What takes minutes and waits for nothing else of its kind is removed ``together`` with it.
    """

    kind: str
    name: str
    remove: Callable[[], object] = field(repr=False)
    kept: str = ""
    together: bool = False

    @property
    def has_queues(self) -> bool:
        """Whether messages are lost with it."""
        return self.kind == _DURABLE and not self.kept


def made_resources(place: StagePlace, client: ClientFactory) -> Iterator[MadeResource]:
    """What is there of a stage: what brings events first, what the others need last."""
    yield from forwarding(place, client)
    kept = _owned(place, client("lambda"))
    for found in (
        *_rules(place, client("events")),
        *_functions(place, client("lambda")),
        *_roles(place, client("iam")),
        *_durable(place, client),
    ):
        yield replace(found, kept=kept) if kept else found
    if kept:
        yield from _protection(place, client("dynamodb"))
    yield from _parameters(place, client("ssm"))
    yield from _repairs(place, client)
    yield from _log_groups(place, client("logs"), kept)


def written_again(place: StagePlace, client: ClientFactory) -> Iterator[MadeResource]:
    """What a function that is still running makes once more."""
    yield from _parameters(place, client("ssm"))
    yield from _log_groups(place, client("logs"), _owned(place, client("lambda")))


def _owned(place: StagePlace, functions: Any) -> str:
    """Why what is deployed stays, where a package made it."""
    owner = package_owner(place, functions)
    return f"it belongs to {owner.name}: {owner.removal}" if owner else ""


def forwarding(place: StagePlace, client: ClientFactory) -> Iterator[MadeResource]:
    """What ``sgwatch fleet`` makes, and has people make: forwarders, the central bus, StackSets."""
    errors: list[dict[str, Any]] = []
    regions = opted_in(client, place.region, errors)
    if regions is None:
        why = f"not looked for: {errors[0]['call']}: {errors[0]['code']}"
        yield MadeResource("stack of forwarders", f"{place.forwarder} in other regions", _nothing, why)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        others = [region for region in regions or () if region != place.region]
        yield from (found for found in pool.map(partial(_forwarder, place, client), others) if found)
    bus = ForwarderStack(client("cloudformation"), place.fleet)
    if bus.status() not in (None, "DELETE_COMPLETE"):
        yield MadeResource("stack of the fleet's bus", bus.name, bus.delete)
    for name in (place.forwarder, f"sgwatch-{place.stage}-member-read"):
        if _or_none(bus.client, partial(bus.client.describe_stack_set, StackSetName=name)) is not None:
            yield MadeResource("StackSet", name, _nothing, _IN_OTHER_ACCOUNTS)


def _forwarder(place: StagePlace, client: ClientFactory, region: str) -> MadeResource | None:
    stack = ForwarderStack(client("cloudformation", region), place.forwarder)
    kept = ""
    try:
        if stack.status() in (None, "DELETE_COMPLETE"):
            return None
    except (ClientError, BotoCoreError) as error:
        kept = f"not looked for: {sentence(error)}"
    return MadeResource("stack of forwarders", f"{stack.name} in {region}", stack.delete, kept, together=True)


def _nothing() -> None:
    """For what is kept."""


def _rules(place: StagePlace, events: Any) -> Iterator[MadeResource]:
    for handler in HANDLERS:
        name = place.rule(handler)
        if _or_none(events, partial(events.describe_rule, Name=name)) is not None:
            yield MadeResource("EventBridge rule", name, partial(_remove_rule, events, name))


def _remove_rule(events: Any, name: str) -> None:
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    if targets:
        events.remove_targets(Rule=name, Ids=[target["Id"] for target in targets])
    events.delete_rule(Name=name)


def _functions(place: StagePlace, functions: Any) -> Iterator[MadeResource]:
    for handler in HANDLERS:
        name = place.function(handler)
        if _or_none(functions, partial(functions.get_function_configuration, FunctionName=name)) is None:
            continue
        if handler == DELIVER:
            for mapping in functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]:
                remove = partial(functions.delete_event_source_mapping, UUID=mapping["UUID"])
                yield MadeResource("event source mapping", str(mapping["EventSourceArn"].rpartition(":")[2]), remove)
        yield MadeResource("function", name, partial(functions.delete_function, FunctionName=name))


def _roles(place: StagePlace, iam: Any) -> Iterator[MadeResource]:
    for handler in HANDLERS:
        name = place.function(handler)
        if _or_none(iam, partial(iam.get_role, RoleName=name)) is not None:
            yield MadeResource("role", name, partial(_remove_role, iam, name))


def _remove_role(iam: Any, name: str) -> None:
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=name)


def _durable(place: StagePlace, client: ClientFactory) -> Iterator[MadeResource]:
    stack = Stack(client("cloudformation"), place)
    if stack.status() not in (None, "DELETE_COMPLETE", PLANNED):
        yield MadeResource(_DURABLE, place.stack, partial(_remove_stack, place, client, stack))


def _remove_stack(place: StagePlace, client: ClientFactory, stack: Stack) -> None:
    let_go(place, client("lambda"))
    unprotect(place, client("dynamodb"))
    stack.delete()


def _protection(place: StagePlace, dynamodb: Any) -> Iterator[MadeResource]:
    """What would stop those who remove the table with what else is theirs."""
    if is_protected(place, dynamodb):
        yield MadeResource("deletion protection", f"of table {place.table}", partial(unprotect, place, dynamodb))


def _parameters(place: StagePlace, ssm: Any) -> Iterator[MadeResource]:
    status = f"/sgwatch/{place.stage}/alarm-path"
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/sgwatch/{place.stage}/", Recursive=True)
    for name in sorted(item["Name"] for page in pages for item in page["Parameters"]):
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
        ours = name == status or TAG in tags
        kept = "" if ours else f"it was not stored by sgwatch: aws ssm delete-parameter --name {name}"
        yield MadeResource("parameter", name, partial(ssm.delete_parameter, Name=name), kept)


def _repairs(place: StagePlace, client: ClientFactory) -> Iterator[MadeResource]:
    """The alarm path that repairing made; it is the account's, so it stays while another stage is there."""
    others = _other_stages(place, client("lambda"))
    kept = f"it is the whole account's, and stage {', '.join(others)} of sgwatch is there too" if others else ""
    cloudwatch, logs, sns = client("cloudwatch"), client("logs"), client("sns")
    for name in FILTERS:
        for alarm in cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
            remove = partial(cloudwatch.delete_alarms, AlarmNames=[alarm["AlarmName"]])
            yield MadeResource("alarm", str(alarm["AlarmName"]), remove, kept)
        for group in _groups_with_filter(logs, name):
            remove = partial(logs.delete_metric_filter, logGroupName=group, filterName=name)
            yield MadeResource("metric filter", f"{name} of {group}", remove, kept)
    topic = f"arn:{place.partition}:sns:{place.region}:{place.account}:{TOPIC}"
    if any(
        item["TopicArn"] == topic for page in sns.get_paginator("list_topics").paginate() for item in page["Topics"]
    ):
        yield MadeResource("topic", TOPIC, partial(sns.delete_topic, TopicArn=topic), kept)


def _groups_with_filter(logs: Any, name: str) -> list[str]:
    pages = logs.get_paginator("describe_metric_filters").paginate()
    return [str(item["logGroupName"]) for page in pages for item in page["metricFilters"] if item["filterName"] == name]


def _other_stages(place: StagePlace, functions: Any) -> list[str]:
    pages = functions.get_paginator("list_functions").paginate()
    names = (str(item["FunctionName"]) for page in pages for item in page["Functions"])
    suffix = f"-{AUDIT_ON_SCHEDULE}"
    stages = (name.removeprefix("sgwatch-").removesuffix(suffix) for name in names if name.endswith(suffix))
    return sorted({stage for stage in stages if stage != place.stage})


def _log_groups(place: StagePlace, logs: Any, kept: str) -> Iterator[MadeResource]:
    for handler in HANDLERS:
        name = f"/aws/lambda/{place.function(handler)}"
        listed = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        if any(item["logGroupName"] == name for item in listed):
            yield MadeResource("log group", name, partial(logs.delete_log_group, logGroupName=name), kept)


def _or_none(client: Any, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in _NOT_THERE:
            return None
        raise
