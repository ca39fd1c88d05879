"""The records of calls with which the alarm path, or sgwatch's own resources, are tampered with.

Shapes are those of AWS's pages on each service and CloudTrail.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.localcloud.test_awkwardness import until_allowed

ACCOUNT = "123456789012"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def record_of(cloud: LocalCloud, name: str) -> dict[str, Any]:
    return next(item for item in reversed(cloud.records) if item["eventName"] == name)


def test_a_key_is_disabled_by_its_arn_and_the_record_names_it(cloud: LocalCloud) -> None:
    kms = cloud.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    kms.disable_key(KeyId=arn)
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"
    record = record_of(cloud, "DisableKey")
    assert (record["eventSource"], record["requestParameters"]) == ("kms.amazonaws.com", {"keyId": arn})
    deleted = kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    assert deleted["KeyState"] == "PendingDeletion"
    record = record_of(cloud, "ScheduleKeyDeletion")
    assert record["requestParameters"] == {"keyId": arn, "pendingWindowInDays": 7}
    assert record["resources"] == [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn}]
    with pytest.raises(ClientError, match="KMSInvalidState"):
        kms.enable_key(KeyId=arn)
    kms.cancel_key_deletion(KeyId=arn)
    kms.enable_key(KeyId=arn.rpartition("/")[2])
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["Enabled"]
    kms.put_key_policy(KeyId=arn, PolicyName="default", Policy="{}")
    assert record_of(cloud, "PutKeyPolicy")["requestParameters"]["keyId"] == arn


def test_a_key_that_does_not_exist_is_not_found(cloud: LocalCloud) -> None:
    with pytest.raises(ClientError, match="NotFoundException"):
        cloud.client("kms").disable_key(KeyId=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd")
    assert record_of(cloud, "DisableKey")["errorCode"] == "NotFoundException"


def test_attributes_of_a_queue_keep_their_names(cloud: LocalCloud) -> None:
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="sgwatch-dev-deliveries")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "100"})
    expected = {"queueUrl": url, "attributes": {"VisibilityTimeout": "100"}}
    assert record_of(cloud, "SetQueueAttributes")["requestParameters"] == expected
    sqs.purge_queue(QueueUrl=url)
    assert record_of(cloud, "PurgeQueue")["requestParameters"] == {"queueUrl": url}
    sqs.send_message(QueueUrl=url, MessageBody="m")
    sqs.receive_message(QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)
    assert cloud.records[-1]["eventName"] == "DeleteQueue"
    assert not any(item["eventName"] in ("SendMessage", "ReceiveMessage") for item in cloud.records)


def test_a_deleted_table_is_recorded_and_its_items_are_not(cloud: LocalCloud) -> None:
    dynamodb = cloud.client("dynamodb")
    key = [{"AttributeName": "pk", "KeyType": "HASH"}]
    types = [{"AttributeName": "pk", "AttributeType": "S"}]
    dynamodb.create_table(
        TableName="sgwatch-dev-state", KeySchema=key, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST"
    )
    dynamodb.put_item(TableName="sgwatch-dev-state", Item={"pk": {"S": "a"}})
    dynamodb.delete_table(TableName="sgwatch-dev-state")
    assert cloud.records[-1]["requestParameters"] == {"tableName": "sgwatch-dev-state"}
    assert cloud.records[-1]["responseElements"]["tableDescription"]["tableName"] == "sgwatch-dev-state"
    assert not any(item["eventName"] == "PutItem" for item in cloud.records)


def test_values_of_parameters_and_secrets_are_not_in_records(cloud: LocalCloud) -> None:
    ssm, secrets = cloud.client("ssm"), cloud.client("secretsmanager")
    ssm.put_parameter(Name="/sgwatch/dev/slack", Value="hidden-value", Type="SecureString")
    record = record_of(cloud, "PutParameter")
    assert record["requestParameters"]["name"] == "/sgwatch/dev/slack"
    ssm.delete_parameter(Name="/sgwatch/dev/slack")
    assert record_of(cloud, "DeleteParameter")["requestParameters"] == {"name": "/sgwatch/dev/slack"}
    secrets.create_secret(Name="sgwatch/dev/slack", SecretString="hidden-value")
    secrets.put_secret_value(SecretId="sgwatch/dev/slack", SecretString="hidden-value")
    assert record_of(cloud, "PutSecretValue")["requestParameters"]["secretId"] == "sgwatch/dev/slack"
    secrets.delete_secret(SecretId="sgwatch/dev/slack")
    assert record_of(cloud, "DeleteSecret")["requestParameters"] == {"secretId": "sgwatch/dev/slack"}
    assert "hidden-value" not in json.dumps(list(cloud.records))


def test_iam_is_recorded_in_us_east_1_and_its_event_comes_there_alone(cloud: LocalCloud) -> None:
    for region in ("eu-west-1", "us-east-1"):
        queue = cloud.client("sqs", region=region).create_queue(QueueName="iam")["QueueUrl"]
        arn = f"arn:aws:sqs:{region}:{ACCOUNT}:{queue.rpartition('/')[2]}"
        events = cloud.client("events", region=region)
        events.put_rule(Name="iam", EventPattern=json.dumps({"source": ["aws.iam"]}))
        events.put_targets(Rule="iam", Targets=[{"Id": "1", "Arn": arn}])
        assert record_of(cloud, "PutTargets")["requestParameters"]["targets"] == [{"id": "1", "arn": arn}]
    cloud.client("iam").create_role(RoleName="sgwatch-dev", AssumeRolePolicyDocument=TRUST)
    record = record_of(cloud, "CreateRole")
    assert (record["awsRegion"], record["requestParameters"]["roleName"]) == ("us-east-1", "sgwatch-dev")
    received = [
        cloud.client("sqs", region=region).receive_message(QueueUrl=_url(cloud, region)).get("Messages", [])
        for region in ("eu-west-1", "us-east-1")
    ]
    assert [len(messages) for messages in received] == [0, 1]


def _url(cloud: LocalCloud, region: str) -> str:
    url: str = cloud.client("sqs", region=region).get_queue_url(QueueName="iam")["QueueUrl"]
    return url


def _function(cloud: LocalCloud, name: str) -> None:
    cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): pass")
    role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    cloud.client("lambda").create_function(
        FunctionName=name, Runtime="python3.11", Role=role, Handler="app.handler", Code={"ZipFile": body.getvalue()}
    )


def test_lambdas_calls_have_the_names_with_a_date(cloud: LocalCloud) -> None:
    _function(cloud, "own")
    functions, sqs = cloud.client("lambda"), cloud.client("sqs")
    url = sqs.create_queue(QueueName="mapped")["QueueUrl"]
    queue = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{url.rpartition('/')[2]}"
    mapping = functions.create_event_source_mapping(EventSourceArn=queue, FunctionName="own")["UUID"]
    made = record_of(cloud, "CreateEventSourceMapping20150331")
    assert made["responseElements"]["uUID"] == mapping
    until_allowed(lambda: functions.update_event_source_mapping(UUID=mapping, Enabled=False))
    updated = record_of(cloud, "UpdateEventSourceMapping20150331")
    assert updated["requestParameters"] == {"uUID": mapping, "enabled": False}
    assert updated["responseElements"]["functionArn"].endswith(":function:own")
    functions.update_function_configuration(FunctionName="own", Environment={"Variables": {"A": "hidden-value"}})
    configured = record_of(cloud, "UpdateFunctionConfiguration20150331v2")
    assert configured["requestParameters"] == {"functionName": "own"}
    functions.put_function_concurrency(FunctionName="own", ReservedConcurrentExecutions=0)
    limited = record_of(cloud, "PutFunctionConcurrency20171031")
    assert limited["requestParameters"] == {"functionName": "own", "reservedConcurrentExecutions": 0}
    until_allowed(lambda: functions.delete_event_source_mapping(UUID=mapping))
    assert record_of(cloud, "DeleteEventSourceMapping20150331")["requestParameters"] == {"uUID": mapping}


def _wrong_trail(cloud: LocalCloud) -> None:
    cloud.client("s3", region="us-east-1").create_bucket(Bucket="trail-bucket")
    cloud.client("cloudtrail").create_trail(
        Name="wrong", S3BucketName="trail-bucket", CloudWatchLogsLogGroupArn="log-group", CloudWatchLogsRoleArn="r"
    )


def test_a_trail_is_refused_a_log_group_that_is_none(cloud: LocalCloud) -> None:
    with pytest.raises(ClientError, match="InvalidCloudWatchLogsLogGroupArn"):
        _wrong_trail(cloud)
    assert cloud.client("sts").get_caller_identity()["Account"] == ACCOUNT


MUTE = {"Schedule": {"Expression": "cron(* * * * *)", "Duration": "PT1H"}}
PUBLISH = {"Label": "l", "AWSAccountId": [ACCOUNT], "ActionName": ["Publish"]}
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:on-call"
CALLS: list[tuple[str, Callable[[Any], object], dict[str, Any]]] = [
    (
        "cloudwatch",
        lambda it: it.put_alarm_mute_rule(Name="quiet", Rule=MUTE, MuteTargets={"AlarmNames": ["a"]}),
        {
            "name": "quiet",
            "rule": {"schedule": {"expression": "cron(* * * * *)", "duration": "PT1H"}},
            "muteTargets": {"alarmNames": ["a"]},
        },
    ),
    (
        "cloudwatch",
        lambda it: it.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(a)"),
        {"alarmName": "both", "alarmRule": "ALARM(a)"},
    ),
    (
        "cloudwatch",
        lambda it: it.set_alarm_state(AlarmName="both", StateValue="OK", StateReason="r"),
        {"alarmName": "both", "stateValue": "OK", "stateReason": "r"},
    ),
    (
        "logs",
        lambda it: it.put_account_policy(policyName="p", policyDocument="{}", policyType="TRANSFORMER_POLICY"),
        {"policyName": "p", "policyDocument": "{}", "policyType": "TRANSFORMER_POLICY"},
    ),
    ("sns", lambda it: it.create_topic(Name="on-call"), {"name": "on-call"}),
    (
        "sns",
        lambda it: it.add_permission(TopicArn=TOPIC, **PUBLISH),
        {"topicArn": TOPIC, "label": "l", "aWSAccountId": [ACCOUNT], "actionName": ["Publish"]},
    ),
    ("sns", lambda it: it.remove_permission(TopicArn=TOPIC, Label="l"), {"topicArn": TOPIC, "label": "l"}),
]


@pytest.mark.parametrize(("service", "act", "expected"), CALLS)
def test_a_call_is_recorded_as_it_was_made(
    cloud: LocalCloud, service: str, act: Callable[[Any], object], expected: dict[str, Any]
) -> None:
    act(cloud.client(service))
    record = cloud.records[-1]
    assert (record["requestParameters"], record.get("errorCode"), record["readOnly"]) == (expected, None, False)
