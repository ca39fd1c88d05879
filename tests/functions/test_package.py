"""What `chalice package` makes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chalicelib.cloudtrail.catalog import DEFAULT_WATCH
from chalicelib.deployment import AUDIT_ON_SCHEDULE, rules
from tests.support.deployment import ROOT, chalice, copy_project

MOST_BYTES = 1_500_000


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    chalice(copy_project(folder), "package", "--stage", "prod", str(folder / "out"))
    return folder / "out"


def names(packaged: Path) -> list[str]:
    with zipfile.ZipFile(packaged / "deployment.zip") as bundle:
        return bundle.namelist()


def test_the_bundle_is_small(packaged: Path) -> None:
    assert (packaged / "deployment.zip").stat().st_size <= MOST_BYTES


def test_the_bundle_holds_what_is_deployed_and_nothing_else(packaged: Path) -> None:
    found = names(packaged)
    assert {"app.py", "chalicelib/functions/composition/alerting.py", "chalice/app.py", "requests/__init__.py"} <= set(
        found
    )
    unwanted = re.compile(r"^(boto3|botocore|pip|setuptools|tests|sgwatch|localcloud)/|__pycache__|\.(so|pyc|pyd)$")
    assert [name for name in found if unwanted.search(name)] == []


def test_the_template_passes_cfn_lint(packaged: Path) -> None:
    # W3002: the code is a local file until `aws cloudformation package` uploads it.
    command: list[str | Path] = [
        Path(sys.executable).with_name("cfn-lint"),
        "--ignore-checks",
        "W3002",
        "--",
        packaged / "sam.json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_template_holds_the_pattern_the_policy_and_the_retention(packaged: Path) -> None:
    resources = json.loads((packaged / "sam.json").read_text())["Resources"]
    functions = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Serverless::Function"]
    events = {each["Handler"]: event["Properties"] for each in functions for event in each["Events"].values()}
    schedule = events.pop(f"app.{AUDIT_ON_SCHEDULE}")
    assert schedule == {"Schedule": "rate(1 hour)"}
    patterns = {handler: pattern for handler, pattern in rules(DEFAULT_WATCH).items() if pattern is not None}
    assert {handler: event["Pattern"] for handler, event in events.items()} == {
        f"app.{handler}": pattern for handler, pattern in patterns.items()
    }
    roles = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::IAM::Role"]
    deployed = [policy("prod", handler) for handler in rules(DEFAULT_WATCH)]
    assert [role["Policies"][0]["PolicyDocument"] for role in roles] == deployed
    groups = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Logs::LogGroup"]
    assert [group["RetentionInDays"] for group in groups] == [365] * len(functions)


def policy(stage: str, handler: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / ".chalice" / f"policy-{stage}-{handler}.json").read_text())
    return document
