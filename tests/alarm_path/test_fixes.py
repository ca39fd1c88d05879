"""A fix is whole commands, quoted whatever the snapshot holds, that keep what is there and mend the link."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.alarm_paths import ACCOUNT, REGION, TOPIC, Account, judge, metric_filter

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


EVIL = "us-east-1;touch pwned;$(touch pwned)`touch pwned`'\x1b[2J"


@pytest.mark.parametrize(
    "text", [f'"{REGION}"', "trail-logs", "sg-changes", "CISBenchmark", ":123456789012:", "security"]
)
@pytest.mark.parametrize("broken", ["trail", "filters", "alarms", "actions", "threshold", "topic", "subscriber"])
def test_no_text_of_a_snapshot_runs_or_is_printed_raw(tmp_path: Path, text: str, broken: str) -> None:
    account = Account()
    match broken:
        case "trail":
            account.trail |= {"Status": {"IsLogging": False}, "IsMultiRegionTrail": False}
        case "filters" | "alarms":
            setattr(account, broken, [])
        case "actions":
            account.alarms[0]["ActionsEnabled"] = False
        case "threshold":
            account.alarms[0]["Threshold"] = 9.0
        case "topic":
            account.topic["Attributes"]["Policy"] = "{}"
        case "subscriber":
            account.topic["Subscriptions"] = []
    put = json.dumps(EVIL) if text.startswith('"') else json.dumps(text + EVIL)[1:-1]
    document = json.loads(json.dumps(account.document()).replace(text, put))
    for path in judge(document).paths:
        for finding in path.findings:
            assert finding.fix is None or "\x1b" not in finding.fix
            script = ["/bin/sh", "-c", f"aws() {{ :; }}; {finding.fix or ':'}"]
            subprocess.run(script, cwd=tmp_path, input="", text=True, capture_output=True, check=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("region", [REGION, EVIL])
def test_no_name_of_sgwatchs_own_parts_runs_in_a_fix(tmp_path: Path, region: str) -> None:
    function = f"arn:aws:lambda:{region}:{ACCOUNT}:function:sgwatch-prod-alert_on_change{EVIL}"
    own = {
        "rules": [
            {
                "Name": f"rule{EVIL}",
                "Arn": f"arn:aws:events:{region}:{ACCOUNT}:rule/rule{EVIL}",
                "State": "DISABLED",
                "Targets": [],
            }
        ],
        "functions": [
            {"FunctionName": "f", "Configuration": {"FunctionArn": function}, "ReservedConcurrency": 0},
        ],
        "dead_letter_queues": [],
        "event_source_mappings": [{"UUID": f"id{EVIL}", "State": "Disabled", "FunctionArn": function}],
    }
    report = judge(json.loads(json.dumps(Account().document() | {"self": own}, default=str)))
    fixes_of_own = [finding.fix for finding in report.findings if finding.fix]
    assert fixes_of_own
    for fix in fixes_of_own:
        assert "\x1b" not in fix
        script = ["/bin/sh", "-c", f"aws() {{ :; }}; sgwatch() {{ :; }}; chalice() {{ :; }}; {fix}"]
        subprocess.run(script, cwd=tmp_path, input="", text=True, capture_output=True, check=False)
    assert list(tmp_path.iterdir()) == []
