"""What the state table learns from one change, and what it already knew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.cloudtrail.catalog import Verb, verb_of
from chalicelib.cloudtrail.records import CloudTrailRecord, mapping, text
from chalicelib.enrichment.before import reflects, with_change_reverted
from chalicelib.enrichment.group_snapshots import (
    GroupKey,
    GroupSnapshot,
    created,
    first_seen,
    fold,
    rebased,
    resolved,
    trimmed,
    with_rule_tags,
)
from chalicelib.enrichment.replay_changes import PastChange, replay, same_rules
from chalicelib.security_groups.changes import Change
from chalicelib.security_groups.lookup_result import GroupInfo, ResolvedChange, Rules
from chalicelib.security_groups.wire_shapes import field, items

# For so long a read may show what was before a change:
# https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
READS_MAY_BE_STALE = timedelta(minutes=5)
CREATED = "CreateSecurityGroup"


@dataclass(frozen=True, slots=True)
class SeenChange:
    """One change as the table gets it: the change, the live rules seen after it and when, what the group is, whose."""

    past: PastChange
    known: ResolvedChange
    live: Rules | None
    group: GroupInfo | None
    now: datetime
    account_name: str | None = None


def key_of(record: CloudTrailRecord, group_id: str | None) -> GroupKey | None:
    """Which snapshot a change belongs to; None where the record does not hold enough."""
    if record.account_id is None or record.region is None or group_id is None or record.event_time is None:
        return None
    return GroupKey(record.account_id, record.region, group_id)


def past_of(record: CloudTrailRecord, change: Change, principal: str, event_time: datetime) -> PastChange:
    """The change as history keeps it."""
    changes = change.changes
    known = {item.after.id for item in changes.modified}
    return PastChange(
        event_id=record.event_id,
        event_time=event_time,
        event_name=change.event.name,
        principal=principal,
        added=changes.added,
        removed=changes.removed,
        modified=changes.modified,
        gone=change.rule_ids if change.event.verb is Verb.REVOKE else (),
        described=tuple(item for item in described_by_id(record).items() if item[0] not in known),
        is_partial=bool(change.unread),
    )


def described_by_id(record: CloudTrailRecord) -> Mapping[str, str | None]:
    """The new descriptions that UpdateSecurityGroupRuleDescriptions* gives to rules by id."""
    if verb_of(record.event_name) is not Verb.DESCRIBE:
        return {}
    request = mapping(record.request_parameters.get(f"{record.event_name}Request")) or record.request_parameters
    keys = ("securityGroupRuleDescriptions", "securityGroupRuleDescription")
    listed = [mapping(item) for key in keys for item in items(field(request, key))]
    pairs = ((text(field(item, "securityGroupRuleId")), text(field(item, "description"))) for item in listed)
    return {rule_id: description for rule_id, description in pairs if rule_id}


def remembered(current: GroupSnapshot | None, memory: SeenChange, key: GroupKey) -> GroupSnapshot | None:
    """The snapshot after this change; None where there is nothing to begin one with."""
    past = memory.past
    if current is None:
        begun = _begun(memory, key)
        return None if begun is None else _labelled(_with_tags_seen(begun, memory), memory)
    updated = resolved(fold(current, past, memory.live), past)
    is_creation = updated.base is None and past.event_name == CREATED
    updated = _from_creation(updated, memory) if is_creation else _on_track(updated, memory)
    updated = _with_tags_seen(updated, memory)
    if past.event_name == "DeleteSecurityGroup":
        return replace(updated, deleted_at=past.event_time)
    return trimmed(_labelled(updated, memory), memory.now)


def _from_creation(snapshot: GroupSnapshot, memory: SeenChange) -> GroupSnapshot:
    """A snapshot that had no beginning, with the group's creation as that."""
    begun = created(snapshot.key, memory.past, memory.live)
    begun = replace(snapshot, base=begun.base, base_time=begun.base_time, known_since=begun.known_since)
    return begun.settled(memory.live)


def _on_track(snapshot: GroupSnapshot, memory: SeenChange) -> GroupSnapshot:
    """The snapshot, rebuilt after losing consistency from live rules that show this change and all recent ones."""
    if snapshot.is_certain or memory.live is None or not reflects(memory.known.change, memory.live):
        return snapshot
    recent = (past for past in snapshot.history if not _is_settled(past, memory))
    if not same_rules(replay(memory.live, recent), memory.live):
        return snapshot
    before = with_change_reverted(memory.known.change, memory.live)
    return rebased(snapshot, memory.past, before, memory.live, memory.now)


def _with_tags_seen(snapshot: GroupSnapshot, memory: SeenChange) -> GroupSnapshot:
    """With the rules' own tags: those live now are newer than those that a call gave."""
    given = [rule for rule in memory.past.added if rule.id not in snapshot.rule_tags]
    return with_rule_tags(snapshot, (*given, *(memory.live or ())))


def _begun(memory: SeenChange, key: GroupKey) -> GroupSnapshot | None:
    live, past = memory.live, memory.past
    if past.event_name == CREATED:
        return created(key, past, live)
    if live is None:
        return None
    has_effect = past.added or past.removed or past.modified or past.gone or past.described
    if reflects(memory.known.change, live) and (has_effect or _is_settled(past, memory)):
        return first_seen(key, past, with_change_reverted(memory.known.change, live), memory.now)
    if not _is_settled(past, memory):
        # The live rules may be older than this change, and so of no use as a beginning.
        return GroupSnapshot(key, history=(past,))
    # The live rules are of a later moment: they are the beginning, and this change is only remembered.
    at = memory.now
    return GroupSnapshot(key, base=live, base_time=at.replace(microsecond=0), known_since=at, history=(past,))


def _is_settled(past: PastChange, memory: SeenChange) -> bool:
    """Whether the change is so old that no read shows what was before it."""
    return past.event_time <= memory.now - READS_MAY_BE_STALE


def _labelled(snapshot: GroupSnapshot, memory: SeenChange) -> GroupSnapshot:
    group = memory.group
    snapshot = replace(snapshot, account_name=memory.account_name or snapshot.account_name)
    if group is None:
        return snapshot
    return replace(
        snapshot,
        name=group.name,
        vpc_id=group.vpc_id,
        description=group.description,
        tags=dict(group.tags),
    )


def group_of(snapshot: GroupSnapshot | None) -> GroupInfo | None:
    """The group as the snapshot describes it."""
    if snapshot is None or snapshot.name is None:
        return None
    return GroupInfo(
        snapshot.key.group_id,
        snapshot.name,
        snapshot.vpc_id,
        snapshot.description,
        snapshot.tags,
        snapshot.rules or (),
    )
