"""AWS CLI commands that take a change back.

Every value that a record supplied reaches the shell inside one single-quoted word, and free text only
inside JSON: the AWS CLI loads a file or URL where a bare parameter begins with ``file://`` or ``http://``.
https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-file.html
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.changes import Change
from chalicelib.rule_wire import to_ip_permissions
from chalicelib.rules import Direction, SecurityGroupRule

_ID = re.compile(r"(sg|sgr|vpc|eni|i|vpce|pl)-[0-9A-Za-z]{1,64}")


@dataclass(frozen=True, slots=True)
class Undo:
    """AWS CLI commands that take the change back; ``commands`` is None where they cannot be known, for ``reason``."""

    commands: tuple[str, ...] | None
    reason: str | None = None


NOTHING_TO_UNDO = Undo(commands=(), reason="the call changed nothing")


def undo(change: Change, region: str | None) -> Undo:
    """The commands that return the group to where it was before the change."""
    if not change.succeeded:
        return NOTHING_TO_UNDO
    reason = _why_not(change)
    if reason is not None:
        return Undo(None, reason)
    name, parameters = _call(change)
    return Undo((command(name, parameters, region),))


def command(name: str, parameters: Mapping[str, Any], region: str | None) -> str:
    """One AWS CLI command line; ids stand as options, anything else in ``--cli-input-json``."""
    words = ["aws", "ec2", name]
    if region:
        words += ["--region", shlex.quote(region)]
    if all(_is_plain(value) for value in parameters.values()):
        for key, value in parameters.items():
            words.append(_option(key))
            words += [shlex.quote(item) for item in ([value] if isinstance(value, str) else value)]
    else:
        words += ["--cli-input-json", shlex.quote(json.dumps(parameters))]
    return " ".join(words)


def _is_plain(value: object) -> bool:
    values = value if isinstance(value, (list, tuple)) else [value]
    return bool(values) and all(isinstance(item, str) and _ID.fullmatch(item) for item in values)


def _option(key: str) -> str:
    return "--" + re.sub(r"(?<=[a-z])(?=[A-Z])", "-", key).lower()


def _why_not(change: Change) -> str | None:
    """Why the commands cannot be known; None where they can."""
    name = change.event.name
    revoke, changes = name.startswith("Revoke"), change.changes
    reasons = {
        "the former values are not in the record": bool(changes.modified) or name in _NEW_VALUES_ONLY,
        "the rules and tags that went with the group are not in the record": name == "DeleteSecurityGroup",
        "the groups it had before are not in the record": change.attachment is not None,
        "the entries before are not in the record": change.prefix_list is not None,
        "the record does not name the group": not (change.group_id or change.group_name),
        "the record does not name the VPC": name.endswith("SecurityGroupVpc") and change.associated_vpc_id is None,
        "part of the change could not be read": bool(change.unread),
        "not all removed rules are in the record": revoke and not changes.before_known,
        "the call removed no rule": revoke and not changes.removed,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


_NEW_VALUES_ONLY = (
    "ModifySecurityGroupRules",
    "UpdateSecurityGroupRuleDescriptionsIngress",
    "UpdateSecurityGroupRuleDescriptionsEgress",
)


def _call(change: Change) -> tuple[str, dict[str, Any]]:
    group = {"GroupId": change.group_id} if change.group_id else {"GroupName": change.group_name}
    match change.event.name:
        case "CreateSecurityGroup":
            return "delete-security-group", group
        case "AssociateSecurityGroupVpc":
            return "disassociate-security-group-vpc", {**group, "VpcId": change.associated_vpc_id}
        case "DisassociateSecurityGroupVpc":
            return "associate-security-group-vpc", {**group, "VpcId": change.associated_vpc_id}
    direction = Direction.EGRESS if change.event.name.endswith("Egress") else Direction.INGRESS
    if change.event.name.startswith("Authorize"):
        return f"revoke-security-group-{direction}", {**group, **_by_id_or_value(change.changes.added)}
    return f"authorize-security-group-{direction}", {
        **group,
        "IpPermissions": to_ip_permissions(change.changes.removed),
    }


def _by_id_or_value(rules: Iterable[SecurityGroupRule]) -> dict[str, Any]:
    rules = tuple(rules)
    ids = [rule.id for rule in rules]
    if all(ids):
        return {"SecurityGroupRuleIds": ids}
    return {"IpPermissions": to_ip_permissions(rules)}
