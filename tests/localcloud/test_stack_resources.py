"""What CloudFormation makes beyond what moto's own does."""

from __future__ import annotations

import io
import json
import zipfile
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


ASSUMED = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
ASSUMING = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [ASSUMED]}}
SENDING = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
SERVERLESS: dict[str, Any] = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                **ASSUMING,
                "Policies": [{"PolicyName": "sending", "PolicyDocument": {"Statement": [SENDING]}}],
            },
        },
        "Work": {
            "Type": "AWS::Serverless::Function",
            "DependsOn": ["Jobs"],
            "Properties": {
                "FunctionName": "stacked-work",
                "Handler": "app.work",
                "Runtime": "python3.13",
                "CodeUri": "s3://stacked-code/app.zip",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Tags": {"app": "stacked"},
                "Events": {
                    "Change": {
                        "Type": "EventBridgeRule",
                        "Properties": {"RuleName": "stacked-changes", "Pattern": {"source": ["aws.ec2"]}},
                    },
                    "Clock": {"Type": "Schedule", "Properties": {"Name": "stacked-clock", "Schedule": "rate(1 hour)"}},
                    "Queue": {"Type": "SQS", "Properties": {"Queue": {"Fn::GetAtt": ["Jobs", "Arn"]}, "BatchSize": 1}},
                },
                "EventInvokeConfig": {
                    "MaximumRetryAttempts": 2,
                    "DestinationConfig": {
                        "OnFailure": {"Type": "SQS", "Destination": {"Fn::GetAtt": ["Jobs", "Arn"]}},
                    },
                },
            },
        },
        "Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "stacked-jobs"}},
    },
}


def upload_code(cloud: LocalCloud) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("app.py", "def work(event, context):\n    return 1\n")
    s3 = cloud.client("s3", region="us-east-1")
    s3.create_bucket(Bucket="stacked-code")
    s3.put_object(Bucket="stacked-code", Key="app.zip", Body=made.getvalue())


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_sams_functions_are_made_with_what_invokes_them_and_what_they_depend_on_first(cloud: LocalCloud) -> None:
    upload_code(cloud)
    stacks, functions = cloud.client("cloudformation"), cloud.client("lambda")
    stacks.create_change_set(
        StackName="serverless", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(SERVERLESS)
    )
    stacks.execute_change_set(StackName="serverless", ChangeSetName="first")
    tags = functions.get_function(FunctionName="stacked-work")["Tags"]
    assert (tags["app"], tags["aws:cloudformation:stack-name"]) == ("stacked", "serverless")
    kept = functions.get_function_event_invoke_config(FunctionName="stacked-work")["DestinationConfig"]["OnFailure"]
    queue = f"arn:aws:sqs:{cloud.region}:{cloud.account_id}:stacked-jobs"
    assert kept == {"Destination": queue}
    (mapping,) = functions.list_event_source_mappings(FunctionName="stacked-work")["EventSourceMappings"]
    assert mapping["EventSourceArn"] == queue
    allowed = json.loads(functions.get_policy(FunctionName="stacked-work")["Policy"])["Statement"]
    assert [each["Principal"] for each in allowed] == [{"Service": "events.amazonaws.com"}] * 2
    events, iam = cloud.client("events"), cloud.client("iam")
    assert events.list_rule_names_by_target(TargetArn=allowed[0]["Resource"])["RuleNames"] == [
        "stacked-changes",
        "stacked-clock",
    ]
    (role,) = (each["RoleName"] for each in iam.list_roles()["Roles"] if each["RoleName"].startswith("serverless-"))
    document = iam.get_role_policy(RoleName=role, PolicyName="sending")["PolicyDocument"]
    assert document["Statement"] == [SENDING]
    stacks.delete_stack(StackName="serverless")
    assert functions.list_functions()["Functions"] == []


def test_a_role_with_a_name_needs_the_capability_for_it(cloud: LocalCloud) -> None:
    role = {**SERVERLESS["Resources"]["Role"], "Properties": {"RoleName": "stacked", **ASSUMING}}
    template = json.dumps({"Resources": {"Role": role}})
    stacks = cloud.client("cloudformation")
    with pytest.raises(stacks.exceptions.InsufficientCapabilitiesException, match="CAPABILITY_NAMED_IAM"):
        stacks.create_stack(StackName="named", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    stacks.create_stack(StackName="named", TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
    stacks.delete_stack(StackName="named")


def test_a_stack_whose_table_is_protected_stays_with_it_alone(cloud: LocalCloud) -> None:
    stacks, dynamodb = cloud.client("cloudformation"), cloud.client("dynamodb")
    table = {"Type": "AWS::DynamoDB::Table", "Properties": {**TABLE, "DeletionProtectionEnabled": True}}
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "stacked-beside"}}
    stacks.create_stack(StackName="kept", TemplateBody=json.dumps({"Resources": {"Table": table, "Queue": queue}}))
    stacks.delete_stack(StackName="kept")
    (stack,) = stacks.describe_stacks(StackName="kept")["Stacks"]
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert "stacked" in dynamodb.list_tables()["TableNames"]
    assert "QueueUrls" not in cloud.client("sqs").list_queues(QueueNamePrefix="stacked-beside")
    dynamodb.update_table(TableName="stacked", DeletionProtectionEnabled=False)
    stacks.delete_stack(StackName="kept")
    assert dynamodb.list_tables()["TableNames"] == []
