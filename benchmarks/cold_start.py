"""Cold start as a ratio: the packaged handler sending one alert, against the imports and calls that it needs.

All run in turns as new processes from unpacked deployment packages, and are timed from their start until the POST
has arrived at a loopback receiver. The handler's package is the one that ``make package`` makes, with bytecode;
the references are run from one without, as ``chalice deploy`` alone ships it, and from the handler's own. boto3 is
not in the package: as in Lambda it is found elsewhere, with bytecode.

The verdict goes by the processor time until the POST, which other work on the machine changes little; Linux alone
gives it, elsewhere the verdict goes by the time on the clock. Both are printed.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

from benchmarks.ec2_answers import ec2_answers
from sgwatch.bundle import make_reproducible, prepare

GROUP_ID = "sg-0a1b2c3d4e5f60718"
ROUNDS = 15
MOST_MEGABYTES = 2.0

POST = "requests.post(sys.argv[1], json={'text': 'hello'}, timeout=10)"
BASELINE = f"import requests, sys; {POST}"
ENRICHED_BASELINE = f"""
import boto3, requests, sys
boto3.client("ec2").describe_security_groups(GroupIds=["{GROUP_ID}"])
{POST}
"""
HANDLER = """
import json, sys
import app
class Context:
    aws_request_id = "0f2c"
    def get_remaining_time_in_millis(self): return 60000
app.alert_on_change(json.loads(sys.argv[2]), Context())
"""

RECORD = {
    "eventVersion": "1.09",
    "userIdentity": {"type": "IAMUser", "accountId": "123456789012", "userName": "alice"},
    "eventTime": "2026-11-23T10:00:00Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "AuthorizeSecurityGroupIngress",
    "awsRegion": "eu-west-1",
    "requestParameters": {
        "groupId": GROUP_ID,
        "ipPermissions": {
            "items": [
                {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
            ]
        },
    },
    "responseElements": {"_return": True},
    "eventID": "5f0e2a34-6f4b-4c39-9a51-0c1b7a2f9d10",
    "recipientAccountId": "123456789012",
}
EVENT = {"version": "0", "id": "e", "detail-type": "AWS API Call via CloudTrail", "detail": RECORD}


class Taken(NamedTuple):
    """Seconds from the start of a process until its POST: on the clock, and of the processor (None: not known)."""

    wall: float
    cpu: float | None


class _Receiver(BaseHTTPRequestHandler):
    begun = 0.0
    process = 0
    started = threading.Event()
    arrived: list[Taken] = []  # noqa: RUF012 - one receiver in one process

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        wall = time.perf_counter() - self.begun
        self.started.wait(10)
        self.arrived.append(Taken(wall, _processor_seconds(self.process)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _processor_seconds(process: int) -> float | None:
    """What a process has had of the processors so far, with its threads that have ended; it waits for its answer."""
    if sys.platform != "linux":
        return None
    # What clock_getcpuclockid(3) gives for a process: https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html
    return time.clock_gettime((~process << 3) | 2)


@dataclass(frozen=True, slots=True)
class Variant:
    """One program to time: its code, and the package that it finds its modules in."""

    code: str
    package: Path
    environment: Mapping[str, str]


def in_turns(variants: Mapping[str, Variant], rounds: int = ROUNDS) -> dict[str, list[Taken]]:
    """What each variant took until the POST in each round."""
    taken: dict[str, list[Taken]] = {name: [] for name in variants}
    with _receiving() as url:
        for number in range(rounds + 1):
            for name, variant in list(variants.items())[:: 1 if number % 2 else -1]:
                taken[name].append(_run(variant, url))
    return {name: seconds[1:] for name, seconds in taken.items()}  # the first round fills the disk's cache


@contextmanager
def _receiving() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/services/T0/B0/x"
    finally:
        server.shutdown()
        server.server_close()


def _run(variant: Variant, url: str) -> Taken:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(variant.package),
        "AWS_LAMBDA_FUNCTION_NAME": "sgwatch-bench",
        "SLACK_WEBHOOK_URL": url,
    }
    # -S: no site-packages, so that nothing but the package is found.
    command = [sys.executable, "-S", "-c", variant.code, url, json.dumps(EVENT)]
    _Receiver.arrived.clear()
    _Receiver.started.clear()
    _Receiver.begun = time.perf_counter()
    with subprocess.Popen(
        command, cwd=variant.package, env={**environment, **variant.environment}, stdout=subprocess.DEVNULL
    ) as process:
        _Receiver.process = process.pid
        _Receiver.started.set()
        if process.wait(60):
            raise subprocess.CalledProcessError(process.returncode, command)
    return _Receiver.arrived[0]


def build(project: Path, into: Path, *, prepared: bool) -> Path:
    """The deployment package of the project (a copy without ``__pycache__``), unpacked."""
    if prepared:
        prepare(project)
    chalice = Path(sys.executable).with_name("chalice")
    subprocess.run(
        [chalice, "package", into / "out"],
        cwd=project,
        env={"AWS_DEFAULT_REGION": "eu-west-1", **os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    if prepared:
        make_reproducible(into / "out" / "deployment.zip")
    with zipfile.ZipFile(into / "out" / "deployment.zip") as bundle:
        bundle.extractall(into / "package")
    return into / "package"


def _looking_up(endpoint: str, package: Path) -> dict[str, str]:
    return {
        "ENRICH": "true",
        "ACCOUNT_NAMES": "123456789012=example",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "PYTHONPATH": f"{package}{os.pathsep}{sysconfig.get_paths()['purelib']}",
    }


def main() -> int:
    """Measure, print, and say by the exit status whether the targets are met."""
    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(root / "chalicelib", project / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(root / ".chalice", project / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
        for name in ("app.py", "requirements.txt"):
            shutil.copy(root / name, project / name)
        plain = build(project, Path(folder) / "plain", prepared=False)
        compiled = build(project, Path(folder) / "compiled", prepared=True)
        with ec2_answers(GROUP_ID) as endpoint:
            taken = in_turns(
                {
                    "cold alert": Variant(HANDLER, compiled, {"ENRICH": "false"}),
                    "import requests and one POST": Variant(BASELINE, plain, {}),
                    "the same with bytecode": Variant(BASELINE, compiled, {}),
                    "cold alert with look-ups": Variant(HANDLER, compiled, _looking_up(endpoint, compiled)),
                    "boto3, requests, one EC2 call and one POST": Variant(
                        ENRICHED_BASELINE, plain, _looking_up(endpoint, plain)
                    ),
                }
            )
        small = _is_small(compiled.parent / "out" / "deployment.zip")
    met = [small, *(_report(taken, *row) for row in TARGETS)]
    return 0 if all(met) else 1


# What is measured, its reference, and the most that the ratio may be.
TARGETS = (
    ("cold alert", "import requests and one POST", 0.75),
    ("cold alert", "the same with bytecode", 1.35),
    ("cold alert with look-ups", "boto3, requests, one EC2 call and one POST", 0.75),
)


def _report(taken: Mapping[str, list[Taken]], what: str, reference: str, target: float) -> bool:
    pairs = list(zip(taken[what], taken[reference], strict=True))
    wall = [ours.wall / theirs.wall for ours, theirs in pairs]
    cpu = [ours.cpu / theirs.cpu for ours, theirs in pairs if ours.cpu and theirs.cpu]
    met = statistics.median(cpu or wall) <= target
    print(f"{what} against {reference}: at most {target} × ({'met' if met else 'MISSED'})")
    for kind, ratios in (("CPU", cpu), ("wall", wall)):
        if ratios:
            ours, theirs = (_milliseconds(taken[name], kind) for name in (what, reference))
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            print(f"  {kind}: {ours:.0f} ms against {theirs:.0f} ms, {statistics.median(ratios):.2f} × ({spread})")
    return met


def _milliseconds(taken: list[Taken], kind: str) -> float:
    return 1000 * statistics.median(one.wall if kind == "wall" else one.cpu or 0.0 for one in taken)


def _is_small(package: Path) -> bool:
    megabytes = package.stat().st_size / 1e6
    met = megabytes <= MOST_MEGABYTES
    print(f"package with bytecode: {megabytes:.2f} MB (at most {MOST_MEGABYTES}: {'met' if met else 'MISSED'})")
    return met


if __name__ == "__main__":
    raise SystemExit(main())
