"""Both state tables keep the same contract, and snapshots survive them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.enrichment.attachments import AttachmentKey
from chalicelib.enrichment.group_snapshot_store import (
    MAX_BODY,
    Snapshots,
    SnapshotTable,
    decode_snapshot,
    encode_snapshot,
)
from chalicelib.enrichment.group_snapshots import GroupKey, GroupSnapshot, fold
from chalicelib.enrichment.replay_changes import PastChange
from chalicelib.security_groups.rules import Direction, ModifiedRule, Peer, PeerType, SecurityGroupRule
from chalicelib.state.codec import FORM_VERSION
from chalicelib.state.errors import StateError, VersionConflict
from chalicelib.state.state_table import StateTable
from localcloud.cloud import LocalCloud
from tests.support.memory_table import MemoryTable

KEY = GroupKey("123456789012", "eu-west-1", "sg-1")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def rule(number: int, description: str | None = "d") -> SecurityGroupRule:
    peer = Peer(PeerType.IPV4, f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}/32")
    return SecurityGroupRule(Direction.INGRESS, "tcp", 22, 22, peer, description, f"sgr-{number:017x}")


def past(number: int, **effect: Any) -> PastChange:
    return PastChange(f"event-{number}", NOON + timedelta(seconds=number), "X", "alice", **effect)


SNAPSHOT = GroupSnapshot(
    KEY,
    base=(rule(1), rule(2, None)),
    base_time=NOON,
    known_since=NOON,
    history=(past(1, added=(rule(3),), gone=("sgr-9",)), past(2, modified=(ModifiedRule(None, rule(1, "new")),))),
    name="web",
    vpc_id="vpc-1",
    description="Web",
    tags={"Owner": "payments"},
    account_name="production",
    rule_tags={"sgr-00000000000000001": (("why", "it's $HOME"),), "sgr-00000000000000002": ()},
    deleted_at=NOON,
    revision=3,
)


@pytest.fixture(scope="module")
def dynamo(cloud: LocalCloud) -> StateTable:
    client = cloud.client("dynamodb")
    keys = ("pk", "HASH"), ("sk", "RANGE")
    client.create_table(
        TableName="state",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    return StateTable(lambda: client, "state")


@pytest.fixture(params=["memory", "dynamo"])
def table(request: pytest.FixtureRequest) -> SnapshotTable:
    return MemoryTable() if request.param == "memory" else request.getfixturevalue("dynamo")


def item(pk: str, sk: str, revision: int = 1) -> dict[str, Any]:
    return {"pk": pk, "sk": sk, "revision": revision, "name": "n", "body": b"\x00bytes"}


def test_what_was_put_is_got(table: SnapshotTable) -> None:
    table.put_revision(item("got", "1"), 0)
    assert table.get("got", "1") == {"form_version": FORM_VERSION, **item("got", "1")}
    assert table.get("got", "2") is None


def test_a_writer_that_was_outrun_is_reported(table: SnapshotTable) -> None:
    table.put_revision(item("outrun", "1"), 0)
    with pytest.raises(VersionConflict):
        table.put_revision(item("outrun", "1"), 0)
    table.put_revision(item("outrun", "1", 2), 1)
    with pytest.raises(VersionConflict):
        table.put_revision(item("outrun", "1", 2), 1)
    with pytest.raises(VersionConflict):
        table.put_revision(item("outrun", "never", 2), 1)


def test_a_partition_is_listed_in_order(table: SnapshotTable) -> None:
    for sk in ("b", "a", "c"):
        table.put_revision(item("listed", sk), 0)
    table.put_revision(item("other", "a"), 0)
    assert [found["sk"] for found in table.query("listed")] == ["a", "b", "c"]


def test_a_snapshot_survives_the_table(table: SnapshotTable) -> None:
    snapshots = Snapshots(table)
    key = replace(KEY, region="eu-west-2")
    assert snapshots.get(key) is None
    written = snapshots.update(key, lambda _: replace(SNAPSHOT, key=key))
    assert written == replace(SNAPSHOT, key=key, revision=1)
    assert snapshots.get(key) == written
    assert list(snapshots.of_region("123456789012", "eu-west-2")) == [written]


def test_of_two_writers_neither_is_lost(table: SnapshotTable) -> None:
    snapshots = Snapshots(table)
    key = replace(KEY, region="eu-west-3")
    stale = snapshots.update(key, lambda _: replace(SNAPSHOT, key=key, history=()))

    def adding(number: int) -> Any:
        return lambda current: replace(current, history=(*current.history, past(number)))

    snapshots.update(key, adding(1), stale)
    snapshots.update(key, adding(2), stale)
    found = snapshots.get(key)
    assert found is not None
    assert [item.event_id for item in found.history] == ["event-1", "event-2"]


class Failing(MemoryTable):
    """A table that does not take the first item."""

    refused = False

    def put_revision(self, item: Mapping[str, Any], seen: int) -> None:
        if not self.refused:
            self.refused = True
            raise StateError("ThrottlingException on dynamodb:PutItem", "ThrottlingException")
        super().put_revision(item, seen)


def test_what_could_not_be_written_is_reported_all_the_same_and_written_with_the_next_change() -> None:
    table = Failing()
    snapshots = Snapshots(table)
    with pytest.raises(StateError):
        snapshots.update(KEY, lambda _: replace(SNAPSHOT, history=(past(1),)))
    assert Snapshots(table).get(KEY) is None
    seen = snapshots.get(KEY)
    assert seen is not None
    assert [item.event_id for item in seen.history] == ["event-1"]
    snapshots.update(KEY, lambda current: current and replace(current, history=(*current.history, past(2))), seen)
    written = Snapshots(table).get(KEY)
    assert written is not None
    assert [item.event_id for item in written.history] == ["event-1", "event-2"]


def test_what_could_not_be_written_is_written_when_its_event_comes_again() -> None:
    table = Failing()
    snapshots = Snapshots(table)

    def change(current: GroupSnapshot | None) -> GroupSnapshot:
        return fold(current or replace(SNAPSHOT, history=()), past(1))

    with pytest.raises(StateError):
        snapshots.update(KEY, change)
    snapshots.update(KEY, change, snapshots.get(KEY))
    assert Snapshots(table).get(KEY) is not None


def test_a_resources_groups_before_an_event_are_known_from_the_one_before(table: SnapshotTable) -> None:
    snapshots = Snapshots(table)
    key = AttachmentKey("123456789012", "eu-west-1", "eni-1")
    snapshots.note_attachment(key, "2", NOON + timedelta(minutes=2), ("sg-2",))
    snapshots.note_attachment(key, "1", NOON, ("sg-1",))
    snapshots.note_attachment(key, "2", NOON + timedelta(minutes=2), ("sg-2",))
    log = snapshots.attachment(key)
    assert log is not None
    assert log.before("1", NOON) is None
    assert log.before("2", NOON + timedelta(minutes=2)) == ("sg-1",)
    assert log.before("3", NOON + timedelta(minutes=3)) == ("sg-2",)


def test_a_deleted_groups_item_expires() -> None:
    assert encode_snapshot(SNAPSHOT)["expires_at"] > NOON.timestamp()
    assert "expires_at" not in encode_snapshot(replace(SNAPSHOT, deleted_at=None))


def unlike(number: int) -> SecurityGroupRule:
    """A rule that compresses badly."""
    return rule(number, hashlib.sha512(str(number).encode()).hexdigest()[:100])


def test_a_thousand_rules_and_their_history_fit_an_item() -> None:
    rules = tuple(unlike(number) for number in range(1000))
    history = tuple(past(number, removed=rules[number * 5 : number * 5 + 5]) for number in range(200))
    item = encode_snapshot(replace(SNAPSHOT, base=rules, history=history))
    assert len(item["body"]) <= MAX_BODY
    assert decode_snapshot(item).rules == replace(SNAPSHOT, base=rules, history=history).rules


def test_too_much_history_is_given_up_but_no_rule() -> None:
    batches = [tuple(unlike(1000 + number * 100 + i) for i in range(100)) for number in range(60)]
    history = [(past(2 * i, added=batch), past(2 * i + 1, removed=batch)) for i, batch in enumerate(batches)]
    whole = replace(SNAPSHOT, history=tuple(item for pair in history for item in pair))
    kept = decode_snapshot(encode_snapshot(whole))
    assert 0 < len(kept.history) < len(whole.history)
    assert kept.rules == SNAPSHOT.base


def test_rules_that_cannot_fit_are_not_known_rather_than_cut() -> None:
    rules = tuple(unlike(number) for number in range(12_000))
    item = encode_snapshot(replace(SNAPSHOT, base=rules, history=()))
    assert len(item["body"]) <= MAX_BODY
    assert decode_snapshot(item).rules is None


def test_a_table_that_is_not_there_is_a_failed_lookup(cloud: LocalCloud) -> None:
    client = cloud.client("dynamodb")
    with pytest.raises(StateError, match="ResourceNotFoundException on dynamodb:GetItem"):
        StateTable(lambda: client, "missing").get("a", "b")
