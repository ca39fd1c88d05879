"""What an alert is built of: a change with everything that was found out about it, and who finds it out."""

from __future__ import annotations

from typing import Protocol

from chalicelib.cloudtrail.records import CloudTrailRecord
from chalicelib.exposure.judge import NO_LOOK_UPS
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.changes import Change
from chalicelib.security_groups.lookup_result import GroupInfo, LookupResult, ResolvedChange


class Resolution(NamedTuple):
    """A resolved change, what AWS answered, the group and its owner's name; ``notes`` are on earlier changes."""

    resolved: ResolvedChange
    looked_up: LookupResult = NO_LOOK_UPS
    group: GroupInfo | None = None
    owner: str | None = None
    notes: tuple[str, ...] = ()


class ChangeResolver(Protocol):
    """Finds out what a record leaves open; it may raise anything, which then costs the alert what it would know."""

    def resolve(self, record: CloudTrailRecord, change: Change) -> Resolution:
        """Everything about the change."""

    def account_name(self, account_id: str | None) -> str | None:
        """The account's name as far as it is known without asking."""

    def failed(self, record: CloudTrailRecord, error: Exception) -> None:
        """Report a fault: the alert says no more than its record."""


class RecordAlone:
    """Knows what the record holds."""

    def resolve(self, record: CloudTrailRecord, change: Change) -> Resolution:  # noqa: ARG002 - it asks nobody
        """The change as it was read."""
        return Resolution(ResolvedChange(change))

    def account_name(self, account_id: str | None) -> str | None:  # noqa: ARG002
        """Not known."""
        return None

    def failed(self, record: CloudTrailRecord, error: Exception) -> None:
        """The record is at fault itself, and its alert will say so."""
