"""Alerts kept whole and compressed in the state table: what can be undone later, and what no queue message holds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.alert.model import Alert, from_json, to_json
from chalicelib.destinations.delivery_ids import delivery_id, safe_id
from chalicelib.state.codec import StateItem, inflate, is_readable
from chalicelib.state.state_table import StateTable

KEPT = timedelta(days=30)
# An item has at most 400 KB, names included.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items
PART_BYTES = 380_000


@dataclass(frozen=True, slots=True)
class AlertArchive:
    """The kept alerts in the state table; every method raises StateError where the table fails."""

    table: StateTable
    now: Callable[[], datetime]

    def keep(self, alert: Alert, *, unless_kept: bool = False) -> None:
        """Keep the whole alert; with ``unless_kept``, one that is there already stays as it is."""
        packed = pack(alert)
        parts = [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)]
        expires = int((self.now() + KEPT).timestamp())
        # The parts of two versions would not fit together: only what is one part can be left as it is.
        condition = "attribute_not_exists(pk)" if unless_kept and len(parts) == 1 else ""
        for number, part in enumerate(parts):
            self.table.put(
                {
                    "pk": _pk(alert.id),
                    "sk": f"{delivery_id(alert)}#{number:04d}",
                    "content": part,
                    "expires_at": expires,
                },
                condition,
            )

    def whole(self, cut: Alert) -> Alert | None:
        """The alert that this is the cut form of, None where it is no longer there, or not all of one piece."""
        return self._all(cut.id).get(delivery_id(cut))

    def of_event(self, event_id: str) -> tuple[Alert, ...]:
        """The alerts that are kept of an event; of a drift, its alert's id is the event's."""
        return tuple(self._all(event_id).values())

    def _all(self, event_id: str) -> dict[str, Alert]:
        """Every alert that is there whole, by the id of its delivery."""
        found: dict[str, list[StateItem]] = {}
        for item in self.table.query(_pk(event_id)):
            found.setdefault(str(item["sk"]).rpartition("#")[0], []).append(item)
        return {key: alert for key, parts in found.items() if (alert := _joined(parts)) is not None}


def _joined(parts: Iterable[StateItem]) -> Alert | None:
    """The alert of its parts; a function that ended while it wrote the alert again leaves parts of two."""
    contents = [part.get("content") for part in parts if is_readable(part)]
    try:
        return unpack(b"".join(content for content in contents if isinstance(content, bytes)))
    except ValueError:
        return None


def pack(alert: Alert) -> bytes:
    """The alert's JSON, compressed."""
    return zlib.compress(json.dumps(to_json(alert), separators=(",", ":")).encode("ascii"))


def unpack(content: object) -> Alert:
    """The alert that was packed.

    Raises:
        ValueError: it is none, or of a form that cannot be read.
    """
    try:
        return from_json(json.loads(inflate(content)))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the alert cannot be read: {type(error).__name__}") from error


def _pk(event_id: str) -> str:
    return f"kept#{safe_id(event_id)}"
