"""What a cold start imports until its alert leaves: the list is held, so that a new module or class is a decision."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.records import authorize, world

ROOT = Path(__file__).parents[2]
EXPECTED = json.loads((ROOT / "tests/data/cold_imports.json").read_text())

# NamedTuples of the project itself.
MOST_RECORDS = 90

# The receiver stands in the same process, so that it sees what is imported when the alert arrives.
PROGRAM = """
import dataclasses, enum, json, os, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        modules = {name: module for name, module in sys.modules.items() if name not in before}
        classes = {
            (f"{name}.{key}", value)
            for name, module in modules.items() if name.partition(".")[0] in ("app", "chalicelib")
            for key, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == name
        }
        outside = {name.partition(".")[0] for name, module in modules.items()
                   if "site-packages" in (getattr(module, "__file__", None) or "")}
        print(json.dumps({
            "modules": [name for name in modules if name.partition(".")[0] in ("app", "chalicelib")],
            "packages": list(outside),
            "enums": [name for name, kind in classes if issubclass(kind, enum.Enum)],
            "dataclasses": [name for name, kind in classes if dataclasses.is_dataclass(kind)],
            "records": [name for name, kind in classes if issubclass(kind, tuple)],
        }), flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

class Context:
    aws_request_id = "request"
    def get_remaining_time_in_millis(self):
        return 60_000

server = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["SLACK_WEBHOOK_URL"] = f"http://127.0.0.1:{server.server_port}/services/T0/B0/x"
before = set(sys.modules)
import app
app.alert_on_change(json.load(sys.stdin), Context())
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str]]:
    """Everything by kind that is there when the alert arrives."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps({"detail": authorize(world())}),
        env={"PATH": "", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "ENRICH": "false"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[0])
    return found


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_cold_alert_imports_nothing_new(kind: str, imported: dict[str, list[str]]) -> None:
    new = set(imported[kind]) - set(EXPECTED[kind])
    gone = set(EXPECTED[kind]) - set(imported[kind])
    assert not new, f"a cold alert now has these {kind}: import them where they are needed, or list them"
    # requests takes simplejson where an environment has it.
    assert not gone - {"simplejson"}, f"a cold alert no longer has these {kind}: take them out of the list"


def test_a_cold_alert_makes_few_records(imported: dict[str, list[str]]) -> None:
    assert len(imported["records"]) <= MOST_RECORDS, f"0.1 to 0.2 ms each: {sorted(imported['records'])}"


def test_a_cold_alert_has_no_dataclass_and_no_boto3(imported: dict[str, list[str]]) -> None:
    assert imported["dataclasses"] == []
    assert not {"boto3", "botocore", "jmespath", "structlog"} & set(imported["packages"])
