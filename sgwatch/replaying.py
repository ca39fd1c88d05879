"""From files of records to the alerts they would have made: oldest first, each record judged by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert, Severity
from chalicelib.cloudtrail.catalog import EventGroup, events_of
from chalicelib.cloudtrail.records import canonical_digest
from chalicelib.security_groups.changes import NotWatched
from sgwatch.reading import Contents, Fault, Wanted
from sgwatch.same_record import RecordIdentity, identity
from sgwatch.sources import Spool, read_files


@dataclass(slots=True)
class Tally:
    """What was read and what came of it."""

    files: int = 0
    records: int = 0
    watched: int = 0
    repeated: int = 0
    supplemented: int = 0
    no_alert: int = 0
    below: int = 0
    alerts: Counter[Severity] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    def take(self, contents: Contents) -> None:
        """Count one file."""
        self.files += 1
        self.records += contents.count
        self.faults += contents.faults

    def sentence(self) -> str:
        """``3 files, 40 records, 29 watched: 29 alerts (2 critical, 27 low)`` and what was left out, if any was."""
        by_severity = [f"{self.alerts[item]} {item}" for item in reversed(Severity) if self.alerts[item]]
        made = _number(self.alerts.total(), "alert") + (f" ({', '.join(by_severity)})" if by_severity else "")
        rest = [
            f"{self.below:,} below the minimum severity" if self.below else "",
            f"{self.repeated:,} repeated" if self.repeated else "",
            f"{self.supplemented:,} supplemented by a later record" if self.supplemented else "",
            f"{self.no_alert:,} of a call that sets no group or has another record" if self.no_alert else "",
            f"{len(self.faults):,} unreadable" if self.faults else "",
        ]
        read = f"{_number(self.files, 'file')}, {_number(self.records, 'record')}, {self.watched:,} watched"
        return ", ".join([f"{read}: {made}", *filter(None, rest)])


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def replay(
    files: Iterable[str],
    groups: Iterable[EventGroup],
    tally: Tally,
    min_severity: Severity = Severity.INFO,
    on_read: Callable[[Contents], None] | None = None,
    make: Callable[[Mapping[str, Any]], Alert] = alert_of,
) -> Iterator[Alert]:
    """The alerts of the watched records in these files; ``on_read`` is called with each file as it was read.

    ``make`` makes the alert of a record.

    The same record seen again, as where two trails write one log, is alerted once; so is one that an addendum
    supplements, from the later record, which has more.
    """
    with Spool() as spool:
        for contents in read_files(files, Wanted.of(events_of(groups))):
            tally.take(contents)
            for record in contents.records:
                spool.add(record)
            if on_read:
                on_read(contents)
        yield from _alerts(spool, tally, min_severity, make, spool.supplemented)


def _alerts(
    records: Iterable[Mapping[str, Any]],
    tally: Tally,
    min_severity: Severity,
    make: Callable[[Mapping[str, Any]], Alert],
    supplemented: AbstractSet[RecordIdentity],
) -> Iterator[Alert]:
    seen: set[str] = set()
    for raw in records:
        content = canonical_digest(raw)
        if content in seen:
            tally.watched += 1
            tally.repeated += 1
            continue
        seen.add(content)
        if identity(raw) in supplemented:
            tally.watched += 1
            tally.supplemented += 1
            continue
        try:
            alert = make(raw)
        except NotWatched:  # the event can also be about other things, and here it is
            tally.no_alert += 1
            continue
        tally.watched += 1
        if alert.severity.rank < min_severity.rank:
            tally.below += 1
        else:
            tally.alerts[alert.severity] += 1
            yield alert
