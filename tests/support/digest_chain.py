"""A trail's folders with log files and a chain of digest files, signed with a key of our own as CloudTrail signs.

The form is that of AWS's page on custom implementations of log file integrity validation, and the AWS CLI's own
validator takes it (tests/sgwatch/test_log_integrity.py).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.records import authorize, world

ACCOUNT, REGION, TRAIL, BUCKET = "123456789012", "eu-west-1", "main_trail", "trail-logs"
FIRST = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
FINGERPRINT = "31e8b5433410dfb61a9dc45cc65b22ff"


@cache
def private_key(number: int) -> rsa.RSAPrivateKey:
    """A key; the same number is the same key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_der(number: int = 0) -> bytes:
    """Its public half, as ListPublicKeys gives it."""
    return private_key(number).public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)


def key_answer(number: int = 0, fingerprint: str = FINGERPRINT) -> dict[str, Any]:
    """What ``aws cloudtrail list-public-keys`` prints."""
    value = base64.b64encode(public_der(number)).decode()
    return {"PublicKeyList": [{"Value": value, "Fingerprint": fingerprint}]}


@dataclass
class Trail:
    """What a trail delivers, by object key; ``signatures`` are the metadata of the digest files' objects."""

    account: str = ACCOUNT
    region: str = REGION
    name: str = TRAIL
    prefix: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    signatures: dict[str, str] = field(default_factory=dict)
    digests: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    key: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    """Fields of the next digest file that differ; None of ``previousDigestS3Object`` begins a chain anew."""

    def deliver_log(self, moment: datetime, record: dict[str, Any] | None = None) -> str:
        """A log file of one record."""
        number = len(self.logs)
        record = record or authorize(world(22 + number), eventID=f"event-{self.region}-{number}")
        name = f"{self.account}_CloudTrail_{self.region}_{moment:%Y%m%dT%H%MZ}_{number:016}.json.gz"
        key = f"{self.prefix}AWSLogs/{self.account}/CloudTrail/{self.region}/{moment:%Y/%m/%d}/{name}"
        self.objects[key] = gzip.compress(json.dumps({"Records": [record]}).encode())
        self.logs.append(key)
        return key

    def deliver_digest(self, ended: datetime, logs: list[str], *, anew: bool = False, backfill: bool = False) -> str:
        """The digest file of an hour, which names these log files."""
        when = f"{ended:%Y%m%dT%H%M%SZ}{'_backfill' if backfill else ''}"
        name = f"{self.account}_CloudTrail-Digest_{self.region}_{self.name}_{self.region}_{when}.json.gz"
        key = f"{self.prefix}AWSLogs/{self.account}/CloudTrail-Digest/{self.region}/{ended:%Y/%m/%d}/{name}"
        before = self.digests[-1] if self.digests and not anew and not backfill else None
        document = {
            "awsAccountId": self.account,
            "digestStartTime": f"{ended - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
            "digestEndTime": f"{ended:%Y-%m-%dT%H:%M:%SZ}",
            "digestS3Bucket": BUCKET,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": FINGERPRINT,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": None,
            "oldestEventTime": None,
            "previousDigestS3Bucket": before and BUCKET,
            "previousDigestS3Object": before,
            "previousDigestHashValue": before and sha256_of(self.objects[before]),
            "previousDigestHashAlgorithm": before and "SHA-256",
            "previousDigestSignature": before and self.signatures[before],
            "logFiles": [
                {
                    "s3Bucket": BUCKET,
                    "s3Object": log,
                    "hashValue": sha256_of(self.objects[log]),
                    "hashAlgorithm": "SHA-256",
                }
                for log in logs
            ],
            **self.fields,
        }
        content = json.dumps(document).encode()
        self.objects[key] = gzip.compress(content)
        self.signatures[key] = sign(document, content, self.key)
        if not backfill:
            self.digests.append(key)
        return key

    def write(self, folder: Path, *, but: tuple[str, ...] = ()) -> Path:
        """Everything as ``aws s3 sync`` copies it."""
        for key, data in self.objects.items():
            if key not in but:
                path = folder / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        return folder


def sha256_of(data: bytes) -> str:
    """The hash that digest files have: of the unpacked content."""
    return hashlib.sha256(gzip.decompress(data)).hexdigest()


def sign(document: dict[str, Any], content: bytes, key: int) -> str:
    """The signature that S3 keeps as metadata."""
    place = f"{document['digestS3Bucket']}/{document['digestS3Object']}"
    before = document["previousDigestSignature"] or "null"
    text = f"{document['digestEndTime']}\n{place}\n{hashlib.sha256(content).hexdigest()}\n{before}"
    return private_key(key).sign(text.encode(), padding.PKCS1v15(), SHA256()).hex()


def hours(count: int = 4, *, trail: Trail | None = None, last_is_empty: bool = True) -> Trail:
    """A trail of so many hours with two log files each; in a copy, the last digest file has no signature."""
    made = trail or Trail()
    for number in range(count):
        began = FIRST + timedelta(hours=number)
        quiet = last_is_empty and number == count - 1
        logs = [] if quiet else [made.deliver_log(began + timedelta(minutes=minute)) for minute in (10, 40)]
        made.deliver_digest(began + timedelta(hours=1), logs)
    return made
