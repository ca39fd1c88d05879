"""The fixes of sgwatch's own path: its tools with stage and profile, and the least calls of AWS's API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from shlex import join
from typing import Any

from chalicelib.alarm_path.fix_calls import FixCall, script
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json
from chalicelib.aws.arns import parse_arn
from chalicelib.deployment import stage_of

EVENTS_SERVICE = "events.amazonaws.com"
# Each hands the function something else than the event. The input of a schedule's target means nothing to sgwatch.
INSTEAD = ("Input", "InputPath", "InputTransformer")


@dataclass(frozen=True, slots=True)
class OwnTools:
    """Which stage the commands are for, None where the functions' names do not tell, and as whom."""

    stage: str | None = None
    profile: str | None = None

    @classmethod
    def of(cls, functions: Iterable[Json], profile: str | None) -> OwnTools:
        """By the functions of the snapshot's ``self``."""
        named = (stage_of(str(item.get("FunctionName"))) for item in functions)
        return cls(next((stage.name for stage in named if stage), None), profile)

    def sgwatch(self, *words: str) -> str:
        """A command of sgwatch."""
        return join(["sgwatch", *words, *self._options()])

    def deploy(self) -> str:
        """The stage deployed again, which puts right what Chalice makes."""
        return join(["chalice", "deploy", *self._options()])

    def aws(self, *calls: FixCall) -> str | None:
        """The calls as one line for a shell."""
        return script(calls, self.profile)

    def _options(self) -> list[str]:
        stage = ["--stage", self.stage] if self.stage else []
        return [*stage, *(["--profile", self.profile] if self.profile else [])]


def region_of(arn: object) -> str:
    """The region in an ARN; empty where it is none."""
    parsed = parse_arn(str(arn))
    return parsed.region if parsed else ""


def is_enabled(rule: Json) -> bool:
    """Whether the rule hands on events."""
    return str(rule.get("State", "")).startswith("ENABLED")


def enable_rule(rule: Json) -> FixCall:
    """The rule switched on."""
    return FixCall("events", "EnableRule", region_of(rule.get("Arn")), {"Name": str(rule.get("Name"))})


def put_pattern(rule: Json) -> FixCall:
    """The rule with the catalog's pattern; PutRule leaves out what it is not given, and enables the rule."""
    kept = ("Description", "RoleArn", "EventBusName", *(("State",) if is_enabled(rule) else ()))
    pattern = rule["Expected"] if isinstance(rule["Expected"], str) else _json(rule["Expected"])
    fields = {"Name": str(rule.get("Name")), "EventPattern": pattern}
    return FixCall(
        "events", "PutRule", region_of(rule.get("Arn")), fields | {key: rule[key] for key in kept if rule.get(key)}
    )


def put_target(rule: Json, target: Json) -> FixCall:
    """The target as it is without an input of its own."""
    whole = {key: value for key, value in target.items() if key not in INSTEAD}
    bus = {"EventBusName": rule["EventBusName"]} if rule.get("EventBusName") else {}
    parameters = {"Rule": str(rule.get("Name")), **bus, "Targets": [whole]}
    return FixCall("events", "PutTargets", region_of(rule.get("Arn")), parameters)


def let_invoke(rule: Json, function_arn: str) -> FixCall:
    """EventBridge let in for this rule."""
    name = str(rule.get("Name"))
    statement = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in name)
    parameters = {
        "FunctionName": function_arn,
        "StatementId": f"sgwatch-{statement}"[:100],
        "Action": "lambda:InvokeFunction",
        "Principal": EVENTS_SERVICE,
        "SourceArn": str(rule.get("Arn")),
    }
    return FixCall("lambda", "AddPermission", region_of(function_arn), parameters)


def run_again(function_arn: str) -> FixCall:
    """The reserved concurrency of 0 taken away."""
    return FixCall("lambda", "DeleteFunctionConcurrency", region_of(function_arn), {"FunctionName": function_arn})


def update_mapping(mapping: Json, **changes: Any) -> FixCall:
    """The event source mapping with other fields; UpdateEventSourceMapping keeps what it is not given."""
    region = region_of(mapping.get("FunctionArn") or mapping.get("EventSourceArn"))
    return FixCall("lambda", "UpdateEventSourceMapping", region, {"UUID": str(mapping.get("UUID")), **changes})


def enable_actions(alarm: Json) -> FixCall:
    """The alarm's actions switched on."""
    names = {"AlarmNames": [str(alarm.get("AlarmName"))]}
    return FixCall("cloudwatch", "EnableAlarmActions", region_of(alarm.get("AlarmArn")), names)


def subscribe(topic: str) -> FixCall:
    """Somebody subscribed to the topic of the alarms."""
    parameters: Mapping[str, Any] = {"TopicArn": topic, "Protocol": "email"}
    asks = ("Endpoint", "E-mail address to notify: ")
    return FixCall("sns", "Subscribe", region_of(topic), parameters, asks=asks)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
