"""What moto's CloudFormation leaves out of a stack: alarms, policies of queues, and two properties of tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.dynamodb.models import dynamodb_backends
from moto.sqs.models import sqs_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from localcloud.calls import ApiRequest

Properties = dict[str, Any]
ALARM, QUEUE_POLICY, TABLE = "AWS::CloudWatch::Alarm", "AWS::SQS::QueuePolicy", "AWS::DynamoDB::Table"


def with_missing_resources(call: ApiRequest, account_id: str, ask: Callable[[], Any]) -> Any:
    """A call that makes or changes a stack, with what moto leaves out made as well."""
    answered = ask()
    if answered.status < 300:
        for kind, name, properties in _resources(call, account_id):
            MAKERS[kind](account_id, call.region, name, properties)
    return answered


def without_missing_resources(call: ApiRequest, account_id: str, ask: Callable[[], Any]) -> Any:
    """DeleteStack, with what moto left out deleted as well."""
    named = [(kind, properties.get("AlarmName", name)) for kind, name, properties in _resources(call, account_id)]
    answered = ask()
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
                yield resource["Type"], f"{stack.name}-{logical_id}", properties


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


def _table(account_id: str, region: str, name: str, properties: Properties) -> None:
    backend, table = dynamodb_backends[account_id][region], properties.get("TableName", name)
    if ttl := properties.get("TimeToLiveSpecification"):
        backend.update_time_to_live(table, ttl)
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        backend.update_continuous_backups(table, recovery)


MAKERS: Mapping[str, Callable[[str, str, str, Properties], None]] = {
    ALARM: _alarm,
    QUEUE_POLICY: _queue_policy,
    TABLE: _table,
}
