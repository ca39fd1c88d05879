"""The AWS CLI commands that take a change back, as far as they follow from its record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from chalicelib.cloudtrail.catalog import Verb
from chalicelib.security_groups.changes import Change
from chalicelib.security_groups.ec2_format import to_ip_permissions
from chalicelib.security_groups.rules import SecurityGroupRule, Tags
from chalicelib.undo.aws_cli import NOTHING_TO_UNDO, REGION, Undo, command

# Linux takes no single argument over 128 KiB; this many rules, quoted and escaped, stay far below.
# https://man7.org/linux/man-pages/man2/execve.2.html
_RULES_PER_COMMAND = 50


def undo(change: Change, region: str | None) -> Undo:
    """The commands that return the group to where it was before the change."""
    if not change.succeeded or _removed_nothing(change):
        return NOTHING_TO_UNDO
    reason = _why_not(change)
    if reason is None and (region is None or not REGION.fullmatch(region)):
        # Without one the command would run in whatever region the reader's CLI is set to.
        reason = "the record does not name the region"
    if reason is not None or region is None:
        return Undo(None, reason)
    return Undo(tuple(command(name, parameters, region) for name, parameters in _calls(change)))


def given_tags(tags: Tags | None) -> list[dict[str, str]]:
    """The tags as the API takes them, those left out that nobody but AWS may give."""
    return [{"Key": key, "Value": value} for key, value in tags or () if not key.lower().startswith("aws:")]


def portions(rules: Iterable[SecurityGroupRule]) -> Iterator[tuple[SecurityGroupRule, ...]]:
    """The rules in parts that one call can add: of the same tags, and not too many."""
    alike: dict[Tags, list[SecurityGroupRule]] = {}
    for rule in rules:
        alike.setdefault(rule.tags or (), []).append(rule)
    for same in alike.values():
        yield from _portions(tuple(same))


def _removed_nothing(change: Change) -> bool:
    revoked = change.event.verb is Verb.REVOKE
    return revoked and change.changes.before_known and not change.changes.removed


def _why_not(change: Change) -> str | None:
    """Why the commands cannot be known; None where they can."""
    name = change.event.name
    revoke, changes = change.event.verb is Verb.REVOKE, change.changes
    reasons = {
        "the previous values are not in the record": bool(changes.modified) or name in _NEW_VALUES_ONLY,
        "the rules and tags that went with the group are not in the record": name == "DeleteSecurityGroup",
        "what the resource had before is not in the record": change.attachment is not None,
        "the entries before are not in the record": change.prefix_list is not None,
        "the record does not name the group": not (change.group_id or change.group_name),
        "the record does not name the VPC": change.event.verb in _VPC_VERBS and change.associated_vpc_id is None,
        "part of the change could not be read": bool(change.unread),
        "not all removed rules are in the record": revoke and not changes.before_known,
        "the record does not name the new group": name == "CreateSecurityGroup" and change.group_id is None,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


_VPC_VERBS = (Verb.ASSOCIATE, Verb.DISASSOCIATE)
_NEW_VALUES_ONLY = (
    "ModifySecurityGroupRules",
    "UpdateSecurityGroupRuleDescriptionsIngress",
    "UpdateSecurityGroupRuleDescriptionsEgress",
)


def _calls(change: Change) -> Iterator[tuple[str, dict[str, Any]]]:
    group = {"GroupId": change.group_id} if change.group_id else {"GroupName": change.group_name}
    name, changes, direction = change.event.name, change.changes, change.direction
    match name:
        case "CreateSecurityGroup":
            yield "delete-security-group", group
        case "AssociateSecurityGroupVpc":
            yield "disassociate-security-group-vpc", {**group, "VpcId": change.associated_vpc_id}
        case "DisassociateSecurityGroupVpc":
            yield "associate-security-group-vpc", {**group, "VpcId": change.associated_vpc_id}
        case "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress":
            for rules in _portions(changes.added):
                yield f"revoke-security-group-{direction}", {**group, **_by_id_or_value(rules)}
        case _:
            for rules in portions(changes.removed):
                yield f"authorize-security-group-{direction}", {**group, **authorization(rules)}


def authorization(rules: tuple[SecurityGroupRule, ...]) -> dict[str, Any]:
    """The parameters that add rules of the same tags, with their tags."""
    tags = given_tags(rules[0].tags)
    tagged = {"TagSpecifications": [{"ResourceType": "security-group-rule", "Tags": tags}]} if tags else {}
    return {"IpPermissions": to_ip_permissions(rules), **tagged}


def _portions(rules: tuple[SecurityGroupRule, ...]) -> Iterator[tuple[SecurityGroupRule, ...]]:
    return (rules[start : start + _RULES_PER_COMMAND] for start in range(0, len(rules), _RULES_PER_COMMAND))


def _by_id_or_value(rules: tuple[SecurityGroupRule, ...]) -> dict[str, Any]:
    ids = [rule.id for rule in rules]
    if all(ids):
        return {"SecurityGroupRuleIds": ids}
    # A rule to revoke need not be described, and what is left out cannot be wrong.
    return {"IpPermissions": to_ip_permissions(rules, described=False)}
