"""When to alert on the alarm path: on a change of status, on more that fails, daily while not sound, on recovery.

Pure: the caller keeps ``RememberedStatus`` between audits and sends what ``decide`` says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from chalicelib.alarm_path.verdicts import Status
from chalicelib.cloudtrail.records import parse_time

REMIND_AFTER = timedelta(days=1)
VERSION = 1
# Two containers' clocks may differ by so much.
CLOCK_SKEW = timedelta(minutes=5)


class Occasion(StrEnum):
    """Why an audit's result is announced."""

    CHANGED = "changed"
    WORSE = "worse"
    STILL_BROKEN = "still_broken"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class RememberedStatus:
    """What has to be remembered between two audits.

    ``since`` is when the status ceased to be pass. ``parts`` are the names of what the path consisted of, so that one
    that is gone is still known for a part. ``audited_at`` tells every audit from the one before it, so that one under
    way notices another that has ended, whatever it found. ``reported`` are the failures of sgwatch's own path that
    an alert has named. Each is None where it is not known. ``revision`` counts how often it was written by the time
    that it was read; 0 where it is not read from anywhere, or was not counted.
    """

    status: Status
    announced_at: datetime | None
    parts: frozenset[str] | None = None
    since: datetime | None = None
    audited_at: datetime | None = None
    revision: int = 0
    reported: frozenset[str] | None = None

    def to_json(self) -> dict[str, Any]:
        """For a parameter or a table."""
        return {
            "version": VERSION,
            "status": self.status.value,
            "announced_at": self.announced_at.isoformat() if self.announced_at else None,
            "since": self.since.isoformat() if self.since else None,
            "audited_at": self.audited_at.isoformat() if self.audited_at else None,
            "parts": None if self.parts is None else sorted(self.parts),
            "reported": None if self.reported is None else sorted(self.reported),
        }

    @classmethod
    def from_json(cls, value: object) -> RememberedStatus | None:
        """What ``to_json`` gave, in this version or another; None where not even the status can be read.

        A time that cannot be read is not known.
        """
        if not isinstance(value, dict):
            return None
        try:
            status = Status(str(value.get("status")))
        except ValueError:
            return None
        return cls(
            status,
            parse_time(value.get("announced_at")),
            _texts(value.get("parts")),
            parse_time(value.get("since")),
            parse_time(value.get("audited_at")),
            reported=_texts(value.get("reported")),
        )

    def clamped(self, now: datetime) -> RememberedStatus:
        """Without times that lie in the future: a writer of the state must not mute what comes next."""
        return replace(self, announced_at=_past(self.announced_at, now), since=_past(self.since, now))


def _texts(value: object) -> frozenset[str] | None:
    return frozenset(map(str, value)) if isinstance(value, list) else None


def _past(time: datetime | None, now: datetime) -> datetime | None:
    if time is None or time > now + CLOCK_SKEW:
        return None
    return min(time, now)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to announce (``occasion`` is None where not), and what to remember once that is done.

    ``more`` is what fails now and no alert has named, where that is the occasion.
    """

    occasion: Occasion | None
    memory: RememberedStatus
    more: frozenset[str] = frozenset()


def decide(
    previous: RememberedStatus | None,
    status: Status,
    now: datetime,
    failing: frozenset[str] = frozenset(),
    *,
    more_is_news: bool = False,
) -> Decision:
    """Compare an audit with the one before; a first audit that passes is no news.

    ``failing`` names what fails of sgwatch's own path. Where ``more_is_news``, what is broken already and now fails in
    one more of these is announced.
    """
    known = previous.clamped(now) if previous else None
    reported = known.reported if known else None
    occasion, more = _occasion(known, status, now), frozenset[str]()
    if occasion is None and more_is_news and status is Status.FAIL and reported is not None:
        more = failing - reported
        occasion = Occasion.WORSE if more else None
    announced_at = known.announced_at if known else None
    return Decision(
        occasion,
        RememberedStatus(
            status,
            now if occasion else announced_at,
            since=_since(known, status, now),
            audited_at=now,
            reported=failing if occasion or reported is None else reported & failing,
        ),
        more,
    )


def _since(previous: RememberedStatus | None, status: Status, now: datetime) -> datetime | None:
    if status is Status.PASS:
        return None
    was_bad = previous is not None and previous.status is not Status.PASS
    return (previous.since if previous and was_bad else None) or now


def _occasion(previous: RememberedStatus | None, status: Status, now: datetime) -> Occasion | None:
    if status is Status.PASS:
        return Occasion.RECOVERED if previous is not None and previous.status is not Status.PASS else None
    if previous is None or previous.status is not status:
        return Occasion.CHANGED
    # An announcement in the future was none: its writer must not silence a broken path.
    due = previous.announced_at is None or not timedelta(0) <= now - previous.announced_at < REMIND_AFTER
    return Occasion.STILL_BROKEN if due else None
