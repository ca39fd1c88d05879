"""The digest files that lie beside local log files, where a bucket's folders were copied as they are.

A log file is in ``AWSLogs/<account>/CloudTrail/<region>/…``, the digest files about it are in
``AWSLogs/<account>/CloudTrail-Digest/<region>/…``; an organization's have its id between the first two.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sgwatch.log_integrity.digest_file import FOLDER

_LOGS = re.compile(r"(.*/AWSLogs/(?:o-[a-z0-9]+/)?\d{12}/)CloudTrail(/[a-z0-9-]+)?(?:/|$)")


class LocalScope:
    """The files and folders that were named, and what belongs to them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._named = tuple(os.path.abspath(path) for path in paths)  # noqa: PTH100 - Path.resolve follows links
        self._files = frozenset(path for path in self._named if not Path(path).is_dir())
        self._folders = tuple(f"{path.rstrip('/')}/" for path in self._named if path not in self._files)

    def is_wanted(self, path: str) -> bool:
        """Whether a log file at this path would have been read."""
        return path in self._files or path.startswith(self._folders)

    def digest_files(self) -> Iterator[Path]:
        """The digest files in and beside the folders, in order of name."""
        yield from sorted({path for folder in self._places() for path in folder.rglob("*.json.gz") if _is_digest(path)})

    def _places(self) -> set[Path]:
        places = {Path(folder) for folder in self._folders}
        for path in (*self._files, *self._folders):
            if found := _LOGS.match(path):
                places.add(Path(f"{found[1]}CloudTrail-Digest{found[2] or ''}"))
        return places


def _is_digest(path: Path) -> bool:
    return FOLDER in path.as_posix() and path.is_file()
