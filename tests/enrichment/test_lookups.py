"""What is looked up, how often, and what the alert says where a look-up fails."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alert.model import Alert, Severity
from chalicelib.aws.read_calls import AwsReader, Call, Reader
from chalicelib.cloudtrail.catalog import EVENTS, EventGroup
from chalicelib.cloudtrail.records import read_record
from chalicelib.deployment import ALERT_ON_CHANGE
from chalicelib.enrichment.enrich import Enricher
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.lookups import Lookups
from chalicelib.enrichment.plan import MAX_CALLS, alias, plan
from chalicelib.security_groups.changes import NotUnderstood, NotWatched
from chalicelib.security_groups.parse import read_change
from localcloud.cloud import LocalCloud
from localcloud.servers import HttpServer
from sgwatch.policies import policy
from tests.enrichment.world import World
from tests.support import records as r
from tests.support.faulty import BROKEN, DENIED, NOT_FOUND, THROTTLED, FaultyEndpoint, Refusal
from tests.support.memory_table import MemoryTable
from tests.support.stubbed import Stubbed
from tests.support.unknowns import sentences

ROOT = Path(__file__).parent.parent.parent
LOOKED_UP = ("DescribeSecurityGroups", "DescribeSecurityGroupRules", "DescribeNetworkInterfaces")


@dataclass
class Counting:
    """A reader that notes what it was asked."""

    inner: Reader
    asked: list[str] = field(default_factory=list)

    def __call__(self, call: Call, account_id: str | None, region: str | None) -> Mapping[str, Any]:
        self.asked.append(call.action)
        return self.inner(call, account_id, region)


@pytest.fixture
def opened(world: World) -> dict[str, Any]:
    """The record of a port opened to the internet on a group with a tag."""
    group_id = world.new_group((), {"Team": "payments"})
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    return world.call("authorize-security-group-ingress", {"GroupId": group_id, "IpPermissions": [permission]})


@pytest.fixture
def faulty(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FaultyEndpoint, Enricher]]:
    endpoint = FaultyEndpoint(cloud.endpoint)
    server: HttpServer = endpoint.serve()
    for name, value in {**cloud.environment(), "AWS_ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    reader = AwsReader(timeout=20.0)
    yield endpoint, Enricher(Lookups(reader, {cloud.account_id: "local"}, timeout=20.0))
    server.stop()


def test_the_alert_shows_name_tags_owner_vpc_and_account(lookups: Lookups, world: World, opened: Any) -> None:
    alert = Enricher(lookups).alert_of(opened)
    assert alert.security_group is not None
    assert alert.security_group.name
    assert alert.security_group.vpc_id == world.vpc_id
    assert alert.security_group.tags == {"Team": "payments"}
    assert alert.security_group.owner == "payments"
    assert alert.security_group.attached is not None
    assert alert.account.name == "local"
    assert alert.unknowns == ()
    assert alert.changes.rules_after == 2


@pytest.mark.parametrize("refusal", [DENIED, THROTTLED, NOT_FOUND, BROKEN])
@pytest.mark.parametrize("action", LOOKED_UP)
def test_a_failed_lookup_is_said_in_the_alert(
    faulty: tuple[FaultyEndpoint, Enricher], opened: Any, action: str, refusal: Refusal
) -> None:
    endpoint, enricher = faulty
    endpoint.refusals[action] = refusal
    alert = enricher.alert_of(opened)
    assert [item for item in sentences(alert.unknowns) if item.endswith(f": {refusal[1]} on ec2:{action}")]
    assert_complete_otherwise(alert)


def assert_complete_otherwise(alert: Alert) -> None:
    """That the record's own truth is all there."""
    assert alert.severity is Severity.CRITICAL
    assert len(alert.changes.added) == 1
    assert alert.undo.commands


def test_a_failed_lookup_is_named_for_what_is_missing(faulty: tuple[FaultyEndpoint, Enricher], opened: Any) -> None:
    endpoint, enricher = faulty
    endpoint.refusals["DescribeNetworkInterfaces"] = DENIED
    expected = "attached interfaces: UnauthorizedOperation on ec2:DescribeNetworkInterfaces"
    assert sentences(enricher.alert_of(opened).unknowns) == (expected,)


def test_a_late_lookup_does_not_delay_the_alert(faulty: tuple[FaultyEndpoint, Enricher], opened: Any) -> None:
    endpoint, enricher = faulty
    enricher.alert_of(opened)  # clients are made
    endpoint.delays["DescribeNetworkInterfaces"] = 12.0
    enricher.lookups.timeout = 3.0
    started = time.monotonic()
    alert = enricher.alert_of(opened)
    assert time.monotonic() - started < 10.0
    assert sentences(alert.unknowns) == ("attached interfaces: timed out on ec2:DescribeNetworkInterfaces",)
    assert_complete_otherwise(alert)


def test_an_endpoint_that_is_down_costs_only_what_it_would_have_reported(
    faulty: tuple[FaultyEndpoint, Enricher], opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    alert = Enricher(Lookups(AwsReader(timeout=20.0), {}, timeout=20.0)).alert_of(opened)
    assert len(alert.unknowns) == 3
    assert all("no connection on ec2:" in item for item in sentences(alert.unknowns))
    assert_complete_otherwise(alert)


def test_a_fault_of_our_own_costs_only_the_lookups(opened: Any) -> None:
    def broken(_call: Call, _account_id: str | None, _region: str | None) -> Mapping[str, Any]:
        return {"SecurityGroups": [{"no": "GroupId"}]}

    heard: list[str] = []
    enricher = Enricher(Lookups(broken), on_fault=lambda _record, error: heard.append(type(error).__name__))
    alert = enricher.alert_of(opened)
    assert sentences(alert.unknowns)[-1] == "everything beyond the record: a fault in sgwatch itself (KeyError)"
    assert heard == ["KeyError"]
    assert_complete_otherwise(alert)


def test_an_alert_costs_at_most_three_calls_at_once(faulty: tuple[FaultyEndpoint, Enricher], opened: Any) -> None:
    endpoint, enricher = faulty
    enricher.alert_of(opened)
    assert sorted(endpoint.asked) == sorted(LOOKED_UP)
    endpoint.delays = dict.fromkeys(LOOKED_UP, 1.5)
    started = time.monotonic()
    assert enricher.alert_of(opened).unknowns == ()
    assert time.monotonic() - started < 4.5  # what one after the other takes at least


def test_a_prefix_list_is_asked_about_once_a_minute(lookups: Lookups, world: World) -> None:
    counting, clock = Counting(lookups.reader), [0.0]

    def later() -> datetime:
        return datetime.now(UTC) + timedelta(minutes=1)

    names = {world.cloud.account_id: "x"}
    enricher = Enricher(Lookups(counting, names, timeout=10, now=lambda: clock[0], clock=later))
    group_id = world.new_group((), {})
    peer = [{"PrefixListId": world.prefix_list}]
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": peer}
    record = world.call("authorize-security-group-ingress", {"GroupId": group_id, "IpPermissions": [permission]})
    asked = []
    for clock[0] in (0.0, 30.0, 61.0):
        counting.asked.clear()
        alert = enricher.alert_of(record)
        asked.append("ec2:GetManagedPrefixListEntries" in counting.asked)
        assert len(counting.asked) == MAX_CALLS
        assert "offices" in alert.exposures[0].reason
    assert asked == [True, False, True]


@pytest.fixture
def alias_of_the_account(cloud: LocalCloud) -> Iterator[str]:
    iam = cloud.client("iam")
    iam.create_account_alias(AccountAlias="production")
    yield "production"
    iam.delete_account_alias(AccountAlias="production")


def test_the_accounts_alias_is_looked_up_where_a_call_is_left_and_kept_for_the_next_alert(
    lookups: Lookups, world: World, opened: Any, alias_of_the_account: str
) -> None:
    counting = Counting(lookups.reader)
    enricher = Enricher(Lookups(counting, timeout=10))
    assert enricher.alert_of(opened).account.name is None, "three calls were needed for the change itself"
    world.new_group((), {})
    created = next(each for each in reversed(world.cloud.records) if each["eventName"] == "CreateSecurityGroup")
    for record in (created, opened):
        counting.asked.clear()
        assert enricher.alert_of(record).account.name == alias_of_the_account
        assert len(counting.asked) == MAX_CALLS
    assert "iam:ListAccountAliases" not in counting.asked


def test_the_state_table_shows_the_alias_to_other_containers(
    lookups: Lookups, world: World, alias_of_the_account: str
) -> None:
    snapshots = Snapshots(MemoryTable())
    group_id = world.new_group((), {})
    created = next(each for each in reversed(world.cloud.records) if each["eventName"] == "CreateSecurityGroup")
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    later = world.call("authorize-security-group-ingress", {"GroupId": group_id, "IpPermissions": [permission]})
    Enricher(Lookups(lookups.reader, timeout=10), snapshots).alert_of(created)
    cold = Enricher(Lookups(lookups.reader, timeout=10), snapshots)
    assert cold.alert_of(later).account.name == alias_of_the_account


def test_a_name_that_is_set_wins_without_a_call(
    lookups: Lookups, world: World, opened: Any, alias_of_the_account: str
) -> None:
    counting = Counting(lookups.reader)
    enricher = Enricher(Lookups(counting, {world.cloud.account_id: "set"}, timeout=10))
    created = next(each for each in reversed(world.cloud.records) if each["eventName"] == "CreateSecurityGroup")
    assert [enricher.alert_of(record).account.name for record in (opened, created)] == ["set", "set"]
    assert "iam:ListAccountAliases" not in counting.asked


def test_our_own_accounts_alias_is_not_taken_for_another_accounts(
    lookups: Lookups, world: World, alias_of_the_account: str
) -> None:
    created = next(each for each in reversed(world.cloud.records) if each["eventName"] == "CreateSecurityGroup")
    foreign = {**created, "recipientAccountId": "444455556666", "responseElements": {"groupId": "sg-0123456789abcdef0"}}
    alert = Enricher(Lookups(lookups.reader, timeout=10)).alert_of(foreign)
    assert (alert.account.id, alert.account.name) == ("444455556666", None)


@pytest.mark.parametrize("error", [None, r.FAILED, r.DENIED])
@pytest.mark.parametrize("name", ["prod*", "pro?", "*"])
def test_a_name_with_wildcards_in_it_is_no_other_group(name: str, error: str | None) -> None:
    shown = {"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "prod"}]}
    reader = Stubbed({"ec2:DescribeSecurityGroups": shown})
    record = r.authorize(r.world(), group={"groupName": name}, errorCode=error)
    alert = Enricher(Lookups(reader, {r.ACCOUNT: "local"}, timeout=20)).alert_of(record)
    assert alert.security_group is not None
    assert (alert.security_group.id, alert.security_group.name) == (None, name)
    assert alert.title.endswith(f" on {name}")
    assert not any("sg-1" in command for command in alert.undo.commands or ())


def test_a_name_is_asked_for_to_the_letter() -> None:
    shown = {"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "*a?"}]}
    reader = Stubbed({"ec2:DescribeSecurityGroups": shown})
    record = r.authorize(r.world(), group={"groupName": "*a?"})
    alert = Enricher(Lookups(reader, {r.ACCOUNT: "local"}, timeout=20)).alert_of(record)
    (asked,) = reader.asked
    assert asked.parameters["Filters"] == [{"Name": "group-name", "Values": [r"\*a\?"]}]
    assert alert.title.endswith(" on *a? (sg-1)")


def records_of_all_events() -> Iterator[Any]:
    """A record of every watched event, with everything in it that a plan may look at."""
    groups = {"items": [{"groupId": "sg-1"}]}
    request = {
        "groupId": "sg-1",
        "vpcId": "vpc-1",
        "groupSet": groups,
        "securityGroups": ["sg-1"],
        "networkInterfaceId": "eni-1",
        "instanceId": "i-1",
        "vpcEndpointId": "vpce-1",
        "addSecurityGroupIds": ["sg-1"],
        "loadBalancerArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/1",
        "prefixListId": "pl-1",
        "currentVersion": 3,
        "previousVersion": 1,
        "securityGroupRule": {
            "securityGroupRuleId": "sgr-1",
            "securityGroupRule": {"ipProtocol": "-1", "cidrIpv4": "10.0.0.0/8"},
        },
        "securityGroupRuleDescriptions": [{"securityGroupRuleId": "sgr-1", "description": "x"}],
        "ipPermissions": {"items": [{"ipProtocol": "-1", "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]}}]},
    }
    with_list = {"items": [{"ipProtocol": "-1", "prefixListIds": {"items": [{"prefixListId": "pl-2"}]}}]}
    for event in EVENTS:
        if event.group is EventGroup.TAMPER:
            continue
        for changed in ({}, {"ipPermissions": with_list}, {"previousVersion": None}):
            for error in (None, "Client.UnauthorizedOperation"):
                yield read_record(
                    {
                        "eventName": event.name,
                        "eventSource": event.source,
                        "eventTime": "2026-11-23T10:00:00Z",
                        "requestParameters": {**request, **changed},
                        "errorCode": error,
                    }
                )


def planned_actions() -> Iterator[tuple[str, ...]]:
    for record in records_of_all_events():
        for with_config in (True, False):
            try:
                change = read_change(record)
            except (NotWatched, NotUnderstood):
                continue
            asked = plan(record, change, with_config=with_config, is_cached=lambda _: False)
            yield tuple(question.call.action for question in asked.questions)


def test_no_event_asks_more_than_three_questions() -> None:
    plans = list(planned_actions())
    assert max(len(actions) for actions in plans) == MAX_CALLS
    assert len(plans) > 50


@pytest.mark.parametrize(("region", "asked"), [(r.REGION, True), ("us-east-1", False)])
def test_who_uses_a_list_is_asked_in_its_own_region_only(region: str, asked: bool) -> None:
    target = {"IpamPrefixListResolverId": "ipam-plr-1", "PrefixListId": r.LIST_ID, "PrefixListRegion": region}
    record = read_record(r.wrapped("CreateIpamPrefixListResolverTarget", target))
    planned = plan(record, read_change(record), with_config=False, is_cached=lambda _: False)
    assert bool(planned.questions) is asked


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_policy_allows_exactly_what_is_asked(stage: str) -> None:
    variables = {"ENRICH": "true", "ENRICH_CONFIG": "true"}
    made = policy(stage, ALERT_ON_CHANGE, variables)["Statement"]
    allowed = [action for each in made if each["Sid"] in ("LookUps", "LookUpsInConfig") for action in each["Action"]]
    asked = {action for actions in planned_actions() for action in actions} | {alias().call.action}
    assert set(allowed) == asked
    assert all(action.split(":")[1].startswith(("Describe", "Get", "List")) for action in allowed)


def limited(cloud: LocalCloud, allowed: list[str]) -> dict[str, str]:
    """The environment of a user who may do just that."""
    iam = cloud.client("iam")
    name = f"reader-{len(allowed)}-{time.monotonic_ns()}"
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        **cloud.environment(),
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


def test_the_policy_is_enough_and_none_of_it_is_spare(
    cloud: LocalCloud, world: World, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = policy("dev", ALERT_ON_CHANGE, {"ENRICH": "true"})["Statement"]
    (allowed,) = (statement["Action"] for statement in made if statement["Sid"] == "LookUps")
    for missing in (None, *(f"ec2:{name}" for name in LOOKED_UP)):
        for name, value in limited(cloud, [item for item in allowed if item != missing]).items():
            monkeypatch.setenv(name, value)
        alert = Enricher(Lookups(AwsReader(timeout=10), {cloud.account_id: "x"}, timeout=10)).alert_of(opened)
        assert [item.rsplit(" on ")[-1] for item in sentences(alert.unknowns)] == ([missing] if missing else [])


_PROBE = """
import json, sys
from chalicelib.functions.composition.alerting import alert_maker
from chalicelib.settings.model import EnrichmentSettings
alert_maker(EnrichmentSettings() if sys.argv[1] == "on" else None)
print(json.dumps([name for name in ("boto3", "botocore", "chalicelib.enrichment.enrich") if name in sys.modules]))
"""


@pytest.mark.parametrize(("switch", "expected"), [("off", []), ("on", ["chalicelib.enrichment.enrich"])])
def test_no_client_is_made_before_one_is_needed(switch: str, expected: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, switch], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=True
    )
    assert json.loads(done.stdout) == expected
