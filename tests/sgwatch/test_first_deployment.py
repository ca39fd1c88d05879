"""From an empty folder to an alert and back to nothing, with an AWS that takes its time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.awkward.awkwardness import MILD
from localcloud.baseline import make_alarm_path
from localcloud.receivers.webhook import SECRET
from tests.support.deployment import ROOT

# moto names the kinds of resource that it does not make.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]
TIMEOUT_SECONDS = 400


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(awkwardness=MILD) as running:
        make_alarm_path(running)
        yield running


def sgwatch(cloud: LocalCloud, folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    here = {"PATH": os.defpath, "HOME": str(folder), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(Path(sys.prefix) / "wheels")}
    return subprocess.run(
        [sys.executable, "-m", "sgwatch", *arguments],
        env={**here, **pip, **cloud.environment(), **more},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def alerts(cloud: LocalCloud, words: str, seconds: float = 30.0) -> list[str]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := [item.title for item in cloud.inbox.messages("webhook") if words in item.title]:
            return found
        time.sleep(0.2)
    return []


def left(cloud: LocalCloud, region: str | None = None) -> list[str]:
    """Everything in the cloud's region whose name has sgwatch in it."""

    def client(service: str) -> Any:
        return cloud.client(service, region=region)

    iam, logs, events = client("iam"), client("logs"), client("events")
    names = [
        *(item["FunctionName"] for item in client("lambda").list_functions()["Functions"]),
        *(item["RoleName"] for item in iam.list_roles()["Roles"]),
        *(item["logGroupName"] for item in logs.describe_log_groups()["logGroups"]),
        *(item["Name"] for item in events.list_rules()["Rules"]),
        *client("sqs").list_queues().get("QueueUrls", []),
        *client("dynamodb").list_tables()["TableNames"],
        *(item["Name"] for item in client("ssm").describe_parameters()["Parameters"]),
        *(item["AlarmName"] for item in client("cloudwatch").describe_alarms()["MetricAlarms"]),
        *(item["StackName"] for item in client("cloudformation").describe_stacks()["Stacks"]),
    ]
    return [name for name in names if "sgwatch" in name]


def test_a_stage_is_made_alerts_is_made_again_and_leaves_nothing(cloud: LocalCloud, tmp_path: Path) -> None:
    secrets = ("--set", f"WEBHOOK_URL={cloud.webhook_url}", "--set", f"WEBHOOK_SECRET={SECRET}")
    assert sgwatch(cloud, tmp_path, "init", "--stage", "eu", *secrets).returncode == 0
    made = sgwatch(cloud, tmp_path, "deploy", "--stage", "eu", "--yes")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Durable delivery of stage eu is as it should be." in made.stdout
    assert "Stage eu is deployed." in made.stdout
    elsewhere = sgwatch(cloud, tmp_path, "deploy", "--stage", "eu", "--yes", "--region", "us-east-1")
    assert elsewhere.returncode == 2
    assert "stage eu is deployed in eu-west-1, and this is us-east-1" in elsewhere.stderr
    ec2 = cloud.client("ec2")
    group = ec2.create_security_group(GroupName="web", Description="web servers")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    assert alerts(cloud, "tcp/22 opened to the internet on web")
    again = sgwatch(cloud, tmp_path, "deploy", "--stage", "eu", "--yes", "--no-test")
    assert again.returncode == 0, again.stdout + again.stderr
    forwarded = sgwatch(cloud, tmp_path, "fleet", "deploy", "--stage", "eu", "--regions", "us-east-1", "--yes")
    assert forwarded.returncode == 0, forwarded.stdout + forwarded.stderr
    gone = sgwatch(cloud, tmp_path, "uninstall", "--stage", "eu", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert "Removed stack of forwarders sgwatch-eu-forwarder in us-east-1." in gone.stdout
    assert (left(cloud), left(cloud, "us-east-1")) == ([], [])
    assert "Nothing of stage eu is in account" in sgwatch(cloud, tmp_path, "uninstall", "--stage", "eu", "--yes").stdout


def test_a_parameter_that_somebody_else_stored_stays_and_is_named(cloud: LocalCloud, tmp_path: Path) -> None:
    cloud.client("ssm").put_parameter(Name="/sgwatch/us/own", Value="x", Type="String")
    gone = sgwatch(cloud, tmp_path, "uninstall", "--stage", "us", "--yes")
    assert gone.returncode == 1
    assert "parameter /sgwatch/us/own: it was not stored by sgwatch" in gone.stdout
    cloud.client("ssm").delete_parameter(Name="/sgwatch/us/own")
