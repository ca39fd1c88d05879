"""The deployment package: bytecode and cut service models in it, and the same bytes for the same commit.

Lambda's disk is read-only, so a module that arrives without bytecode is compiled again at every cold start. Chalice
puts ``vendor/`` at the root of the package and everything under ``chalicelib/`` below it. Bytecode is checked against a
hash of its source: where the source or the interpreter is another one, Python compiles as it would without.
https://docs.python.org/3/reference/import.html#cached-bytecode-invalidation
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import chalice
import chalice.app

from chalicelib.settings.kinds import KINDS
from sgwatch.cut_models import add_service_models

# The destinations that have bytecode in the package; those of few stages do without.
MOST_USED = ("slack", "sns", "webhook")
# What no alert about a security group waits for, and what few stages send to; the package stays under its limit without
# their bytecode.
COLD = (
    "alarm_path",
    "reconciliation",
    "alert/tampering.py",
    "cloudtrail/event_history.py",
    "alert/quiet_hours.py",
    "delivery/digest.py",
    "delivery/follow_ups.py",
    "delivery/heartbeat.py",
    "delivery/problems.py",
    "delivery/resolving.py",
    "delivery/silence_digest.py",
    "destinations/cloudevents.py",
    "destinations/incidents.py",
    "destinations/ocsf.py",
    "destinations/outline.py",
    "destinations/rule_states.py",
    "destinations/slack_bot.py",
    "destinations/slack_threads.py",
    "functions/call_windows.py",
    "functions/guard.py",
    "functions/composition/auditing.py",
    "functions/composition/reconciling.py",
    "settings/deploying.py",
    "settings/stage.py",
    *(kind.module.replace(".", "/").removeprefix("chalicelib/") + ".py" for kind in KINDS if kind.key not in MOST_USED),
)
# What an alert imports of the requirements before it is delivered.
IMPORTED = """
import requests, sys
print(*filter(None, (getattr(module, "__file__", None) for module in sys.modules.values())), sep="\\n")
"""
# The earliest time that a zip file can hold.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def prepare(project: Path) -> None:
    """Put into the project what makes its cold starts short; Chalice then packages it.

    Raises:
        subprocess.CalledProcessError: the requirements could not be installed into a folder.
    """
    add_bytecode(project)
    add_service_models(project)


def add_bytecode(project: Path) -> None:
    """Compile what an alert imports, to where Chalice packages it and Python looks for it.

    Raises:
        subprocess.CalledProcessError: the requirements could not be installed into a folder.
    """
    remove_bytecode(project)
    with tempfile.TemporaryDirectory() as folder:
        libraries = Path(folder)
        _install(project / "requirements.txt", libraries)
        runtime = (Path(str(module.__file__)) for module in (chalice, chalice.app))
        _compile(
            [
                *(_Compiled(source, libraries, project / "vendor") for source in _imported(libraries)),
                *(_Compiled(source, source.parents[1], project / "vendor") for source in runtime),
                _Compiled(project / "app.py", project, project / "vendor"),
                *(_Compiled(source, project, project) for source in _hot(project / "chalicelib")),
            ]
        )


def remove_bytecode(project: Path) -> None:
    """Remove the bytecode of earlier packages and of running the project."""
    for root in (project / "vendor", project / "chalicelib"):
        for folder in sorted(root.rglob("__pycache__")):
            shutil.rmtree(folder)


def make_reproducible(package: Path) -> None:
    """Write the zip file again, in the order of its names and without times: the same files give the same bytes."""
    with zipfile.ZipFile(package) as old:
        contents = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(package, "w") as new:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            new.writestr(entry, contents[name], zipfile.ZIP_DEFLATED, 9)


def _install(requirements: Path, into: Path) -> None:
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
        "--no-deps",
    ]
    command = [*pip, "--target", str(into), "--requirement", str(requirements)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)  # noqa: S603 - pip, on the project's own file


def _imported(libraries: Path) -> Iterator[Path]:
    """The modules of the requirements that an alert imports."""
    environment = {**os.environ, "PYTHONPATH": str(libraries), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", "-c", IMPORTED]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)  # noqa: S603 - this interpreter
    files = (Path(line) for line in done.stdout.splitlines())
    yield from sorted(file for file in files if file.is_relative_to(libraries) and file.suffix == ".py")


def _hot(package: Path) -> Iterable[Path]:
    cold = tuple(package / name for name in COLD)
    return (path for path in sorted(package.rglob("*.py")) if not any(map(path.is_relative_to, cold)))


class _Compiled(NamedTuple):
    """A module: its source, the folder that it is imported from, and the folder that Python will import it from."""

    source: Path
    root: Path
    into: Path

    def row(self) -> tuple[str, str, str]:
        """Source, target and the source's name in the package."""
        inside = str(self.source.relative_to(self.root))
        target = self.into / importlib.util.cache_from_source(inside, optimization="")
        target.parent.mkdir(parents=True, exist_ok=True)
        return str(self.source), str(target), inside


# What the bytes of a code object are depends on the strings that the interpreter holds and on the order of its sets
# (https://peps.python.org/pep-0552/): a new process with a fixed seed gives the same ones each time.
_COMPILER = """
import json, py_compile, sys
for source, target, inside in json.load(sys.stdin):
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    # 2 leaves out docstrings and asserts, which nothing here reads. Python looks for the name without the level.
    py_compile.compile(source, target, dfile=inside, doraise=True, optimize=2, invalidation_mode=mode)
"""


def _compile(modules: Iterable[_Compiled]) -> None:
    rows = json.dumps([module.row() for module in modules])
    command = [sys.executable, "-S", "-c", _COMPILER]
    # Columns of expressions, which no log line shows, are a tenth of the bytecode; lines stay.
    # https://docs.python.org/3/using/cmdline.html#envvar-PYTHONNODEBUGRANGES
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONNODEBUGRANGES": "1"}
    subprocess.run(command, input=rows, text=True, env=environment, check=True)  # noqa: S603 - this interpreter


def main() -> None:
    """``python -m sgwatch.bundle PROJECT``, or ``python -m sgwatch.bundle FILE.zip`` for what was packaged."""
    target = Path(sys.argv[1])
    if target.suffix == ".zip":
        make_reproducible(target)
    else:
        prepare(target)


if __name__ == "__main__":
    main()
