"""The reconciliation on moto's EC2 and DynamoDB, with LookupEvents played (moto has none)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert, AlertKind, Severity
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, EventGroup
from chalicelib.cloudtrail.records import parse_time
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.group_snapshots import GroupKey, GroupSnapshot, fold
from chalicelib.enrichment.replay_changes import PastChange
from chalicelib.functions.composition.reconciling import reconcile, sweep_regions
from chalicelib.observability.logs import Log, Redactor
from chalicelib.reconciliation.reconcile import Reconciliation, Sweep
from chalicelib.reconciliation.suspicion import GRACE
from chalicelib.settings.model import SettingsError
from chalicelib.state.state_table import StateTable
from tests.support.durable import QUEUE, REGION, TABLE, World
from tests.support.unknowns import sentences

ACCOUNT = "123456789012"


@dataclass
class Trail:
    """LookupEvents over these records, two to a page."""

    records: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def lookup_events(self, **arguments: Any) -> dict[str, Any]:
        while self.meanwhile:
            self.meanwhile.pop()()
        if self.refusals:
            raise ClientError({"Error": {"Code": self.refusals.pop()}}, "LookupEvents")
        (attribute,) = arguments["LookupAttributes"]
        own = [each for each in self.records if attribute["AttributeValue"] in json.dumps(each)][::-1]
        start = int(arguments.get("NextToken", "0"))
        events = [{"CloudTrailEvent": json.dumps(each)} for each in own[start : start + 2]]
        more = {"NextToken": str(start + 2)} if start + 2 < len(own) else {}
        return {"Events": events, **more}


@dataclass
class Region:
    """One region under reconciliation."""

    durable: World
    ec2: Any
    trail: Trail
    snapshots: Snapshots
    sent: list[Alert] = field(default_factory=list)
    watch: Collection[EventGroup] = DEFAULT_WATCH

    def sweep(self) -> Sweep:
        return Reconciliation(
            account_id=ACCOUNT,
            snapshots=self.snapshots,
            table=self.durable.made.table,
            client=lambda service, region: self.ec2 if service == "ec2" else self.trail,
            watch=self.watch,
            alert_of=self.alert_of,
            seen=self.durable.made.bursts.seen,
            send=self.send,
            log=Log(Redactor(), write=lambda _: None),
            now=self.durable.clock.now,
            sleep=lambda _: None,
        ).sweep(REGION)

    def later(self) -> Sweep:
        """A sweep now, and one after the grace is over."""
        self.sweep()
        self.durable.clock.forward(GRACE.total_seconds())
        return self.sweep()

    def send(self, alert: Alert) -> None:
        self.durable.made.bursts.note(alert, "sent")
        self.sent.append(alert)

    def alert_of(self, raw: Mapping[str, Any]) -> Alert:
        """The record's alert, remembered in the snapshot, as look-ups do."""
        alert = alert_of(raw)
        group_id = alert.security_group.id if alert.security_group else None
        moment = parse_time(raw["eventTime"])
        if group_id is not None and moment is not None:
            past = PastChange(alert.id, moment, raw["eventName"], "alice", alert.changes.added, alert.changes.removed)
            gone = moment if raw["eventName"] == "DeleteSecurityGroup" else None
            self.snapshots.update(
                GroupKey(ACCOUNT, REGION, group_id), lambda each: each and replace(fold(each, past), deleted_at=gone)
            )
        return alert

    def open_ssh(self, group: str) -> dict[str, Any]:
        """SSH opened to the world; the record of the call."""
        return self.open_port(group, 22)

    def open_port(self, group: str, port: int) -> dict[str, Any]:
        """A port opened to the world; the record of the call."""
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        answer = self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
        (made,) = answer["SecurityGroupRules"]
        keys = {"SecurityGroupRuleId": "securityGroupRuleId", "IpProtocol": "ipProtocol", "FromPort": "fromPort"}
        keys |= {"ToPort": "toPort", "CidrIpv4": "cidrIpv4", "IsEgress": "isEgress", "GroupId": "groupId"}
        item = {name: made[key] for key, name in keys.items()}
        return {
            **call_record(self, "AuthorizeSecurityGroupIngress"),
            "eventID": f"5f0e2a34-6f4b-4c39-9a51-{port:012d}",
            "requestParameters": {"groupId": group},
            "responseElements": {"_return": True, "securityGroupRuleSet": {"items": [item]}},
        }


def call_record(region: Region, name: str) -> dict[str, Any]:
    """The record of a call, without what was asked and answered."""
    return {
        "eventVersion": "1.09",
        "eventID": "5f0e2a34-6f4b-4c39-9a51-0c1b7a2f9d10",
        "eventTime": region.durable.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "IAMUser", "userName": "alice", "accountId": ACCOUNT},
    }


@pytest.fixture
def region(durable: World) -> Region:
    ec2, dynamodb = boto3.client("ec2"), boto3.client("dynamodb")
    made = Region(durable, ec2, Trail(), Snapshots(StateTable(lambda: dynamodb, TABLE)))
    made.group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]  # type: ignore[attr-defined]
    made.sweep()
    durable.clock.forward(3600)
    return made


@pytest.fixture
def group(region: Region) -> str:
    return str(region.group)  # type: ignore[attr-defined]


def test_the_first_sweep_records_how_things_are_and_sends_nothing(region: Region) -> None:
    assert region.sent == []
    assert region.sweep().suspected == 0


def test_a_change_without_a_received_event_is_a_drift_with_its_rules_and_the_way_back(
    region: Region, group: str
) -> None:
    region.open_ssh(group)
    assert region.later().drifts == 1
    (alert,) = region.sent
    assert (alert.kind, alert.severity) == (AlertKind.DRIFT, Severity.CRITICAL)
    assert alert.title == f"Untracked change on web ({group}): 1 rule added"
    assert [rule.peer.value for rule in alert.changes.added] == ["0.0.0.0/0"]
    assert alert.undo.commands is not None
    assert "revoke-security-group-ingress" in alert.undo.commands[0]
    assert sentences(alert.unknowns) == ("who did it: CloudTrail names no call on this group in the last day",)


def test_the_tags_of_rules_are_learned_by_the_sweep_and_come_back(region: Region, group: str) -> None:
    record = region.open_ssh(group)
    (opened,) = record["responseElements"]["securityGroupRuleSet"]["items"]
    rule_id = opened["securityGroupRuleId"]
    region.later()
    region.ec2.create_tags(Resources=[rule_id], Tags=[{"Key": "why", "Value": "audit"}])
    region.sweep()
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    region.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])
    region.later()
    (_, sent) = region.sent
    assert sent.undo.commands is not None
    assert '"TagSpecifications": [{"ResourceType": "security-group-rule"' in sent.undo.commands[0]


def test_a_drift_is_reported_once(region: Region, group: str) -> None:
    region.open_ssh(group)
    region.later()
    region.later()
    assert len(region.sent) == 1


def test_a_difference_has_to_last_before_it_counts(region: Region, group: str) -> None:
    record = region.open_ssh(group)
    assert region.sweep().suspected == 1
    region.send(region.alert_of(record))
    region.durable.clock.forward(GRACE.total_seconds())
    assert region.sweep() == Sweep(groups=2)
    assert len(region.sent) == 1, "its event came after all"


def test_a_call_that_cloudtrail_knows_and_no_alert_reported_is_reported_late_in_full(
    region: Region, group: str
) -> None:
    region.trail.records = [region.open_ssh(group)]
    assert region.later() == Sweep(groups=2, late=1)
    (alert,) = region.sent
    assert alert.kind is AlertKind.SECURITY_GROUP_CHANGE
    assert alert.summary.startswith("Reported 20 min late: the event was never delivered. ")
    assert alert.principal is not None
    assert alert.principal.name == "alice"
    assert region.later() == Sweep(groups=2)


def test_a_late_alert_that_could_not_be_reported_is_reported_by_the_next_sweep(region: Region, group: str) -> None:
    region.trail.records = [region.open_ssh(group)]
    region.sweep()
    region.durable.clock.forward(GRACE.total_seconds())
    failing = replace(region)

    def refuse(alert: Alert) -> None:
        region.durable.made.bursts.note(alert, "sent")  # that it is to be sent is noted before it is
        raise RuntimeError(alert.id)

    failing.send = refuse  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(RuntimeError):
            failing.sweep()
    assert region.sweep() == Sweep(groups=2, late=1)
    assert [alert.event.name for alert in region.sent] == ["AuthorizeSecurityGroupIngress"]
    assert region.sweep() == Sweep(groups=2)


def test_a_drift_names_the_calls_that_do_not_explain_it(region: Region, group: str) -> None:
    record = region.open_ssh(group)
    region.send(region.alert_of(record))
    region.trail.records = [record]
    permission = {"IpProtocol": "tcp", "FromPort": 3389, "ToPort": 3389, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    region.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    region.later()
    drift = region.sent[-1]
    assert drift.kind is AlertKind.DRIFT
    assert "AuthorizeSecurityGroupIngress by alice" in sentences(drift.unknowns)[0]


def test_a_deletion_that_is_reported_late_is_no_drift_too(region: Region, group: str) -> None:
    region.ec2.delete_security_group(GroupId=group)
    record = {**call_record(region, "DeleteSecurityGroup"), "requestParameters": {"groupId": group}}
    region.trail.records = [record]
    assert region.later() == Sweep(groups=1, late=1)
    assert [alert.event.name for alert in region.sent] == ["DeleteSecurityGroup"]
    assert region.later() == Sweep(groups=1)


def test_a_throttled_look_up_is_made_again(region: Region, group: str) -> None:
    region.trail.records = [region.open_ssh(group)]
    region.trail.refusals = ["ThrottlingException"] * 3
    assert region.later() == Sweep(groups=2, late=1)


def test_that_cloudtrail_could_not_be_asked_is_said_in_the_drift(region: Region, group: str) -> None:
    region.open_ssh(group)
    region.trail.refusals = ["AccessDeniedException"]
    assert region.later() == Sweep(groups=2, drifts=1)
    assert sentences(region.sent[0].unknowns) == ("who did it: AccessDeniedException on cloudtrail:LookupEvents",)


def test_that_not_all_calls_were_read_is_said_in_the_drift(region: Region, group: str) -> None:
    region.open_ssh(group)
    looked = {**call_record(region, "DescribeSecurityGroupRules"), "requestParameters": {"groupId": group}}
    region.trail.records = [{**looked, "readOnly": True}] * 50
    assert region.later() == Sweep(groups=2, drifts=1)
    assert sentences(region.sent[0].unknowns) == (
        "who did it: CloudTrail names more calls on this group than are read",
    )


def test_who_looked_at_a_group_is_not_named(region: Region, group: str) -> None:
    region.open_ssh(group)
    looked = {**call_record(region, "DescribeSecurityGroupRules"), "requestParameters": {"groupId": group}}
    region.trail.records = [{**looked, "readOnly": True}]
    region.later()
    assert sentences(region.sent[0].unknowns) == ("who did it: CloudTrail names no call on this group in the last day",)


def test_a_group_that_was_deleted_or_made_unseen_is_a_drift(region: Region, group: str) -> None:
    region.ec2.delete_security_group(GroupId=group)
    made = region.ec2.create_security_group(GroupName="new", Description="d")["GroupId"]
    assert region.later().drifts == 2
    titles = {alert.security_group.id: alert.title for alert in region.sent if alert.security_group}
    assert titles[group].endswith("the group was deleted")
    assert "a group created without a received event" in titles[made]
    assert region.later().drifts == 0


def test_the_same_difference_at_another_time_is_another_drift(region: Region, group: str) -> None:
    region.open_ssh(group)
    region.later()
    permissions = region.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    region.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=permissions)
    region.later()
    region.open_ssh(group)
    region.later()
    assert len({alert.id for alert in region.sent}) == 3


def test_a_drift_that_could_not_be_reported_is_reported_by_the_next_sweep(region: Region, group: str) -> None:
    region.open_ssh(group)
    region.sweep()
    region.durable.clock.forward(GRACE.total_seconds())
    failing = replace(region)

    def refuse(alert: Alert) -> None:
        raise RuntimeError(alert.id)

    failing.send = refuse  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        failing.sweep()
    assert region.sweep().drifts == 1


def closing(region: Region, group: str, number: int) -> dict[str, Any]:
    """SSH closed again; the record of the call."""
    permissions = region.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    region.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=permissions)
    item = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
    return {
        **call_record(region, "RevokeSecurityGroupIngress"),
        "eventID": f"5f0e2a34-6f4b-4c39-9a51-0c1b7a2f9{number:03d}",
        "requestParameters": {"groupId": group, "ipPermissions": {"items": [item]}},
        "responseElements": {"_return": True},
    }


def test_a_difference_that_explained_itself_is_not_remembered_against_the_next_one(region: Region, group: str) -> None:
    for number in range(3):
        opened = {**region.open_ssh(group), "eventID": f"5f0e2a34-6f4b-4c39-9a51-0c1b7a2f8{number:03d}"}
        region.send(region.alert_of(opened))
        closed = closing(region, group, number)
        swept = region.sweep()
        assert (swept.suspected, swept.drifts, swept.late) == (1, 0, 0), "its event is still under way"
        region.send(region.alert_of(closed))
        region.durable.clock.forward(3600)
    assert region.sweep() == Sweep(groups=2)


def test_two_calls_of_one_second_heard_the_wrong_way_round_are_no_drift(region: Region, group: str) -> None:
    region.send(region.alert_of(region.open_ssh(group)))
    region.durable.clock.forward(3600)
    closed = closing(region, group, 0)
    opened = {**region.open_ssh(group), "eventID": "5f0e2a34-6f4b-4c39-9a51-0c1b7a2f8001"}
    for received in (opened, closed):
        region.send(region.alert_of(received))
    assert region.sweep() == Sweep(groups=2)
    snapshot = region.snapshots.get(GroupKey(ACCOUNT, REGION, group))
    assert snapshot is not None
    assert [rule.from_port for rule in snapshot.rules or () if rule.direction == "ingress"] == [22]


def test_a_call_whose_event_may_still_come_is_not_reported_late(region: Region, group: str) -> None:
    """The same difference as an hour ago, which its event explained; now it is there again, made by a fresh call."""
    region.open_ssh(group)
    region.sweep()
    region.durable.clock.forward(GRACE.total_seconds())
    described = call_record(region, "UpdateSecurityGroupRuleDescriptionsIngress")
    fresh = {**described, "requestParameters": {"groupId": group}}
    region.trail.records = [fresh]
    assert region.sweep() == Sweep(groups=2, suspected=1)
    assert region.sent == []
    region.durable.clock.forward(GRACE.total_seconds())
    assert region.sweep() == Sweep(groups=2, late=1, drifts=1)


def test_a_call_that_is_not_watched_is_not_reported_late(region: Region, group: str) -> None:
    attached = {
        **call_record(region, "ModifyNetworkInterfaceAttribute"),
        "requestParameters": {
            "networkInterfaceId": "eni-0a1b2c3d4e5f60718",
            "groupSet": {"items": [{"groupId": group}]},
        },
        "responseElements": {"_return": True},
    }
    region.trail.records = [attached]
    region.watch = {EventGroup.RULES, EventGroup.GROUPS}
    region.open_ssh(group)
    assert region.later() == Sweep(groups=2, drifts=1)
    assert [alert.kind for alert in region.sent] == [AlertKind.DRIFT]


def told_at_once(region: Region, group: str, port: int) -> None:
    """A port is opened, and its event comes."""
    region.durable.clock.forward(5)
    region.send(region.alert_of(region.open_port(group, port)))


def test_a_change_that_is_reported_during_the_look_into_cloudtrail_is_no_drift(region: Region, group: str) -> None:
    region.open_ssh(group)
    region.sweep()
    region.durable.clock.forward(GRACE.total_seconds())
    region.trail.meanwhile = [lambda: told_at_once(region, group, 3389)]
    assert region.sweep() == Sweep(groups=2, suspected=1)
    assert region.sweep().drifts == 1
    assert [alert.kind for alert in region.sent] == [AlertKind.SECURITY_GROUP_CHANGE, AlertKind.DRIFT]
    assert [rule.from_port for rule in region.sent[-1].changes.added] == [22]
    assert region.later() == Sweep(groups=2)


def test_a_change_that_is_reported_just_after_a_drift_is_not_forgotten(region: Region, group: str) -> None:
    region.open_ssh(group)
    region.sweep()
    region.durable.clock.forward(GRACE.total_seconds())
    busy = replace(region)

    def send(alert: Alert) -> None:
        region.send(alert)
        told_at_once(region, group, 3389)

    busy.send = send  # type: ignore[method-assign]
    assert busy.sweep().drifts == 1
    assert region.later() == Sweep(groups=2)
    assert len(region.sent) == 2


class Meanwhile(Snapshots):
    """Snapshots of a region to which something happens when they have been read."""

    def __init__(self, table: StateTable, happens: Callable[[], object]) -> None:
        super().__init__(table)
        self.happens = happens

    def of_region(self, account_id: str, region: str) -> Iterator[GroupSnapshot]:
        yield from super().of_region(account_id, region)
        self.happens()


def test_a_change_that_is_reported_while_tags_are_learned_is_not_forgotten(region: Region, group: str) -> None:
    record = region.open_ssh(group)
    region.send(region.alert_of(record))
    (opened,) = record["responseElements"]["securityGroupRuleSet"]["items"]
    region.ec2.create_tags(Resources=[opened["securityGroupRuleId"]], Tags=[{"Key": "why", "Value": "audit"}])
    table = StateTable(lambda: boto3.client("dynamodb"), TABLE)
    busy = replace(region, snapshots=Meanwhile(table, lambda: told_at_once(region, group, 3389)))
    assert busy.sweep() == Sweep(groups=2)
    assert region.later() == Sweep(groups=2)


def test_a_change_during_the_first_sweep_that_is_heard_after_it_is_no_drift(durable: World) -> None:
    ec2, dynamodb = boto3.client("ec2"), boto3.client("dynamodb")
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    received: list[dict[str, Any]] = []
    made = Region(durable, ec2, Trail(), Snapshots(StateTable(lambda: dynamodb, TABLE)))

    def change() -> None:
        durable.clock.forward(5)
        received.append(made.open_ssh(group))
        durable.clock.forward(5)

    replace(made, snapshots=Meanwhile(StateTable(lambda: dynamodb, TABLE), change)).sweep()
    made.send(made.alert_of(received[0]))
    assert made.later() == Sweep(groups=2)


def test_a_group_that_changes_unseen_between_all_sweeps_is_reported_all_the_same(region: Region, group: str) -> None:
    for port in range(8000, 8006):
        region.open_port(group, port)
        region.sweep()
        region.durable.clock.forward(3600)
    drifts = [alert for alert in region.sent if alert.kind is AlertKind.DRIFT]
    sent = {rule.from_port for alert in drifts for rule in alert.changes.added}
    assert {8000, 8001, 8002} <= sent


def test_calls_on_a_group_that_changes_all_the_time_are_reported_late_all_the_same(region: Region, group: str) -> None:
    for port in range(8000, 8004):
        region.trail.records.append(region.open_port(group, port))
        region.sweep()
        region.durable.clock.forward(3600)
    assert [alert.kind for alert in region.sent] == [AlertKind.SECURITY_GROUP_CHANGE] * 3


def test_a_reported_change_that_could_not_be_remembered_is_no_drift(region: Region, group: str) -> None:
    record = region.open_ssh(group)
    region.send(alert_of(record))
    region.trail.records = [record]
    assert region.later() == Sweep(groups=2)
    assert [alert.kind for alert in region.sent] == [AlertKind.SECURITY_GROUP_CHANGE]


def test_what_was_done_before_the_first_sweep_is_not_reported_late(durable: World) -> None:
    ec2, dynamodb = boto3.client("ec2"), boto3.client("dynamodb")
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    made = Region(durable, ec2, Trail(), Snapshots(StateTable(lambda: dynamodb, TABLE)))
    made.trail.records.append(made.open_port(group, 8000))
    durable.clock.forward(3600)
    made.sweep()
    durable.clock.forward(3600)
    made.trail.records.append(made.open_ssh(group))
    assert made.later() == Sweep(groups=2, late=1)
    assert [alert.changes.added[0].from_port for alert in made.sent] == [22]


def test_a_region_that_cannot_be_swept_keeps_no_other_from_it() -> None:
    lines: list[str] = []
    swept: list[str] = []

    def sweep_one(name: str) -> None:
        if name == "me-south-1":
            raise ClientError({"Error": {"Code": "AuthFailure"}}, "DescribeSecurityGroups")
        swept.append(name)

    with pytest.raises(ExceptionGroup, match="some regions could not be reconciled"):
        sweep_regions(["eu-west-1", "me-south-1", "us-east-1"], sweep_one, Log(Redactor(), write=lines.append))
    assert swept == ["eu-west-1", "us-east-1"]
    assert [json.loads(line)["region"] for line in lines] == ["me-south-1"]


def test_a_destination_with_faulty_settings_keeps_nothing_from_being_reconciled(
    durable: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"DELIVERY_QUEUE": QUEUE, "STATE_TABLE": TABLE, "ENRICH": "true", "RECONCILE_REGIONS": REGION}
    for name, value in {**settings, "WEBHOOK_URL": "https://hooks.example.com/x", "SLACK_WEBHOOK_URL": "no"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="SLACK_WEBHOOK_URL"):
        reconcile(InvocationContext("request-1", lambda: 60_000.0))
    assert durable.made.table.get(f"reconcile#{ACCOUNT}#{REGION}", "swept") is not None
