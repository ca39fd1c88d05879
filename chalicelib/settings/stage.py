"""A stage's settings as they stand in .chalice/config.json, before they are deployed: references unresolved.

What is a fault here need not be one in Lambda: there, what is sound is used all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.settings.reader import SettingsReader
from chalicelib.settings.secrets import Reference, parse_reference, references_in

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; Lambda measures the JSON object of them.
MAX_ENVIRONMENT_BYTES = 4096
SHARED = "shared"


def stage_variables(config: Mapping[str, Any], stage: str, function: str | None = None) -> dict[str, str]:
    """The environment variables of a stage, or of one of its functions, as Chalice merges them.

    https://aws.github.io/chalice/topics/configfile.html
    """
    own = (config.get("stages") or {}).get(stage) or {}
    per_function = (own.get("lambda_functions") or {}).get(function) or {}
    found: dict[str, str] = {}
    for place in (config, own, per_function):
        found |= place.get("environment_variables") or {}
    return found


def stage_faults(variables: Mapping[str, object], stage: str) -> tuple[str, ...]:
    """What is wrong with a stage's variables, a sentence for each fault with the way out; empty where nothing is."""
    faults = [f"{name}: {_kind_of(value)}, and a setting is text" for name, value in _not_texts(variables)]
    texts = {name: value for name, value in variables.items() if isinstance(value, str)}
    reader = SettingsReader(texts, f"stage {stage}")
    reader.read()
    return (*faults, *reader.faults, *_reference_faults(texts, stage), *_size_faults(texts))


def _not_texts(variables: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    return ((name, value) for name, value in variables.items() if not isinstance(value, str))


def _kind_of(value: object) -> str:
    shown = json.dumps(value)
    return (
        f"{shown} is not in quotation marks" if isinstance(value, bool | int | float) else "it is a list or an object"
    )


def _reference_faults(variables: Mapping[str, str], stage: str) -> Iterator[str]:
    for name, value in variables.items():
        for reference in _references(name, value.strip()):
            if is_within(reference, stage):
                continue
            service = "ssm:/" if reference.service == "ssm" else "secretsmanager:"
            shown = f"{reference.service}:{reference.name}" + (f"#{reference.key}" if reference.key else "")
            yield (
                f'{name}: "{shown}" is outside of what stage {stage} may read: keep it under '
                f"{service}sgwatch/{stage}/ or {service}sgwatch/{SHARED}/"
            )


def is_within(reference: Reference, stage: str) -> bool:
    """Whether a stage's functions may read it: it is kept under the stage's own names or the shared ones."""
    name = reference.name
    for marker in (":parameter/", ":secret:"):
        if name.startswith("arn:") and marker in name:
            name = name.partition(marker)[2]
    return name.removeprefix("/").startswith((f"sgwatch/{stage}/", f"sgwatch/{SHARED}/"))


def _references(name: str, value: str) -> list[Reference]:
    try:
        if name.startswith("WEBHOOK") and name.endswith("_HEADERS"):
            return references_in(value)
        reference = parse_reference(value)
    except ValueError:
        return []  # the reader has said so
    return [] if reference is None else [reference]


def _size_faults(variables: Mapping[str, str]) -> Iterator[str]:
    size = len(json.dumps(dict(variables), separators=(",", ":")).encode())
    if size > MAX_ENVIRONMENT_BYTES:
        largest = max(variables, key=lambda name: len(variables[name]))
        yield (
            f"the environment variables take {size:,} bytes and Lambda allows {MAX_ENVIRONMENT_BYTES:,}: "
            f"keep long values elsewhere and write a reference (ssm:/sgwatch/…); the longest is {largest}"
        )
