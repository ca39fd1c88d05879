"""The wheel holds what somebody needs who installs it and has no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sgwatch.fleet_templates import FleetTemplate
from sgwatch.terraform_module import FILE
from tests.support.deployment import ROOT

pytestmark = pytest.mark.slow
BUILT_FROM = ("app.py", "requirements.txt", "pyproject.toml", "setup.py", "README.md", "LICENSE")
FOLDERS = ("chalicelib", "sgwatch", "localcloud", "infra", "schemas", ".chalice")
TIMEOUT_SECONDS = 300


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel is installed into; what it depends on is this environment's."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "project", "deployed")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)], check=True
    )
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    return folder / "site"


def sgwatch(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(Path(sys.prefix) / "wheels"),
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def test_init_fills_an_empty_folder_that_chalice_can_package(installed: Path, tmp_path: Path) -> None:
    given = ("--set", "SLACK_WEBHOOK_URL=ssm:/sgwatch/prod/slack", "--no-test")
    done = sgwatch(installed, tmp_path, "-m", "sgwatch", "init", "--stage", "prod", *given)
    assert done.returncode == 0, done.stderr
    assert "Next: sgwatch deploy --stage prod --region eu-west-1" in done.stdout
    chalice = "import sys; from chalice.cli import main; sys.exit(main())"
    command = ("-c", chalice, "package", "--stage", "prod", "--pkg-format", "terraform", "out")
    done = sgwatch(installed, tmp_path, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    done = sgwatch(installed, tmp_path, "-m", "sgwatch.terraform_module", "prod", "out", "--direct")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {FILE, "deployment.zip"}


@pytest.mark.parametrize("name", ["durable.yaml", *(f"{each.value}.yaml" for each in FleetTemplate)])
def test_every_template_is_in_the_wheel(installed: Path, name: str) -> None:
    found = sgwatch(
        installed, installed.parent, "-c", "from sgwatch import fleet_templates; print(fleet_templates.FOLDER)"
    )
    assert (Path(found.stdout.strip()) / name).is_relative_to(installed)
    assert (Path(found.stdout.strip()) / name).exists()
