"""A digest file of CloudTrail: what it says of log files and of the digest file before it, and what was signed of it.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sgwatch.unpacking import DamagedError, unpack

SIGNATURE_ALGORITHM, HASH_ALGORITHM = "SHA256withRSA", "SHA-256"
FOLDER = "/CloudTrail-Digest/"
_S3 = "s3://"
# The account and the region are those of the calls; the second region is the trail's home.
_NAME = re.compile(
    r"AWSLogs/(?:o-[a-z0-9]+/)?(?P<account>\d{12})/CloudTrail-Digest/(?P<region>[a-z0-9-]+)/\d{4}/\d\d/\d\d/"
    r"(?P=account)_CloudTrail-Digest_(?P=region)_(?P<trail>.+)_(?P<home>[a-z0-9-]+)_\d{8}T\d{6}Z"
    r"(?P<backfill>_backfill)?\.json\.gz$"
)
# As `aws s3 cp` keeps a bucket's folders: from here on, a local path is the object's key.
_ROOT = "AWSLogs/"


class DigestFileError(Exception):
    """It is no digest file of CloudTrail's, or not where CloudTrail put it; the text says why."""


class DigestChain(NamedTuple):
    """The digest files that follow each other: those of one trail in one account and region, at one place.

    All but the place is signed, so it also says from which trail and bucket log files are: whoever may make another
    trail has CloudTrail's signature for what that one logs.
    """

    place: str
    bucket: str
    account: str
    region: str
    trail: str
    home: str
    backfill: bool


class NamedFile(NamedTuple):
    """A file that a digest file names: its path at hand, and the SHA-256 of its unpacked content in hexadecimal."""

    path: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class DigestFile:
    """A digest file. ``signature`` is that of its object's metadata in S3, None where it is a local file.

    ``previous`` is None in the first file after validation was switched on. ``signed`` is what was signed of it.
    """

    path: str
    chain: DigestChain
    started: str
    ended: str
    sha256: str
    fingerprint: str
    algorithm: str
    signature: str | None
    previous: NamedFile | None
    previous_signature: str | None
    logs: tuple[NamedFile, ...]
    signed: bytes


def read_digest(path: str, data: bytes, signature: str | None = None) -> DigestFile:
    """The digest file in these bytes, which were found at this path: ``s3://bucket/key`` or an absolute one.

    Raises:
        DigestFileError: it cannot be read, or has been moved from where CloudTrail put it.
    """
    try:
        content = unpack(data)
        fields = json.loads(content)
    except (DamagedError, ValueError, RecursionError) as error:
        raise DigestFileError(f"it cannot be read: {error}") from error
    if not isinstance(fields, dict):
        raise DigestFileError("it is no JSON object")
    bucket, key = _text(fields, "digestS3Bucket"), _text(fields, "digestS3Object")
    found = _NAME.search(key)
    if found is None or located(path, bucket, key) != path:
        raise DigestFileError(f"it was moved: CloudTrail put it at {_S3}{bucket}/{key}")
    digest = hashlib.sha256(content).hexdigest()
    previous_signature = fields.get("previousDigestSignature")
    # The first file of a chain was signed with the word null in place of a signature.
    signed = f"{_text(fields, 'digestEndTime')}\n{bucket}/{key}\n{digest}\n{previous_signature or 'null'}"
    return DigestFile(
        path=path,
        chain=DigestChain(
            place=_place(path),
            bucket=bucket,
            account=found["account"],
            region=found["region"],
            trail=found["trail"],
            home=found["home"],
            backfill=found["backfill"] is not None,
        ),
        started=_text(fields, "digestStartTime"),
        ended=_text(fields, "digestEndTime"),
        sha256=digest,
        fingerprint=_text(fields, "digestPublicKeyFingerprint"),
        algorithm=_text(fields, "digestSignatureAlgorithm"),
        signature=signature,
        previous=_previous(path, fields),
        previous_signature=previous_signature if isinstance(previous_signature, str) else None,
        logs=tuple(_log(path, item) for item in _list(fields, "logFiles")),
        signed=signed.encode(),
    )


def located(beside: str, bucket: str, key: str) -> str:
    """Where an object is at hand, given where another one of the same trail is."""
    if beside.startswith(_S3):
        return f"{_S3}{bucket}/{key}"
    return f"{_place(beside)}{_from_root(key)}"


def _place(path: str) -> str:
    """What comes before a trail's own folders: the bucket, or the local folder that stands for it."""
    if path.startswith(_S3):
        return path[: path.index("/", len(_S3)) + 1]
    return path[: len(path) - len(_from_root(path))]


def _from_root(path: str) -> str:
    """The part that is the same in the bucket and in a copy of it, with or without the trail's prefix."""
    return path[max(path.rfind(_ROOT), 0) :]


def _previous(path: str, fields: Mapping[str, object]) -> NamedFile | None:
    if fields.get("previousDigestS3Object") is None:
        return None
    bucket, key = _text(fields, "previousDigestS3Bucket"), _text(fields, "previousDigestS3Object")
    return _named(path, bucket, key, fields.get("previousDigestHashAlgorithm"), fields.get("previousDigestHashValue"))


def _log(path: str, item: object) -> NamedFile:
    if not isinstance(item, dict):
        raise DigestFileError("its logFiles are no list of objects")
    return _named(
        path, _text(item, "s3Bucket"), _text(item, "s3Object"), item.get("hashAlgorithm"), item.get("hashValue")
    )


def _named(path: str, bucket: str, key: str, algorithm: object, value: object) -> NamedFile:
    known = algorithm == HASH_ALGORITHM and isinstance(value, str)
    return NamedFile(located(path, bucket, key), str(value).lower() if known else None)


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise DigestFileError(f"it has no {name}")
    return value


def _list(fields: Mapping[str, object], name: str) -> list[object]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise DigestFileError(f"it has no {name}")
    return value
