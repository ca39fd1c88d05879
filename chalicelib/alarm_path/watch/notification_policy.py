"""When to tell people about the alarm path: on a change of status, daily while it is not sound, on recovery.

Pure: the caller keeps ``Memory`` between audits and sends what ``decide`` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from chalicelib.alarm_path.verdicts import Status

REMIND_AFTER = timedelta(days=1)


class Occasion(StrEnum):
    """Why an audit's result is announced."""

    CHANGED = "changed"
    STILL_BROKEN = "still_broken"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Memory:
    """What has to be remembered between two audits.

    ``parts`` are the names of what the path consisted of, so that one that is gone is still known for a
    part; None where they are not known.
    """

    status: Status
    announced_at: datetime | None
    parts: frozenset[str] | None = None

    def to_json(self) -> dict[str, Any]:
        """For a parameter or a table."""
        return {
            "status": self.status.value,
            "announced_at": self.announced_at.isoformat() if self.announced_at else None,
            "parts": None if self.parts is None else sorted(self.parts),
        }

    @classmethod
    def from_json(cls, value: object) -> Memory | None:
        """What ``to_json`` gave; None for anything else, as if no audit had been before."""
        if not isinstance(value, dict):
            return None
        try:
            status = Status(str(value.get("status")))
            text = value.get("announced_at")
            announced_at = datetime.fromisoformat(text) if text else None
        except (TypeError, ValueError):
            return None
        if announced_at is not None and announced_at.tzinfo is None:
            return None
        parts = value.get("parts")
        return cls(status, announced_at, frozenset(map(str, parts)) if isinstance(parts, list) else None)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to announce (``occasion`` is None where not), and what to remember once that is done."""

    occasion: Occasion | None
    memory: Memory


def decide(previous: Memory | None, status: Status, now: datetime) -> Decision:
    """Compare an audit with the one before; a first audit that passes is no news."""
    occasion = _occasion(previous, status, now)
    told = previous.announced_at if previous else None
    return Decision(occasion, Memory(status, now if occasion else told))


def _occasion(previous: Memory | None, status: Status, now: datetime) -> Occasion | None:
    if status is Status.PASS:
        return Occasion.RECOVERED if previous is not None and previous.status is not Status.PASS else None
    if previous is None or previous.status is not status:
        return Occasion.CHANGED
    # An announcement in the future was none: whoever wrote it must not silence a broken path.
    due = previous.announced_at is None or not timedelta(0) <= now - previous.announced_at < REMIND_AFTER
    return Occasion.STILL_BROKEN if due else None
