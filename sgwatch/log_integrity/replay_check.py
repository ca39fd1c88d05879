"""The check of what a replay reads: hashes as the files are read, then the digest files about them and the keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property

from chalicelib.alarm_path.verdicts import Status
from chalicelib.aws.clients import ClientFactory
from chalicelib.cloudtrail.records import parse_time
from sgwatch.bucket_logs import SCHEME, LogBucket, LogSelection, ObjectList, fault_of, split
from sgwatch.log_integrity.bucket_digests import BucketScope, GotObject, got
from sgwatch.log_integrity.digest_file import DigestFile, DigestFileError, read_digest
from sgwatch.log_integrity.integrity_report import DigestFault, IntegrityReport, KeySource
from sgwatch.log_integrity.local_digests import LocalScope
from sgwatch.log_integrity.locations import at_hand
from sgwatch.log_integrity.public_keys import keys_of_cloudtrail
from sgwatch.log_integrity.signature import PublicKey
from sgwatch.log_integrity.verification import ReadFiles, verify
from sgwatch.reading import Contents
from sgwatch.sources import STANDARD_INPUT
from sgwatch.terminal import note

Keys = tuple[dict[str, PublicKey], KeySource]


class ReplayCheck:
    """Takes every file's contents and judges them once all were read; ``keys`` are asked for where there are none."""

    def __init__(
        self,
        paths: Iterable[str],
        buckets: dict[str, LogBucket],
        selection: LogSelection,
        keys: Keys | None,
        client: ClientFactory,
    ) -> None:
        named = list(paths)
        self._local = LocalScope(path for path in named if not path.startswith(SCHEME) and path != STANDARD_INPUT)
        self._in_s3 = [
            BucketScope(buckets[split(path)[0]], path, selection) for path in named if path.startswith(SCHEME)
        ]
        self._keys = keys
        self._client = client
        self._hashes: dict[str, str | None] = {}

    def take(self, contents: Contents) -> None:
        """One more file that was read."""
        self._hashes[at_hand(contents.path)] = contents.sha256

    @cached_property
    def report(self) -> IntegrityReport:
        """The result, worked out when it is first asked for."""
        unreadable: list[DigestFault] = []
        digests = [*self._local_digests(unreadable), *self._bucket_digests(unreadable)]
        keys, source = self._keys or self._keys_of(digests)
        read = ReadFiles(self._hashes, self._is_wanted)
        return verify(read, digests, unreadable, keys, source, datetime.now(UTC))

    def _is_wanted(self, path: str) -> bool:
        scopes: Sequence[LocalScope | BucketScope] = self._in_s3 if path.startswith(SCHEME) else [self._local]
        return any(scope.is_wanted(path) for scope in scopes)

    def _local_digests(self, unreadable: list[DigestFault]) -> Iterator[DigestFile]:
        for path in self._local.digest_files():
            try:
                yield read_digest(str(path), path.read_bytes())
            except OSError as error:
                unreadable.append(DigestFault(str(path), Status.UNKNOWN, f"it cannot be read: {error.strerror}"))
            except DigestFileError as error:
                unreadable.append(DigestFault(str(path), Status.FAIL, str(error)))

    def _bucket_digests(self, unreadable: list[DigestFault]) -> Iterator[DigestFile]:
        if not self._in_s3:
            return
        buckets = {scope.bucket.name: scope.bucket for scope in self._in_s3}
        before = sum(bucket.list_requests for bucket in buckets.values())
        with ObjectList() as listed:
            for scope in self._in_s3:
                scope.list_digest_files(listed)
            listed.list_requests = sum(bucket.list_requests for bucket in buckets.values()) - before
            note(f"Digest files: {listed.sentence()}")
            for item in got(listed, lambda path: _get(buckets[split(path)[0]], path)):
                if item.fault is not None:
                    unreadable.append(DigestFault(item.path, Status.UNKNOWN, item.fault.reason))
                    continue
                try:
                    yield read_digest(item.path, item.data, item.signature)
                except DigestFileError as error:
                    unreadable.append(DigestFault(item.path, Status.FAIL, str(error)))

    def _keys_of(self, digests: Sequence[DigestFile]) -> Keys:
        if not digests:
            return {}, KeySource("no digest file was found, so none were needed")
        now = datetime.now(UTC)
        since = min((time for item in digests if (time := parse_time(item.started))), default=now)
        return keys_of_cloudtrail(self._client, sorted({item.chain.region for item in digests}), since, now)


def _get(bucket: LogBucket, path: str) -> GotObject:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only where S3 is read

    try:
        data, metadata = bucket.object_of(path)
    except (BotoCoreError, ClientError) as error:
        return GotObject(path, fault=fault_of(path, error))
    return GotObject(path, data, metadata.get("signature"))
