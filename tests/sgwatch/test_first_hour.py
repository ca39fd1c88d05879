"""Mistakes of a first hour: each ends in one sentence with the way out, and after it the same command goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from chalicelib.settings.environment import read_settings
from sgwatch.deployability import settings_faults
from sgwatch.project_files import CONFIG, read_json, write_json
from tests.support.deployment import ROOT, copy_project
from tests.support.receiver import Answer, receiver

SLACK = {"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnop"}
SSM_ARN = "arn:aws:ssm:eu-west-1:123456789012:parameter/sgwatch/prod/slack"
# What is set, and the name and the words with which the one sentence about it says what is wrong.
SETTINGS: Mapping[str, tuple[Mapping[str, object], str]] = {
    "no destination": ({}, "no destination is configured"),
    "a switch that says yes": ({**SLACK, "ENRICH": "yes"}, "ENRICH"),
    "a switch without quotation marks": ({**SLACK, "ENRICH": True}, "ENRICH"),
    "a misspelled name": ({**SLACK, "SLACK_MIN_SEVERTY": "high"}, "SLACK_MIN_SEVERTY"),
    "a misspelled severity": ({**SLACK, "SLACK_MIN_SEVERITY": "hihg"}, "SLACK_MIN_SEVERITY"),
    "a misspelled group": ({**SLACK, "WATCH": "rule"}, "WATCH"),
    "a quoted URL": ({"SLACK_WEBHOOK_URL": f'"{SLACK["SLACK_WEBHOOK_URL"]}"'}, "SLACK_WEBHOOK_URL"),
    "a URL without https": ({"WEBHOOK_URL": "http://hooks.example.com/x"}, "WEBHOOK_URL"),
    "a channel's link": (
        {"SLACK_WEBHOOK_URL": "https://app.slack.com/client/T00000000/C00000000"},
        "SLACK_WEBHOOK_URL",
    ),
    "a parameter's ARN": ({"SLACK_WEBHOOK_URL": SSM_ARN}, "SLACK_WEBHOOK_URL"),
    "another stage's secret": ({"SLACK_WEBHOOK_URL": "ssm:/sgwatch/dev/slack"}, "SLACK_WEBHOOK_URL"),
    "more than Lambda's 4 KB": ({**SLACK, "IGNORE_WHEN": f"title == '{'x' * 4100}'"}, "Lambda allows 4,096"),
    "a topic's name for its ARN": ({"SNS_TOPIC_ARN": "security"}, "SNS_TOPIC_ARN"),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path)


def set_to(project: Path, variables: Mapping[str, object]) -> None:
    config = read_json(project / CONFIG)
    config["stages"]["prod"]["environment_variables"] = dict(variables)
    write_json(project / CONFIG, config)


@pytest.mark.parametrize("mistake", SETTINGS)
def test_a_wrong_setting_is_one_sentence_and_right_it_is_none(project: Path, mistake: str) -> None:
    variables, words = SETTINGS[mistake]
    set_to(project, variables)
    faults = settings_faults(project, "prod")
    assert len(faults) == 1, faults
    assert words in faults[0]
    assert "\n" not in faults[0]
    set_to(project, SLACK)
    assert settings_faults(project, "prod") == ()


@pytest.mark.parametrize("severity", ["HIGH", "High", "high"])
def test_the_case_of_a_severity_does_not_count(project: Path, severity: str) -> None:
    set_to(project, {**SLACK, "SLACK_MIN_SEVERITY": severity})
    assert settings_faults(project, "prod") == ()


def test_a_blank_behind_an_address_does_not_count(project: Path) -> None:
    set_to(project, {"SLACK_WEBHOOK_URL": SLACK["SLACK_WEBHOOK_URL"] + " "})
    assert settings_faults(project, "prod") == ()
    variables = read_json(project / CONFIG)["stages"]["prod"]["environment_variables"]
    (destination,) = read_settings(variables).destinations
    assert destination.values["WEBHOOK_URL"] == SLACK["SLACK_WEBHOOK_URL"]


def sgwatch(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line without any AWS to reach, as on a machine where nothing is configured."""
    here = {"PATH": os.defpath, "HOME": str(folder), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "sgwatch", *arguments],
        env={**here, "AWS_EC2_METADATA_DISABLED": "true", **environment},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def one_sentence(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert words in line
    assert line.startswith("sgwatch: ")


def test_in_another_folder_it_says_where_to_go(tmp_path: Path) -> None:
    one_sentence(sgwatch(tmp_path, "deploy"), "run this where app.py is")


def test_a_config_that_is_not_json_is_said_with_its_place(project: Path) -> None:
    (project / CONFIG).write_text("{,}")
    one_sentence(sgwatch(project, "deploy"), "config.json is not JSON: ")


def test_a_stage_that_is_not_there_is_said_with_those_that_are(project: Path) -> None:
    one_sentence(sgwatch(project, "deploy", "--stage", "production"), "it has dev, prod")


def test_no_region_and_no_credentials_are_said_one_after_the_other(project: Path) -> None:
    set_to(project, SLACK)
    one_sentence(sgwatch(project, "deploy"), "no region: set AWS_REGION")
    one_sentence(sgwatch(project, "deploy", "--region", "eu-west-1"), "there are no AWS credentials")


def test_a_topic_that_is_no_arn_is_refused_before_anything_is_asked(project: Path) -> None:
    set_to(project, SLACK)
    one_sentence(sgwatch(project, "deploy", "--alarm-topic", "on-call"), "is not the ARN of an SNS topic")


def test_a_reference_without_a_region_is_asked_for_once(project: Path) -> None:
    set_to(project, {"SLACK_WEBHOOK_URL": "ssm:/sgwatch/prod/slack"})
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"}
    done = sgwatch(project, "send-test", "--stage", "prod", "--json", **keys)
    (result,) = json.loads(done.stdout)["results"]
    assert (done.returncode, result["attempts"]) == (1, 1)
    assert "sgwatch: no region: set AWS_REGION or AWS_DEFAULT_REGION" in done.stderr


SAID = "<Code>ExpiredToken</Code><Message>The security token is expired</Message>"
EXPIRED = f"<ErrorResponse><Error>{SAID}</Error></ErrorResponse>".encode()


def test_expired_credentials_are_said_with_the_way_to_new_ones(project: Path) -> None:
    set_to(project, SLACK)
    keys = {"AWS_ACCESS_KEY_ID": "ASIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "x"}
    with receiver() as aws:
        aws.will(Answer(403, EXPIRED, {"Content-Type": "text/xml"}))
        done = sgwatch(project, "deploy", "--region", "eu-west-1", AWS_ENDPOINT_URL=aws.url, **keys)
    one_sentence(done, "ExpiredToken: The security token is expired: log in again (aws sso login), or set AWS_PROFILE")


def test_a_python_that_is_too_old_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\nexit 1\n')
    old.chmod(0o755)
    command = ["make", "--file", str(ROOT / "Makefile"), "--no-print-directory", "setup", f"PYTHON={old}"]
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_text("")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "sgwatch needs Python 3.11 or newer;" in done.stderr
    assert "make setup PYTHON=python3.13" in done.stderr
