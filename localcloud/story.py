"""A story of seven security group calls that a newcomer can follow, and the alerts that they must set off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.callers import Credentials
from localcloud.cloud import LocalCloud
from localcloud.inbox import InboxMessage

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) aws-sdk-go-v2/1.32.4 os/linux"
CONSOLE_ADDRESS = "203.0.113.24"
WORLD = "0.0.0.0/0"
# A Slack channel takes one message a second; the story keeps to it, and so can be followed.
PACE_SECONDS = 1.1
WAIT_SECONDS = 20.0
# Where each alert must arrive; the e-mail comes through SNS.
SERVICES = ("webhook", "slack", "email")


class StoryError(Exception):
    """The story cannot go on; the text says why."""


@dataclass(frozen=True, slots=True)
class StoryStep:
    """One call: who does what, and how severe its alert must be."""

    who: str
    what: str
    event_name: str
    severity: str
    act: Callable[[StoryScene], None]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of a step: its alert (None where none came), seconds from call to receipt, where it did not arrive."""

    step: StoryStep
    alert: Mapping[str, Any] | None
    seconds: float
    missing: tuple[str, ...] = ()

    @property
    def severity(self) -> str | None:
        """The alert's severity."""
        return None if self.alert is None else str(self.alert["severity"])

    @property
    def as_expected(self) -> bool:
        """Whether the alert came everywhere and is as severe as it must be."""
        return self.severity == self.step.severity and not self.missing


class StoryScene:
    """The people of the story, their group, and the alerts so far."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.group = ""
        self.remote_desktop = ""
        self.alerts: list[Mapping[str, Any]] = []
        identities = cloud.identities
        self.terraform = self._client(identities.role_session("terraform", "pipeline-42"), TERRAFORM)
        self.dora = self._client(identities.sso_session("NetworkAdmin", "dora@example.com"), BROWSER, CONSOLE_ADDRESS)
        reading = identities.allowing(["ec2:Describe*"])
        self.intern = self._client(identities.user("intern", reading), None, CONSOLE_ADDRESS)
        self.oncall = identities.role_session(
            "OnCall", "olaf@example.com", source_identity="olaf@example.com", mfa=True
        )

    def _client(self, credentials: Credentials, user_agent: str | None, source_ip: str | None = None) -> Any:
        return self.cloud.client("ec2", credentials=credentials, user_agent=user_agent, source_ip=source_ip)


def _make(scene: StoryScene) -> None:
    vpc = scene.terraform.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    scene.group = scene.terraform.create_security_group(GroupName="web", Description="web servers", VpcId=vpc)[
        "GroupId"
    ]


def _allow_office(scene: StoryScene) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 3389, "ToPort": 3389}
    office = {"CidrIp": "10.0.0.0/8", "Description": "remote desktop from the office"}
    answer = scene.terraform.authorize_security_group_ingress(
        GroupId=scene.group, IpPermissions=[{**rule, "IpRanges": [office]}]
    )
    scene.remote_desktop = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]


def _open_ssh(scene: StoryScene) -> None:
    scene.dora.authorize_security_group_ingress(
        GroupId=scene.group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": WORLD}]}],
    )


def _widen(scene: StoryScene) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 3389, "ToPort": 3389, "CidrIpv4": WORLD}
    scene.dora.modify_security_group_rules(
        GroupId=scene.group,
        SecurityGroupRules=[{"SecurityGroupRuleId": scene.remote_desktop, "SecurityGroupRule": rule}],
    )


def _try(scene: StoryScene) -> None:
    try:
        scene.intern.authorize_security_group_ingress(
            GroupId=scene.group, IpProtocol="-1", FromPort=-1, ToPort=-1, CidrIp=WORLD
        )
    except scene.intern.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "UnauthorizedOperation":
            return
        raise
    raise StoryError("the intern was not refused")


def _take_back(scene: StoryScene) -> None:
    scene.dora.revoke_security_group_ingress(GroupId=scene.group, SecurityGroupRuleIds=[scene.remote_desktop])


def _undo(scene: StoryScene) -> None:
    """Run the undo commands of the alert about SSH, as they stand, with the real AWS CLI."""
    opened = next((alert for alert in scene.alerts if _opened_ssh(alert)), None)
    commands = (opened or {}).get("undo", {}).get("commands") or ()
    if not commands:
        raise StoryError("the alert about SSH has no undo command")
    here = Path(sys.executable).parent
    environment = {"PATH": f"{here}{os.pathsep}{os.defpath}", "AWS_PAGER": "", "HOME": "/nonexistent"}
    for command in commands:
        result = subprocess.run(  # noqa: S602  # an undo command is made to be pasted into a shell
            command,
            shell=True,
            env=environment | scene.cloud.environment(scene.oncall),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )
        if result.returncode != 0:
            raise StoryError(f"the undo command failed: {result.stderr.strip()}")


def _opened_ssh(alert: Mapping[str, Any]) -> bool:
    return any(rule["from_port"] == 22 for rule in alert["changes"]["added"])


STEPS = (
    StoryStep("Terraform", "creates the group web", "CreateSecurityGroup", "low", _make),
    StoryStep(
        "Terraform", "allows remote desktop from 10.0.0.0/8", "AuthorizeSecurityGroupIngress", "low", _allow_office
    ),
    StoryStep(
        "Dora, in the console,", "opens SSH to the world", "AuthorizeSecurityGroupIngress", "critical", _open_ssh
    ),
    StoryStep(
        "Dora, in the console,",
        "edits the remote desktop rule to 0.0.0.0/0",
        "ModifySecurityGroupRules",
        "critical",
        _widen,
    ),
    StoryStep("An intern", "tries to open everything and is denied", "AuthorizeSecurityGroupIngress", "medium", _try),
    StoryStep("Dora", "takes the remote desktop rule back", "RevokeSecurityGroupIngress", "low", _take_back),
    StoryStep("Olaf, on call,", "pastes the alert's undo command", "RevokeSecurityGroupIngress", "low", _undo),
)


def play(cloud: LocalCloud) -> Iterator[Callable[[], StepResult]]:
    """The steps, each to be called when its turn has come."""
    scene = StoryScene(cloud)
    for step in STEPS:
        yield lambda step=step: _run_step(scene, step)  # type: ignore[misc]  # mypy cannot infer a lambda's default


def _arrival(cloud: LocalCloud, service: str, event_id: str) -> InboxMessage | None:
    return cloud.inbox.wait_for(
        lambda item: item.service == service and event_id in f"{json.dumps(item.payload)} {item.text}", WAIT_SECONDS
    )


def _run_step(scene: StoryScene, step: StoryStep) -> StepResult:
    seen = len(scene.cloud.records)
    step.act(scene)
    record = next((item for item in list(scene.cloud.records)[seen:] if item["eventName"] == step.event_name), None)
    if record is None:
        raise StoryError(f"no CloudTrail record of {step.event_name} was made")
    event_id = str(record["eventID"])
    arrived = {service: _arrival(scene.cloud, service, event_id) for service in SERVICES}
    missing = tuple(service for service, message in arrived.items() if message is None)
    message = arrived["webhook"]
    if message is None:
        result = StepResult(step, None, WAIT_SECONDS, missing)
    else:
        result = StepResult(step, message.payload, scene.cloud.seconds_to(message, event_id), missing)
    if result.alert is not None:
        scene.alerts.append(result.alert)
    time.sleep(PACE_SECONDS)
    return result
