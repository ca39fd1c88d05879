"""The one way in which AWS clients are made: by service and region, once each, with timeouts and attempts.

boto3 is imported with the first client, not before: it takes 200 ms of a cold start.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from chalicelib.aws.service_models import prefer_packaged

# botocore's own list of throttling codes (botocore/retries/standard.py), and DynamoDB's and SQS's besides.
THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "KmsThrottled",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# The operations that change nothing, by how AWS begins their names.
_READS = ("BatchGet", "Describe", "Get", "List", "Lookup", "Query", "Scan", "Select")
# What a server that has closed an idle connection looks like to the next request on it.
_DEAD_CONNECTION = "ConnectionClosedError"
_LONGEST_PAUSE_SECONDS = 0.2


# service, region → boto3 client; without a region, that of the environment
ClientFactory = Callable[..., Any]


class AwsClients:
    """A ClientFactory. Its clients make ``attempts`` attempts, each with these timeouts in seconds.

    A read is attempted once more, whatever ``attempts`` says, where a kept connection turned out to be
    dead or AWS throttled it, and half of ``read_timeout`` is left: retries of everything else belong to
    the caller (retries.py), who knows what may be repeated.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 3.0,
        read_timeout: float = 10.0,
        attempts: int = 1,
        session: Callable[[], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._attempts = attempts
        self._make_session = session or _session
        self._session: Any = None
        self._clock = clock
        self._jitter = jitter
        self._made: dict[tuple[str, str | None], Any] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str, region: str | None = None, /) -> Any:
        """The client, made when it is first asked for."""
        with self._lock:  # making a client is not safe from several threads at once
            if (service, region) not in self._made:
                self._made[service, region] = self._make(service, region)
            return self._made[service, region]

    def _make(self, service: str, region: str | None) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - see the module's docstring

        config = Config(
            connect_timeout=self._connect_timeout,
            read_timeout=self._read_timeout,
            # The legacy mode raises before other handlers are asked whether to try again.
            retries={"mode": "standard", "total_max_attempts": self._attempts},
        )
        if self._session is None:  # each has its own copy of the endpoints and models: 7 MB and 80 ms a client
            self._session = self._make_session()
            prefer_packaged(self._session)
        client = self._session.client(service, region_name=region, config=config)
        if self._attempts == 1:
            client.meta.events.register("before-call", self._note_beginning)
            client.meta.events.register("needs-retry", self._pause_before_another)
        return client

    def _note_beginning(self, params: dict[str, Any], **_: Any) -> None:
        params["context"]["sgwatch_began_at"] = self._clock()

    def _pause_before_another(
        self,
        attempts: int,
        operation: Any,
        request_dict: dict[str, Any],
        response: tuple[Any, dict[str, Any]] | None = None,
        caught_exception: Exception | None = None,
        **_: Any,
    ) -> float | None:
        """Seconds until the second attempt; None where there is to be none."""
        if attempts > 1 or not operation.name.startswith(_READS):
            return None
        elapsed = self._clock() - request_dict["context"].get("sgwatch_began_at", 0.0)
        if elapsed > self._read_timeout / 2:
            return None
        if type(caught_exception).__name__ == _DEAD_CONNECTION:
            return 0.0
        code = (response[1].get("Error") or {}).get("Code") if response is not None else None
        pause = min(_LONGEST_PAUSE_SECONDS, self._read_timeout / 10)
        return pause * (0.5 + self._jitter() / 2) if code in THROTTLED else None


def _session() -> Any:
    import boto3  # noqa: PLC0415 - see the module's docstring

    return boto3.Session()


@cache
def process_clients() -> AwsClients:
    """The clients of this process, with one attempt each: retries are made where the calls are."""
    return AwsClients()


def aws_client(service: str, region: str | None = None, /) -> Any:
    """A client of this process."""
    return process_clients()(service, region)


def patient_clients() -> AwsClients:
    """Clients for audits, repairs and operators' commands: 20 seconds an answer, three attempts."""
    return AwsClients(connect_timeout=5.0, read_timeout=20.0, attempts=3)


def default_region() -> str | None:
    """The region of the environment or the profile."""
    region: str | None = _session().region_name
    return region
