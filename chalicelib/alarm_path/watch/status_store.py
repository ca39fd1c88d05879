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

    def save(self, memory: RememberedStatus, after: RememberedStatus | None) -> RememberedStatus | None:
        """Keep this; ``after`` is what had been loaded.

        Gives what another audit kept in between, in place of which or before which this was written; None where none
        did.

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
        return self._read(self.name)

    def _read(self, name: str) -> RememberedStatus | None:
        try:
            parameter = self.client().get_parameter(Name=name)["Parameter"]
        except (BotoCoreError, ClientError) as error:
            if _code(error) == "ParameterNotFound":
                return None
            raise MemoryUnavailable(f"parameter {name} could not be read: {_code(error)}") from error
        return _decoded(parameter["Value"], parameter["Version"])

    def save(self, memory: RememberedStatus, after: RememberedStatus | None) -> RememberedStatus | None:
        """See StatusMemory. What does not fit is left out, the parts first: what is deleted then counts as one.

        A parameter takes no condition. Its versions tell afterwards what was overwritten:
        https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html
        """
        without_parts = replace(memory, parts=None)
        kept = (memory, without_parts, replace(without_parts, reported=None))
        texts = (json.dumps(each.to_json(), separators=(",", ":")) for each in kept)
        text = next(text for text in texts if len(text) <= MAX_PARAMETER_BYTES)
        try:
            written = self.client().put_parameter(Name=self.name, Value=text, Type="String", Overwrite=True)["Version"]
        except (BotoCoreError, ClientError) as error:
            raise MemoryUnavailable(f"parameter {self.name} could not be written: {_code(error)}") from error
        if written - 1 <= (after.revision if after else 0):
            return None
        overwritten = self._read(f"{self.name}:{written - 1}")
        return overwritten and replace(overwritten, revision=written)


class Items(Protocol):
    """What is used of the state table."""

    def get(self, pk: str, sk: str) -> Mapping[str, Any] | None:
        """The item, None where there is none."""

    def put(self, item: Mapping[str, Any], condition: str = "", **values: Any) -> bool:
        """Write the item; False where the condition does not hold."""


@dataclass(frozen=True, slots=True)
class TableMemory:
    """In the state table, in the item of this key; ``failure`` is what the table raises."""

    table: Items
    failure: type[Exception]
    key: tuple[str, str] = KEY

    @property
    def parameter(self) -> None:
        """See StatusMemory."""

    def load(self) -> RememberedStatus | None:
        """See StatusMemory."""
        try:
            item = self.table.get(*self.key)
        except self.failure as error:
            raise MemoryUnavailable(str(error)) from error
        return None if item is None else _decoded(item.get("memory"), item.get("revision"))

    def save(self, memory: RememberedStatus, after: RememberedStatus | None) -> RememberedStatus | None:
        """See StatusMemory; nothing is written in place of what another audit kept."""
        condition = "attribute_not_exists(pk)" if after is None else "revision = :seen" if after.revision else ""
        if self._put(memory, after.revision if after else 0, condition):
            return None
        other = self.load()
        if other is None:  # nobody can read what stands there
            self._put(memory, 0, "")
        return other

    def _put(self, memory: RememberedStatus, seen: int, condition: str) -> bool:
        pk, sk = self.key
        item = {"pk": pk, "sk": sk, "memory": json.dumps(memory.to_json()), "revision": seen + 1}
        values = {"seen": seen} if ":seen" in condition else {}
        try:
            return self.table.put(item, condition, **values)
        except self.failure as error:
            raise MemoryUnavailable(str(error)) from error


def _decoded(text: object, revision: object) -> RememberedStatus | None:
    try:
        found = RememberedStatus.from_json(json.loads(str(text)))
    except ValueError:
        return None
    return found and replace(found, revision=revision if isinstance(revision, int) else 0)


def _code(error: BotoCoreError | ClientError) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "an unnamed error"))
    return type(error).__name__
