"""The objects under ``s3://`` paths: listed, announced with what they cost, and read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from sgwatch.bucket_logs import LogBucket, LogSelection, ObjectList, fault_of, split
from sgwatch.object_reading import read_objects
from sgwatch.reading import Contents, Fault, Wanted
from sgwatch.resume_file import ResumeFile, ResumeFileError
from sgwatch.terminal import note, refuse
from sgwatch.workers import SharedCount

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_REFUSED = {
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "access is denied: s3:ListBucket is needed on the bucket, s3:GetObject on its objects, and "
    "kms:Decrypt where a key of yours encrypts them; --requester-pays where the bucket demands it",
    "AllAccessDisabled": "access to it is disabled",
    "InvalidBucketName": "this is no name of a bucket",
}


@dataclass(frozen=True, slots=True)
class FoundObjects:
    """What is under some ``s3://`` paths."""

    listed: ObjectList | None = None
    buckets: dict[str, LogBucket] | None = None
    done: ResumeFile | None = None

    @property
    def size(self) -> int:
        """How many bytes the objects have."""
        return self.listed.size if self.listed else 0

    def paths(self) -> Iterator[str]:
        """The path of each object."""
        return (item.path for item in self.listed or ())

    def contents(self, wanted: Wanted, count: SharedCount | None = None) -> Iterable[Contents]:
        """The contents of each object; the bytes that are done are added to ``count``."""
        return read_objects(self.listed, self._get, wanted, self.done, count) if self.listed else ()

    def _get(self, path: str) -> bytes | Fault:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only where S3 is read

        name, _ = split(path)
        try:
            return (self.buckets or {})[name].bytes_of(path)
        except (BotoCoreError, ClientError) as error:
            return fault_of(path, error)


@contextmanager
def in_buckets(
    paths: Sequence[str],
    selection: LogSelection,
    watched: Iterable[str],
    *,
    requester_pays: bool = False,
    resume: str | None = None,
    hashes: bool = False,
    client: Any = None,
) -> Iterator[FoundObjects]:
    """The objects under these paths; ``client`` is of S3, of the environment's credentials where it is None.

    With ``hashes``, what was read before counts only where its hash was kept.
    """
    if not paths:
        yield FoundObjects()
        return
    with ExitStack() as stack:
        done = stack.enter_context(_resume_file(resume, watched, hashes=hashes)) if resume else None
        listed = stack.enter_context(ObjectList())
        buckets: dict[str, LogBucket] = {}
        s3 = client or _client()
        for path in dict.fromkeys(paths):
            name, prefix = split(path)
            bucket = buckets.setdefault(name, LogBucket(s3, name, requester_pays=requester_pays))
            _list(bucket, path, prefix, selection, listed)
        listed.list_requests = sum(bucket.list_requests for bucket in buckets.values())
        note(listed.sentence(sum(item.path in done for item in listed) if done else 0))
        yield FoundObjects(listed, buckets, done)


def _list(bucket: LogBucket, path: str, prefix: str, selection: LogSelection, listed: ObjectList) -> None:
    from botocore.exceptions import ClientError, ParamValidationError  # noqa: PLC0415 - only where S3 is read

    try:
        for item in bucket.logs(prefix, selection):
            listed.add(item)
    except ClientError as error:
        reason = _REFUSED.get(error.response.get("Error", {}).get("Code", ""))
        if reason is None:
            raise
        refuse(f"{path}: {reason}")
    except ParamValidationError:
        refuse(f"{path}: this is no name of a bucket")


def _resume_file(path: str, watched: Iterable[str], *, hashes: bool) -> ResumeFile:
    try:
        return ResumeFile(path, watched, hashes=hashes)
    except ResumeFileError as error:
        refuse(f"--resume: {error}")
    except OSError as error:
        refuse(f"--resume: {path}: {error.strerror or error}")


def _client() -> Any:
    from chalicelib.aws.clients import patient_clients  # noqa: PLC0415 - only where S3 is read

    return patient_clients()("s3")
