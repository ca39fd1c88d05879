"""Alerts of records unlike those in AWS's examples, word for word: callers, ranges, shapes of requests and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.security_groups.changes import NotWatched
from tests.alert.test_whole_alerts import shown
from tests.support import records as r
from tests.support.goldens import check_golden

Json = dict[str, Any]
INNER = r.permission(v4=("10.0.0.0/8",))
CLOUDFORMATION = "cloudformation.amazonaws.com"


def session(role: str, name: str, *, account: str = r.ACCOUNT, path: str = "", partition: str = "aws") -> Json:
    issuer = {"type": "Role", "arn": f"arn:{partition}:iam::{account}:role/{path}{role}", "userName": role}
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLEID:{name}",
        "arn": f"arn:{partition}:sts::{account}:assumed-role/{role}/{name}",
        "accountId": account,
        "sessionContext": {"attributes": {"mfaAuthenticated": "false"}, "sessionIssuer": issuer},
    }


def callers() -> Iterator[tuple[str, Json]]:
    root = {"type": "Root", "accountId": r.ACCOUNT}
    assumed = {"assumedRoot": "true", "sessionIssuer": {"type": "Root", "arn": f"arn:aws:iam::{r.ACCOUNT}:root"}}
    pipeline = session("pipeline", "GitHubActions")
    provider = f"arn:aws:iam::{r.ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    pipeline["sessionContext"]["webIdFederationData"] = {"federatedProvider": provider}
    chained = session("deploy", "i-0abc1234567890def")
    chained["sessionContext"]["sourceIdentity"] = "carol@example.com"
    reserved = "aws-reserved/sso.amazonaws.com/"
    set_name = "AWSReservedSSO_Admin_0123456789abcdef"
    balancing = {"type": "AWSService", "invokedBy": "elasticloadbalancing.amazonaws.com"}
    broker = {"type": "IAMUser", "arn": f"arn:aws:iam::{r.ACCOUNT}:user/broker", "userName": "broker"}
    federated = {"type": "FederatedUser", "principalId": f"{r.ACCOUNT}:bob", "accountId": r.ACCOUNT}
    for name, identity in {
        "a stack's role": {**session("stack", "AWSCloudFormation"), "invokedBy": CLOUDFORMATION},
        "a service": balancing,
        "a session of root in a member account": {**root, "sessionContext": assumed},
        "root with an alias": {**root, "userName": "prod"},
        "root of another account": {**root, "accountId": r.OTHER_ACCOUNT},
        "a federated user": {**federated, "sessionContext": {"sessionIssuer": broker}},
        "a pipeline": pipeline,
        "Identity Center in GovCloud": session(set_name, "dana@example.com", path=reserved, partition="aws-us-gov"),
        "Identity Center in China": session(
            set_name, "li@example.com", path=f"{reserved}cn-north-1/", partition="aws-cn"
        ),
        "a role of another account": session("vendor", "s", account=r.OTHER_ACCOUNT),
        "a chained role": chained,
        "a user id alone": {"type": "IdentityCenterUser", "onBehalfOf": {"userId": "544894e8-80c1-707f-60e3"}},
        "a directory's user": {"type": "Directory", "accountId": r.ACCOUNT, "userName": "corp\\joe"},
        "nobody": {"type": "Unknown", "principalId": "", "accountId": "", "userName": ""},
        "an account": {"type": "AWSAccount", "principalId": "AROA:s", "accountId": r.OTHER_ACCOUNT},
    }.items():
        yield name, r.authorize(r.world(), userIdentity=identity)
    yield "an identity that is a text", r.authorize(r.world(), userIdentity='{"type": "Root"}')
    yield "inside AWS", r.authorize(r.world(), userAgent="AWS Internal", sourceIPAddress="AWS Internal")
    for region in ("cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1"):
        yield region, r.authorize(r.world(), awsRegion=region)


def ranges() -> Iterator[tuple[str, Json]]:
    v4 = (
        *("0.0.0.0/00", "0.0.0.0/0.0.0.0", "1.2.3.4/0", "0/0", "0.0.0.0", "10.0.0.0/0.255.255.255"),
        *("224.0.0.0/3", "169.254.169.254/32", "100.64.0.0/10", "::/0", "0.0.0.0/0\u00a0"),
    )
    v6 = (
        *("2000::/3", "::ffff:0:0/96", "::ffff:0.0.0.0/96", "64:ff9b::/96", "2002::/16", "0.0.0.0/0"),
        *("0000:0000:0000:0000:0000:0000:0000:0000/0", "2001:0DB8::/32", "fe80::1%eth0/64"),
    )
    for value in v4:
        yield f"{value!a} as IPv4", r.authorize(r.permission(v4=(value,)))
    for value in v6:
        yield f"{value} as IPv6", r.authorize(r.permission(v6=(value,)))
    yield "two halves", r.authorize(r.permission(v4=("0.0.0.0/1", "128.0.0.0/1")))
    halves = (r.permission("tcp", 22, v4=("0.0.0.0/1",)), r.permission("tcp", 23, v4=("128.0.0.0/1",)))
    yield "two halves of other ports", r.authorize(*halves)


def services() -> Iterator[tuple[str, Json]]:
    whole = {"ipRanges": r.items({"cidrIp": "0.0.0.0/0"})}
    for low, high in ((-1, -1), (0, 0), (1, 65535), (80, 443), (443, 80), ("22", "22"), (None, 22), (22, None)):
        entry = {"ipProtocol": "tcp", "fromPort": low, "toPort": high, **whole}
        yield f"tcp {low!r} to {high!r}", r.authorize({key: value for key, value in entry.items() if value is not None})
    for protocol, port in (
        *((6, 22), ("TCP ", 22), (" -1 ", None), ("-1", 22), ("udp", 3389), ("132", None), ("47", 0), ("0", None)),
        *((1, -1), ("58", 128), ("icmpv6", -1), ("any", None), ("-2", None), ("255", None)),
    ):
        yield f"{protocol!r} {port}", r.authorize(r.permission(protocol, port, v4=("0.0.0.0/0",)))


def answers() -> Iterator[tuple[str, Json]]:
    wide = {"securityGroupRuleSet": r.items(r.stored(cidrIpv4="0.0.0.0/0"))}
    info = {"groupId": "sg-9", "userId": r.OTHER_ACCOUNT, "vpcId": "vpc-9"}
    yield "wider than the request", r.authorize(INNER, answer=wide)
    yield "one rule without a list", r.authorize(INNER, answer={"securityGroupRuleSet": {"items": r.stored()}})
    yield "an empty list", r.authorize(r.world(), answer={"securityGroupRuleSet": {}})
    peer = {"securityGroupRuleSet": r.items(r.stored(referencedGroupInfo=info))}
    yield "whose group it is", r.authorize(r.permission(groups=("sg-9",)), answer=peer)
    revoked = {"revokedSecurityGroupRuleSet": r.items(r.stored(cidrIpv4="0.0.0.0/0"))}
    absent = {"unknownIpPermissionSet": r.items(r.permission("tcp", 443, v4=("10.0.0.0/8",)))}
    both = (r.world(), r.permission("tcp", 443, v4=("10.0.0.0/8",)))
    yield "one removed and one not there", r.revoke(*both, answer=revoked | absent)
    yield "a message without a code", r.authorize(r.world(), errorMessage="You are not authorized.")
    asked = {"groupId": r.GROUP_ID, "dryRun": True, "ipPermissions": r.items(r.world())}
    yield "a dry run without a code", r.record("AuthorizeSecurityGroupIngress", asked)
    for name in ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"):
        request = {"groupId": r.GROUP_ID, "ipPermissions": r.items(r.world())}
        yield f"{name} answered no", r.record(name, request, {"_return": False})


def peers() -> Iterator[tuple[str, Json]]:
    pairs: dict[str, Json] = {
        "itself": {"groupId": r.GROUP_ID, "userId": r.ACCOUNT},
        "over a peering": {"groupId": "sg-9", "userId": r.OTHER_ACCOUNT, "vpcPeeringConnectionId": "pcx-1"},
        "over a deleted peering": {"groupId": "sg-9", "userId": r.OTHER_ACCOUNT, "peeringStatus": "deleted"},
        "of another VPC": {"groupId": "sg-9", "userId": r.ACCOUNT, "vpcId": "vpc-9"},
    }
    for name, pair in pairs.items():
        yield name, r.authorize(r.permission(groups=(pair,)))
    own = {"groupId": "sg-9", "userId": "012345678901"}
    for account in (12345678901, "12345678901"):
        user = {"type": "IAMUser", "userName": "alice", "accountId": account}
        fields: Json = {"recipientAccountId": account, "userIdentity": user}
        yield f"of an account without its zero: {account!r}", r.authorize(r.permission(groups=(own,)), **fields)
    elb = {"sourceSecurityGroupName": "amazon-elb-sg", "sourceSecurityGroupOwnerId": "amazon-elb"}
    yield "a classic load balancer's", r.flat(**elb)
    default: Json = {"groupId": None, "groupName": "default", "ipProtocol": "tcp", "fromPort": "22", "toPort": "22"}
    yield "into a default group by its name", r.flat(**default, cidrIp="10.0.0.0/8")
    described = {"cidrIp": "203.0.113.7/32", "description": "a\n*b*"}
    yield "with a description of two lines", r.authorize(r.permission(v4=(described,)))


def updates() -> Iterator[tuple[str, Json]]:
    words = {"SecurityGroupRuleId": "sgr-1", "tag": 1, "SecurityGroupRule": {"Description": "x"}}
    part = {"SecurityGroupRuleId": "sgr-2", "tag": 2, "SecurityGroupRule": {"CidrIpv4": "0.0.0.0/0"}}
    whole = {"ipProtocol": "-1", "fromPort": -1, "toPort": -1, "cidrIpv6": "::/0"}
    one = r.items({"securityGroupRuleId": "sgr-1", "securityGroupRule": whole})
    wide, inner = r.new_values(CidrIpv4="0.0.0.0/0"), r.new_values(CidrIpv4="10.0.0.0/8")
    yield "a description alone", r.modify(words)
    yield "one that is read and one that is not", r.modify(wide, part)
    yield "a group by its id", r.modify(r.new_values(ReferencedGroupId="sg-9"))
    yield "in small letters", r.record("ModifySecurityGroupRules", {"groupId": r.GROUP_ID, "securityGroupRules": one})
    yield "the same rule twice", r.modify(inner, wide)
    yield "denied, without a request", r.record("ModifySecurityGroupRules", None, None, errorCode=r.DENIED)
    answer = {"ModifySecurityGroupRulesResponse": {"requestId": "1", "return": False}}
    yield "answered no", r.modify(wide, response=answer)
    same = {
        "groupId": r.GROUP_ID,
        "ModifySecurityGroupRulesRequest": {"groupId": r.GROUP_ID, "SecurityGroupRule": wide},
    }
    yield "the group beside and in the request", r.record("ModifySecurityGroupRules", same)
    cleared = {"groupId": r.GROUP_ID, "securityGroupRuleDescriptions": r.items({"securityGroupRuleId": "sgr-1"})}
    yield "a description taken away", r.record("UpdateSecurityGroupRuleDescriptionsIngress", cleared)
    yield "described by root", r.describe_by_values(userIdentity=r.ROOT)


def resources() -> Iterator[tuple[str, Json]]:
    calls: dict[str, tuple[str, Json]] = {
        "an interface with two groups": ("ModifyNetworkInterfaceAttribute", {"groupSet": ["sg-1", "sg-2"]}),
        "an interface without groups": (
            "ModifyNetworkInterfaceAttribute",
            {"groupSet": {}, "sourceDestCheck": {"value": False}},
        ),
        "an interface with a new parameter": ("ModifyNetworkInterfaceAttribute", {"ipPrefixFilter": "x"}),
        "an instance's hidden user data": ("ModifyInstanceAttribute", {"userData": "<sensitiveDataRemoved>"}),
        "an endpoint's policy": ("ModifyVpcEndpoint", {"VpcEndpointId": "vpce-1", "PolicyDocument": "{}"}),
        "an endpoint's groups": (
            "ModifyVpcEndpoint",
            {"AddSecurityGroupId": {"tag": 1, "content": "sg-1"}, "RemoveSecurityGroupId": ["sg-2", "sg-3"]},
        ),
        "an Instance Connect endpoint": ("ModifyInstanceConnectEndpoint", {"PreserveClientIp": False}),
        "a Client VPN of a VPC": ("ModifyClientVpnEndpoint", {"ClientVpnEndpointId": "cvpn-1", "VpcId": "vpc-1"}),
    }
    for name, (call, request) in calls.items():
        yield name, r.record(call, request)
    for call in (
        *("ModifyInstanceAttribute", "ModifyVpcEndpoint", "ModifyManagedPrefixList", "ModifyIpamPrefixListResolver"),
        *("CreateIpamPrefixListResolverTarget", "ApplySecurityGroupsToClientVpnTargetNetwork"),
    ):
        yield f"{call} denied, without a request", r.record(call, None, None, errorCode=r.DENIED)
    denied = {"eventSource": r.ELB, "errorCode": "AccessDenied"}
    yield "a load balancer, denied, without a request", r.record("SetSecurityGroups", None, None, **denied)
    gone = {"loadBalancerArn": r.LOAD_BALANCER_ARN, "securityGroups": []}
    yield (
        "no group for a load balancer",
        r.record("SetSecurityGroups", gone, {"securityGroupIds": []}, eventSource=r.ELB),
    )


def categories() -> Iterator[tuple[str, Json]]:
    activity: Json = {"eventCategory": "NetworkActivity", "eventType": "AwsVpceEvent", "requestParameters": r.ABSENT}
    yield "network activity", r.authorize(**activity)
    yield "network activity that IAM denied", r.authorize(**activity, errorCode="AccessDenied")
    yield "network activity that an endpoint denied", r.authorize(**activity, errorCode="VpceAccessDenied")
    insight = {"insightDetails": {"eventName": "AuthorizeSecurityGroupIngress"}, "eventCategory": "Insight"}
    yield "an insight", {"eventType": "AwsCloudTrailInsight", "recipientAccountId": r.ACCOUNT, **insight}
    yield "a service event", r.authorize(r.world(), eventType="AwsServiceEvent")
    yield "a delayed record", r.authorize(r.world(), addendum={"reason": "DELIVERY_DELAY"})
    yield "an old record", r.authorize(r.world(), eventVersion="1.0", eventCategory=r.ABSENT, eventType=r.ABSENT)
    for code in (
        *("Client.AuthFailure", "Server.InternalError", "AccessDeniedException", "ExpiredToken", "\\N", "<null>"),
        *("Client.OperationNotPermitted", "Client.RulesPerSecurityGroupLimitExceeded", "\u2014", "(none)"),
    ):
        yield f"error code {code!a}", r.authorize(r.world(), errorCode=code)


@pytest.mark.parametrize(
    "made",
    [callers, ranges, services, answers, peers, updates, resources, categories],
    ids=lambda made: str(made.__name__),
)
def test_alerts_of_odd_records_word_for_word(made: Callable[[], Iterator[tuple[str, Json]]]) -> None:
    said = []
    for name, record in made():
        try:
            said.append(shown(name, alert_of(record), brief=made in (ranges, services)))
        except NotWatched as reason:
            said.append(f"== {name}\n  silent: {reason}\n")
    check_golden(Path("alerts") / f"odd_{made.__name__}.txt", "".join(said))
