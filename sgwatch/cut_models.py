"""Cuts botocore's description of EC2 to the calls that a stage's policies allow, for the deployment package."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import botocore

from chalicelib.aws.service_models import FOLDER

_MODEL = Path("ec2", "2016-11-15", "service-2.json")


def add_service_models(project: Path) -> None:
    """Write the cut description to where Chalice packages it."""
    allowed = {action for path in (project / ".chalice").glob("policy-*.json") for action in _actions(path)}
    source = Path(botocore.__file__).parent / "data" / _MODEL.with_suffix(".json.gz")
    model = json.loads(gzip.decompress(source.read_bytes()))
    cut = cut_model(model, {action.removeprefix("ec2:") for action in allowed if action.startswith("ec2:")})
    target = project / "vendor" / FOLDER / _MODEL
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(cut, separators=(",", ":"), sort_keys=True))


def cut_model(model: Mapping[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    """A service model with these operations, the shapes that they need, and no documentation."""
    kept = {name: model["operations"][name] for name in sorted(operations)}
    shapes: dict[str, Any] = {}
    waiting = [each["shape"] for call in kept.values() for each in _shapes_of_call(call)]
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            waiting += _members(shapes[name])
    cut: dict[str, Any] = _undocumented({**model, "operations": kept, "shapes": shapes})
    return cut


def _shapes_of_call(call: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*(call[key] for key in ("input", "output") if key in call), *call.get("errors", ())]


def _members(shape: Mapping[str, Any]) -> list[str]:
    named = [shape[key] for key in ("member", "key", "value") if key in shape]
    return [each["shape"] for each in (*shape.get("members", {}).values(), *named)]


def _undocumented(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _undocumented(value) for key, value in node.items() if not _is_text(key, value)}
    return [_undocumented(value) for value in node] if isinstance(node, list) else node


def _is_text(key: str, value: object) -> bool:
    """A documentation string, and no member that happens to be called so."""
    return key == "documentation" and isinstance(value, str)


def _actions(policy: Path) -> Iterable[str]:
    statements = json.loads(policy.read_text(encoding="utf-8"))["Statement"]
    return (action for statement in statements for action in statement["Action"])
