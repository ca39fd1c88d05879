"""AWS clients of many accounts: one of each service and region, whose calls are signed for the account that asks.

A client takes a tenth of a second and megabytes to make, and an organization has thousands of places. The credentials
of one call stand in the context of its request, where botocore's signer looks first (botocore/signers.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import AwsClients, ClientFactory
from chalicelib.aws.member_role import MemberRole

# Of many accounts at once some are throttled; standard mode waits up to 20 s between attempts.
# https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
ATTEMPTS = 8
SESSION_NAME = "sgwatch-fleet"

_signed_for: ContextVar[Credentials | None] = ContextVar("signed_for", default=None)


class NotAssumed(Exception):  # noqa: N818 - it reads as what happened
    """The role in a member account could not be assumed; ``code`` is AWS's, or the SDK's name of what happened."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"AssumeRole: {code}: {message}".rstrip(":. "))


def fleet_clients() -> AwsClients:
    """Clients for what asks many accounts: 20 seconds an answer, and attempts enough for throttling."""
    return AwsClients(connect_timeout=5.0, read_timeout=20.0, attempts=ATTEMPTS)


@dataclass(slots=True)
class AccountClients:
    """Makes a ClientFactory for each account, over the clients of one."""

    clients: ClientFactory
    region: str
    _signed: set[tuple[str, str | None]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def member(self, account_id: str, role: MemberRole) -> ClientFactory:
        """The clients with the role in a member account.

        Raises:
            NotAssumed: AWS refused it, or did not answer.
        """
        asked = role.asked(account_id, SESSION_NAME)
        try:
            given = self.clients("sts", self.region).assume_role(**asked)["Credentials"]
        except ClientError as error:
            said = error.response.get("Error", {})
            raise NotAssumed(str(said.get("Code")), str(said.get("Message", ""))) from error
        except BotoCoreError as error:
            raise NotAssumed(type(error).__name__, str(error)) from error
        return self.signed_with(given)

    def signed_with(self, given: Mapping[str, Any]) -> ClientFactory:
        """The clients with these temporary credentials, as STS gives them."""
        credentials = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

        def client(service: str, region: str | None = None, /) -> Any:
            return _AccountClient(self._shared(service, region), credentials)

        return client

    def _shared(self, service: str, region: str | None) -> Any:
        client = self.clients(service, region)
        with self._lock:
            if (service, region) not in self._signed:
                client.meta.events.register("before-call", _sign_for_account)
                self._signed.add((service, region))
        return client


def _sign_for_account(params: dict[str, Any], **_: Any) -> None:
    credentials = _signed_for.get()
    if credentials is not None:
        params["context"].setdefault("signing", {})["request_credentials"] = credentials


@contextmanager
def _signing(credentials: Credentials) -> Iterator[None]:
    before = _signed_for.set(credentials)
    try:
        yield
    finally:
        _signed_for.reset(before)


@dataclass(frozen=True, slots=True)
class _AccountClient:
    """A shared client as one account's."""

    client: Any
    credentials: Credentials

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.client, name)
        if not callable(found):
            return found
        return self._paginators(found) if name == "get_paginator" else self._signed(found)

    def _signed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            with _signing(self.credentials):
                return method(**parameters)

        return call

    def _paginators(self, get: Callable[[str], Any]) -> Callable[[str], Any]:
        return lambda method: _AccountPaginator(get(method), self.credentials)


@dataclass(frozen=True, slots=True)
class _AccountPaginator:
    paginator: Any
    credentials: Credentials

    def paginate(self, **parameters: Any) -> Iterator[Any]:
        """Each page, asked for as the account."""
        pages = iter(self.paginator.paginate(**parameters))
        while True:
            with _signing(self.credentials):
                page = next(pages, None)
            if page is None:
                return
            yield page
