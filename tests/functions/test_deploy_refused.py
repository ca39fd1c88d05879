"""`chalice deploy` with settings that have faults: refused as a whole; every other command goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sgwatch.project_files import CONFIG, read_json, write_json
from tests.support.deployment import copy_project

SOUND = {"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnop"}
# Nothing listens there: what gets as far as AWS ends at once.
NOWHERE = "http://127.0.0.1:9"


def run(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    settings = {
        "AWS_ENDPOINT_URL": NOWHERE,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_MAX_ATTEMPTS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [Path(sys.executable).with_name("chalice"), *arguments],
        cwd=project,
        env=kept | settings | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def project_with(tmp_path: Path, variables: Mapping[str, object]) -> Path:
    project = copy_project(tmp_path)
    config = read_json(project / CONFIG)
    config["stages"]["prod"]["environment_variables"] |= variables
    write_json(project / CONFIG, config)
    return project


def test_all_faults_are_said_at_once_and_nothing_is_deployed(tmp_path: Path) -> None:
    faulty = {"ENRICH": "yes", "SLACK_WEBHOOK_URL": "ssm:/elsewhere", "SLACK_WEBHOK_URL": "x", "WATCH": "rulez"}
    done = run(project_with(tmp_path, faulty), "deploy", "--stage", "prod")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "Error: stage prod was not deployed, its settings have faults (.chalice/config.json):"
    )
    assert [name for name in faulty if f"  {name}: " not in done.stderr] == []
    assert "Traceback" not in done.stderr
    assert "Creating deployment package" not in done.stdout


def test_without_a_destination_nothing_is_deployed(tmp_path: Path) -> None:
    done = run(project_with(tmp_path, {}), "deploy", "--stage", "prod")
    assert done.returncode == 1
    assert "no destination is configured" in done.stderr


def test_a_setting_of_one_function_is_checked_too(tmp_path: Path) -> None:
    project = project_with(tmp_path, SOUND)
    config = read_json(project / CONFIG)
    config["stages"]["prod"]["lambda_functions"]["deliver"]["environment_variables"] = {"LOG_LEVEL": "loud"}
    write_json(project / CONFIG, config)
    done = run(project, "deploy", "--stage", "prod")
    assert (done.returncode, "LOG_LEVEL" in done.stderr) == (1, True)


def test_the_shells_settings_do_not_count(tmp_path: Path) -> None:
    done = run(project_with(tmp_path, {}), "deploy", "--stage", "prod", **SOUND)
    assert "no destination is configured" in done.stderr
    sound = run(project_with(tmp_path / "other", SOUND), "deploy", "--stage", "prod", ENRICH="yes")
    assert "has faults" not in sound.stderr
    assert "Creating" in sound.stdout  # it got as far as AWS


@pytest.mark.parametrize("variables", [SOUND, {}], ids=["sound", "faulty"])
def test_packaging_warns_of_faults_and_goes_on(tmp_path: Path, variables: Mapping[str, str]) -> None:
    done = run(project_with(tmp_path, variables), "package", "--stage", "prod", "out")
    assert done.returncode == 0, done.stderr
    assert ("Warning: the settings of stage prod have faults" in done.stderr) is (not variables)
    assert json.loads((tmp_path / "project" / "out" / "sam.json").read_text())["Resources"]


def test_deleting_never_refuses(tmp_path: Path) -> None:
    done = run(project_with(tmp_path, {"ENRICH": "yes"}), "delete", "--stage", "prod")
    assert "faults" not in done.stderr
