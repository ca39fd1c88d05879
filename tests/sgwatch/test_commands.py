"""The command line as people and scripts use it: in a process of its own."""

from __future__ import annotations

import gzip
import json
import os
import pkgutil
import re
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sgwatch import commands
from sgwatch.__main__ import COMMANDS, share_region
from tests.support import command_line
from tests.support.command_line import BASE, ROOT
from tests.support.receiver import Answer, receiver
from tests.support.records import authorize, permission, world
from tests.support.rows import every

SHARED = ROOT.parent / "shared" / "events" / "records.jsonl"
SCHEMA = json.loads((ROOT / "schemas" / "alert.v1.json").read_text())


def sgwatch(*words: str, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[str]:
    done = command_line.sgwatch(*words, stdin=stdin, environ=BASE | environ)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def record(event_id: str, port: int = 22, **more: object) -> dict[str, Any]:
    permission = {
        "ipProtocol": "tcp",
        "fromPort": port,
        "toPort": port,
        "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
    }
    return {
        "eventVersion": "1.11",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "AuthorizeSecurityGroupIngress",
        "eventTime": f"2026-11-23T10:00:{event_id:0>2}Z",
        "awsRegion": "eu-west-1",
        "userIdentity": {"type": "IAMUser", "userName": "alice", "accountId": "123456789012"},
        "requestParameters": {"groupId": "sg-0123456789abcdef0", "ipPermissions": {"items": [permission]}},
        "eventID": event_id,
        **more,
    }


@pytest.fixture
def two_records(tmp_path: Path) -> Path:
    path = tmp_path / "records.json"
    path.write_text(json.dumps({"Records": [record("2", 80), record("1")]}))
    return path


def test_replay_prints_schema_valid_alerts_oldest_first(two_records: Path) -> None:
    done = sgwatch("replay", "--format", "json", str(two_records))
    alerts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [alert["id"] for alert in alerts] == ["1", "2"]
    for alert in alerts:
        jsonschema.validate(alert, SCHEMA)
    assert done.returncode == 0
    assert done.stderr == "1 file, 2 records, 2 watched: 2 alerts (1 critical, 1 medium)\n"


@pytest.mark.skipif(not SHARED.exists(), reason="the real records are not beside this checkout")
def test_every_real_record_of_a_security_group_makes_one_alert() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = sgwatch("replay", "--format", "json", "--watch", "rules,groups", str(SHARED))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Of processor time, since this machine may be doing other things.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
    assert done.returncode == 0
    documents = [json.loads(line)["record"] for line in SHARED.read_text().splitlines()]
    records = [item.get("detail", item) for item in documents]
    expected = {
        item["eventID"]
        for item in records
        if item["eventSource"] == "ec2.amazonaws.com" and "SecurityGroup" in item["eventName"]
    }
    alerts = [json.loads(line) for line in done.stdout.splitlines()]
    assert {alert["event"]["id"] for alert in alerts} == expected
    for alert in alerts:
        jsonschema.validate(alert, SCHEMA)


def test_a_record_seen_again_is_alerted_once_and_counted(two_records: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.json.gz"
    again.write_bytes(gzip.compress(two_records.read_bytes()))
    done = sgwatch("replay", "--format", "json", str(tmp_path))
    assert len(done.stdout.splitlines()) == 2
    assert "2 repeated" in done.stderr


def test_the_same_event_id_under_another_name_is_another_record() -> None:
    lines = [record("1"), record("1", eventName="DeleteSecurityGroup")]
    done = sgwatch("replay", "--format", "json", "-", stdin=b"\n".join(json.dumps(line).encode() for line in lines))
    assert len(done.stdout.splitlines()) == 2


def test_an_unreadable_file_is_named_and_the_rest_goes_on(two_records: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.json.gz").write_bytes(b"\x1f\x8bgarbage")
    done = sgwatch("replay", "--format", "json", str(tmp_path))
    assert len(done.stdout.splitlines()) == 2
    assert "bad.json.gz: damaged gzip data" in done.stderr
    assert done.returncode == 1


def test_every_path_that_is_not_there_is_named_before_anything_is_printed(two_records: Path) -> None:
    done = sgwatch("replay", str(two_records), "/nowhere/a", "/nowhere/b")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "/nowhere/a: there is no such" in done.stderr
    assert "/nowhere/b: there is no such" in done.stderr


def test_minimum_severity_and_groups_choose_alerts(two_records: Path) -> None:
    critical = sgwatch("replay", "--format", "json", "--min-severity", "critical", str(two_records))
    assert [json.loads(line)["id"] for line in critical.stdout.splitlines()] == ["1"]
    assert "1 below the minimum severity" in critical.stderr
    for groups in (
        sgwatch("replay", "--watch", "groups", str(two_records)),
        sgwatch("replay", str(two_records), WATCH="groups"),
    ):
        assert groups.stdout == ""
    wrong = sgwatch("replay", "--watch", "ruls", str(two_records))
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert '"ruls" is not one of rules, groups' in wrong.stderr


def test_a_watched_record_that_is_not_understood_is_alerted() -> None:
    done = sgwatch("replay", "--format", "json", "-", stdin=json.dumps(record("1", requestParameters=None)).encode())
    assert json.loads(done.stdout)["kind"] == "not_understood"


def test_text_on_a_pipe_has_no_escapes_and_undo_commands_on_one_line(two_records: Path) -> None:
    done = sgwatch("replay", str(two_records), COLUMNS="60")
    assert "\x1b" not in done.stdout
    commands = [line for line in done.stdout.splitlines() if line.startswith("aws ")]
    alerts = [json.loads(line) for line in sgwatch("replay", "--format", "json", str(two_records)).stdout.splitlines()]
    assert commands == [command for alert in alerts for command in alert["undo"]["commands"]]
    others = [line for line in done.stdout.splitlines() if not line.startswith("aws ")]
    assert max(map(len, others)) <= 60


def test_hostile_text_on_a_terminal_is_neither_markup_nor_control(two_records: Path) -> None:
    nasty = "[bold red]x[/] \x1b[31mred\x07\n CRITICAL  forged"
    hostile = record("1", userIdentity={"type": "IAMUser", "userName": nasty})
    done = sgwatch("replay", "-", stdin=json.dumps(hostile).encode(), FORCE_COLOR="1")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert "[bold red]x[/]" in plain
    assert "\x07" not in plain
    assert not [line for line in plain.splitlines() if line.startswith(" CRITICAL  forged")]


def test_slack_and_html_come_out(two_records: Path) -> None:
    payloads = sgwatch("replay", "--format", "slack", str(two_records)).stdout.splitlines()
    assert ["blocks" in json.loads(line) for line in payloads] == [True, True]
    assert sgwatch("replay", "--format", "html", str(two_records)).stdout.startswith("<!doctype html>")


def test_a_reader_that_stops_early_ends_it_quietly(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text(
        "\n".join(json.dumps(record(str(number), eventTime="2026-11-23T10:00:00Z")) for number in range(400))
    )
    command = f"{sys.executable} -m sgwatch replay {path} | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, cwd=ROOT, env=BASE, check=False
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert b"Broken" not in done.stderr


def test_an_interrupt_ends_it_without_a_traceback(tmp_path: Path) -> None:
    pipe = tmp_path / "records"
    os.mkfifo(pipe)
    words = [sys.executable, "-m", "sgwatch", "replay", str(pipe)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=BASE)
    writer = until_it_is_read(pipe, process)
    errors = interrupt_until_it_ends(process)
    os.close(writer)
    assert process.returncode == 130
    assert b"Traceback" not in errors


def interrupt_until_it_ends(process: subprocess.Popen[bytes], presses: int = 5) -> bytes:
    """Press Ctrl-C, again where nothing came of it, as before the program has set its own handler; its errors."""
    for _ in range(presses):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=4)[1]
    process.kill()
    raise AssertionError(f"it went on after Ctrl-C: {process.communicate()[1]!r}")


def until_it_is_read(pipe: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(400):
        with suppress(OSError):  # nobody has opened it for reading yet
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.05)
    process.kill()
    raise AssertionError("the command never opened its file")


def test_explain_shows_where_fields_came_from(two_records: Path) -> None:
    done = sgwatch("explain", "--json", "--event-id", "1", str(two_records))
    answer = json.loads(done.stdout)
    item = "requestParameters.ipPermissions.items[0]"
    assert answer["sources"]["changes.added[0].peer.value"] == [f"{item}.ipRanges.items[0].cidrIp"]
    assert answer["sources"]["principal.name"] == ["userIdentity.userName"]
    assert answer["sources"]["event.name"] == ["eventName"]
    assert f"{item}.ipRanges.items[0].cidrIp" in answer["sources"]["severity"]
    assert answer["decisive"] == ["eventSource", "eventName"]
    assert answer["unused"] == ["eventVersion"]
    assert "holds 2 records" in sgwatch("explain", str(two_records)).stderr


def test_explain_says_why_there_is_no_alert_and_what_is_not_there(two_records: Path) -> None:
    other = sgwatch("explain", "-", stdin=json.dumps(record("1", eventName="DescribeInstances")).encode())
    assert other.returncode == 0
    assert "No alert is made of this record (ec2.amazonaws.com DescribeInstances)" in other.stdout
    assert sgwatch("explain", "--event-id", "9", str(two_records)).returncode == 2
    assert sgwatch("explain", "/nowhere").returncode == 2


def test_config_masks_secrets_and_lists_every_fault() -> None:
    url = "https://hooks.slack.com/services/T000/B000/abcdefghijkl"
    good = sgwatch("config", "--json", SLACK_WEBHOOK_URL=url)
    assert good.returncode == 0
    assert json.loads(good.stdout)["destinations"] == ["slack"]
    assert "abcdefghijkl" not in good.stdout + good.stderr
    bad = sgwatch("config", SLACK_WEBHOOK_URL=url, SLACK_MIN_SEVERITY="hihg", LOG_LEVEL="loud")
    assert bad.returncode == 2
    assert "hihg" in bad.stderr
    assert "loud" in bad.stderr


def test_a_test_alert_reaches_every_destination_whatever_its_filter() -> None:
    with receiver() as slack, receiver() as hook:
        done = sgwatch(
            "send-test", "--json", SLACK_WEBHOOK_URL=slack.url, SLACK_MIN_SEVERITY="critical", WEBHOOK_URL=hook.url
        )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert [(item["destination"], item["delivered"]) for item in results] == [("slack", True), ("webhook", True)]
    assert json.loads(hook.requests[0].body)["kind"] == "test"
    assert len(slack.requests) == 1


def test_a_destination_without_the_test_alert_is_named_and_the_status_is_1() -> None:
    with receiver() as slack, receiver() as hook:
        slack.will(Answer(404, b"no_service"))
        done = sgwatch("send-test", SLACK_WEBHOOK_URL=slack.url + "/secret-path", WEBHOOK_URL=hook.url)
    assert done.returncode == 1
    assert re.search(r"slack +\S*.*no_service", done.stdout)
    assert re.search(r"webhook +delivered", done.stdout)
    assert "secret-path" not in done.stdout + done.stderr


def test_faulty_settings_are_reported_and_the_sound_destinations_tested() -> None:
    with receiver() as hook:
        done = sgwatch("send-test", WEBHOOK_URL=hook.url, SNS_TOPIC_ARN="nonsense")
    assert done.returncode == 2
    assert "SNS_TOPIC_ARN" in done.stderr
    assert len(hook.requests) == 1


def test_replay_with_send_delivers_what_each_destination_wants(two_records: Path) -> None:
    with receiver() as hook:
        done = sgwatch(
            "replay", "--send", "--format", "json", str(two_records), WEBHOOK_URL=hook.url, WEBHOOK_MIN_SEVERITY="high"
        )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert [json.loads(item.body)["id"] for item in hook.requests] == ["1"]


def test_replay_with_send_says_what_was_not_delivered(two_records: Path) -> None:
    with receiver() as hook:
        hook.will(Answer(410, b"gone"))
        done = sgwatch("replay", "--send", "--format", "json", str(two_records), WEBHOOK_URL=hook.url)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert "not delivered: alert 1 to webhook" in done.stderr


def test_help_lists_every_command_and_loads_none() -> None:
    done = sgwatch("--help", COLUMNS="200")
    assert done.returncode == 0
    assert [command.name for command in COMMANDS if f" {command.name} " not in done.stdout] == []


def test_each_command_has_a_module_and_each_module_a_command() -> None:
    rows, modules = {item.module for item in COMMANDS}, {item.name for item in pkgutil.iter_modules(commands.__path__)}
    assert sorted(rows - modules) == [], "no module in sgwatch/commands"
    assert sorted(modules - rows) == [], "no row in COMMANDS of sgwatch/__main__.py"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda item: item.name)
def test_every_command_has_help(command: Any) -> None:
    done = sgwatch(command.name, "--help")
    assert done.returncode == 0
    assert f"Usage: sgwatch {command.name}" in done.stdout


NO_CREDENTIALS = "there are no AWS credentials"
NO_PROJECT = ".chalice/config.json cannot be read"
# Command → words behind its name, and its status and what it says where there is neither a project nor AWS.
ALONE = {
    "replay": ("nosuch.json", 2, "nosuch.json: there is no such file or folder"),
    "explain": ("nosuch.json", 2, "nosuch.json: there is no such file"),
    "audit": ("", 2, NO_CREDENTIALS),
    "pattern": ("x", 1, "Security Hub"),
    "repair": ("", 2, NO_CREDENTIALS),
    "undo": ("nosuch", 2, "nosuch: there is no such file, and the event was not found"),
    "config": ("", 2, "no destination is configured"),
    "send-test": ("", 2, "no destination is configured"),
    "preview": ("nosuch.json", 2, "nosuch.json cannot be read"),
    "init": ("", 1, "Stage ["),
    "deploy": ("", 2, NO_PROJECT),
    "doctor": ("", 1, NO_CREDENTIALS),
    "uninstall": ("", 2, NO_CREDENTIALS),
    "setup": ("", 2, NO_PROJECT),
    "teardown": ("", 2, NO_CREDENTIALS),
    "watch": ("", 2, NO_PROJECT),
    "redrive": ("", 2, NO_CREDENTIALS),
    "silence": ("list", 2, NO_CREDENTIALS),
    "fleet": ("status", 2, NO_PROJECT),
    "local": ("--port x", 2, "unable to parse string as an integer"),
    "demo": ("--nosuch", 2, "No such option: --nosuch"),
}


@every("name", [command.name for command in COMMANDS])
def test_a_command_without_a_project_or_aws_says_what_it_lacks(tmp_path: Path, name: str) -> None:
    assert name in ALONE, "no row in ALONE of tests/sgwatch/test_commands.py"
    words, status, said = ALONE[name]
    environ = BASE | {"AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true", "COLUMNS": "200"}
    done = command_line.sgwatch(name, *words.split(), environ=environ, folder=tmp_path)
    assert (done.returncode, said in (done.stdout + done.stderr).decode()) == (status, True), done


@pytest.mark.parametrize("name", ["replay", "setup"])
def test_a_command_starts_with_what_it_imports_alone(name: str) -> None:
    words = [sys.executable, "-m", "sgwatch", name, "--help"]
    done = subprocess.run(words, capture_output=True, cwd=ROOT, env=BASE, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "environ", "said"),
    [
        (["audit"], {"AWS_REGION": "eu-west-1"}, "there are no AWS credentials: set AWS_PROFILE"),
        (["repair"], {}, "no region: set AWS_REGION"),
        (["audit"], {"AWS_PROFILE": "nosuch"}, "The config profile (nosuch) could not be found"),
        (["redrive"], {"AWS_REGION": "eu-west-1"}, "there are no AWS credentials"),
        (["silence", "list"], {"AWS_REGION": "eu-west-1"}, "there are no AWS credentials"),
        (["silence", "list"], {}, "no region: set AWS_REGION"),
    ],
)
def test_without_access_to_aws_a_sentence_says_what_to_set(
    words: list[str], environ: dict[str, str], said: str
) -> None:
    done = sgwatch(*words, stdin=b"", AWS_EC2_METADATA_DISABLED="true", **environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("sgwatch: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_region_of_the_aws_cli_is_taken_where_the_sdk_names_none() -> None:
    both = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}
    alone = {"AWS_REGION": "eu-west-1"}
    for environ in (both, alone):
        share_region(environ)
    assert both["AWS_DEFAULT_REGION"] == "us-east-1"
    assert alone["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_a_folder_without_a_record_is_not_a_success(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("{}")
    done = sgwatch("replay", str(tmp_path))
    assert done.returncode == 2
    assert "no CloudTrail record was found" in done.stderr


def test_two_records_with_one_example_id_are_two_alerts(tmp_path: Path) -> None:
    one = authorize(world(80), eventID="EXAMPLE")
    lines = [one, authorize(world(22), eventID="EXAMPLE"), one]
    path = tmp_path / "records.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    done = sgwatch("replay", "--format", "json", str(path))
    assert [json.loads(line)["severity"] for line in done.stdout.splitlines()] == ["medium", "critical"]
    assert "1 repeated" in done.stderr


def test_an_addendum_with_another_request_hides_no_record(tmp_path: Path) -> None:
    addendum = {"reason": "UPDATED_DATA", "originalEventID": "1"}
    narrow = authorize(permission(v4=("10.0.0.0/8",)), eventID="2", addendum=addendum)
    path = tmp_path / "records.jsonl"
    path.write_text("\n".join(map(json.dumps, [authorize(world(), eventID="1"), narrow])))
    done = sgwatch("replay", "--format", "json", str(path))
    alerts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [alert["severity"] for alert in alerts] == ["critical", "low"]
    assert "supplements 1" in alerts[1]["summary"]


def test_an_addendum_takes_the_place_of_the_record_it_supplements(tmp_path: Path) -> None:
    addendum = {"reason": "UPDATED_DATA", "updatedFields": "responseElements", "originalEventID": "1"}
    lines = [authorize(world(), eventID="1"), authorize(world(), eventID="2", addendum=addendum)]
    path = tmp_path / "records.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    done = sgwatch("replay", "--format", "json", str(path))
    (alert,) = map(json.loads, done.stdout.splitlines())
    assert "supplements 1" in alert["summary"]
    assert "1 supplemented" in done.stderr


def test_a_record_of_network_activity_is_counted_and_not_alerted(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(authorize(world(), eventCategory="NetworkActivity")))
    done = sgwatch("replay", "--format", "json", str(path))
    assert (done.returncode, done.stdout) == (0, "")
    assert "1 of a call" in done.stderr


def test_a_call_that_an_endpoints_policy_denied_is_alerted(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "eventCategory": "NetworkActivity",
        "errorCode": "VpceAccessDenied",
        "vpcEndpointId": "vpce-1",
    }
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(authorize(requestParameters=None, responseElements=None, **fields)))
    (alert,) = map(json.loads, sgwatch("replay", "--format", "json", str(path)).stdout.splitlines())
    assert (alert["severity"], alert["event"]["outcome"]) == ("medium", "denied")
    assert "The call came through VPC endpoint vpce-1, whose policy denied it." in alert["summary"]


def test_an_item_of_lookup_events_without_its_record_is_not_understood(tmp_path: Path) -> None:
    item = {"EventId": "1", "EventName": "DeleteTrail", "Username": "mallory"}
    path = tmp_path / "events.json"
    path.write_text(json.dumps({"Events": [item]}))
    (alert,) = map(json.loads, sgwatch("replay", "--format", "json", str(path)).stdout.splitlines())
    assert (alert["kind"], alert["severity"], alert["event"]["id"]) == ("not_understood", "high", "1")
    assert "mallory" in alert["summary"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_sentence(two_records: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sgwatch", "replay", str(two_records)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert "could not be written" in done.stderr
    assert "Traceback" not in done.stderr
