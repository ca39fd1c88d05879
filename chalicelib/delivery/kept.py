"""Alerts too long for a queue message, kept whole and compressed in the state table."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.alerts import Alert, from_json, to_json
from chalicelib.delivery.state import StateTable
from chalicelib.destinations.ids import delivery_id

KEPT = timedelta(days=30)
# An item has at most 400 KB, names included.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items
PART_BYTES = 380_000


@dataclass(frozen=True, slots=True)
class KeptAlerts:
    """The kept alerts in the state table; every method raises StateError where the table fails."""

    table: StateTable
    now: Callable[[], datetime]

    def keep(self, alert: Alert) -> None:
        """Keep the whole alert."""
        packed = pack(alert)
        parts = [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)]
        expires = int((self.now() + KEPT).timestamp())
        for number, part in enumerate(parts):
            self.table.put(
                {
                    "pk": _pk(alert),
                    "sk": f"part#{number:04d}",
                    "content": part,
                    "expires_at": expires,
                }
            )

    def whole(self, cut: Alert) -> Alert | None:
        """The alert that this is the cut form of, None where it is no longer there, or not all of one piece.

        A function that was ended while it kept the alert anew leaves parts of two.
        """
        parts = list(self.table.query(_pk(cut)))
        content = b"".join(part["content"] for part in parts if isinstance(part["content"], bytes))
        try:
            return unpack(content)
        except (zlib.error, ValueError):
            return None


def pack(alert: Alert) -> bytes:
    """The alert's JSON, compressed."""
    return zlib.compress(json.dumps(to_json(alert), separators=(",", ":")).encode("ascii"))


def unpack(content: bytes) -> Alert:
    """The alert that was packed."""
    document: dict[str, Any] = json.loads(zlib.decompress(content))
    return from_json(document)


def _pk(alert: Alert) -> str:
    return f"kept#{delivery_id(alert)}"
