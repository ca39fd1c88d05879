"""Where an undo is to be run, and the shell line that takes the credentials of a role there."""

from __future__ import annotations

import shlex

from chalicelib.alert.model import Alert
from chalicelib.security_groups.phrases import printable

SESSION = "sgwatch-undo"
_KEYS = "AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_SESSION_TOKEN=%s"
_QUERY = "Credentials.[AccessKeyId,SecretAccessKey,SessionToken]"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
_PARTITIONS = {"us-gov-": "aws-us-gov", "cn-": "aws-cn"}


def place_of(alert: Alert) -> str:
    """``account 111122223333 (shop), region eu-west-1``, as far as it is known."""
    account = alert.account.id or "that the record does not name"
    name = f" ({printable(alert.account.name, 80)})" if alert.account.name else ""
    region = f", region {printable(alert.region, 40)}" if alert.region else ""
    return f"account {account}{name}{region}"


def partition_of(region: str | None) -> str:
    """The partition that a region is in."""
    return next((name for prefix, name in _PARTITIONS.items() if (region or "").startswith(prefix)), "aws")


def assuming(role_arn: str) -> str:
    """A line for a POSIX shell after which the AWS CLI acts as the role."""
    asked = ["--role-arn", role_arn, "--role-session-name", SESSION, "--query", _QUERY, "--output", "text"]
    return f"export $(printf '{_KEYS}' $(aws sts assume-role {shlex.join(asked)}))"
