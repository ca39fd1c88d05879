"""Silences: alerts that somebody, for a time and for a reason, does not want sent.

Critical ones are sent all the same, unless the silence says otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.alert.filters import Condition, ConditionFailed, compile_condition
from chalicelib.alert.model import Alert, AlertKind, Severity, format_time
from chalicelib.state.codec import StateItem, is_readable
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable, one_more_write, put_write

PK = "silences"
# A warm container takes this long to hear of a silence, or of its end.
CACHE_SECONDS = 15.0
KEPT = timedelta(days=30)
# No silence is longer than this from when it was made, whatever the table says.
LONGEST = timedelta(days=90)
SKEW = timedelta(minutes=5)
# A test, and alerts about alerts that do not arrive: the digest of the silences themselves, for one.
NEVER_HELD_BACK = (AlertKind.TEST, AlertKind.DELIVERY_PROBLEM)


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence. ``count`` is how many alerts it has held back; ``owner`` answers for the automation it expects."""

    id: str
    when: str
    author: str
    reason: str
    created_at: datetime
    until: datetime
    critical_too: bool = False
    count: int = 0
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An alert that a silence held back."""

    at: str
    alert_id: str
    severity: str
    title: str


class Silences:
    """The silences in the state table; every method raises StateError where the table fails."""

    def __init__(
        self,
        table: StateTable,
        now: Callable[[], datetime],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._now = now
        self._clock = clock
        self._known: list[tuple[Silence, Condition]] = []
        self._known_at: float | None = None

    def add(self, silence: Silence) -> None:
        """Write a new silence down; its expression must be one that compiles."""
        compile_condition(silence.when)
        self._table.put(
            {
                "pk": PK,
                "sk": silence.id,
                "expression": silence.when,
                "author": silence.author,
                "owner": silence.owner or None,
                "reason": silence.reason,
                "created_at": int(silence.created_at.timestamp()),
                "ends_at": int(silence.until.timestamp()),
                "critical_too": silence.critical_too,
                "held_back": 0,
                "expires_at": int((silence.until + KEPT).timestamp()),
            }
        )

    def remove(self, silence_id: str) -> bool:
        """End a silence now, if it has not ended; False where there is none of this id. What it held back is kept."""
        now = int(self._now().timestamp())
        ended = self._table.update(PK, silence_id, "SET ends_at = :now", "ends_at > :now", now=now) is not None
        return ended or any(silence.id == silence_id for silence in self.all())

    def all(self) -> list[Silence]:
        """Every silence of the last weeks, ended ones too, the oldest first; an item that cannot be read is none."""
        now = self._now()
        read = (_silence(item, now) for item in self._table.query(PK))
        return sorted(filter(None, read), key=lambda each: each.created_at)

    def suppressed(self, silence_id: str) -> list[Suppressed]:
        """What a silence has held back, the oldest first."""
        return [
            Suppressed(str(item["at"]), str(item["alert_id"]), str(item["severity"]), str(item["title"]))
            for item in self._table.query(_suppressed_pk(silence_id))
        ]

    def matching(self, alert: Alert) -> Silence | None:
        """The silence that holds this alert back, if one does."""
        if alert.kind in NEVER_HELD_BACK:
            return None
        now = self._now()
        for silence, condition in self._current():
            if silence.until <= now or (alert.severity is Severity.CRITICAL and not silence.critical_too):
                continue
            try:
                if condition.holds(alert):
                    return silence
            except ConditionFailed:
                continue  # a condition that cannot be evaluated never holds an alert back
        return None

    def count(self, silence: Silence, alert: Alert) -> None:
        """Write down that a silence has held an alert back; the same alert again is not counted again.

        Raises:
            StateError: it is not written down.
        """
        at = format_time(alert.occurred_at or self._now())
        pk, sk = _suppressed_pk(silence.id), f"{at}#{alert.id}"[:900]
        item: StateItem = {
            "pk": pk,
            "sk": sk,
            "at": at,
            "alert_id": alert.id,
            "severity": alert.severity.value,
            "title": alert.title[:500],
            "expires_at": int((self._now() + KEPT).timestamp()),
        }
        counted = self._table.write_all(
            put_write(item, "attribute_not_exists(pk)"),
            one_more_write(PK, silence.id, "held_back", "attribute_exists(pk)"),
        )
        if not counted and self._table.get(pk, sk) is None:
            raise StateError(f"the silence {silence.id} is not there any more")

    def _current(self) -> list[tuple[Silence, Condition]]:
        if self._known_at is None or self._clock() - self._known_at > CACHE_SECONDS:
            now = self._now()
            self._known = [
                (each, condition) for each in self.all() if each.until > now and (condition := _condition(each))
            ]
            self._known_at = self._clock()
        return self._known


def _condition(silence: Silence) -> Condition | None:
    """None where somebody has written another expression into the table, which holds nothing back."""
    try:
        return compile_condition(silence.when)
    except ValueError:
        return None


def _silence(item: StateItem, now: datetime) -> Silence | None:
    """The silence of an item; None where it cannot be read, or where it claims to be from the future."""
    try:
        created_at = datetime.fromtimestamp(float(item["created_at"]), UTC)
        until = datetime.fromtimestamp(float(item["ends_at"]), UTC)
        if not is_readable(item) or created_at > now + SKEW:
            return None
        return Silence(
            id=str(item["sk"]),
            when=str(item["expression"]),
            author=str(item["author"]),
            reason=str(item["reason"]),
            created_at=created_at,
            until=min(until, created_at + LONGEST),
            critical_too=item["critical_too"] is True,
            count=int(item["held_back"]),
            owner=str(item.get("owner") or ""),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def _suppressed_pk(silence_id: str) -> str:
    return f"suppressed#{silence_id}"
