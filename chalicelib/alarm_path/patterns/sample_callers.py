"""Made-up callers of EC2: the fields of a CloudTrail record on who called, from where, with what.

One per shape that ``userIdentity`` takes in successful calls, so that a filter which singles out
callers is found out; SAMLUser and WebIdentityUser call AWS STS alone. Values that anybody may choose are varied from
the filter's own, elsewhere.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from chalicelib.cloudtrail.catalog import EC2

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "444455556666"
CREATED = "2026-11-23T09:00:00Z"

_CONSOLE = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
_EC2_CONSOLE = "console.ec2.amazonaws.com"
_INTERNAL = "AWS Internal"
_CLI = "aws-cli/2.17.0 md/awscrt#0.20.11 ua/2.0 os/linux#6.1 lang/python#3.11.8 cfg/retry-mode#standard"
_BOTO3 = "Boto3/1.35.0 md/Botocore#1.35.0 ua/2.0 os/linux#6.1 lang/python#3.12.4 Botocore/1.35.0"
_TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.9.0 terraform-provider-aws/5.60.0 aws-sdk-go-v2/1.30.0"


_IDENTITY_CENTER_USER = {
    "userId": "90678400-0001",
    "identityStoreArn": f"arn:aws:identitystore::{ACCOUNT}:identitystore/d-0123456789",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A kind of caller; ``is_service`` where AWS calls on somebody's behalf and fills in address and agent."""

    kind: str
    fields: dict[str, Any]
    is_service: bool


# Always the same in a successful call of the watched events, but for the times and ids.
_FIXED: dict[str, Any] = {
    "eventVersion": "1.10",
    "eventTime": "2026-11-23T10:00:00Z",
    "requestID": "11111111-2222-3333-4444-555555555555",
    "eventID": "66666666-7777-8888-9999-000000000000",
    "readOnly": False,
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "eventCategory": "Management",
}


# Calls that are no security group changes; whether they write, and their source.
_UNRELATED = (
    ("DescribeSecurityGroups", EC2, True),
    ("CreateTags", EC2, False),
    ("RunInstances", EC2, False),
    ("CreateNetworkAclEntry", EC2, False),
    ("CreateVpc", EC2, False),
    ("DeleteVpc", EC2, False),
    ("ModifyVpcAttribute", EC2, False),
    ("AuthorizeClusterSecurityGroupIngress", "redshift.amazonaws.com", False),
    ("CreateDBSecurityGroup", "rds.amazonaws.com", False),
    ("SetSecurityGroups", "elasticloadbalancing.amazonaws.com", False),
    ("PutRolePolicy", "iam.amazonaws.com", False),
)
UNRELATED_NAMES = frozenset(name for name, _, _ in _UNRELATED)


def call_of(caller: Caller, event: str, source: str = EC2) -> dict[str, Any]:
    """A record of this caller's successful call, without its request and answer."""
    return {"eventSource": source, "eventName": event, **_FIXED, **caller.fields}


@cache
def unrelated_records() -> tuple[dict[str, Any], ...]:
    """Records of a few calls that are no security group changes, by every kind of caller."""
    empty: dict[str, Any] = {"requestParameters": {}, "responseElements": None}
    return tuple(
        {**call_of(caller, name, source), "readOnly": read_only, **empty}
        for name, source, read_only in _UNRELATED
        for caller in callers()
    )


@cache
def callers() -> tuple[Caller, ...]:
    """Every kind of caller."""
    return (*_people(), *_roles(), *_federated(), *_services())


def _session(mfa: bool | None = None, issuer: str | None = None, **more: Any) -> dict[str, Any]:
    context: dict[str, Any] = dict(more)
    if issuer is not None:
        path = f"aws-service-role/{issuer}" if issuer.startswith("AWSServiceRole") else issuer
        arn = f"arn:aws:iam::{ACCOUNT}:role/{path}"
        context["sessionIssuer"] = {
            "type": "Role",
            "principalId": "AROAEXAMPLE",
            "arn": arn,
            "accountId": ACCOUNT,
            "userName": issuer,
        }
    context["attributes"] = {"creationDate": CREATED, "mfaAuthenticated": "true" if mfa else "false"}
    return context


def _tls(region: str = "us-east-1") -> dict[str, str]:
    host = f"ec2.{region}.amazonaws.com"
    return {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": host}


def _called(kind: str, identity: dict[str, Any], agent: str, address: str = "203.0.113.7", **more: Any) -> Caller:
    service = address.endswith(".amazonaws.com") or address == _INTERNAL
    region = more.pop("region", "us-east-1")
    account = more.pop("account", ACCOUNT)
    fields = {
        "userIdentity": identity,
        "awsRegion": region,
        "sourceIPAddress": address,
        "userAgent": agent,
        "recipientAccountId": account,
    }
    if agent in (_CLI, _BOTO3, _TERRAFORM, _CONSOLE):
        fields["tlsDetails"] = _tls(region)
    return Caller(kind, fields | more, service)


def _user(name: str, key: str, session: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    identity: dict[str, Any] = {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "userName": name,
    }
    return identity | ({"sessionContext": session} if session else {}) | more


def _root(key: str, session: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:iam::{ACCOUNT}:root"
    identity = {"type": "Root", "principalId": ACCOUNT, "arn": arn, "accountId": ACCOUNT, "accessKeyId": key}
    return identity | ({"sessionContext": session} if session else {}) | more


def _role(role: str, session_name: str, session: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{session_name}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session_name}",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAEXAMPLE",
        "sessionContext": session,
    } | more


def _people() -> tuple[Caller, ...]:
    console = {"sessionCredentialFromConsole": "true"}
    formation = "cloudformation.amazonaws.com"
    through: dict[str, Any] = {"session": _session(), "invokedBy": formation}
    return (
        _called("root in the console", _root("ASIAEXAMPLE", _session(mfa=True)), _CONSOLE, **console),
        _called("root in the console without MFA", _root("ASIAEXAMPLE", _session()), _INTERNAL, **console),
        _called("root with a key", _root("AKIAEXAMPLE"), _CLI, "2001:db8::7"),
        _called("user in the console", _user("maria", "ASIAEXAMPLE", _session(mfa=True)), _EC2_CONSOLE, **console),
        _called("user in the console without MFA", _user("maria", "ASIAEXAMPLE", _session()), _CONSOLE, **console),
        _called("user with a key", _user("deployer", "AKIAEXAMPLE"), _CLI, region="eu-west-1"),
        _called("user with a session token", _user("maria", "ASIAEXAMPLE", _session(mfa=True)), _BOTO3, "198.51.100.9"),
        _called("root through CloudFormation", _root("ASIAEXAMPLE", **through), formation, formation),
        *_late(),
        _called("user through CloudFormation", _user("maria", "ASIAEXAMPLE", **through), formation, formation),
    )


def _late() -> tuple[Caller, ...]:
    """Records that came late; one with UPDATED_DATA supplements another that came before it.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """
    return tuple(
        _called("late record of a user", _user("deployer", "AKIAEXAMPLE"), _CLI, addendum={"reason": reason})
        for reason in ("DELIVERY_DELAY", "SERVICE_OUTAGE")
    )


def _roles() -> tuple[Caller, ...]:
    console = {"sessionCredentialFromConsole": "true"}
    endpoint = {"vpcEndpointId": "vpce-0abc", "vpcEndpointAccountId": ACCOUNT}
    sourced = _session(issuer="ci", sourceIdentity="maria")
    oidc = {"federatedProvider": "cognito-identity.amazonaws.com", "attributes": {}}
    other = {"account": OTHER_ACCOUNT, "region": "us-gov-west-1"}
    admin = _role("admin", "maria", _session(mfa=True, issuer="admin"))
    from_web = _role("oidc", "gh", _session(issuer="oidc", webIdFederationData=oidc))
    return (
        _called("role from the command line", _role("ci", "build-7", _session(issuer="ci")), _CLI, region="eu-west-1"),
        _called("role in the console", admin, _CONSOLE, **console),
        _called("role with a source identity", _role("ci", "build-7", sourced), _TERRAFORM, "10.0.1.5", **endpoint),
        *_identity_center_roles(),
        *_on_compute(),
        _called("web identity's role", from_web, _TERRAFORM),
        _called("role of another account", _role("audit", "x", _session(issuer="audit")), _CLI, **other),
        *_roles_through_services(),
    )


def _identity_center_roles() -> tuple[Caller, ...]:
    name = "AWSReservedSSO_AdministratorAccess_0123456789abcdef"
    role = _role(name, "maria@example.com", _session(issuer=name))
    return (
        _called("Identity Center in the console", role, _CONSOLE, sessionCredentialFromConsole="true"),
        _called("Identity Center", role | {"onBehalfOf": _IDENTITY_CENTER_USER}, _CLI),
    )


def _on_compute() -> tuple[Caller, ...]:
    """Roles of instances, by both versions of the metadata service, and of functions."""
    scope = {"issuerType": "AWS::EC2::Instance", "credentialsIssuedTo": "i-0abc"}
    first = _role("web", "i-0abc", _session(issuer="web", ec2RoleDelivery="1.0"))
    second = _role("web", "i-0abc", _session(issuer="web", ec2RoleDelivery="2.0"), inScopeOf=scope)
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:opener"
    issued = {"issuerType": "AWS::Lambda::Function", "credentialsIssuedTo": f"arn:aws:iam::{ACCOUNT}:role/opener"}
    in_function = {"sourceArn": function, "sourceAccount": ACCOUNT, **issued}
    of_function = _role("opener", "opener", _session(issuer="opener"), inScopeOf=in_function)
    return (
        _called("instance by the first metadata service", first, _BOTO3, "10.0.1.5"),
        _called("instance", second, _BOTO3, "10.0.1.5"),
        _called("function", of_function, _BOTO3),
    )


def _roles_through_services() -> tuple[Caller, ...]:
    formation, scaling, linked = (
        "cloudformation.amazonaws.com",
        "autoscaling.amazonaws.com",
        "AWSServiceRoleForAutoScaling",
    )
    through = _role("cfn", "AWSCloudFormation", _session(issuer="cfn"), invokedBy=formation)
    without_key = {key: value for key, value in through.items() if key != "accessKeyId"}
    by_scaling = _role(linked, "AutoScaling", _session(issuer=linked), invokedBy=scaling)
    return (
        _called("role through CloudFormation", through, formation, formation),
        _called("role through CloudFormation without its key", without_key, formation, formation),
        _called("service-linked role", by_scaling, scaling, scaling),
    )


def _federated() -> tuple[Caller, ...]:
    def of(kind: str, **more: str) -> dict[str, Any]:
        return {"type": kind, "principalId": f"{ACCOUNT}:maria", "accountId": ACCOUNT} | more

    def federated(issuer: dict[str, Any]) -> dict[str, Any]:
        arn = f"arn:aws:sts::{ACCOUNT}:federated-user/maria"
        session = {"sessionIssuer": issuer, "attributes": _session()["attributes"]}
        return {**of("FederatedUser"), "arn": arn, "accessKeyId": "ASIAEXAMPLE", "sessionContext": session}

    root = {"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}
    return (
        _called("federated user", federated(_user("broker", "-")), _BOTO3),
        _called("federated user by root", federated(root), _BOTO3),
        _called("directory user", of("Directory", userName="maria"), _CLI),
        _called("role identity", of("Role", arn=f"arn:aws:iam::{ACCOUNT}:role/ci"), _CLI),
        _called("unknown identity", of("Unknown"), _CLI),
        _called(
            "Identity Center user",
            {
                "type": "IdentityCenterUser",
                "accountId": ACCOUNT,
                "onBehalfOf": _IDENTITY_CENTER_USER,
                "credentialId": "EXAMPLE-CREDENTIAL",
            },
            _CLI,
        ),
    )


def _services() -> tuple[Caller, ...]:
    scaling, name = "autoscaling.amazonaws.com", "AWSService"
    other = {"type": "AWSAccount", "principalId": "AROAEXAMPLE:x", "accountId": OTHER_ACCOUNT}
    # The call's record in the other account has the same: AWS writes one for each account that is concerned.
    shared = {"sharedEventID": "77777777-8888-4999-8000-111111111111"}
    return (
        _called("AWS service", {"type": name, "invokedBy": scaling}, scaling, scaling),
        _called("AWS itself", {"type": name, "invokedBy": _INTERNAL}, _INTERNAL, _INTERNAL),
        _called("another account", other, _CLI, "198.51.100.9", **shared),
        _called("another account through a service", other | {"invokedBy": scaling}, scaling, scaling, **shared),
    )
