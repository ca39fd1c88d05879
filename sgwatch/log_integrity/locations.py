"""The one name of a file, by which what was read of it and what digest files say of it find each other."""

from __future__ import annotations

import os

from sgwatch.bucket_logs import SCHEME
from sgwatch.sources import STANDARD_INPUT, STANDARD_INPUT_NAME


def at_hand(path: str) -> str:
    """The one name of a file, however it was written."""
    if path == STANDARD_INPUT:
        return STANDARD_INPUT_NAME
    if path.startswith(SCHEME) or path == STANDARD_INPUT_NAME:
        return path
    return os.path.abspath(path)  # noqa: PTH100 - Path.resolve follows links
