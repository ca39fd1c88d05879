"""The functions' policies against what they call: a story in which every function does all that it can.

What is granted and never called is listed with the reason, and what is listed and called after all is an error too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.deployment import (
    ALERT_ON_CHANGE,
    ALERT_ON_OWN_TAMPERING,
    ALERT_ON_TAMPERING,
    AUDIT_ON_MENDING,
    AUDIT_ON_SCHEDULE,
    HANDLERS,
    RECONCILE,
)
from localcloud import LocalCloud
from localcloud.awkward.awkwardness import MILD
from localcloud.callers import PARTITION
from localcloud.deploy import deploy
from localcloud.receivers.webhook import SECRET
from sgwatch import durable_setup
from sgwatch.durable_template import StagePlace
from sgwatch.policies import STATEMENTS, policy
from sgwatch.project_files import CONFIG, read_json
from tests.localcloud.test_reconciliation import RULE, SSH, Unheard
from tests.localcloud.test_tampering import confirm, make_trail
from tests.support.deployment import copy_project
from tests.support.local import sgwatch

# moto names the kinds of resource that it does not make.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]
SECONDS = 150.0
REPAIRED = "sgwatch-security-group-changes"
TRUST = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
READING = {"Effect": "Allow", "Action": ["ec2:Describe*", "ec2:Get*", "iam:ListAccountAliases"], "Resource": "*"}


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@dataclass
class Story:
    """A stage with everything switched on, and what was played to it."""

    cloud: LocalCloud
    variables: Mapping[str, str]

    def idle(self) -> None:
        assert self.cloud.wait_until_idle(SECONDS)

    def used(self, handler: str) -> set[str]:
        return self.cloud.function_actions[f"sgwatch-dev-{handler}"].needed

    def refused(self, handler: str) -> set[str]:
        return self.cloud.function_actions[f"sgwatch-dev-{handler}"].refused

    def granted(self, handler: str) -> set[str]:
        statements = policy("dev", handler, self.variables)["Statement"]
        return {action for statement in statements for action in statement["Action"]}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with LocalCloud(awkwardness=MILD) as cloud:
        cloud.enable_regions(cloud.region, "us-east-1")
        folder = tmp_path_factory.mktemp("story")
        project = copy_project(folder, settings(cloud))
        place = StagePlace("dev", PARTITION, cloud.region, cloud.account_id)
        make_trail(cloud)
        sgwatch(cloud, "repair", "--apply", "--email", "oncall@example.com")
        confirm(cloud)
        assert durable_setup.run(place, cloud.client, project / CONFIG, yes=True) == 1
        deploy(project, folder / "deployed", cloud.environment())
        assert durable_setup.run(place, cloud.client, project / CONFIG, yes=True) == 0
        played = Story(cloud, read_json(project / CONFIG)["stages"]["dev"]["environment_variables"])
        played.idle()
        for act in (changes, attachments, tampering, own_tampering, schedules, undelivered):
            act(played)
            played.idle()
        yield played


def settings(cloud: LocalCloud) -> dict[str, str]:
    """Every switch, and secrets in both stores."""
    cloud.client("ssm").put_parameter(Name="/sgwatch/dev/slack", Value=cloud.slack_url, Type="SecureString")
    cloud.client("ssm").put_parameter(Name="/sgwatch/dev/heartbeat", Value=cloud.webhook_url, Type="SecureString")
    cloud.client("secretsmanager").create_secret(Name="sgwatch/dev/webhook", SecretString=SECRET)
    cloud.client("iam").create_role(RoleName="sgwatch-reader", AssumeRolePolicyDocument=document(TRUST))
    cloud.client("iam").put_role_policy(RoleName="sgwatch-reader", PolicyName="p", PolicyDocument=document(READING))
    return {
        "WEBHOOK_URL": cloud.webhook_url,
        "WEBHOOK_SECRET": "secretsmanager:sgwatch/dev/webhook",
        "SLACK_WEBHOOK_URL": "ssm:/sgwatch/dev/slack",
        "SNS_TOPIC_ARN": cloud.client("sns").create_topic(Name="alerts")["TopicArn"],
        "EVENT_BUS_ARN": cloud.client("events").create_event_bus(Name="alerts")["EventBusArn"],
        "SECURITY_HUB": "true",
        "HEARTBEAT_URL": "ssm:/sgwatch/dev/heartbeat",
        "AUTO_REPAIR": "true",
        "BURST_WINDOW": "1",
        "ENRICH": "true",
        "ENRICH_CONFIG": "true",
        "ENRICH_ROLE": "sgwatch-reader",
    }


def changes(story: Story) -> None:
    """Rules on groups with interfaces and prefix lists, and what the record alone does not say."""
    ec2 = story.cloud.client("ec2")
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    listed = ec2.create_managed_prefix_list(
        PrefixListName="office", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "203.0.113.0/24"}]
    )["PrefixList"]
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    by_list = {**permission, "PrefixListIds": [{"PrefixListId": listed["PrefixListId"]}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[by_list])
    opened = {**permission, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[opened])["SecurityGroupRules"]
    story.idle()
    changed = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "198.51.100.0/24"}
    ec2.modify_security_group_rules(
        GroupId=group,
        SecurityGroupRules=[{"SecurityGroupRuleId": made[0]["SecurityGroupRuleId"], "SecurityGroupRule": changed}],
    )
    ec2.modify_managed_prefix_list(
        PrefixListId=listed["PrefixListId"],
        CurrentVersion=listed["Version"],
        AddEntries=[{"Cidr": "198.51.100.0/24"}],
    )


def attachments(story: Story) -> None:
    ec2 = story.cloud.client("ec2")
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    groups = [each["GroupId"] for each in ec2.describe_security_groups()["SecurityGroups"]]
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=groups[:1])["NetworkInterface"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=interface["NetworkInterfaceId"], Groups=groups[:2])
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc["VpcId"],
        ServiceName=f"com.amazonaws.{story.cloud.region}.ssm",
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
        SecurityGroupIds=groups[:1],
    )["VpcEndpoint"]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], AddSecurityGroupIds=groups[1:2])


def tampering(story: Story) -> None:
    """Each break is mended by AUTO_REPAIR, by the function that the call invokes or by the next one that audits."""
    cloud = story.cloud
    logs, cloudwatch, sns = cloud.client("logs"), cloud.client("cloudwatch"), cloud.client("sns")
    filters = [each["filterName"] for each in logs.describe_metric_filters(logGroupName="trail-logs")["metricFilters"]]
    alarms = [each["AlarmName"] for each in cloudwatch.describe_alarms(AlarmNamePrefix=REPAIRED)["MetricAlarms"]]
    topic = f"arn:{PARTITION}:sns:{cloud.region}:{cloud.account_id}:sgwatch-alarms"
    silent = document({"Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": topic})
    breaks: tuple[Callable[[], object], ...] = (
        lambda: [logs.delete_metric_filter(logGroupName="trail-logs", filterName=name) for name in filters],
        lambda: cloudwatch.delete_alarms(AlarmNames=alarms),
        lambda: cloudwatch.disable_alarm_actions(AlarmNames=alarms),
        lambda: sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=silent),
        lambda: sns.delete_topic(TopicArn=topic),
    )
    for damage in breaks:
        damage()
        story.idle()
        cloud.client("cloudtrail").start_logging(Name="main")
        story.idle()


def own_tampering(story: Story) -> None:
    story.cloud.client("lambda").put_function_concurrency(
        FunctionName="sgwatch-dev-reconcile", ReservedConcurrentExecutions=1
    )


def schedules(story: Story) -> None:
    """A change whose event never came, which lasts, and the hourly functions."""
    cloud = story.cloud
    unheard = Unheard(cloud, cloud.identities.user("mallory"))
    group = unheard.ec2.create_security_group(GroupName="unheard", Description="d")["GroupId"]
    unheard.sweep()
    cloud.client("events").disable_rule(Name=RULE)
    unheard.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[SSH])
    unheard.sweep()
    unheard.let_time_pass()
    unheard.sweep()
    cloud.client("events").enable_rule(Name=RULE)
    cloud.schedules.tick("audit_on_schedule")


def undelivered(story: Story) -> None:
    """A destination that refuses for good, and more at once than Slack takes, from several people: none is folded."""
    cloud = story.cloud
    cloud.client("sns").delete_topic(TopicArn=story.variables["SNS_TOPIC_ARN"])
    story.idle()
    for number in range(8):
        somebody = cloud.client("ec2", credentials=cloud.identities.user(f"somebody-{number}"))
        somebody.create_security_group(GroupName=f"undelivered-{number}", Description="d")


# Lambda's own calls with the function's role. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
BY_LAMBDA = {
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
}
# What nothing in the story brings about, each with what would.
NOT_PLAYED = {
    "sts:AssumeRole": "an event of another account",
    "cloudwatch:GetAlarmMuteRule": "a mute rule of an alarm",
    "kms:DescribeKey": "a topic encrypted with a key of the account's own",
    "kms:GetKeyPolicy": "the same",
    "logs:GetTransformer": "a metric filter that reads transformed log events",
    "logs:DescribeAccountPolicies": "the same",
}
# Functions that run the same code on other events: what one of them does the others may have to do.
ALIKE = (
    (ALERT_ON_TAMPERING, ALERT_ON_OWN_TAMPERING, AUDIT_ON_MENDING, AUDIT_ON_SCHEDULE),
    (ALERT_ON_CHANGE, RECONCILE),
)
# One adapter reads and writes the state table for all, and one sender the queue.
SHARED = {action for each in STATEMENTS if each.sid in ("State", "QueueAlerts") for action in each.actions}
# A reference may be kept in either store.
STORES = {"ssm:GetParameter", "secretsmanager:GetSecretValue"}


def test_nothing_that_a_function_calls_is_refused(story: Story) -> None:
    assert {handler: refused for handler in HANDLERS if (refused := story.refused(handler))} == {}


@pytest.mark.parametrize("handler", HANDLERS)
def test_nothing_is_granted_that_is_never_called(story: Story, handler: str) -> None:
    alike = next((group for group in ALIKE if handler in group), (handler,))
    used = set().union(*(story.used(each) for each in alike))
    everywhere = set().union(*(story.used(each) for each in HANDLERS))
    stores = STORES if used & STORES else set()
    assert story.granted(handler) - used - BY_LAMBDA - set(NOT_PLAYED) - (SHARED & everywhere) - stores == set()


def test_what_is_listed_as_not_called_is_not_called_and_is_granted(story: Story) -> None:
    used = set().union(*(story.used(each) for each in HANDLERS))
    granted = set().union(*(story.granted(each) for each in HANDLERS))
    assert used & set(NOT_PLAYED) == set()
    assert (set(NOT_PLAYED) | BY_LAMBDA) - granted == set()
