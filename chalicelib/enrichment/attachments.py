"""Which groups a resource had: remembered from event to event, as the calls carry new lists only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.security_groups.changes import NOT_NAMED, VPC_ENDPOINT, Attachment, Change
from chalicelib.security_groups.lookup_result import LookupResult
from chalicelib.security_groups.unknowns import UnknownTopic, without

_ENTRIES_KEPT = 50


@dataclass(frozen=True, slots=True)
class AttachmentKey:
    """Which resource: an interface, an instance, an endpoint or a load balancer."""

    account_id: str
    region: str
    resource_id: str


@dataclass(frozen=True, slots=True)
class AttachmentLog:
    """The lists of groups that a resource has had, oldest first: event id, time, groups after the event."""

    key: AttachmentKey
    entries: tuple[tuple[str, datetime, tuple[str, ...]], ...] = ()
    revision: int = 0

    def before(self, event_id: str, at: datetime) -> tuple[str, ...] | None:
        """The groups before an event; None where nothing earlier is remembered."""
        place = next((i for i, entry in enumerate(self.entries) if entry[0] == event_id), None)
        earlier = self.entries[:place] if place is not None else [entry for entry in self.entries if entry[1] <= at]
        return earlier[-1][2] if earlier else None

    def noting(self, event_id: str, at: datetime, groups: tuple[str, ...]) -> AttachmentLog:
        """The same with one more event in its place; one that is known changes nothing."""
        if any(entry[0] == event_id for entry in self.entries):
            return self
        # The sort is stable: of two events in one second the one that came later stands later.
        entries = sorted((*self.entries, (event_id, at, groups)), key=lambda entry: entry[1])
        return replace(self, entries=tuple(entries[-_ENTRIES_KEPT:]))


def resource_of(attachment: Attachment, looked_up: LookupResult) -> str | None:
    """Under which id the groups are remembered; None where that is not known.

    An instance's groups are those of its one interface, and either call may change them. Of an endpoint whose
    groups could not be looked up only those added are known, and a list of those is nothing to remember.
    """
    if attachment.groups_after is None or attachment.resource_id == NOT_NAMED:
        return None
    if attachment.resource_type == VPC_ENDPOINT and attachment.groups_after != looked_up.endpoint_groups:
        return None
    if attachment.resource_type != "instance":
        return attachment.resource_id
    found = looked_up.interfaces or ()
    return found[0].id if len(found) == 1 else None


def of_endpoint(
    change: Change, world: LookupResult, before: tuple[str, ...] | None
) -> tuple[Change, tuple[str, ...] | None]:
    """ModifyVpcEndpoint with all groups, which its record does not list: those now, and those with it undone."""
    attachment, now = change.attachment, world.endpoint_groups
    if attachment is None or attachment.resource_type != VPC_ENDPOINT or now is None:
        return change, before
    added, removed = attachment.groups_after or (), change.detached
    if not set(added) <= set(now) or set(removed) & set(now):
        return change, None
    changed = change._replace(attachment=attachment._replace(groups_after=now))
    return changed, (*(item for item in now if item not in added), *removed)


def likelier(
    attachment: Attachment, remembered: tuple[str, ...] | None, worked_out: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """The groups before: as remembered, else as worked out; None for an endpoint of which the two differ.

    An event whose groups could not be looked up is missing in what is remembered of an endpoint.
    """
    if remembered is None or worked_out is None:
        return worked_out if remembered is None else remembered
    differ = attachment.resource_type == VPC_ENDPOINT and set(remembered) != set(worked_out)
    return None if differ else remembered


def with_groups_before(change: Change, before: tuple[str, ...] | None) -> Change:
    """The change of an attachment with the groups before it, where they are known."""
    attachment = change.attachment
    if attachment is None or before is None:
        return change
    return change._replace(
        attachment=attachment._replace(groups_before=before),
        changes=change.changes._replace(before_known=True),
        unknowns=without(change.unknowns, UnknownTopic.GROUPS_BEFORE),
    )
