"""The unknowns of an alert or a change as the sentences that people read."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.security_groups.unknowns import Unknown


def sentences(unknowns: Iterable[Unknown]) -> tuple[str, ...]:
    """The text of each, in order."""
    return tuple(item.text for item in unknowns)
