"""What CloudFormation makes beyond what moto's own does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud import LocalCloud

TLS_ONLY = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
POLICY = {"Version": "2012-10-17", "Statement": [TLS_ONLY]}
ALARM = {
    "AlarmName": "stacked-backlog",
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateAgeOfOldestMessage",
    "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}],
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 2,
    "Threshold": 900,
    "ComparisonOperator": "GreaterThanThreshold",
    "AlarmActions": [{"Ref": "Topic"}],
}
TABLE = {
    "TableName": "stacked",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
    "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
}
TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "stacked"}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "stacked"}},
        "Policy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": POLICY},
        },
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": ALARM},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": TABLE},
        "Dashboard": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardName": "stacked", "DashboardBody": {"Fn::Sub": '{"widgets": ["${AWS::Region}"]}'}},
        },
    }
}


# moto warns of every type that it leaves out.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_stack_has_its_alarms_its_dashboard_its_queues_policies_and_its_tables_settings(cloud: LocalCloud) -> None:
    stacks, cloudwatch = cloud.client("cloudformation"), cloud.client("cloudwatch")
    sqs, dynamodb = cloud.client("sqs"), cloud.client("dynamodb")
    stacks.create_stack(StackName="stacked", TemplateBody=json.dumps(TEMPLATE))
    [alarm] = cloudwatch.describe_alarms(AlarmNames=["stacked-backlog"])["MetricAlarms"]
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": "stacked"}]
    assert alarm["AlarmActions"] == [f"arn:aws:sns:{cloud.region}:{cloud.account_id}:stacked"]
    url = sqs.get_queue_url(QueueName="stacked")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    assert json.loads(attributes["Policy"]) == POLICY
    assert dynamodb.describe_time_to_live(TableName="stacked")["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    backups = dynamodb.describe_continuous_backups(TableName="stacked")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    body = json.loads(cloudwatch.get_dashboard(DashboardName="stacked")["DashboardBody"])
    assert body == {"widgets": [cloud.region]}
    stacks.delete_stack(StackName="stacked")
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
    assert cloudwatch.describe_alarms(AlarmNames=["stacked-backlog"])["MetricAlarms"] == []


def test_a_stack_with_a_resource_that_cannot_be_made_is_rolled_back_and_says_why(cloud: LocalCloud) -> None:
    stacks = cloud.client("cloudformation")
    properties = {"Action": "lambda:InvokeFunction", "FunctionName": "not-there", "Principal": "events.amazonaws.com"}
    resources = {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "half-made"}},
        "Invoke": {"Type": "AWS::Lambda::Permission", "DependsOn": "Bus", "Properties": properties},
    }
    stacks.create_stack(StackName="half", TemplateBody=json.dumps({"Resources": resources}))
    (stack,) = stacks.describe_stacks(StackName="half")["Stacks"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = [
        each.get("ResourceStatusReason", "") for each in stacks.describe_stack_events(StackName="half")["StackEvents"]
    ]
    assert any("not-there" in reason for reason in reasons)
    assert [each["Name"] for each in cloud.client("events").list_event_buses()["EventBuses"]] == ["default"]
    stacks.delete_stack(StackName="half")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_stack_has_the_policy_of_its_event_bus(cloud: LocalCloud) -> None:
    bus = {"Fn::GetAtt": ["Bus", "Name"]}
    statement = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "events:PutEvents", "Resource": "*"}
    properties = {"EventBusName": bus, "StatementId": "accounts", "Statement": statement}
    resources = {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "opened"}},
        "Policy": {"Type": "AWS::Events::EventBusPolicy", "Properties": properties},
    }
    cloud.client("cloudformation").create_stack(StackName="opened", TemplateBody=json.dumps({"Resources": resources}))
    policy = json.loads(cloud.client("events").describe_event_bus(Name="opened")["Policy"])
    assert policy["Statement"] == [{"Sid": "accounts", **statement}]
