"""Deploys a Chalice app into the local cloud with the real ``chalice deploy``.

It works on a private copy of the project, since Chalice writes what it deployed beside the app.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

COPIED = ("app.py", "chalicelib", "requirements.txt", ".chalice")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", "deployed", "deployments", "venv")
# The console script, by the interpreter that runs this.
CHALICE = "import sys; from chalice.cli import main; sys.exit(main())"
TIMEOUT_SECONDS = 180
SHOWN_LINES = 5


class DeployError(Exception):
    """``chalice deploy`` failed; the text is what it said."""


@dataclass(frozen=True, slots=True)
class LocalDeployment:
    """Where the private copy is, and what Chalice said."""

    folder: Path
    output: str


def deploy(
    project: Path,
    folder: Path,
    environment: Mapping[str, str],
    *,
    stage: str = "dev",
    variables: Mapping[str, str] | None = None,
) -> LocalDeployment:
    """Copy the project into ``folder`` and deploy a stage; ``variables`` are added to the functions' environment."""
    copy, temporary = folder / "project", folder / "temporary"
    for made in (copy, temporary):
        made.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = project / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=NOT_COPIED, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy2(source, copy / name)
    if variables:
        _add_variables(copy / ".chalice" / "config.json", stage, variables)
    command = [sys.executable, "-c", CHALICE, "deploy", "--stage", stage, "--connection-timeout", "60"]
    # Chalice leaves its temporary folders behind where it is killed; there they go along with ours.
    settings = _environment(copy, environment) | {"TMPDIR": str(temporary)}
    return LocalDeployment(copy, _run(command, copy, settings))


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run Chalice and what it starts; whatever ends this early ends them too."""
    process = subprocess.Popen(  # noqa: S603  # our own interpreter
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise DeployError(f"chalice deploy took longer than {TIMEOUT_SECONDS} s") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode != 0:
        raise DeployError("\n".join(output.strip().splitlines()[-SHOWN_LINES:]))
    return output


def _environment(copy: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without its own AWS settings; pip finds wheels instead of a network."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    wheels = Path(sys.prefix) / "wheels"
    if wheels.is_dir():  # beside what else pip looks into: the places are separated by spaces
        kept |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{wheels} {kept.get('PIP_FIND_LINKS', '')}".strip()}
    return kept | {"HOME": str(copy), "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"} | dict(environment)


def _add_variables(config_path: Path, stage: str, variables: Mapping[str, str]) -> None:
    config: dict[str, Any] = json.loads(config_path.read_text())
    settings = config.setdefault("stages", {}).setdefault(stage, {})
    settings["environment_variables"] = {**settings.get("environment_variables", {}), **variables}
    config_path.write_text(json.dumps(config, indent=2))
