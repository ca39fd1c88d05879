"""An SDK older than ours: botocore's own service models without operations that came later.

botocore looks into the folders of AWS_DATA_PATH before its own.
https://docs.aws.amazon.com/boto3/latest/guide/configuration.html
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write_models(folder: Path, lacking: Iterable[tuple[str, str]]) -> Path:
    """Write into ``folder`` the models of the services of these ``(service, operation)`` without the operations."""
    by_service: defaultdict[str, set[str]] = defaultdict(set)
    for service, operation in lacking:
        by_service[service].add(operation)
    loader = Loader()
    for service, operations in by_service.items():
        model: dict[str, Any] = json.loads(json.dumps(loader.load_service_model(service, "service-2")))
        model["operations"] = {name: each for name, each in model["operations"].items() if name not in operations}
        place = folder / service / loader.determine_latest_version(service, "service-2")
        place.mkdir(parents=True, exist_ok=True)
        (place / "service-2.json").write_text(json.dumps(model), encoding="utf-8")
    return folder
