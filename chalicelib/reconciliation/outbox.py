"""The outbox: records whose late alerts are still to be sent, from before such an alert is made until it is sent.

Making the alert puts the change into the group's snapshot; a function that ends between that and the
sending leaves no difference behind by which the next sweep would find the change.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.observability.logs import Log
from chalicelib.state.codec import inflate
from chalicelib.state.state_table import StateTable

KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Outbox:
    """The unsent records of one region; every method raises StateError where the table fails."""

    table: StateTable
    pk: str
    now: Callable[[], datetime]
    log: Log

    def add(self, key: str, raw: Mapping[str, Any]) -> None:
        """The alert of this record is to be sent."""
        self.table.put(
            {
                "pk": self.pk,
                "sk": key,
                "record": zlib.compress(json.dumps(raw).encode("ascii")),
                "told": False,
                "expires_at": int((self.now() + KEPT).timestamp()),
            }
        )

    def mark_sent(self, key: str) -> None:
        """Mark a record's alert as sent."""
        self.table.update(self.pk, key, "SET told = :yes REMOVE #record", names=("record",), yes=True)

    def unsent(self) -> dict[str, Mapping[str, Any]]:
        """The records by their keys; one that cannot be read is logged and left where it is."""
        found: dict[str, Mapping[str, Any]] = {}
        for item in self.table.query(self.pk):
            if item.get("told") is True:
                continue
            try:
                found[str(item["sk"])] = _unpacked(item["record"])
            except (KeyError, TypeError, ValueError, RecursionError) as error:
                self.log.warning("unsent record could not be read", key=str(item.get("sk")), reason=str(error))
        return found


def _unpacked(content: object) -> Mapping[str, Any]:
    document = json.loads(inflate(content))
    if not isinstance(document, dict):
        raise TypeError("the record is no object")
    return document
