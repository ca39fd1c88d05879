"""A copy of the project to deploy from, the real ``chalice`` and a function run as Lambda would run it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sgwatch.policies import write_policies

ROOT = Path(__file__).parent.parent.parent
# What the Lambda runtime brings along; urllib3 comes with the bundle.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six")
RUNNER = """
import importlib, json, sys
class Context:
    function_name = "sgwatch-dev-alert_on_change"
    aws_request_id = "0f2c"
    def get_remaining_time_in_millis(self): return 20000
module, name = sys.argv[1].rsplit(".", 1)
getattr(importlib.import_module(module), name)(json.load(sys.stdin), Context())
print(json.dumps(sorted({getattr(m, "__file__", None) or "" for m in sys.modules.values()})), file=sys.stderr)
"""


def copy_project(into: Path, environment: Mapping[str, str] | None = None, stage: str = "dev") -> Path:
    """What deploying needs, without anything that running or testing left behind."""
    project = into / "project"
    shutil.copytree(ROOT / "chalicelib", project / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
    (project / ".chalice").mkdir()
    for name in ("app.py", "requirements.txt", ".chalice/config.json"):
        shutil.copy(ROOT / name, project / name)
    path = project / ".chalice" / "config.json"
    config = json.loads(path.read_text())
    config["stages"][stage]["environment_variables"].update(environment or {})
    path.write_text(json.dumps(config))
    for each in config["stages"]:
        write_policies(path, each)
    return project


def chalice(project: Path, *arguments: str, **environment: str) -> str:
    """Run the real command; what it printed."""
    done = subprocess.run(
        [Path(sys.executable).with_name("chalice"), *arguments],
        cwd=project,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "AWS_DEFAULT_REGION": "eu-west-1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def unpack(bundle: Path, into: Path) -> Path:
    """The bundle's folder, as ``/var/task`` would be."""
    with zipfile.ZipFile(bundle) as opened:
        opened.extractall(into / "task")
    return into / "task"


def invoke(task: Path, handler: str, event: object, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a handler in a new process that sees the bundle, boto3 and the standard library, and nothing else."""
    runtime = task.parent / "runtime"
    if not runtime.exists():
        runtime.mkdir()
        for name in RUNTIME:
            spec = importlib.util.find_spec(name)
            assert spec is not None
            assert spec.origin is not None
            origin = Path(spec.origin)
            found = origin.parent if origin.name == "__init__.py" else origin
            (runtime / found.name).symlink_to(found)
    return subprocess.run(
        [sys.executable, "-S", "-c", RUNNER, handler],
        cwd=task,
        env={"PYTHONPATH": f"{task}:{runtime}", "PYTHONDONTWRITEBYTECODE": "1", **environment},
        input=json.dumps(event),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def documents(stdout: str) -> list[dict[str, Any]]:
    """The JSON lines that a function wrote."""
    return [json.loads(line) for line in stdout.splitlines()]
