from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.awkward.awkwardness import MILD
from localcloud.deploy import deploy
from localcloud.receivers.webhook import SECRET

# All but calls on the alarm path and on sgwatch itself.
CHANGES = "rules,groups,attachments,prefix_lists"
SMALL_APP = Path(__file__).with_name("small_app")


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(awkwardness=MILD) as running:
        yield running


@pytest.fixture(scope="module")
def small(cloud: LocalCloud) -> LocalCloud:
    """The local cloud with the small app deployed in it by ``chalice deploy``."""
    cloud.client("sqs").create_queue(QueueName="work", Attributes={"VisibilityTimeout": "1"})
    with tempfile.TemporaryDirectory() as folder:
        deploy(SMALL_APP, Path(folder), cloud.environment(), variables={"WEBHOOK_URL": cloud.webhook_url})
    return cloud


@pytest.fixture(scope="module")
def deployed(cloud: LocalCloud) -> LocalCloud:
    """The local cloud with sgwatch itself deployed in it, which does not watch what deploying it changes."""
    with tempfile.TemporaryDirectory() as folder:
        variables = {"WEBHOOK_URL": cloud.webhook_url, "WEBHOOK_SECRET": SECRET, "WATCH": CHANGES}
        deploy(Path.cwd(), Path(folder), cloud.environment(), variables=variables)
    return cloud


@dataclass
class Invoked:
    error: str | None
    payload: Any


@pytest.fixture
def run(small: LocalCloud) -> Callable[..., Invoked]:
    """Invokes the small app's function that does as it is told."""

    def invoke(what: str, **more: Any) -> Invoked:
        event = json.dumps({"do": what, **more})
        answer = small.client("lambda").invoke(FunctionName="small-dev-doing", Payload=event)
        return Invoked(answer.get("FunctionError"), json.loads(answer["Payload"].read() or b"null"))

    return invoke


@dataclass
class CliResult:
    status: int
    output: str
    error: str

    def json(self) -> Any:
        return json.loads(self.output)


@pytest.fixture(scope="module")
def aws(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., CliResult]]:
    """The AWS CLI, as the administrator."""
    home = str(tmp_path_factory.mktemp("home"))
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("cli_server.py"))],
        env={"PATH": os.defpath, "HOME": home, "AWS_PAGER": "", **cloud.environment()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    to_cli, from_cli = process.stdin, process.stdout

    def call(*arguments: str) -> CliResult:
        to_cli.write(json.dumps(arguments) + "\n")
        to_cli.flush()
        return CliResult(*json.loads(from_cli.readline()))

    yield call
    to_cli.close()
    from_cli.close()
    assert process.wait(timeout=10) == 0
