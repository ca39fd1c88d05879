"""Both packages deployed by the commands of docs/deploy.md, as a stack or module whose name says nothing of sgwatch."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chalicelib.deployment import HANDLERS
from localcloud import LocalCloud
from localcloud.baseline import make_alarm_path
from localcloud.receivers.webhook import SECRET
from sgwatch.durable_template import StagePlace
from tests.infra.test_package_template import make
from tests.sgwatch.test_first_deployment import left
from tests.support.deployment import ROOT, copy_project

# moto names the kinds of resource that it does not make.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]
PLACE = StagePlace("prod", "", "", "")
BUCKET = "artifacts-123456789012"
PLUGINS = Path("/opt/tf-plugins")
# EventBridge has IAM's events there alone.
REGION = "us-east-1"
MAIN = """
provider "aws" {
  region = "us-east-1"
}
module "platform_alerts" {
  source = "./build/package"
}
"""
DENIED = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
ROLE, RULE = PLACE.function("alert_on_change"), PLACE.rule("alert_on_change")
# What somebody does who wants no alerts; the calls have nothing but these names to be known by.
TAMPERING: dict[str, tuple[str, dict[str, Any]]] = {
    "PutRolePolicy": ("iam", {"RoleName": ROLE, "PolicyName": "none", "PolicyDocument": json.dumps(DENIED)}),
    "DisableRule": ("events", {"Name": RULE}),
    "PutFunctionConcurrency": ("lambda", {"FunctionName": ROLE, "ReservedConcurrentExecutions": 0}),
}


@dataclass
class Package:
    """A package that is deployed, and the commands that people type."""

    cloud: LocalCloud
    project: Path
    tool: str
    durable: bool

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """One command, as an administrator."""
        folders = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {"HOME": str(self.project), "PATH": folders, "PYTHONPATH": str(ROOT), **self.cloud.environment()}
        environment |= {name: value for name, value in os.environ.items() if name.startswith("TF_CLI_ARGS")}
        if PLUGINS.is_dir():  # where there is no registry
            environment.setdefault("TF_CLI_ARGS_init", f"-plugin-dir={PLUGINS}")
        words = shlex.split(command)
        words = [sys.executable, "-m", *words] if words[0] == "sgwatch" else words
        return subprocess.run(
            words, cwd=self.project, env=environment, check=False, capture_output=True, text=True, timeout=300
        )

    def succeeds(self, command: str) -> str:
        done = self.run(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def documented(self, heading: str, words: str) -> Iterator[str]:
        """The commands of a section of docs/deploy.md whose first words are these."""
        section = (ROOT / "docs" / "deploy.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
        for command in re.findall(rf"^    ({words}.*)$", section, re.MULTILINE):
            yield command.replace("BUCKET", BUCKET)

    def deploy(self) -> None:
        make(
            self.project, *(["DURABLE=1"] if self.durable else []), *(["FORMAT=terraform"] if self.is_terraform else [])
        )
        if self.is_terraform:
            (self.project / "main.tf").write_text(MAIN)
            if self.run("terraform init").returncode:
                pytest.skip("the AWS provider cannot be had here")
            self.succeeds("terraform apply -auto-approve")
            return
        self.cloud.client("s3").create_bucket(Bucket=BUCKET)
        for command in self.documented("With CloudFormation instead", "aws cloudformation (?:package|deploy)"):
            self.succeeds(command)

    def remove(self) -> None:
        """By the section's commands; what is asked there is agreed to."""
        heading = f"With {'Terraform' if self.is_terraform else 'CloudFormation'} instead"
        for command in self.documented(
            heading, "(?:sgwatch uninstall|terraform destroy|aws cloudformation (?:delete|wait))"
        ):
            agreed = {"sgwatch": " --yes", "terraform": " -auto-approve"}.get(command.split()[0], "")
            done = self.run(command + agreed)
            assert done.returncode in ({0, 1} if command.startswith("sgwatch") else {0}), done.stdout + done.stderr
            self.cloud.wait_until_idle(60)

    @property
    def is_terraform(self) -> bool:
        return self.tool == "terraform"


@pytest.fixture(scope="module", params=["sam direct", "sam durable", "terraform direct", "terraform durable"])
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Package]:
    tool, delivery = request.param.split()
    if shutil.which("terraform") is None and tool == "terraform":
        pytest.skip("terraform is not installed")
    with LocalCloud(region=REGION) as cloud:
        make_alarm_path(cloud)
        settings = {"WEBHOOK_URL": cloud.webhook_url, "WEBHOOK_SECRET": SECRET}
        project = copy_project(tmp_path_factory.mktemp("package"), settings, "prod")
        made = Package(cloud, project, tool, delivery == "durable")
        made.deploy()
        cloud.wait_until_idle(60)
        yield made


def alerted(cloud: LocalCloud, words: str, seconds: float = 40.0) -> bool:
    """Whether an alert with these words arrives."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if any(words in f"{item.title} {item.text}" for item in cloud.inbox.messages("webhook")):
            return True
        time.sleep(0.2)
    return False


def test_a_package_alerts_on_changes_and_on_tampering_and_leaves_nothing(package: Package) -> None:
    cloud = package.cloud
    names = {item["FunctionName"] for item in cloud.client("lambda").list_functions()["Functions"]}
    handlers = HANDLERS if package.durable else [each for each in HANDLERS if each not in ("deliver", "reconcile")]
    assert names == {PLACE.function(each) for each in handlers}

    cloud.client("ec2").create_security_group(GroupName="package-web", Description="d")
    assert alerted(cloud, "package-web")

    report = json.loads(package.run("sgwatch audit --stage prod --json").stdout)
    own = [each for each in report["findings"] if each["check"].startswith("own-")]
    failed = {each["check"] for each in own if each["status"] == "fail"}
    assert own
    assert failed <= (set() if package.durable else {"own-on-failure"}), own

    owner = "Terraform" if package.is_terraform else "the CloudFormation stack platform-alerts"
    refused = package.run("sgwatch deploy --stage prod --yes --direct --no-test")
    assert (refused.returncode, f"stage prod belongs to {owner}" in refused.stderr) == (2, True)

    for name, (service, request) in TAMPERING.items():
        # A principal's further calls within a minute are folded, so each is somebody else's.
        caller = cloud.identities.user(f"mallory-{name}")
        call = re.sub("(?<!^)(?=[A-Z])", "_", name).lower()
        getattr(cloud.client(service, credentials=caller), call)(**request)
        assert alerted(cloud, f"mallory-{name}"), f"{name} was not alerted"
    cloud.client("lambda").delete_function_concurrency(FunctionName=ROLE)

    package.remove()
    assert left(cloud) == []
