"""A fix is whole commands, quoted whatever the snapshot holds, that keep what is there and mend the link."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alarm_path.snapshot.snapshot_reader import SnapshotError
from chalicelib.alarm_path.standards import EVENTS
from tests.support.alarm_paths import (
    ACCOUNT,
    KEY,
    REGION,
    TOPIC,
    Account,
    Document,
    alarm,
    composite,
    error,
    judge,
    metric_filter,
    subscription,
)

OTHER = {"Sid": "others", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sns:Subscribe", "Resource": TOPIC}


def fixes(account: Account) -> dict[str, list[str]]:
    """The words of each failed finding's fix, as a shell reads them."""
    findings = (finding for path in account.report().paths for finding in path.findings)
    return {finding.check: shlex.split(finding.fix or "") for finding in findings if finding.status == "fail"}


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_a_topic_policy_keeps_what_others_need() -> None:
    account = Account()
    account.topic["Attributes"]["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [OTHER]})
    words = fixes(account)["topic-policy"]
    policy = json.loads(option(words, "--attribute-value"))
    assert words[:5] == ["aws", "sns", "set-topic-attributes", "--region", REGION]
    assert OTHER in policy["Statement"]
    account.topic["Attributes"]["Policy"] = json.dumps(policy)
    assert account.report().status == "pass"


@pytest.mark.parametrize("name", ["x'; touch /tmp/y; '", "$(id)", "`id`", "a b", '"'])
def test_names_of_a_snapshot_stay_text_in_a_shell(name: str) -> None:
    account = Account()
    account.filters = [metric_filter(filterName=name, transformation={"metricValue": "$.requestParameters.x"})]
    words = fixes(account)["filter-value"]
    put: dict[str, Any] = json.loads(option(words, "--cli-input-json"))
    assert len(words) == 7
    assert put["filterName"] == name
    assert put["metricTransformations"][0]["metricValue"] == "1"
    account.filters = [put]
    assert account.report().status == "pass"


def test_a_filter_policy_that_drops_the_notification_is_opened() -> None:
    account = Account()
    account.topic["Subscriptions"][0]["Attributes"] = {"FilterPolicy": '{"severity": ["high"]}'}
    words = fixes(account)["subscriber"]
    assert words[2] == "set-subscription-attributes"
    assert option(words, "--attribute-value") == "{}"


# What a shell would run, in each kind of quoting, and what a terminal would obey.
EVIL = '\';touch pwned;"$(touch pwned)`touch pwned`"\n touch pwned #\x1b[2J\u202e'


def weakened() -> Document:
    """A path of which every link is there, and broken."""
    account = Account()
    account.trail |= {"Status": {"IsLogging": False}, "IsMultiRegionTrail": False}
    account.trail["EventSelectors"]["EventSelectors"][0]["IncludeManagementEvents"] = False
    account.filters = [
        metric_filter(events=EVENTS[:3], transformation={"metricValue": "0"}, applyOnTransformedLogs=True)
    ]
    account.alarms = [alarm(ActionsEnabled=False, Threshold=9.0, AlarmDescription="text", OKActions=[TOPIC])]
    account.topic["Attributes"]["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [OTHER]})
    account.topic["Subscriptions"] = [subscription(SubscriptionArn="PendingConfirmation")]
    return account.document()


def gone(*parts: str) -> Document:
    """A path without some of its parts."""
    account = Account()
    for part in parts:
        setattr(account, part, [])
    document = account.document()
    if "topics" in parts:
        document["regions"][REGION]["topics"] = {}
        document["errors"] = [error("sns:GetTopicAttributes", "NotFound", TOPIC)]
    if "groups" in parts:
        document["regions"][REGION] |= {"log_groups": [], "metric_filters": []}
    return document


def behind_the_alarm() -> Document:
    """A path with a composite alarm, a mute rule, a key and a queue that lets nobody in."""
    account = Account()
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"
    account.alarms = [alarm(AlarmActions=[])]
    account.composites = [composite("ALARM(sg-changes)")]
    account.topic |= {"KeyMetadata": {"Arn": KEY, "KeyState": "Enabled"}, "KeyPolicy": {"Statement": [OTHER]}}
    account.topic["Attributes"]["KmsMasterKeyId"] = KEY
    account.topic["Subscriptions"] = [subscription(Protocol="sqs", Endpoint=queue, EndpointPolicy=None)]
    document = account.document()
    document["regions"][REGION]["alarm_mute_rules"] = [
        {"Name": "night", "Status": "ACTIVE", "MuteTargets": {"AlarmNames": ["parent", "other"]}}
    ]
    return document


def own() -> Document:
    """sgwatch's own path with every part of it broken."""
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sgwatch-prod-alert_on_change"
    rule = {"Name": "changes", "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/changes", "Description": "text"}
    target = {
        "Id": "1",
        "Arn": function,
        "Input": "{}",
        "DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"},
    }
    configuration = {"FunctionArn": function, "State": "Failed"}
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:sgwatch-prod-alarms"
    own_alarm = {
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:sgwatch-prod-x",
        "AlarmName": "sgwatch-prod-x",
    }
    parts = {
        "region": REGION,
        "rules": [
            rule
            | {"State": "DISABLED", "EventPattern": "{}", "Expected": {"source": ["aws.ec2"]}, "Targets": [target]},
        ],
        "functions": [
            {
                "FunctionName": "sgwatch-prod-alert_on_change",
                "Configuration": configuration,
                "RuleNames": ["changes"],
                "Policy": "{}",
                "EventInvokeConfig": None,
                "ReservedConcurrency": 0,
                "Settings": {"destinations": ["slack"], "faults": 1},
            },
            {"FunctionName": "sgwatch-prod-deliver", "Configuration": None},
        ],
        "dead_letter_queues": [{"QueueArn": "arn:q", "Attributes": {"ApproximateNumberOfMessages": "3"}}],
        "delivery_queue": {"QueueArn": "arn:q", "OldestMessageAge": {"Seconds": 9000.0}},
        "event_source_mappings": [
            {"UUID": "one", "State": "Disabled", "FunctionArn": function, "StateTransitionReason": "text"},
            {"UUID": "two", "State": "Enabled", "FunctionArn": function, "FilterCriteria": {"Filters": [{}]}},
        ],
        "table": {"TableName": "state", "TableStatus": "DELETING"},
        "alarms": [
            own_alarm | {"ActionsEnabled": False, "AlarmActions": [topic]},
            own_alarm | {"AlarmActions": [topic]},
            own_alarm | {"AlarmActions": []},
        ],
        "alarm_topics": {topic: []},
        "deliveries": {"slack": {"AlertsSent": None, "DeliveryFailures": "2026-11-22T10:00:00Z"}},
        "forwarding": {"regions": {"eu-west-1": {"rules": []}}},
    }
    return Account().document() | {"self": parts}


ACCOUNTS = {
    "weakened": weakened(),
    "nothing but a trail": gone("filters", "alarms", "topics"),
    "no log group": gone("groups", "alarms"),
    "no trail": {**gone(), "trails": []},
    "behind the alarm": behind_the_alarm(),
    "own": own(),
}


def texts(value: Any) -> Iterator[str]:
    """Every text."""
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(item)


def poisoned(document: Document, text: str) -> Any:
    """The document with what is dangerous behind a text wherever it stands, in a policy behind an action."""
    if text.startswith("{"):
        return json.loads(json.dumps(document).replace("sns:Subscribe", json.dumps(EVIL)[1:-1]))
    return replaced(document, text)


def replaced(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {replaced(key, text): replaced(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, text) for item in value]
    return value + EVIL if value == text else value


def all_fixes(document: Document) -> list[str]:
    report = judge(document)
    findings = [*report.findings, *(finding for path in report.paths for finding in path.findings)]
    return [finding.fix for finding in findings if finding.fix and finding.status != "pass"]


@pytest.mark.parametrize("document", ACCOUNTS.values(), ids=ACCOUNTS)
def test_no_text_of_a_snapshot_runs_or_is_printed_raw(tmp_path: Path, document: Document) -> None:
    found: set[str] = set()
    for text in dict.fromkeys(texts(document)):
        try:
            found.update(all_fixes(poisoned(document, text)))
        except SnapshotError:
            continue
    assert len(found) > len(all_fixes(document)) > 0
    assert [fix for fix in found if not fix.isascii() or not fix.isprintable()] == []
    stubs = "aws() { :; }; sgwatch() { :; }; chalice() { :; }"
    script = f'{stubs}; for fix in "$@"; do (eval "$fix") </dev/null >/dev/null 2>&1; done'
    subprocess.run(["/bin/sh", "-c", script, "sh", *found], cwd=tmp_path, timeout=60, check=False)
    assert list(tmp_path.iterdir()) == []


def test_the_fixes_of_sgwatchs_own_path_are_whole_commands() -> None:
    report = judge(ACCOUNTS["own"])
    words = [shlex.split(finding.fix) for finding in report.findings if finding.fix]
    # printf asks for the address of a subscriber.
    assert {first for first, *_ in words} == {"aws", "sgwatch", "chalice", "printf"}
    assert all("--stage" in rest for first, *rest in words if first in {"sgwatch", "chalice"})
    calls = {tuple(command[1:3]): command for command in words if command[0] == "aws"}
    put = json.loads(option(calls["events", "put-targets"], "--cli-input-json"))
    assert put["Targets"] == [
        {
            "Id": "1",
            "Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sgwatch-prod-alert_on_change",
            "DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"},
        }
    ]
    assert option(calls["events", "put-rule"], "--event-pattern") == '{"source":["aws.ec2"]}'
    assert option(calls["events", "put-rule"], "--description") == "text"
    assert set(calls) >= {
        ("events", "enable-rule"),
        ("lambda", "add-permission"),
        ("lambda", "update-event-source-mapping"),
        ("lambda", "delete-function-concurrency"),
        ("cloudwatch", "enable-alarm-actions"),
    }
