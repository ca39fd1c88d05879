"""The Lambda entry points: what they are registered for, and what importing them does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.cold_start import EVENT, RECORD
from tests.support.receiver import receiver

ROOT = Path(__file__).parents[2]


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python code in a new process at the project's root."""
    keep = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**keep, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


PATTERN = "import app, json; print(json.dumps(app.CHANGES))"
TAMPER = ("alert_on_tampering", "alert_on_own_tampering")
HANDLERS = "import app, json; print(json.dumps(sorted(app.app.handler_map)))"


def test_watch_makes_the_pattern_and_tampering_is_not_in_it() -> None:
    pattern = json.loads(run(PATTERN, WATCH="groups,prefix_lists,tamper").stdout)
    assert pattern["detail"]["eventSource"] == ["ec2.amazonaws.com"]
    assert "CreateSecurityGroup" in pattern["detail"]["eventName"]
    assert "ModifyManagedPrefixList" in pattern["detail"]["eventName"]
    assert not {"AuthorizeSecurityGroupIngress", "DeleteTrail"} & set(pattern["detail"]["eventName"])


def test_a_function_is_there_for_each_rule_and_watch_chooses() -> None:
    schedule, change = "audit_on_schedule", "alert_on_change"
    tamper = ["alert_on_tampering", "alert_on_own_tampering", "audit_on_mending"]
    assert json.loads(run(HANDLERS).stdout) == sorted([change, *tamper, schedule])
    assert json.loads(run(HANDLERS, WATCH="rules").stdout) == sorted([change, schedule])
    assert json.loads(run(HANDLERS, WATCH="tamper").stdout) == sorted([*tamper, schedule])


def test_alerting_on_a_change_imports_nothing_of_the_alarm_path() -> None:
    code = INVOKE + (
        "assert not [name for name in sys.modules if 'alarm_path' in name or name in ('boto3', 'botocore')]"
    )
    with receiver() as slack:
        event = json.dumps({**EVENT, "detail": {**RECORD, "eventID": "cold"}})
        done = run(code.replace("sys.stdin.read()", repr(event)), SLACK_WEBHOOK_URL=f"{slack.url}/services/T0/B0/x")
        assert len(slack.requests) == 1
    assert done.returncode == 0, done.stderr


def test_a_faulty_watch_stops_the_deploying_machine_with_a_sentence() -> None:
    done = run(PATTERN, WATCH="ruels")
    assert done.returncode == 1
    assert 'WATCH: "ruels" is not one of rules' in done.stderr


def test_importing_the_app_makes_no_client_and_reads_no_destination() -> None:
    code = (
        "import sys, app; from chalicelib.functions.composition import alerting;"
        "assert alerting.alert_function.cache_info().currsize == 0;"
        "assert not {'boto3', 'botocore', 'requests', 'structlog', 'jmespath'} & set(sys.modules)"
    )
    done = run(code, SLACK_WEBHOOK_URL="nonsense")
    assert done.returncode == 0, done.stderr


INVOKE = """
import json, sys, app
class Context:
    aws_request_id = "r"
    def get_remaining_time_in_millis(self): return 5000
app.alert_on_change(json.loads(sys.stdin.read()), Context())
"""


def invoke(document: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(INVOKE.replace("sys.stdin.read()", repr(json.dumps(document))), **environment)


def test_a_function_without_destinations_raises() -> None:
    done = invoke(EVENT)
    assert done.returncode == 1
    assert "SettingsError: no destination is configured" in done.stderr


def test_an_event_without_eventbridges_envelope_gets_to_our_code() -> None:
    done = invoke(["not", "an", "envelope"])
    assert "SettingsError: no destination is configured" in done.stderr
    assert "KeyError" not in done.stderr


SOURCES = "import app, json; print(json.dumps([(s.name, getattr(s, 'queue', None)) for s in app.app.event_sources]))"


def test_the_deliver_function_is_there_only_where_both_resources_are() -> None:
    def registered(**environment: str) -> dict[str, str | None]:
        done = run(SOURCES, **environment)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    queue, table = {"DELIVERY_QUEUE": "sgwatch-dev-deliveries.fifo"}, {"STATE_TABLE": "sgwatch-dev-state"}
    direct = dict.fromkeys(("alert_on_change", *TAMPER, "audit_on_mending", "audit_on_schedule"))
    assert registered() == registered(**queue) == registered(**table) == direct
    both = {**direct, "deliver": "sgwatch-dev-deliveries.fifo", "reconcile": None}
    assert registered(**queue, **table) == both
    arn = {"DELIVERY_QUEUE": "arn:aws:sqs:eu-west-1:123456789012:sgwatch-dev-deliveries.fifo"}
    assert registered(**arn, **table) == both
