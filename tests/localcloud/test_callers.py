"""Who made a call, as the records say it, and what IAM lets them do."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from localcloud.callers import Callers, Credentials
from localcloud.endpoint import Endpoint
from localcloud.servers import HttpServer


def made_by(cloud: LocalCloud, credentials: Credentials, **more: Any) -> dict[str, Any]:
    """The record of a call that these credentials made."""
    cloud.client("ec2", credentials=credentials, **more).describe_vpcs()
    return cloud.records[-1]


def test_a_user_has_its_name_and_no_session(cloud: LocalCloud) -> None:
    identity = made_by(cloud, cloud.identities.user("alice"))["userIdentity"]
    assert (identity["type"], identity["userName"]) == ("IAMUser", "alice")
    assert identity["arn"] == "arn:aws:iam::123456789012:user/alice"
    assert "sessionContext" not in identity


def test_a_role_session_has_its_issuer_and_its_source_identity(cloud: LocalCloud) -> None:
    session = cloud.identities.role_session("Terraform", "run-1", source_identity="bob", mfa=True)
    identity = made_by(cloud, session)["userIdentity"]
    assert identity["arn"] == "arn:aws:sts::123456789012:assumed-role/Terraform/run-1"
    assert identity["principalId"].endswith(":run-1")
    context = identity["sessionContext"]
    assert context["sourceIdentity"] == "bob"
    assert context["attributes"]["mfaAuthenticated"] == "true"
    assert context["sessionIssuer"]["arn"] == "arn:aws:iam::123456789012:role/Terraform"
    assert context["sessionIssuer"]["principalId"] == identity["principalId"].removesuffix(":run-1")


def test_a_session_made_by_assume_role_keeps_its_source_identity(cloud: LocalCloud) -> None:
    everybody = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    cloud.client("iam").create_role(RoleName="Deploy", AssumeRolePolicyDocument=trust)
    policy = json.dumps(cloud.identities.allowing(["ec2:*"]))
    cloud.client("iam").put_role_policy(RoleName="Deploy", PolicyName="p", PolicyDocument=policy)
    given = cloud.client("sts").assume_role(
        RoleArn="arn:aws:iam::123456789012:role/Deploy", RoleSessionName="ci", SourceIdentity="carol"
    )["Credentials"]
    session = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    identity = made_by(cloud, session)["userIdentity"]
    assert identity["sessionContext"]["sourceIdentity"] == "carol"
    assert identity["arn"].endswith("assumed-role/Deploy/ci")


def test_a_person_of_identity_center_has_an_sso_role_and_the_console(cloud: LocalCloud) -> None:
    record = made_by(cloud, cloud.identities.sso_session("Admin", "dora@example.com"))
    issuer = record["userIdentity"]["sessionContext"]["sessionIssuer"]
    assert issuer["userName"].startswith("AWSReservedSSO_Admin_")
    assert "/aws-reserved/sso.amazonaws.com/" in issuer["arn"]
    assert record["userIdentity"]["arn"].endswith("/dora@example.com")
    assert record["sessionCredentialFromConsole"] == "true"


def test_root_is_root(cloud: LocalCloud) -> None:
    identity = made_by(cloud, cloud.identities.root())["userIdentity"]
    assert (identity["type"], identity["arn"]) == ("Root", "arn:aws:iam::123456789012:root")
    assert identity["principalId"] == "123456789012"


def test_user_agent_and_source_address_are_those_of_the_request(cloud: LocalCloud) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64)"
    record = made_by(cloud, cloud.credentials, user_agent=agent, source_ip="203.0.113.7")
    assert record["userAgent"] == agent
    assert record["sourceIPAddress"] == "203.0.113.7"
    assert made_by(cloud, cloud.credentials)["sourceIPAddress"] == "127.0.0.1"


def test_a_call_that_no_policy_allows_is_refused_and_recorded(cloud: LocalCloud) -> None:
    ec2 = cloud.client("ec2", credentials=cloud.identities.user("reader", cloud.identities.allowing(["ec2:Describe*"])))
    ec2.describe_vpcs()
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        ec2.create_security_group(GroupName="no", Description="d")
    record = cloud.records[-1]
    assert record["errorCode"] == "Client.UnauthorizedOperation"
    assert record["responseElements"] is None
    assert "user/reader is not authorized to perform: ec2:CreateSecurityGroup" in record["errorMessage"]
    assert record["requestParameters"]["groupName"] == "no"


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({"Effect": "Allow", "Action": "sns:Publish", "Resource": "arn:aws:sns:*:123456789012:alerts"}, True),
        ({"Effect": "Allow", "Action": "sns:Publish", "Resource": "arn:aws:sns:*:123456789012:other"}, False),
        ({"Effect": "Allow", "Action": "SNS:publish", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": "ec2:*", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": "sns:*", "Resource": "*"}, False),
        (
            {
                "Effect": "Allow",
                "Action": "sns:*",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
            },
            False,
        ),
    ],
)
def test_a_policy_is_judged_by_action_resource_and_condition(
    cloud: LocalCloud, statement: dict[str, Any], allowed: bool, request: pytest.FixtureRequest
) -> None:
    topic = cloud.client("sns").create_topic(Name="alerts")["TopicArn"]
    name = f"user-{abs(hash(request.node.name))}"
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    sns = cloud.client("sns", credentials=cloud.identities.user(name, policy))
    if allowed:
        assert sns.publish(TopicArn=topic, Message="m")["MessageId"]
    else:
        with pytest.raises(ClientError, match="AuthorizationError"):
            sns.publish(TopicArn=topic, Message="m")


def test_a_deny_wins(cloud: LocalCloud) -> None:
    policy = cloud.identities.allowing(["*"])
    policy["Statement"].append({"Effect": "Deny", "Action": "logs:Delete*", "Resource": "*"})
    logs = cloud.client("logs", credentials=cloud.identities.user("careful", policy))
    logs.create_log_group(logGroupName="kept")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        logs.delete_log_group(logGroupName="kept")
    record = cloud.records[-1]
    assert (record["eventName"], record["errorCode"]) == ("DeleteLogGroup", "AccessDeniedException")


@pytest.mark.parametrize(
    ("service", "call", "parameters", "source", "name"),
    [
        ("cloudwatch", "delete_alarms", {"AlarmNames": ["a"]}, "monitoring.amazonaws.com", "DeleteAlarms"),
        ("logs", "create_log_group", {"logGroupName": "g"}, "logs.amazonaws.com", "CreateLogGroup"),
        ("events", "put_rule", {"Name": "r", "ScheduleExpression": "rate(1 day)"}, "events.amazonaws.com", "PutRule"),
        ("sns", "create_topic", {"Name": "t"}, "sns.amazonaws.com", "CreateTopic"),
        (
            "lambda",
            "put_function_concurrency",
            {"FunctionName": "f", "ReservedConcurrentExecutions": 0},
            "lambda.amazonaws.com",
            "PutFunctionConcurrency20171031",
        ),
        ("cloudtrail", "stop_logging", {"Name": "trail"}, "cloudtrail.amazonaws.com", "StopLogging"),
        (
            "elbv2",
            "set_security_groups",
            {"LoadBalancerArn": "arn:aws:elasticloadbalancing:x", "SecurityGroups": ["sg-1"]},
            "elasticloadbalancing.amazonaws.com",
            "SetSecurityGroups",
        ),
    ],
)
def test_calls_of_every_service_have_cloudtrail_s_names(
    cloud: LocalCloud, service: str, call: str, parameters: dict[str, Any], source: str, name: str
) -> None:
    client = cloud.client(service)
    with contextlib.suppress(ClientError):
        getattr(client, call)(**parameters)
    record = cloud.records[-1]
    assert (record["eventSource"], record["eventName"]) == (source, name)
    for parameter in parameters:
        assert parameter[:1].lower() + parameter[1:] in record["requestParameters"]


def test_a_fault_of_the_local_cloud_is_an_error_of_the_services_own_form(caplog: pytest.LogCaptureFixture) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("changed size during iteration")

    server = HttpServer.start(Endpoint(Callers(), fails, enforce_iam=False))
    try:
        for service, ask in (("iam", "list_users"), ("logs", "describe_log_groups")):
            client: Any = boto3.client(
                service,  # type: ignore[call-overload] # one of two
                endpoint_url=server.url,
                region_name="eu-west-1",
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
                config=Config(retries={"total_max_attempts": 1}),
            )
            with pytest.raises(ClientError, match="InternalFailure"):
                getattr(client, ask)()
    finally:
        server.stop()
    assert "changed size during iteration" in caplog.text
