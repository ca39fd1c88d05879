"""The fix of a finding as whole shell commands: the least change that mends the link, with every other field kept.

A command is a list of arguments and quoted for a shell at the end, so that whatever a snapshot holds stays text. A
finding without a row here keeps the sentence of its check.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import join
from typing import Any

from chalicelib.alarm_path.checks.resource_policies import CLOUDWATCH, ServiceCall, allows
from chalicelib.alarm_path.checks.subscriptions import SNS
from chalicelib.alarm_path.checks.topic_checks import publish_statement
from chalicelib.alarm_path.snapshot.model import MetricFilter, Snapshot, Topic
from chalicelib.alarm_path.verdicts import Finding, Status
from chalicelib.aws.arns import parse_arn


@dataclass(frozen=True, slots=True)
class Command:
    """One call of the AWS CLI."""

    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return join(self.arguments)


@dataclass(frozen=True, slots=True)
class FixContext:
    """Where a finding stands: the filter, the alarm's ARN and the topic of its path."""

    snapshot: Snapshot
    metric_filter: MetricFilter | None
    log_group_region: str
    alarm_arn: str
    topic: str | None


def with_commands(finding: Finding, context: FixContext) -> Finding:
    """The finding with the commands that mend it, in their order, where there are any."""
    commands = commands_for(finding, context)
    return replace(finding, fix=" && ".join(map(str, commands))) if commands else finding


def commands_for(finding: Finding, context: FixContext) -> tuple[Command, ...]:
    """The commands that mend a failed finding; none where no command is known to."""
    make = _FIXES.get(finding.check)
    if make is None or finding.status is not Status.FAIL:
        return ()
    return tuple(make(finding, context))


def _aws(service: str, verb: str, region: str, **options: str) -> Command:
    pairs = (part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value))
    return Command(("aws", service, verb, "--region", region, *pairs))


def _topic(context: FixContext) -> tuple[Topic, str] | None:
    arn = parse_arn(context.topic)
    topic = (context.snapshot.region(arn.region).topics or {}).get(str(arn)) if arn else None
    return (topic, arn.region) if topic is not None and arn is not None else None


def _extended(policy: object, statement: Mapping[str, Any]) -> dict[str, Any] | None:
    """A policy with a statement more; None where it is no policy document."""
    if not policy:
        return {"Version": "2012-10-17", "Statement": [statement]}
    document = _parsed(policy)
    found = document.get("Statement", []) if isinstance(document, Mapping) else None
    statements = [found] if isinstance(found, Mapping) else found
    if not isinstance(statements, list) or not all(isinstance(item, Mapping) for item in statements):
        return None
    kept = [item for item in statements if item.get("Sid") != statement["Sid"]]
    return {**document, "Statement": [*kept, statement]}


def _parsed(policy: object) -> Any:
    try:
        return json.loads(policy) if isinstance(policy, str) else policy
    except ValueError:
        return None


def _topic_policy(_finding: Finding, context: FixContext) -> Iterator[Command]:
    found = _topic(context)
    if found is None:
        return
    topic, region = found
    account = context.snapshot.account_id
    policy = _extended((topic.attributes or {}).get("Policy"), publish_statement(account, topic.arn))
    call = ServiceCall(CLOUDWATCH, "sns:Publish", topic.arn, account, context.alarm_arn)
    # A statement that denies stays in force, whatever is allowed beside it.
    if policy is not None and allows(policy, call).status is Status.PASS:
        options = {"attribute_name": "Policy", "attribute_value": json.dumps(policy)}
        yield _aws("sns", "set-topic-attributes", region, topic_arn=topic.arn, **options)


def _topic_key(finding: Finding, context: FixContext) -> Iterator[Command]:
    found = _topic(context)
    if found is None or finding.subject.endswith("alias/aws/sns"):
        return
    topic, region = found
    if topic.key_state in {"Disabled", "PendingDeletion"}:
        if topic.key_state == "PendingDeletion":
            yield _aws("kms", "cancel-key-deletion", region, key_id=finding.subject)
        yield _aws("kms", "enable-key", region, key_id=finding.subject)
    elif topic.key_policy is not None and topic.key_state in {None, "Enabled"} and "alias/" not in finding.subject:
        yield from _key_policy(finding.subject, topic, region, context)


def _key_policy(key: str, topic: Topic, region: str, context: FixContext) -> Iterator[Command]:
    actions = ["kms:Decrypt", "kms:GenerateDataKey*"]
    principal = {"Service": CLOUDWATCH}
    statement = {"Sid": "sgwatch-alarms", "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"}
    policy = _extended(topic.key_policy, statement)
    calls = [
        ServiceCall(CLOUDWATCH, action, key, context.snapshot.account_id, context.alarm_arn)
        for action in ("kms:Decrypt", "kms:GenerateDataKey")
    ]
    if policy is not None and all(allows(_of_the_key(policy), call).status is Status.PASS for call in calls):
        yield _aws("kms", "put-key-policy", region, key_id=key, policy_name="default", policy=json.dumps(policy))


def _of_the_key(policy: Mapping[str, Any]) -> dict[str, Any]:
    """A key policy's Resource always means the key itself."""
    statements = [{name: value for name, value in item.items() if name != "Resource"} for item in policy["Statement"]]
    return {**policy, "Statement": statements}


def _subscriber(_finding: Finding, context: FixContext) -> Iterator[Command]:
    """A confirmed subscription is let through; whom else to notify is nothing that a command can know."""
    found = _topic(context)
    for item in (found[0].subscriptions or ()) if found else ():
        if not item.arn.startswith("arn:"):
            continue
        endpoint = parse_arn(item.endpoint)
        if found and (item.attributes or {}).get("FilterPolicy"):
            options = {"attribute_name": "FilterPolicy", "attribute_value": "{}"}
            yield _aws("sns", "set-subscription-attributes", found[1], subscription_arn=item.arn, **options)
            return
        if found and item.protocol == "lambda" and endpoint and item.policy_collected:
            options = {"action": "lambda:InvokeFunction", "principal": SNS, "source_arn": found[0].arn}
            named = {"function_name": item.endpoint, "statement_id": "sgwatch-alarms"}
            yield _aws("lambda", "add-permission", endpoint.region, **named, **options)
            return


def _filter(
    change: Callable[[dict[str, Any]], Mapping[str, Any]],
) -> Callable[[Finding, FixContext], Sequence[Command]]:
    """The filter put again as it is, but for one change."""

    def put(_finding: Finding, context: FixContext) -> Sequence[Command]:
        item, region = context.metric_filter, context.log_group_region
        listed = ((context.snapshot.document.get("regions") or {}).get(region) or {}).get("metric_filters") or ()
        for raw in listed:
            if item and (raw.get("filterName"), raw.get("logGroupName")) == (item.name, item.log_group):
                kept = {name: value for name, value in raw.items() if name != "creationTime"}
                return (_aws("logs", "put-metric-filter", region, cli_input_json=json.dumps(change(kept))),)
        return ()

    return put


def _counts_one(item: dict[str, Any]) -> Mapping[str, Any]:
    changed = [{**found, "metricValue": "1"} for found in item.get("metricTransformations") or ()]
    return {**item, "metricTransformations": changed}


def _reads_all(item: dict[str, Any]) -> Mapping[str, Any]:
    return {
        name: value for name, value in item.items() if name not in {"fieldSelectionCriteria", "applyOnTransformedLogs"}
    }


_FIXES: Mapping[str, Callable[[Finding, FixContext], Iterator[Command] | Sequence[Command]]] = {
    "filter-value": _filter(_counts_one),
    "filter-scope": _filter(_reads_all),
    "topic-policy": _topic_policy,
    "topic-key": _topic_key,
    "subscriber": _subscriber,
}
