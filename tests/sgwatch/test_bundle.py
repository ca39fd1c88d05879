"""The deployment package as `make package` makes it: with bytecode, cut service models and the same bytes each time."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import boto3
import grimp
import pytest
from botocore.model import Shape, StructureShape

from chalicelib.aws.service_models import FOLDER, prefer_packaged
from chalicelib.deployment import HANDLERS
from sgwatch.bundle import COLD, make_reproducible, prepare
from sgwatch.cut_models import cut_model
from sgwatch.policies import policy
from tests.support.deployment import ROOT, chalice, copy_project

MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = copy_project(tmp_path_factory.mktemp("bundle"))
    prepare(copied)
    return copied


@pytest.fixture(scope="module")
def package(project: Path) -> Path:
    chalice(project, "package", "--stage", "prod", str(project.parent / "out"))
    made = project.parent / "out" / "deployment.zip"
    make_reproducible(made)
    return made


def names(package: Path) -> list[str]:
    with zipfile.ZipFile(package) as bundle:
        return bundle.namelist()


def test_it_is_small(package: Path) -> None:
    assert package.stat().st_size <= MOST_BYTES


def test_no_name_stands_in_it_twice(package: Path) -> None:
    assert [name for name, count in Counter(names(package)).items() if count > 1] == []


def test_all_that_an_alert_imports_is_there_with_bytecode(package: Path) -> None:
    graph = grimp.build_graph("chalicelib")
    root = "chalicelib.functions.composition.alerting"
    modules = graph.find_upstream_modules(root) | {root}
    sources = {name.replace(".", "/") + ".py" for name in modules}
    hot = {name for name in sources if (ROOT / name).is_file()} - {
        name for name in sources if any(Path(name).is_relative_to(Path("chalicelib", cold)) for cold in COLD)
    }
    found = set(names(package))
    wanted = {*hot, "app.py", "chalice/app.py", "requests/__init__.py", "urllib3/__init__.py"}
    assert {name for name in wanted if importlib.util.cache_from_source(name, optimization="") not in found} == set()


@pytest.mark.slow
def test_the_same_files_give_the_same_bytes(package: Path, tmp_path: Path) -> None:
    again = copy_project(tmp_path)
    prepare(again)
    chalice(again, "package", "--stage", "prod", str(tmp_path / "out"))
    make_reproducible(tmp_path / "out" / "deployment.zip")
    assert digest(tmp_path / "out" / "deployment.zip") == digest(package)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_module_is_not_compiled_again(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package) as bundle:
        bundle.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-v", "-S", "-c", "import requests, chalicelib.text"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    for name in ("requests/__pycache__/__init__", "chalicelib/__pycache__/text"):
        assert any("matches" in line and name in line for line in done.stderr.splitlines()), name


def test_a_client_made_from_the_cut_model_knows_what_the_policy_allows(project: Path) -> None:
    session = boto3.Session("testing", "testing", region_name="eu-west-1")
    prefer_packaged(session, project / "vendor" / FOLDER)
    ec2, full = session.client("ec2"), boto3.client("ec2", region_name="eu-west-1")
    made = [each for handler in HANDLERS for each in policy("prod", handler, {"ENRICH": "true"})["Statement"]]
    actions = {action for each in made for action in each["Action"] if action.startswith("ec2:")}
    assert set(ec2.meta.service_model.operation_names) == {action.removeprefix("ec2:") for action in actions}
    for name in ec2.meta.service_model.operation_names:
        ours, theirs = (client.meta.service_model.operation_model(name) for client in (ec2, full))
        assert members(ours.output_shape) == members(theirs.output_shape)
        assert members(ours.input_shape) == members(theirs.input_shape)


def members(shape: Shape | None) -> set[str]:
    assert isinstance(shape, StructureShape)
    return set(shape.members)


def test_a_service_that_is_not_in_the_package_is_botocores(project: Path) -> None:
    session = boto3.Session("testing", "testing", region_name="eu-west-1")
    prefer_packaged(session, project / "vendor" / FOLDER)
    assert hasattr(session.client("sns"), "publish")


def test_a_cut_model_keeps_a_member_that_is_called_documentation() -> None:
    model = {
        "operations": {"Get": {"input": {"shape": "In"}, "documentation": "text"}, "Put": {"input": {"shape": "Big"}}},
        "shapes": {
            "In": {"members": {"documentation": {"shape": "Text"}}, "documentation": "text"},
            "Text": {"type": "string"},
            "Big": {"type": "structure"},
        },
    }
    assert cut_model(model, ["Get"]) == {
        "operations": {"Get": {"input": {"shape": "In"}}},
        "shapes": {"In": {"members": {"documentation": {"shape": "Text"}}}, "Text": {"type": "string"}},
    }
