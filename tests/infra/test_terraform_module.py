"""The package for Terraform: Chalice's file made a module that holds what the SAM package holds."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chalicelib.deployment import DELIVER, HANDLERS, WITH_EVENTS
from sgwatch.durable_template import StagePlace
from sgwatch.project_files import StageError
from sgwatch.terraform_module import FILE, make_module, module
from tests.infra.test_package_template import make
from tests.support.deployment import chalice, copy_project

PLACE = StagePlace("prod", "", "", "")
PATTERN = json.dumps({"source": ["aws.ec2"]})


def chalices() -> dict[str, Any]:
    """What Chalice 1.34 writes, of one function with an EventBridge rule and of the one with a queue."""
    functions = {
        name: {
            "function_name": PLACE.function(name),
            "tags": {"app": "sgwatch"},
            "environment": {"variables": {"RUNBOOK_URL": "https://example.com/${id}", "IGNORE_WHEN": "a %{b}"}},
        }
        for name in ("alert_on_change", DELIVER)
    }
    mapping = {"batch_size": 1, "scaling_config": {"maximum_concurrency": 20}}
    return {
        "terraform": {"required_version": ">= 0.12.26, < 1.4.0"},
        "data": {"aws_region": {"chalice": {}}, "null_data_source": {"chalice": {}}},
        "resource": {
            "aws_lambda_function": functions,
            "aws_cloudwatch_log_group": {f"{name}-log-group": {"name": f"{name}-log-group"} for name in functions},
            "aws_cloudwatch_event_rule": {"alert_on_change-event": {"name": "x", "event_pattern": PATTERN}},
            "aws_iam_role_policy": {f"{name}_role": {"policy": "{}"} for name in functions},
            "aws_lambda_event_source_mapping": {"deliver-sqs-event-source": mapping},
        },
    }


@pytest.fixture
def made() -> dict[str, Any]:
    return module(chalices(), PLACE, durable=True)["resource"]  # type: ignore[no-any-return]


def test_log_groups_and_rules_have_the_names_that_chalice_deploy_gives_them(made: dict[str, Any]) -> None:
    group = made["aws_cloudwatch_log_group"]["alert_on_change-log-group"]
    assert group["name"] == "/aws/lambda/sgwatch-prod-alert_on_change"
    assert made["aws_cloudwatch_event_rule"]["alert_on_change-event"]["name"] == "sgwatch-prod-alert_on_change-event"


def test_terraform_fills_in_nothing_of_a_setting(made: dict[str, Any]) -> None:
    variables = made["aws_lambda_function"]["alert_on_change"]["environment"]["variables"]
    assert variables["RUNBOOK_URL"] == "https://example.com/$${id}"
    assert variables["IGNORE_WHEN"] == "a %%{b}"


def test_current_terraform_takes_it_and_needs_one_provider() -> None:
    document = module(chalices(), PLACE, durable=False)
    assert document["terraform"]["required_version"] == ">= 1.0"
    assert list(document["terraform"]["required_providers"]) == ["aws"]
    assert list(document["data"]) == ["aws_region"]


def test_the_functions_are_wired_to_the_stack_of_durable_delivery(made: dict[str, Any]) -> None:
    assert made["aws_cloudformation_stack"]["durable"]["name"] == PLACE.stack
    for function in made["aws_lambda_function"].values():
        assert function["environment"]["variables"]["DELIVERY_QUEUE"].endswith('durable.outputs["DeliveryQueue"]}')
    (mapping,) = made["aws_lambda_event_source_mapping"].values()
    assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
    assert mapping["depends_on"] == ["aws_cloudformation_stack.durable", "aws_iam_role_policy.deliver_role"]
    assert list(made["aws_lambda_function_event_invoke_config"]) == ["alert_on_change"]


def test_without_durable_delivery_there_is_no_stack(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps(chalices()))
    make_module(tmp_path, "prod", durable=False)
    document = json.loads((tmp_path / FILE).read_text())
    assert "aws_cloudformation_stack" not in document["resource"]
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_the_package_of_another_stage_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps(chalices()))
    with pytest.raises(StageError, match="has no function of stage dev: chalice package --stage dev makes one"):
        make_module(tmp_path, "dev", durable=True)


@pytest.mark.slow
def test_chalice_by_itself_packages_for_terraform(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    chalice(project, "package", "--stage", "dev", "--pkg-format", "terraform", "out")
    resource = json.loads((project / "out" / FILE).read_text())["resource"]
    assert {each["retention_in_days"] for each in resource["aws_cloudwatch_log_group"].values()} == {14}


@pytest.mark.slow
def test_terraform_validates_the_module_of_a_whole_stage(tmp_path: Path) -> None:
    """TF_CLI_ARGS_init=-plugin-dir=… names a folder with the provider where there is no registry."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    project = copy_project(tmp_path)
    make(project, "FORMAT=terraform", "DURABLE=1")
    folder = project / "build" / "package"
    resource = json.loads((folder / FILE).read_text())["resource"]
    assert set(resource["aws_lambda_function"]) == set(HANDLERS)
    assert set(resource["aws_lambda_function_event_invoke_config"]) == set(WITH_EVENTS)
    if subprocess.run(["terraform", "init", "-backend=false"], cwd=folder, check=False, capture_output=True).returncode:
        pytest.skip("the AWS provider cannot be had here")
    done = subprocess.run(["terraform", "validate"], cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
