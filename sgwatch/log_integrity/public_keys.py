"""CloudTrail's public keys: of a file that ListPublicKeys' answer was saved to, or asked for in each region.

CloudTrail has keys of its own in each region and gives out those of a time.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from chalicelib.aws.clients import ClientFactory
from sgwatch.aws_refusals import sentence
from sgwatch.log_integrity.integrity_report import KeySource
from sgwatch.log_integrity.signature import PublicKey, PublicKeyError

_DECODER = json.JSONDecoder()


class KeyFileError(Exception):
    """A file without usable keys; the text says why."""


def keys_of_file(path: str) -> tuple[dict[str, PublicKey], KeySource]:
    """The keys by fingerprint, of what ``aws cloudtrail list-public-keys`` has printed once or several times.

    Raises:
        KeyFileError: there is no usable key in it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        keys = dict(_key(item) for answer in _answers(text) for item in answer["PublicKeyList"])
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror or error}") from error
    except (PublicKeyError, binascii.Error) as error:
        raise KeyFileError(f"{path}: a key in it cannot be used: {error}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise KeyFileError(f"{path} is no answer of aws cloudtrail list-public-keys") from error
    if not keys:
        raise KeyFileError(f"{path} holds no key: say --start-time and --end-time to aws cloudtrail list-public-keys")
    return keys, KeySource(path, tuple(sorted(keys)))


def keys_of_cloudtrail(
    client: ClientFactory, regions: Iterable[str], since: datetime, until: datetime
) -> tuple[dict[str, PublicKey], KeySource]:
    """The keys by fingerprint that signed digest files of this time in these regions."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only where AWS is asked

    keys: dict[str, PublicKey] = {}
    faults: list[str] = []
    for region in regions:
        try:
            keys |= _listed(client("cloudtrail", region), since, until)
        except (BotoCoreError, ClientError) as error:
            faults.append(f"of {region} could not be had: {sentence(error)}")
        except PublicKeyError as error:
            faults.append(f"of {region} cannot be used: {error}")
    return keys, KeySource("CloudTrail (ListPublicKeys)", tuple(sorted(keys)), tuple(faults))


def _listed(cloudtrail: Any, since: datetime, until: datetime) -> dict[str, PublicKey]:
    pages = cloudtrail.get_paginator("list_public_keys").paginate(StartTime=since, EndTime=until)
    listed = (item for page in pages for item in page["PublicKeyList"])
    return {item["Fingerprint"]: PublicKey.of_der(item["Value"]) for item in listed}


def _answers(text: str) -> Iterator[Mapping[str, Any]]:
    """The JSON documents of a text, one behind the other."""
    position = 0
    while text[position:].strip():
        position += len(text[position:]) - len(text[position:].lstrip())
        document, position = _DECODER.raw_decode(text, position)
        yield from document if isinstance(document, list) else (document,)


def _key(item: Mapping[str, Any]) -> tuple[str, PublicKey]:
    return str(item["Fingerprint"]), PublicKey.of_der(base64.b64decode(item["Value"], validate=True))
