"""Requests that AWS refuses because there are too many of them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localcloud.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.awkward.awkwardness import Awkwardness
    from localcloud.calls import ApiRequest

# Each service's own code for it; the others say ThrottlingException.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
CODES = {
    "cloudformation": "Throttling",
    "cloudwatch": "Throttling",
    "ec2": "RequestLimitExceeded",
    "elbv2": "Throttling",
    "iam": "Throttling",
    "lambda": "TooManyRequestsException",
    "sns": "Throttled",
    "sqs": "RequestThrottled",
    "sts": "Throttling",
}


def throttled(call: ApiRequest) -> AwsError:
    """The error with which a service throttles."""
    return AwsError(CODES.get(call.service, "ThrottlingException"), "Rate exceeded")


@dataclass(slots=True)
class Throttle:
    """Throttles by chance, and Lambda's control plane by a bucket of tokens for each region."""

    awkwardness: Awkwardness
    clock: Callable[[], float] = time.monotonic
    _random: random.Random = field(init=False)
    _buckets: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.awkwardness.seed)  # noqa: S311  # no secret is made of it

    def refusal(self, call: ApiRequest, account_id: str) -> AwsError | None:
        """The error that refuses a call now."""
        if self._random.randrange(1000) < self.awkwardness.throttled:
            return throttled(call)
        # Invocations have a limit of their own: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
        if call.service == "lambda" and call.operation != "Invoke" and not self._token(account_id, call.region):
            return throttled(call)
        return None

    def _token(self, account_id: str, region: str) -> bool:
        rate = self.awkwardness.lambda_rate
        if not rate:
            return True
        now = self.clock()
        tokens, at = self._buckets.get((account_id, region), (rate, now))
        tokens = min(rate, tokens + (now - at) * rate)
        self._buckets[account_id, region] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1
