"""Alerts that a destination wants later: gathered in the state table until its digest is due, then sent as one.

An alert joins a digest only while that digest is open, in one transaction; what cannot join is sent at once. A
digest is closed before it is read, and stays to be sent until the queue has it: a function that ends in between
makes the same digest again, under the same id. An alert that cannot be read is named by its id.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.alert.filters import ConditionFailed, Filter
from chalicelib.alert.model import Alert, AlertKind, Severity, Undo, format_time, with_note
from chalicelib.cloudtrail.records import parse_time
from chalicelib.delivery.alert_archive import PART_BYTES, pack, unpack
from chalicelib.delivery.follow_ups import GroupedAlerts, account_of, by_group, of_group, parts, unreadable, worst_first
from chalicelib.delivery.silences import NEVER_HELD_BACK
from chalicelib.destinations.delivery_ids import delivery_id
from chalicelib.observability.logs import Log
from chalicelib.security_groups.phrases import printable
from chalicelib.state.codec import FORM_VERSION, StateItem, is_readable
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable, put_write, update_write
from chalicelib.text import number_of

if TYPE_CHECKING:
    from chalicelib.alert.quiet_hours import QuietHours, TimeOfDay

PK = "digests"
KEPT = timedelta(days=30)
# No alert waits longer: a digest is due within a day, and quiet hours may put it off by less than another.
LONGEST = timedelta(hours=50)
# Principals that a digest names with their counts.
MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Holding:
    """What a destination wants later: what is below its filter's severity, and at quiet hours what is below high."""

    filter: Filter
    digest: TimeOfDay | None = None
    quiet_hours: QuietHours | None = None

    def due_at(self, alert: Alert, now: datetime, *, wanted: bool) -> datetime | None:
        """When the alert is sent with others; None where it is not held: it is sent at once, or not at all."""
        if alert.kind in NEVER_HELD_BACK:
            return None
        if wanted:
            return self._after_quiet_hours(now) if alert.severity.rank < Severity.HIGH.rank else None
        if self.digest is None or not self._is_only_mild(alert):
            return None
        due = self.digest.next_after(now)
        return self._after_quiet_hours(due) or due

    def _after_quiet_hours(self, moment: datetime) -> datetime | None:
        quiet = self.quiet_hours
        return quiet.end.next_after(moment) if quiet is not None and quiet.covers(moment) else None

    def _is_only_mild(self, alert: Alert) -> bool:
        """Whether the destination would want the alert if it were severe."""
        try:
            return self.filter._replace(min_severity=Severity.INFO).refusal(alert) is None
        except ConditionFailed:
            return True


@dataclass(frozen=True, slots=True)
class Digests:
    """The digests in the state table."""

    table: StateTable
    now: Callable[[], datetime]

    def hold(self, alert: Alert, destination: str, due_at: datetime) -> bool:
        """Put an alert into the digest of a destination; False where that digest is closed, or the alert too large.

        Raises:
            StateError: it could not be written.
        """
        packed, digest = pack(alert), f"{destination}#{format_time(due_at)}"
        if len(packed) > PART_BYTES:
            return False
        expires_at = int((self.now() + KEPT).timestamp())
        pk, sk = _items(digest), delivery_id(alert)
        return self.table.write_all(
            put_write({"pk": pk, "sk": sk, "alert": packed, "expires_at": expires_at}),
            update_write(
                PK,
                digest,
                "SET form_version = :form, expires_at = :expires",
                "attribute_not_exists(closed)",
                form=FORM_VERSION,
                expires=expires_at,
            ),
        )

    def send_due(self, send: Callable[[Alert, str], None]) -> None:
        """Hand over the digests that are due, each with its destination's name.

        Raises:
            StateError: the table could not be read or written.
            Exception: whatever ``send`` raises; what was not handed over will be another time.
        """
        for digest, destination, due_at in self._due():
            for alert in self._close(digest, destination, due_at):
                send(alert, destination)
            self.table.update(PK, digest, "SET sent = :yes", yes=True)

    def _due(self) -> Iterator[tuple[str, str, datetime]]:
        now = self.now()
        for item in self.table.query(PK):
            digest = str(item["sk"])
            destination, _, due = digest.rpartition("#")
            due_at = parse_time(due)
            # A time that no digest can have was not written here; what was gathered under it is not left there.
            if item.get("sent") is not True and (due_at is None or not now < due_at <= now + LONGEST):
                yield digest, destination, due_at or now

    def _close(self, digest: str, destination: str, due_at: datetime) -> list[Alert]:
        self.table.update(PK, digest, "SET closed = :yes", yes=True)
        held: list[Alert] = []
        lost: list[str] = []
        for item in self.table.query(_items(digest)):
            alert = _unpacked(item)
            held += [alert] if alert is not None else []
            lost += [str(item.get("sk"))] if alert is None else []
        alerts = digests_of(held, destination, due_at) if held else []
        return [*alerts, unreadable(lost, digest, due_at, "held for a digest")] if lost else alerts


@dataclass(frozen=True, slots=True)
class HoldingGate:
    """Holds alerts for the digests of the destinations that have one, by name.

    ``on_fault`` is given what went wrong with the state; the alert is sent then.
    """

    digests: Digests
    holdings: Mapping[str, Holding]
    on_fault: Callable[[StateError], object]

    def takes(self, destination: str, refusal: str) -> bool:
        """Whether what a destination's filter refuses is for its digest."""
        holding = self.holdings.get(destination)
        return holding is not None and holding.digest is not None and refusal == "MIN_SEVERITY"

    def due(self, alert: Alert, wanting: Container[str]) -> dict[str, datetime]:
        """The destinations whose digest the alert belongs into; ``wanting`` are those whose filters want it."""
        now = self.digests.now()
        found = ((name, each.due_at(alert, now, wanted=name in wanting)) for name, each in self.holdings.items())
        return {name: due_at for name, due_at in found if due_at is not None}

    def hold(self, alert: Alert, due: Mapping[str, datetime], log: Log) -> list[str]:
        """Put the alert into these digests; gives the destinations where it has to be sent at once."""
        unheld = []
        for name, due_at in due.items():
            try:
                held = self.digests.hold(alert, name, due_at)
            except StateError as error:
                log.warning("alert could not be held, sending", destination=name, reason=str(error))
                self.on_fault(error)
                held = False
            if held:
                log.info("alert held for the digest", destination=name, until=format_time(due_at))
            else:
                unheld.append(name)
        return unheld

    def unheld(self, alerts: Iterable[Alert], destination: str, log: Log) -> list[Alert]:
        """Those of the alerts that a destination wants which it wants now; the others are held."""
        return [
            alert
            for alert in alerts
            if not (due := {name: at for name, at in self.due(alert, {destination}).items() if name == destination})
            or self.hold(alert, due, log)
        ]


def digests_of(held: Sequence[Alert], destination: str, due_at: datetime) -> list[Alert]:
    """The alerts for what was held: counts, names, and what was done to each group, the worst first.

    Nearly always it is one; what a message of any destination has no room to name goes into another.
    """
    if len(held) == 1:
        return [with_note(held[0], "Held back until now, as this destination's settings ask.")]
    subjects = sorted(_by_subject(held).items(), key=lambda item: -max(each.severity.rank for each in item[1]))
    return [_digest(part, destination, due_at) for part in parts(subjects)]


def _digest(subjects: GroupedAlerts, destination: str, due_at: datetime) -> Alert:
    held = [alert for _, alerts in subjects for alert in alerts]
    exposures = worst_first(exposure for name, alerts in subjects for exposure in of_group(name, alerts))
    named = "\n".join([destination, format_time(due_at), *sorted(map(delivery_id, held))])
    regions = {alert.region for alert in held}
    of_changes = all(alert.kind is AlertKind.SECURITY_GROUP_CHANGE for alert in held)
    return Alert(
        id=f"digest-{hashlib.sha256(named.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}",
        kind=AlertKind.SECURITY_GROUP_CHANGE if of_changes else AlertKind.DELIVERY_PROBLEM,
        severity=max((alert.severity for alert in held), key=lambda severity: severity.rank),
        title=f"Digest: {number_of(len(held), 'alert')}, {_counts(held)}",
        summary=f"What was held back until now, as this destination's settings ask. By {_names(held)}.",
        occurred_at=due_at,
        account=account_of(held),
        region=held[0].region if len(regions) == 1 else None,
        exposures=exposures,
        undo=Undo(None, "it is about several changes; `sgwatch undo EVENT_ID` prints how to undo one"),
        unknowns=tuple(dict.fromkeys(item for alert in held for item in alert.unknowns))[:50],
    )


def _by_subject(held: Iterable[Alert]) -> dict[str, list[Alert]]:
    """The alerts on each group, and those on no group under their titles."""
    grouped = [alert for alert in held if alert.security_group is not None]
    subjects = by_group(grouped)
    for alert in held:
        if alert.security_group is None:
            subjects.setdefault(printable(alert.title, 200).replace(": ", ":"), []).append(alert)
    return subjects


def _counts(held: Iterable[Alert]) -> str:
    """``3 medium, 7 low``, the worst first."""
    counts = Counter(alert.severity for alert in held)
    ordered = sorted(counts.items(), key=lambda item: -item[0].rank)
    return ", ".join(f"{count:,} {severity}" for severity, count in ordered)


def _names(held: Iterable[Alert]) -> str:
    """Who, with the number of alerts of each."""
    counts = Counter(alert.principal.name if alert.principal else "nobody named" for alert in held)
    named = [f"{printable(name, 100)} ({count:,})" for name, count in counts.most_common(MOST_NAMED)]
    left = len(counts) - len(named)
    return ", ".join(named) + (f" and {left} more" if left else "")


def _unpacked(item: StateItem) -> Alert | None:
    """The alert that was held; None where another version, or somebody else, wrote something that cannot be read."""
    try:
        return unpack(item.get("alert")) if is_readable(item) else None
    except ValueError:
        return None


def _items(digest: str) -> str:
    return f"digest#{digest}"
