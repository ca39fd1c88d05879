"""One principal's tamper calls within a minute: the first is alerted at once, the others are gathered until its end.

With the state table the invocation of the first call waits for the window's end and reports the others; Lambda runs it
again where it does not get there, and the window is known by the first call. Without a table each container knows
only what it alerted itself.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from chalicelib.alarm_path.verdicts import Status
from chalicelib.alert.model import Alert
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.severity import Severity
from chalicelib.state.codec import StateItem
from chalicelib.state.state_table import StateTable, check, put_write

# Two functions that meet at the same window make one of them look again.
_ROUNDS = 5
_KEPT = timedelta(days=1)


class CallWindow(NamedTuple):
    """A window that this invocation has to end."""

    caller: str
    id: str
    ends_at: datetime


class WindowEntry(NamedTuple):
    """What becomes of a call: folded into an earlier one's window, or alerted now, in a ``window`` that it opened."""

    is_folded: bool
    window: CallWindow | None = None


class FoldedCalls(NamedTuple):
    """The records that were folded into a window, and how many of them cannot be read."""

    records: list[Mapping[str, Any]]
    unreadable: int = 0


class CallWindows(Protocol):
    """Where the windows are kept."""

    def enter(self, alert: Alert, record: Mapping[str, Any]) -> WindowEntry:
        """Fold the call into the caller's open window, or open one.

        Raises:
            StateError: that could not be decided; the call is alerted by itself.
        """

    def close(self, window: CallWindow) -> FoldedCalls:
        """Close the window and give what was folded into it.

        Raises:
            StateError: it could not be read.
        """


def caller_of(alert: Alert) -> str:
    """The same text for the same principal in the same account."""
    principal = alert.principal
    who = f"{alert.account.id}/{principal and (principal.arn or principal.name)}"
    return hashlib.sha256(who.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def changes_status(alert: Alert) -> bool:
    """Whether the audit after the call found another status than the one before it."""
    path = alert.alarm_path
    return path is not None and path.was != path.status


@dataclass(frozen=True, slots=True)
class TableWindows:
    """In the state table; ``seconds`` is how long a window is."""

    table: StateTable
    seconds: int
    now: Callable[[], datetime]

    def enter(self, alert: Alert, record: Mapping[str, Any]) -> WindowEntry:
        """See CallWindows."""
        caller = caller_of(alert)
        for _ in range(_ROUNDS):
            item = self.table.get(_pk(caller), "window")
            open_id = self._open_id(item)
            if open_id is None:
                if window := self._open(caller, alert.id, item):
                    return WindowEntry(is_folded=False, window=window)
            elif open_id == alert.id and item is not None:
                ends_at = datetime.fromtimestamp(float(str(item["ends_at"])), UTC)
                return WindowEntry(is_folded=False, window=CallWindow(caller, alert.id, ends_at))
            elif self._fold(caller, open_id, alert.id, record):
                return WindowEntry(is_folded=True)
        return WindowEntry(is_folded=False)

    def close(self, window: CallWindow) -> FoldedCalls:
        """See CallWindows."""
        pk = _pk(window.caller)
        self.table.update(pk, "window", "SET closed = :yes", "#id = :id", names=("id",), yes=True, id=window.id)
        records: list[Mapping[str, Any]] = []
        unreadable = 0
        for item in self.table.query(f"{pk}#{window.id}"):
            record = _unpacked(item.get("record"))
            if record is None:
                unreadable += 1
            else:
                records.append(record)
        return FoldedCalls(records, unreadable)

    def _open_id(self, item: Mapping[str, Any] | None) -> str | None:
        """The id of an open window; a window that ends later than one can is none."""
        if item is None or item.get("closed") is not False or not isinstance(item.get("id"), str):
            return None
        ends_at, now = item.get("ends_at"), self.now().timestamp()
        if isinstance(ends_at, bool) or not isinstance(ends_at, int | float):
            return None
        return str(item["id"]) if now < ends_at <= now + self.seconds else None

    def _open(self, caller: str, call_id: str, found: Mapping[str, Any] | None) -> CallWindow | None:
        ends_at = self.now() + timedelta(seconds=self.seconds)
        item: StateItem = {
            "pk": _pk(caller),
            "sk": "window",
            "id": call_id,
            "ends_at": ends_at.timestamp(),
            "closed": False,
            "expires_at": self._expires_at(),
        }
        seen = found.get("id") if found else None
        if isinstance(seen, str):
            done = self.table.write_all(put_write(item, "id = :seen", seen=seen))
        elif found is None:
            done = self.table.put(item, "attribute_not_exists(pk)")
        else:
            done = self.table.put(item)
        return CallWindow(caller, call_id, ends_at) if done else None

    def _fold(self, caller: str, window: str, call_id: str, record: Mapping[str, Any]) -> bool:
        packed = zlib.compress(json.dumps(record).encode("ascii"))
        item: StateItem = {
            "pk": f"{_pk(caller)}#{window}",
            "sk": call_id,
            "record": packed,
            "expires_at": self._expires_at(),
        }
        still_open = check(_pk(caller), "window", "id = :id AND closed = :no", id=window, no=False)
        return self.table.write_all(still_open, put_write(item))

    def _expires_at(self) -> int:
        return int((self.now() + _KEPT).timestamp())


def _pk(caller: str) -> str:
    return f"tamper#{caller}"


def _unpacked(content: object) -> Mapping[str, Any] | None:
    try:
        record = json.loads(zlib.decompress(content)) if isinstance(content, bytes) else None
    except (zlib.error, ValueError):
        return None
    return record if isinstance(record, dict) else None


class _WindowAlert(NamedTuple):
    until: datetime
    status: Status | None
    severity: Severity


@dataclass(slots=True)
class RecentCalls:
    """What this container alerted of each caller within the last minute."""

    seconds: int = 60
    _alerted: dict[str, _WindowAlert] = field(default_factory=dict)

    def covers(self, alert: Alert, status: Status | None, now: datetime) -> bool:
        """Whether the caller's earlier alert says as much: the path passed then and now, and at least this severity."""
        before = self._alerted.get(caller_of(alert))
        if changes_status(alert):
            return False
        if before is None or not now < before.until <= now + timedelta(seconds=self.seconds):
            return False
        # While the path is broken, or may be, each call is reported: what it was before may not be remembered yet.
        is_sound = status is Status.PASS and before.status is Status.PASS
        return is_sound and before.severity.rank >= alert.severity.rank

    def note(self, alert: Alert, status: Status | None, now: datetime) -> None:
        """Remember an alert that was sent; it opens a window where none is open."""
        caller = caller_of(alert)
        before = self._alerted.get(caller)
        is_open = before is not None and now < before.until
        until = before.until if before and is_open else now + timedelta(seconds=self.seconds)
        self._alerted = {key: item for key, item in self._alerted.items() if now < item.until}
        self._alerted[caller] = _WindowAlert(until, status, alert.severity)
