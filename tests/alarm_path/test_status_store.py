"""What is kept between audits, in a parameter and in a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.notification_policy import RememberedStatus
from chalicelib.alarm_path.watch.status_store import (
    KEY,
    MAX_PARAMETER_BYTES,
    MemoryUnavailable,
    ParameterMemory,
    StatusMemory,
    TableMemory,
)
from chalicelib.state.codec import StateItem
from tests.support.alarm_paths import NOW
from tests.support.quick_table import QuickTable

KEPT = RememberedStatus(Status.FAIL, NOW, frozenset({"main", "sg-changes"}))


class Ssm:
    """A parameter store; ``refusal`` is raised in place of any answer."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.versions: dict[str, list[str]] = {}
        self.refusal = refusal

    def get_parameter(self, Name: str) -> dict[str, Any]:  # noqa: N803
        if self.refusal:
            raise self.refusal
        name, _, version = Name.partition(":")
        versions = self.versions.get(name, [])
        number = int(version or len(versions))
        if not 0 < number <= len(versions):
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        return {"Parameter": {"Value": versions[number - 1], "Version": number}}

    def put_parameter(self, Name: str, Value: str, **options: object) -> dict[str, Any]:  # noqa: N803
        assert options == {"Type": "String", "Overwrite": True}
        if self.refusal:
            raise self.refusal
        assert len(Value.encode()) <= MAX_PARAMETER_BYTES
        versions = self.versions.setdefault(Name, [])
        versions.append(Value)
        return {"Version": len(versions)}


class BrokenTable(QuickTable):
    def get(self, pk: str, sk: str) -> StateItem | None:
        raise OSError("the table is gone")

    def put(self, item: Mapping[str, Any], condition: str = "", **values: Any) -> bool:
        raise OSError("the table is gone")


def memories() -> tuple[StatusMemory, ...]:
    ssm = Ssm()
    return ParameterMemory(lambda: ssm, "/sgwatch/prod/alarm-path"), TableMemory(QuickTable(), OSError)


def test_what_is_saved_is_loaded() -> None:
    for memory in memories():
        assert memory.load() is None
        assert memory.save(KEPT, None) is None
        assert memory.load() == replace(KEPT, revision=1)
        assert memory.save(KEPT, memory.load()) is None
        assert memory.load() == replace(KEPT, revision=2)


def test_what_another_audit_kept_in_between_is_given_to_the_one_that_comes_after_it() -> None:
    for memory in memories():
        memory.save(KEPT, None)
        began = memory.load()
        fixed = RememberedStatus(Status.PASS, NOW)
        memory.save(fixed, began)
        other = memory.save(KEPT, began)
        assert other is not None
        assert (other.status, other.announced_at) == (Status.PASS, NOW)
        assert memory.save(KEPT, other) is None
        assert memory.load() == replace(KEPT, revision=other.revision + 1)


def test_two_first_audits_hear_of_each_other() -> None:
    for memory in memories():
        memory.save(KEPT, None)
        other = memory.save(RememberedStatus(Status.PASS, NOW), None)
        assert other is not None
        assert other.status is Status.FAIL


def test_what_an_older_version_kept_is_written_over() -> None:
    table = QuickTable()
    table.put({"pk": KEY[0], "sk": KEY[1], "memory": json.dumps(KEPT.to_json())})
    memory = TableMemory(table, OSError)
    before = memory.load()
    assert before == KEPT
    assert memory.save(KEPT, before) is None
    assert memory.load() == replace(KEPT, revision=1)


def test_parts_that_do_not_fit_are_left_out_and_the_status_is_kept() -> None:
    ssm = Ssm()
    memory = ParameterMemory(lambda: ssm, "/sgwatch/prod/alarm-path")
    memory.save(RememberedStatus(Status.FAIL, NOW, frozenset(f"filter-number-{number}" for number in range(500))), None)
    assert memory.load() == RememberedStatus(Status.FAIL, NOW, None, revision=1)


def test_nonsense_in_the_parameter_counts_as_nothing() -> None:
    ssm, table = Ssm(), QuickTable()
    ssm.put_parameter("p", "nonsense", Type="String", Overwrite=True)
    table.put({"pk": KEY[0], "sk": KEY[1], "memory": "nonsense"})
    for memory in (ParameterMemory(lambda: ssm, "p"), TableMemory(table, OSError)):
        assert memory.load() is None
        assert memory.save(KEPT, None) is None
        found = memory.load()
        assert found is not None
        assert found.status is KEPT.status


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
        memory.save(KEPT, None)


def test_a_table_that_fails_is_said() -> None:
    memory = TableMemory(BrokenTable(), OSError)
    with pytest.raises(MemoryUnavailable, match="the table is gone"):
        memory.load()
    with pytest.raises(MemoryUnavailable, match="the table is gone"):
        memory.save(KEPT, None)


def test_a_memory_of_before_there_were_parts_is_read() -> None:
    assert RememberedStatus.from_json(json.loads('{"status": "pass", "announced_at": null}')) == RememberedStatus(
        Status.PASS, None, None
    )
