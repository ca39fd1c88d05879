"""`chalice package --merge-template`: the durable resources beside the functions, from the same source."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sgwatch.durable_template import main, package_template, template
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
    deliver = resources["Deliver"]["Properties"]
    (source,) = deliver["Events"].values()
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["Properties"]["BatchSize"] == 1
    for name in ("AlertOnChange", "AlertOnTampering", "AuditOnMending"):
        kept = resources[name]["Properties"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        assert kept["Destination"] == {"Fn::GetAtt": ["FailedEvents", "Arn"]}
    assert "EventInvokeConfig" not in resources["AuditOnSchedule"]["Properties"]
    assert resources["DeliverErrorsAlarm"]["Properties"]["Dimensions"][0]["Value"] == {"Ref": "Deliver"}


@pytest.mark.parametrize(
    ("watch", "handlers"),
    [("", {"AlertOnChange", "AlertOnTampering", "AuditOnMending"}), ("rules,groups", {"AlertOnChange"})],
)
def test_only_functions_that_the_stage_has_are_wired(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], watch: str, handlers: set[str]
) -> None:
    project = copy_project(tmp_path, {"WATCH": watch} if watch else {}, stage="prod")
    main("prod", project)
    found = json.loads(capfdbinary.readouterr().out)["Resources"]
    assert {name for name in found if "EventInvokeConfig" in found[name]["Properties"]} == handlers


def test_the_queue_waits_six_times_as_long_as_the_function_may_run(resources: dict[str, Any]) -> None:
    assert (
        resources["Deliveries"]["Properties"]["VisibilityTimeout"] == 6 * resources["Deliver"]["Properties"]["Timeout"]
    )


def test_the_package_passes_cfn_lint(packaged: Path) -> None:
    program = "import sys; from cfnlint.runner import main; sys.exit(main())"
    command = [sys.executable, "-c", program, str(packaged)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
