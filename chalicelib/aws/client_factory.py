"""The AWS clients that collecting and repairing are given, made once per service and region."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config


def client_factory(session: boto3.Session | None = None) -> Callable[[str, str], Any]:
    """service, region → client; answers are waited for 20 seconds and throttled calls repeated."""
    held = session or boto3.Session()
    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
    made: dict[tuple[str, str], Any] = {}

    def client(service: str, region: str) -> Any:
        if (service, region) not in made:
            made[service, region] = held.client(service, region_name=region, config=config)  # type: ignore[call-overload]
        return made[service, region]

    return client


def default_region() -> str | None:
    """The region of the environment or the profile."""
    return boto3.Session().region_name
