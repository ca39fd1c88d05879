"""AWS calls with retries: throttled calls and calls without an answer are made again, with growing delays."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

# botocore's names for having had no answer, in words. https://botocore.amazonaws.com/v1/documentation/
NETWORK_WORDS = {
    "ConnectTimeoutError": "timed out",
    "ReadTimeoutError": "timed out",
    "EndpointConnectionError": "no connection",
    "ConnectionClosedError": "no connection",
    "NoCredentialsError": "no credentials",
    "NoRegionError": "no region",
}


# What botocore raises before anything is sent, and will raise again.
_NEVER_SENT = frozenset({"NoRegionError", "NoCredentialsError", "ParamValidationError"})


class CallFailed(Exception):  # noqa: N818 - it reads as what happened
    """A call did not succeed.

    ``code`` is AWS's error code, empty where AWS did not answer; ``name`` that code or the exception's
    class; ``reason`` is for people. None of them holds a value.
    """

    def __init__(self, operation: str, error: Exception) -> None:
        self.operation = operation
        response = getattr(error, "response", None)
        self.response: Mapping[str, Any] = response if isinstance(response, dict) else {}
        self.code = str((self.response.get("Error") or {}).get("Code") or "")
        self.name = self.code or type(error).__name__
        self.reason = self.code or NETWORK_WORDS.get(self.name, self.name)
        self.said = str(error)
        super().__init__(f"{operation}: {self.reason}")

    @property
    def is_unanswered(self) -> bool:
        """Whether no answer came, and one may come to another attempt."""
        return not self.code and self.name not in _NEVER_SENT


class AwsCalls(ABC):
    """Calls about one thing in AWS by its name; ``client`` is called for the client when it is first needed.

    The clients make one attempt each (clients.py); the further ones are made here. None is begun
    after ``max_seconds``: where AWS does not answer at all, an attempt takes ten and more.
    """

    attempts: ClassVar[int]
    base_delay: ClassVar[float]
    max_seconds: ClassVar[float] = 20.0

    def __init__(
        self,
        client: Callable[[], Any],
        name: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._client = client
        self._sleep = sleep
        self._jitter = jitter
        self._clock = clock

    @abstractmethod
    def _is_retryable(self, failure: CallFailed) -> bool:
        """Whether another attempt may succeed."""

    def _call_once(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """The answer of one attempt; raises CallFailed."""
        try:
            answer: Mapping[str, Any] = getattr(self._client(), operation)(**arguments)
        # Broad: boto3, whose classes these would be, is loaded where a client is made and not before; and
        # what fails in making the client is a call that was not made, like any other.
        except Exception as error:
            raise CallFailed(operation, error) from error
        return answer

    def _with_retries(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """The answer of the first attempt that succeeds; raises CallFailed."""
        began = self._clock()
        for attempt in range(1, self.attempts):
            try:
                return self._call_once(operation, **arguments)
            except CallFailed as failure:
                if not self._is_retryable(failure) or self._clock() - began > self.max_seconds:
                    raise
            self._wait(attempt)
        return self._call_once(operation, **arguments)

    def _wait(self, attempt: int) -> None:
        """Twice as long each time, and spread out."""
        self._sleep(self.base_delay * 2.0 ** (attempt - 1) * (0.5 + self._jitter() / 2))
