"""Which groups a resource had: remembered from event to event, as the calls tell new lists only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

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
