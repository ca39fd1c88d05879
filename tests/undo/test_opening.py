from __future__ import annotations

import json
import shlex
from typing import Any

import boto3
import pytest

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert
from chalicelib.cloudtrail.records import read_record
from chalicelib.enrichment.before import RuleSources, resolve
from chalicelib.rendering.plain_text import plain_text
from chalicelib.security_groups.changes import Attachment, Changes
from chalicelib.security_groups.lookup_result import GroupInfo
from chalicelib.security_groups.parse import read_change
from chalicelib.security_groups.rules import Direction, ModifiedRule
from chalicelib.undo.from_lookups import restore
from chalicelib.undo.opening import rules_warning
from sgwatch.render import lines
from sgwatch.replay_report.section_html import details
from tests.support import records as r
from tests.support.alerts import rule


def closed() -> Alert:
    return alert_of(r.revoke(r.world()))


def test_an_undo_that_opens_says_what_in_its_first_words() -> None:
    assert str(closed().undo.reason).startswith("This opens tcp/22 to the internet again.")


def test_that_stands_before_the_commands_in_every_rendering() -> None:
    alert = closed()
    texts = (plain_text(alert), "\n".join(line.plain for line in lines(alert, 200)), details(alert))
    for text in texts:
        assert 0 < text.index("This opens tcp/22 to the internet again.") < text.index("authorize-security-group")


def test_the_undo_of_what_opened_needs_no_warning() -> None:
    assert alert_of(r.authorize(r.world())).undo.reason is None


def test_the_worst_rule_is_named_first_and_the_rest_are_counted() -> None:
    inner = [rule(f"10.0.{number}.0/24", port=443) for number in range(5)]
    said = rules_warning(Changes(removed=(*inner, rule(port=443), rule())))
    assert said is not None
    assert said.startswith(
        "This opens tcp/22 to the internet, tcp/443 to the internet, tcp/443 to 10.0.0.0/24 and 4 more"
    )


def test_egress_is_said_to_go_out() -> None:
    assert rules_warning(Changes(removed=(rule(direction=Direction.EGRESS),))) == (
        "This opens tcp/22 out to the internet again."
    )


def test_a_description_that_comes_back_opens_nothing() -> None:
    changed = ModifiedRule(rule(description="a"), rule(description="b"))
    assert rules_warning(Changes(modified=(changed,))) is None


def test_a_rule_that_was_modified_is_said_as_it_was() -> None:
    changed = ModifiedRule(rule(), rule("10.0.0.0/8"))
    assert rules_warning(Changes(modified=(changed,))) == "This opens tcp/22 to the internet again."


def test_groups_that_come_back_on_a_resource_are_named() -> None:
    request = {"networkInterfaceId": "eni-1", "groupSet": r.items({"groupId": "sg-1"})}
    change = read_change(read_record(r.record("ModifyNetworkInterfaceAttribute", request)))
    attached = change._replace(attachment=Attachment("network interface", "eni-1", ("sg-1", "sg-2"), ("sg-1",)))
    assert restore(attached, "eu-west-1").reason == "This puts sg-2 back on the network interface."


ELB = "elasticloadbalancing.amazonaws.com"
VPN = {"clientVpnEndpointId": "cvpn-endpoint-0ab", "securityGroupIds": ["sg-2"]}


@pytest.mark.parametrize(
    ("name", "request_parameters", "command"),
    [
        (
            "ApplySecurityGroupsToLoadBalancer",
            {"loadBalancerName": "it's", "securityGroups": ["sg-2"]},
            "aws elb apply-security-groups-to-load-balancer --region eu-west-1 --cli-input-json "
            + shlex.quote(json.dumps({"LoadBalancerName": "it's", "SecurityGroups": ["sg-1"]})),
        ),
        (
            "ModifyInstanceConnectEndpoint",
            {"instanceConnectEndpointId": "eice-0ab", "securityGroupIds": ["sg-2"]},
            (
                "aws ec2 modify-instance-connect-endpoint --region eu-west-1 --instance-connect-endpoint-id eice-0ab "
                "--security-group-ids sg-1"
            ),
        ),
        (
            "ModifyClientVpnEndpoint",
            VPN,
            (
                "aws ec2 modify-client-vpn-endpoint --region eu-west-1 --client-vpn-endpoint-id cvpn-endpoint-0ab "
                "--security-group-ids sg-1"
            ),
        ),
        (
            "ApplySecurityGroupsToClientVpnTargetNetwork",
            {**VPN, "vpcId": "vpc-0ab"},
            (
                "aws ec2 apply-security-groups-to-client-vpn-target-network --region eu-west-1 "
                "--client-vpn-endpoint-id cvpn-endpoint-0ab --security-group-ids sg-1 --vpc-id vpc-0ab"
            ),
        ),
    ],
)
def test_every_kind_of_resource_gets_its_groups_back(name: str, request_parameters: r.Json, command: str) -> None:
    source = ELB if name.endswith("LoadBalancer") else "ec2.amazonaws.com"
    change = read_change(read_record(r.record(name, request_parameters, eventSource=source)))
    assert change.attachment is not None
    known = change._replace(attachment=change.attachment._replace(groups_before=("sg-1",)))
    assert restore(known, "eu-west-1").commands == (command,)
    _aws, service, operation, *_ = shlex.split(command)
    client: Any = boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload]
    wanted = "".join(part.capitalize() for part in operation.split("-"))
    assert wanted in client.meta.method_to_api_mapping.values()


def test_a_deleted_group_says_what_opens_before_that_its_id_differs() -> None:
    change = read_change(read_record(r.record("DeleteSecurityGroup", {"groupId": r.GROUP_ID})))
    known = resolve(change, RuleSources(snapshot=(rule(),)))
    undo = restore(known.change, "eu-west-1", GroupInfo(r.GROUP_ID, "web*", "vpc-1", "Front end"))
    assert str(undo.reason).startswith("This opens tcp/22 to the internet again. The group comes back under a new id")
    commands = undo.commands or ()
    assert "aws ec2 wait security-group-exists --region eu-west-1 --group-ids" in commands[2]
    assert "web\\\\*" in commands[0]
    assert all(shlex.split(command) for command in commands)


@pytest.mark.parametrize(
    ("source", "name", "request_parameters", "commands"),
    [
        (
            "cloudtrail.amazonaws.com",
            "StopLogging",
            {"name": "main"},
            ("""aws cloudtrail start-logging --region eu-west-1 --cli-input-json '{"Name": "main"}'""",),
        ),
        (
            "monitoring.amazonaws.com",
            "DisableAlarmActions",
            {"alarmNames": ["a", "b'c"]},
            (
                "aws cloudwatch enable-alarm-actions --region eu-west-1 --cli-input-json "
                + shlex.quote('{"AlarmNames": ["a", "b\'c"]}'),
            ),
        ),
        (
            "events.amazonaws.com",
            "DisableRule",
            {"name": "sgwatch-prod"},
            ("""aws events enable-rule --region eu-west-1 --cli-input-json '{"Name": "sgwatch-prod"}'""",),
        ),
    ],
)
def test_a_call_that_inverts_without_state_has_its_way_back(
    source: str, name: str, request_parameters: r.Json, commands: tuple[str, ...]
) -> None:
    alert = alert_of(r.record(name, request_parameters, None, eventSource=source))
    assert alert.undo.commands == commands


def test_what_was_overwritten_has_none() -> None:
    raw = r.record(
        "PutMetricFilter", {"filterName": "sg", "logGroupName": "trail"}, None, eventSource="logs.amazonaws.com"
    )
    undo = alert_of(raw).undo
    assert (undo.commands, undo.reason) == (None, "the settings before are not in the record")


def test_a_denied_call_has_nothing_to_take_back() -> None:
    raw = r.record(
        "StopLogging", {"name": "main"}, None, eventSource="cloudtrail.amazonaws.com", errorCode="AccessDenied"
    )
    assert alert_of(raw).undo.commands == ()
