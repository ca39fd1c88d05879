"""Three accounts by three regions, joined by the commands of ``sgwatch fleet``: one stage alerts on all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.callers import Credentials
from localcloud.session import running
from sgwatch.local_stage import LocalStage
from tests.support import command_line
from tests.support.command_line import BASE
from tests.support.local import Alert, alert_in

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")]

HOME, MEMBERS = "123456789012", ("111122223333", "210987654321")
REGIONS = ("eu-west-1", "us-east-1", "ap-southeast-2")
PLACES = [(account, region) for account in (HOME, *MEMBERS) for region in REGIONS]
ELSEWHERE = [place for place in PLACES if place[0] != HOME]
STAGE = ("--stage", "dev")
# Without windows: each call is alerted by itself.
SETTINGS = {
    "ENRICH_ROLE": "sgwatch-dev-read",
    "ENRICH_EXTERNAL_ID": "stage:dev",
    "BURST_WINDOW": "0",
    "FLEET_ACCOUNTS": ",".join(MEMBERS),
    "RECONCILE_REGIONS": ",".join(REGIONS),
}
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
SECONDS = 150.0
MEMBER_OPTIONS = [word for account in MEMBERS for word in ("--account", account)]


@dataclass
class Fleet:
    """The stage in its account, two members that forward to it, and a person who may read in them."""

    cloud: LocalCloud
    folder: Path
    operator: Credentials = field(init=False)

    def __post_init__(self) -> None:
        self.operator = self.cloud.identities.role_session("ops", "alice")

    def sgwatch(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        environ = BASE | self.cloud.environment(self.operator)
        return command_line.sgwatch(*words, folder=self.folder, environ=environ)

    def aws(self, command: str) -> None:
        """One printed command of the AWS CLI."""
        home = {"PATH": f"{Path(sys.executable).parent}:{BASE['PATH']}", "HOME": str(self.folder)}
        environ = {**self.cloud.environment(), **home}
        done = subprocess.run(
            ["/bin/sh", "-ec", command], check=False, cwd=self.folder, env=environ, capture_output=True
        )
        assert done.returncode == 0, command + done.stderr.decode()

    def client(self, service: str, place: tuple[str, str]) -> Any:
        account_id, region = place
        return self.cloud.client(service, credentials=self.cloud.identities.administrator(account_id), region=region)

    def alerts_of(self, act: Callable[[], object], wanted: Callable[[Alert], bool]) -> list[Alert]:
        """The alerts of a kind that an act leads to."""
        latest = max((item.number for item in self.cloud.inbox.messages("webhook")), default=0)
        act()
        found = self.cloud.inbox.wait_for(
            lambda item: item.service == "webhook" and wanted(alert_in(item.payload)), SECONDS, after=latest
        )
        assert found is not None, [item.title for item in self.cloud.inbox.messages("webhook") if item.number > latest]
        assert self.cloud.wait_until_idle(SECONDS)
        alerts = [alert_in(item.payload) for item in self.cloud.inbox.messages("webhook") if item.number > latest]
        return [alert for alert in alerts if wanted(alert)]

    def states(self) -> dict[tuple[str, str], str]:
        """What ``fleet status`` says of each place."""
        done = self.sgwatch("fleet", "status", *STAGE, "--json")
        rows = json.loads(done.stdout)["regions"]
        return {(row["account_id"], row["region"]): row["forwarder"] for row in rows if row["region"] in REGIONS}


def join(fleet: Fleet) -> None:
    """Every command that ``fleet deploy`` and ``fleet template`` have for this."""
    options = [word for region in REGIONS[1:] for word in ("--regions", region)]
    done = fleet.sgwatch("fleet", "deploy", *STAGE, *options, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    options = [word for region in REGIONS for word in ("--regions", region)]
    done = fleet.sgwatch("fleet", "template", *STAGE, *MEMBER_OPTIONS, *options, "--operator-role", "ops")
    assert done.returncode == 0, done.stderr
    for line in done.stdout.decode().splitlines():
        if line.startswith("sgwatch "):
            words, _, file = line.removeprefix("sgwatch ").partition(" > ")
            (fleet.folder / file).write_bytes(fleet.sgwatch(*words.split()).stdout)
        elif line.startswith("aws "):
            fleet.aws(line)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    stage = LocalStage("dev", tmp_path_factory.mktemp("fleet"), SETTINGS)
    with ExitStack() as stack:
        cloud = LocalCloud()
        stack.enter_context(running(stage.project, cloud, stage="dev", variables=stage.variables))
        made = Fleet(cloud, stage.project)
        join(made)
        assert cloud.wait_until_idle(SECONDS)
        yield made


def change_of(fleet: Fleet, place: tuple[str, str]) -> Alert:
    """The one alert on a way in that is opened in a place."""
    ec2 = fleet.client("ec2", place)
    group_id = ec2.create_security_group(GroupName=f"web-{place[1]}", Description="d")["GroupId"]
    wanted = "AuthorizeSecurityGroupIngress"
    alerts = fleet.alerts_of(
        lambda: ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[SSH]),
        lambda alert: alert["event"]["name"] == wanted and alert["security_group"]["id"] == group_id,
    )
    [alert] = alerts
    return alert


@pytest.mark.parametrize("place", PLACES)
def test_a_change_in_each_place_makes_one_alert_looked_up_there(fleet: Fleet, place: tuple[str, str]) -> None:
    alert = change_of(fleet, place)
    assert (alert["account"]["id"], alert["region"]) == place
    assert alert["unknowns"] == []
    assert alert["security_group"]["name"] == f"web-{place[1]}", "only a look-up there knows its name"
    assert all(f"--region {place[1]}" in command for command in alert["undo"]["commands"])


def test_every_place_forwards(fleet: Fleet) -> None:
    assert fleet.states() == {place: "home" if place == PLACES[0] else "ok" for place in PLACES}


BREAKAGES = {
    "disabled": lambda events, rule: events.disable_rule(Name=rule),
    "other pattern": lambda events, rule: events.put_rule(Name=rule, EventPattern='{"source": ["aws.none"]}'),
    "no target": lambda events, rule: events.remove_targets(Rule=rule, Ids=["bus"]),
}


@pytest.mark.parametrize(("state", "place"), zip(BREAKAGES, ((HOME, REGIONS[1]), *ELSEWHERE[1:3]), strict=True))
def test_a_broken_forwarder_is_found_at_once_and_alerted(fleet: Fleet, state: str, place: tuple[str, str]) -> None:
    events, rule = fleet.client("events", place), "sgwatch-dev-forward-changes"
    before = events.list_targets_by_rule(Rule=rule)["Targets"], events.describe_rule(Name=rule)["EventPattern"]
    # One caller's further calls are alerted only where they say more.
    mallory = fleet.cloud.identities.user(f"mallory of {state}", account_id=place[0])
    [alert, *_] = fleet.alerts_of(
        lambda: BREAKAGES[state](fleet.cloud.client("events", credentials=mallory, region=place[1]), rule),
        lambda alert: alert["kind"] == "alarm_path" and alert["principal"]["name"] == f"mallory of {state}",
    )
    assert (alert["account"]["id"], alert["region"], rule in alert["title"]) == (*place, True), alert["title"]
    assert fleet.states()[place] == state
    events.put_rule(Name=rule, EventPattern=before[1], State="ENABLED")
    events.put_targets(Rule=rule, Targets=before[0])
    assert fleet.states()[place] == "ok"


NOTHING = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}})


def test_calls_on_iam_and_on_a_trail_come_from_the_region_that_has_them(fleet: Fleet) -> None:
    place = (HOME, REGIONS[1])
    mallory = fleet.cloud.identities.user("mallory of IAM", account_id=HOME)
    iam = fleet.cloud.client("iam", credentials=mallory, region=place[1])
    [alert, *_] = fleet.alerts_of(
        lambda: iam.put_role_policy(
            RoleName="sgwatch-dev-alert_on_change",
            PolicyName="no",
            PolicyDocument=NOTHING,
        ),
        lambda alert: alert["event"]["name"] == "PutRolePolicy",
    )
    assert (alert["kind"], alert["region"]) == ("alarm_path", place[1])
    fleet.client("s3", (HOME, "us-east-1")).create_bucket(Bucket="elsewhere")
    trail = fleet.client("cloudtrail", place)
    trail.create_trail(Name="sgwatch-elsewhere", S3BucketName="elsewhere")
    mallory = fleet.cloud.identities.user("mallory of trails", account_id=HOME)
    [alert, *_] = fleet.alerts_of(
        lambda: fleet.cloud.client("cloudtrail", credentials=mallory, region=place[1]).stop_logging(
            Name="sgwatch-elsewhere"
        ),
        lambda alert: alert["event"]["name"] == "StopLogging",
    )
    assert (alert["kind"], alert["region"]) == ("alarm_path", place[1])


def test_a_member_whose_own_rule_for_tampering_is_gone_is_found_by_the_hourly_sweep(fleet: Fleet) -> None:
    place, rule = ELSEWHERE[-1], "sgwatch-dev-forward-tampering"
    events = fleet.client("events", place)
    before = events.list_targets_by_rule(Rule=rule)["Targets"], events.describe_rule(Name=rule)["EventPattern"]
    events.remove_targets(Rule=rule, Ids=["bus"])
    events.delete_rule(Name=rule)

    def swept() -> None:
        assert fleet.cloud.schedules.tick("reconcile") == 1

    [alert] = fleet.alerts_of(swept, lambda alert: "Events of account" in alert["title"])
    assert (alert["account"]["id"], alert["region"], alert["severity"]) == (*place, "high")
    assert f"rule {rule} does not exist" in alert["summary"]
    assert fleet.states()[place] == "incomplete"
    items = fleet.client("dynamodb", PLACES[0]).scan(TableName="sgwatch-dev-state")["Items"]
    known = {tuple(item["pk"]["S"].split("#")[1:]) for item in items if item["sk"]["S"] == "swept"}
    assert known == set(PLACES), "every region of every account was swept"
    events.put_rule(Name=rule, EventPattern=before[1])
    events.put_targets(Rule=rule, Targets=before[0])


@pytest.mark.parametrize(
    ("place", "function"), [((HOME, REGIONS[2]), "audit_on_schedule"), (ELSEWHERE[3], "reconcile")]
)
def test_a_forwarder_whose_whole_stack_is_deleted_is_found_at_once_and_alerted_within_the_hour(
    fleet: Fleet, place: tuple[str, str], function: str
) -> None:
    assert fleet.cloud.schedules.tick(function) == 1, "the regions that nobody joined are told"
    assert fleet.cloud.wait_until_idle(SECONDS)
    cloudformation = fleet.client("cloudformation", place)
    for stack in cloudformation.describe_stacks()["Stacks"]:
        if any(each["ParameterKey"] == "BusArn" for each in stack.get("Parameters", ())):
            cloudformation.delete_stack(StackName=stack["StackName"])
    assert fleet.states()[place] == "missing"

    def looked() -> None:
        assert fleet.cloud.schedules.tick(function) == 1

    [alert, *_] = fleet.alerts_of(looked, lambda alert: alert["kind"] == "alarm_path" and place[1] in alert["summary"])
    assert alert["severity"] == "high", alert["summary"]


def test_the_audit_of_all_three_accounts_is_one_report(fleet: Fleet) -> None:
    member, place = MEMBERS[0], (MEMBERS[0], REGIONS[1])
    fleet.client("s3", place).create_bucket(Bucket="member-trail")
    fleet.client("cloudtrail", place).create_trail(Name="of-one-region", S3BucketName="member-trail")
    accounts = ",".join((HOME, *MEMBERS, "333344445555"))
    words = ("--accounts", accounts, "--regions", ",".join(REGIONS), *STAGE, "--external-id", "stage:dev")
    done = fleet.sgwatch("audit", *words, "--json")
    assert done.returncode == 1, done.stderr
    reports = {each["report"]["account_id"]: each["report"] for each in json.loads(done.stdout)["accounts"]}
    assert [path["trail"] for path in reports[member]["paths"]] == ["of-one-region"], "a trail of another region"
    assert reports[MEMBERS[1]]["findings"][0]["reason"].startswith(f"Account {MEMBERS[1]} has no CloudTrail trail")
    (unknown,) = reports["333344445555"]["findings"]
    assert (unknown["status"], "AccessDenied" in unknown["reason"]) == ("unknown", True)
    assert "infra/member-read.yaml" in unknown["fix"]
    page = fleet.sgwatch("audit", *words, "--format", "html").stdout.decode()
    assert page.count('<details class="account"') == 4


def test_the_page_of_the_fleets_status_has_every_account(fleet: Fleet) -> None:
    done = fleet.sgwatch("fleet", "status", *STAGE, "--format", "html")
    page = done.stdout.decode()
    assert all(account in page for account in (HOME, *MEMBERS))
    assert done.returncode == 1, "the regions that nobody joined are holes"
