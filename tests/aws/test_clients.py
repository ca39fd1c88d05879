"""AWS clients against a server on loopback: what is attempted a second time, and what is not."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
from botocore.retries.standard import ThrottledRetryableChecker

from chalicelib.aws.clients import THROTTLED, AwsClients, process_clients
from chalicelib.aws.retries import CallFailed
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable

Answer = tuple[int, dict[str, Any]]
OK = (200, {"Item": {"pk": {"S": "a"}}})
SLOW_DOWN = (400, {"__type": "com.amazonaws#ThrottlingException", "message": "slow down"})
DENIED = (400, {"__type": "com.amazonaws#AccessDeniedException", "message": "no"})
HANG_UP: Answer = (0, {})


class Server:
    """Gives one answer after the other, each on a kept connection; HANG_UP closes it unanswered."""

    def __init__(self, *answers: tuple[int, dict[str, Any]]) -> None:
        self.answers = list(answers)
        self.asked = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            while line := lines.readline():
                length = 0
                while line.strip():
                    name, _, value = line.decode().partition(":")
                    length = int(value) if name.lower() == "content-length" else length
                    line = lines.readline()
                lines.read(length)
                self.asked += 1
                status, document = self.answers.pop(0)
                if not status:
                    return
                body = json.dumps(document).encode()
                head = f"HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.0\r\n"
                connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def served(*answers: Answer, clock: Callable[[], float] = time.monotonic) -> Iterator[tuple[Server, Any]]:
    """The server and a DynamoDB client of it."""
    server = Server(*answers)

    class Session:
        def client(self, service: str, **given: Any) -> Any:
            made: Any = boto3.Session(
                aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1"
            )
            return made.client(
                service, **given | {"region_name": "eu-west-1", "endpoint_url": f"http://127.0.0.1:{server.port}"}
            )

    clients = AwsClients(session=Session, clock=clock)
    try:
        yield server, clients("dynamodb")
    finally:
        server.close()


def get(client: Any) -> Any:
    return client.get_item(TableName="t", Key={"pk": {"S": "a"}})


def put(client: Any) -> Any:
    return client.put_item(TableName="t", Item={"pk": {"S": "a"}})


def test_a_throttled_read_is_made_once_more() -> None:
    with served(SLOW_DOWN, OK) as (server, client):
        assert get(client)["Item"] == {"pk": {"S": "a"}}
    assert server.asked == 2


def test_a_read_is_not_made_a_third_time() -> None:
    with served(SLOW_DOWN, SLOW_DOWN, OK) as (server, client), pytest.raises(ClientError, match="slow down"):
        get(client)
    assert server.asked == 2


def test_a_read_on_a_kept_connection_that_died_is_made_once_more() -> None:
    with served(OK, HANG_UP, OK) as (server, client):
        get(client)
        get(client)
    assert server.asked == 3


@pytest.mark.parametrize("answer", [SLOW_DOWN, HANG_UP])
def test_a_write_is_left_to_its_caller(answer: tuple[int, dict[str, Any]]) -> None:
    with served(answer, OK) as (server, client), pytest.raises((ClientError, BotoCoreError)):
        put(client)
    assert server.asked == 1


def test_what_was_refused_is_not_asked_again() -> None:
    with served(DENIED, OK) as (server, client), pytest.raises(ClientError, match="AccessDenied"):
        get(client)
    assert server.asked == 1


def test_a_second_attempt_is_made_only_while_half_of_the_time_is_left() -> None:
    times = iter([0.0, 6.0])
    with served(SLOW_DOWN, OK, clock=lambda: next(times)) as (server, client), pytest.raises(ClientError):
        get(client)
    assert server.asked == 1


def test_a_client_is_made_once_for_each_service_and_region() -> None:
    made: list[str] = []

    class Session:
        def client(self, service: str, **given: Any) -> Any:
            made.append(f"{service} {given['region_name']}")
            return boto3.Session().client(service, region_name="eu-west-1")  # type: ignore[call-overload]

    clients = AwsClients(session=Session)
    assert clients("sns", "eu-west-1") is clients("sns", "eu-west-1")
    assert clients("sns", "eu-west-2") is not clients("sns", "eu-west-1")
    assert made == ["sns eu-west-1", "sns eu-west-2"]
    assert process_clients() is process_clients()


def test_the_clients_of_one_factory_share_a_session() -> None:
    sessions: list[Any] = []

    def session() -> Any:
        sessions.append(boto3.Session(region_name="eu-west-1"))
        return sessions[-1]

    clients, others = AwsClients(session=session), AwsClients(session=session)
    for made in (clients, clients, others):
        made("sns")
        made("sqs", "eu-west-2")
    assert len(sessions) == 2


def test_every_throttling_code_of_the_sdk_is_known() -> None:
    codes: list[str] = vars(ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"]
    # A state of transactions, and of requests with the same token, not a throttle.
    others = {"TransactionInProgressException", "PriorRequestNotComplete"}
    assert set(codes) - others <= THROTTLED


def test_a_client_that_cannot_be_made_for_want_of_a_region_is_not_asked_for_again() -> None:
    asked = []

    def client() -> Any:
        asked.append(1)
        raise NoRegionError

    with pytest.raises(StateError) as raised:
        StateTable(client, "t", sleep=lambda _: None).get("a", "b")
    assert raised.value.code == "NoRegionError"
    assert len(asked) == 1


def test_a_failed_call_holds_nothing_of_what_was_sent() -> None:
    failure = CallFailed("put_item", ValueError("hunter2"))
    assert "hunter2" not in f"{failure} {failure.reason} {failure.name}"
