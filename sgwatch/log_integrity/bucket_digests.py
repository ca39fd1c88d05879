"""The digest files about the log files under an ``s3://`` path: listed, announced with what they cost, and got."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sgwatch.bucket_logs import DIGESTS, LogBucket, LogSelection, ObjectList, split
from sgwatch.reading import Fault

# Of the log files of a day, the last ones are in the digest file that ends an hour later.
_BEHIND = timedelta(days=1)
_LOGS = re.compile(r"(.*AWSLogs/(?:o-[a-z0-9]+/)?\d{12}/)CloudTrail(?:/([a-z0-9-]+/)?(.*))?$")
_DAY = re.compile(r"\d{4}/\d\d/\d\d")
_GETS = 10


class GotObject(NamedTuple):
    """A digest file's bytes and the signature of its metadata, or why it could not be got."""

    path: str
    data: bytes = b""
    signature: str | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class BucketScope:
    """A path that was named, and what of it is wanted."""

    bucket: LogBucket
    path: str
    selection: LogSelection

    def is_wanted(self, path: str) -> bool:
        """Whether a log file at this path would have been read."""
        name, key = split(path)
        return name == self.bucket.name and path.startswith(self.path) and self.selection.has(key)

    def list_digest_files(self, into: ObjectList) -> None:
        """Add the digest files that may name a wanted log file."""
        _, prefix = split(self.path)
        selection = self.selection
        if found := _LOGS.match(prefix):
            account, region, rest = found.groups("")
            if day := _DAY.match(rest):
                only = datetime.strptime(day[0], "%Y/%m/%d").date()  # noqa: DTZ007 - a day in UTC
                selection = selection._replace(since=only, until=only)
            prefix = f"{account}CloudTrail-Digest/{region}"
        if selection.until:
            selection = selection._replace(until=selection.until + _BEHIND)
        for item in self.bucket.logs(prefix, selection, DIGESTS):
            into.add(item)


def got(listed: ObjectList, get: Callable[[str], GotObject]) -> Iterator[GotObject]:
    """Each object, in order; ``get`` is called in threads."""
    with ThreadPoolExecutor(_GETS) as threads:
        yield from threads.map(get, (item.path for item in listed))
