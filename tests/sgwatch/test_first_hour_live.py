"""Mistakes of a first hour that take an AWS to make: no permission, no trail, Ctrl-C on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from localcloud import LocalCloud
from localcloud.awkward.awkwardness import MILD
from localcloud.baseline import make_alarm_path
from tests.support.deployment import ROOT

# moto names the kinds of resource that it does not make.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]
TIMEOUT_SECONDS = 400
# What `sgwatch deploy` says as it begins a step.
STEPS = ("Will deploy", "Compiling", "Deploying the functions", "Creating lambda function: sgwatch-eu-deliver")


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(awkwardness=MILD) as running:
        yield running


@pytest.fixture(scope="module")
def project(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    done = sgwatch(cloud, folder, "init", "--stage", "eu", "--set", f"SLACK_WEBHOOK_URL={cloud.slack_url}", "--no-test")
    assert done.returncode == 0, done.stderr
    return folder


def start(cloud: LocalCloud, folder: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    here = {"PATH": os.defpath, "HOME": str(folder), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(Path(sys.prefix) / "wheels")}
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "sgwatch", *arguments],
        env={**here, **pip, **cloud.environment(), **more},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def sgwatch(cloud: LocalCloud, folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    with start(cloud, folder, *arguments, **more) as process:
        said, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        return subprocess.CompletedProcess(arguments, process.returncode, said, said)


def reaches_the_question(cloud: LocalCloud, project: Path) -> None:
    """The same command goes on where nobody answers: everything before the question is good."""
    done = sgwatch(cloud, project, "deploy", "--stage", "eu")
    assert done.returncode == 1, done.stdout
    assert "Deploy? [y/N]" in done.stdout


def without_permission(cloud: LocalCloud) -> Mapping[str, str]:
    iam = cloud.client("iam")
    iam.create_user(UserName="newcomer")
    key = iam.create_access_key(UserName="newcomer")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def test_a_caller_without_permission_is_led_to_the_policy(cloud: LocalCloud, project: Path) -> None:
    done = sgwatch(cloud, project, "deploy", "--stage", "eu", "--yes", **without_permission(cloud))
    assert done.returncode == 2, done.stdout
    (line,) = done.stdout.strip().splitlines()
    assert "docs/deploy.md has the policy of who deploys" in line
    reaches_the_question(cloud, project)


def test_an_account_without_a_trail_is_found_by_the_doctor(cloud: LocalCloud, project: Path) -> None:
    said = sgwatch(cloud, project, "doctor", "--stage", "eu").stdout
    assert "✘ trail: no trail logs in eu-west-1, so that EventBridge gets no event" in said
    make_alarm_path(cloud)
    assert "✔ trail: management logs in eu-west-1" in sgwatch(cloud, project, "doctor", "--stage", "eu").stdout


def test_a_deployment_can_be_broken_off_at_every_step_and_goes_on(cloud: LocalCloud, project: Path) -> None:
    for step in STEPS:
        with start(cloud, project, "deploy", "--stage", "eu", "--yes", "--no-test") as process:
            assert process.stdout is not None
            seen = ""
            for line in process.stdout:
                seen += line
                if step in line:
                    os.killpg(process.pid, signal.SIGINT)
                    break
            else:
                pytest.fail(f"{step!r} was not said:\n{seen}")
            rest = process.stdout.read()
        assert process.returncode == 130, seen + rest
        assert "Traceback" not in rest.replace('Traceback (most recent call last):\n  File "<string>"', "")
    done = sgwatch(cloud, project, "deploy", "--stage", "eu", "--yes", "--no-test")
    assert done.returncode == 0, done.stdout
    assert "Durable delivery of stage eu is as it should be." in done.stdout
    gone = sgwatch(cloud, project, "uninstall", "--stage", "eu", "--yes")
    assert gone.returncode == 0, gone.stdout
