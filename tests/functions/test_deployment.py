"""The functions' names, the rules behind them, and the stage as the project's files tell of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib.cloudtrail.catalog import (
    MAX_PATTERN_LENGTH,
    EventGroup,
    lookup,
    mending_pattern,
    pattern_length,
)
from chalicelib.cloudtrail.tamper_calls import MENDING
from chalicelib.deployment import Stage, rules, stage_of
from chalicelib.functions.composition.auditing import assemble_guard, parameter_name
from chalicelib.functions.guard import Guard
from chalicelib.settings.environment import read_settings
from sgwatch.project_files import StageError
from sgwatch.stages import deployed_stage


def test_a_functions_name_shows_its_stage() -> None:
    stage = stage_of("sgwatch-eu-prod-alert_on_tampering")
    assert stage == Stage("sgwatch-eu-prod-")
    assert stage.name == "eu-prod"
    assert stage.function("alert_on_change") == "sgwatch-eu-prod-alert_on_change"
    assert parameter_name(stage) == "/sgwatch/eu-prod/alarm-path"


def test_another_name_shows_none() -> None:
    assert stage_of("local") is None


def test_calls_that_mend_are_no_tampering_and_fit_a_rule() -> None:
    assert not [name for source, names in MENDING.items() for name in names if lookup(source, name)]
    assert pattern_length(mending_pattern()) < MAX_PATTERN_LENGTH


def test_each_combination_of_groups_has_its_rules() -> None:
    assert list(rules([EventGroup.TAMPER])) == [
        "alert_on_tampering",
        "alert_on_own_tampering",
        "audit_on_mending",
        "audit_on_schedule",
    ]
    assert list(rules([EventGroup.RULES])) == ["alert_on_change", "audit_on_schedule"]


def guard(**environ: str) -> Guard:
    settings = read_settings({"WEBHOOK_URL": "https://example.com/hook", **environ})
    return assemble_guard(
        settings, (), "sgwatch-prod-audit_on_schedule", lambda *_: pytest.fail("no call"), "eu-west-1"
    )


def test_nothing_is_called_when_a_guard_is_put_together() -> None:
    assert guard(HEARTBEAT_URL="ssm:/sgwatch/heartbeat").heartbeat is not None
    assert guard().heartbeat is None


def test_only_auto_repair_repairs() -> None:
    assert guard().repair is None
    assert guard(AUTO_REPAIR="true").repair is not None


def project(folder: Path, **environment: str) -> Path:
    config = {"app_name": "sgwatch", "stages": {"prod": {"environment_variables": environment}}}
    (folder / ".chalice" / "deployed").mkdir(parents=True)
    (folder / ".chalice" / "config.json").write_text(json.dumps(config))
    return folder


def test_a_stage_is_read_from_the_projects_files(tmp_path: Path) -> None:
    folder = project(tmp_path, WATCH="tamper")
    assert deployed_stage("prod", folder).region is None
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:sgwatch-prod-audit_on_schedule"
    resources = [{"name": "default-role"}, {"name": "audit_on_schedule", "lambda_arn": arn}]
    (folder / ".chalice" / "deployed" / "prod.json").write_text(json.dumps({"resources": resources}))
    stage = deployed_stage("prod", folder)
    assert stage.region == "eu-central-1"
    assert list(stage.functions) == [f"sgwatch-prod-{handler}" for handler in rules([EventGroup.TAMPER])]


def test_a_stage_that_is_not_there_or_not_sound_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"config\.json cannot be read"):
        deployed_stage("prod", tmp_path)
    folder = project(tmp_path, WATCH="ruels")
    with pytest.raises(StageError, match="it has prod"):
        deployed_stage("test", folder)
    with pytest.raises(StageError, match='did you mean "rules"'):
        deployed_stage("prod", folder)
