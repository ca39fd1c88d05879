"""sgwatch's own queue, table, event source mapping, alarms and settings, as the snapshot's ``self`` has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chalicelib.alarm_path.fix_calls import FixCall, script
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json
from chalicelib.alarm_path.verdicts import Finding, Status, status_of
from chalicelib.aws.arns import parse_arn
from chalicelib.text import number_of

# Alerts wait this long where a destination asks for it (Retry-After); the stack's own alarm is set to ten minutes, too.
MOST_SECONDS = 600
SETUP = "sgwatch setup"


def judge_resources(own: Json, functions: Mapping[str, Json]) -> Iterable[Finding]:
    """Findings about what was collected of them."""
    for arn, function in functions.items():
        if "Settings" in function:
            yield _settings(arn, function["Settings"])
    if "delivery_queue" in own:
        yield from _delivery_queue(own["delivery_queue"])
    if "event_source_mappings" in own:
        yield from _mappings(own["event_source_mappings"])
    if "table" in own:
        yield _table(own["table"])
    if "alarms" in own:
        yield from _alarms(own["alarms"], own.get("alarm_topics") or {})


def _settings(arn: str, settings: Json) -> Finding:
    faults, destinations = int(settings.get("faults") or 0), list(settings.get("destinations") or ())
    fix = "sgwatch config --deployed"
    if not destinations:
        reason = f"Function {arn} has no destination: what it alerts on reaches nobody."
        return Finding("own-settings", Status.FAIL, arn, reason, fix)
    if faults:
        reason = f"Function {arn} has {number_of(faults, 'faulty setting')}."
        return Finding("own-settings", Status.FAIL, arn, reason, fix)
    return Finding("own-settings", Status.PASS, arn, f"Function {arn} sends to {', '.join(destinations)}.")


def _delivery_queue(queue: Json | None) -> Iterable[Finding]:
    if queue is None:
        yield Finding("own-queue", Status.FAIL, "delivery queue", "The queue of alerts does not exist.", SETUP)
        return
    arn, age = str(queue.get("QueueArn")), queue.get("OldestMessageAge")
    if age is None:
        yield Finding("own-queue", Status.PASS, arn, f"Queue {arn} exists, and no message waits in it.")
        return
    late = float(age.get("Seconds") or 0) > MOST_SECONDS
    reason = f"The oldest message of queue {arn} has waited {float(age.get('Seconds') or 0):.0f} s."
    yield Finding("own-queue", status_of(not late), arn, reason, "sgwatch audit --stage" if late else None)


def _mappings(mappings: Iterable[Json]) -> Iterable[Finding]:
    listed = list(mappings)
    if not listed:
        reason = "No event source mapping feeds the deliver function: queued alerts are not delivered."
        yield Finding("own-event-source", Status.FAIL, "deliver", reason, "chalice deploy")
    for mapping in listed:
        yield _mapping(mapping)


def _mapping(mapping: Json) -> Finding:
    name, state = str(mapping.get("UUID")), str(mapping.get("State"))
    if (mapping.get("FilterCriteria") or {}).get("Filters"):
        reason = f"Event source mapping {name} filters messages: those that it drops are deleted from the queue."
        return Finding("own-event-source", Status.FAIL, name, reason, "chalice deploy")
    if state in ("Enabled", "Updating"):
        return Finding("own-event-source", Status.PASS, name, f"Event source mapping {name} is {state}.")
    if state in ("Creating", "Enabling"):
        return Finding("own-event-source", Status.UNKNOWN, name, f"Event source mapping {name} is still {state}.")
    why = f" ({mapping['StateTransitionReason']})" if mapping.get("StateTransitionReason") else ""
    parsed = parse_arn(mapping.get("FunctionArn") or mapping.get("EventSourceArn"))
    region = parsed.region if parsed else ""
    fix = script((FixCall("lambda", "UpdateEventSourceMapping", region, {"UUID": name, "Enabled": True}),))
    return Finding("own-event-source", Status.FAIL, name, f"Event source mapping {name} is {state}{why}.", fix)


def _table(table: Json | None) -> Finding:
    if table is None:
        return Finding("own-table", Status.FAIL, "state table", "The state table does not exist.", SETUP)
    status, name = str(table.get("TableStatus")), str(table.get("TableName"))
    # A table that is being updated answers all the while.
    alive = status in ("ACTIVE", "UPDATING")
    return Finding("own-table", status_of(alive), name, f"State table {name} is {status}.", None if alive else SETUP)


def _alarms(alarms: Iterable[Json], topics: Json) -> Iterable[Finding]:
    """Each of sgwatch's own alarms has to notify a topic with a confirmed subscriber."""
    for alarm in alarms:
        arn, actions = str(alarm.get("AlarmArn") or alarm.get("AlarmName")), list(alarm.get("AlarmActions") or ())
        name = str(alarm.get("AlarmName"))
        if not alarm.get("ActionsEnabled", True) or not actions:
            why = "its actions are disabled" if actions else "it has no action"
            yield Finding("own-alarms", Status.FAIL, arn, f"Alarm {name} notifies nobody: {why}.", SETUP)
            continue
        unread = [action for action in actions if action not in topics]
        reached = any(str(item).startswith("arn:") for action in actions for item in topics.get(action, ()))
        status = Status.PASS if reached else Status.UNKNOWN if unread else Status.FAIL
        words = {
            Status.PASS: "notifies a topic with a confirmed subscriber",
            Status.UNKNOWN: "notifies a topic whose subscribers could not be read",
            Status.FAIL: "notifies a topic that nobody is subscribed to",
        }[status]
        yield Finding("own-alarms", status, arn, f"Alarm {name} {words}.", None if status is Status.PASS else SETUP)
