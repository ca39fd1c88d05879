"""`sgwatch local` as a person runs it: what it prints, and that nothing is left of it."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import boto3
import pytest
from moto import mock_aws

from localcloud import LocalCloud
from localcloud.session import stand_apart
from tests.support.command_line import sgwatch

ROOT = Path.cwd()
COMMAND = (sys.executable, "-m", "sgwatch", "local")


# One that moto makes, and one of which it says that it does not.
STACK = {
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": "Queue"}]}},
    }
}


class Running:
    """A local cloud in a process of its own, with a temporary folder of its own."""

    def __init__(self, temporary: Path, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.process = subprocess.Popen(
            [*COMMAND, "--port", "0", *arguments],
            env=environment | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def output(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def read_until(self, text: str) -> list[str]:
        lines = []
        for line in self.output:
            lines.append(line.rstrip("\n"))
            if text in line:
                return lines
        raise AssertionError(f"it ended before it said {text!r}: {lines}; {self.process.communicate()[1]}")

    def end(self) -> tuple[str, str]:
        """Interrupt it; what it printed since, and its errors."""
        self.process.send_signal(signal.SIGINT)
        output, error = self.process.communicate(timeout=20)
        return output, error


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def processes_with(mark: str) -> list[str]:
    """The command lines of the processes that have a text in their environment: what a session started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_text(errors="replace"):
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def running(temporary: Path, tmp_path: Path) -> Iterator[Running]:
    session = Running(temporary, "--record", str(tmp_path / "records.jsonl"))
    yield session
    session.process.kill()
    session.process.communicate()


@pytest.mark.slow
def test_what_it_prints_can_be_pasted_and_works(running: Running, temporary: Path, tmp_path: Path) -> None:
    lines = running.read_until("Ctrl-C ends it")
    exports = {match[1]: match[2] for line in lines if (match := re.fullmatch(r"export (\w+)=(.*)", line))}
    port = exports["AWS_ENDPOINT_URL"].rpartition(":")[2]
    session: Any = boto3.session.Session(
        region_name=exports["AWS_DEFAULT_REGION"],
        aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=exports["AWS_SECRET_ACCESS_KEY"],
    )
    command = [*COMMAND, "env", "--port", port]
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.defpath, "HOME": str(tmp_path), "AWS_PROFILE": "work"}
    evaluated = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout.splitlines()
    assert [line for line in lines if line.startswith(("export", "aws()"))] == evaluated[1:]
    assert evaluated[0] == "unset AWS_PROFILE"
    assert any(re.search(r"Slack incoming webhook: +http://127\.0\.0\.1:\d+/slack/services/", line) for line in lines)
    queues = session.client("sqs", endpoint_url=exports["AWS_ENDPOINT_URL"]).list_queues()["QueueUrls"]
    assert any(url.endswith("/sgwatch-dev-deliveries.fifo") for url in queues)
    ec2, stacks = (session.client(name, endpoint_url=exports["AWS_ENDPOINT_URL"]) for name in ("ec2", "cloudformation"))
    stacks.create_stack(StackName="pasted", TemplateBody=json.dumps(STACK))
    ec2.create_security_group(GroupName="pasted", Description="d")
    logs, said = "", "sgwatch-dev-alert_on_change  REPORT RequestId"
    deadline = time.monotonic() + 15
    while said not in logs and time.monotonic() < deadline:
        command = [*COMMAND, "logs", "alert_on_change", "--port", port]
        environment = {"PYTHONPATH": str(ROOT), "PATH": os.defpath, "HOME": str(tmp_path)}
        logs = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert said in logs
    _, said = running.end()
    assert "low" in said
    assert "Security group pasted" in said
    assert "moto" not in said.lower()
    assert running.process.returncode == 0
    records = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert "CreateSecurityGroup" in [record["eventName"] for record in records]
    assert list(temporary.iterdir()) == []
    assert not (ROOT / ".chalice" / "deployed").exists()


def test_the_callers_own_account_and_proxy_are_left_alone() -> None:
    environ = {
        "PATH": "/bin",
        "AWS_PROFILE": "work",
        "AWS_REGION": "us-west-2",
        "AWS_SESSION_TOKEN": "t",
        "HTTPS_PROXY": "http://proxy.example.com:3128",
        "NO_PROXY": "intranet.example.com",
    }
    told = stand_apart(environ)
    assert told == ("unset AWS_PROFILE AWS_SESSION_TOKEN", "export no_proxy=intranet.example.com,127.0.0.1,localhost")
    assert environ == {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy.example.com:3128",
        "NO_PROXY": "intranet.example.com",
        "no_proxy": "intranet.example.com,127.0.0.1,localhost",
    }
    assert stand_apart({"PATH": "/bin"}) == ()


def test_a_profile_that_is_not_there_keeps_nobody_from_the_local_cloud() -> None:
    script = "import os, localcloud; print(os.environ['AWS_PROFILE'])"
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "AWS_PROFILE": "nosuch"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("nosuch\n", "")


def test_a_local_cloud_begins_empty_whatever_used_moto_before() -> None:
    """A group keeps the filters that moto knew when it was made; the local cloud adds one."""
    by_list = [{"Name": "ip-permission.prefix-list-id", "Values": ["pl-0123456789abcdef0"]}]
    with mock_aws():
        before = boto3.session.Session("testing", "testing", region_name="eu-west-1")
        before.client("sqs").create_queue(QueueName="left")
        before.client("ec2").describe_security_groups()
        with LocalCloud() as cloud:
            assert cloud.client("sqs").list_queues().get("QueueUrls") is None
            assert cloud.client("ec2").describe_security_groups(Filters=by_list)["SecurityGroups"] == []


def test_logs_without_a_local_cloud_say_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody listens on it
        environment = {"PATH": os.defpath, "HOME": str(tmp_path)}
        result = sgwatch("local", "logs", "--port", str(silent.getsockname()[1]), environ=environment)
    assert result.returncode == 2
    assert b"Start one with `sgwatch local`" in result.stderr


def test_a_port_that_is_taken_is_said(temporary: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        environment = {"PATH": os.defpath, "TMPDIR": str(temporary), "HOME": str(temporary)}
        result = sgwatch("local", "--port", port, environ=environment)
    assert result.returncode == 2
    assert b"Try another --port" in result.stderr
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found through /proc")
@pytest.mark.parametrize("times", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_interrupts_at_random_moments_leave_nothing(temporary: Path, times: int) -> None:
    moments = random.Random(20261124 + times)
    for _ in range(times):
        session = Running(temporary)
        wait = moments.uniform(0.6, 6.0)
        time.sleep(wait)
        output, _ = session.end()
        assert list(temporary.iterdir()) == [], f"interrupted after {wait:.2f} s"
        assert processes_with(str(temporary)) == [], f"interrupted after {wait:.2f} s"
        assert not any(is_open(int(port)) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", output))
