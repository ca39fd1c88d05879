"""`chalice package --merge-template`: the durable resources beside the functions, from the same source."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from chalicelib.deployment import DELIVER, HANDLERS, RECONCILE
from sgwatch.durable_template import main, template
from tests.support.deployment import ROOT, copy_project


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stage as it is checked out, packaged by the command that docs/delivery.md tells of."""
    project = copy_project(tmp_path_factory.mktemp("package"))
    make(project, "DURABLE=1")
    return project / "build" / "package" / "sam.json"


def make(project: Path, *words: str) -> None:
    """``make package`` there, with this virtual environment and without a region."""
    # --old-file: the environment is there; it must not be made anew in the project's folder.
    command = ["make", "--file", str(ROOT / "Makefile"), "--old-file", "setup", f"BIN={Path(sys.executable).parent}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment["PYTHONPATH"] = str(ROOT)  # what is tested, wherever the environment was made
    subprocess.run([*command, "package", *words], cwd=project, env=environment, check=True, timeout=300)


@pytest.fixture(scope="module")
def resources(packaged: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(packaged.read_text())["Resources"]
    return found


def test_every_durable_resource_is_in_the_package_as_the_template_has_it(resources: dict[str, Any]) -> None:
    for name, item in template()["Resources"].items():
        assert resources[name]["Type"] == item["Type"]
        assert resources[name]["Properties"] == item["Properties"]


def test_the_functions_are_wired_to_them(resources: dict[str, Any]) -> None:
    deliver = resources["Deliver"]["Properties"]
    (source,) = deliver["Events"].values()
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["Properties"]["BatchSize"] == 1
    for name in ("AlertOnChange", "AlertOnTampering", "AlertOnOwnTampering", "AuditOnMending"):
        kept = resources[name]["Properties"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        assert kept["Destination"] == {"Fn::GetAtt": ["FailedEvents", "Arn"]}
    assert "EventInvokeConfig" not in resources["AuditOnSchedule"]["Properties"]
    watched = resources["DeliverErrorsAlarm"]["Properties"]["Dimensions"][0]["Value"]
    assert watched == {"Fn::Sub": "sgwatch-${Stage}-deliver"}
    assert deliver["FunctionName"] == "sgwatch-prod-deliver"


def test_every_function_is_reported_of_the_queue_and_the_table(resources: dict[str, Any]) -> None:
    functions = {
        name: item["Properties"]["Environment"]["Variables"]
        for name, item in resources.items()
        if item["Type"] == "AWS::Serverless::Function"
    }
    assert len(functions) == len(HANDLERS)
    names = (resources["Deliveries"]["Properties"]["QueueName"], resources["State"]["Properties"]["TableName"])
    assert names == ({"Fn::Sub": "sgwatch-${Stage}-deliveries.fifo"}, {"Fn::Sub": "sgwatch-${Stage}-state"})
    for variables in functions.values():
        assert variables["DELIVERY_QUEUE"] == "sgwatch-prod-deliveries.fifo"
        assert variables["STATE_TABLE"] == "sgwatch-prod-state"


def test_functions_rules_roles_and_log_groups_have_the_names_that_chalice_deploy_gives_them(
    resources: dict[str, Any],
) -> None:
    assert_named_as_chalice_does(resources, HANDLERS)


def assert_named_as_chalice_does(resources: dict[str, Any], handlers: Sequence[str]) -> None:
    functions = {name: item for name, item in resources.items() if item["Type"] == "AWS::Serverless::Function"}
    names = {each: f"sgwatch-prod-{each}" for each in handlers}
    assert {item["Properties"]["FunctionName"] for item in functions.values()} == set(names.values())
    rules = [
        source["Properties"].get("RuleName") or source["Properties"]["Name"]
        for item in functions.values()
        for source in item["Properties"].get("Events", {}).values()
        if source["Type"] != "SQS"
    ]
    assert sorted(rules) == sorted(f"{names[each]}-event" for each in handlers if each != DELIVER)
    for name, item in functions.items():
        named = item["Properties"]["FunctionName"]
        assert resources[f"{name}Role"]["Properties"]["RoleName"] == named
        assert resources[f"{name}LogGroup"]["Properties"]["LogGroupName"] == f"/aws/lambda/{named}"
        assert f"{name}LogGroup" in item["DependsOn"]


def test_without_durable_delivery_they_have_these_names_too(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    direct = [each for each in HANDLERS if each not in (DELIVER, RECONCILE)]
    main("prod", copy_project(tmp_path), durable=False)
    found = json.loads(capfdbinary.readouterr().out)["Resources"]
    # Chalice writes the types of functions, roles and schedules.
    for item in found.values():
        item["Type"] = "AWS::Serverless::Function" if "FunctionName" in item["Properties"] else "AWS::Other"
        for source in item["Properties"].get("Events", {}).values():
            source.setdefault("Type", "Schedule")
    assert_named_as_chalice_does(found, direct)


def test_the_attributes_of_resources_are_written_as_json_needs_them() -> None:
    assert '"Fn::GetAtt": "' not in json.dumps(template())


def test_a_stage_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r'"nope" is not a stage of .*; it has dev, prod'):
        main("nope", copy_project(tmp_path))


@pytest.mark.parametrize(
    ("watch", "handlers"),
    [
        ("", {"AlertOnChange", "AlertOnTampering", "AlertOnOwnTampering", "AuditOnMending"}),
        ("rules,groups", {"AlertOnChange"}),
    ],
)
def test_only_functions_that_the_stage_has_are_wired(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], watch: str, handlers: set[str]
) -> None:
    project = copy_project(tmp_path, {"WATCH": watch} if watch else {}, stage="prod")
    main("prod", project)
    found = json.loads(capfdbinary.readouterr().out)["Resources"]
    assert {name for name in found if "EventInvokeConfig" in found[name]["Properties"]} == handlers
    wired = {name for name in found if "Environment" in found[name]["Properties"]}
    assert wired == handlers | {"AuditOnSchedule", "Deliver", "Reconcile"}


def test_the_queue_waits_six_times_as_long_as_the_function_may_run(resources: dict[str, Any]) -> None:
    assert (
        resources["Deliveries"]["Properties"]["VisibilityTimeout"] == 6 * resources["Deliver"]["Properties"]["Timeout"]
    )


def test_the_package_passes_cfn_lint(packaged: Path) -> None:
    program = "import sys; from cfnlint.runner import main; sys.exit(main())"
    command = [sys.executable, "-c", program, str(packaged)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
