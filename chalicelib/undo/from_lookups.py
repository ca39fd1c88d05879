"""AWS CLI commands that take back what the record alone cannot: previous values, deleted groups, attachments.

The text that others chose reaches the shell in single-quoted JSON only. A deleted group comes back
under a new id, which the commands carry in a shell variable.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.security_groups.changes import CLIENT_VPN, NOT_NAMED, VPC_ENDPOINT, Attachment, Change, PrefixListChange
from chalicelib.security_groups.ec2_format import to_ip_permissions
from chalicelib.security_groups.lookup_result import GroupInfo
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.rules import Direction, ModifiedRule, PeerType, SecurityGroupRule
from chalicelib.undo.aws_cli import NOTHING_TO_UNDO, REGION, Undo, command
from chalicelib.undo.from_record import authorization, given_tags, portions, undo
from chalicelib.undo.opening import with_warning

# Linux takes no single argument over 128 KiB: https://man7.org/linux/man-pages/man2/execve.2.html
_RULES_PER_COMMAND = 50
NEW_ID = (
    "The group comes back under a new id: whatever named the old one (attachments, launch templates, "
    "rules of other groups) has to be pointed to the new one."
)


def restore(change: Change, region: str | None, group: GroupInfo | None = None) -> Undo:
    """The commands that return everything to where it was before the change.

    ``group`` is the group as it was. What the commands would open comes first in the reason.
    """
    return with_warning(_restore(change, region, group), change)


def _restore(change: Change, region: str | None, group: GroupInfo | None) -> Undo:
    if not change.succeeded:
        return NOTHING_TO_UNDO
    if region is None or not REGION.fullmatch(region):
        return undo(change, region)
    if change.event.group is EventGroup.ATTACHMENTS:
        return _attachment(change, region)
    if change.event.group is EventGroup.PREFIX_LISTS:
        return _prefix_list(change.prefix_list, region)
    if change.event.name == "DeleteSecurityGroup":
        return _deleted(change, region, group)
    if change.changes.modified and change.changes.before_known and change.group_id and not change.unread:
        if change.event.name == "ModifySecurityGroupRules":
            return _modified(change, region)
        return _described(change, region)
    return undo(change, region)


def rule_request(rule: SecurityGroupRule) -> dict[str, Any]:
    """The rule as a SecurityGroupRuleRequest of ModifySecurityGroupRules."""
    (permission,) = to_ip_permissions([rule])
    request: dict[str, Any] = {
        key: permission[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in permission
    }
    request[_REQUEST_KEYS[rule.peer.type]] = rule.peer.value
    if rule.description is not None:
        request["Description"] = rule.description
    return request


_REQUEST_KEYS = {
    PeerType.IPV4: "CidrIpv4",
    PeerType.IPV6: "CidrIpv6",
    PeerType.PREFIX_LIST: "PrefixListId",
    PeerType.SECURITY_GROUP: "ReferencedGroupId",
}


def _portions(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + _RULES_PER_COMMAND] for start in range(0, len(items), _RULES_PER_COMMAND))


def _modified(change: Change, region: str) -> Undo:
    if not all(item.before and item.after.id for item in change.changes.modified):
        return Undo(None, "the ids of the modified rules are not known")
    commands = []
    for portion in _portions(change.changes.modified):
        rules = [
            {"SecurityGroupRuleId": item.after.id, "SecurityGroupRule": rule_request(item.before)}
            for item in portion
            if item.before
        ]
        parameters = {"GroupId": change.group_id, "SecurityGroupRules": rules}
        commands.append(command("modify-security-group-rules", parameters, region))
    return Undo(tuple(commands))


def _described(change: Change, region: str) -> Undo:
    name = f"update-security-group-rule-descriptions-{change.direction}"
    commands = []
    for portion in _portions(change.changes.modified):
        parameters = {"GroupId": change.group_id, **_descriptions(portion)}
        commands.append(command(name, parameters, region))
    return Undo(tuple(commands))


def _descriptions(portion: Sequence[ModifiedRule]) -> dict[str, Any]:
    previous = [item.before for item in portion if item.before is not None]
    if not all(item.after.id for item in portion):
        return {"IpPermissions": to_ip_permissions(previous)}
    # Without a description the call takes the present one away.
    described = [
        {"SecurityGroupRuleId": item.after.id, **({"Description": rule.description} if rule.description else {})}
        for item, rule in zip(portion, previous, strict=True)
    ]
    return {"SecurityGroupRuleDescriptions": described}


def _attachment(change: Change, region: str) -> Undo:
    attachment = change.attachment
    if attachment is None or attachment.groups_before is None:
        return undo(change, region)
    before, after = attachment.groups_before, attachment.groups_after or ()
    if set(before) == set(after):
        return NOTHING_TO_UNDO
    if not before:
        return Undo(None, "it had no group before, and a call cannot take away the last one")
    if attachment.resource_type == VPC_ENDPOINT:
        return Undo((_endpoint(attachment, before, after, region),))
    if attachment.resource_type == CLIENT_VPN:
        return Undo((_client_vpn(attachment, before, change.associated_vpc_id, region),))
    if attachment.resource_type not in _SETS_GROUPS:
        return undo(change, region)
    operation, id_key, groups_key, service = _SETS_GROUPS[attachment.resource_type]
    return Undo((command(operation, {id_key: attachment.resource_id, groups_key: before}, region, service),))


# The call that gives each kind of resource a whole new list of groups.
_SETS_GROUPS = {
    "network interface": ("modify-network-interface-attribute", "NetworkInterfaceId", "Groups", "ec2"),
    "instance": ("modify-instance-attribute", "InstanceId", "Groups", "ec2"),
    "load balancer": ("set-security-groups", "LoadBalancerArn", "SecurityGroups", "elbv2"),
    "classic load balancer": ("apply-security-groups-to-load-balancer", "LoadBalancerName", "SecurityGroups", "elb"),
    "EC2 Instance Connect endpoint": (
        *("modify-instance-connect-endpoint", "InstanceConnectEndpointId", "SecurityGroupIds", "ec2"),
    ),
}


def _client_vpn(attachment: Attachment, before: Sequence[str], vpc_id: str | None, region: str) -> str:
    """The groups are those of the endpoint's target networks in one VPC, which a call may leave out."""
    parameters: dict[str, Any] = {"ClientVpnEndpointId": attachment.resource_id, "SecurityGroupIds": before}
    if vpc_id is None:
        return command("modify-client-vpn-endpoint", parameters, region)
    return command("apply-security-groups-to-client-vpn-target-network", {**parameters, "VpcId": vpc_id}, region)


def _endpoint(attachment: Attachment, before: Sequence[str], after: Sequence[str], region: str) -> str:
    lists = {
        "AddSecurityGroupIds": [item for item in before if item not in after],
        "RemoveSecurityGroupIds": [item for item in after if item not in before],
    }
    parameters: dict[str, Any] = {"VpcEndpointId": attachment.resource_id}
    parameters |= {key: value for key, value in lists.items() if value}
    return command("modify-vpc-endpoint", parameters, region)


def _prefix_list(entries: PrefixListChange | None, region: str) -> Undo:
    if entries is not None and entries.prefix_list_id is None:
        return Undo(None, f"the settings before of {printable(entries.resolver, 80)} are not in the record")
    if entries is not None and entries.prefix_list_id == NOT_NAMED:
        return Undo(None, "the record does not name the list")
    if entries is None or entries.prefix_list_id is None or entries.version is None:
        return Undo(None, "the record does not say which version of the list was in force before")
    if entries.ends_sync:
        return Undo(None, "whether IPAM decided the list's contents before is not in the record")
    if entries.restored_version is None and not (entries.added or entries.removed):
        return Undo(None, "no entry changed, and what the list was called or could hold before is not in the record")
    # AWS counts one up with every change of the entries, and refuses where the list has changed again.
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RestoreManagedPrefixListVersion.html
    parameters = {
        "PrefixListId": entries.prefix_list_id,
        "PreviousVersion": entries.version,
        "CurrentVersion": entries.version + 1,
    }
    renamed = "What the list was called before is not in the record, and stays as it is now."
    restored = command("restore-managed-prefix-list-version", parameters, region)
    return Undo((restored,), renamed if entries.is_renamed else None)


_GROUP_ID = re.compile(r"sg-[0-9A-Za-z]{1,64}")


def _deleted(change: Change, region: str, group: GroupInfo | None) -> Undo:
    if not change.changes.before_known:
        return undo(change, region)
    if group is None or not (group.name and group.description and group.vpc_id):
        return Undo(None, "the name, the description or the VPC of the deleted group is not known")
    tags = given_tags(tuple(group.tags.items()))
    parameters: dict[str, Any] = {
        "GroupName": group.name,
        "Description": group.description,
        "VpcId": group.vpc_id,
    }
    if tags:
        parameters["TagSpecifications"] = [{"ResourceType": "security-group", "Tags": tags}]
    commands = list(_recreated(group, parameters, region))
    for direction in Direction:
        rules = tuple(rule for rule in change.changes.removed if rule.direction is direction)
        commands += [_authorize(portion, direction, region, change.group_id) for portion in portions(rules)]
    return Undo(tuple(commands), NEW_ID)


# An empty variable stops the command before it reaches another group.
_NEW_GROUP = '"${new_group:?}"'


def _recreated(group: GroupInfo, parameters: Mapping[str, Any], region: str) -> Iterator[str]:
    """The group without a rule; one that an earlier run has made already is taken, so that a second run ends alike."""
    same = {"group-name": group.name, "vpc-id": group.vpc_id, "description": group.description}
    filters = [{"Name": name, "Values": [_literal(value or "")]} for name, value in same.items()]
    there = command("describe-security-groups", {"Filters": filters}, region)
    create = command("create-security-group", parameters, region)
    yield f"new_group=$({there} --query 'SecurityGroups[0].GroupId' --output text)"
    # The AWS CLI prints None for what is not there.
    yield f'test "$new_group" != None || new_group=$({create} --query GroupId --output text)'
    yield f"aws ec2 wait security-group-exists --region {region} --group-ids {_NEW_GROUP}"
    # AWS gives a new group a rule of its own, for egress.
    for direction, query in ((Direction.EGRESS, "[?IsEgress]"), (Direction.INGRESS, "[?!IsEgress]")):
        yield _without_rules(direction, query, region)


def _literal(value: str) -> str:
    # A filter takes * and ? for any characters.
    return re.sub(r"[*?\\]", r"\\\g<0>", value)


def _without_rules(direction: Direction, query: str, region: str) -> str:
    listed = (
        f"aws ec2 describe-security-group-rules --region {region} --filters Name=group-id,Values={_NEW_GROUP} "
        f"--query 'SecurityGroupRules{query}.SecurityGroupRuleId' --output text"
    )
    revoke = f"aws ec2 revoke-security-group-{direction} --region {region} --group-id {_NEW_GROUP}"
    return f'for rule in $({listed}); do {revoke} --security-group-rule-ids "$rule"; done'


def _authorize(rules: tuple[SecurityGroupRule, ...], direction: Direction, region: str, old_id: str | None) -> str:
    parameters = authorization(rules)
    permissions = _quoted(parameters["IpPermissions"], old_id)
    words = f"aws ec2 authorize-security-group-{direction} --region {region} --group-id {_NEW_GROUP}"
    tags = parameters.get("TagSpecifications")
    tagged = f" --tag-specifications {shlex.quote(json.dumps(tags))}" if tags else ""
    return f"{words} --ip-permissions {permissions}{tagged}"


def _quoted(permissions: list[dict[str, Any]], old_id: str | None) -> str:
    """The permissions as one shell word; where the group named itself, the new id takes its place."""
    if old_id is None or not _GROUP_ID.fullmatch(old_id):
        return shlex.quote(json.dumps(permissions))
    text = json.dumps(permissions)
    mark = "NEW_GROUP_ID"
    while mark in text:
        mark += "_"
    text = json.dumps([_renamed(permission, old_id, mark) for permission in permissions])
    return _NEW_GROUP.join(shlex.quote(part) for part in text.split(mark))


def _renamed(permission: Mapping[str, Any], old_id: str, new_id: str) -> dict[str, Any]:
    pairs = permission.get("UserIdGroupPairs")
    if not pairs:
        return dict(permission)
    renamed = [{**pair, "GroupId": new_id} if pair.get("GroupId") == old_id else pair for pair in pairs]
    return {**permission, "UserIdGroupPairs": renamed}
