"""Chalice's package for Terraform made a module that current Terraform takes, with durable delivery in it.

``chalice package --pkg-format terraform`` writes a file that refuses Terraform 1.4 and newer, gives log groups a
resource's name in place of the function's, names rules without their stage, and lets Terraform read ``${`` in a setting
as its own. The durable resources are the stack that ``sgwatch setup`` makes, from the same template.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib.deployment import DELIVER, WITH_EVENTS
from sgwatch.durable_template import TEMPLATE, StagePlace
from sgwatch.project_files import StageError, read_json, write_json

FILE = "chalice.tf.json"
# By this tag `sgwatch uninstall` knows that Terraform would make again what it removed.
DEPLOYED_BY = ("deployed-by", "terraform")
_STACK = "aws_cloudformation_stack.durable"
_VERSIONS = {
    "required_version": ">= 1.0",
    "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.0"}},
}


def make_module(folder: Path, stage: str, *, durable: bool) -> None:
    """Rewrite Chalice's file in this folder, and put the template of durable delivery beside it.

    Raises:
        StageError: there is no such file, or it has no function of this stage.
    """
    document = read_json(folder / FILE)
    functions = document["resource"].get("aws_lambda_function", {})
    place = StagePlace(stage, "", "", "")
    if not any(each["function_name"] == place.function(name) for name, each in functions.items()):
        raise StageError(f"{folder / FILE} has no function of stage {stage}: chalice package --stage {stage} makes one")
    write_json(folder / FILE, module(document, place, durable=durable))
    if durable:
        shutil.copy(TEMPLATE, folder / TEMPLATE.name)


def module(document: Mapping[str, Any], place: StagePlace, *, durable: bool) -> dict[str, Any]:
    """The whole file, from Chalice's."""
    resource = dict(document["resource"])
    for kind, change in (
        ("aws_lambda_function", _function),
        ("aws_cloudwatch_log_group", _log_group),
        ("aws_cloudwatch_event_rule", _rule),
        ("aws_iam_role_policy", _role_policy),
    ):
        resource[kind] = {name: change(name, each, place) for name, each in resource.get(kind, {}).items()}
    functions = {name: f"${{aws_lambda_function.{name}.arn}}" for name in resource["aws_lambda_function"]}
    made: dict[str, Any] = {
        "terraform": _VERSIONS,
        "data": {name: each for name, each in document["data"].items() if name != "null_data_source"},
        "resource": resource,
        "output": {"functions": {"description": "The functions' ARNs.", "value": functions}},
    }
    if durable:
        _add_durable(made, place)
    return made


def _function(name: str, function: Mapping[str, Any], _place: StagePlace) -> dict[str, Any]:
    variables = function.get("environment", {}).get("variables", {})
    log_group = f"{name}-log-group"
    return {
        **function,
        "tags": {key: _plain(value) for key, value in (*function["tags"].items(), DEPLOYED_BY)},
        "environment": {"variables": {key: _plain(value) for key, value in variables.items()}},
        # Made first: Lambda makes a log group of its own, without a retention, at the function's first line.
        "depends_on": [f"aws_cloudwatch_log_group.{log_group}"],
    }


def _log_group(name: str, group: Mapping[str, Any], place: StagePlace) -> dict[str, Any]:
    return {**group, "name": f"/aws/lambda/{place.function(name.removesuffix('-log-group'))}"}


def _rule(name: str, rule: Mapping[str, Any], place: StagePlace) -> dict[str, Any]:
    pattern = {"event_pattern": _plain(rule["event_pattern"])} if "event_pattern" in rule else {}
    return {**rule, **pattern, "name": place.function(name)}


def _role_policy(_name: str, policy: Mapping[str, Any], _place: StagePlace) -> dict[str, Any]:
    return {**policy, "policy": _plain(policy["policy"])}


def _plain(text: str) -> str:
    """Text in which Terraform finds nothing to fill in."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _output(name: str) -> str:
    return f'${{{_STACK}.outputs["{name}"]}}'


def _add_durable(made: dict[str, Any], place: StagePlace) -> None:
    made["variable"] = {
        "alarm_topic_arn": {
            "type": "string",
            "default": "",
            "description": "The SNS topic that the alarms of durable delivery notify; empty for none.",
        }
    }
    made["output"]["delivery_queue"] = {"description": "The delivery queue's name.", "value": _output("DeliveryQueue")}
    resource = made["resource"]
    resource["aws_cloudformation_stack"] = {
        "durable": {
            "name": place.stack,
            "template_body": f'${{file("${{path.module}}/{TEMPLATE.name}")}}',
            "parameters": {"Stage": place.stage, "AlarmTopicArn": "${var.alarm_topic_arn}"},
            "tags": {"app": "sgwatch"},
        }
    }
    wired = {"DELIVERY_QUEUE": _output("DeliveryQueue"), "STATE_TABLE": _output("StateTable")}
    for function in resource["aws_lambda_function"].values():
        function["environment"]["variables"].update(wired)
    # Lambda checks with the function's role whether it may read the queue, and whether it may send to the other.
    resource["aws_lambda_function_event_invoke_config"] = {
        name: {
            "function_name": f"${{aws_lambda_function.{name}.function_name}}",
            "maximum_retry_attempts": 2,
            "destination_config": {"on_failure": {"destination": _output("FailedEventsArn")}},
            "depends_on": [f"aws_iam_role_policy.{name}_role"],
        }
        for name in WITH_EVENTS
        if name in resource["aws_lambda_function"]
    }
    for mapping in resource.get("aws_lambda_event_source_mapping", {}).values():
        mapping["function_response_types"] = ["ReportBatchItemFailures"]
        mapping["depends_on"] = [_STACK, f"aws_iam_role_policy.{DELIVER}_role"]


def main(stage: str, folder: Path, *, durable: bool) -> None:
    """Make the module, or end with what is wrong."""
    try:
        make_module(folder, stage, durable=durable)
    except StageError as error:
        sys.exit(f"sgwatch: {error}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), durable="--direct" not in sys.argv[3:])
