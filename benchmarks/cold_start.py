"""Cold start as a ratio: the packaged handler sending one alert, against the imports and calls that it needs.

Both run as new processes from the unpacked deployment package, without bytecode, and are timed from
their start until the POST has arrived at a loopback receiver. boto3 is not in the package: as in
Lambda it is found elsewhere, with bytecode.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import sysconfig
import threading
import time
import zipfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from benchmarks.ec2_answers import ec2_answers

GROUP_ID = "sg-0a1b2c3d4e5f60718"
TARGET = 1.3
ROUNDS = 15

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


class _Receiver(BaseHTTPRequestHandler):
    arrived: list[float] = []  # noqa: RUF012 - one receiver in one process

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.arrived.append(time.perf_counter())
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def measure(
    package: Path, rounds: int = ROUNDS, baseline: str = BASELINE, environment: Mapping[str, str] | None = None
) -> tuple[float, float]:
    """Median seconds of the handler and of the baseline, taken in turns."""
    server = HTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/services/T0/B0/x"
    try:
        taken: dict[str, list[float]] = {HANDLER: [], baseline: []}
        for _ in range(rounds):
            for code, seconds in taken.items():
                seconds.append(_run(package, code, url, environment or {}))
    finally:
        server.shutdown()
        server.server_close()
    return statistics.median(taken[HANDLER]), statistics.median(taken[baseline])


def _run(package: Path, code: str, url: str, extra: Mapping[str, str]) -> float:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(package),
        "AWS_LAMBDA_FUNCTION_NAME": "sgwatch-bench",
        "SLACK_WEBHOOK_URL": url,
    }
    # -S: no site-packages, so that nothing but the package is found.
    command = [sys.executable, "-S", "-c", code, url, json.dumps(EVENT)]
    _Receiver.arrived.clear()
    start = time.perf_counter()
    subprocess.run(
        command, cwd=package, env={**environment, **extra}, check=True, stdout=subprocess.DEVNULL, timeout=60
    )
    return _Receiver.arrived[0] - start


def measure_enriched(package: Path, rounds: int = ROUNDS) -> tuple[float, float]:
    """The same with look-ups in EC2, against boto3 and one call."""
    with ec2_answers(GROUP_ID) as endpoint:
        environment = {
            "ENRICH": "true",
            "ACCOUNT_NAMES": "123456789012=example",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "PYTHONPATH": f"{package}{os.pathsep}{sysconfig.get_paths()['purelib']}",
        }
        return measure(package, rounds, ENRICHED_BASELINE, environment)


def build(project: Path, into: Path) -> Path:
    """The deployment package of the project (a copy without ``__pycache__``), unpacked."""
    chalice = Path(sys.executable).with_name("chalice")
    subprocess.run(
        [chalice, "package", into / "out"],
        cwd=project,
        env={"AWS_DEFAULT_REGION": "eu-west-1", **os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with zipfile.ZipFile(into / "out" / "deployment.zip") as bundle:
        bundle.extractall(into / "package")
    return into / "package"


def main() -> int:
    """Measure, print, and say by the exit status whether the target is met."""
    import shutil  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(root / "chalicelib", project / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(root / ".chalice", project / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
        for name in ("app.py", "requirements.txt"):
            shutil.copy(root / name, project / name)
        package = build(project, Path(folder))
        met = [
            _report("cold alert", "requests and one POST", measure(package)),
            _report(
                "cold alert with look-ups", "boto3, requests, one EC2 call and one POST", measure_enriched(package)
            ),
        ]
    return 0 if all(met) else 1


def _report(what: str, against: str, seconds: tuple[float, float]) -> bool:
    handler, baseline = seconds
    ratio = handler / baseline
    print(
        f"{what} {handler * 1000:.0f} ms, {against} {baseline * 1000:.0f} ms: {ratio:.2f} × (target: at most {TARGET})"
    )
    return ratio <= TARGET


if __name__ == "__main__":
    raise SystemExit(main())
