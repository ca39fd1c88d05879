"""Collect sgwatch's own path for the snapshot's ``self``: rules, functions, dead-letter queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from chalicelib.alarm_path.checks.own_runs import CALL, metrics_of, queries, window

Document = dict[str, Any]
_NOT_THERE = {"ResourceNotFoundException"}


def collect_own(
    clients: Callable[[str, str], Any],
    region: str,
    expected: Mapping[str, Mapping[str, Any] | None],
    queues: Sequence[str] = (),
    *,
    now: datetime,
) -> tuple[Document, list[Document]]:
    """The ``self`` part and the errors met.

    ``expected``: function name → its rule's pattern, None for a schedule, empty where no rule invokes it;
    ``queues``: names of dead-letter queues.
    """
    errors: list[Document] = []
    ask = _asker(clients, region, errors)
    functions, rules = [], []
    for name, pattern in expected.items():
        function = _function(ask, name, with_events=bool(pattern))
        functions.append(function)
        if function.get("Configuration") and pattern != {}:
            found = _rules(ask, function["Configuration"]["FunctionArn"], pattern)
            function["RuleNames"] = None if found is None else [rule["Name"] for rule in found]
            rules += found or []
    _add_metrics(ask, functions, now)
    letters = [queue for name in queues if (queue := _queue(ask, name)) is not None]
    return {"rules": rules, "functions": functions, "dead_letter_queues": letters}, errors


_Ask = Callable[..., Document | None]


def _asker(clients: Callable[[str, str], Any], region: str, errors: list[Document]) -> _Ask:
    def ask(service: str, method: str, call: str, resource: str | None, **parameters: Any) -> Document | None:
        """The answer; {} where AWS says that there is nothing; None, and an error noted, where it refuses."""
        try:
            answer = getattr(clients(service, region), method)(**parameters)
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


def _function(ask: _Ask, name: str, *, with_events: bool) -> Document:
    """The function; its ``Configuration`` is None where there is no such function, and absent where it was not read.

    ``with_events``: whether each event is the only one of its kind, so that a failed one should be kept somewhere.
    """
    configuration = ask(
        "lambda", "get_function_configuration", "lambda:GetFunctionConfiguration", name, FunctionName=name
    )
    if not configuration:
        return {"FunctionName": name} | ({} if configuration is None else {"Configuration": None})
    kept = ("FunctionArn", "FunctionName", "State", "LastUpdateStatus", "Runtime", "Role")
    kept_values = {key: configuration[key] for key in kept if key in configuration}
    function: Document = {"FunctionName": name, "Configuration": kept_values}
    policy = ask("lambda", "get_policy", "lambda:GetPolicy", name, FunctionName=name)
    if policy is not None:
        function["Policy"] = policy.get("Policy")
    if with_events:
        function |= _on_failure(ask, name)
    concurrency = ask("lambda", "get_function_concurrency", "lambda:GetFunctionConcurrency", name, FunctionName=name)
    if concurrency:
        function["ReservedConcurrency"] = concurrency.get("ReservedConcurrentExecutions")
    return function


def _on_failure(ask: _Ask, name: str) -> Document:
    """Where events go that the function fails on for good, None where they are dropped."""
    call = "lambda:GetFunctionEventInvokeConfig"
    invoke = ask("lambda", "get_function_event_invoke_config", call, name, FunctionName=name)
    if invoke is None:
        return {}
    destinations = invoke.get("DestinationConfig")
    return {"EventInvokeConfig": {"DestinationConfig": destinations} if destinations else None}


def _add_metrics(ask: _Ask, functions: Sequence[Document], now: datetime) -> None:
    """``Metrics`` for each function that is there, all asked for together; none where that was refused."""
    there = [function for function in functions if function.get("Configuration")]
    if not there:
        return
    asked: Document = {"MetricDataQueries": queries([function["FunctionName"] for function in there]), **window(now)}
    results: list[Document] = []
    while True:
        answer = ask("cloudwatch", "get_metric_data", CALL, None, ScanBy="TimestampAscending", **asked)
        if answer is None:
            return
        results += answer.get("MetricDataResults", [])
        if not answer.get("NextToken"):
            break
        asked["NextToken"] = answer["NextToken"]
    for place, function in enumerate(there):
        function["Metrics"] = metrics_of(place, results)


def _rules(ask: _Ask, function_arn: str, pattern: Mapping[str, Any] | None) -> list[Document] | None:
    """The rules that have this function as their target; None where they were not all read."""
    answer = ask(
        "events", "list_rule_names_by_target", "events:ListRuleNamesByTarget", function_arn, TargetArn=function_arn
    )
    if answer is None:
        return None
    rules: list[Document] = []
    for name in answer.get("RuleNames", []):
        rule = ask("events", "describe_rule", "events:DescribeRule", name, Name=name)
        targets = ask("events", "list_targets_by_rule", "events:ListTargetsByRule", name, Rule=name)
        if rule is None or targets is None:
            return None
        if rule:
            found = {"Name": name, **rule, "Targets": targets.get("Targets", [])}
            rules.append(found | ({"Expected": dict(pattern)} if pattern and rule.get("EventPattern") else {}))
    return rules


def _queue(ask: _Ask, name: str) -> Document | None:
    located = ask("sqs", "get_queue_url", "sqs:GetQueueUrl", name, QueueName=name)
    if not located:
        return None
    url = located["QueueUrl"]
    names = ["QueueArn", "ApproximateNumberOfMessages"]
    answer = ask("sqs", "get_queue_attributes", "sqs:GetQueueAttributes", url, QueueUrl=url, AttributeNames=names)
    if not answer:
        return None
    return {"QueueArn": answer["Attributes"].get("QueueArn", url), "Attributes": answer["Attributes"]}
