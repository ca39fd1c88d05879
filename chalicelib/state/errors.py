"""What the state table raises: StateError, and below it VersionConflict where another writer was first."""

from __future__ import annotations


class StateError(Exception):
    """The table could not be read or written; the text says what and why, and holds no value.

    ``code`` is AWS's error code, or the name of the SDK's exception where AWS did not answer; empty
    where the table answered and the item is not what it should be.
    """

    def __init__(self, text: str, code: str = "") -> None:
        self.code = code
        super().__init__(text)


class VersionConflict(StateError):  # noqa: N818 - it reads as what happened
    """Somebody else wrote the item since it was read."""
