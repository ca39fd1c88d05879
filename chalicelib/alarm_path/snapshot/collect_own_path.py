"""Collect sgwatch's own path for the snapshot's ``self``: functions, rules, queues, table, alarms and last deliveries.

Of Lambda's control plane only EventInvokeConfig and event source mappings are asked for: it takes 15 requests a second
in an account, while GetFunction and GetPolicy have quotas of their own.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from chalicelib.alarm_path.snapshot.collect import SnapshotPart, not_in_sdk
from chalicelib.alarm_path.snapshot.collect_forwarders import collect_forwarding
from chalicelib.alarm_path.snapshot.own_metrics import (
    CALL,
    delivery_metrics_of,
    delivery_queries,
    metrics_window,
    queue_age_of,
    queue_age_query,
    run_metrics_of,
    run_queries,
)
from chalicelib.aws.clients import ClientFactory

_NOT_THERE = {"ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
# Environment variables → what they come to: {"destinations": [name], "faults": how many}.
SettingsOf = Callable[[Mapping[str, str]], SnapshotPart]


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What a forwarder of this stage consists of: the pattern of each rule by name, and its dead-letter queue."""

    rules: Mapping[str, Mapping[str, Any]]
    prefix: str
    queue: str


@dataclass(frozen=True, slots=True)
class OwnPath:
    """What a stage consists of, as it was deployed.

    ``functions``: name → its rule's pattern, None for a schedule, empty where no rule invokes it; ``queues``: names of
    dead-letter queues. ``delivery_queue``, ``table`` and ``consumer`` (the function that reads the queue) are None
    without durable delivery, ``alarm_prefix`` where no alarms belong to it, ``forwarding`` where other regions are not
    asked. ``alarms`` are the names of those that have to be there.
    """

    functions: Mapping[str, Mapping[str, Any] | None]
    queues: tuple[str, ...] = ()
    delivery_queue: str | None = None
    table: str | None = None
    consumer: str | None = None
    alarm_prefix: str | None = None
    alarms: tuple[str, ...] = ()
    settings_of: SettingsOf | None = None
    forwarding: Forwarding | None = None


def collect_own(
    clients: ClientFactory, region: str, expected: OwnPath, *, now: datetime
) -> tuple[SnapshotPart, list[SnapshotPart]]:
    """The ``self`` part and the errors met."""
    errors: list[SnapshotPart] = []
    ask = _asker(clients, region, errors)
    functions, rules = [], []
    for name, pattern in expected.functions.items():
        function = _function(ask, name, expected.settings_of, with_rule=pattern != {}, with_events=bool(pattern))
        functions.append(function)
        if function.get("Configuration") and pattern != {}:
            found = _rules(ask, function["Configuration"]["FunctionArn"], pattern)
            function["RuleNames"] = None if found is None else [rule["Name"] for rule in found]
            rules += found or []
    own: SnapshotPart = {"region": region, "rules": rules, "functions": functions}
    letters = [(name, _queue(ask, name)) for name in expected.queues]
    own["dead_letter_queues"] = [
        queue or {"QueueArn": name, "Attributes": None} for name, queue in letters if queue is not None
    ]
    own |= _durable(ask, expected)
    if expected.alarm_prefix is not None:
        own |= _alarms(ask, expected.alarm_prefix, expected.alarms)
    if expected.forwarding is not None:
        wanted = expected.forwarding
        forwarding, met = collect_forwarding(clients, region, wanted.prefix, wanted.queue)
        own["forwarding"] = {**forwarding, "expected": {name: dict(each) for name, each in wanted.rules.items()}}
        errors += met
    _add_metrics(ask, own, expected.delivery_queue, now)
    return own, errors


def _durable(ask: _OptionalCall, expected: OwnPath) -> SnapshotPart:
    """The delivery queue, the mapping that feeds its reader, and the state table; null where it is gone."""
    found: SnapshotPart = {}
    if expected.delivery_queue is not None:
        queue = _queue(ask, expected.delivery_queue)
        found |= {} if queue is None else {"delivery_queue": queue or None}
    if expected.consumer is not None:
        call = "lambda:ListEventSourceMappings"
        answer = ask("lambda", "list_event_source_mappings", call, expected.consumer, FunctionName=expected.consumer)
        kept = ("UUID", "State", "EventSourceArn", "LastProcessingResult", "StateTransitionReason", "FilterCriteria")
        if answer is not None:
            mappings = answer.get("EventSourceMappings", [])
            found["event_source_mappings"] = [
                {key: mapping[key] for key in kept if key in mapping} for mapping in mappings
            ]
    if expected.table is not None:
        answer = ask("dynamodb", "describe_table", "dynamodb:DescribeTable", expected.table, TableName=expected.table)
        if answer is not None:
            table = answer.get("Table")
            found["table"] = table and {"TableName": expected.table, "TableStatus": table.get("TableStatus")}
    return found


def _alarms(ask: _OptionalCall, prefix: str, expected: tuple[str, ...]) -> SnapshotPart:
    """sgwatch's own alarms, those that have to be there, and who is subscribed to the topics that they notify."""
    answer = ask("cloudwatch", "describe_alarms", "cloudwatch:DescribeAlarms", prefix, AlarmNamePrefix=prefix)
    if answer is None:
        return {}
    kept = ("AlarmName", "AlarmArn", "ActionsEnabled", "AlarmActions", "Namespace", "MetricName")
    alarms = [{key: alarm[key] for key in kept if key in alarm} for alarm in answer.get("MetricAlarms", [])]
    topics: SnapshotPart = {}
    for arn in dict.fromkeys(action for alarm in alarms for action in alarm.get("AlarmActions", ())):
        listed = ask("sns", "list_subscriptions_by_topic", "sns:ListSubscriptionsByTopic", arn, TopicArn=arn)
        if listed is not None:
            topics[arn] = [item.get("SubscriptionArn") for item in listed.get("Subscriptions", [])]
    return {"alarms": alarms, "expected_alarms": list(expected), "alarm_topics": topics}


_OptionalCall = Callable[..., SnapshotPart | None]


def _asker(clients: Callable[[str, str], Any], region: str, errors: list[SnapshotPart]) -> _OptionalCall:
    def ask(service: str, method: str, call: str, resource: str | None, **parameters: Any) -> SnapshotPart | None:
        """The answer; {} where AWS says that there is nothing; None, and an error noted, where it refuses."""
        try:
            operation = getattr(clients(service, region), method, None)
            if operation is None:
                errors.append(not_in_sdk(call, region, resource))
                return None
            answer = operation(**parameters)
        except ClientError as error:
            said = error.response.get("Error", {})
            if said.get("Code") in _NOT_THERE:
                return {}
            code, message = said.get("Code", ""), said.get("Message", "")
        except (BotoCoreError, ResponseParserError) as error:
            code, message = type(error).__name__, str(error)
        else:
            return {key: value for key, value in answer.items() if key != "ResponseMetadata"}
        errors.append({"call": call, "region": region, "resource": resource, "code": code, "message": message})
        return None

    return ask


def _function(
    ask: _OptionalCall, name: str, settings_of: SettingsOf | None, *, with_rule: bool, with_events: bool
) -> SnapshotPart:
    """The function; its ``Configuration`` is None where there is no such function, and absent where it was not read.

    ``with_rule``: whether EventBridge invokes it; ``with_events``: whether each event is the only one of its kind, so
    that a failed one should be kept somewhere. The values of its environment are not kept.
    """
    answer = ask("lambda", "get_function", "lambda:GetFunction", name, FunctionName=name)
    configuration = (answer or {}).get("Configuration")
    if not configuration:
        return {"FunctionName": name} | ({} if answer is None else {"Configuration": None})
    kept = ("FunctionArn", "FunctionName", "State", "LastUpdateStatus", "Runtime", "Role")
    kept_values = {key: configuration[key] for key in kept if key in configuration}
    function: SnapshotPart = {"FunctionName": name, "Configuration": kept_values}
    environment = configuration.get("Environment") or {}
    if settings_of is not None and "Error" not in environment:
        function["Settings"] = settings_of(environment.get("Variables") or {})
    if with_rule:
        policy = ask("lambda", "get_policy", "lambda:GetPolicy", name, FunctionName=name)
        if policy is not None:
            function["Policy"] = policy.get("Policy")
    if with_events:
        function |= _on_failure(ask, name)
    concurrency = (answer or {}).get("Concurrency")
    if concurrency:
        function["ReservedConcurrency"] = concurrency.get("ReservedConcurrentExecutions")
    return function


def _on_failure(ask: _OptionalCall, name: str) -> SnapshotPart:
    """Where events go that the function fails on for good, None where they are dropped."""
    call = "lambda:GetFunctionEventInvokeConfig"
    invoke = ask("lambda", "get_function_event_invoke_config", call, name, FunctionName=name)
    if invoke is None:
        return {}
    destinations = invoke.get("DestinationConfig")
    return {"EventInvokeConfig": {"DestinationConfig": destinations} if destinations else None}


def _add_metrics(ask: _OptionalCall, own: SnapshotPart, delivery_queue: str | None, now: datetime) -> None:
    """``Metrics`` of each function, the age of the oldest message and the last deliveries, asked for together."""
    there = [function for function in own["functions"] if function.get("Configuration")]
    if not there:
        return
    names = [function["FunctionName"] for function in there]
    destinations = sorted({name for item in there for name in (item.get("Settings") or {}).get("destinations", ())})
    asked: SnapshotPart = {
        "MetricDataQueries": [
            *run_queries(names),
            *delivery_queries(names, destinations),
            *(queue_age_query(name) for name in (delivery_queue,) if name is not None and own.get("delivery_queue")),
        ],
        **metrics_window(now),
    }
    results: list[SnapshotPart] = []
    while True:
        answer = ask("cloudwatch", "get_metric_data", CALL, None, ScanBy="TimestampAscending", **asked)
        if answer is None:
            return
        results += answer.get("MetricDataResults", [])
        if not answer.get("NextToken"):
            break
        asked["NextToken"] = answer["NextToken"]
    for place, function in enumerate(there):
        function["Metrics"] = run_metrics_of(place, results)
    own["deliveries"] = delivery_metrics_of(names, destinations, results)
    if own.get("delivery_queue"):
        own["delivery_queue"]["OldestMessageAge"] = queue_age_of(results)


def _rules(ask: _OptionalCall, function_arn: str, pattern: Mapping[str, Any] | None) -> list[SnapshotPart] | None:
    """The rules that have this function as their target; None where they were not all read."""
    answer = ask(
        "events", "list_rule_names_by_target", "events:ListRuleNamesByTarget", function_arn, TargetArn=function_arn
    )
    if answer is None:
        return None
    rules: list[SnapshotPart] = []
    for name in answer.get("RuleNames", []):
        rule = ask("events", "describe_rule", "events:DescribeRule", name, Name=name)
        targets = ask("events", "list_targets_by_rule", "events:ListTargetsByRule", name, Rule=name)
        if rule is None or targets is None:
            return None
        if rule:
            found = {"Name": name, **rule, "Targets": targets.get("Targets", [])}
            rules.append(found | ({"Expected": dict(pattern)} if pattern and rule.get("EventPattern") else {}))
    return rules


def _queue(ask: _OptionalCall, name: str) -> SnapshotPart | None:
    """The queue; empty where it is not there, None where that could not be read."""
    located = ask("sqs", "get_queue_url", "sqs:GetQueueUrl", name, QueueName=name)
    if not located:
        return located
    url = located["QueueUrl"]
    names = ["QueueArn", "ApproximateNumberOfMessages"]
    answer = ask("sqs", "get_queue_attributes", "sqs:GetQueueAttributes", url, QueueUrl=url, AttributeNames=names)
    if not answer:
        return answer
    return {"QueueArn": answer["Attributes"].get("QueueArn", url), "Attributes": answer["Attributes"]}
