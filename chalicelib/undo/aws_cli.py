"""An undo, and AWS CLI command lines that are safe in a POSIX shell whatever text is in them.

Every value that a record supplied reaches the shell inside one single-quoted word, and free text only
inside JSON: the AWS CLI loads a file or URL where a bare parameter begins with ``file://`` or ``http://``.
https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-file.html
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from chalicelib.named_tuple import NamedTuple

_ID = re.compile(r"(sg|sgr|vpc|eni|i|vpce|pl|eice|cvpn-endpoint)-[0-9A-Za-z]{1,64}")
REGION = re.compile(r"[a-z][0-9a-z]*(-[0-9a-z]+)+")


class Undo(NamedTuple):
    """AWS CLI commands that take the change back; ``commands`` is None where they cannot be known, for ``reason``."""

    commands: tuple[str, ...] | None
    reason: str | None = None


NOTHING_TO_UNDO = Undo(commands=(), reason="the call changed nothing")


def command(name: str, parameters: Mapping[str, Any], region: str, service: str = "ec2") -> str:
    """One AWS CLI command line; ids stand as options, anything else in ``--cli-input-json``."""
    words = ["aws", service, name, "--region", shlex.quote(region)]
    if all(_is_plain(value) for value in parameters.values()):
        for key, value in parameters.items():
            words.append(_option(key))
            words += [shlex.quote(item) for item in ([value] if isinstance(value, str) else value)]
    else:
        words += ["--cli-input-json", shlex.quote(json.dumps(parameters))]
    return " ".join(words)


def _is_plain(value: object) -> bool:
    values = value if isinstance(value, (list, tuple)) else [value]
    return bool(values) and all(isinstance(item, str) and _ID.fullmatch(item) for item in values)


def _option(key: str) -> str:
    return "--" + re.sub(r"(?<=[a-z])(?=[A-Z])", "-", key).lower()
