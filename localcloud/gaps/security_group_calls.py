"""Changes of security group rules as EC2 documents them, kept in moto's own groups.

moto returns the rules of the last IpPermission only, is not atomic, does not say what it revoked,
modifies nothing but IPv4 ranges and ignores descriptions by rule id.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupRule

from localcloud.aws_error import AwsError
from localcloud.gaps.group_store import (
    PEER_OF_KIND,
    group_of,
    groups_of,
    resolve,
    resolved,
    rules_by_id,
    rules_of,
    shown,
    spec_of,
    write,
)
from localcloud.gaps.rule_specs import RuleSpec, invalid, network, of_permission, ports_of, requested

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localcloud.calls import ApiRequest

# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
MAX_RULES = 60


def authorize(call: ApiRequest, account_id: str, *, egress: bool) -> Mapping[str, Any]:
    """AuthorizeSecurityGroupIngress and -Egress: all of the rules or none."""
    group = group_of(call, account_id)
    specs = resolved(call, account_id, requested(call.params))
    present = {spec_of(rule).identity for rule in rules_of(group, egress=egress)}
    for spec in specs:
        if spec.identity in present:
            raise AwsError("InvalidPermission.Duplicate", f'the specified rule "{spec.sentence()}" already exists')
        present.add(spec.identity)
    if len(present) > MAX_RULES:
        raise AwsError(
            "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached."
        )
    added = [_new_rule(group, spec, call.params, egress=egress) for spec in specs]
    rules_of(group, egress=egress).extend(added)
    return {"Return": True, "SecurityGroupRules": [shown(rule) for rule in added]}


def _new_rule(group: SecurityGroup, spec: RuleSpec, params: Mapping[str, Any], *, egress: bool) -> SecurityGroupRule:
    rule = SecurityGroupRule(group.ec2_backend, "-1", group.id, None, None, None, is_egress=egress)
    write(rule, spec)
    for specification in params.get("TagSpecifications", ()):
        if specification.get("ResourceType") == "security-group-rule":
            rule.add_tags({tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags", ())})
    return rule


def revoke(call: ApiRequest, account_id: str, *, egress: bool) -> Mapping[str, Any]:
    """RevokeSecurityGroupIngress and -Egress.

    A rule that is not there is an error in the default VPC and is listed as unknown in any other.
    """
    group = group_of(call, account_id)
    rules = rules_of(group, egress=egress)
    if rule_ids := call.params.get("SecurityGroupRuleIds"):
        return _remove(group, rules_by_id(rules, rule_ids), egress=egress)
    specs = [_leniently_resolved(call, account_id, spec) for spec in requested(call.params)]
    wanted = {spec.identity: spec for spec in specs}
    found = [rule for rule in rules if _is_meant(spec_of(rule), wanted)]
    unknown = wanted.keys() - {spec_of(rule).identity for rule in found}
    vpc = group.ec2_backend.vpcs.get(group.vpc_id)
    if unknown and vpc is not None and vpc.is_default:
        raise _rule_not_found()
    answer = _remove(group, found, egress=egress)
    if unknown:
        answer["UnknownIpPermissions"] = [_permission(spec) for spec in specs if spec.identity in unknown]
    return answer


def _is_meant(present: RuleSpec, wanted: Mapping[Any, RuleSpec]) -> bool:
    """Whether a rule is one of those to revoke: a description, where one is given, must be the same."""
    spec = wanted.get(present.identity)
    return spec is not None and spec.description in (None, present.description)


def _rule_not_found() -> AwsError:
    return AwsError("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")


def _leniently_resolved(call: ApiRequest, account_id: str, spec: RuleSpec) -> RuleSpec:
    if spec.kind != "group" or (spec.peer.startswith("sg-") and spec.peer not in groups_of(call, account_id)):
        return spec
    return resolve(call, account_id, spec)


def _remove(group: SecurityGroup, removed: Sequence[SecurityGroupRule], *, egress: bool) -> dict[str, Any]:
    gone = {rule.id for rule in removed}
    rules = rules_of(group, egress=egress)
    rules[:] = [rule for rule in rules if rule.id not in gone]
    answer: dict[str, Any] = {"Return": True}
    if removed:
        answer["RevokedSecurityGroupRules"] = [shown(rule, revoked=True) for rule in removed]
    return answer


def _permission(spec: RuleSpec) -> dict[str, Any]:
    permission: dict[str, Any] = {"IpProtocol": spec.protocol}
    if spec.protocol != "-1":
        permission |= {"FromPort": spec.from_port, "ToPort": spec.to_port}
    peers = {
        "ipv4": ("IpRanges", {"CidrIp": spec.peer}),
        "ipv6": ("Ipv6Ranges", {"CidrIpv6": spec.peer}),
        "prefix_list": ("PrefixListIds", {"PrefixListId": spec.peer}),
        "group": ("UserIdGroupPairs", {"GroupId": spec.peer, "UserId": spec.owner}),
    }
    name, peer = peers[spec.kind]
    return permission | {name: [peer]}


def modify(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """ModifySecurityGroupRules: each rule gets the values of the request; a peer's kind cannot change."""
    group = group_of(call, account_id)
    rules = [*group.ingress_rules, *group.egress_rules]
    updates = call.params.get("SecurityGroupRules", [])
    targets = rules_by_id(rules, [update["SecurityGroupRuleId"] for update in updates])
    changed = [
        _modified(rule, update.get("SecurityGroupRule", {})) for rule, update in zip(targets, updates, strict=True)
    ]
    for rule, spec in zip(targets, resolved(call, account_id, changed), strict=True):
        write(rule, spec)
    return {"Return": True}


def _modified(rule: SecurityGroupRule, request: Mapping[str, Any]) -> RuleSpec:
    before = spec_of(rule)
    peers = [(kind, name) for kind, name in PEER_OF_KIND.items() if name in request]
    if len(peers) != 1:
        raise AwsError(
            "MissingParameter" if not peers else "InvalidParameterCombination",
            "The request must contain exactly one of: cidrIp, cidrIpv6, prefixListId, or referencedGroupId",
        )
    kind, name = peers[0]
    if kind != before.kind:
        raise invalid(
            f"Invalid rule type for security group rule '{rule.id}'. You may not specify {name} for an existing "
            f"{PEER_OF_KIND[before.kind]} rule."
        )
    peer = network(request[name], 4 if kind == "ipv4" else 6) if kind.startswith("ip") else request[name]
    protocol, from_port, to_port = ports_of(request)
    return RuleSpec(protocol, from_port, to_port, kind, peer, description=request.get("Description"))


def update_descriptions(call: ApiRequest, account_id: str, *, egress: bool) -> Mapping[str, Any]:
    """UpdateSecurityGroupRuleDescriptions*: by rule id or by IpPermissions; no description removes it."""
    group = group_of(call, account_id)
    rules = rules_of(group, egress=egress)
    if described := call.params.get("SecurityGroupRuleDescriptions"):
        targets = rules_by_id(rules, [item["SecurityGroupRuleId"] for item in described])
        for rule, item in zip(targets, described, strict=True):
            write(rule, replace(spec_of(rule), description=item.get("Description")))
        return {"Return": True}
    specs = [spec for permission in call.params.get("IpPermissions", ()) for spec in of_permission(permission)]
    by_identity = {spec_of(rule).identity: rule for rule in rules}
    specs = resolved(call, account_id, specs)
    if any(spec.identity not in by_identity for spec in specs):
        raise _rule_not_found()
    for spec in specs:
        rule = by_identity[spec.identity]
        write(rule, replace(spec_of(rule), description=spec.description))
    return {"Return": True}


ANSWERS: dict[str, Callable[[ApiRequest, str], Mapping[str, Any]]] = {
    "AuthorizeSecurityGroupIngress": partial(authorize, egress=False),
    "AuthorizeSecurityGroupEgress": partial(authorize, egress=True),
    "RevokeSecurityGroupIngress": partial(revoke, egress=False),
    "RevokeSecurityGroupEgress": partial(revoke, egress=True),
    "ModifySecurityGroupRules": modify,
    "UpdateSecurityGroupRuleDescriptionsIngress": partial(update_descriptions, egress=False),
    "UpdateSecurityGroupRuleDescriptionsEgress": partial(update_descriptions, egress=True),
}
