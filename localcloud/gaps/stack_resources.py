"""What moto's CloudFormation leaves out of a stack: alarms, policies of queues and buses, retries, tags.

And its rollback: where a resource cannot be made, moto answers with that service's own error in that service's own
protocol, while AWS answers CreateStack and rolls the stack back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.awslambda.models import lambda_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.dynamodb.models import dynamodb_backends
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.sqs.models import sqs_backends

from localcloud.callers import PARTITION
from localcloud.gaps.stack_models import checked, keep_failed, stack_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from localcloud.calls import ApiRequest

Properties = dict[str, Any]
ROLLED_BACK = "ROLLBACK_COMPLETE"
ALARM, QUEUE_POLICY, TABLE = "AWS::CloudWatch::Alarm", "AWS::SQS::QueuePolicy", "AWS::DynamoDB::Table"
BUS_POLICY = "AWS::Events::EventBusPolicy"
FUNCTION, RETRIES, ROLE = "AWS::Lambda::Function", "AWS::Lambda::EventInvokeConfig", "AWS::IAM::Role"


def with_missing_resources(call: ApiRequest, account_id: str, ask: Callable[[], Any]) -> Any:
    """A call that makes or changes a stack, with what moto leaves out made as well."""
    stack_models()
    checked(call, account_id)
    answered = ask()
    if answered.status < 300:
        for kind, name, properties in _resources(call, account_id):
            MAKERS[kind](account_id, call.region, name, properties)
        return answered
    half_made = _half_made(call, account_id) if call.operation == "CreateStack" else None
    if half_made is None:
        return answered
    roll_back(half_made, answered.body.decode(errors="replace"))
    return {"StackId": half_made.stack_id}


def _half_made(call: ApiRequest, account_id: str) -> Any | None:
    """The stack that a resource's error left behind; none where the call itself was refused."""
    from moto.cloudformation.models import cloudformation_backends  # noqa: PLC0415  # it takes seconds

    stacks = cloudformation_backends[account_id][call.region].stacks.values()
    return next((item for item in stacks if _is_half_made(item, call.params["StackName"])), None)


def _is_half_made(stack: Any, name: str) -> bool:
    return bool(stack.name == name and stack.status == "CREATE_IN_PROGRESS")


def roll_back(stack: Any, reason: str) -> None:
    """Take a stack's resources away and leave it as AWS does, for its events and for deletion only."""
    stack._add_stack_event("ROLLBACK_IN_PROGRESS", resource_status_reason=reason)  # noqa: SLF001  # has no other door
    stack.resource_map.delete()
    stack._add_stack_event(ROLLED_BACK)  # noqa: SLF001
    stack.status = ROLLED_BACK


def without_missing_resources(call: ApiRequest, account_id: str, ask: Callable[[], Any]) -> Any:
    """DeleteStack, with what moto left out deleted as well."""
    named = [(kind, properties.get("AlarmName", name)) for kind, name, properties in _resources(call, account_id)]
    stack_models()
    answered = ask()
    keep_failed(account_id, call.region, str(call.params.get("StackName")))
    alarms = cloudwatch_backends[account_id][call.region].alarms
    for kind, name in named:
        if kind == ALARM:
            alarms.pop(name, None)
    return answered


def _resources(call: ApiRequest, account_id: str) -> Iterator[tuple[str, str, Properties]]:
    """Type, name where the template gives none, and properties of the resources concerned, references resolved."""
    from moto.cloudformation.models import cloudformation_backends  # noqa: PLC0415  # it takes seconds
    from moto.cloudformation.parsing import clean_json  # noqa: PLC0415

    wanted = str(call.params.get("StackName"))
    for stack in cloudformation_backends[account_id][call.region].stacks.values():
        if wanted not in (stack.name, stack.stack_id) or stack.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            continue
        for logical_id, resource in stack.resource_map._resource_json_map.items():  # noqa: SLF001  # has no other door
            if resource["Type"] in MAKERS:
                properties = clean_json(resource.get("Properties", {}), stack.resource_map)
                if resource["Type"] == FUNCTION:
                    properties = {**properties, "Tags": _with_stack_tags(properties.get("Tags"), stack, logical_id)}
                made = stack.resource_map._parsed_resources.get(logical_id)  # noqa: SLF001
                name = getattr(made, "physical_resource_id", None) or f"{stack.name}-{logical_id}"
                yield resource["Type"], name, properties


def _with_stack_tags(tags: Any, stack: Any, logical_id: str) -> list[dict[str, str]]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html"""
    own = {"stack-name": stack.name, "stack-id": stack.stack_id, "logical-id": logical_id}
    named = [{"Key": f"aws:cloudformation:{key}", "Value": value} for key, value in own.items()]
    return [*(tags or ()), *named]


def _function_tags(account_id: str, region: str, name: str, properties: Properties) -> None:
    backend = lambda_backends[account_id][region]
    arn = backend.get_function(properties.get("FunctionName", name)).function_arn
    backend.tag_resource(arn, {tag["Key"]: tag["Value"] for tag in properties["Tags"]})


def _role(account_id: str, _region: str, name: str, _properties: Properties) -> None:
    """Its policies as text, which IAM has them as."""
    backend = iam_backends[account_id][PARTITION]
    role = backend.get_role(name)
    role.policies.update(
        {key: each if isinstance(each, str) else json.dumps(each) for key, each in role.policies.items()}
    )


def _retries(account_id: str, region: str, _name: str, properties: Properties) -> None:
    config = {key: value for key, value in properties.items() if key not in ("FunctionName", "Qualifier")}
    function = str(properties["FunctionName"])
    lambda_backends[account_id][region].put_function_event_invoke_config(function, config)


def _alarm(account_id: str, region: str, name: str, properties: Properties) -> None:
    backend = cloudwatch_backends[account_id][region]
    fields = {
        field: properties.get(name)
        for field, name in (
            ("namespace", "Namespace"),
            ("metric_name", "MetricName"),
            ("comparison_operator", "ComparisonOperator"),
            ("statistic", "Statistic"),
            ("extended_statistic", "ExtendedStatistic"),
            ("description", "AlarmDescription"),
            ("treat_missing_data", "TreatMissingData"),
            ("unit", "Unit"),
        )
    }
    numbers = {
        field: None if properties.get(name) is None else int(properties[name])
        for field, name in (
            ("evaluation_periods", "EvaluationPeriods"),
            ("datapoints_to_alarm", "DatapointsToAlarm"),
            ("period", "Period"),
        )
    }
    backend.put_metric_alarm(
        name=properties.get("AlarmName", name),
        threshold=float(properties.get("Threshold", 0)),
        dimensions=properties.get("Dimensions", []),
        alarm_actions=_listed(properties.get("AlarmActions")),
        ok_actions=_listed(properties.get("OKActions")),
        insufficient_data_actions=_listed(properties.get("InsufficientDataActions")),
        actions_enabled=properties.get("ActionsEnabled", True),
        tags=properties.get("Tags"),
        **fields,
        **numbers,
    )


def _listed(value: Any) -> list[str]:
    """A list without what an ``Fn::If`` left out."""
    return [item for item in value or () if isinstance(item, str) and item]


def _queue_policy(account_id: str, region: str, _name: str, properties: Properties) -> None:
    backend = sqs_backends[account_id][region]
    policy = json.dumps(properties.get("PolicyDocument", {}))
    for url in properties.get("Queues", ()):
        backend.set_queue_attributes(str(url).rpartition("/")[2], {"Policy": policy})


def _bus_policy(account_id: str, region: str, name: str, properties: Properties) -> None:
    statement = {"Sid": properties.get("StatementId", name), **properties.get("Statement", {})}
    bus = str(properties.get("EventBusName", "default"))
    events_backends[account_id][region].describe_event_bus(bus).add_policy({"Statement": [statement]})


def _table(account_id: str, region: str, name: str, properties: Properties) -> None:
    backend, table = dynamodb_backends[account_id][region], properties.get("TableName", name)
    if ttl := properties.get("TimeToLiveSpecification"):
        backend.update_time_to_live(table, ttl)
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        backend.update_continuous_backups(table, recovery)


MAKERS: Mapping[str, Callable[[str, str, str, Properties], None]] = {
    ALARM: _alarm,
    QUEUE_POLICY: _queue_policy,
    BUS_POLICY: _bus_policy,
    TABLE: _table,
    FUNCTION: _function_tags,
    RETRIES: _retries,
    ROLE: _role,
}
