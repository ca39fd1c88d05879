"""The AWS CLI's usual spellings of every watched call: what the alert says is what happened to the group.

sgwatch is deployed with ``chalice deploy``; each call goes the whole way to a webhook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.alert.model import Alert, from_json
from chalicelib.security_groups.changes import Changes, Outcome
from chalicelib.security_groups.rules import RuleDiff, SecurityGroupRule, diff
from chalicelib.security_groups.wire_rules import read_rule_set
from localcloud import LocalCloud
from tests.support.unknowns import sentences

WORLD = "0.0.0.0/0"


@dataclass(frozen=True)
class Scene:
    """A group with rules, and the ids that a spelling may name."""

    client: Any
    names: dict[str, str]

    def rules(self) -> tuple[SecurityGroupRule, ...]:
        filters = [{"Name": "group-id", "Values": [self.names["group"]]}]
        found = self.client.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
        reading = read_rule_set({"items": [_lowered(rule) for rule in found]})
        assert not reading.problems
        return reading.rules


def _lowered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lowered(inner) for key, inner in value.items()}
    return value


@pytest.fixture
def scene(deployed: LocalCloud, request: pytest.FixtureRequest) -> Scene:
    client = deployed.client("ec2")
    name = f"web-{abs(hash(request.node.name))}"
    group = client.create_security_group(GroupName=name, Description="d")["GroupId"]
    other = client.create_security_group(GroupName=f"{name}-other", Description="d")["GroupId"]
    lists = client.create_managed_prefix_list(PrefixListName=name, MaxEntries=5, AddressFamily="IPv4")
    permissions = [
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": WORLD, "Description": "site"}]},
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]},
    ]
    added = client.authorize_security_group_ingress(GroupId=group, IpPermissions=permissions)["SecurityGroupRules"]
    ids = [rule["SecurityGroupRuleId"] for rule in added]
    [egress] = [rule.id or "" for rule in Scene(client, {"group": group}).rules() if rule.direction == "egress"]
    return Scene(
        client,
        {
            "group": group,
            "name": name,
            "other": other,
            "other_name": f"{name}-other",
            "list": lists["PrefixList"]["PrefixListId"],
            "https": ids[0],
            "ssh": ids[1],
            "ssh6": ids[2],
            "egress": egress,
        },
    )


def permission(spelled: str) -> tuple[str, ...]:
    return ("--group-id", "{group}", "--ip-permissions", spelled)


AUTHORIZE = "authorize-security-group-ingress"
AUTHORIZE_OUT = "authorize-security-group-egress"
REVOKE = "revoke-security-group-ingress"
REVOKE_OUT = "revoke-security-group-egress"
MODIFY = "modify-security-group-rules"
DESCRIBE_IN = "update-security-group-rule-descriptions-ingress"
DESCRIBE_OUT = "update-security-group-rule-descriptions-egress"
GROUP = ("--group-id", "{group}")

SPELLINGS: dict[str, tuple[str, ...]] = {
    "cidr": (AUTHORIZE, *GROUP, "--protocol", "tcp", "--port", "3389", "--cidr", WORLD),
    "port range": (AUTHORIZE, *GROUP, "--protocol", "udp", "--port", "5000-5010", "--cidr", "203.0.113.0/24"),
    "by name": (AUTHORIZE, "--group-name", "{name}", "--protocol", "tcp", "--port", "80", "--cidr", WORLD),
    "every protocol": (AUTHORIZE, *GROUP, "--protocol", "-1", "--cidr", "203.0.113.9/32"),
    "protocol all": (AUTHORIZE, *GROUP, "--protocol", "all", "--cidr", "203.0.113.8/32"),
    "protocol number": (AUTHORIZE, *GROUP, "--protocol", "50", "--cidr", "203.0.113.7/32"),
    "protocol 6": (AUTHORIZE, *GROUP, "--protocol", "6", "--port", "25", "--cidr", "203.0.113.7/32"),
    "icmp all": (AUTHORIZE, *GROUP, "--protocol", "icmp", "--port", "-1", "--cidr", WORLD),
    "icmp type and code": (AUTHORIZE, *GROUP, "--protocol", "icmp", "--port", "3-4", "--cidr", WORLD),
    "host bits": (AUTHORIZE, *GROUP, "--protocol", "tcp", "--port", "8080", "--cidr", "203.0.113.77/24"),
    "source group id": (AUTHORIZE, *GROUP, "--protocol", "tcp", "--port", "5432", "--source-group", "{other}"),
    "source group name": (AUTHORIZE, *GROUP, "--protocol", "tcp", "--port", "1", "--source-group", "{other_name}"),
    "source group of an owner": (
        *(AUTHORIZE, *GROUP, "--protocol", "tcp", "--port", "5433", "--source-group", "{other}"),
        *("--group-owner", "123456789012"),
    ),
    "tagged": (
        *(AUTHORIZE, *GROUP, "--protocol", "tcp", "--port", "81", "--cidr", WORLD, "--tag-specifications"),
        "ResourceType=security-group-rule,Tags=[{{Key=why,Value=test}}]",
    ),
    "shorthand": (AUTHORIZE, *permission("IpProtocol=tcp,FromPort=21,ToPort=21,IpRanges=[{{CidrIp=198.51.100.0/24}}]")),
    "shorthand with a description": (
        AUTHORIZE,
        *permission("IpProtocol=tcp,FromPort=21,ToPort=21,IpRanges=[{{CidrIp=0.0.0.0/0,Description='for all'}}]"),
    ),
    "shorthand ipv6": (AUTHORIZE, *permission("IpProtocol=tcp,FromPort=80,ToPort=80,Ipv6Ranges=[{{CidrIpv6=::/0}}]")),
    "shorthand prefix list": (
        AUTHORIZE,
        *permission("IpProtocol=tcp,FromPort=80,ToPort=80,PrefixListIds=[{{PrefixListId={list}}}]"),
    ),
    "shorthand group pair": (
        AUTHORIZE,
        *permission("IpProtocol=tcp,FromPort=80,ToPort=80,UserIdGroupPairs=[{{GroupId={other},Description=peer}}]"),
    ),
    "shorthand icmpv6": (
        AUTHORIZE,
        *permission("IpProtocol=icmpv6,FromPort=-1,ToPort=-1,Ipv6Ranges=[{{CidrIpv6=::/0}}]"),
    ),
    "shorthand all traffic": (AUTHORIZE, *permission("IpProtocol=-1,IpRanges=[{{CidrIp=203.0.113.0/24}}]")),
    "two permissions": (
        *(AUTHORIZE, *GROUP, "--ip-permissions"),
        "IpProtocol=tcp,FromPort=80,ToPort=80,IpRanges=[{{CidrIp=10.0.0.0/8}},{{CidrIp=172.16.0.0/12}}]",
        "IpProtocol=udp,FromPort=53,ToPort=53,IpRanges=[{{CidrIp=10.0.0.0/8}}],Ipv6Ranges=[{{CidrIpv6=fd00::/8}}]",
    ),
    "json": (
        AUTHORIZE,
        *permission('[{{"IpProtocol":"tcp","FromPort":90,"ToPort":91,"IpRanges":[{{"CidrIp":"203.0.113.1/32"}}]}}]'),
    ),
    "json with every kind of peer": (
        AUTHORIZE,
        *permission(
            '[{{"IpProtocol":"tcp","FromPort":90,"ToPort":91,"IpRanges":[{{"CidrIp":"203.0.113.1/32"}}],'
            '"Ipv6Ranges":[{{"CidrIpv6":"2001:db8:1::/48","Description":"six"}}],'
            '"UserIdGroupPairs":[{{"GroupId":"{other}"}}],"PrefixListIds":[{{"PrefixListId":"{list}"}}]}}]'
        ),
    ),
    "whole input as json": (
        *(AUTHORIZE, "--cli-input-json"),
        '{{"GroupId":"{group}","IpProtocol":"tcp","FromPort":99,"ToPort":99,"CidrIp":"10.1.0.0/16"}}',
    ),
    "egress shorthand": (
        AUTHORIZE_OUT,
        *permission("IpProtocol=tcp,FromPort=25,ToPort=25,IpRanges=[{{CidrIp=0.0.0.0/0}}]"),
    ),
    "egress cidr": (AUTHORIZE_OUT, *GROUP, "--protocol", "tcp", "--port", "443", "--cidr", "203.0.113.0/24"),
    "egress ipv6": (AUTHORIZE_OUT, *permission("IpProtocol=-1,Ipv6Ranges=[{{CidrIpv6=::/0}}]")),
    "revoke cidr": (REVOKE, *GROUP, "--protocol", "tcp", "--port", "443", "--cidr", WORLD),
    "revoke by name": (REVOKE, "--group-name", "{name}", "--protocol", "tcp", "--port", "22", "--cidr", "10.0.0.0/8"),
    "revoke by rule id": (REVOKE, *GROUP, "--security-group-rule-ids", "{https}"),
    "revoke several rule ids": (REVOKE, *GROUP, "--security-group-rule-ids", "{https}", "{ssh6}"),
    "revoke shorthand ipv6": (
        REVOKE,
        *permission("IpProtocol=tcp,FromPort=22,ToPort=22,Ipv6Ranges=[{{CidrIpv6=2001:db8::/32}}]"),
    ),
    "revoke source group": (REVOKE, *GROUP, "--protocol", "-1", "--source-group", "{group}"),
    "revoke everything at once": (
        *(REVOKE, *GROUP, "--ip-permissions"),
        "IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{{CidrIp=0.0.0.0/0}}]",
        "IpProtocol=tcp,FromPort=22,ToPort=22,IpRanges=[{{CidrIp=10.0.0.0/8}}],Ipv6Ranges=[{{CidrIpv6=2001:db8::/32}}]",
    ),
    "revoke egress": (REVOKE_OUT, *permission("IpProtocol=-1,IpRanges=[{{CidrIp=0.0.0.0/0}}]")),
    "revoke egress by rule id": (REVOKE_OUT, *GROUP, "--security-group-rule-ids", "{egress}"),
    "modify to the world": (
        *(MODIFY, *GROUP, "--security-group-rules"),
        "SecurityGroupRuleId={ssh},SecurityGroupRule={{IpProtocol=tcp,FromPort=22,ToPort=22,CidrIpv4=0.0.0.0/0}}",
    ),
    "modify ports and description": (
        *(MODIFY, *GROUP, "--security-group-rules"),
        (
            "SecurityGroupRuleId={https},SecurityGroupRule={{IpProtocol=tcp,FromPort=80,ToPort=90,CidrIpv4=0.0.0.0/0,"
            "Description=changed}}"
        ),
    ),
    "modify two rules": (
        *(MODIFY, *GROUP, "--security-group-rules"),
        "SecurityGroupRuleId={ssh},SecurityGroupRule={{IpProtocol=tcp,FromPort=22,ToPort=22,CidrIpv4=10.1.0.0/16}}",
        "SecurityGroupRuleId={ssh6},SecurityGroupRule={{IpProtocol=tcp,FromPort=22,ToPort=22,CidrIpv6=::/0}}",
    ),
    "modify by json": (
        *(MODIFY, *GROUP, "--security-group-rules"),
        '[{{"SecurityGroupRuleId":"{ssh}","SecurityGroupRule":{{"IpProtocol":"-1","CidrIpv4":"10.0.0.0/8"}}}}]',
    ),
    "describe a rule": (
        DESCRIBE_IN,
        *permission("IpProtocol=tcp,FromPort=22,ToPort=22,IpRanges=[{{CidrIp=10.0.0.0/8,Description=office}}]"),
    ),
    "describe an egress rule": (
        DESCRIBE_OUT,
        *permission("IpProtocol=-1,IpRanges=[{{CidrIp=0.0.0.0/0,Description=anywhere}}]"),
    ),
    "remove a description": (
        DESCRIBE_IN,
        *permission("IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{{CidrIp=0.0.0.0/0}}]"),
    ),
}


@pytest.mark.parametrize(
    "spelling",
    [
        # One in four at every run of the tests.
        pytest.param(spelling, id=name, marks=() if place % 4 == 0 else pytest.mark.slow)
        for place, (name, spelling) in enumerate(SPELLINGS.items())
    ],
)
def test_what_the_alert_says_is_what_happened(
    spelling: tuple[str, ...], scene: Scene, deployed: LocalCloud, aws: Callable[..., Any]
) -> None:
    before = scene.rules()
    arguments = [part.format(**scene.names) for part in spelling]
    result = aws("ec2", *arguments)
    assert result.status == 0, result.error
    expected = diff(before, scene.rules())
    alert = last_alert(deployed)
    assert expected, "the call must have changed something"
    assert alert.event.outcome is Outcome.SUCCEEDED
    assert_same(alert.changes, expected)


def last_alert(cloud: LocalCloud) -> Alert:
    """The alert of the last call that was no look-up."""
    record = next(record for record in reversed(cloud.records) if not record["readOnly"])
    return alert_of(cloud, record)


def alert_of(cloud: LocalCloud, record: Mapping[str, Any]) -> Alert:
    message = cloud.inbox.wait_for(lambda item: item.payload.get("id") == record["eventID"], 20)
    assert message is not None, "no alert came"
    return from_json(message.payload)


def assert_same(changes: Changes, expected: RuleDiff) -> None:
    def seen(rule: SecurityGroupRule) -> tuple[Any, ...]:
        return (rule.id, rule.identity, rule.description)

    assert sorted(map(seen, changes.added)) == sorted(map(seen, expected.added))
    assert sorted(map(seen, changes.removed)) == sorted(map(seen, expected.removed))
    # A record of a modification has neither the direction nor (by IpPermissions) the rule's id.
    new = sorted((rule.after.identity[1:], rule.after.description) for rule in changes.modified)
    assert new == sorted((rule.after.identity[1:], rule.after.description) for rule in expected.modified)


@pytest.mark.parametrize(
    "spelling",
    [
        (AUTHORIZE, *GROUP, "--protocol", "tcp", "--port", "23", "--cidr", WORLD),
        (REVOKE, *GROUP, "--protocol", "tcp", "--port", "443", "--cidr", WORLD),
        (REVOKE, *GROUP, "--security-group-rule-ids", "{https}"),
        SPELLINGS["modify to the world"],
        SPELLINGS["describe a rule"],
    ],
)
def test_a_dry_run_changes_nothing_and_is_recorded_as_one(
    spelling: tuple[str, ...], scene: Scene, deployed: LocalCloud, aws: Callable[..., Any]
) -> None:
    before = scene.rules()
    result = aws("ec2", *(part.format(**scene.names) for part in spelling), "--dry-run")
    assert result.status != 0
    assert "DryRunOperation" in result.error
    assert scene.rules() == before
    alert = last_alert(deployed)
    assert alert.event.outcome is Outcome.DRY_RUN
    assert (alert.changes.added, alert.changes.removed, alert.changes.modified) == ((), (), ())
    assert alert.changes.attempted or scene.names["https"] in " ".join(sentences(alert.unknowns))


def test_a_description_by_rule_id_is_recorded_with_the_id(
    scene: Scene, deployed: LocalCloud, aws: Callable[..., Any]
) -> None:
    given = f"SecurityGroupRuleId={scene.names['ssh']},Description=office"
    result = aws("ec2", DESCRIBE_IN, "--group-id", scene.names["group"], "--security-group-rule-descriptions", given)
    assert result.status == 0
    assert scene.names["ssh"] in " ".join(sentences(last_alert(deployed).unknowns))
    assert [rule.description for rule in scene.rules() if rule.id == scene.names["ssh"]] == ["office"]


def test_groups_are_made_associated_and_deleted(deployed: LocalCloud, aws: Callable[..., Any]) -> None:
    vpc = deployed.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = aws("ec2", "create-security-group", "--group-name", "made", "--description", "by hand").json()
    group = made["GroupId"]
    assert aws("ec2", "associate-security-group-vpc", "--group-id", group, "--vpc-id", vpc).json()["State"]
    assert aws("ec2", "disassociate-security-group-vpc", "--group-id", group, "--vpc-id", vpc).json()["State"]
    assert aws("ec2", "delete-security-group", "--group-id", group).status == 0
    records = [record for record in deployed.records if not record["readOnly"]][-4:]
    alerts = [alert_of(deployed, record) for record in records]
    assert [alert.event.name for alert in alerts] == [
        "CreateSecurityGroup",
        "AssociateSecurityGroupVpc",
        "DisassociateSecurityGroupVpc",
        "DeleteSecurityGroup",
    ]
    assert {alert.security_group.id for alert in alerts if alert.security_group} == {group}
    assert all(vpc in alert.title + alert.summary for alert in alerts[1:3])


def test_a_refused_call_changes_nothing(scene: Scene, deployed: LocalCloud, aws: Callable[..., Any]) -> None:
    before = scene.rules()
    group = scene.names["group"]
    twice = aws("ec2", AUTHORIZE, "--group-id", group, "--protocol", "tcp", "--port", "22", "--cidr", "10.0.0.0/8")
    assert "InvalidPermission.Duplicate" in twice.error
    absent = aws("ec2", REVOKE, "--group-id", group, "--protocol", "tcp", "--port", "1", "--cidr", "10.0.0.0/8")
    assert "InvalidPermission.NotFound" in absent.error
    partly = aws(
        *("ec2", AUTHORIZE, "--group-id", group, "--ip-permissions"),
        "IpProtocol=tcp,FromPort=7,ToPort=7,IpRanges=[{CidrIp=10.0.0.0/8}]",
        "IpProtocol=tcp,FromPort=22,ToPort=22,IpRanges=[{CidrIp=10.0.0.0/8}]",
    )
    assert "InvalidPermission.Duplicate" in partly.error
    assert scene.rules() == before
    assert last_alert(deployed).event.outcome is Outcome.FAILED


def test_outside_the_default_vpc_rules_that_are_not_there_are_listed_as_unknown(deployed: LocalCloud) -> None:
    ec2 = deployed.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="apart", Description="d", VpcId=vpc)["GroupId"]
    answer = ec2.revoke_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=1, ToPort=1, CidrIp="10.0.0.0/8"
    )
    assert answer["UnknownIpPermissions"][0]["IpRanges"] == [{"CidrIp": "10.0.0.0/8"}]
    # The functions make calls of their own meanwhile.
    record = [item for item in deployed.records if item["eventName"] == "RevokeSecurityGroupIngress"][-1]
    assert record["responseElements"]["unknownIpPermissionSet"]["items"][0]["ipv6Ranges"] == {}
    assert alert_of(deployed, record).changes.removed == ()


def test_at_least_forty_spellings_are_tried() -> None:
    assert len(SPELLINGS) >= 40
