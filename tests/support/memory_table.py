"""The state table in memory, as far as the snapshots use it; it answers as StateTable does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.state.codec import FORM_VERSION, StateItem
from chalicelib.state.errors import VersionConflict


class MemoryTable:
    """Items by ``pk`` and ``sk``."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], StateItem] = {}
        self._lock = threading.Lock()

    def get(self, pk: str, sk: str) -> StateItem | None:
        """The item."""
        return self._items.get((pk, sk))

    def put_revision(self, item: Mapping[str, Any], seen: int) -> None:
        """Write the item where nobody else has since it was read."""
        with self._lock:
            key = (item["pk"], item["sk"])
            present = self._items.get(key)
            if (present["revision"] if present else 0) != seen:
                raise VersionConflict(f"{item['sk']} was written by somebody else")
            self._items[key] = {"form_version": FORM_VERSION, **item}

    def query(self, pk: str) -> Iterator[StateItem]:
        """Every item of a partition."""
        yield from (self._items[key] for key in sorted(self._items) if key[0] == pk)
