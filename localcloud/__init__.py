"""An AWS on loopback with CloudTrail and EventBridge wired up; not deployed."""

import os

# moto makes a session when it is imported, which raises where AWS_PROFILE names a profile that is not there.
_profile = os.environ.pop("AWS_PROFILE", None)

from localcloud.cloud import LocalCloud  # noqa: E402 - it imports moto

if _profile is not None:
    os.environ["AWS_PROFILE"] = _profile

__all__ = ["LocalCloud"]
