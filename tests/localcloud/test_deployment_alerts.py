"""What deploying a durable stage leads to: an alert at once, at most one follow-up, and few calls of Lambda."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.awkward.awkwardness import MILD
from localcloud.baseline import make_alarm_path
from localcloud.deploy import deploy
from localcloud.receivers.webhook import SECRET
from tests.support.command_line import ROOT
from tests.support.local import Alert, alert_in, sgwatch

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")]

MOST_LAMBDA_CALLS = 20
STAGE = ("--stage", "dev")
# A deployment here may last longer than the window of 60 s that sgwatch has by default.
WINDOW = 100


@dataclass
class DurableStage:
    """The local cloud with a sound alarm path and a durable stage, which ``deploy`` deploys again."""

    cloud: LocalCloud
    folder: Path
    variables: dict[str, str]

    def deploy(self, **changed: str) -> None:
        deploy(ROOT, self.folder, self.cloud.environment(), variables={**self.variables, **changed})

    def settle(self) -> None:
        assert self.cloud.wait_until_idle(WINDOW + 120)

    def tampers(self, after: int) -> list[Alert]:
        new = [item for item in self.cloud.inbox.messages("webhook") if item.number > after]
        return [alert for item in new if (alert := alert_in(item.payload))["kind"] == "alarm_path"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DurableStage]:
    wired, folder = tmp_path_factory.mktemp("wired"), tmp_path_factory.mktemp("deploy")
    shutil.copytree(ROOT / ".chalice", wired / ".chalice", ignore=shutil.ignore_patterns("deployed", "deployments"))
    # It imports what CloudFormation can make, which takes longer than the command line waits for an answer.
    importlib.import_module("moto.cloudformation.models")
    with LocalCloud(awkwardness=MILD) as cloud:
        make_alarm_path(cloud)
        assert sgwatch(cloud, "setup", *STAGE, "--yes", folder=wired).returncode == 1, "deploying remains to be done"
        config = json.loads((wired / ".chalice" / "config.json").read_text())
        variables = config["stages"]["dev"]["environment_variables"]
        variables |= {"WEBHOOK_URL": cloud.webhook_url, "WEBHOOK_SECRET": SECRET, "BURST_WINDOW": "0"}
        made = DurableStage(cloud, folder, variables)
        made.deploy()
        done = sgwatch(cloud, "setup", *STAGE, "--yes", folder=folder / "project")
        assert done.returncode == 0, done.stdout + done.stderr
        made.deploy(BURST_WINDOW=str(WINDOW))
        made.settle()
        cloud.schedules.tick("audit_on_schedule")
        made.settle()
        yield made


def by_sgwatch(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls of sgwatch's own functions."""
    return [record for record in records if ":assumed-role/sgwatch-dev" in str(record["userIdentity"].get("arn"))]


def test_a_deployment_makes_one_alert_and_at_most_one_follow_up_and_spares_lambda(stage: DurableStage) -> None:
    cloud = stage.cloud
    latest = max(item.number for item in cloud.inbox.messages("webhook"))
    before = {record["eventID"] for record in cloud.records}
    stage.deploy(BURST_WINDOW=str(WINDOW), LOG_LEVEL="debug")
    stage.settle()
    new = [record for record in cloud.records if record["eventID"] not in before]
    changed = [record for record in new if record["eventName"].startswith("UpdateFunction")]
    assert len({record["requestParameters"]["functionName"] for record in changed}) >= 7, "all functions are deployed"
    alerts = stage.tampers(latest)
    titles = [alert["title"] for alert in alerts]
    assert 1 <= len(alerts) <= 2, titles
    assert alerts[0]["principal"]["name"] == "local-admin", titles
    assert {alert["alarm_path"]["broken_by_this_call"] for alert in alerts} == {False}, titles
    ours = by_sgwatch(new)
    audits = sum(record["eventName"] == "DescribeTrails" for record in ours)
    of_lambda = [record["eventName"] for record in ours if record["eventSource"] == "lambda.amazonaws.com"]
    assert 1 <= audits <= 4, "each function that mends or is tampered with does not audit by itself"
    assert len(of_lambda) <= MOST_LAMBDA_CALLS * audits, (audits, of_lambda)


def test_one_audit_makes_few_calls_of_lambda(stage: DurableStage) -> None:
    before = {record["eventID"] for record in stage.cloud.records}
    assert stage.cloud.schedules.tick("audit_on_schedule") == 1
    stage.settle()
    ours = by_sgwatch([record for record in stage.cloud.records if record["eventID"] not in before])
    assert sum(record["eventName"] == "DescribeTrails" for record in ours) == 1
    calls = [record["eventName"] for record in ours if record["eventSource"] == "lambda.amazonaws.com"]
    assert 1 <= len(calls) <= MOST_LAMBDA_CALLS, calls
