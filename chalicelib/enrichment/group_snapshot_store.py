"""Keeps snapshots in the state table, one item for each group.

Keys: ``pk`` is ``group#<account>#<region>`` and ``sk`` the group's id, so that one query lists a
region's groups; a resource's list of groups is under ``attachment#<account>#<region>`` and the
resource's id. Every write says which revision it read: of two writers at once, one reads again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from chalicelib.alert.model import decode_rule, encode_rule, format_time
from chalicelib.cloudtrail.records import parse_time
from chalicelib.enrichment.attachments import AttachmentKey, AttachmentLog
from chalicelib.enrichment.group_snapshots import MAX_HISTORY, GroupKey, GroupSnapshot, shortened
from chalicelib.enrichment.replay_changes import PastChange
from chalicelib.security_groups.lookup_result import Rules
from chalicelib.security_groups.rules import ModifiedRule, Tags
from chalicelib.state.codec import StateItem
from chalicelib.state.errors import StateError, VersionConflict

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html: 400 KB an item;
# the rest is left to the other attributes and to the names.
MAX_BODY = 380_000
_DELETED_KEPT = timedelta(days=30)
_ATTEMPTS = 6
_UNWRITTEN_GROUPS = 100

SnapshotChange = Callable[[GroupSnapshot | None], GroupSnapshot | None]


class SnapshotTable(Protocol):
    """What is asked of the table; items are mappings with ``pk``, ``sk`` and ``revision`` in them."""

    def get(self, pk: str, sk: str) -> StateItem | None:
        """The item as of the latest write, None where there is none."""
        ...

    def put_revision(self, item: StateItem, seen: int) -> None:
        """Write the item where its stored revision is still ``seen``, 0 meaning that there is none.

        Raises:
            VersionConflict: it is another one by now.
        """
        ...

    def query(self, pk: str) -> Iterator[StateItem]:
        """Every item of a partition, by ``sk``."""
        ...


class Snapshots:
    """The snapshots of groups and attachments in a state table.

    What could not be written is kept while the process lives, read from there, and written with the next change.
    """

    def __init__(self, table: SnapshotTable) -> None:
        self._table = table
        self._unwritten: dict[GroupKey, list[SnapshotChange]] = {}

    def get(self, key: GroupKey) -> GroupSnapshot | None:
        """The group's snapshot."""
        item = self._table.get(_partition(key), key.group_id)
        snapshot = None if item is None else decode_snapshot(item)
        stands = snapshot.revision if snapshot else 0
        for change in self._unwritten.get(key, ()):
            snapshot = change(snapshot) or snapshot
        # The next write goes by what stands in the table, whatever was added to it here.
        return snapshot and replace(snapshot, revision=stands)

    def of_region(self, account_id: str, region: str) -> Iterator[GroupSnapshot]:
        """The snapshots of a region's groups, deleted ones included."""
        for item in self._table.query(f"group#{account_id}#{region}"):
            yield decode_snapshot(item)

    def update(self, key: GroupKey, change: SnapshotChange, seen: GroupSnapshot | None = None) -> GroupSnapshot | None:
        """Read, change, write, and again where another writer came in between; gives what stands there now.

        ``seen`` saves the first reading; a change that gives None or what stands there is not written.

        Raises:
            VersionConflict: others were faster every time.
        """
        try:
            return self._update(key, change, seen)
        except StateError:
            if len(self._unwritten) < _UNWRITTEN_GROUPS or key in self._unwritten:
                self._unwritten[key] = [*self._unwritten.get(key, ()), change][-MAX_HISTORY:]
            raise

    def _update(self, key: GroupKey, change: SnapshotChange, seen: GroupSnapshot | None) -> GroupSnapshot | None:
        current = seen if seen is not None else self.get(key)
        for _ in range(_ATTEMPTS):
            wanted = change(current)
            if wanted is None or (wanted == current and key not in self._unwritten):
                return current
            revision = current.revision if current else 0
            written = replace(wanted, revision=revision + 1)
            try:
                self._table.put_revision(encode_snapshot(written), revision)
            except VersionConflict:
                current = self.get(key)
                continue
            self._unwritten.pop(key, None)
            return written
        raise VersionConflict(f"{key.group_id} was written by others {_ATTEMPTS} times in a row")

    def attachment(self, key: AttachmentKey) -> AttachmentLog | None:
        """What is remembered of a resource's groups."""
        item = self._table.get(_attachment_partition(key), key.resource_id)
        return None if item is None else _decode_attachment(key, item)

    def note_attachment(
        self, key: AttachmentKey, event_id: str, at: datetime, groups: tuple[str, ...]
    ) -> AttachmentLog:
        """Remember the groups that a resource has since an event; gives all that is remembered of it.

        Raises:
            VersionConflict: others were faster every time.
        """
        for _ in range(_ATTEMPTS):
            current = self.attachment(key) or AttachmentLog(key)
            wanted = current.noting(event_id, at, groups)
            if wanted == current:
                return current
            try:
                self._table.put_revision(
                    _encode_attachment(replace(wanted, revision=current.revision + 1)), current.revision
                )
            except VersionConflict:
                continue
            return wanted
        raise VersionConflict(f"{key.resource_id} was written by others {_ATTEMPTS} times in a row")


def _partition(key: GroupKey) -> str:
    return f"group#{key.account_id}#{key.region}"


def _attachment_partition(key: AttachmentKey) -> str:
    return f"attachment#{key.account_id}#{key.region}"


def encode_snapshot(snapshot: GroupSnapshot) -> dict[str, Any]:
    """The item of a snapshot: its body compressed, the oldest history given up where it is too large."""
    body = _body(snapshot)
    while len(body) > MAX_BODY and snapshot.history:
        snapshot = shortened(snapshot, len(snapshot.history) // 2)
        body = _body(snapshot)
    if len(body) > MAX_BODY:
        # Rules that do not fit are not known, which the alerts then say; half of them would be a lie.
        snapshot = replace(snapshot, base=None, tags={}, rule_tags={})
        body = _body(snapshot)
    key = snapshot.key
    item: dict[str, Any] = {
        "pk": _partition(key),
        "sk": key.group_id,
        "revision": snapshot.revision,
        "name": snapshot.name,
        "vpc_id": snapshot.vpc_id,
        "account_name": snapshot.account_name,
        "body": body,
    }
    if snapshot.deleted_at is not None:
        item["expires_at"] = int((snapshot.deleted_at + _DELETED_KEPT).timestamp())
    return {name: value for name, value in item.items() if value is not None}


def _body(snapshot: GroupSnapshot) -> bytes:
    document = {
        "base": _encode_rules(snapshot.base),
        "base_time": _encode_time(snapshot.base_time),
        "known_since": _encode_time(snapshot.known_since),
        "history": [_encode_past(past) for past in snapshot.history],
        "description": snapshot.description,
        "tags": dict(snapshot.tags),
        "rule_tags": {rule_id: list(map(list, tags)) for rule_id, tags in snapshot.rule_tags.items()},
        "deleted_at": _encode_time(snapshot.deleted_at),
    }
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode())


def decode_snapshot(item: StateItem) -> GroupSnapshot:
    """The snapshot of an item."""
    _, account_id, region = str(item["pk"]).split("#")
    body = json.loads(zlib.decompress(bytes(item["body"])))
    return GroupSnapshot(
        key=GroupKey(account_id, region, str(item["sk"])),
        base=_decode_rules(body["base"]),
        base_time=parse_time(body["base_time"]),
        known_since=parse_time(body["known_since"]),
        history=tuple(_decode_past(past) for past in body["history"]),
        name=item.get("name"),
        vpc_id=item.get("vpc_id"),
        account_name=item.get("account_name"),
        description=body["description"],
        tags=body["tags"],
        rule_tags={rule_id: _decode_tags(tags) for rule_id, tags in body.get("rule_tags", {}).items()},
        deleted_at=parse_time(body["deleted_at"]),
        revision=int(item["revision"]),
    )


def _encode_time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def _encode_rules(rules: Rules | None) -> list[dict[str, Any]] | None:
    return None if rules is None else [encode_rule(rule) for rule in rules]


def _decode_rules(rules: list[Any] | None) -> Rules | None:
    return None if rules is None else tuple(decode_rule(rule) for rule in rules)


def _decode_tags(tags: list[Any]) -> Tags:
    return tuple((str(key), str(value)) for key, value in tags)


def _encode_past(past: PastChange) -> dict[str, Any]:
    return {
        "event_id": past.event_id,
        "event_time": format_time(past.event_time),
        "event_name": past.event_name,
        "principal": past.principal,
        "added": _encode_rules(past.added),
        "removed": _encode_rules(past.removed),
        "modified": [[item.before and encode_rule(item.before), encode_rule(item.after)] for item in past.modified],
        "gone": list(past.gone),
        "described": list(map(list, past.described)),
        "is_partial": past.is_partial,
    }


def _decode_past(document: Mapping[str, Any]) -> PastChange:
    event_time = parse_time(document["event_time"])
    if event_time is None:
        raise ValueError(f"a change without a time in the state table: {document['event_id']}")
    return PastChange(
        event_id=document["event_id"],
        event_time=event_time,
        event_name=document["event_name"],
        principal=document["principal"],
        added=_decode_rules(document["added"]) or (),
        removed=_decode_rules(document["removed"]) or (),
        modified=tuple(ModifiedRule(old and decode_rule(old), decode_rule(new)) for old, new in document["modified"]),
        gone=tuple(document["gone"]),
        described=tuple((rule_id, description) for rule_id, description in document.get("described", ())),
        is_partial=document.get("is_partial", False),
    )


def _encode_attachment(log: AttachmentLog) -> dict[str, Any]:
    entries = [[event_id, format_time(at), list(groups)] for event_id, at, groups in log.entries]
    return {
        "pk": _attachment_partition(log.key),
        "sk": log.key.resource_id,
        "revision": log.revision,
        "body": json.dumps(entries).encode(),
    }


def _decode_attachment(key: AttachmentKey, item: StateItem) -> AttachmentLog:
    entries = []
    for event_id, at, groups in json.loads(bytes(item["body"])):
        moment = parse_time(at)
        if moment is not None:
            entries.append((event_id, moment, tuple(groups)))
    return AttachmentLog(key, tuple(entries), int(item["revision"]))
