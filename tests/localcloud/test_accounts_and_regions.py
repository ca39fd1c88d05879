"""Three accounts and three regions in one local cloud: records and events keep apart, and forwarders join them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

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


def let_in(cloud: LocalCloud, account_id: str) -> None:
    """Let an account put events on the home bus."""
    permission = {"Action": "events:PutEvents", "Principal": account_id, "StatementId": f"from-{account_id}"}
    client(cloud, "events", *PLACES[0]).put_permission(**permission)


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
    let_in(cloud, account_id)
    client(cloud, "ec2", account_id, region).create_security_group(GroupName=name, Description="d")
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    received = [json.loads(item["Body"]) for item in messages]
    assert [(item["account"], item["region"]) for item in received] == [(account_id, region)]
    for place in (PLACES[0], (account_id, region)):
        client(cloud, "events", *place).remove_targets(Rule=name, Ids=["1"])


def dead_letters(cloud: LocalCloud, account_id: str, bus: str, role: str | None = None) -> list[dict[str, Any]]:
    """What a rule's dead-letter queue gets of one event that it sends to a bus of the home account."""
    place, name = (account_id, REGIONS[1]), f"refused-{account_id}"
    sqs, events = client(cloud, "sqs", *place), client(cloud, "events", *place)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    target = {"Id": "1", "Arn": bus, "DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGIONS[1]}:{account_id}:{name}"}}
    events.put_rule(Name=name, EventPattern=PATTERN)
    events.put_targets(Rule=name, Targets=[target | ({"RoleArn": role} if role else {})])
    client(cloud, "ec2", *place).create_security_group(GroupName=name, Description="d")
    events.remove_targets(Rule=name, Ids=["1"])
    return [json.loads(item["Body"]) for item in sqs.receive_message(QueueUrl=url).get("Messages", [])]


def test_an_event_that_a_bus_of_another_account_does_not_take_is_a_dead_letter(cloud: LocalCloud) -> None:
    name = "closed"
    bus = client(cloud, "events", *PLACES[0]).create_event_bus(Name=name)["EventBusArn"]
    (letter,) = dead_letters(cloud, ACCOUNTS[1], bus)
    assert letter["detail"]["eventName"] == "CreateSecurityGroup"


def test_an_event_that_the_targets_role_may_not_send_is_a_dead_letter(cloud: LocalCloud) -> None:
    iam = client(cloud, "iam", *PLACES[0])
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = iam.create_role(RoleName="powerless", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    bus = f"arn:aws:events:{REGIONS[0]}:{ACCOUNTS[0]}:event-bus/default"
    assert len(dead_letters(cloud, ACCOUNTS[0], bus, role)) == 1


CONDITION = {
    "StringEquals": {"sts:ExternalId": "stage:prod"},
    "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/ops"},
}


@pytest.mark.parametrize(
    ("who", "external_id", "role", "refused"),
    [
        ("ops", "stage:prod", "trusting", False),
        ("ops", "another", "trusting", True),
        ("ops", None, "trusting", True),
        ("other", "stage:prod", "trusting", True),
        ("ops", "stage:prod", "not-there", True),
    ],
)
def test_a_role_of_another_account_lets_in_whom_its_trust_policy_names(
    cloud: LocalCloud, who: str, external_id: str | None, role: str, *, refused: bool
) -> None:
    principal = {"AWS": f"arn:aws:iam::{ACCOUNTS[0]}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": CONDITION}
    iam = client(cloud, "iam", ACCOUNTS[1], REGIONS[0])
    if not any(item["RoleName"] == "trusting" for item in iam.list_roles()["Roles"]):
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_role(RoleName="trusting", AssumeRolePolicyDocument=document)
    sts = cloud.client("sts", credentials=cloud.identities.role_session(who, "alice"))
    asked = {"RoleArn": f"arn:aws:iam::{ACCOUNTS[1]}:role/{role}", "RoleSessionName": "alice"}
    asked |= {"ExternalId": external_id} if external_id else {}
    if refused:
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(**asked)
    else:
        assert sts.assume_role(**asked)["AssumedRoleUser"]["Arn"].endswith(":assumed-role/trusting/alice")
