"""`chalice package --merge-template`: the durable resources beside the functions, from the same source."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sgwatch.durable_template import package_template, template
from tests.support.deployment import chalice, copy_project


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    names = {"DELIVERY_QUEUE": "sgwatch-prod-deliveries.fifo", "STATE_TABLE": "sgwatch-prod-state"}
    project = copy_project(folder, names, stage="prod")
    (project / "durable.json").write_bytes(package_template("prod"))
    chalice(project, "package", "--stage", "prod", "--merge-template", "durable.json", str(folder / "out"))
    return folder / "out" / "sam.json"


@pytest.fixture(scope="module")
def resources(packaged: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(packaged.read_text())["Resources"]
    return found


def test_every_durable_resource_is_in_the_package_as_the_template_has_it(resources: dict[str, Any]) -> None:
    for name, item in template()["Resources"].items():
        assert resources[name]["Type"] == item["Type"]
        if name != "DeliverErrorsAlarm":
            assert resources[name]["Properties"] == item["Properties"]


def test_the_functions_are_wired_to_them(resources: dict[str, Any]) -> None:
    deliver, alert = resources["Deliver"]["Properties"], resources["AlertOnChange"]["Properties"]
    (source,) = deliver["Events"].values()
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["Properties"]["BatchSize"] == 1
    assert alert["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"] == {
        "Fn::GetAtt": ["FailedEvents", "Arn"]
    }
    assert resources["DeliverErrorsAlarm"]["Properties"]["Dimensions"][0]["Value"] == {"Ref": "Deliver"}


def test_the_queue_waits_six_times_as_long_as_the_function_may_run(resources: dict[str, Any]) -> None:
    assert (
        resources["Deliveries"]["Properties"]["VisibilityTimeout"] == 6 * resources["Deliver"]["Properties"]["Timeout"]
    )


def test_the_package_passes_cfn_lint(packaged: Path) -> None:
    program = "import sys; from cfnlint.runner import main; sys.exit(main())"
    command = [sys.executable, "-c", program, str(packaged)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
