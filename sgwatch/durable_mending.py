"""Holds what is there against what should be, and mends the differences.

CloudFormation does not look at what somebody changed by hand, and Chalice has no setting for how
Lambda retries; both are seen to here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from chalicelib.aws.clients import ClientFactory
from chalicelib.delivery.event_source import RESPONSES
from chalicelib.deployment import WITH_EVENTS
from sgwatch.durable_template import StagePlace, resources

# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
RETRIES, MAX_AGE_SECONDS = 2, 21_600
_ALARM_FIELDS = (
    "Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator",
    "TreatMissingData", "Dimensions", "AlarmActions", "OKActions",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it should be, and how to mend it."""

    sentence: str
    mend: Callable[[], object] = field(repr=False)


def differences(place: StagePlace, client: ClientFactory) -> Iterator[Difference]:
    """Everything that is not as the template and this module say."""
    # A queue that names its dead-letter queue can only be made behind it.
    for kind, wanted in sorted(resources(place).values(), key=lambda item: "RedrivePolicy" in item[1]):
        match kind:
            case "AWS::SQS::Queue":
                yield from _queue(client("sqs"), wanted)
            case "AWS::DynamoDB::Table":
                yield from _table(client("dynamodb"), wanted)
            case "AWS::CloudWatch::Alarm":
                yield from _alarm(client("cloudwatch"), wanted)
            case "AWS::SQS::QueuePolicy":
                yield from _queue_policies(client("sqs"), wanted)
            case "AWS::CloudWatch::Dashboard":
                yield from _dashboard(client("cloudwatch"), wanted)
    yield from functions(place, client("lambda"))


def functions(place: StagePlace, lambda_client: Any) -> Iterator[Difference]:
    """What is not as it should be of the functions; those that are not deployed, or not yet, are passed over."""
    for handler in WITH_EVENTS:
        yield from _failures(place, lambda_client, place.function(handler))
    yield from _event_source(place, lambda_client)


def _failures(place: StagePlace, lambda_client: Any, name: str) -> Iterator[Difference]:
    """How often Lambda tries a function's event again, and where it puts it in the end."""
    if not deployed(lambda_client, name):
        return
    wanted = {
        "MaximumRetryAttempts": RETRIES,
        "MaximumEventAgeInSeconds": MAX_AGE_SECONDS,
        "DestinationConfig": {"OnFailure": {"Destination": place.queue_arn(place.failed_events)}},
    }
    found = _or_none(lambda_client, partial(lambda_client.get_function_event_invoke_config, FunctionName=name)) or {}
    given = {key: found.get(key) for key in wanted}
    given["DestinationConfig"] = {"OnFailure": (found.get("DestinationConfig") or {}).get("OnFailure")}
    if given != wanted:
        yield Difference(
            f"{name}: events that it fails on for good are not kept",
            partial(lambda_client.put_function_event_invoke_config, FunctionName=name, **wanted),
        )


def deployed(lambda_client: Any, name: str) -> bool:
    """Whether a function is there."""
    return _or_none(lambda_client, partial(lambda_client.get_function_configuration, FunctionName=name)) is not None


def _event_source(place: StagePlace, lambda_client: Any) -> Iterator[Difference]:
    deliver = place.function("deliver")
    if not deployed(lambda_client, deliver):
        return
    source = place.queue_arn(place.queue)
    listed = lambda_client.list_event_source_mappings(EventSourceArn=source, FunctionName=deliver)
    mappings = listed["EventSourceMappings"]
    if not mappings:
        create = partial(lambda_client.create_event_source_mapping, EventSourceArn=source, FunctionName=deliver)
        mend = partial(create, BatchSize=1, FunctionResponseTypes=[RESPONSES])
        yield Difference(f"{deliver}: nothing reads its queue", mend)
    for mapping in mappings:
        update = partial(lambda_client.update_event_source_mapping, UUID=mapping["UUID"])
        if RESPONSES not in (mapping.get("FunctionResponseTypes") or ()):
            yield Difference(
                f"{deliver}: Lambda does not read which messages failed",
                partial(update, FunctionResponseTypes=[RESPONSES]),
            )
        if mapping.get("BatchSize") != 1:
            yield Difference(f"{deliver}: it gets more than one message at a time", partial(update, BatchSize=1))
        if mapping["State"] in ("Disabled", "Disabling"):
            yield Difference(f"{deliver}: its queue is not read", partial(update, Enabled=True))


def let_go(place: StagePlace, lambda_client: Any) -> None:
    """Take away the functions' on-failure destination, if it is the queue that goes."""
    for name in (place.function(handler) for handler in WITH_EVENTS):
        look = partial(lambda_client.get_function_event_invoke_config, FunctionName=name)
        found = (_or_none(lambda_client, look) or {}).get("DestinationConfig") or {}
        if (found.get("OnFailure") or {}).get("Destination") == place.queue_arn(place.failed_events):
            # What is left is Lambda's default, which is what `setup` asks for besides.
            lambda_client.delete_function_event_invoke_config(FunctionName=name)


def is_protected(place: StagePlace, dynamodb: Any) -> bool:
    """Whether the state table is there and cannot be deleted."""
    found = _or_none(dynamodb, partial(dynamodb.describe_table, TableName=place.table))
    return found is not None and bool(found["Table"].get("DeletionProtectionEnabled"))


def unprotect(place: StagePlace, dynamodb: Any) -> None:
    """Let the state table be deleted with its stack."""
    if is_protected(place, dynamodb):
        dynamodb.update_table(TableName=place.table, DeletionProtectionEnabled=False)


def _queue(sqs: Any, wanted: Mapping[str, Any]) -> Iterator[Difference]:
    name = wanted["QueueName"]
    attributes = {key: _attribute(value) for key, value in wanted.items() if key != "QueueName"}
    found = _or_none(sqs, partial(sqs.get_queue_url, QueueName=name))
    if found is None:
        create = partial(sqs.create_queue, QueueName=name, Attributes=attributes)
        yield Difference(f"the queue {name} is not there", create)
        return
    url = found["QueueUrl"]
    given = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    wrong = {key: value for key, value in attributes.items() if _parsed(given.get(key)) != _parsed(value)}
    if wrong:
        mend = partial(sqs.set_queue_attributes, QueueUrl=url, Attributes=wrong)
        yield Difference(f"the queue {name} has another {', '.join(sorted(wrong))}", mend)


def _queue_policies(sqs: Any, wanted: Mapping[str, Any]) -> Iterator[Difference]:
    for name in wanted["Queues"]:
        found = _or_none(sqs, partial(sqs.get_queue_url, QueueName=name))
        if found is None:
            continue  # said already; the next run gives it its policy
        url = found["QueueUrl"]
        given = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        if _parsed(given.get("Policy")) != wanted["PolicyDocument"]:
            policy = {"Policy": json.dumps(wanted["PolicyDocument"])}
            mend = partial(sqs.set_queue_attributes, QueueUrl=url, Attributes=policy)
            yield Difference(f"the queue {name} has another policy", mend)


def _table(dynamodb: Any, wanted: Mapping[str, Any]) -> Iterator[Difference]:
    name = wanted["TableName"]
    found = _or_none(dynamodb, partial(dynamodb.describe_table, TableName=name))
    if found is None:
        keys = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "DeletionProtectionEnabled")
        create = {key: wanted[key] for key in keys} | {"SSESpecification": {"Enabled": True}}
        yield Difference(f"the table {name} is not there", partial(_create_table, dynamodb, create))
        return
    # A table that was never anything else than provisioned has no summary.
    if found["Table"].get("BillingModeSummary", {}).get("BillingMode") != wanted["BillingMode"]:
        mend = partial(dynamodb.update_table, TableName=name, BillingMode=wanted["BillingMode"])
        yield Difference(f"the table {name} is not on demand", mend)
    if not found["Table"].get("DeletionProtectionEnabled"):
        mend = partial(dynamodb.update_table, TableName=name, DeletionProtectionEnabled=True)
        yield Difference(f"the table {name} is not protected from deletion", mend)
    yield from _forgetting(dynamodb, wanted)
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    if backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") != "ENABLED":
        specification = wanted["PointInTimeRecoverySpecification"]
        mend = partial(
            dynamodb.update_continuous_backups, TableName=name, PointInTimeRecoverySpecification=specification
        )
        yield Difference(f"the table {name} cannot be recovered to a point in time", mend)


def _forgetting(dynamodb: Any, wanted: Mapping[str, Any]) -> Iterator[Difference]:
    """Whether the table forgets by the right attribute; by another, that has to end first."""
    name, specification = wanted["TableName"], wanted["TimeToLiveSpecification"]
    found = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    on = found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    update = partial(dynamodb.update_time_to_live, TableName=name)
    if not on:
        mend = partial(update, TimeToLiveSpecification=specification)
        yield Difference(f"the table {name} does not forget what has expired", mend)
    elif found.get("AttributeName") != specification["AttributeName"]:
        off = {"AttributeName": found.get("AttributeName"), "Enabled": False}
        yield Difference(f"the table {name} forgets by another attribute", partial(update, TimeToLiveSpecification=off))


def _create_table(dynamodb: Any, arguments: Mapping[str, Any]) -> None:
    dynamodb.create_table(**arguments)
    dynamodb.get_waiter("table_exists").wait(TableName=arguments["TableName"])


def _alarm(cloudwatch: Any, wanted: Mapping[str, Any]) -> Iterator[Difference]:
    name = wanted["AlarmName"]
    found = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    mend = partial(cloudwatch.put_metric_alarm, **wanted)
    if not found:
        yield Difference(f"the alarm {name} is not there", mend)
        return
    wrong = [key for key in _ALARM_FIELDS if (found[0].get(key) or []) != (wanted.get(key) or [])]
    if wrong or not found[0].get("ActionsEnabled", True):
        yield Difference(f"the alarm {name} has another {', '.join(wrong) or 'state: it notifies nobody'}", mend)


def _dashboard(cloudwatch: Any, wanted: Mapping[str, Any]) -> Iterator[Difference]:
    """A dashboard that is gone; one that people have arranged for themselves is theirs."""
    name = wanted["DashboardName"]
    if _or_none(cloudwatch, partial(cloudwatch.get_dashboard, DashboardName=name)) is None:
        yield Difference(f"the dashboard {name} is not there", partial(cloudwatch.put_dashboard, **wanted))


def _attribute(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _parsed(value: str | None) -> Any:
    try:
        return json.loads(value) if value else None
    except ValueError:
        return value


_NOT_THERE = (
    "ResourceNotFoundException",
    "ResourceNotFound",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
)


def _or_none(client: Any, call: Callable[[], Any]) -> Any:
    """The answer, None where AWS says that it is not there."""
    try:
        return call()
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in _NOT_THERE:
            return None
        raise
