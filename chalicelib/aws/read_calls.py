"""AWS clients for the look-ups: made when first needed, of the account and region of the change.

What does not answer in time is said to be unknown: a call gets no more than clients.py's one more attempt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from chalicelib.aws.clients import AwsClients
from chalicelib.aws.member_role import MemberRole
from chalicelib.aws.retries import NETWORK_WORDS

# An assumed role lasts an hour unless asked otherwise; it is renewed while it is still good.
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_ROLE_SECONDS = 3600 - 300


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
        raise LookupFailed(action, NETWORK_WORDS.get(type(error).__name__, type(error).__name__)) from error


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
    it stands for the account's id), ``external_id`` what its trust policy asks for, ``timeout`` how long one call may
    take, in seconds.
    """

    role: str | None = None
    timeout: float = 3.0
    now: Callable[[], float] = time.monotonic
    external_id: str | None = None
    _clients: dict[str | None, tuple[AwsClients, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _own_account: str | None = None

    def __call__(self, call: Call, account_id: str | None, region: str | None) -> Mapping[str, Any]:
        """The answer of AWS to one call."""
        with named_failures(call.action):
            client = self._clients_of(account_id, region)(call.service, region)
            answer: Mapping[str, Any] = getattr(client, call.method)(**call.parameters)
        return answer

    def _clients_of(self, account_id: str | None, region: str | None) -> AwsClients:
        with self._lock:
            foreign = self._foreign(account_id)
            known = self._clients.get(foreign)
            if known is None or self.now() >= known[1]:
                known = (self._assumed(foreign, region), self.now() + _ROLE_SECONDS) if foreign else self._own()
                self._clients[foreign] = known
            return known[0]

    def _own(self) -> tuple[AwsClients, float]:
        return self._clients.get(None) or (self._made(), float("inf"))

    def _foreign(self, account_id: str | None) -> str | None:
        """The account whose role has to be assumed; None for our own, or without a role."""
        if self.role is None or account_id is None:
            return None
        if self._own_account is None:
            self._clients[None] = self._own()
            self._own_account = self._clients[None][0]("sts").get_caller_identity()["Account"]
        return None if account_id == self._own_account else account_id

    def _made(self, session: Callable[[], Any] | None = None) -> AwsClients:
        return AwsClients(connect_timeout=self.timeout, read_timeout=self.timeout, session=session)

    def _assumed(self, account_id: str, region: str | None) -> AwsClients:
        sts = self._own()[0]("sts", region)
        role = MemberRole(self.role or "", self.external_id, sts.meta.partition)
        answer = sts.assume_role(**role.asked(account_id, "sgwatch"))["Credentials"]

        def session() -> Any:
            import boto3  # noqa: PLC0415 - 200 ms of a cold start

            return boto3.Session(
                aws_access_key_id=answer["AccessKeyId"],
                aws_secret_access_key=answer["SecretAccessKey"],
                aws_session_token=answer["SessionToken"],
            )

        return self._made(session)
