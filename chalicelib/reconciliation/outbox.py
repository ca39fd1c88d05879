"""Records whose alerts the reconciliation owes, from before it makes one until its alert is told.

Making the alert teaches the snapshots the change; whoever ends between that and the telling leaves no
difference behind by which the next sweep would find it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.state.table import StateTable

KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Outbox:
    """The owed records of one region; every method raises StateError where the table fails."""

    table: StateTable
    pk: str
    now: Callable[[], datetime]

    def note(self, key: str, raw: Mapping[str, Any]) -> None:
        """Owe the alert of this record."""
        self.table.put(
            {
                "pk": self.pk,
                "sk": key,
                "record": zlib.compress(json.dumps(raw).encode("ascii")),
                "told": False,
                "expires_at": int((self.now() + KEPT).timestamp()),
            }
        )

    def settle(self, key: str) -> None:
        """It was told."""
        self.table.update(self.pk, key, "SET told = :yes REMOVE #record", names=("record",), yes=True)

    def all(self) -> dict[str, Mapping[str, Any]]:
        """What is owed, by its key."""
        items = [item for item in self.table.query(self.pk) if not item["told"]]
        return {str(item["sk"]): _unpacked(item["record"]) for item in items}


def _unpacked(content: object) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(zlib.decompress(content if isinstance(content, bytes) else b""))
    return document
