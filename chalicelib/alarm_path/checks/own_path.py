"""sgwatch's own path: its EventBridge rules, functions and dead-letter queues, as the snapshot's ``self`` has them.

{"rules": [DescribeRule answers with "Targets" and "Expected", the catalog's pattern as deployed],
 "functions": [{"FunctionName", "Configuration": {…} | null where it does not exist,
                "RuleNames": [those that invoke it] | null, "Policy": {…} | null, "EventInvokeConfig": {…} | null,
                "Metrics": {"Invocations" | "Errors" | "Throttles": GetMetricData's StatusCode, Timestamps, Values}}],
 "dead_letter_queues": [{"QueueArn", "Attributes": {…} | null where it is gone}], "region",
 "delivery_queue": null where it is gone, {"QueueArn", "Attributes", "OldestMessageAge": {"Timestamp", "Seconds"}},
 "event_source_mappings": [ListEventSourceMappings items], "table": {"TableName", "TableStatus"} | null,
 "alarms": [DescribeAlarms items], "expected_alarms": [name], "alarm_topics": {arn: [SubscriptionArn]},
 "deliveries": {destination: {"AlertsSent" | "DeliveryFailures": time of the latest | null}},
 "forwarding": {"expected": {rule name: pattern}, "regions": {region: as checks/forwarders.py says} | null}}
and in each function "Settings": {"destinations": [name], "faults": how many}, never a value of its environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chalicelib.alarm_path.checks.forwarders import read_object, without_order
from chalicelib.alarm_path.checks.own_deliveries import judge_deliveries
from chalicelib.alarm_path.checks.own_fixes import (
    EVENTS_SERVICE,
    INSTEAD,
    OwnTools,
    enable_rule,
    is_enabled,
    let_invoke,
    put_pattern,
    put_target,
    run_again,
)
from chalicelib.alarm_path.checks.own_forwarding import judge_forwarding
from chalicelib.alarm_path.checks.own_resources import judge_resources
from chalicelib.alarm_path.checks.own_runs import judge_runs
from chalicelib.alarm_path.checks.resource_policies import ServiceCall, allows
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json
from chalicelib.alarm_path.snapshot.model import Snapshot
from chalicelib.alarm_path.snapshot.own_metrics import CALL
from chalicelib.alarm_path.verdicts import Finding, Status, status_of


def judge_own_path(snapshot: Snapshot, profile: str | None = None) -> tuple[list[Finding], list[str]]:
    """Findings about sgwatch itself, and notes: that it was not collected, or which runs failed.

    ``profile`` goes into the fixes.
    """
    if snapshot.own is None:
        return [], ["sgwatch's own path was not collected, so it was not judged."]
    try:
        return _judged(snapshot, snapshot.own, profile)
    except (AttributeError, TypeError, ValueError, LookupError) as error:
        # A snapshot that somebody wrote may hold anything in AWS's items.
        reason = f"sgwatch's own path holds a value of the wrong type ({type(error).__name__}), so it was not judged."
        return [Finding("own-function", Status.UNKNOWN, "sgwatch", reason)], []


def _judged(snapshot: Snapshot, own: Json, profile: str | None) -> tuple[list[Finding], list[str]]:
    listed = own.get("functions") or ()
    tools = OwnTools.of(listed, profile)
    functions = {str(item["Configuration"].get("FunctionArn")): item for item in listed if item.get("Configuration")}
    findings = [_absent(item, tools) for item in listed if not item.get("Configuration")]
    for rule in own.get("rules") or ():
        findings += _rule(snapshot, rule, functions, tools)
    notes: list[str] = []
    refused = snapshot.errors_of(CALL)
    for arn, function in functions.items():
        findings += _invoked(arn, function, tools)
        findings += _function(arn, function, tools)
        finding, found = judge_runs(arn, function, snapshot.collected_at, refused)
        findings.append(finding)
        notes += found
    findings += [_queue(queue, tools) for queue in own.get("dead_letter_queues") or ()]
    findings += judge_resources(own, snapshot, functions, tools)
    homes = [trail.home_region for trail in snapshot.trails or ()]
    findings += judge_forwarding(own, snapshot.account_id, snapshot.partition, homes, tools)
    findings += judge_deliveries(own, snapshot.collected_at, tools)
    if not own.get("rules") and not any(finding.status is Status.UNKNOWN for finding in findings):
        reason = "sgwatch has no EventBridge rule in this account and region, so no change reaches it."
        findings.append(Finding("own-rule", Status.FAIL, "sgwatch", reason, tools.deploy()))
    return findings, notes


def _absent(function: Json, tools: OwnTools) -> Finding:
    name = str(function.get("FunctionName"))
    if "Configuration" in function:
        return Finding("own-function", Status.FAIL, name, f"Function {name} does not exist.", tools.deploy())
    return Finding("own-function", Status.UNKNOWN, name, f"Whether function {name} exists could not be read.")


def _invoked(arn: str, function: Json, tools: OwnTools) -> Iterable[Finding]:
    names = function.get("RuleNames", ())
    if names is None:
        reason = f"Which EventBridge rules invoke function {arn} could not be read."
        yield Finding("own-target", Status.UNKNOWN, arn, reason)
    elif not names and "RuleNames" in function:
        reason = f"No EventBridge rule invokes function {arn}."
        yield Finding("own-target", Status.FAIL, arn, reason, tools.deploy())


def _rule(snapshot: Snapshot, rule: Json, functions: Mapping[str, Json], tools: OwnTools) -> Iterable[Finding]:
    name, arn = str(rule.get("Name")), str(rule.get("Arn") or rule.get("Name"))
    enabled = is_enabled(rule)
    words = "is enabled" if enabled else f"is {rule.get('State')}"
    yield Finding(
        "own-rule",
        status_of(enabled),
        arn,
        f"EventBridge rule {name} {words}.",
        None if enabled else tools.aws(enable_rule(rule)),
    )
    yield _pattern(rule, name, arn, tools)
    listed = rule.get("Targets") or ()
    reached = [str(target.get("Arn")) for target in listed if str(target.get("Arn")) in functions]
    for target in listed:
        yield from _whole(rule, target, functions, tools)
    if not reached:
        reason = f"EventBridge rule {name} has no target among sgwatch's functions."
        yield Finding("own-target", Status.FAIL, arn, reason, tools.deploy())
    for target in reached:
        yield _permission(snapshot, rule, target, functions[target], tools)


def _whole(rule: Json, target: Json, functions: Mapping[str, Json], tools: OwnTools) -> Iterable[Finding]:
    """A target with an input of its own: what then reaches the function may be anything."""
    name, arn = str(rule.get("Name")), str(target.get("Arn"))
    instead = [key for key in INSTEAD if target.get(key)]
    if arn in functions and instead:
        reason = f"The target of EventBridge rule {name} has {' and '.join(instead)}: {arn} does not get the event."
        yield Finding("own-target", Status.FAIL, arn, reason, tools.aws(put_target(rule, target)))
    elif arn in functions:
        yield Finding("own-target", Status.PASS, arn, f"EventBridge rule {name} hands each event to {arn}.")


def _pattern(rule: Json, name: str, arn: str, tools: OwnTools) -> Finding:
    if rule.get("ScheduleExpression"):
        reason = f"EventBridge rule {name} runs on a schedule: {rule['ScheduleExpression']}."
        return Finding("own-pattern", Status.PASS, arn, reason)
    if "Expected" not in rule:
        return Finding(
            "own-pattern", Status.UNKNOWN, arn, f"What EventBridge rule {name} should match was not collected."
        )
    same = without_order(read_object(rule.get("EventPattern"))) == without_order(read_object(rule["Expected"]))
    words = "matches what the catalog says" if same else "does not match what the catalog says"
    return Finding(
        "own-pattern",
        status_of(same),
        arn,
        f"EventBridge rule {name} {words}.",
        None if same else tools.aws(put_pattern(rule)),
    )


def _permission(snapshot: Snapshot, rule: Json, target: str, function: Json, tools: OwnTools) -> Finding:
    name, rule_arn = str(rule.get("Name")), str(rule.get("Arn") or rule.get("Name"))
    account, at = snapshot.account_id, snapshot.collected_at
    call = ServiceCall(EVENTS_SERVICE, "lambda:InvokeFunction", target, account, rule_arn, at)
    if "Policy" not in function:
        reason = f"Whether EventBridge may invoke {target} was not collected."
        return Finding("own-permission", Status.UNKNOWN, target, reason)
    answer = allows(read_object(function["Policy"]) or {"Statement": []}, call)
    reason = f"EventBridge rule {name} and function {target}: {answer.why}."
    fix = None if answer.status is Status.PASS else tools.aws(let_invoke(rule, target))
    return Finding("own-permission", answer.status, target, reason, fix)


def _function(arn: str, function: Json, tools: OwnTools) -> Iterable[Finding]:
    configuration = function.get("Configuration") or {}
    state = str(configuration.get("State") or "Active")
    # An idle function is Inactive until its next invocation, which wakes it.
    # https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
    alive = state in {"Active", "Inactive"} and configuration.get("LastUpdateStatus", "Successful") != "Failed"
    # A function that is being made, or woken, is Pending.
    status = Status.UNKNOWN if state == "Pending" else status_of(alive)
    fix = tools.deploy() if status is Status.FAIL else None
    yield Finding("own-function", status, arn, f"Function {arn} is {state}.", fix)
    if function.get("ReservedConcurrency") == 0:
        reason = f"Function {arn} has a reserved concurrency of 0: it never runs."
        yield Finding("own-function", Status.FAIL, arn, reason, tools.aws(run_again(arn)))
    if "EventInvokeConfig" in function:
        config = function["EventInvokeConfig"] or {}
        there = bool(((config.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination"))
        reason = f"Function {arn} has {'an' if there else 'no'} on-failure destination."
        yield Finding("own-on-failure", status_of(there), arn, reason, None if there else tools.sgwatch("setup"))


def _queue(queue: Json, tools: OwnTools) -> Finding:
    arn = str(queue.get("QueueArn"))
    if "Attributes" in queue and queue["Attributes"] is None:
        reason = f"Dead-letter queue {arn} does not exist: what cannot be delivered is lost."
        return Finding("own-dead-letters", Status.FAIL, arn, reason, tools.sgwatch("setup"))
    count = (queue.get("Attributes") or {}).get("ApproximateNumberOfMessages")
    if count is None:
        return Finding("own-dead-letters", Status.UNKNOWN, arn, f"How many messages {arn} holds was not collected.")
    empty = int(count) == 0
    reason = (
        f"Dead-letter queue {arn} is empty." if empty else f"Dead-letter queue {arn} holds {count} undelivered alerts."
    )
    return Finding("own-dead-letters", status_of(empty), arn, reason, None if empty else tools.sgwatch("redrive"))
