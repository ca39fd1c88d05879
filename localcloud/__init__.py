"""An AWS on loopback with CloudTrail and EventBridge wired up; not deployed."""

from localcloud.cloud import LocalCloud

__all__ = ["LocalCloud"]
