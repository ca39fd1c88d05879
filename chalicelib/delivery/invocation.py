"""What Lambda says of one invocation."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.named_tuple import NamedTuple


class InvocationContext(NamedTuple):
    """The invocation's id, and how many milliseconds the function has left when asked."""

    request_id: str
    remaining_ms: Callable[[], float]
