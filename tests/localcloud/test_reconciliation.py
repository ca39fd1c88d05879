"""Durable delivery set up in the local cloud, events withheld, and the deployed reconcile function."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.group_snapshots import GroupSnapshot
from chalicelib.state.state_table import StateTable
from localcloud import LocalCloud
from localcloud.awkward.awkwardness import MILD
from localcloud.callers import Credentials
from localcloud.deploy import deploy
from localcloud.receivers.webhook import SECRET
from tests.support.command_line import ROOT
from tests.support.local import Alert, alert_in, sgwatch

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")]

STAGE = ("--stage", "dev")
RULE = "sgwatch-dev-alert_on_change-event"
TABLE = "sgwatch-dev-state"
# More than a difference has to last (chalicelib/reconciliation/suspicion.py).
LONG_ENOUGH = timedelta(minutes=21)
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@dataclass
class Unheard:
    """The local cloud with durable delivery and the rule for changes disabled; ``mallory`` makes changes."""

    cloud: LocalCloud
    mallory: Credentials
    _read: int = field(default=0)

    @property
    def ec2(self) -> Any:
        return self.cloud.client("ec2", credentials=self.mallory, source_ip="203.0.113.66")

    def sweep(self) -> list[Alert]:
        """Run the schedule; the alerts about groups, and of silences, that it leads to."""
        assert self.cloud.schedules.tick("reconcile") == 1
        assert self.cloud.wait_until_idle(60)
        return self.arrived()

    def arrived(self) -> list[Alert]:
        """The alerts in the inbox that were not asked for before, those about the alarm path left out."""
        new = [item for item in self.cloud.inbox.messages("webhook") if item.number > self._read]
        self._read = max((item.number for item in new), default=self._read)
        alerts = [alert_in(item.payload) for item in new]
        return [alert for alert in alerts if alert["kind"] != "alarm_path"]

    def let_time_pass(self) -> None:
        """Date everything back: sweeps, suspicions, what is known of the groups, and what CloudTrail has seen."""
        table, seconds = self.cloud.client("dynamodb"), LONG_ENOUGH.total_seconds()
        for item in table.scan(TableName=TABLE, ConsistentRead=True)["Items"]:
            if item["pk"]["S"].startswith("suspect#"):
                since = {each: at - seconds for each, at in json.loads(item["since"]["S"]).items()}
                table.put_item(TableName=TABLE, Item={**item, "since": {"S": json.dumps(since)}})
            if item["pk"]["S"].startswith("reconcile#") and item["sk"]["S"] == "first":
                began_at = {"N": str(float(item["began_at"]["N"]) - seconds)}
                table.put_item(TableName=TABLE, Item={**item, "began_at": began_at})
        snapshots = Snapshots(StateTable(lambda: table, TABLE))
        for snapshot in snapshots.of_region(self.cloud.account_id, self.cloud.region):
            snapshots.update(snapshot.key, lambda known: known and earlier(known))
        for record in self.cloud.records:
            moment = datetime.fromisoformat(record["eventTime"]) - LONG_ENOUGH
            record["eventTime"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def found_later(self) -> list[Alert]:
        """What a sweep tells once the differences have lasted."""
        assert self.sweep() == [], "a difference has to last"
        self.let_time_pass()
        return self.sweep()


def earlier(snapshot: GroupSnapshot) -> GroupSnapshot:
    """The snapshot as if everything had happened long enough ago."""
    past = [replace(each, event_time=each.event_time - LONG_ENOUGH) for each in snapshot.history]
    times = {name: getattr(snapshot, name) for name in ("base_time", "known_since", "deleted_at")}
    moved = {name: moment and moment - LONG_ENOUGH for name, moment in times.items()}
    return replace(snapshot, history=tuple(past), **moved)


@pytest.fixture(scope="module")
def unheard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unheard]:
    wired = tmp_path_factory.mktemp("wired")
    shutil.copytree(ROOT / ".chalice", wired / ".chalice", ignore=shutil.ignore_patterns("deployed", "deployments"))
    # It imports what CloudFormation can make, which takes longer than the command line waits for an answer.
    importlib.import_module("moto.cloudformation.models")
    with LocalCloud(awkwardness=MILD) as cloud:
        assert sgwatch(cloud, "setup", *STAGE, "--yes", folder=wired).returncode == 1, "deploying remains to be done"
        config = json.loads((wired / ".chalice" / "config.json").read_text())
        variables = config["stages"]["dev"]["environment_variables"]
        variables |= {"WEBHOOK_URL": cloud.webhook_url, "WEBHOOK_SECRET": SECRET, "ENRICH": "true"}
        variables |= {"BURST_WINDOW": "0", "WATCH": "rules,groups,attachments,prefix_lists"}
        folder = deploy(ROOT, tmp_path_factory.mktemp("deploy"), cloud.environment(), variables=variables).folder
        done = sgwatch(cloud, "setup", *STAGE, "--yes", folder=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        made = Unheard(cloud, cloud.identities.user("mallory", cloud.identities.allowing(["*"])))
        cloud.client("events").disable_rule(Name=RULE)
        assert made.sweep() == [], "the first sweep takes down how things are"
        yield made


@pytest.fixture
def group(unheard: Unheard, request: pytest.FixtureRequest) -> str:
    """A group that was there before anything went unheard."""
    made = unheard.ec2.create_security_group(GroupName=request.node.name[-80:], Description="web servers")
    unheard.found_later()
    return str(made["GroupId"])


def test_a_change_whose_event_never_came_is_reported_late_in_full(unheard: Unheard, group: str) -> None:
    unheard.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[SSH])
    assert unheard.cloud.wait_until_idle()
    assert unheard.arrived() == [], "the rule is disabled"
    (alert,) = unheard.found_later()
    assert (alert["kind"], alert["severity"]) == ("security_group_change", "critical")
    assert "min late: the event was never delivered." in alert["summary"]
    assert (alert["principal"]["name"], alert["principal"]["source_ip"]) == ("mallory", "203.0.113.66")
    assert alert["event"]["name"] == "AuthorizeSecurityGroupIngress"
    assert [rule["peer"]["value"] for rule in alert["changes"]["added"]] == ["0.0.0.0/0"]
    assert "revoke-security-group-ingress" in alert["undo"]["commands"][0]
    assert unheard.found_later() == [], "it was told"


def test_a_group_that_was_made_unheard_is_reported_late(unheard: Unheard) -> None:
    made = unheard.ec2.create_security_group(GroupName="made-unheard", Description="d")["GroupId"]
    (alert,) = unheard.found_later()
    assert (alert["kind"], alert["event"]["name"]) == ("security_group_change", "CreateSecurityGroup")
    assert (alert["principal"]["name"], alert["security_group"]["id"]) == ("mallory", made)
    assert unheard.found_later() == []


def test_a_group_that_was_deleted_unheard_is_reported_late(unheard: Unheard, group: str) -> None:
    unheard.ec2.delete_security_group(GroupId=group)
    (alert,) = unheard.found_later()
    assert (alert["kind"], alert["event"]["name"]) == ("security_group_change", "DeleteSecurityGroup")
    assert alert["principal"]["name"] == "mallory"
    assert unheard.found_later() == []


def test_a_change_that_cloudtrail_does_not_know_is_a_drift(unheard: Unheard, group: str) -> None:
    unheard.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[SSH])
    (record,) = [each for each in unheard.cloud.records if is_opening(each, group)]
    unheard.cloud.records.remove(record)
    (alert,) = unheard.found_later()
    assert (alert["kind"], alert["severity"]) == ("drift", "critical")
    assert alert["title"].startswith("Untracked change on ")
    assert alert["title"].endswith(": 1 rule added")
    assert [rule["from_port"] for rule in alert["changes"]["added"]] == [22]
    assert "revoke-security-group-ingress" in alert["undo"]["commands"][0]
    (unknown,) = alert["unknowns"]
    assert unknown.startswith("who did it: ")
    assert "CreateSecurityGroup by mallory" in unknown, "all that CloudTrail knows of it"
    assert "Describe" not in unknown, "who looked at it has not done it"
    assert unheard.found_later() == [], "it was told"


def is_opening(record: Mapping[str, Any], group: str) -> bool:
    named = (record["requestParameters"] or {}).get("groupId") == group
    return named and record["eventName"] == "AuthorizeSecurityGroupIngress"


def test_the_schedule_sends_the_digest_of_silences_once(unheard: Unheard) -> None:
    wanted = ("--when", "severity == 'low'", "--for", "2h", "--reason", "load test", "--author", "alice")
    assert sgwatch(unheard.cloud, "silence", "add", *wanted, *STAGE).returncode == 0
    (alert,) = unheard.sweep()
    assert alert["title"] == "Silences held back 0 alerts; 1 silence in force"
    assert "by alice: load test" in alert["exposures"][0]["reason"]
    assert "`sgwatch silence remove ID --stage dev`" in alert["summary"]
    assert unheard.sweep() == []
