"""Each way in which an alarm path is broken is mended by the printed fixes alone, and by ``repair``, and no more is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.peers.__main__ import SOUND
from benchmarks.peers.breakages import BREAKAGES, MORE_BREAKAGES
from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.repair import Plan, Subscriber, apply, plan
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.collect import collect
from chalicelib.alarm_path.snapshot.model import Snapshot
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.verdicts import Status
from localcloud import LocalCloud
from localcloud.awkward.awkwardness import MILD
from localcloud.baseline import make_alarm_path
from tests.support.command_line import ROOT
from tests.support.shell_aws import AwsShell

ALL = BREAKAGES | MORE_BREAKAGES
# One of each link; the rest takes minutes.
FEW = {
    "the trail with data events logs no management events",
    "the log group is deleted",
    "the filter lacks ModifySecurityGroupRules",
    "the alarm with OK actions wants six changes",
    "the topic denies CloudWatch",
}
NAMES = [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in ALL]
# What a breakage took away in more than one part: the filter with its log group, the subscription with its topic. An
# alarm without an action names no topic, and those that no alarm names are not collected: the topic, who is subscribed
# to it and the alarm's action are made.
PARTS = {"the log group is deleted": 2, "the topic is deleted": 2, "the alarm has no action": 3}
MAIL = Subscriber("email", "new@example.com")
# Differs with every collection, or says the state of the moment.
MOMENTARY = ("Time", "State", "creationTime", "storedBytes", "Timestamp")
Document = dict[str, Any]
Fields = dict[tuple[str, str, str], Any]


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(awkwardness=MILD) as running:
        yield running


@pytest.fixture(scope="module")
def shell(cloud: LocalCloud) -> Iterator[AwsShell]:
    running = AwsShell(cloud.environment())
    yield running
    running.close()


@pytest.fixture
def sound(cloud: LocalCloud) -> Iterator[Document]:
    make_alarm_path(cloud)
    _furnish(cloud)
    yield collected(cloud)
    _take_away(cloud)


def test_the_docs_compare_each_way_with_other_tools() -> None:
    text = (ROOT / "docs" / "alarm-path.md").read_text(encoding="utf-8")
    table = text.partition("## Beside Prowler and Cloud Custodian")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    judged = {row[0]: row[1] for row in rows[1:-1]}
    assert judged.pop(SOUND) == "pass"
    assert set(judged.values()) == {"fail"}
    assert judged.keys() <= BREAKAGES.keys()
    assert len(judged) >= 20


def collected(cloud: LocalCloud) -> Document:
    def client(service: str, region: str) -> Any:
        return cloud.client(service, region=region)

    return collect(client, home_region=cloud.region, now=datetime.now(UTC))


def judged(document: Document) -> tuple[Snapshot, Report]:
    snapshot = read_snapshot(document)
    return snapshot, audit(snapshot, coverage_of, checked_at=datetime.now(UTC))


def fixes(report: Report) -> list[str]:
    """The commands under what did not pass, in their order."""
    findings = (finding for path in report.paths for finding in path.findings if finding.status is not Status.PASS)
    return [finding.fix for finding in findings if finding.fix and finding.calls]


def run(shell: AwsShell, commands: list[str]) -> None:
    """The commands as one script, and an address for whoever is asked for one."""
    ended = subprocess.run(
        ["/bin/sh", "-c", "\n".join(["set -e", *commands])],
        env={"PATH": shell.path, "HOME": "/nonexistent"},
        input="new@example.com\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, (commands, ended.stderr)


def confirm(cloud: LocalCloud) -> None:
    """Follow the link of every mail that asks to."""
    for item in cloud.inbox.messages("email"):
        if item.link is not None:
            cloud.client("sns").confirm_subscription(TopicArn=item.payload["TopicArn"], Token=item.payload["Token"])
    cloud.inbox.clear()


def fields(document: Document) -> Fields:
    """Every field of everything collected: (kind, name, field) to its value."""
    found: Fields = {}
    for item in document["trails"]:
        found |= {("trail", item["Name"], key): value for key, value in item.items() if key != "Status"}
    for region in document["regions"].values():
        for kind, name in KINDS.items():
            for item in region.get(kind) or ():
                found |= {(kind, item[name], key): value for key, value in item.items()}
        for arn, topic in region["topics"].items():
            for part in ("Attributes", "KeyMetadata"):
                found |= {("topic", arn, key): value for key, value in (topic.get(part) or {}).items()}
            for item in topic["Subscriptions"] or ():
                # Confirming gives a subscription its ARN, and an empty filter policy is none.
                values = {**item, **(item.get("Attributes") or {})}
                ours = {key: value for key, value in values.items() if key not in CONFIRMED and value != "{}"}
                found |= {("subscription", f"{arn} {item['Endpoint']}", key): value for key, value in ours.items()}
    return {key: value for key, value in found.items() if not any(part in key[2] for part in MOMENTARY)}


CONFIRMED = ("Attributes", "SubscriptionArn", "PendingConfirmation", "ConfirmationWasAuthenticated")
KINDS = {
    "log_groups": "logGroupName",
    "metric_filters": "filterName",
    "metric_alarms": "AlarmName",
    "composite_alarms": "AlarmName",
    "alarm_mute_rules": "Name",
}
# Policies and selectors are compared below, and counts follow the subscribers.
LOOSE = (
    "Policy",
    "EventSelectors",
    "HasCustomEventSelectors",
    "SubscriptionsConfirmed",
    "SubscriptionsPending",
    "SubscriptionsDeleted",
    "metricFilterCount",
)


def changed(name: str, before: Document, broken: Document, after: Document) -> Fields:
    """The fields that are neither as they were before the breakage nor as they were after it.

    Of what was deleted nobody can know the fields, nor which topic an alarm without an action notified.
    """
    was, then, now = fields(before), fields(broken), fields(after)
    there = {key[:2] for key in then}
    unknowable = "AlarmActions" if name == "the alarm has no action" else ""
    kept = [key for key in was if key[:2] in there and key[2] not in (*LOOSE, unknowable)]
    lost = {key: now.get(key) for key in kept if now.get(key, "gone") not in (was[key], then.get(key, "gone"))}
    made = {(kind, item) for kind, item, _ in now} - {(kind, item) for kind, item, _ in {**was, **then}}
    others = {(kind, item) for kind, item in made if kind != "subscription" and "sgwatch-" not in item}
    return lost | {(kind, item, ""): "made" for kind, item in others}


def allowed(document: Document) -> list[Any]:
    """The statements of topics and their keys that allow something."""
    topics = [topic for region in document["regions"].values() for topic in region["topics"].values()]
    policies = [json.loads((topic["Attributes"] or {}).get("Policy") or "{}") for topic in topics]
    policies += [topic.get("KeyPolicy") or {} for topic in topics]
    return [one for policy in policies for one in policy.get("Statement", ()) if one["Effect"] == "Allow"]


def data_events(document: Document) -> list[Any]:
    """What the trails log besides management events."""
    answers = [item["EventSelectors"] for item in document["trails"]]
    basic = [
        one["DataResources"] for answer in answers for one in answer.get("EventSelectors") or () if one["DataResources"]
    ]
    advanced = [one for answer in answers for one in answer.get("AdvancedEventSelectors") or () if "Data" in str(one)]
    return [*basic, *advanced]


def assert_nothing_else_changed(name: str, sound: Document, broken: Document, mended: Document) -> None:
    assert changed(name, sound, broken, mended) == {}
    assert [statement for statement in allowed(broken) if statement not in allowed(mended)] == []
    assert data_events(mended) == data_events(broken)


@pytest.mark.parametrize("name", NAMES)
def test_the_printed_fixes_alone_mend_it(cloud: LocalCloud, shell: AwsShell, sound: Document, name: str) -> None:
    ALL[name](cloud)
    broken = collected(cloud)
    _, report = judged(broken)
    assert report.status is not Status.PASS
    run(shell, fixes(report))
    confirm(cloud)
    mended = collected(cloud)
    after = judged(mended)[1]
    assert after.status is Status.PASS, [
        (finding.check, finding.reason, finding.fix)
        for path in after.paths
        for finding in path.findings
        if finding.status is not Status.PASS
    ]
    assert_nothing_else_changed(name, sound, broken, mended)


@pytest.mark.parametrize("name", NAMES)
def test_repair_mends_it_with_a_call_for_each_part_and_then_makes_none(
    cloud: LocalCloud, sound: Document, name: str
) -> None:
    ALL[name](cloud)
    broken = collected(cloud)
    planned = planned_for(broken)
    assert len(planned.steps) <= PARTS.get(name, 1), [(step.action, step.parameters) for step in planned.steps]
    apply(planned.steps, lambda service, region: cloud.client(service, region=region))
    again = planned_for(collected(cloud))
    assert again.steps == ()
    confirm(cloud)
    mended = collected(cloud)
    assert judged(mended)[1].status is Status.PASS
    assert_nothing_else_changed(name, sound, broken, mended)
    assert planned_for(mended) == Plan(())


def planned_for(document: Document) -> Plan:
    return plan(*judged(document), MAIL, edit_existing=True)


@pytest.mark.parametrize("name", NAMES)
def test_by_itself_repair_changes_nothing_of_others(cloud: LocalCloud, sound: Document, name: str) -> None:
    ALL[name](cloud)
    broken = collected(cloud)
    planned = plan(*judged(broken), MAIL)
    assert all(step.own for step in planned.steps)
    apply(planned.steps, lambda service, region: cloud.client(service, region=region))
    confirm(cloud)
    mended = collected(cloud)
    status = judged(mended)[1].status
    assert (status is Status.PASS) != bool(planned.refusals) or planned.human
    assert plan(*judged(mended), MAIL).steps == ()
    was, now = fields(broken), fields(mended)
    assert {key: now.get(key) for key in was if key[2] not in LOOSE} == {
        key: value for key, value in was.items() if key[2] not in LOOSE
    }


def _furnish(cloud: LocalCloud) -> None:
    """Fields that people set and that no part of the path needs: a fix has to keep them."""
    cloudwatch, sns = cloud.client("cloudwatch"), cloud.client("sns")
    (alarm,) = cloudwatch.describe_alarms()["MetricAlarms"]
    topic = alarm["AlarmActions"][0]
    put = ("AlarmName", "Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods", "Threshold")
    kept = {key: alarm[key] for key in (*put, "ComparisonOperator", "TreatMissingData", "AlarmActions")}
    cloudwatch.put_metric_alarm(
        **kept, AlarmDescription="Runbook 7: $(id)", OKActions=[topic], InsufficientDataActions=[topic]
    )
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="Security")
    objects = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::management-trail/"]}]
    whole = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": objects}
    cloud.client("cloudtrail").put_event_selectors(TrailName="management", EventSelectors=[whole])


def _take_away(cloud: LocalCloud) -> None:
    cloudwatch, logs, sns, trail = (cloud.client(name) for name in ("cloudwatch", "logs", "sns", "cloudtrail"))
    rules = cloudwatch.list_alarm_mute_rules()["AlarmMuteRuleSummaries"]
    for rule in rules:
        cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName=rule["AlarmMuteRuleArn"].rpartition(":")[2])
    found = cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    for kind in ("CompositeAlarms", "MetricAlarms"):
        if found[kind]:
            cloudwatch.delete_alarms(AlarmNames=[item["AlarmName"] for item in found[kind]])
    for item in logs.describe_metric_filters()["metricFilters"]:
        logs.delete_metric_filter(logGroupName=item["logGroupName"], filterName=item["filterName"])
    for group in logs.describe_log_groups()["logGroups"]:
        logs.delete_log_group(logGroupName=group["logGroupName"])
    for item in sns.list_topics()["Topics"]:
        sns.delete_topic(TopicArn=item["TopicArn"])
    for item in trail.describe_trails()["trailList"]:
        trail.delete_trail(Name=item["TrailARN"])
    cloud.client("s3", region="us-east-1").delete_bucket(Bucket="management-trail")
    cloud.inbox.clear()
