"""The alarm path proven, broken and mended in the local cloud, with the app as it is deployed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.callers import Credentials
from localcloud.deploy import deploy
from localcloud.session import variables_of
from sgwatch.policies import policy
from tests.support.command_line import ROOT
from tests.support.local import Alert, alert_in, sgwatch

# Minutes of cold audits one after the other: `make test-slow`.
pytestmark = pytest.mark.slow

FILTER = "sgwatch-security-group-changes"
ONCALL = "oncall@example.com"
# The longest wait, not a delay: an alert about tampering needs a new process and a whole audit, which on a loaded
# machine takes more than a minute.
SECONDS = 150.0


def make_trail(cloud: LocalCloud) -> None:
    cloud.client("s3", region="us-east-1").create_bucket(Bucket="trail-bucket")
    cloud.client("logs").create_log_group(logGroupName="trail-logs")
    group = f"arn:aws:logs:{cloud.region}:{cloud.account_id}:log-group:trail-logs:*"
    trail = cloud.client("cloudtrail")
    trail.create_trail(
        Name="main",
        S3BucketName="trail-bucket",
        IsMultiRegionTrail=True,
        CloudWatchLogsLogGroupArn=group,
        CloudWatchLogsRoleArn=f"arn:aws:iam::{cloud.account_id}:role/trail-to-logs",
    )
    trail.start_logging(Name="main")


def confirm(cloud: LocalCloud) -> None:
    """Follow the link of the latest mail that asks to."""
    asked = [item for item in cloud.inbox.messages("email") if item.link is not None][-1]
    cloud.client("sns").confirm_subscription(TopicArn=asked.payload["TopicArn"], Token=asked.payload["Token"])


@dataclass
class Watched:
    """The local cloud with the alarm path that repair made and sgwatch deployed; ``mallory`` does the damage."""

    cloud: LocalCloud
    mallory: Credentials

    @property
    def topic(self) -> str:
        return f"arn:aws:sns:{self.cloud.region}:{self.cloud.account_id}:sgwatch-alarms"

    def by_mallory(self, service: str) -> Any:
        return self.cloud.client(service, credentials=self.mallory, source_ip="203.0.113.66")

    def alert_after(self, act: Callable[[], object], wanted: Callable[[Alert], bool]) -> Alert:
        """The first alert of this kind that an act leads to within seconds, in the webhook's inbox."""
        latest = max((item.number for item in self.cloud.inbox.messages(accepted=None)), default=0)
        act()
        found = self.cloud.inbox.wait_for(
            lambda item: item.service == "webhook" and wanted(alert_in(item.payload)), SECONDS, after=latest
        )
        said = [item.title for item in self.cloud.inbox.messages(accepted=None) if item.number > latest]
        assert found is not None, "\n".join([*said, *self.log_lines()])
        return alert_in(found.payload)

    def log_lines(self) -> list[str]:
        """What the functions have logged, oldest first: which audit found and remembered what, should a test fail."""
        logs = self.cloud.client("logs")
        groups = [
            each["logGroupName"] for each in logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]
        ]
        lines = [
            (event["timestamp"], f"{group.rpartition('-')[2]} {event['message'].strip()}")
            for group in groups
            for event in logs.filter_log_events(logGroupName=group)["events"]
        ]
        return [f"{at} {text}" for at, text in sorted(lines)]

    def broken_by(self, event_name: str, act: Callable[[], object]) -> Alert:
        alert = self.alert_after(act, lambda item: item["event"]["name"] == event_name)
        assert (alert["kind"], alert["severity"]) == ("alarm_path", "high"), alert["summary"]
        assert alert["principal"]["name"] == "mallory"
        assert alert["alarm_path"]["status"] == "fail"
        assert alert["alarm_path"]["broken_by_this_call"] is True
        assert self.cloud.wait_until_idle(SECONDS)
        return alert

    def mended_by(self, act: Callable[[], object]) -> None:
        alert = self.alert_after(act, lambda item: "works again" in item["title"])
        assert alert["severity"] in ("info", "low")
        assert alert["alarm_path"]["status"] == "pass"
        assert self.cloud.wait_until_idle(SECONDS)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with LocalCloud() as cloud:
        empty = sgwatch(cloud, "audit", "--json")
        assert (empty.returncode, json.loads(empty.stdout)["status"]) == (1, "fail")
        make_trail(cloud)
        made = sgwatch(cloud, "repair", "--apply", "--email", ONCALL)
        assert made.returncode == 1, made.stdout + made.stderr
        assert "Confirm the subscription" in made.stdout
        assert sgwatch(cloud, "audit").returncode == 1
        confirm(cloud)
        assert sgwatch(cloud, "audit").returncode == 0
        # Slack takes a message a second, and a mild alert that it refuses gives way for minutes.
        variables = {name: value for name, value in variables_of(cloud).items() if name != "SLACK_WEBHOOK_URL"}
        deploy(ROOT, tmp_path_factory.mktemp("deploy"), cloud.environment(), variables=variables)
        assert cloud.wait_until_idle(SECONDS)
        # The calls of the deployment were audited while it went on; the hourly audit finds the path as it is now.
        cloud.schedules.tick("audit_on_schedule")
        assert cloud.wait_until_idle(SECONDS)
        everything = cloud.identities.allowing(["*"])
        yield Watched(cloud, cloud.identities.user("mallory", everything))


def test_a_change_reaches_the_inbox_on_both_paths(watched: Watched) -> None:
    ec2 = watched.by_mallory("ec2")
    alert = watched.alert_after(
        lambda: ec2.create_security_group(GroupName="both", Description="d"),
        lambda item: item["event"]["name"] == "CreateSecurityGroup",
    )
    assert alert["kind"] == "security_group_change"
    mail = watched.cloud.inbox.wait_for(lambda item: item.service == "email" and FILTER in item.title, SECONDS)
    assert mail is not None
    assert mail.title.startswith('ALARM: "sgwatch-security-group-changes')


def test_the_audit_of_the_stage_finds_sgwatchs_own_path_sound(watched: Watched) -> None:
    done = sgwatch(watched.cloud, "audit", "--json", "--stage", "dev")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    own = {finding["check"]: finding["status"] for finding in report["findings"]}
    assert {own[check] for check in ("own-rule", "own-pattern", "own-permission", "own-function", "own-errors")} == {
        "pass"
    }


def test_a_deleted_filter_is_reported_and_its_return(watched: Watched) -> None:
    logs = watched.by_mallory("logs")
    [kept] = logs.describe_metric_filters(logGroupName="trail-logs", filterNamePrefix=f"{FILTER}-cis")["metricFilters"]
    alert = watched.broken_by(
        "DeleteMetricFilter", lambda: logs.delete_metric_filter(logGroupName="trail-logs", filterName=FILTER)
    )
    assert "ModifySecurityGroupRules" in alert["summary"]
    assert kept["filterName"] == f"{FILTER}-cis-1-to-4"
    watched.mended_by(lambda: sgwatch(watched.cloud, "repair", "--apply"))


def test_disabled_actions_are_reported_and_their_return(watched: Watched) -> None:
    cloudwatch = watched.by_mallory("cloudwatch")
    # Both of repair's alarms: after the test before, each of them may carry every event.
    names = [item["AlarmName"] for item in cloudwatch.describe_alarms(AlarmNamePrefix=FILTER)["MetricAlarms"]]
    alert = watched.broken_by("DisableAlarmActions", lambda: cloudwatch.disable_alarm_actions(AlarmNames=names))
    assert f"The actions of alarm {FILTER}" in alert["summary"]
    watched.mended_by(lambda: cloudwatch.enable_alarm_actions(AlarmNames=names))


def test_an_ended_subscription_is_reported_and_its_return(watched: Watched) -> None:
    sns = watched.by_mallory("sns")
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=watched.topic)["Subscriptions"]
    alert = watched.broken_by("Unsubscribe", lambda: sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"]))
    assert "Topic sgwatch-alarms reaches nobody" in alert["summary"]
    sns.subscribe(TopicArn=watched.topic, Protocol="email", Endpoint=ONCALL)
    assert watched.cloud.wait_until_idle(SECONDS)
    watched.mended_by(lambda: confirm(watched.cloud))


def test_a_stopped_trail_is_reported_and_its_return(watched: Watched) -> None:
    trail = watched.by_mallory("cloudtrail")
    alert = watched.broken_by("StopLogging", lambda: trail.stop_logging(Name="main"))
    assert "Trail main is not logging." in alert["summary"]
    watched.mended_by(lambda: trail.start_logging(Name="main"))


def test_a_disabled_rule_of_sgwatch_is_reported_and_its_return(watched: Watched) -> None:
    events = watched.by_mallory("events")
    rule = "sgwatch-dev-alert_on_change-event"
    alert = watched.broken_by("DisableRule", lambda: events.disable_rule(Name=rule))
    assert alert["title"] == f"sgwatch's own path is broken: rule {rule} was disabled (DisableRule by mallory)"
    assert f"EventBridge rule {rule} is DISABLED." in alert["summary"]
    watched.mended_by(lambda: events.enable_rule(Name=rule))


def test_an_alarm_of_somebody_else_is_counted_and_not_alerted(watched: Watched) -> None:
    before = len(watched.cloud.inbox.messages("webhook"))
    alarm = {"Namespace": "Shop", "MetricName": "Orders", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
    watched.by_mallory("cloudwatch").put_metric_alarm(
        AlarmName="orders", Threshold=1, ComparisonOperator="LessThanThreshold", **alarm
    )
    assert watched.cloud.wait_until_idle(SECONDS)
    assert [item.title for item in watched.cloud.inbox.messages("webhook")[before:]] == []


def test_the_schedule_audits_and_has_nothing_to_report(watched: Watched) -> None:
    before = len(watched.cloud.inbox.messages("webhook"))
    assert watched.cloud.schedules.tick("audit_on_schedule") == 1
    assert watched.cloud.wait_until_idle(SECONDS)
    assert [item.title for item in watched.cloud.inbox.messages("webhook")[before:]] == []
    name = watched.cloud.client("ssm").get_parameter(Name="/sgwatch/dev/alarm-path")["Parameter"]["Value"]
    assert json.loads(name)["status"] == "pass"


def test_with_auto_repair_the_filter_is_back_and_that_is_reported(watched: Watched) -> None:
    functions = watched.cloud.client("lambda")
    name = "sgwatch-dev-alert_on_tampering"
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    wanted = {"Variables": {**variables, "AUTO_REPAIR": "true"}}
    iam, may_repair = watched.cloud.client("iam"), policy("dev", "alert_on_tampering", wanted["Variables"])
    (present,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    iam.put_role_policy(RoleName=name, PolicyName=present, PolicyDocument=json.dumps(may_repair))
    functions.update_function_configuration(FunctionName=name, Environment=wanted)
    assert watched.cloud.wait_until_idle(SECONDS)
    logs = watched.by_mallory("logs")
    alert = watched.alert_after(
        lambda: logs.delete_metric_filter(logGroupName="trail-logs", filterName=FILTER),
        lambda item: item["title"].startswith("sgwatch repaired"),
    )
    assert (alert["severity"], alert["alarm_path"]["status"]) == ("medium", "pass")
    assert "logs:PutMetricFilter" in alert["summary"]
    assert watched.cloud.wait_until_idle(SECONDS)
    assert sgwatch(watched.cloud, "audit").returncode == 0
    written = watched.cloud.inbox.messages("webhook")
    own = [item for item in written if "PutMetricFilter by sgwatch-dev" in item.title]
    assert len(own) == 1, "its own repair is told once, and is no reason to repair again"


def test_errors_of_a_function_are_noted_by_the_audit_of_the_stage(watched: Watched) -> None:
    functions = watched.cloud.client("lambda")
    name = "sgwatch-dev-audit_on_schedule"
    functions.update_function_configuration(FunctionName=name, Handler="app.gone")
    assert functions.invoke(FunctionName=name, Payload="{}").get("FunctionError")
    functions.update_function_configuration(FunctionName=name, Handler="app.audit_on_schedule")
    assert watched.cloud.wait_until_idle(SECONDS)
    report = json.loads(sgwatch(watched.cloud, "audit", "--json", "--stage", "dev").stdout)
    (note,) = (note for note in report["notes"] if f"function:{name} had 1 error in the last 24 hours" in note)
    assert f"aws logs tail /aws/lambda/{name} --since " in note
