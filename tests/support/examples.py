"""How many examples a property is tried on: a tenth in `make test`, all of them in `make test-slow`."""

from __future__ import annotations

import os

FULL_PROFILES = ("full", "thorough")


def examples(full: int) -> int:
    """The number for ``max_examples`` where ``full`` are tried in the long run."""
    return full if os.environ.get("HYPOTHESIS_PROFILE") in FULL_PROFILES else max(15, full // 10)
