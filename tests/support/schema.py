"""The published schema of alerts, with its formats checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parents[2] / "schemas" / "alert.v1.json").read_text())
_VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def assert_valid(document: Any) -> None:
    """Raise jsonschema's ValidationError where the document is no alert."""
    _VALIDATOR.validate(document)
