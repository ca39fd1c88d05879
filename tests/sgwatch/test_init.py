"""`sgwatch init`: settings checked, tested and written, with secrets kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import LocalCloud
from localcloud.awkward.awkwardness import MILD
from localcloud.receivers.webhook import SECRET
from sgwatch.commands.init import is_secret
from sgwatch.project_files import CONFIG, read_json
from tests.support.local import sgwatch


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(awkwardness=MILD) as running:
        yield running


def variables(folder: Path, stage: str) -> dict[str, str]:
    found: dict[str, str] = read_json(folder / CONFIG)["stages"][stage]["environment_variables"]
    return found


def test_an_empty_folder_becomes_a_project_with_a_tested_stage(cloud: LocalCloud, tmp_path: Path) -> None:
    given = ("--set", f"WEBHOOK_URL={cloud.webhook_url}", "--set", f"WEBHOOK_SECRET={SECRET}")
    done = sgwatch(cloud, "init", "--stage", "eu", *given, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "Next: sgwatch deploy --stage eu --region eu-west-1"
    assert SECRET not in done.stdout + done.stderr + (tmp_path / CONFIG).read_text()
    references = {name: value for name, value in variables(tmp_path, "eu").items() if name.startswith("WEBHOOK")}
    assert references == {
        "WEBHOOK_URL": "ssm:/sgwatch/eu/webhook-url",
        "WEBHOOK_SECRET": "ssm:/sgwatch/eu/webhook-secret",
    }
    stored = cloud.client("ssm").get_parameter(Name="/sgwatch/eu/webhook-secret", WithDecryption=True)["Parameter"]
    assert (stored["Value"], stored["Type"]) == (SECRET, "SecureString")
    assert {"app.py", "chalicelib", "requirements.txt", ".chalice"} <= {path.name for path in tmp_path.iterdir()}
    assert list(read_json(tmp_path / CONFIG)["stages"]) == ["eu"]
    assert len(list((tmp_path / ".chalice").glob("policy-eu-*.json"))) == 7


def test_a_destination_that_does_not_take_the_test_is_not_written(cloud: LocalCloud, tmp_path: Path) -> None:
    wrong = ("--set", f"WEBHOOK_URL={cloud.webhook_url}", "--set", "WEBHOOK_SECRET=whsec_d3Jvbmc=")
    done = sgwatch(cloud, "init", "--stage", "us", *wrong, folder=tmp_path)
    assert done.returncode == 1
    assert "nothing was written" in done.stderr
    assert read_json(tmp_path / CONFIG)["stages"] == {}


def test_all_faults_are_said_at_once(cloud: LocalCloud, tmp_path: Path) -> None:
    wrong = (
        "--set",
        "ENRICH=yes",
        "--set",
        "SLACK_WEBHOOK_URL=http://hooks.example.com/x",
        "--set",
        "SLACK_WEBHOK_URL=1",
    )
    done = sgwatch(cloud, "init", "--stage", "us", *wrong, folder=tmp_path)
    assert done.returncode == 2
    assert [name for name in ("ENRICH", "SLACK_WEBHOOK_URL", "SLACK_WEBHOK_URL") if name not in done.stderr] == []
    assert "Traceback" not in done.stderr


def test_a_stage_that_is_there_keeps_its_other_settings(cloud: LocalCloud, tmp_path: Path) -> None:
    first = ("--set", f"SLACK_WEBHOOK_URL={cloud.slack_url}", "--set", "LOG_LEVEL=debug")
    assert sgwatch(cloud, "init", "--stage", "eu", "--inline", *first, folder=tmp_path).returncode == 0
    again = ("--set", "SLACK_MIN_SEVERITY=high", "--no-test")
    assert sgwatch(cloud, "init", "--stage", "eu", *again, folder=tmp_path).returncode == 0
    found = variables(tmp_path, "eu")
    assert found["SLACK_WEBHOOK_URL"] == cloud.slack_url
    assert (found["LOG_LEVEL"], found["SLACK_MIN_SEVERITY"]) == ("debug", "high")


def test_a_name_that_no_stage_can_have_is_refused(cloud: LocalCloud, tmp_path: Path) -> None:
    done = sgwatch(cloud, "init", "--stage", "my stage", "--set", "X=1", folder=tmp_path)
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("SLACK_WEBHOOK_URL", True),
        ("SLACK__SECOPS__WEBHOOK_URL", True),
        ("PAGERDUTY_ROUTING_KEY", True),
        ("SLACK_MIN_SEVERITY", False),
        ("SNS_TOPIC_ARN", False),
        ("LOG_LEVEL", False),
    ],
)
def test_what_is_kept_in_the_parameter_store_is_what_the_settings_call_secret(name: str, secret: bool) -> None:
    assert is_secret(name) is secret
