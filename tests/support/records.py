"""Builders of CloudTrail records of the watched calls, in every shape in which CloudTrail writes them.

The shapes follow the EC2 service model's wire names and real records: lower camel case with nested ``items``
for the older calls, the API's own capitals under ``<Call>Request`` for the newer ones.
"""

from __future__ import annotations

from typing import Any

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "444455556666"
REGION = "eu-west-1"
GROUP_ID = "sg-0a1b2c3d4e5f60718"
PEER_ID = "sg-0ffffffffffffffff"
RULE_ID = "sgr-0123456789abcdef0"
LIST_ID = "pl-0123456789abcdef0"
VPC_ID = "vpc-0123456789abcdef0"
EVENT_ID = "5f0e2a34-6f4b-4c39-9a51-0c1b7a2f9d10"

ALICE = {"type": "IAMUser", "userName": "alice", "accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/alice"}
ROOT = {"type": "Root", "accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "principalId": ACCOUNT}

DENIED = "Client.UnauthorizedOperation"
FAILED = "Client.InvalidPermission.Duplicate"
DRY_RUN = "Client.DryRunOperation"
AWS_SAYS_YES = {"requestId": "8c1e5f0a-1111-4222-8333-444455556666", "_return": True}

Json = dict[str, Any]


def record(name: str, request: object, response: object = AWS_SAYS_YES, **fields: Any) -> Json:
    """A record of an EC2 call; ``fields`` replace or add record fields, None removes one."""
    made: Json = {
        "eventVersion": "1.10",
        "userIdentity": ALICE,
        "eventTime": "2026-11-23T10:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "203.0.113.9",
        "userAgent": "aws-cli/2.31.0 md/awscrt#0.27.6",
        "requestParameters": request,
        "responseElements": response,
        "requestID": "8c1e5f0a-1111-4222-8333-444455556666",
        "eventID": EVENT_ID,
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    made.update(fields)
    return {key: value for key, value in made.items() if value is not ABSENT}


ABSENT = object()


def items(*entries: object) -> Json:
    """A list as CloudTrail writes it; an empty one is ``{}``."""
    return {"items": list(entries)} if entries else {}


def permission(
    protocol: object = "tcp",
    low: object = 22,
    high: object = None,
    *,
    v4: tuple[object, ...] = (),
    v6: tuple[object, ...] = (),
    lists: tuple[object, ...] = (),
    groups: tuple[object, ...] = (),
) -> Json:
    """An IpPermission; a peer is its text or a whole entry."""

    def entries(peers: tuple[object, ...], key: str) -> Json:
        return items(*(peer if isinstance(peer, dict) else {key: peer} for peer in peers))

    made: Json = {"ipProtocol": protocol}
    if low is not None:
        made |= {"fromPort": low, "toPort": low if high is None else high}
    return made | {
        "groups": entries(groups, "groupId"),
        "ipRanges": entries(v4, "cidrIp"),
        "ipv6Ranges": entries(v6, "cidrIpv6"),
        "prefixListIds": entries(lists, "prefixListId"),
    }


def world(low: object = 22, high: object = None, protocol: object = "tcp") -> Json:
    """An IpPermission for 0.0.0.0/0."""
    return permission(protocol, low, high, v4=("0.0.0.0/0",))


def authorize(
    *permissions: object,
    direction: str = "Ingress",
    answer: Json | None = None,
    group: Json | None = None,
    **fields: Any,
) -> Json:
    """Authorize with nested lists; without ``answer`` as the records before 2021 are, with no rules in the response."""
    request = (group or {"groupId": GROUP_ID}) | {"ipPermissions": items(*permissions)}
    return record(f"AuthorizeSecurityGroup{direction}", request, AWS_SAYS_YES | (answer or {}), **fields)


def revoke(
    *permissions: object,
    direction: str = "Ingress",
    answer: Json | None = None,
    group: Json | None = None,
    **fields: Any,
) -> Json:
    """Revoke by values."""
    request = (group or {"groupId": GROUP_ID}) | {"ipPermissions": items(*permissions)}
    return record(f"RevokeSecurityGroup{direction}", request, AWS_SAYS_YES | (answer or {}), **fields)


def revoke_by_ids(*rule_ids: str, answer: Json | None = None, **fields: Any) -> Json:
    """Revoke by rule ids only."""
    ids = items(*({"securityGroupRuleId": rule_id} for rule_id in rule_ids))
    request = {"groupId": GROUP_ID, "securityGroupRuleIds": ids}
    return record("RevokeSecurityGroupIngress", request, AWS_SAYS_YES | (answer or {}), **fields)


def stored(
    rule_id: str = RULE_ID,
    *,
    egress: bool = False,
    protocol: str = "tcp",
    low: int = 22,
    high: int | None = None,
    **peer: Any,
) -> Json:
    """A rule as AWS answers it, in ``securityGroupRuleSet`` and ``revokedSecurityGroupRuleSet``."""
    return {
        "groupOwnerId": ACCOUNT,
        "groupId": GROUP_ID,
        "securityGroupRuleId": rule_id,
        "isEgress": egress,
        "ipProtocol": protocol,
        "fromPort": low,
        "toPort": low if high is None else high,
        **peer,
    }


def flat(name: str = "AuthorizeSecurityGroupIngress", response: object = AWS_SAYS_YES, **parameters: Any) -> Json:
    """The short form: protocol, ports and one peer beside the group."""
    return record(name, {"groupId": GROUP_ID, **parameters}, response)


def wrapped(name: str, request: Json, **fields: Any) -> Json:
    """A newer call, its request and answer under its name."""
    answer = {
        f"{name}Response": {"xmlns": "http://ec2.amazonaws.com/doc/2016-11-15/", "requestId": "1", "return": True}
    }
    response = fields.pop("response", answer)
    return record(name, {f"{name}Request": request}, response, **fields)


def new_values(
    rule_id: str = RULE_ID, tag: int = 1, protocol: str = "tcp", low: int = 22, high: int | None = None, **peer: Any
) -> Json:
    """One rule of ModifySecurityGroupRules; capitalized, with the query list's position as ``tag``."""
    values = {"IpProtocol": protocol, "FromPort": low, "ToPort": low if high is None else high, **peer}
    return {"SecurityGroupRuleId": rule_id, "tag": tag, "SecurityGroupRule": values}


def modify(*updates: object, **fields: Any) -> Json:
    """ModifySecurityGroupRules: one rule is an object, several are a list."""
    rules = updates[0] if len(updates) == 1 else list(updates)
    return wrapped("ModifySecurityGroupRules", {"GroupId": GROUP_ID, "SecurityGroupRule": rules}, **fields)


def create(name: str = "web", answer: object = None, **fields: Any) -> Json:
    """CreateSecurityGroup."""
    request = {"groupName": name, "groupDescription": "Web servers", "vpcId": VPC_ID}
    return record("CreateSecurityGroup", request, answer or AWS_SAYS_YES | {"groupId": GROUP_ID}, **fields)


def delete(group: Json | None = None, **fields: Any) -> Json:
    """DeleteSecurityGroup by id, or as ``group`` says."""
    return record("DeleteSecurityGroup", group or {"groupId": GROUP_ID}, **fields)


def association(name: str = "AssociateSecurityGroupVpc", **fields: Any) -> Json:
    """AssociateSecurityGroupVpc or its opposite, wrapped."""
    return wrapped(name, {"GroupId": GROUP_ID, "VpcId": VPC_ID}, **fields)


def describe_by_values(wrapper: bool = True, **fields: Any) -> Json:
    """UpdateSecurityGroupRuleDescriptionsIngress, in either form."""
    name = "UpdateSecurityGroupRuleDescriptionsIngress"
    if not wrapper:
        entry = permission(v4=({"cidrIp": "203.0.113.0/24", "description": "office"},))
        return record(name, {"groupId": GROUP_ID, "ipPermissions": items(entry)}, **fields)
    capitals = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "tag": 1}
    capitals["IpRanges"] = {"CidrIp": "203.0.113.0/24", "Description": "office", "tag": 1}
    return wrapped(name, {"GroupId": GROUP_ID, "IpPermissions": capitals}, **fields)


def describe_by_ids(wrapper: bool = True, **fields: Any) -> Json:
    """UpdateSecurityGroupRuleDescriptionsEgress by rule ids, in either form."""
    name = "UpdateSecurityGroupRuleDescriptionsEgress"
    if wrapper:
        entry = {"SecurityGroupRuleId": RULE_ID, "Description": "mail", "tag": 1}
        return wrapped(name, {"GroupId": GROUP_ID, "SecurityGroupRuleDescription": entry}, **fields)
    described = items({"securityGroupRuleId": RULE_ID, "description": "mail"})
    return record(name, {"groupId": GROUP_ID, "securityGroupRuleDescriptions": described}, **fields)


def samples() -> dict[str, Json]:
    """One or more records of every watched call on rules and groups, by a name that says their shape."""
    answer = {"securityGroupRuleSet": items(stored(cidrIpv4="0.0.0.0/0"))}
    revoked = {"revokedSecurityGroupRuleSet": items(stored(cidrIpv4="0.0.0.0/0", description="old"))}
    absent = {"unknownIpPermissionSet": items(world())}
    return {
        "authorize without an answer": authorize(world()),
        "authorize with an answer": authorize(world(), answer=answer),
        "authorize egress": authorize(world(None, protocol="-1"), direction="Egress"),
        "authorize denied": authorize(world(), errorCode=DENIED, responseElements=None),
        "authorize failed": authorize(world(), errorCode=FAILED, responseElements=None),
        "authorize dry run": authorize(world(), errorCode=DRY_RUN, responseElements=None),
        "authorize flat": flat(ipProtocol="tcp", fromPort=22, toPort=22, cidrIp="0.0.0.0/0"),
        "authorize by name": authorize(world(), group={"groupName": "web"}),
        "authorize without parameters": authorize(requestParameters=None),
        "authorize cut": authorize(requestParameters={"omitted": True, "originalSize": 120384}),
        "revoke without an answer": revoke(world()),
        "revoke with an answer": revoke(world(), answer=revoked),
        "revoke what was not there": revoke(world(), answer=absent),
        "revoke by ids": revoke_by_ids(RULE_ID),
        "revoke by ids with an answer": revoke_by_ids(RULE_ID, answer=revoked),
        "modify one": modify(new_values(CidrIpv4="0.0.0.0/0")),
        "modify several": modify(new_values(CidrIpv6="::/0"), new_values("sgr-2", 2, PrefixListId=LIST_ID)),
        "describe by values": describe_by_values(),
        "describe by values, older form": describe_by_values(wrapper=False),
        "describe by ids": describe_by_ids(),
        "describe by ids, older form": describe_by_ids(wrapper=False),
        "create": create(),
        "delete": delete(),
        "delete by name": delete({"groupName": "web"}),
        "associate": association(),
        "disassociate": association("DisassociateSecurityGroupVpc"),
        "associate denied": association(errorCode=DENIED, response=None),
    }


ELB = "elasticloadbalancing.amazonaws.com"
LOAD_BALANCER_ARN = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/net/web/0123456789abcdef"


def other_samples() -> dict[str, Json]:
    """A record of every watched call on attachments and prefix lists."""
    group = {"SecurityGroupId": {"tag": 1, "content": GROUP_ID}}
    target, resolver = "ipam-pl-resolver-target-0a1", "ipam-pl-resolver-0a1"
    return {
        "interface": record(
            "ModifyNetworkInterfaceAttribute",
            {"networkInterfaceId": "eni-1", "groupSet": items({"groupId": GROUP_ID})},
        ),
        "instance": record("ModifyInstanceAttribute", {"instanceId": "i-1", "groupSet": items({"groupId": GROUP_ID})}),
        "endpoint": wrapped(
            "ModifyVpcEndpoint", {"VpcEndpointId": "vpce-1", "AddSecurityGroupId": {"tag": 1, "content": GROUP_ID}}
        ),
        "connect endpoint": wrapped("ModifyInstanceConnectEndpoint", {"InstanceConnectEndpointId": "eice-1", **group}),
        "client vpn": wrapped("ModifyClientVpnEndpoint", {"ClientVpnEndpointId": "cvpn-endpoint-1", **group}),
        "client vpn network": wrapped(
            "ApplySecurityGroupsToClientVpnTargetNetwork",
            {"ClientVpnEndpointId": "cvpn-endpoint-1", "VpcId": VPC_ID, **group},
        ),
        "load balancer": record(
            "SetSecurityGroups",
            {"loadBalancerArn": LOAD_BALANCER_ARN, "securityGroups": [GROUP_ID]},
            eventSource=ELB,
        ),
        "classic load balancer": record(
            "ApplySecurityGroupsToLoadBalancer",
            {"loadBalancerName": "old", "securityGroups": [GROUP_ID]},
            eventSource=ELB,
        ),
        "list": wrapped(
            "ModifyManagedPrefixList",
            {"PrefixListId": LIST_ID, "CurrentVersion": 3, "AddEntry": {"Cidr": "203.0.113.0/24", "tag": 1}},
        ),
        "list restored": wrapped(
            "RestoreManagedPrefixListVersion", {"PrefixListId": LIST_ID, "PreviousVersion": 1, "CurrentVersion": 3}
        ),
        "list target": wrapped(
            "CreateIpamPrefixListResolverTarget",
            {"IpamPrefixListResolverId": resolver, "PrefixListId": LIST_ID, "PrefixListRegion": REGION},
        ),
        "list target changed": wrapped(
            "ModifyIpamPrefixListResolverTarget", {"IpamPrefixListResolverTargetId": target, "DesiredVersion": 2}
        ),
        "list resolver": wrapped(
            "ModifyIpamPrefixListResolver",
            {
                "IpamPrefixListResolverId": resolver,
                "Rule": {"tag": 1, "RuleType": "static-cidr", "StaticCidr": "203.0.113.0/24"},
            },
        ),
    }
