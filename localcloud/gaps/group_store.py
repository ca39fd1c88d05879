"""moto's security groups and their rules, read and written as rule specs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moto.ec2.models import ec2_backends

from localcloud.aws_error import AwsError
from localcloud.gaps.rule_specs import RuleSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupRule

    from localcloud.calls import ApiRequest

# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
MAX_RULES = 60
PEER_OF_KIND = {"ipv4": "CidrIpv4", "ipv6": "CidrIpv6", "prefix_list": "PrefixListId", "group": "ReferencedGroupId"}


def groups_of(call: ApiRequest, account_id: str) -> dict[str, SecurityGroup]:
    """Every security group of a region by id."""
    backend = ec2_backends[account_id][call.region]
    return {group.id: group for groups in list(backend.groups.values()) for group in list(groups.values())}


def group_of(call: ApiRequest, account_id: str) -> SecurityGroup:
    """The group that a call names, by id or, in the default VPC, by name."""
    groups = groups_of(call, account_id)
    if group_id := call.params.get("GroupId"):
        if group_id not in groups:
            raise AwsError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
        return groups[group_id]
    name = call.params.get("GroupName")
    if not name:
        raise AwsError("MissingParameter", "The request must contain the parameter groupName or groupId")
    return group_by_name(call, account_id, name)


def group_by_name(call: ApiRequest, account_id: str, name: str) -> SecurityGroup:
    """The group of this name in the default VPC."""
    vpc_id = ec2_backends[account_id][call.region].default_vpc.id
    for group in groups_of(call, account_id).values():
        if group.name == name and group.vpc_id == vpc_id:
            return group
    raise AwsError("InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC '{vpc_id}'")


def spec_of(rule: SecurityGroupRule) -> RuleSpec:
    """What a rule that moto holds allows."""
    bare = RuleSpec(
        rule.ip_protocol or "-1",
        -1 if rule.from_port is None else int(rule.from_port),
        -1 if rule.to_port is None else int(rule.to_port),
        kind="",
        peer="",
    )
    if rule.prefix_list_id:
        description = getattr(rule, "prefix_list_description", None)
        return replace(bare, kind="prefix_list", peer=rule.prefix_list_id, description=description)
    if rule.source_group:
        pair = rule.source_group
        peer = pair.get("GroupId", "")
        return replace(bare, kind="group", peer=peer, owner=pair.get("UserId"), description=pair.get("Description"))
    kind = "ipv6" if "CidrIpv6" in rule.ip_range else "ipv4"
    cidr = rule.ip_range.get("CidrIpv6") or rule.ip_range.get("CidrIp", "")
    return replace(bare, kind=kind, peer=cidr, description=rule.ip_range.get("Description"))


def write(rule: SecurityGroupRule, spec: RuleSpec) -> None:
    """Make a rule that moto holds allow what the spec says."""
    rule.ip_protocol = spec.protocol
    ported = spec.protocol in ("tcp", "udp", "icmp", "icmpv6")
    rule.from_port, rule.to_port = (spec.from_port, spec.to_port) if ported else (None, None)
    described = {} if spec.description is None else {"Description": spec.description}
    rule.ip_range, rule.source_group, rule.prefix_list_id = {}, {}, None
    if spec.kind in ("ipv4", "ipv6"):
        rule.ip_range = {"CidrIp" if spec.kind == "ipv4" else "CidrIpv6": spec.peer, **described}
    elif spec.kind == "group":
        rule.source_group = {"GroupId": spec.peer, "UserId": spec.owner, **described}
    else:
        rule.prefix_list_id = spec.peer
        rule.prefix_list_description = spec.description


def shown(rule: SecurityGroupRule, *, revoked: bool = False) -> dict[str, Any]:
    """A rule as EC2 answers it; RevokedSecurityGroupRule has neither owner nor tags."""
    spec = spec_of(rule)
    answer: dict[str, Any] = {"SecurityGroupRuleId": rule.id, "GroupId": rule.group_id}
    if not revoked:
        answer["GroupOwnerId"] = rule.owner_id
    answer |= {
        "IsEgress": rule.is_egress,
        "IpProtocol": spec.protocol,
        "FromPort": spec.from_port,
        "ToPort": spec.to_port,
    }
    if spec.kind == "group" and not revoked:
        answer["ReferencedGroupInfo"] = {"GroupId": spec.peer, "UserId": spec.owner}
    else:
        answer[PEER_OF_KIND[spec.kind]] = spec.peer
    if spec.description is not None:
        answer["Description"] = spec.description
    if not revoked and (tags := rule.get_tags()):
        answer["Tags"] = [{"Key": tag["key"], "Value": tag["value"]} for tag in tags]
    return answer


def resolved(call: ApiRequest, account_id: str, specs: Sequence[RuleSpec]) -> list[RuleSpec]:
    """The same specs with source groups by id and with their owner."""
    return [resolve(call, account_id, spec) if spec.kind == "group" else spec for spec in specs]


def resolve(call: ApiRequest, account_id: str, spec: RuleSpec) -> RuleSpec:
    """The same rule with its source group by id and with the group's owner."""
    owner = spec.owner or account_id
    if owner != account_id:  # another account's group cannot be looked up from here
        return replace(spec, owner=owner)
    if spec.peer.startswith("sg-"):
        if spec.peer not in groups_of(call, account_id):
            raise AwsError("InvalidGroup.NotFound", f"The security group '{spec.peer}' does not exist")
        return replace(spec, owner=owner)
    return replace(spec, peer=group_by_name(call, account_id, spec.peer).id, owner=owner)


def rules_of(group: SecurityGroup, *, egress: bool) -> list[SecurityGroupRule]:
    """A group's rules of one direction, in the list that moto keeps."""
    rules: list[SecurityGroupRule] = group.egress_rules if egress else group.ingress_rules
    return rules


def rules_by_id(rules: Sequence[SecurityGroupRule], rule_ids: Sequence[str]) -> list[SecurityGroupRule]:
    """The rules of these ids, in their order."""
    by_id = {rule.id: rule for rule in rules}
    for rule_id in rule_ids:
        if rule_id not in by_id:
            raise AwsError(
                "InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{rule_id}' does not exist"
            )
    return [by_id[rule_id] for rule_id in rule_ids]


def names_prefix_list(group: SecurityGroup, prefix_list_ids: Sequence[str]) -> bool:
    """DescribeSecurityGroups' filter ``ip-permission.prefix-list-id``, which moto lacks."""
    return any(rule.prefix_list_id in prefix_list_ids for rule in group.ingress_rules)
