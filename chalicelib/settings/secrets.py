"""Secrets that are kept elsewhere: ``ssm:/path`` and ``secretsmanager:name#key``.

A reference is looked up when its destination is first used, once for each warm container, and again
after a failure. The reference itself is no secret and may be shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from chalicelib.named_tuple import NamedTuple

_SSM = r"ssm:(?P<name>(?:arn:[\w:.-]+)?/?[\w.-]+(?:/[\w.-]+)*)"
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html#API_CreateSecret_RequestParameters
_SECRETS_MANAGER = r"secretsmanager:(?P<name>[\w/+=.@:-]+)(?:#(?P<key>.+))?"


class SecretError(Exception):
    """A reference could not be looked up; the text holds the reference and no secret.

    ``permanent`` is whether waiting cannot help: AWS was not asked, for want of a region or of credentials.
    """

    def __init__(self, text: str, *, permanent: bool = False) -> None:
        self.permanent = permanent
        super().__init__(text)


class Reference(NamedTuple):
    """Where a secret is kept."""

    service: str
    name: str
    key: str | None = None


def parse_reference(value: str) -> Reference | None:
    """The reference that a setting's value is, or None where the value is the secret itself.

    Raises:
        ValueError: it begins like a reference and is none.
    """
    if value.startswith("ssm:"):
        match = re.fullmatch(_SSM, value)
        if match is None:
            raise ValueError("a reference to the parameter store is written ssm:/sgwatch/prod/name")
        return Reference("ssm", match["name"])
    if value.startswith("secretsmanager:"):
        match = re.fullmatch(_SECRETS_MANAGER, value)
        if match is None:
            raise ValueError("a reference to Secrets Manager is written secretsmanager:sgwatch/prod/name or …/name#key")
        return Reference("secretsmanager", match["name"], match["key"])
    return None


def references_in(headers: str) -> list[Reference]:
    """The references in the text of a webhook's headers: a whole value, or what stands behind ``Bearer``.

    Raises:
        ValueError: one begins like a reference and is none.
    """
    words = re.split(r"[\s;]+", headers)
    return [reference for word in words if (reference := parse_reference(word)) is not None]


class Secrets:
    """Looks references up, through clients made by ``client(service)`` when they are first needed."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        self._known: dict[str, str] = {}

    def resolve(self, value: str) -> str:
        """The secret behind a setting's value; a value that is no reference is the secret.

        Raises:
            SecretError: the reference could not be looked up.
        """
        reference = parse_reference(value)
        if reference is None:
            return value
        if value not in self._known:
            self._known[value] = self._look_up(value, reference)
        return self._known[value]

    def forget(self, value: str) -> None:
        """Look the reference up again next time: what it gave did not work, it may have been changed."""
        self._known.pop(value, None)

    def _look_up(self, value: str, reference: Reference) -> str:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import, rarely needed

        try:
            secret = self._fetch(reference)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "an unnamed error")
            raise SecretError(f"{value} could not be read: {code} on {error.operation_name}") from error
        except BotoCoreError as error:
            name = type(error).__name__
            permanent = name in ("NoRegionError", "NoCredentialsError")
            raise SecretError(f"{value} could not be read: {name}", permanent=permanent) from error
        if not secret:
            raise SecretError(f"{value} is empty")
        return secret

    def _fetch(self, reference: Reference) -> str:
        client = self._client(reference.service)
        if reference.service == "ssm":
            answer = client.get_parameter(Name=reference.name, WithDecryption=True)
            return str(answer["Parameter"]["Value"]).strip()
        answer = client.get_secret_value(SecretId=reference.name)
        if "SecretString" not in answer:
            raise SecretError(f"secretsmanager:{reference.name} is binary; sgwatch reads text")
        text = str(answer["SecretString"]).strip()
        return text if reference.key is None else _member(text, reference)


def _member(text: str, reference: Reference) -> str:
    where = f"secretsmanager:{reference.name}"
    try:
        document = json.loads(text)
    except ValueError:
        # The decoder's own error would carry the secret into the traceback.
        raise SecretError(f"{where} is not a JSON object, so it has no key {reference.key}") from None
    value = document.get(reference.key) if isinstance(document, dict) else None
    if not isinstance(value, str):
        raise SecretError(f"{where} has no text under the key {reference.key}")
    return value.strip()
