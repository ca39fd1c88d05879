"""botocore's description of a service, cut to the calls that are made: the deployment package may hold one.

botocore reads 3.7 MB for any EC2 client. The cut description is made when the package is; where there is none,
botocore's own is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

FOLDER = "service_models"
# The root of the deployment package, which `vendor/` becomes a part of.
_PACKAGED = Path(__file__).parents[2] / FOLDER


def prefer_packaged(session: Any, packaged: Path = _PACKAGED) -> None:
    """Let a boto3 session look into the package first; it finds what is not there in botocore."""
    if not packaged.is_dir():
        return
    # https://botocore.amazonaws.com/v1/documentation/api/latest/reference/loaders.html
    loader = session._session.get_component("data_loader")  # noqa: SLF001 - boto3 has no public way to its loader
    if str(packaged) not in loader.search_paths:
        loader.search_paths.insert(0, str(packaged))
