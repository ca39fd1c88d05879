"""sgwatch's own queue, table, event source mapping, alarms and settings, as the snapshot's ``self`` has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chalicelib.alarm_path.checks.alarm_mutes import mute_of, refused_mutes, unmute, unread_mute
from chalicelib.alarm_path.checks.own_fixes import OwnTools, enable_actions, subscribe, update_mapping
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json
from chalicelib.alarm_path.snapshot.model import Snapshot
from chalicelib.alarm_path.verdicts import Finding, Status, status_of
from chalicelib.text import number_of

# Alerts wait this long where a destination asks for it (Retry-After); the stack's own alarm is set to ten minutes, too.
MOST_SECONDS = 600


def judge_resources(own: Json, snapshot: Snapshot, functions: Mapping[str, Json], tools: OwnTools) -> Iterable[Finding]:
    """Findings about what was collected of them; mute rules on its alarms are the account's, in the snapshot."""
    for arn, function in functions.items():
        if "Settings" in function:
            yield _settings(arn, function["Settings"], tools)
    if "delivery_queue" in own:
        yield from _delivery_queue(own["delivery_queue"], tools)
    if "event_source_mappings" in own:
        yield from _mappings(own["event_source_mappings"], own.get("delivery_queue") or {}, tools)
    if "table" in own:
        yield _table(own["table"], tools)
    if "alarms" in own:
        yield from _missing_alarms(own["alarms"], own.get("expected_alarms") or (), tools)
        yield from _alarms(own, snapshot, tools)


def _settings(arn: str, settings: Json, tools: OwnTools) -> Finding:
    faults, destinations = int(settings.get("faults") or 0), list(settings.get("destinations") or ())
    fix = tools.sgwatch("config")
    if not destinations:
        reason = f"Function {arn} has no destination: what it alerts on reaches nobody."
        return Finding("own-settings", Status.FAIL, arn, reason, fix)
    if faults:
        reason = f"Function {arn} has {number_of(faults, 'faulty setting')}."
        return Finding("own-settings", Status.FAIL, arn, reason, fix)
    return Finding("own-settings", Status.PASS, arn, f"Function {arn} sends to {', '.join(destinations)}.")


def _delivery_queue(queue: Json | None, tools: OwnTools) -> Iterable[Finding]:
    if queue is None:
        yield Finding(
            "own-queue", Status.FAIL, "delivery queue", "The queue of alerts does not exist.", tools.sgwatch("setup")
        )
        return
    arn, age = str(queue.get("QueueArn")), queue.get("OldestMessageAge")
    if "OldestMessageAge" not in queue:
        reason = f"How long the oldest message of queue {arn} has waited could not be read."
        yield Finding("own-queue", Status.UNKNOWN, arn, reason)
        return
    if age is None:
        yield Finding("own-queue", Status.PASS, arn, f"Queue {arn} exists, and no message waits in it.")
        return
    late = float(age.get("Seconds") or 0) > MOST_SECONDS
    reason = f"The oldest message of queue {arn} has waited {float(age.get('Seconds') or 0):.0f} s."
    yield Finding("own-queue", status_of(not late), arn, reason, tools.sgwatch("audit") if late else None)


def _mappings(mappings: Iterable[Json], queue: Json, tools: OwnTools) -> Iterable[Finding]:
    """The mappings of the delivery queue; those of other queues deliver no alert."""
    arn = queue.get("QueueArn")
    listed = [item for item in mappings if not arn or item.get("EventSourceArn", arn) == arn]
    if not listed:
        reason = "No event source mapping feeds the deliver function: queued alerts are not delivered."
        yield Finding("own-event-source", Status.FAIL, "deliver", reason, tools.deploy())
    for mapping in listed:
        yield _mapping(mapping, tools)


def _mapping(mapping: Json, tools: OwnTools) -> Finding:
    name, state = str(mapping.get("UUID")), str(mapping.get("State"))
    if (mapping.get("FilterCriteria") or {}).get("Filters"):
        reason = f"Event source mapping {name} filters messages: those that it drops are deleted from the queue."
        fix = tools.aws(update_mapping(mapping, FilterCriteria={"Filters": []}))
        return Finding("own-event-source", Status.FAIL, name, reason, fix)
    if state in ("Enabled", "Updating"):
        return Finding("own-event-source", Status.PASS, name, f"Event source mapping {name} is {state}.")
    if state in ("Creating", "Enabling"):
        return Finding("own-event-source", Status.UNKNOWN, name, f"Event source mapping {name} is still {state}.")
    why = f" ({mapping['StateTransitionReason']})" if mapping.get("StateTransitionReason") else ""
    fix = tools.aws(update_mapping(mapping, Enabled=True))
    return Finding("own-event-source", Status.FAIL, name, f"Event source mapping {name} is {state}{why}.", fix)


def _table(table: Json | None, tools: OwnTools) -> Finding:
    if table is None:
        return Finding(
            "own-table", Status.FAIL, "state table", "The state table does not exist.", tools.sgwatch("setup")
        )
    status, name = str(table.get("TableStatus")), str(table.get("TableName"))
    # A table that is being updated answers all the while.
    alive = status in ("ACTIVE", "UPDATING")
    return Finding(
        "own-table",
        status_of(alive),
        name,
        f"State table {name} is {status}.",
        None if alive else tools.sgwatch("setup"),
    )


def _missing_alarms(alarms: Iterable[Json], expected: Iterable[str], tools: OwnTools) -> Iterable[Finding]:
    there = {alarm.get("AlarmName") for alarm in alarms}
    for name in expected:
        if name not in there:
            yield Finding("own-alarms", Status.FAIL, name, f"Alarm {name} does not exist.", tools.sgwatch("setup"))


def _alarms(own: Json, snapshot: Snapshot, tools: OwnTools) -> Iterable[Finding]:
    """Each of sgwatch's own alarms has to notify a topic with a confirmed subscriber."""
    topics, region = own.get("alarm_topics") or {}, snapshot.region(str(own.get("region") or ""))
    refused = refused_mutes(snapshot, region)
    for alarm in own["alarms"]:
        arn, actions = str(alarm.get("AlarmArn") or alarm.get("AlarmName")), list(alarm.get("AlarmActions") or ())
        name = str(alarm.get("AlarmName"))
        if not alarm.get("ActionsEnabled", True) or not actions:
            why = "its actions are disabled" if actions else "it has no action"
            fix = tools.aws(enable_actions(alarm)) if actions else tools.sgwatch("setup")
            yield Finding("own-alarms", Status.FAIL, arn, f"Alarm {name} notifies nobody: {why}.", fix)
            continue
        muted, _ = mute_of(region, name, arn)
        if muted:
            reason = f"Alarm {name} notifies nobody: it is muted by mute rule {muted}."
            yield Finding(
                "own-alarms", Status.FAIL, arn, reason, tools.aws(*unmute(region.mute_rules, region.name, name))
            )
            continue
        unread = [action for action in actions if action not in topics]
        reached = any(str(item).startswith("arn:") for action in actions for item in topics.get(action, ()))
        status = Status.PASS if reached else Status.UNKNOWN if unread else Status.FAIL
        words = {
            Status.PASS: "notifies a topic with a confirmed subscriber",
            Status.UNKNOWN: "notifies a topic whose subscribers could not be read",
            Status.FAIL: "notifies a topic that nobody is subscribed to",
        }[status]
        fix = tools.aws(subscribe(actions[0])) if status is Status.FAIL else None
        doubt = unread_mute(region, name, arn) or refused
        if doubt and status is Status.PASS:
            yield Finding("own-alarms", Status.UNKNOWN, arn, doubt)
        else:
            yield Finding("own-alarms", status, arn, f"Alarm {name} {words}.", fix)
