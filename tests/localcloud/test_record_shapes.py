"""Records of the local cloud beside real ones of the same calls.

tests/data/real_calls.jsonl: records from public repositories, each with its source, chosen from those
that were captured from AWS as security group calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.callers import Credentials

REAL = [json.loads(line) for line in Path("tests/data/real_calls.jsonl").read_text().splitlines()]

# Key paths that one side has and the other has not, and why.
EXPLAINED = {
    "responseElements.securityGroupArn": "EC2 answers it since 2025; the records are older",
    "responseElements.groupId": "DeleteSecurityGroup answers it since 2025; the record is older",
    "userIdentity.sessionContext.sessionIssuer": "written empty for users until 2023",
    "userIdentity.sessionContext.webIdFederationData": "the same",
    "tlsDetails": "left out of the console's own calls, and of early records",
    "tlsDetails.tlsVersion": "the same",
    "tlsDetails.cipherSuite": "the same",
    "tlsDetails.clientProvidedHostHeader": "the same",
}
NEWER = ("eventCategory", "readOnly", "managementEvent", "responseElements.securityGroupRuleSet")


def key_paths(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"{path}.{key}".lstrip(".")
            yield from key_paths(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from key_paths(item, f"{path}[]")


def play(cloud: LocalCloud, real: Mapping[str, Any]) -> dict[str, Any]:
    """Make the call of a real record in the local cloud; its record there."""
    identity = real["userIdentity"]
    console = real.get("sessionCredentialFromConsole") == "true"
    credentials: Credentials
    if identity["type"] == "AssumedRole":
        credentials = cloud.identities.role_session("Operator", "somebody@example.com", console=console)
    else:
        credentials = cloud.identities.user(f"somebody-{console}".lower(), session="sessionContext" in identity)
        if console:
            cloud.identities.callers.mark_console(credentials.access_key_id)
    admin, client = cloud.client("ec2"), cloud.client("ec2", credentials=credentials)
    PLAYERS[real["eventName"]](admin, client, real["requestParameters"])
    return next(item for item in reversed(cloud.records) if item["eventName"] == real["eventName"])


def _group(admin: Any) -> str:
    vpc = admin.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group: str = admin.create_security_group(GroupName="played", Description="d", VpcId=vpc)["GroupId"]
    return group


def _permissions(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = {"ipRanges": ("IpRanges", "CidrIp", "cidrIp")}
    found = []
    for item in parameters["ipPermissions"]["items"]:
        permission = {"IpProtocol": item["ipProtocol"]}
        permission |= {key[:1].upper() + key[1:]: int(item[key]) for key in ("fromPort", "toPort") if key in item}
        for key, (name, member, wire) in names.items():
            permission[name] = [{member: entry[wire]} for entry in item[key]["items"]]
        found.append(permission)
    return found


def _authorize(admin: Any, client: Any, parameters: Mapping[str, Any]) -> None:
    if "cidrIp" in parameters:
        client.authorize_security_group_ingress(
            GroupId=_group(admin),
            IpProtocol=parameters["ipProtocol"],
            FromPort=parameters["fromPort"],
            ToPort=parameters["toPort"],
            CidrIp="203.0.113.0/24",
        )
    else:
        client.authorize_security_group_ingress(GroupId=_group(admin), IpPermissions=_permissions(parameters))


def _revoke(admin: Any, client: Any, parameters: Mapping[str, Any]) -> None:
    group, permissions = _group(admin), _permissions(parameters)
    admin.authorize_security_group_ingress(GroupId=group, IpPermissions=permissions)
    client.revoke_security_group_ingress(GroupId=group, IpPermissions=permissions)


def _modify(admin: Any, client: Any, parameters: Mapping[str, Any]) -> None:
    group = _group(admin)
    rule = admin.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp="10.0.0.0/8"
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    new = parameters["ModifySecurityGroupRulesRequest"]["SecurityGroupRule"]["SecurityGroupRule"]
    client.modify_security_group_rules(
        GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": new}]
    )


def _create(admin: Any, client: Any, parameters: Mapping[str, Any]) -> None:
    vpc = admin.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    client.create_security_group(
        GroupName=parameters["groupName"], Description=parameters["groupDescription"], VpcId=vpc
    )


def _delete(admin: Any, client: Any, _: Mapping[str, Any]) -> None:
    client.delete_security_group(GroupId=_group(admin))


PLAYERS = {
    "AuthorizeSecurityGroupIngress": _authorize,
    "RevokeSecurityGroupIngress": _revoke,
    "ModifySecurityGroupRules": _modify,
    "CreateSecurityGroup": _create,
    "DeleteSecurityGroup": _delete,
}


@pytest.mark.parametrize("line", REAL, ids=[f"{line['record']['eventName']} {line['source'][:40]}" for line in REAL])
def test_a_record_has_the_key_paths_of_a_real_one(cloud: LocalCloud, line: Mapping[str, Any]) -> None:
    real = line["record"]
    assert differing(cloud, real) - EXPLAINED.keys() == set()


def differing(cloud: LocalCloud, real: Mapping[str, Any]) -> set[str]:
    ours, theirs = set(key_paths(play(cloud, real))), set(key_paths(real))
    if real["eventVersion"] < "1.08":  # what came with later versions of records, and with rule ids in 2021
        ours = {path for path in ours if not path.startswith(NEWER)}
    return ours ^ theirs


def test_every_explained_key_path_is_needed(cloud: LocalCloud) -> None:
    assert EXPLAINED.keys() - {path for line in REAL for path in differing(cloud, line["record"])} == set()
