"""Operators' commands wait for what AWS is still changing."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.awkward.awkwardness import Awkwardness
from sgwatch.waiting import PAUSES, WAITS, meaning_of, waiting_clients

# A tenth of what AWS takes: long enough to be refused, short enough to wait for.
SLOW = Awkwardness(mapping_changes=20.0, deleted_queues=60.0, purged_queues=60.0, clock_divisor=40.0)


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(awkwardness=SLOW) as running:
        yield running


def clients(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    return waiting_clients(said.append), said


def test_the_name_of_a_deleted_queue_is_waited_for(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    client, said = clients(cloud, monkeypatch)
    url = client("sqs").create_queue(QueueName="again")["QueueUrl"]
    client("sqs").delete_queue(QueueUrl=url)
    assert client("sqs").create_queue(QueueName="again")["QueueUrl"] == url
    assert said in ([], ["Waiting for the 60 seconds after a queue of this name was deleted …"])


def test_an_event_source_mapping_that_is_being_made_is_waited_for(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = clients(cloud, monkeypatch)
    queue = client("sqs").create_queue(QueueName="source")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = client("iam").create_role(RoleName="reader", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        bundle.writestr("app.py", "")
    code = {"ZipFile": packed.getvalue()}
    client("lambda").create_function(
        FunctionName="reader", Runtime="python3.13", Role=role, Handler="app.main", Code=code
    )
    made = client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName="reader", BatchSize=10)
    changed = client("lambda").update_event_source_mapping(UUID=made["UUID"], BatchSize=1)
    assert changed["BatchSize"] == 1


def test_a_throttled_call_is_made_again(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = clients(cloud, monkeypatch)
    cloud.traits.set(Awkwardness(throttled=400, seed=3))
    try:
        for _ in range(10):
            client("sns").list_topics()
    finally:
        cloud.traits.set(SLOW)


def test_what_waiting_does_not_help_is_refused_at_once() -> None:
    assert meaning_of("dynamodb", "CreateTable", "ResourceInUseException") is None
    assert meaning_of("lambda", "CreateFunction", "ResourceConflictException") is None
    assert meaning_of("sqs", "CreateQueue", "QueueAlreadyExists") is None
    assert meaning_of("iam", "GetRole", "AccessDenied") is None


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: f"{wait.service}-{wait.code}")
def test_every_wait_ends(wait: Any) -> None:
    assert meaning_of(wait.service, wait.operations[0], wait.code) == wait.meaning
    assert meaning_of(wait.service, wait.operations[0], f"AWS.Service.{wait.code}") == wait.meaning
    assert 60 < sum(PAUSES) < 200


@pytest.mark.parametrize(
    ("service", "code"),
    [("lambda", "TooManyRequestsException"), ("cloudformation", "Throttling"), ("sqs", "RequestThrottled")],
)
def test_throttling_has_a_name_of_its_own_in_each_service(service: str, code: str) -> None:
    assert meaning_of(service, "DescribeAnything", code) == "AWS, which throttles"
