"""Looking up rules, deleting groups and associating them with VPCs, as EC2 documents these calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.ec2.models import ec2_backends

from localcloud.aws_error import AwsError
from localcloud.gaps.group_store import group_of, groups_of, rules_by_id, shown, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from moto.ec2.models.security_groups import SecurityGroupRule

    from localcloud.calls import ApiRequest


def describe_rules(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """DescribeSecurityGroupRules, by ids and by the filters group-id, security-group-rule-id and tag:*."""
    rules = [
        rule for group in groups_of(call, account_id).values() for rule in (*group.egress_rules, *group.ingress_rules)
    ]
    if rule_ids := call.params.get("SecurityGroupRuleIds"):
        rules = rules_by_id(rules, rule_ids)
    filters = {item["Name"]: item.get("Values", []) for item in call.params.get("Filters", ())}
    return {"SecurityGroupRules": [shown(rule) for rule in rules if _passes(rule, filters)]}


def _passes(rule: SecurityGroupRule, filters: Mapping[str, Sequence[str]]) -> bool:
    values: dict[str, Any] = {"group-id": rule.group_id, "security-group-rule-id": rule.id}
    values |= {f"tag:{tag['key']}": tag["value"] for tag in rule.get_tags()}
    return all(values.get(name) in wanted for name, wanted in filters.items())


def delete(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """DeleteSecurityGroup, refused while something uses the group."""
    group = group_of(call, account_id)
    if group.is_default:
        raise AwsError("CannotDelete", f'the specified group: "{group.id}" name: "default" cannot be deleted by a user')
    if any(_users(call, account_id, group.id)):
        raise AwsError("DependencyViolation", f"resource {group.id} has a dependent object")
    group.ec2_backend.delete_security_group(group_id=group.id)
    return {"Return": True, "GroupId": group.id}


def _users(call: ApiRequest, account_id: str, group_id: str) -> Iterator[str]:
    for interface in ec2_backends[account_id][call.region].enis.values():
        if any(group.id == group_id for group in interface.group_set):
            yield interface.id
    for other in groups_of(call, account_id).values():
        rules = [*other.ingress_rules, *other.egress_rules]
        if other.id != group_id and any(spec_of(rule).peer == group_id for rule in rules):
            yield other.id


def associate_vpc(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """AssociateSecurityGroupVpc."""
    group = group_of(call, account_id)
    vpc_id = call.params["VpcId"]
    if vpc_id not in group.ec2_backend.vpcs:
        raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    associated = getattr(group, "associated_vpcs", [])
    if vpc_id in associated or vpc_id == group.vpc_id:
        raise AwsError("SecurityGroupVpcAssociationAlreadyExists", f"{group.id} is associated with {vpc_id}")
    group.associated_vpcs = [*associated, vpc_id]
    return {"State": "associating"}


def disassociate_vpc(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """DisassociateSecurityGroupVpc."""
    group = group_of(call, account_id)
    vpc_id = call.params["VpcId"]
    associated = getattr(group, "associated_vpcs", [])
    if vpc_id not in associated:
        raise AwsError("InvalidSecurityGroupVpcAssociation.NotFound", f"{group.id} is not associated with {vpc_id}")
    group.associated_vpcs = [item for item in associated if item != vpc_id]
    return {"State": "disassociating"}


def describe_vpc_associations(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """DescribeSecurityGroupVpcAssociations."""
    filters = {item["Name"]: item.get("Values", []) for item in call.params.get("Filters", ())}
    found = [
        {"GroupId": group.id, "VpcId": vpc_id, "State": "associated", "GroupOwnerId": account_id}
        for group in groups_of(call, account_id).values()
        for vpc_id in getattr(group, "associated_vpcs", [])
    ]
    names = {"group-id": "GroupId", "vpc-id": "VpcId"}
    return {
        "SecurityGroupVpcAssociations": [
            item for item in found if all(item[names[name]] in wanted for name, wanted in filters.items())
        ]
    }


ANSWERS: dict[str, Callable[[ApiRequest, str], Mapping[str, Any]]] = {
    "DescribeSecurityGroupRules": describe_rules,
    "DeleteSecurityGroup": delete,
    "AssociateSecurityGroupVpc": associate_vpc,
    "DisassociateSecurityGroupVpc": disassociate_vpc,
    "DescribeSecurityGroupVpcAssociations": describe_vpc_associations,
}
