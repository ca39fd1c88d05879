"""CloudTrail's log files in S3: which objects of a bucket are of the wanted days, accounts and regions.

CloudTrail puts a file into ``AWSLogs/<account>/CloudTrail/<region>/<yyyy>/<mm>/<dd>/``, an organization's trail into a
folder with the organization's id between the first two. The day is that of the delivery: a file also holds records of
the minutes before.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple, Self

from sgwatch.reading import Fault
from sgwatch.sources import is_of_trail, may_hold_records

SCHEME = "s3://"
LOGS, DIGESTS = "CloudTrail", "CloudTrail-Digest"
_KEY = re.compile(
    r"(?:^|/)AWSLogs/(?:o-[a-z0-9]+/)?(?P<account>\d{12})/(?P<kind>CloudTrail(?:-Digest)?)/(?P<region>[a-z0-9-]+)/"
    r"(?P<day>\d{4}/\d\d/\d\d)/"
)
# The folder of a region, or one in it.
_REGION_FOLDER = re.compile(r"(?:^|.*/)AWSLogs/(?:o-[a-z0-9]+/)?\d{12}/CloudTrail(?:-Digest)?/[a-z0-9-]+/")
_ACCOUNT = re.compile(r"\d{12}")
_IN_LAYOUT = re.compile(r"(?:^|/)AWSLogs/")
# US dollars of one request to S3 Standard in us-east-1; other regions and classes differ. https://aws.amazon.com/s3/pricing/
_LIST_PRICE, _GET_PRICE = 0.005 / 1_000, 0.0004 / 1_000
_KEPT_IN_MEMORY = 4 * 2**20


class LogObject(NamedTuple):
    """An object: ``path`` is ``s3://bucket/key``, ``size`` its bytes."""

    path: str
    size: int


class LogSelection(NamedTuple):
    """The days (both included), accounts and regions that are wanted; empty: all."""

    since: date | None = None
    until: date | None = None
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()

    def has(self, key: str, kind: str = LOGS) -> bool:
        """Whether an object may hold wanted records; one that CloudTrail has not put there, only where all are.

        ``kind`` is that of the objects: log files, or the digest files about them.
        """
        found = _KEY.search(key)
        if found is None:
            return self == LogSelection() and not _IN_LAYOUT.search(key)
        if found["kind"] != kind:
            return False
        return self._has_place(found["account"], found["region"]) and not self.is_before(key) and not self.is_after(key)

    def has_folder(self, folder: str, kind: str = LOGS) -> bool:
        """Whether a folder under ``AWSLogs`` may hold wanted objects."""
        *_, parent, name = folder.rstrip("/").split("/")
        if parent == kind:
            return not self.regions or name in self.regions
        if _ACCOUNT.fullmatch(parent):  # other services' logs lie beside those of CloudTrail
            return name == kind
        if parent == "AWSLogs" and name.startswith("o-"):
            return True
        return bool(_ACCOUNT.fullmatch(name)) and (not self.accounts or name in self.accounts)

    def is_before(self, key: str) -> bool:
        """Whether the object's day is before the first."""
        found = _KEY.search(key)
        return bool(found and self.since and found["day"] < f"{self.since:%Y/%m/%d}")

    def is_after(self, key: str) -> bool:
        """Whether the object's day is after the last, as that of every later key in its region's folder is."""
        found = _KEY.search(key)
        return bool(found and self.until and found["day"] > f"{self.until:%Y/%m/%d}")

    def _has_place(self, account: str, region: str) -> bool:
        return (not self.accounts or account in self.accounts) and (not self.regions or region in self.regions)


class LogBucket:
    """A bucket, read through a client of S3; ``list_requests`` counts its requests for lists."""

    def __init__(self, client: Any, name: str, *, requester_pays: bool = False) -> None:
        self.name = name
        self.list_requests = 0
        self._client = client
        self._payer = {"RequestPayer": "requester"} if requester_pays else {}

    def logs(self, prefix: str, selection: LogSelection, kind: str = LOGS) -> Iterator[LogObject]:
        """The objects under this prefix that may hold wanted records, in order of key within each region.

        With ``kind`` DIGESTS, the digest files that CloudTrail has put there.
        """
        for place in self._places(prefix, selection, kind):
            of_one_region = _REGION_FOLDER.match(place)
            for key, size in self._objects(place, _start_of(place, selection)):
                if of_one_region and selection.is_after(key):
                    break
                if size and selection.has(key, kind) and may_hold_records(key) and is_of_trail(key) == (kind != LOGS):
                    yield LogObject(f"{SCHEME}{self.name}/{key}", size)

    def bytes_of(self, path: str) -> bytes:
        """The bytes of an object, by its path."""
        return self.object_of(path)[0]

    def object_of(self, path: str) -> tuple[bytes, Mapping[str, str]]:
        """The bytes of an object and its metadata, by its path."""
        key = path.removeprefix(f"{SCHEME}{self.name}/")
        answer = self._client.get_object(Bucket=self.name, Key=key, **self._payer)
        return answer["Body"].read(), answer.get("Metadata") or {}

    def _places(self, prefix: str, selection: LogSelection, kind: str) -> Iterator[str]:
        """The prefixes to list: the folders of the wanted regions, else the prefix itself."""
        if _REGION_FOLDER.match(prefix):
            yield prefix
            return
        folders = self._folders(prefix)
        if prefix and not prefix.endswith("/"):
            if f"{prefix}/" in folders:
                yield from self._places(f"{prefix}/", selection, kind)
            else:
                yield prefix
            return
        if not _IN_LAYOUT.search(prefix):
            roots = [folder for folder in folders if folder.endswith("/AWSLogs/") or folder == "AWSLogs/"]
            if not roots:
                yield prefix
            for root in roots:
                yield from self._places(root, selection, kind)
            return
        for folder in folders:
            if selection.has_folder(folder, kind):
                yield from self._places(folder, selection, kind)

    def _folders(self, prefix: str) -> list[str]:
        answers = self._answers(Prefix=prefix, Delimiter="/")
        return [item["Prefix"] for answer in answers for item in answer.get("CommonPrefixes", ())]

    def _objects(self, prefix: str, after: str) -> Iterator[tuple[str, int]]:
        for answer in self._answers(Prefix=prefix, StartAfter=after):
            for item in answer.get("Contents", ()):
                yield item["Key"], item["Size"]

    def _answers(self, **asked: str) -> Iterator[dict[str, Any]]:
        rest: dict[str, str] = {}
        while True:
            self.list_requests += 1
            answer = self._client.list_objects_v2(Bucket=self.name, **asked, **rest, **self._payer)
            yield answer
            if not answer.get("IsTruncated"):
                return
            rest = {"ContinuationToken": answer["NextContinuationToken"]}


def _start_of(place: str, selection: LogSelection) -> str:
    """The key after which the wanted days begin."""
    found = _REGION_FOLDER.match(place)
    return f"{found[0]}{selection.since:%Y/%m/%d}" if found and selection.since else ""


@dataclass(slots=True)
class ObjectList:
    """Objects in the order in which they were added, on disk once they are many."""

    count: int = 0
    size: int = 0
    list_requests: int = 0
    _file: IO[bytes] = field(default_factory=lambda: SpooledTemporaryFile(_KEPT_IN_MEMORY))  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def add(self, item: LogObject) -> None:
        """One more object."""
        self.count += 1
        self.size += item.size
        self._file.write(json.dumps(item).encode() + b"\n")

    def __iter__(self) -> Iterator[LogObject]:
        self._file.seek(0)
        for line in self._file:
            yield LogObject(*json.loads(line))

    def sentence(self, read_before: int = 0) -> str:
        """What will be read, with the price of the requests."""
        gets = self.count - read_before
        price = gets * _GET_PRICE + self.list_requests * _LIST_PRICE
        costs = f"about ${price:,.2f}" if price >= 0.01 else "under $0.01"
        before = f", of which {read_before:,} were read before" if read_before else ""
        return (
            f"{self.count:,} objects of {self.size / 1_000_000:,.1f} MB in S3{before}: {gets:,} GET and "
            f"{self.list_requests:,} LIST requests, {costs} (S3 Standard in us-east-1, without data transfer)"
        )


def split(path: str) -> tuple[str, str]:
    """The bucket and the prefix of ``s3://bucket/prefix``."""
    bucket, _, prefix = path.removeprefix(SCHEME).partition("/")
    return bucket, prefix


def fault_of(path: str, error: Exception) -> Fault:
    """Why an object could not be read."""
    answer = getattr(error, "response", {}).get("Error", {})
    said = f"{answer['Code']}: {answer.get('Message')}" if answer.get("Code") else str(error)
    return Fault(path, f"cannot be read: {said}")
