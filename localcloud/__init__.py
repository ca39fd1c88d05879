"""An AWS on loopback with CloudTrail and EventBridge wired up; not deployed."""
