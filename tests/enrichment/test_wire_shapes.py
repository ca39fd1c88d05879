"""What is asked of AWS and read from it, held against botocore's models of the services and on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.aws.read_calls import AwsReader, Call, LookupFailed
from chalicelib.enrichment.parse_answers import read_config_group, read_config_group_ids
from chalicelib.enrichment.plan import alias, plan
from chalicelib.security_groups.changes import NotUnderstood, NotWatched
from chalicelib.security_groups.parse import read_change
from localcloud.servers import HttpServer
from sgwatch.undoing import CannotUndo, check_unchanged
from tests.enrichment.test_before import CONFIG_GROUP
from tests.enrichment.test_lookups import records_of_all_events
from tests.support import records as r
from tests.support.stubbed import Stubbed


def planned() -> Iterator[Call]:
    """Every look-up that some event asks."""
    for record in records_of_all_events():
        for with_config in (True, False):
            try:
                change = read_change(record)
            except (NotWatched, NotUnderstood):
                continue
            for question in plan(record, change, with_config=with_config, is_cached=lambda _: False).questions:
                yield question.call
    yield alias().call


def test_every_look_up_is_a_call_that_its_service_has_with_parameters_that_it_takes() -> None:
    stubbed = Stubbed({"iam:ListAccountAliases": {"AccountAliases": ["production"]}})
    for call in planned():
        stubbed(call, None, None)
    assert {call.service for call in stubbed.asked} == {"ec2", "config", "iam"}
    assert len({call.action for call in stubbed.asked}) == 8


def test_a_parameter_that_no_service_has_would_not_pass() -> None:
    wrong = Call("ec2:DescribeVpcEndpoints", "describe_vpc_endpoints", {"EndpointIds": ["vpce-1"]})
    with pytest.raises(Exception, match="Unknown parameter in input"):
        Stubbed()(wrong, None, None)


ALERTS = {
    "rules": r.authorize(r.world()),
    "deleted": r.delete({"groupName": "web"}),
    "association": r.association(),
    "interface": r.record(
        "ModifyNetworkInterfaceAttribute", {"networkInterfaceId": "eni-1", "groupSet": r.items({"groupId": "sg-1"})}
    ),
    "instance": r.record("ModifyInstanceAttribute", {"instanceId": "i-1", "groupSet": r.items({"groupId": "sg-1"})}),
    "endpoint": r.wrapped("ModifyVpcEndpoint", {"VpcEndpointId": "vpce-1", "AddSecurityGroupId": "sg-1"}),
    "load balancer": r.record(
        "SetSecurityGroups",
        {
            "loadBalancerArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/1",
            "securityGroups": ["sg-1"],
        },
        eventSource="elasticloadbalancing.amazonaws.com",
    ),
}


@pytest.mark.parametrize("raw", ALERTS.values(), ids=ALERTS.keys())
def test_what_is_live_before_an_undo_is_asked_as_its_service_takes_it(raw: dict[str, Any]) -> None:

    stubbed = Stubbed({"ec2:DescribeSecurityGroups": {"SecurityGroups": [{"GroupId": r.GROUP_ID}]}})
    with pytest.raises(CannotUndo):
        check_unchanged(alert_of(raw), stubbed)
    assert stubbed.asked


@dataclass
class ConfigEndpoint:
    """AWS Config on the wire: JSON 1.1, times as seconds since 1970."""

    items: list[dict[str, Any]]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    error: str | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.asked.append((environ["HTTP_X_AMZ_TARGET"], json.loads(body)))
        answer: dict[str, Any] = {"configurationItems": self.items}
        if self.error:
            answer = {"__type": self.error, "message": "no"}
        start_response("400 Bad Request" if self.error else "200 OK", [("Content-Type", "application/x-amz-json-1.1")])
        return [json.dumps(answer).encode()]


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConfigEndpoint]:
    endpoint = ConfigEndpoint(
        [
            {
                "version": "1.3",
                "accountId": "123456789012",
                "configurationItemCaptureTime": 1763892000.0,
                "configurationItemStatus": "OK",
                "resourceType": "AWS::EC2::SecurityGroup",
                "resourceId": "sg-1",
                "configuration": json.dumps(CONFIG_GROUP),
                "supplementaryConfiguration": {},
            }
        ]
    )
    server = HttpServer.start(endpoint)
    settings = {"AWS_ENDPOINT_URL": server.url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield endpoint
    server.stop()


def config_question(event: str) -> Call:
    """What is asked of Config for an event."""
    for record in records_of_all_events():
        if record.event_name != event or record.error_code:
            continue
        change = read_change(record)
        for question in plan(record, change, with_config=True, is_cached=lambda _: False).questions:
            if question.key == "config":
                return question.call
    raise AssertionError(f"{event} asks nothing of Config")


def test_config_is_asked_on_the_wire_for_what_it_recorded_last_before_the_event(config: ConfigEndpoint) -> None:
    answer = AwsReader()(config_question("DeleteSecurityGroup"), None, "eu-west-1")
    ((target, asked),) = config.asked
    assert target == "StarlingDoveService.GetResourceConfigHistory"
    assert asked == {
        "resourceType": "AWS::EC2::SecurityGroup",
        "resourceId": "sg-1",
        "limit": 1,
        "laterTime": datetime(2026, 11, 23, 10, tzinfo=UTC).timestamp(),
    }
    group = read_config_group(answer)
    assert group is not None
    assert (group.name, group.vpc_id, group.tags) == ("web", "vpc-1", {"Owner": "payments"})
    assert [(rule.peer.value, rule.description) for rule in group.rules] == [("203.0.113.0/24", "old")]


@pytest.mark.parametrize(
    ("event", "kind", "configuration"),
    [
        ("ModifyNetworkInterfaceAttribute", "AWS::EC2::NetworkInterface", {"groups": [{"groupId": "sg-9"}]}),
        ("ModifyInstanceAttribute", "AWS::EC2::Instance", {"securityGroups": [{"groupId": "sg-9"}]}),
    ],
)
def test_config_shows_the_groups_of_a_resource(
    config: ConfigEndpoint, event: str, kind: str, configuration: dict[str, Any]
) -> None:
    config.items = [{**config.items[0], "resourceType": kind, "configuration": json.dumps(configuration)}]
    answer = AwsReader()(config_question(event), None, "eu-west-1")
    assert config.asked[0][1]["resourceType"] == kind
    assert read_config_group_ids(answer) == ("sg-9",)


def test_a_resource_that_config_never_saw_is_a_failed_look_up_with_its_code(config: ConfigEndpoint) -> None:
    config.error = "ResourceNotDiscoveredException"
    with pytest.raises(LookupFailed, match="ResourceNotDiscoveredException on config:GetResourceConfigHistory"):
        AwsReader()(config_question("DeleteSecurityGroup"), None, "eu-west-1")
