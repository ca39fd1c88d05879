"""AWS calls that are made again where they may go better: throttled ones, and those that no answer came to."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar


class CallFailed(Exception):  # noqa: N818 - it reads as what happened
    """A call did not succeed: ``code`` is AWS's, empty where AWS did not answer, and ``reason`` holds no value."""

    def __init__(self, operation: str, error: Exception) -> None:
        self.operation = operation
        response = getattr(error, "response", None)
        self.response: Mapping[str, Any] = response if isinstance(response, dict) else {}
        self.code = str((self.response.get("Error") or {}).get("Code") or "")
        self.reason = self.code or type(error).__name__
        self.said = str(error)
        super().__init__(f"{operation}: {self.reason}")


class AwsCalls:
    """Calls about one thing in AWS by its name; ``client`` is called for the client when it is first needed.

    The clients make one attempt each (bootstrap.aws_client); the further ones are made here. None is begun
    after ``longest`` seconds: where AWS does not answer at all, an attempt takes ten and more.
    """

    attempts: ClassVar[int]
    first_wait: ClassVar[float]
    longest: ClassVar[float] = 20.0

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

    def _may_go_better(self, failure: CallFailed) -> bool:
        """Whether to make a call again."""
        raise NotImplementedError

    def _once(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """The answer of one attempt; raises CallFailed."""
        try:
            answer: Mapping[str, Any] = getattr(self._client(), operation)(**arguments)
        # Broad: boto3, whose classes these would be, is loaded where a client is made and not before; and
        # what fails in making the client is a call that was not made, like any other.
        except Exception as error:
            raise CallFailed(operation, error) from error
        return answer

    def _again(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """The answer of the attempts that it takes; raises CallFailed."""
        began = self._clock()
        for attempt in range(1, self.attempts):
            try:
                return self._once(operation, **arguments)
            except CallFailed as failure:
                if not self._may_go_better(failure) or self._clock() - began > self.longest:
                    raise
            self._wait(attempt)
        return self._once(operation, **arguments)

    def _wait(self, attempt: int) -> None:
        """Twice as long each time, and spread out."""
        self._sleep(self.first_wait * 2.0 ** (attempt - 1) * (0.5 + self._jitter() / 2))
