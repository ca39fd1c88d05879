"""``config`` and ``send-test`` with ``--stage`` read .chalice/config.json or the deployed functions, not the shell."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from sgwatch.__main__ import build
from tests.support.receiver import receiver


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(build(list(arguments)), list(arguments))
    return result.exit_code, result.output


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".chalice").mkdir()
    return tmp_path


def write(project: Path, variables: dict[str, str]) -> None:
    document = {"app_name": "sgwatch", "stages": {"prod": {"environment_variables": variables}}}
    (project / ".chalice" / "config.json").write_text(json.dumps(document))


def test_the_settings_of_a_stage_are_read_back_with_all_their_faults(project: Path) -> None:
    write(project, {"SLACK_WEBHOOK_URL": "ssm:/sgwatch/dev/slack", "ENRICH": "yes"})
    status, out = run("config", "--stage", "prod", "--json")
    assert status == 2
    document = json.loads(out.splitlines()[0])
    assert {"variable": "SLACK_WEBHOOK_URL", "value": "ssm:/sgwatch/dev/slack", "source": "stage prod"} in document[
        "settings"
    ]
    assert len(document["faults"]) == 2


def test_a_test_alert_goes_to_the_destinations_of_the_stage(project: Path) -> None:
    with receiver() as inbox:
        write(project, {"WEBHOOK_URL": inbox.url})
        status, _ = run("send-test", "--stage", "prod", "--json")
        assert (status, len(inbox.requests)) == (0, 1)


def test_a_stage_that_is_not_there_ends_with_status_2(project: Path) -> None:
    write(project, {})
    assert run("config", "--stage", "staging")[0] == 2


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        yield boto3.client("lambda")


def deploy(functions: Any, variables: dict[str, str]) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    packed = io.BytesIO()
    zipfile.ZipFile(packed, "w").close()
    functions.create_function(
        FunctionName="sgwatch-prod-audit_on_schedule",
        Runtime="python3.13",
        Role=role,
        Handler="app.audit_on_schedule",
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": variables},
    )


def test_the_settings_of_the_deployed_function_are_read_back(project: Path, functions: Any) -> None:
    write(project, {"LOG_LEVEL": "debug"})
    deploy(functions, {"SLACK_WEBHOOK_URL": "ssm:/sgwatch/prod/slack", "LOG_LEVEL": "error"})
    status, out = run("config", "--stage", "prod", "--deployed", "--json")
    assert status == 0, out
    settings = {row["variable"]: (row["value"], row["source"]) for row in json.loads(out)["settings"]}
    assert settings["LOG_LEVEL"] == ("error", "sgwatch-prod-audit_on_schedule")


def test_a_test_alert_goes_to_the_destinations_of_the_deployed_function(project: Path, functions: Any) -> None:
    write(project, {})
    with receiver() as inbox:
        deploy(functions, {"WEBHOOK_URL": inbox.url})
        status, out = run("send-test", "--stage", "prod", "--deployed", "--json")
        assert (status, len(inbox.requests)) == (0, 1), out


def test_what_is_not_deployed_is_said_with_the_way_out(project: Path, functions: Any) -> None:
    status, out = run("config", "--stage", "prod", "--deployed")
    assert (status, out) == (
        2,
        "sgwatch: stage prod is not deployed in eu-west-1: sgwatch deploy --stage prod does that\n",
    )
    assert run("config", "--deployed") == (2, "sgwatch: --deployed needs --stage: whose functions?\n")
