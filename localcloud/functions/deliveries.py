"""Asynchronous invocation: two retries, then the function's on-failure destination.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
AWS waits a minute before the first retry and two before the second; here the waits are shortened.
"""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from localcloud.functions.function_process import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.functions.pool import FunctionPool, FunctionRun

DEFAULT_RETRIES = 2
NO_RETRIES = Config(retries={"max_attempts": 0})


@dataclass(frozen=True, slots=True)
class Failure:
    """An event that no attempt could deliver, and where it went: None where nowhere."""

    function_name: str
    event: bytes
    invocation: FunctionRun
    destination: str | None
    destination_error: str | None = None


@dataclass(slots=True)
class Deliveries:
    """Runs functions on events in the background. ``retry_waits`` are the seconds before each retry."""

    pool: FunctionPool
    endpoint: Callable[[], str]
    retry_waits: tuple[float, ...] = (0.2, 0.4)
    failures: list[Failure] = field(default_factory=list)
    _pending: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self, work: Callable[[], None]) -> None:
        """Do some work in the background, counted until it is done."""
        with self._changed:
            self._pending += 1
        threading.Thread(target=self._counted, args=(work,), daemon=True, name="localcloud-delivery").start()

    def _counted(self, work: Callable[[], None]) -> None:
        try:
            with contextlib.suppress(StoppedError):
                work()
        finally:
            with self._changed:
                self._pending -= 1
                self._changed.notify_all()

    def send(self, function: Any, event: bytes) -> None:
        """Invoke a function asynchronously."""
        self.start(lambda: self._attempt(function, event))

    @property
    def pending(self) -> int:
        """How many are under way, waits for a retry included."""
        return self._pending

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until nothing is under way; False where that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending == 0, timeout=seconds)

    def stop(self) -> None:
        """Retry nothing any more."""
        self._stopping.set()

    def _attempt(self, function: Any, event: bytes) -> None:
        config = function.event_invoke_config[-1].config if function.event_invoke_config else {}
        retries = int(config.get("MaximumRetryAttempts", DEFAULT_RETRIES))
        invocation = self.pool.invoke(function, event)
        for attempt in range(retries):
            if not invocation.failed:
                return
            if self._stopping.wait(self.retry_waits[min(attempt, len(self.retry_waits) - 1)]):
                return
            invocation = self.pool.invoke(function, event)
        if invocation.failed and not self._stopping.is_set():
            self._give_up(function, event, invocation, config, retries + 1)

    def _give_up(self, function: Any, event: bytes, last: FunctionRun, config: dict[str, Any], attempts: int) -> None:
        destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        error = None
        if destination:
            body = _failure_record(function, event, last, attempts)
            try:
                self._put(function, destination, body)
            except (BotoCoreError, ClientError) as exception:
                error = str(exception)
        self.failures.append(Failure(function.function_name, event, last, destination, error))

    def _put(self, function: Any, destination: str, body: str) -> None:
        """Hand the record on with the rights of the function's role, as Lambda does."""
        service, region, resource = destination.split(":")[2], destination.split(":")[3], destination.split(":", 5)[5]
        credentials = self.pool.credentials(function)
        client: Any = boto3.session.Session().client(
            service,  # type: ignore[call-overload]  # one of the four below
            endpoint_url=self.endpoint(),
            region_name=region,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=NO_RETRIES,
        )
        if service == "sqs":
            url = client.get_queue_url(QueueName=resource)["QueueUrl"]
            client.send_message(QueueUrl=url, MessageBody=body)
        elif service == "sns":
            client.publish(TopicArn=destination, Message=body)
        elif service == "lambda":
            client.invoke(FunctionName=destination, InvocationType="Event", Payload=body)
        else:
            entry = {"Source": "lambda", "DetailType": "Lambda Function Invocation Result - Failure", "Detail": body}
            client.put_events(Entries=[{**entry, "EventBusName": destination}])


def _failure_record(function: Any, event: bytes, last: FunctionRun, attempts: int) -> str:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "requestContext": {
                "requestId": last.request_id or str(uuid.uuid4()),
                "functionArn": f"{function.function_arn}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": attempts,
            },
            "requestPayload": json.loads(event),
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": json.loads(last.payload or b"null"),
        }
    )
