"""What a record leaves open, found out for its alert, which is never later and never lost for it.

Whatever goes wrong with a look-up or the state table is a sentence in the alert's ``unknowns``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from chalicelib.alert import build
from chalicelib.alert.model import Alert
from chalicelib.alert.resolution import Resolution
from chalicelib.aws.read_calls import LookupFailed
from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.cloudtrail.principals import read_principal
from chalicelib.cloudtrail.records import CloudTrailRecord
from chalicelib.enrichment.attachments import AttachmentKey, likelier, of_endpoint, resource_of, with_groups_before
from chalicelib.enrichment.before import RuleSources, resolve
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.group_snapshots import GroupKey, GroupSnapshot, fold
from chalicelib.enrichment.lookups import Lookups
from chalicelib.enrichment.plan import INTERFACES_OF
from chalicelib.enrichment.related_changes import remarks
from chalicelib.enrichment.remember import SeenChange, described_by_id, group_of, key_of, past_of, remembered
from chalicelib.enrichment.replay_changes import PastChange
from chalicelib.security_groups.changes import Attachment, Change
from chalicelib.security_groups.lookup_result import GroupInfo, LookupResult, ResolvedChange, Rules
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.unknowns import Unknown, UnknownTopic, other, without
from chalicelib.state.errors import StateError

DEFAULT_OWNER_TAGS = ("owner", "team")
# No record of a revoke carries them.
TAGS_NOT_SEEN = Unknown(
    UnknownTopic.RULE_TAGS, "the removed rules' own tags, if they had any: they were never looked up before removal"
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Enricher:
    """Resolves changes for alerts; ``snapshots`` is None where there is no state table.

    ``owner_tags`` are the tags that name a group's owner, the first found counts, whatever its case.
    """

    lookups: Lookups
    snapshots: Snapshots | None = None
    owner_tags: tuple[str, ...] = DEFAULT_OWNER_TAGS
    now: Callable[[], datetime] = _utc_now
    on_fault: Callable[[CloudTrailRecord, Exception], None] = lambda _record, _error: None

    def alert_of(self, raw: Mapping[str, Any]) -> Alert:
        """The alert of one bare CloudTrail record.

        Raises:
            NotWatched: the record is of no event in the catalog, or touches no security group.
        """
        return build.alert_of(raw, self)

    def account_name(self, account_id: str | None) -> str | None:
        """The account's name as far as it is known without asking."""
        return self.lookups.name_of(account_id)

    def failed(self, record: CloudTrailRecord, error: Exception) -> None:
        """Report a fault of ours."""
        self.on_fault(record, error)

    def resolve(self, record: CloudTrailRecord, change: Change) -> Resolution:
        """The change with all that AWS and the state table know of it."""
        if record.region is None or record.account_id is None:
            nowhere = other("everything beyond the record: it names no account or no region to look in")
            nothing = LookupResult(account_name=self.account_name(record.account_id), unknowns=(nowhere,))
            return Resolution(ResolvedChange(change), nothing)
        if change.event.group is EventGroup.ATTACHMENTS:
            return self._of_attachment(record, change)
        return self._of_group(record, change)

    def _of_group(self, record: CloudTrailRecord, change: Change) -> Resolution:
        key = key_of(record, change.group_id) if change.succeeded and self.snapshots is not None else None
        world, snapshot, unknowns = self._look(record, change, key)
        live, doubts = _live(change, world)
        if doubts:
            # Where the group is not, no interface of it is seen either, and that means nothing.
            world = world._replace(interfaces=None)
        principal = read_principal(record).name
        before = _snapshot_before(snapshot, record, change, principal, live)
        known = resolve(
            _with_users(change, world), RuleSources(live, before, world.config_rules, described_by_id(record))
        )
        if before is None and world.config_rules is not None and known.change.changes.before_known:
            unknowns += (_since_config(world),)
        group = _group(known.change, world, snapshot)
        if any(rule.tags is None for rule in known.change.changes.removed):
            unknowns += (TAGS_NOT_SEEN,)
        said: tuple[str, ...] = ()
        if key is not None and record.event_time is not None:
            past = past_of(record, known.change, principal, record.event_time)
            said = remarks(past, snapshot.earlier(past.event_id, past.event_time)) if snapshot else ()
            looked_up = (world.groups or {}).get(key.group_id)
            memory = SeenChange(past, known, live, looked_up, self.now(), world.account_name)
            unknowns += self._remember(key, memory, snapshot)
        labels = world.unknowns if group is None else without(world.unknowns, UnknownTopic.GROUP_LABELS)
        name = world.account_name or (snapshot.account_name if snapshot else None)
        world = world._replace(account_name=name, unknowns=(*labels, *doubts, *unknowns))
        return self._resolution(known, world, group, said)

    def _look(
        self, record: CloudTrailRecord, change: Change, key: GroupKey | None
    ) -> tuple[LookupResult, GroupSnapshot | None, tuple[Unknown, ...]]:
        """The world and the snapshot, asked for at the same time."""
        snapshots = self.snapshots
        if key is None or snapshots is None:
            return self.lookups.look(record, change), None, ()
        started = self.lookups.now()
        reading = _in_background(lambda: snapshots.get(key))
        world = self.lookups.look(record, change)
        left = self.lookups.timeout - (self.lookups.now() - started)
        try:
            return world, _in_time(reading, max(left, 0.0), "dynamodb:GetItem"), ()
        except (LookupFailed, StateError) as error:
            return world, None, (other(f"what was known of the group before: {error}"),)

    def _remember(self, key: GroupKey, memory: SeenChange, snapshot: GroupSnapshot | None) -> tuple[Unknown, ...]:
        snapshots = self.snapshots
        if snapshots is None:
            return ()
        writing = _in_background(
            lambda: snapshots.update(key, lambda current: remembered(current, memory, key), snapshot)
        )
        try:
            _in_time(writing, self.lookups.timeout, "dynamodb:PutItem")
        except (LookupFailed, StateError) as error:
            return (other(f"whether the next alert will know this change: {error}"),)
        return ()

    def _of_attachment(self, record: CloudTrailRecord, change: Change) -> Resolution:
        world = self.lookups.look(record, change)
        unknowns: tuple[Unknown, ...] = ()
        attachment = change.attachment
        before: tuple[str, ...] | None = world.config_group_ids
        if attachment is not None and change.succeeded and not change.changes.before_known:
            change, before = of_endpoint(change, world, before)
            attachment = change.attachment or attachment
            remembered_groups, unknowns = self._attached_before(
                resource_of(attachment, world), record, attachment.groups_after or ()
            )
            if remembered_groups is None and before is not None and before is world.config_group_ids:
                unknowns += (_since_config(world),)
            change = with_groups_before(change, likelier(attachment, remembered_groups, before))
            if world.interfaces == ():
                if attachment.resource_type in INTERFACES_OF:
                    unknowns += (other(f"attached interfaces: none of {attachment.resource_id} is to be seen"),)
                world = world._replace(interfaces=None)
        group = (world.groups or {}).get(change.group_id or "")
        world = world._replace(unknowns=(*world.unknowns, *unknowns, *_groups_not_seen(attachment, world)))
        return self._resolution(ResolvedChange(change), world, group)

    def _attached_before(
        self, resource_id: str | None, record: CloudTrailRecord, after: tuple[str, ...]
    ) -> tuple[tuple[str, ...] | None, tuple[Unknown, ...]]:
        snapshots, at = self.snapshots, record.event_time
        if snapshots is None or at is None or resource_id is None:
            return None, ()
        key = AttachmentKey(record.account_id or "", record.region or "", resource_id)
        noting = _in_background(lambda: snapshots.note_attachment(key, record.event_id, at, after))
        try:
            log = _in_time(noting, self.lookups.timeout, "dynamodb:GetItem or dynamodb:PutItem")
        except (LookupFailed, StateError) as error:
            return None, (other(f"what was known of {resource_id} before: {error}"),)
        return log.before(record.event_id, at), ()

    def _resolution(
        self, known: ResolvedChange, world: LookupResult, group: GroupInfo | None, notes: tuple[str, ...] = ()
    ) -> Resolution:
        """With the group's id and name where the record has only one of them."""
        change = known.change
        if group is not None and change.group_id is None and change.attachment is None:
            change = change._replace(group_id=group.id)
        if group is not None and group.name:
            change = change._replace(group_name=group.name)
        owner = self._owner(group) if group is not None else None
        return Resolution(known._replace(change=change), world, group, owner, notes)

    def _owner(self, group: GroupInfo) -> str | None:
        tags = {key.lower(): value for key, value in group.tags.items()}
        return next((tags[key.lower()] for key in self.owner_tags if tags.get(key.lower())), None)


def _groups_not_seen(attachment: Attachment | None, world: LookupResult) -> Iterator[Unknown]:
    """The attached groups that were not among the answers: what their rules let in is not known."""
    after = attachment.groups_after or () if attachment is not None else ()
    missing = [printable(group, 60) for group in after if world.groups is not None and group not in world.groups]
    if missing:
        more = f" and {len(missing) - _GROUPS_SHOWN} more" if len(missing) > _GROUPS_SHOWN else ""
        named = ", ".join(missing[:_GROUPS_SHOWN]) + more
        yield other(
            f"the rules of {named}: not in this account and region, perhaps of another account or deleted since"
        )


_GROUPS_SHOWN = 5
_Result = TypeVar("_Result")


def _in_background(call: Callable[[], _Result]) -> Future[_Result]:
    pool = ThreadPoolExecutor(1, thread_name_prefix="state")
    future = pool.submit(call)
    pool.shutdown(wait=False)
    return future


def _in_time(future: Future[_Result], seconds: float, action: str) -> _Result:
    try:
        return future.result(timeout=seconds)
    except TooLate as error:
        raise LookupFailed(action, "timed out") from error


def _live(change: Change, world: LookupResult) -> tuple[Rules | None, tuple[Unknown, ...]]:
    """The live rules, where it is certain that they are this group's."""
    if world.groups is not None and change.group_id is not None and change.group_id not in world.groups:
        if not change.succeeded or change.event.name == "DeleteSecurityGroup" or change.prefix_list is not None:
            return None, ()
        return None, (other("the live group: it is not in this account and region, perhaps deleted since"),)
    if not world.rules and world.groups is None:
        nothing_seen = world.rules == () and world.interfaces == ()
        unseen = other(
            "the live group: neither rules nor interfaces were shown, so perhaps it is not in this account and region"
        )
        return None, (unseen,) if nothing_seen else ()
    return world.rules, ()


def _snapshot_before(
    snapshot: GroupSnapshot | None, record: CloudTrailRecord, change: Change, principal: str, live: Rules | None
) -> Rules | None:
    if snapshot is None or record.event_time is None:
        return None
    past: PastChange = past_of(record, change, principal, record.event_time)
    return fold(snapshot, past, live).rules_before(past.event_id, past.event_time)


def _since_config(world: LookupResult) -> Unknown:
    # It looks some minutes after a change.
    when = f", at {world.config_seen_at}" if world.config_seen_at else ""
    what = f"what changed between the call and the last AWS Config snapshot before it{when}"
    return other(f"{what}: the state before is as of then")


def _with_users(change: Change, world: LookupResult) -> Change:
    """A change of a prefix list with the list's name, and without the doubt who uses it, where these were looked up."""
    if change.prefix_list is None:
        return change
    known = world.prefix_lists.get(change.prefix_list.prefix_list_id or "")
    if known is not None and known.name and not change.prefix_list.name:
        change = change._replace(prefix_list=change.prefix_list._replace(name=known.name))
    if world.groups is None:
        return change
    return change._replace(unknowns=without(change.unknowns, UnknownTopic.LIST_USERS))


def _group(change: Change, world: LookupResult, snapshot: GroupSnapshot | None) -> GroupInfo | None:
    """The group, from what was looked up, else as it was last seen."""
    if change.prefix_list is not None:
        return None
    groups = world.groups or {}
    if change.group_id is not None:
        return groups.get(change.group_id) or world.config_group or group_of(snapshot)
    # By name alone: it is unique in a VPC only.
    named = [group for group in groups.values() if group.name == change.group_name]
    return named[0] if len(named) == 1 else None
