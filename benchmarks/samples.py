"""CloudTrail log files for the benchmarks: made up, of the size, shape and compressibility of real ones."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

_CALLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("ec2.amazonaws.com", "DescribeInstances", {"instancesSet": {}, "filterSet": {}}),
    ("sts.amazonaws.com", "AssumeRole", {"roleArn": "arn:aws:iam::123456789012:role/deploy", "durationSeconds": 3600}),
    ("kms.amazonaws.com", "Decrypt", {"encryptionContext": {"aws:s3:arn": "arn:aws:s3:::logs"}}),
    ("s3.amazonaws.com", "GetBucketAcl", {"bucketName": "logs", "Host": "logs.s3.eu-west-1.amazonaws.com", "acl": ""}),
    (
        "iam.amazonaws.com",
        "SimulateCustomPolicy",
        {"policyDocument": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow"}]}'},
    ),
    ("logs.amazonaws.com", "DescribeLogStreams", {"logGroupName": "/aws/lambda/orders", "limit": 50}),
)
_OPENED: dict[str, Any] = {
    "groupId": "sg-0123456789abcdef0",
    "ipPermissions": {
        "items": [
            {
                "ipProtocol": "tcp",
                "fromPort": 22,
                "toPort": 22,
                "groups": {},
                "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
            }
        ]
    },
}


def _hex(source: random.Random, digits: int) -> str:
    return f"{source.getrandbits(4 * digits):0{digits}x}"


def _identity(source: random.Random) -> dict[str, Any]:
    session = f"user-{source.randrange(400)}"
    return {
        "type": "AssumedRole",
        "principalId": f"AROA{_hex(source, 17).upper()}:{session}",
        "arn": f"arn:aws:sts::123456789012:assumed-role/deploy/{session}",
        "accountId": "123456789012",
        "accessKeyId": f"ASIA{_hex(source, 16).upper()}",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::123456789012:role/deploy", "userName": "deploy"},
            "attributes": {"creationDate": "2026-11-23T09:00:00Z", "mfaAuthenticated": "false"},
        },
    }


def record(source: random.Random, number: int, *, watched: bool) -> dict[str, Any]:
    """One record, its keys in CloudTrail's order."""
    service, name, parameters = source.choice(_CALLS)
    if watched:
        service, name, parameters = "ec2.amazonaws.com", "AuthorizeSecurityGroupIngress", _OPENED
    return {
        "eventVersion": "1.11",
        "userIdentity": _identity(source),
        "eventTime": f"2026-11-23T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventSource": service,
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": f"203.0.113.{source.randrange(256)}",
        "userAgent": "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.1 lang/python#3.13.7 cfg/retry-mode#standard",
        "requestParameters": parameters,
        "responseElements": {"requestId": _hex(source, 32), "_return": True} if watched else None,
        "requestID": _hex(source, 32),
        "eventID": f"{_hex(source, 8)}-{_hex(source, 4)}-4{_hex(source, 3)}-8{_hex(source, 3)}-{_hex(source, 12)}",
        "readOnly": not watched,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "123456789012",
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": service,
        },
    }


def write_log_files(folder: Path, files: int, records: int, every: int = 500) -> int:
    """Gzip log files with one watched record in ``every``; returns how many are watched."""
    source, number, watched = random.Random(20261123), 0, 0
    for index in range(files):
        listed = []
        for _ in range(records):
            number += 1
            listed.append(record(source, number, watched=number % every == 0))
            watched += number % every == 0
        text = json.dumps({"Records": listed}, separators=(",", ":"))
        name = f"123456789012_CloudTrail_eu-west-1_20261123T{index // 60 % 24:02}{index % 60:02}Z_{index:06}.json.gz"
        (folder / name).write_bytes(gzip.compress(text.encode(), 6))
    return watched
