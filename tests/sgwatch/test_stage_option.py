"""``config`` and ``send-test`` with ``--stage`` read .chalice/config.json, not the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
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
