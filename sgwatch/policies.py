"""The functions' IAM policies, made from one table: each function may do what it calls and nothing else.

``python -m sgwatch.policies [STAGE …]`` writes ``.chalice/policy-<stage>-<function>.json`` and names each file in
``.chalice/config.json``; `sgwatch init`, `setup` and `deploy` do the same. What a setting switches on or narrows is
written as the stage's settings are at that moment.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.aws.arns import parse_arn
from chalicelib.deployment import (
    ALERT_ON_CHANGE,
    ALERT_ON_OWN_TAMPERING,
    ALERT_ON_TAMPERING,
    AUDIT_ON_MENDING,
    AUDIT_ON_SCHEDULE,
    DELIVER,
    HANDLERS,
    RECONCILE,
    WITH_EVENTS,
)
from chalicelib.settings.environment import delivery_queue
from chalicelib.settings.fields import ALL_REGIONS
from chalicelib.settings.stage import stage_variables
from sgwatch.project_files import CONFIG, StageError, read_json, stage_of_config, write_json

Variables = Mapping[str, str]
# The resources that a stage's settings leave of a statement's; none switches the statement off.
Narrowed = Callable[[Variables, tuple[str, ...]], tuple[str, ...]]

AUDITING = (ALERT_ON_TAMPERING, ALERT_ON_OWN_TAMPERING, AUDIT_ON_MENDING, AUDIT_ON_SCHEDULE)
ALERTING = (ALERT_ON_CHANGE, *AUDITING)
EVERYTHING = ("*",)


def _as_they_are(_variables: Variables, resources: tuple[str, ...]) -> tuple[str, ...]:
    return resources


def switched_on_by(setting: str) -> Narrowed:
    """Only where this setting is ``true``."""

    def narrow(variables: Variables, resources: tuple[str, ...]) -> tuple[str, ...]:
        return resources if variables.get(setting, "").strip().lower() == "true" else ()

    return narrow


def arns_of(pattern: str, *, unless_set: bool) -> Narrowed:
    """The ARNs in the settings of this name; all of the kind where one is a reference, whose value is not known.

    ``unless_set`` is whether all of the kind is granted where no such setting is there.
    """

    def narrow(variables: Variables, resources: tuple[str, ...]) -> tuple[str, ...]:
        values = [value.strip() for name, value in variables.items() if re.fullmatch(pattern, name)]
        if not values:
            return resources if unless_set else ()
        return tuple(dict.fromkeys(values)) if all(map(parse_arn, values)) else resources

    return narrow


def set_to(setting: str, value: str) -> Narrowed:
    """All of it where the setting has this value, else nothing."""

    def narrow(variables: Variables, resources: tuple[str, ...]) -> tuple[str, ...]:
        return resources if variables.get(setting, "").strip() == value else ()

    return narrow


def role_of(setting: str) -> Narrowed:
    """The role of this setting, by its name or ARN, in any account."""

    def narrow(variables: Variables, _resources: tuple[str, ...]) -> tuple[str, ...]:
        role = variables.get(setting, "").strip()
        if not role:
            return ()
        return (role.replace("{account}", "*") if role.startswith("arn:") else f"arn:*:iam::*:role/{role}",)

    return narrow


@dataclass(frozen=True, slots=True)
class PolicyStatement:
    """What some functions may do. ``{stage}`` and ``{function}`` stand in ``resources``.

    ``direct`` are the functions that need it only where delivery is direct.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    handlers: tuple[str, ...]
    reason: str
    direct: tuple[str, ...] = ()
    narrowed: Narrowed = _as_they_are

    def document(self, stage: str, handler: str, variables: Variables) -> dict[str, Any] | None:
        """The statement in this function's policy; None where it has no place there."""
        holders = self.handlers if delivery_queue(variables) else (*self.handlers, *self.direct)
        resources = self.narrowed(variables, self.resources) if handler in holders else ()
        if not resources:
            return None
        places = {"{stage}": stage, "{function}": handler}
        return {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": [_filled(resource, places) for resource in resources],
        }


def _filled(text: str, places: Mapping[str, str]) -> str:
    for place, value in places.items():
        text = text.replace(place, value)
    return text


# What a path consists of is not known beforehand; DescribeAlarms hides composite alarms from a narrower permission.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
_AUDIT = (
    "cloudtrail:DescribeTrails",
    "cloudtrail:GetEventSelectors",
    "cloudtrail:GetTrailStatus",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetAlarmMuteRule",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListAlarmMuteRules",
    "ec2:DescribeRegions",
    "events:DescribeRule",
    "events:ListRuleNamesByTarget",
    "events:ListRules",
    "events:ListTargetsByRule",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "lambda:GetPolicy",
    "lambda:ListEventSourceMappings",
    "logs:DescribeAccountPolicies",
    "logs:DescribeLogGroups",
    "logs:DescribeMetricFilters",
    "logs:GetTransformer",
    "sns:GetSubscriptionAttributes",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sts:GetCallerIdentity",
)
_LOOK_UPS = (
    "ec2:DescribeManagedPrefixLists",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVpcEndpoints",
    "ec2:GetManagedPrefixListEntries",
    "iam:ListAccountAliases",
)
_STATE = (
    "dynamodb:ConditionCheckItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
_LOG_GROUP = "arn:*:logs:*:*:log-group:/aws/lambda/sgwatch-{stage}-{function}"

STATEMENTS: tuple[PolicyStatement, ...] = (
    PolicyStatement(
        "OwnLogs",
        ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
        (_LOG_GROUP, f"{_LOG_GROUP}:*"),
        HANDLERS,
        "the function's log, also after somebody deleted its log group",
    ),
    PolicyStatement(
        "AlertTopics",
        ("sns:Publish",),
        ("arn:*:sns:*:*:*",),
        (DELIVER,),
        "SNS destinations: the topics of `SNS_TOPIC_ARN` where they are written as ARNs, else topics (not telephone "
        "numbers)",
        direct=ALERTING,
        narrowed=arns_of(r"SNS(__\w+_)?_TOPIC_ARN", unless_set=True),
    ),
    PolicyStatement(
        "EventBus",
        ("events:PutEvents",),
        ("arn:*:events:*:*:event-bus/*",),
        (DELIVER,),
        "the event bus of `EVENT_BUS_ARN`",
        direct=ALERTING,
        narrowed=arns_of(r"EVENT_BUS(__\w+_)?_ARN", unless_set=False),
    ),
    PolicyStatement(
        "SecurityHub",
        ("securityhub:BatchImportFindings",),
        ("arn:*:securityhub:*:*:product/*/default",),
        (DELIVER,),
        "`SECURITY_HUB=true`",
        direct=ALERTING,
        narrowed=switched_on_by("SECURITY_HUB"),
    ),
    PolicyStatement(
        "Parameters",
        ("ssm:GetParameter",),
        ("arn:*:ssm:*:*:parameter/sgwatch/{stage}/*", "arn:*:ssm:*:*:parameter/sgwatch/shared/*"),
        (DELIVER, *AUDITING),
        "`ssm:` references, and the status of the last audit",
        direct=(ALERT_ON_CHANGE,),
    ),
    PolicyStatement(
        "Secrets",
        ("secretsmanager:GetSecretValue",),
        ("arn:*:secretsmanager:*:*:secret:sgwatch/{stage}/*", "arn:*:secretsmanager:*:*:secret:sgwatch/shared/*"),
        (DELIVER, *AUDITING),
        "`secretsmanager:` references",
        direct=(ALERT_ON_CHANGE,),
    ),
    PolicyStatement(
        "AuditStatus",
        ("ssm:PutParameter",),
        ("arn:*:ssm:*:*:parameter/sgwatch/{stage}/alarm-path",),
        (),
        "the status of the last audit, where there is no state table for it",
        direct=AUDITING,
    ),
    PolicyStatement("Audit", _AUDIT, EVERYTHING, AUDITING, "the audit, which only reads"),
    PolicyStatement(
        "AuditOwnFunctions",
        ("lambda:GetFunction", "lambda:GetFunctionEventInvokeConfig"),
        ("arn:*:lambda:*:*:function:sgwatch-{stage}-*",),
        AUDITING,
        "the audit of sgwatch's own path",
    ),
    PolicyStatement(
        "AuditOwnTable",
        ("dynamodb:DescribeTable",),
        ("arn:*:dynamodb:*:*:table/sgwatch-{stage}-state",),
        AUDITING,
        "the same",
    ),
    PolicyStatement(
        "AutoRepairFilters",
        ("logs:PutMetricFilter",),
        ("arn:*:logs:*:*:log-group:*",),
        AUDITING,
        "`AUTO_REPAIR=true`; a metric filter has no ARN of its own",
        narrowed=switched_on_by("AUTO_REPAIR"),
    ),
    PolicyStatement(
        "AutoRepairAlarms",
        ("cloudwatch:PutMetricAlarm", "cloudwatch:EnableAlarmActions"),
        ("arn:*:cloudwatch:*:*:alarm:sgwatch-*",),
        AUDITING,
        "`AUTO_REPAIR=true`",
        narrowed=switched_on_by("AUTO_REPAIR"),
    ),
    PolicyStatement(
        "AutoRepairTopic",
        ("sns:CreateTopic", "sns:SetTopicAttributes"),
        ("arn:*:sns:*:*:sgwatch-*",),
        AUDITING,
        "`AUTO_REPAIR=true`",
        narrowed=switched_on_by("AUTO_REPAIR"),
    ),
    PolicyStatement(
        "LookUps",
        _LOOK_UPS,
        EVERYTHING,
        (ALERT_ON_CHANGE, RECONCILE),
        "[look-ups](enrichment.md), `ENRICH=true`; AWS limits none of them to a resource",
        narrowed=switched_on_by("ENRICH"),
    ),
    PolicyStatement(
        "LookUpsInConfig",
        ("config:GetResourceConfigHistory",),
        EVERYTHING,
        (ALERT_ON_CHANGE, RECONCILE),
        "`ENRICH_CONFIG=true`",
        narrowed=switched_on_by("ENRICH_CONFIG"),
    ),
    PolicyStatement(
        "LookUpsInOtherAccounts",
        ("sts:AssumeRole",),
        (),
        (ALERT_ON_CHANGE, RECONCILE),
        "the role of `ENRICH_ROLE`, and no other",
        narrowed=role_of("ENRICH_ROLE"),
    ),
    PolicyStatement(
        "QueueAlerts",
        ("sqs:GetQueueUrl", "sqs:SendMessage"),
        ("arn:*:sqs:*:*:sgwatch-{stage}-deliveries.fifo",),
        (*ALERTING, DELIVER, RECONCILE),
        "[durable delivery](delivery.md)",
    ),
    PolicyStatement(
        "ReadQueue",
        ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
        ("arn:*:sqs:*:*:sgwatch-{stage}-deliveries.fifo",),
        (DELIVER,),
        "the same; Lambda reads the queue with the function's role",
    ),
    PolicyStatement(
        "DeadLetters",
        ("sqs:GetQueueUrl", "sqs:SendMessage"),
        ("arn:*:sqs:*:*:sgwatch-{stage}-undelivered.fifo",),
        (DELIVER,),
        "what could not be delivered",
    ),
    PolicyStatement(
        "FailedEvents",
        ("sqs:SendMessage",),
        ("arn:*:sqs:*:*:sgwatch-{stage}-failed-events",),
        WITH_EVENTS,
        "Lambda puts the events there that the function failed on, with its role",
    ),
    PolicyStatement(
        "State",
        _STATE,
        ("arn:*:dynamodb:*:*:table/sgwatch-{stage}-state",),
        (*ALERTING, DELIVER, RECONCILE),
        "the state table of durable delivery",
    ),
    PolicyStatement(
        "HowAnswersAreRead",
        ("lambda:ListEventSourceMappings",),
        EVERYTHING,
        (DELIVER,),
        "whether Lambda reads which messages failed; this action knows no resources",
    ),
    PolicyStatement(
        "WhoDidIt",
        ("cloudtrail:LookupEvents",),
        EVERYTHING,
        (RECONCILE,),
        "who made a change that no event reported; this action knows no resources",
    ),
    PolicyStatement(
        "EnabledRegions",
        ("ec2:DescribeRegions",),
        EVERYTHING,
        (RECONCILE,),
        "`RECONCILE_REGIONS=all`; this action knows no resources",
        narrowed=set_to("RECONCILE_REGIONS", ALL_REGIONS),
    ),
)

# What a stage may read in another account: look-ups, reconciliation and the audit. They read settings, never contents.
READS_IN_MEMBERS = frozenset(
    (
        *_AUDIT,
        *_LOOK_UPS,
        "cloudtrail:LookupEvents",
        "config:GetResourceConfigHistory",
    )
)


def policy(stage: str, handler: str, variables: Variables) -> dict[str, Any]:
    """The policy document of one function."""
    made = (statement.document(stage, handler, variables) for statement in STATEMENTS)
    return {"Version": "2012-10-17", "Statement": [statement for statement in made if statement is not None]}


def policy_file(stage: str, handler: str) -> str:
    """The file's name in ``.chalice``."""
    return f"policy-{stage}-{handler}.json"


def policies(config: Mapping[str, Any], stage: str) -> Mapping[str, dict[str, Any]]:
    """File name → policy of each function of a stage, as its settings in config.json want it."""
    return {policy_file(stage, handler): policy(stage, handler, _texts(config, stage, handler)) for handler in HANDLERS}


def _texts(config: Mapping[str, Any], stage: str, handler: str) -> dict[str, str]:
    """The function's variables, without what is no text and so is refused when one deploys."""
    variables: Mapping[str, object] = stage_variables(config, stage, handler)
    return {name: value for name, value in variables.items() if isinstance(value, str)}


def write_policies(path: Path, stage: str) -> tuple[str, ...]:
    """Write a stage's policies beside its config.json and name them there; gives the names of the files that changed.

    Raises:
        StageError: there is no such stage, or config.json cannot be read.
    """
    folder, config = path.parent, read_json(path)
    _name_files(stage_of_config(config, path, stage), stage)
    changed = [name for name, document in policies(config, stage).items() if _write(folder / name, document)]
    if config != read_json(path):
        write_json(path, config)
        changed.append(path.name)
    # One policy for all functions of a stage, as earlier versions had it.
    (folder / f"policy-{stage}.json").unlink(missing_ok=True)
    return tuple(changed)


def stale_policies(path: Path, stage: str) -> Iterator[str]:
    """The names of a stage's policy files that are not what its settings want.

    Raises:
        StageError: config.json cannot be read.
    """
    for name, document in policies(read_json(path), stage).items():
        file = path.with_name(name)
        if not file.exists() or read_json(file) != document:
            yield name


def _name_files(settings: dict[str, Any], stage: str) -> None:
    settings.pop("iam_policy_file", None)
    functions = settings.setdefault("lambda_functions", {})
    for handler in HANDLERS:
        functions.setdefault(handler, {})["iam_policy_file"] = policy_file(stage, handler)


def _write(path: Path, document: Mapping[str, Any]) -> bool:
    if path.exists() and path.read_text(encoding="utf-8") == json.dumps(document, indent=2) + "\n":
        return False
    write_json(path, document)
    return True


def main(project: Path, stages: list[str]) -> None:
    """Write the policies of these stages, or of all."""
    try:
        for stage in stages or list(read_json(project / CONFIG).get("stages") or {}):
            for name in write_policies(project / CONFIG, stage):
                sys.stdout.write(f"{CONFIG.parent / name}\n")
    except StageError as error:
        sys.exit(f"sgwatch: {error}")


if __name__ == "__main__":
    main(Path.cwd(), sys.argv[1:])
