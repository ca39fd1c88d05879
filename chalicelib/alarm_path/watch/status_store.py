"""Where the status of the alarm path is kept between audits: a parameter, or the state table of durable delivery."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.alarm_path.watch.notification_policy import RememberedStatus

# https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
MAX_PARAMETER_BYTES = 4096
KEY = ("audit", "alarm-path")


class MemoryUnavailable(Exception):  # noqa: N818 - it reads as what happened
    """What was remembered could not be read or written; the text says where and why."""


class StatusMemory(Protocol):
    """Keeps what the next audit has to know of this one."""

    @property
    def parameter(self) -> str | None:
        """The name of the parameter in which it is kept, None where it is none."""

    def load(self) -> RememberedStatus | None:
        """What was saved last; None where nothing was.

        Raises:
            MemoryUnavailable: it could not be read.
        """

    def save(self, memory: RememberedStatus) -> None:
        """Keep this.

        Raises:
            MemoryUnavailable: it could not be written.
        """


@dataclass(frozen=True, slots=True)
class ParameterMemory:
    """In a parameter of Systems Manager, which needs no set-up; ``client`` gives the SSM client."""

    client: Callable[[], Any]
    name: str

    @property
    def parameter(self) -> str:
        """See StatusMemory."""
        return self.name

    def load(self) -> RememberedStatus | None:
        """See StatusMemory."""
        try:
            answer = self.client().get_parameter(Name=self.name)
        except (BotoCoreError, ClientError) as error:
            if _code(error) == "ParameterNotFound":
                return None
            raise MemoryUnavailable(f"parameter {self.name} could not be read: {_code(error)}") from error
        return _decoded(answer["Parameter"]["Value"])

    def save(self, memory: RememberedStatus) -> None:
        """See StatusMemory. Parts that do not fit are left out: what is deleted then counts as one."""
        text = json.dumps(memory.to_json(), separators=(",", ":"))
        if len(text) > MAX_PARAMETER_BYTES:
            text = json.dumps(replace(memory, parts=None).to_json(), separators=(",", ":"))
        try:
            self.client().put_parameter(Name=self.name, Value=text, Type="String", Overwrite=True)
        except (BotoCoreError, ClientError) as error:
            raise MemoryUnavailable(f"parameter {self.name} could not be written: {_code(error)}") from error


class Items(Protocol):
    """What is used of the state table."""

    def get(self, pk: str, sk: str) -> Mapping[str, Any] | None:
        """The item, None where there is none."""

    def put(self, item: Mapping[str, Any]) -> bool:
        """Write the item."""


@dataclass(frozen=True, slots=True)
class TableMemory:
    """In the state table; ``failure`` is what the table raises."""

    table: Items
    failure: type[Exception]

    @property
    def parameter(self) -> None:
        """See StatusMemory."""

    def load(self) -> RememberedStatus | None:
        """See StatusMemory."""
        try:
            item = self.table.get(*KEY)
        except self.failure as error:
            raise MemoryUnavailable(str(error)) from error
        return None if item is None else _decoded(item.get("memory"))

    def save(self, memory: RememberedStatus) -> None:
        """See StatusMemory."""
        pk, sk = KEY
        try:
            self.table.put({"pk": pk, "sk": sk, "memory": json.dumps(memory.to_json())})
        except self.failure as error:
            raise MemoryUnavailable(str(error)) from error


def _decoded(text: object) -> RememberedStatus | None:
    try:
        return RememberedStatus.from_json(json.loads(str(text)))
    except ValueError:
        return None


def _code(error: BotoCoreError | ClientError) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "an unnamed error"))
    return type(error).__name__
