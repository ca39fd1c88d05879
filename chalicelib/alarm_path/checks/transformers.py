"""Whether the log events of a log group are transformed before a metric filter that asks for it reads them.

A transformer of the log group itself sets aside those of the account; a group has neither in most accounts.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutTransformer.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json
from chalicelib.alarm_path.snapshot.model import AccessError, Snapshot
from chalicelib.alarm_path.verdicts import Status
from chalicelib.aws.arns import Arn, log_group_name

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutAccountPolicy.html
_BY_PREFIX = re.compile(r"\s*LogGroupNamePrefix\s+(?P<no>NOT\s+)?IN\s*\[(?P<prefixes>[^\]]*)\]\s*", re.IGNORECASE)


def untransformed(snapshot: Snapshot, group: Arn) -> tuple[Status, str]:
    """Whether the group's log events stay as CloudTrail wrote them, and the words for it."""
    region, name = snapshot.region(group.region), log_group_name(group)
    errors = snapshot.errors_of("logs:GetTransformer", region=group.region, resource=str(group))
    if name not in (region.transformers or {}):
        return Status.UNKNOWN, _unread(f"the log transformer of {name}", errors)
    if ((region.transformers or {})[name] or {}).get("transformerConfig"):
        return Status.UNKNOWN, f"which the log transformer of {name} makes, and their fields are not known here"
    if region.transformer_policies is None:
        errors = snapshot.errors_of("logs:DescribeAccountPolicies", region=group.region)
        return Status.UNKNOWN, _unread(f"the account's log transformers in {group.region}", errors)
    return _by_account(region.transformer_policies, name)


def _unread(what: str, errors: Iterable[AccessError]) -> str:
    refused = next((error for error in errors if not error.not_found), None)
    return f"and {what} could not be read: {refused}" if refused else f"and {what} was not collected"


def _by_account(policies: Iterable[Json], name: str) -> tuple[Status, str]:
    for policy in policies:
        if covers(str(policy.get("selectionCriteria") or ""), name) is not False:
            called = policy.get("policyName")
            words = f"which the account's transformer policy {called} makes, and their fields are not known here"
            return Status.UNKNOWN, words
    return Status.PASS, f"of which log group {name} has none: no transformer is set"


def covers(criteria: str, name: str) -> bool | None:
    """Whether a policy's selection criteria hold a log group; None where they are not understood."""
    if not criteria.strip():
        return True
    match = _BY_PREFIX.fullmatch(criteria)
    if match is None:
        return None
    inside = any(name.startswith(prefix) for prefix in re.findall(r'"([^"]*)"', match["prefixes"]))
    return inside is not bool(match["no"])
