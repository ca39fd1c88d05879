"""From files of records to the alerts they would have made: oldest first, each record judged by itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import Any, Generic, NamedTuple, TypeVar

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert, Severity
from chalicelib.cloudtrail.catalog import EventGroup, events_of
from chalicelib.cloudtrail.records import canonical_digest
from chalicelib.security_groups.changes import NotWatched
from sgwatch.reading import Contents, Fault, Wanted
from sgwatch.same_record import RecordIdentity, identity
from sgwatch.sources import Spool, read_files
from sgwatch.steps import NO_STEPS, Steps
from sgwatch.workers import SharedCount, begin, cores, in_order, pool


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


Made = TypeVar("Made")


class _SeenRecords(NamedTuple):
    """The records that were seen before, by content, and those that an addendum supplements."""

    seen: set[str]
    supplemented: AbstractSet[RecordIdentity]

    def has(self, content: str, who: RecordIdentity) -> bool:
        return content in self.seen or who in self.supplemented


# Of a record that none supplements.
_NOBODY: RecordIdentity = ()


class Judged(NamedTuple, Generic[Made]):
    """What one record came to: ``made`` is the alert in the form that was asked for, None where there is no alert."""

    content: str
    identity: RecordIdentity
    severity: Severity | None = None
    made: Made | None = None


def itself(alert: Alert) -> Alert:
    """The alert as it is."""
    return alert


def nothing_more(_wanted: Wanted, _count: SharedCount | None) -> Iterable[Contents]:
    """No contents but those of the files."""
    return ()


def replay(  # noqa: PLR0913 - each but the first three has a default
    files: Iterable[str],
    groups: Iterable[EventGroup],
    tally: Tally,
    finish: Callable[[Alert], Made],
    min_severity: Severity = Severity.INFO,
    on_read: Callable[[Contents], None] | None = None,
    make: Callable[[Mapping[str, Any]], Alert] = alert_of,
    more: Callable[[Wanted, SharedCount | None], Iterable[Contents]] = nothing_more,
    *,
    hashes: bool = False,
    steps: Steps = NO_STEPS,
) -> Iterator[Made]:
    """The alerts of the watched records in these files; ``on_read`` is called with each file's contents.

    ``more`` are contents that are not of files, as of objects in S3. ``hashes`` are in the contents where wanted.
    ``steps`` shows how far it is.

    ``finish`` gives each alert the form that is wanted; it runs where the alert is made, which is in other processes
    where there are many and ``make`` is the one that needs nothing but the record.

    The same record seen again, as where two trails write one log, is alerted once; so is one that an addendum
    supplements, from the later record, which has more.
    """
    with Spool() as spool:
        wanted = Wanted.of(events_of(groups), hashes=hashes)
        for contents in chain(read_files(files, wanted, count=steps.count), more(wanted, steps.count)):
            tally.take(contents)
            for record in contents.records:
                spool.add(record)
            if on_read:
                on_read(contents)
        many = make is alert_of and len(spool) >= _WORTH_PROCESSES and cores() > 1
        seen: set[str] = set()
        # Where each alert may cost look-ups, none is made to be thrown away; another process cannot know what was seen.
        known = _SeenRecords(set() if many else seen, spool.supplemented)
        judge = partial(_judge_batch, make=make, finish=finish, least=min_severity, known=known)
        steps.begin("Making alerts", len(spool))
        judged = steps.each(_judged(spool, judge, cores() if many else 1))
        yield from _taken(judged, tally, _SeenRecords(seen, spool.supplemented))


# Below this many records, starting processes takes longer than they save.
_WORTH_PROCESSES = 200
_BATCH = 50


def _judged(
    records: Iterable[bytes], judge: Callable[[tuple[bytes, ...]], list[Judged[Made]]], processes: int
) -> Iterator[Judged[Made]]:
    """What each record came to, in order."""
    source = iter(records)
    batches = iter(lambda: tuple(islice(source, _BATCH if processes > 1 else 1)), ())
    if processes < 2:
        for batch in batches:
            yield from judge(batch)
        return
    with pool(processes) as judges:
        for judged in in_order(batches, lambda batch: begin(judges, judge, batch), 2 * processes):
            yield from judged


def _judge_batch(
    records: tuple[bytes, ...],
    make: Callable[[Mapping[str, Any]], Alert],
    finish: Callable[[Alert], Made],
    least: Severity,
    known: _SeenRecords,
) -> list[Judged[Made]]:
    return [_judge(json.loads(record), make, finish, least, known) for record in records]


def _judge(
    raw: Mapping[str, Any],
    make: Callable[[Mapping[str, Any]], Alert],
    finish: Callable[[Alert], Made],
    least: Severity,
    known: _SeenRecords,
) -> Judged[Made]:
    bare: Judged[Made] = Judged(canonical_digest(raw), identity(raw) if known.supplemented else _NOBODY)
    if known.has(bare.content, bare.identity):
        return bare
    try:
        alert = make(raw)
    except NotWatched:  # the event can also be about other things, and here it is
        return bare
    wanted = alert.severity.rank >= least.rank
    return bare._replace(severity=alert.severity, made=finish(alert) if wanted else None)


def _taken(judged: Iterable[Judged[Made]], tally: Tally, known: _SeenRecords) -> Iterator[Made]:
    for item in judged:
        repeated, replaced = item.content in known.seen, item.identity in known.supplemented
        known.seen.add(item.content)
        if repeated or replaced:
            tally.watched += 1
            tally.repeated += repeated
            tally.supplemented += not repeated
        elif item.severity is None:
            tally.no_alert += 1
        else:
            tally.watched += 1
            if item.made is None:
                tally.below += 1
            else:
                tally.alerts[item.severity] += 1
                yield item.made
