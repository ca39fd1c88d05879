"""AWS clients for the look-ups: made when first needed, of the account and region of the change.

The only module of the look-ups that knows boto3, which it imports with the first client. Nothing is
retried here: what does not answer at once is said to be unknown.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from chalicelib.aws.service_models import prefer_packaged

# An assumed role lasts an hour unless asked otherwise; it is renewed while it is still good.
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_ROLE_SECONDS = 3600 - 300


# botocore's names for having had no answer, in words. https://botocore.amazonaws.com/v1/documentation/
_NETWORK_WORDS = {
    "ConnectTimeoutError": "timed out",
    "ReadTimeoutError": "timed out",
    "EndpointConnectionError": "no connection",
    "ConnectionClosedError": "no connection",
    "NoCredentialsError": "no credentials",
    "NoRegionError": "no region",
}


class LookupFailed(Exception):  # noqa: N818 - a look-up fails, the program does not
    """A look-up gave no answer; ``code`` is AWS's error code, or a word on what happened instead."""

    def __init__(self, action: str, code: str) -> None:
        self.action = action
        self.code = code
        super().__init__(f"{code} on {action}")


@contextmanager
def named_failures(action: str) -> Iterator[None]:
    """Turns what botocore raises inside into a LookupFailed that names the action."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only where look-ups are on

    try:
        yield
    except ClientError as error:
        raise LookupFailed(action, error.response.get("Error", {}).get("Code") or "an error") from error
    except BotoCoreError as error:
        raise LookupFailed(action, _NETWORK_WORDS.get(type(error).__name__, type(error).__name__)) from error


@dataclass(frozen=True, slots=True)
class Call:
    """One API call: ``action`` is its IAM action, ``method`` botocore's name for it."""

    action: str
    method: str
    parameters: Mapping[str, Any]
    service: str = "ec2"


class Reader(Protocol):
    """Asks AWS one thing."""

    def __call__(self, call: Call, account_id: str | None, region: str | None, /) -> Mapping[str, Any]:
        """The answer.

        Raises:
            LookupFailed: there was none.
        """
        ...


@dataclass(slots=True)
class AwsReader:
    """Reads from AWS; its clients live as long as the container.

    ``role`` is the ARN or the name of the role that is assumed in other accounts (``{account}`` in
    it stands for the account's id), ``timeout`` how long one call may take, in seconds.
    """

    role: str | None = None
    timeout: float = 3.0
    now: Callable[[], float] = time.monotonic
    _clients: dict[tuple[str, str | None, str | None], tuple[Any, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _own_account: str | None = None

    def __call__(self, call: Call, account_id: str | None, region: str | None) -> Mapping[str, Any]:
        """The answer of AWS to one call."""
        with named_failures(call.action):
            client = self._client(call.service, account_id, region)
            answer: Mapping[str, Any] = getattr(client, call.method)(**call.parameters)
        return answer

    def _client(self, service: str, account_id: str | None, region: str | None) -> Any:
        with self._lock:  # making a client is not safe from several threads at once
            foreign = self._foreign(account_id)
            key = (service, foreign, region)
            known = self._clients.get(key)
            if known is None or self.now() >= known[1]:
                expires = self.now() + _ROLE_SECONDS if foreign else float("inf")
                known = (self._make(service, foreign, region), expires)
                self._clients[key] = known
            return known[0]

    def _foreign(self, account_id: str | None) -> str | None:
        """The account whose role has to be assumed; None for our own, or without a role."""
        if self.role is None or account_id is None:
            return None
        if self._own_account is None:
            self._own_account = self._make("sts", None, None).get_caller_identity()["Account"]
        return None if account_id == self._own_account else account_id

    def _make(self, service: str, foreign: str | None, region: str | None) -> Any:
        import boto3  # noqa: PLC0415 - 200 ms of a cold start
        from botocore.config import Config  # noqa: PLC0415

        config = Config(
            connect_timeout=self.timeout, read_timeout=self.timeout, retries={"total_max_attempts": 1, "mode": "legacy"}
        )
        session = boto3.Session(**self._credentials(foreign, region), region_name=region)
        prefer_packaged(session)
        return session.client(service, config=config)  # type: ignore[call-overload]

    def _credentials(self, foreign: str | None, region: str | None) -> dict[str, Any]:
        if foreign is None:
            return {}
        sts = self._make("sts", None, region)
        answer = sts.assume_role(RoleArn=self._role_arn(sts, foreign), RoleSessionName="sgwatch")["Credentials"]
        return {
            "aws_access_key_id": answer["AccessKeyId"],
            "aws_secret_access_key": answer["SecretAccessKey"],
            "aws_session_token": answer["SessionToken"],
        }

    def _role_arn(self, sts: Any, account_id: str) -> str:
        role = self.role or ""
        if role.startswith("arn:"):
            return re.sub(r"\{account\}|(?<=:)\d{12}(?=:)", account_id, role)
        return f"arn:{sts.meta.partition}:iam::{account_id}:role/{role}"
