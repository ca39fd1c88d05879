"""Each thing that AWS is documented to do and moto does not, alone and with its clock."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from localcloud.awkward.awkwardness import FULL, MILD, NONE, Awkwardness
from localcloud.awkward.throttling import CODES, Throttle
from localcloud.functions.older_sdk import write_models

AWKWARD = Callable[..., LocalCloud]


@pytest.fixture
def awkward(cloud: LocalCloud) -> Iterator[AWKWARD]:
    """Makes the local cloud awkward for one test."""

    def make(**traits: Any) -> LocalCloud:
        cloud.traits.set(replace(NONE, **traits))
        return cloud

    yield make
    cloud.traits.set(NONE)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        act()
    code: str = caught.value.response["Error"]["Code"]
    return code


def until_allowed(act: Callable[[], object], seconds: float = 5.0) -> None:
    """Do it again until AWS lets it be done."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            act()
        except ClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def test_a_read_shows_the_group_before_a_change_for_a_while(awkward: AWKWARD) -> None:
    cloud = awkward()
    ec2 = cloud.client("ec2")
    group = ec2.create_security_group(GroupName="stale", Description="d")["GroupId"]
    awkward(stale_reads=20.0, clock_divisor=100.0)

    def rules() -> list[Any]:
        found: list[Any] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
        return found

    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8")
    assert rules() == []
    time.sleep(0.25)
    assert len(rules()) == 1


def test_a_new_group_is_not_found_for_a_while(awkward: AWKWARD) -> None:
    ec2 = awkward(stale_reads=20.0, clock_divisor=100.0).client("ec2")
    group = ec2.create_security_group(GroupName="young", Description="d")["GroupId"]
    assert code_of(lambda: ec2.describe_security_groups(GroupIds=[group])) == "InvalidGroup.NotFound"
    until_allowed(lambda: ec2.describe_security_groups(GroupIds=[group]))


def test_a_record_is_looked_up_minutes_later(awkward: AWKWARD) -> None:
    cloud = awkward(late_lookups=200.0, clock_divisor=100.0)
    ec2, trail = cloud.client("ec2"), cloud.client("cloudtrail")
    ec2.create_security_group(GroupName="looked-up", Description="d")
    event_id = cloud.records[-1]["eventID"]
    attributes = [{"AttributeKey": "EventId", "AttributeValue": event_id}]
    assert trail.lookup_events(LookupAttributes=attributes)["Events"] == []
    time.sleep(3.0)  # an event's time is in whole seconds
    assert len(trail.lookup_events(LookupAttributes=attributes)["Events"]) == 1


def test_an_event_source_mapping_refuses_changes_until_it_is_enabled(small: LocalCloud, awkward: AWKWARD) -> None:
    functions, sqs = small.client("lambda"), small.client("sqs")
    sqs.create_queue(QueueName="settling")
    arn = f"arn:aws:sqs:{small.region}:{small.account_id}:settling"
    awkward(mapping_changes=30.0, clock_divisor=100.0)
    made = functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="small-dev-doing")
    uuid = made["UUID"]
    assert made["State"] == "Creating"
    assert functions.get_event_source_mapping(UUID=uuid)["State"] == "Creating"
    listed = functions.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"]
    assert [item["State"] for item in listed] == ["Creating"]
    assert code_of(lambda: functions.update_event_source_mapping(UUID=uuid, BatchSize=1)) == "ResourceInUseException"
    until_allowed(lambda: functions.update_event_source_mapping(UUID=uuid, BatchSize=1))
    assert functions.get_event_source_mapping(UUID=uuid)["State"] == "Updating"
    until_allowed(lambda: functions.delete_event_source_mapping(UUID=uuid))


def test_a_deleted_queues_name_is_free_after_a_minute(awkward: AWKWARD) -> None:
    sqs = awkward(deleted_queues=60.0, clock_divisor=200.0).client("sqs")
    sqs.delete_queue(QueueUrl=sqs.create_queue(QueueName="again")["QueueUrl"])
    assert code_of(lambda: sqs.create_queue(QueueName="again")) == "AWS.SimpleQueueService.QueueDeletedRecently"
    sqs.create_queue(QueueName="another")
    until_allowed(lambda: sqs.create_queue(QueueName="again"))


def test_a_queue_is_purged_once_a_minute(awkward: AWKWARD) -> None:
    sqs = awkward(purged_queues=60.0, clock_divisor=200.0).client("sqs")
    url = sqs.create_queue(QueueName="purged")["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)
    assert code_of(lambda: sqs.purge_queue(QueueUrl=url)) == "AWS.SimpleQueueService.PurgeQueueInProgress"
    until_allowed(lambda: sqs.purge_queue(QueueUrl=url))


def test_a_tables_time_to_live_is_changed_once_an_hour(awkward: AWKWARD) -> None:
    dynamodb = awkward(ttl_changes=3600.0, clock_divisor=10_000.0).client("dynamodb")
    key = [{"AttributeName": "pk", "KeyType": "HASH"}]
    types = [{"AttributeName": "pk", "AttributeType": "S"}]
    dynamodb.create_table(TableName="ttl", KeySchema=key, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")

    def change(*, enabled: bool) -> None:
        specification = {"Enabled": enabled, "AttributeName": "expires_at"}
        dynamodb.update_time_to_live(TableName="ttl", TimeToLiveSpecification=specification)

    change(enabled=True)
    assert code_of(lambda: change(enabled=False)) == "ValidationException"
    until_allowed(lambda: change(enabled=False))


def test_lambdas_control_plane_takes_fifteen_requests_a_second() -> None:
    times = iter([0.0] * 20 + [1.0] * 20)
    throttle = Throttle(replace(NONE, lambda_rate=15.0), clock=lambda: next(times))
    refused = [throttle._token("123456789012", "eu-west-1") for _ in range(40)]
    assert (refused[:20].count(True), refused[20:].count(True)) == (15, 15)


@pytest.mark.parametrize("service", ["ec2", "lambda", "sqs", "sns", "dynamodb", "ssm", "cloudwatch", "logs", "iam"])
def test_every_service_throttles_with_its_own_error(awkward: AWKWARD, service: str) -> None:
    cloud = awkward(throttled=1000)
    calls = {"ec2": "describe_vpcs", "lambda": "list_functions", "sqs": "list_queues", "sns": "list_topics"}
    calls |= {"dynamodb": "list_tables", "ssm": "describe_parameters", "cloudwatch": "describe_alarms"}
    calls |= {"logs": "describe_log_groups", "iam": "list_users"}
    expected = CODES.get(service, "ThrottlingException")
    assert code_of(getattr(cloud.client(service), calls[service])) == expected


def test_the_same_seed_throttles_the_same_calls(cloud: LocalCloud) -> None:
    def drawn(seed: int) -> list[bool]:
        throttle = Throttle(replace(FULL, seed=seed, throttled=200))
        return [throttle._random.randrange(1000) < 200 for _ in range(100)]

    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.parametrize("awkwardness", [MILD, FULL])
def test_a_wait_of_aws_takes_less_than_a_minute_here(awkwardness: Awkwardness) -> None:
    assert awkwardness.wait(awkwardness.ttl_changes) <= 60


def test_a_stack_that_fails_is_rolled_back_and_has_to_be_deleted(cloud: LocalCloud) -> None:
    stacks, sqs = cloud.client("cloudformation"), cloud.client("sqs")
    body = '{"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "rolled-back"}}}}'
    cloud.traits.fail_stack("failing")
    stacks.create_stack(StackName="failing", TemplateBody=body)
    [stack] = stacks.describe_stacks(StackName="failing")["Stacks"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="rolled-back")
    assert code_of(lambda: stacks.update_stack(StackName="failing", TemplateBody=body)) == "ValidationError"
    stacks.delete_stack(StackName="failing")
    stacks.create_stack(StackName="failing", TemplateBody=body)
    assert stacks.describe_stacks(StackName="failing")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    assert len(sqs.list_queues(QueueNamePrefix="rolled-back")["QueueUrls"]) == 1


def test_an_older_sdk_does_not_know_later_operations(tmp_path: Path) -> None:
    data = write_models(tmp_path, [("cloudwatch", "ListAlarmMuteRules")])
    code = "import boto3; print(hasattr(boto3.client('cloudwatch', region_name='eu-west-1'), 'list_alarm_mute_rules'))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={"AWS_DATA_PATH": str(data)}, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
