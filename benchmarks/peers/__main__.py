"""What sgwatch, Prowler and Cloud Custodian say of a sound alarm path and of broken ones, in the local cloud.

    python -m benchmarks.peers --prowler BIN --custodian BIN [--breakage NAME]...

Prowler and Cloud Custodian are not dependencies: install each into an environment of its own and name its program.
A tool is right about a broken path when it does not pass it, and about the sound one when it does.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.peers.breakages import BREAKAGES
from localcloud.baseline import PATTERN, make_alarm_path
from localcloud.cloud import LocalCloud

SOUND = "nothing is broken"
CHECK = "cloudwatch_log_metric_filter_security_group_changes"
SECONDS = 900
Judge = Callable[[Mapping[str, str], Path], str]


def sgwatch(environment: Mapping[str, str], folder: Path) -> str:
    """``pass``, ``fail`` or ``unknown``."""
    done = _run([sys.executable, "-m", "sgwatch", "audit", "--json"], environment, folder, Path.cwd())
    return str(json.loads(done.stdout)["status"]) if done.stdout.startswith("{") else _error(done.stderr)


def prowler(program: str) -> Judge:
    """The verdict of Prowler's check of this alarm."""

    def judge(environment: Mapping[str, str], folder: Path) -> str:
        region = environment["AWS_DEFAULT_REGION"]
        options = ["--checks", CHECK, "--output-formats", "csv", "--output-directory", str(folder), "--no-banner"]
        done = _run([program, "aws", *options, "--region", region, "--ignore-exit-code-3"], environment, folder, folder)
        results = [row for path in folder.glob("*.csv") for row in csv.DictReader(path.open(), delimiter=";")]
        statuses = {row["STATUS"] for row in results}
        if not statuses:
            return _error(done.stdout + done.stderr)
        return "fail" if "FAIL" in statuses else "pass"

    return judge


def custodian(program: str) -> Judge:
    """The verdict of Cloud Custodian's filter check-cloudtrail: the account is a finding where it is not met."""

    def judge(environment: Mapping[str, str], folder: Path) -> str:
        wanted = {
            "type": "check-cloudtrail",
            "multi-region": True,
            "running": True,
            "include-management-events": True,
            "log-metric-filter-pattern": PATTERN,
        }
        policies = {"policies": [{"name": "changes", "resource": "aws.account", "filters": [wanted]}]}
        (folder / "policy.json").write_text(json.dumps(policies))
        done = _run([program, "run", "--output-dir", str(folder), "policy.json"], environment, folder, folder)
        found = folder / "changes" / "resources.json"
        if done.returncode or not found.exists():
            return _error(done.stderr)
        return "fail" if json.loads(found.read_text()) else "pass"

    return judge


def _error(said: str) -> str:
    """The end of what a program said, as a cell of the table."""
    return f"error: {' '.join(said.split())[-200:].replace('|', ' ')}"


def _run(
    command: list[str], environment: Mapping[str, str], home: Path, folder: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def verdicts(breakage: str, judges: Mapping[str, Judge]) -> dict[str, str]:
    """What each tool says of an account with this breakage."""
    with LocalCloud() as cloud:
        make_alarm_path(cloud)
        if breakage != SOUND:
            BREAKAGES[breakage](cloud)
        found = {}
        for name, judge in judges.items():
            with tempfile.TemporaryDirectory() as folder:
                found[name] = judge(cloud.environment(), Path(folder))
    return found


def main() -> int:
    """Print the table; exit status 1 where sgwatch was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    parser.add_argument("--prowler", help="Prowler's program")
    parser.add_argument("--custodian", help="Cloud Custodian's program")
    parser.add_argument("--breakage", action="append", choices=(SOUND, *BREAKAGES), help="only this; may be repeated")
    given = parser.parse_args()
    judges: dict[str, Judge] = {"sgwatch": sgwatch}
    if given.prowler:
        judges["Prowler"] = prowler(given.prowler)
    if given.custodian:
        judges["Cloud Custodian"] = custodian(given.custodian)
    print(f"| what is broken | {' | '.join(judges)} |\n|{'---|' * (len(judges) + 1)}")
    right = dict.fromkeys(judges, 0)
    chosen = given.breakage or [SOUND, *BREAKAGES]
    for breakage in chosen:
        said = verdicts(breakage, judges)
        for name, verdict in said.items():
            right[name] += (verdict == "pass") == (breakage == SOUND) and not verdict.startswith("error")
        print(f"| {breakage} | {' | '.join(said.values())} |", flush=True)
    print(f"| **right of {len(chosen)}** | {' | '.join(map(str, right.values()))} |")
    return 0 if right["sgwatch"] == len(chosen) else 1


if __name__ == "__main__":
    raise SystemExit(main())
