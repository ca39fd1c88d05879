"""What is kept between audits, in a parameter and in a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.notification_policy import RememberedStatus
from chalicelib.alarm_path.watch.status_store import (
    MAX_PARAMETER_BYTES,
    MemoryUnavailable,
    ParameterMemory,
    TableMemory,
)
from tests.support.alarm_paths import NOW

KEPT = RememberedStatus(Status.FAIL, NOW, frozenset({"main", "sg-changes"}))


class Ssm:
    """A parameter store; ``refusal`` is raised in place of any answer."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.values: dict[str, str] = {}
        self.refusal = refusal

    def get_parameter(self, Name: str) -> dict[str, Any]:  # noqa: N803
        if self.refusal:
            raise self.refusal
        if Name not in self.values:
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        return {"Parameter": {"Value": self.values[Name]}}

    def put_parameter(self, Name: str, Value: str, **options: object) -> None:  # noqa: N803
        assert options == {"Type": "String", "Overwrite": True}
        if self.refusal:
            raise self.refusal
        assert len(Value.encode()) <= MAX_PARAMETER_BYTES
        self.values[Name] = Value


class Table:
    def __init__(self, *, broken: bool = False) -> None:
        self.items: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.broken = broken

    def get(self, pk: str, sk: str) -> Mapping[str, Any] | None:
        if self.broken:
            raise OSError("the table is gone")
        return self.items.get((pk, sk))

    def put(self, item: Mapping[str, Any]) -> bool:
        if self.broken:
            raise OSError("the table is gone")
        self.items[item["pk"], item["sk"]] = item
        return True


def test_what_is_saved_is_loaded() -> None:
    ssm = Ssm()
    for memory in (ParameterMemory(lambda: ssm, "/sgwatch/prod/alarm-path"), TableMemory(Table(), OSError)):
        assert memory.load() is None
        memory.save(KEPT)
        assert memory.load() == KEPT


def test_parts_that_do_not_fit_are_left_out_and_the_status_is_kept() -> None:
    ssm = Ssm()
    memory = ParameterMemory(lambda: ssm, "/sgwatch/prod/alarm-path")
    memory.save(RememberedStatus(Status.FAIL, NOW, frozenset(f"filter-number-{number}" for number in range(500))))
    assert memory.load() == RememberedStatus(Status.FAIL, NOW, None)


def test_nonsense_in_the_parameter_counts_as_nothing() -> None:
    ssm = Ssm()
    ssm.values["p"] = "nonsense"
    assert ParameterMemory(lambda: ssm, "p").load() is None


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "x"), "AccessDeniedException"),
        (ConnectTimeoutError(endpoint_url="https://ssm.example.com"), "ConnectTimeoutError"),
    ],
)
def test_a_refusal_names_the_parameter_and_the_reason(refusal: Exception, said: str) -> None:
    memory = ParameterMemory(lambda: Ssm(refusal), "/sgwatch/prod/alarm-path")
    with pytest.raises(MemoryUnavailable, match=f"/sgwatch/prod/alarm-path could not be read: {said}"):
        memory.load()
    with pytest.raises(MemoryUnavailable, match="could not be written"):
        memory.save(KEPT)


def test_a_table_that_fails_is_said() -> None:
    memory = TableMemory(Table(broken=True), OSError)
    with pytest.raises(MemoryUnavailable, match="the table is gone"):
        memory.load()
    with pytest.raises(MemoryUnavailable, match="the table is gone"):
        memory.save(KEPT)


def test_a_memory_of_before_there_were_parts_is_read() -> None:
    assert RememberedStatus.from_json(json.loads('{"status": "pass", "announced_at": null}')) == RememberedStatus(
        Status.PASS, None, None
    )
