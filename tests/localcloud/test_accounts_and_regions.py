"""Three accounts and three regions in one local cloud: records and events keep apart, and forwarders join them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud import LocalCloud

ACCOUNTS = ("123456789012", "111122223333", "210987654321")
REGIONS = ("eu-west-1", "us-east-1", "ap-southeast-2")
PATTERN = json.dumps({"source": ["aws.ec2"], "detail": {"eventName": ["CreateSecurityGroup"]}})
PLACES = [(account_id, region) for account_id in ACCOUNTS for region in REGIONS]


def client(cloud: LocalCloud, service: str, account_id: str, region: str) -> Any:
    return cloud.client(service, credentials=cloud.identities.administrator(account_id), region=region)


@pytest.mark.parametrize(("account_id", "region"), PLACES)
def test_a_record_names_the_account_and_the_region_of_its_call(cloud: LocalCloud, account_id: str, region: str) -> None:
    ec2 = client(cloud, "ec2", account_id, region)
    group = ec2.create_security_group(GroupName="placed", Description="d")["GroupId"]
    record = cloud.records[-1]
    assert (record["recipientAccountId"], record["awsRegion"]) == (account_id, region)
    assert record["userIdentity"]["arn"] == f"arn:aws:iam::{account_id}:user/local-admin"
    others = [place for place in PLACES if place != (account_id, region)]
    for other in others:
        groups = client(cloud, "ec2", *other).describe_security_groups()["SecurityGroups"]
        assert group not in [item["GroupId"] for item in groups]


@pytest.mark.parametrize(("account_id", "region"), PLACES[1:])
def test_a_forwarder_brings_an_event_to_the_home_region_and_account_once(
    cloud: LocalCloud, account_id: str, region: str
) -> None:
    home_account, home_region = PLACES[0]
    name = f"forwarded-{account_id}-{region}"
    sqs = client(cloud, "sqs", home_account, home_region)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = f"arn:aws:sqs:{home_region}:{home_account}:{name}"
    bus = f"arn:aws:events:{home_region}:{home_account}:event-bus/default"
    for place, target in ((PLACES[0], queue), ((account_id, region), bus)):
        events = client(cloud, "events", *place)
        events.put_rule(Name=name, EventPattern=PATTERN)
        events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": target}])
    client(cloud, "ec2", account_id, region).create_security_group(GroupName=name, Description="d")
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    received = [json.loads(item["Body"]) for item in messages]
    assert [(item["account"], item["region"]) for item in received] == [(account_id, region)]
    for place in (PLACES[0], (account_id, region)):
        client(cloud, "events", *place).remove_targets(Rule=name, Ids=["1"])
