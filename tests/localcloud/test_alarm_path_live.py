"""The alarm path fires beside the real-time path: trail, filter, alarm, topic, subscriber."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from chalicelib.alarm_path.snapshot.collect import collect
from localcloud import LocalCloud
from localcloud.awkward.awkwardness import MILD
from localcloud.baseline import ONCALL, PATTERN, make_alarm_path_to

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def path() -> Iterator[LocalCloud]:
    with LocalCloud(awkwardness=MILD) as cloud:
        sns = cloud.client("sns")
        topic = sns.create_topic(Name="alarms")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=ONCALL)
        make_alarm_path_to(topic, cloud)
        yield cloud


def test_a_change_sets_off_the_alarm_and_reaches_only_a_confirmed_subscriber(path: LocalCloud) -> None:
    cloudwatch, ec2 = path.client("cloudwatch"), path.client("ec2")
    broken = [link for link in path.chain() if link["state"] != "pass"]
    assert [(link["kind"], link["note"]) for link in broken] == [("subscriber", "not confirmed")]
    [asked] = path.inbox.messages("email")
    assert asked.link is not None
    assert "Subscription confirmed" in requests.get(asked.link, timeout=5).text
    assert {link["state"] for link in path.chain()} == {"pass"}

    ec2.create_security_group(GroupName="fires", Description="d")
    assert path.wait_until_idle()
    assert cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"] == "ALARM"
    mail = path.inbox.messages("email")[-1]
    assert mail.title == 'ALARM: "security-group-changes" in eu-west-1'
    assert json.loads(mail.text)["NewStateValue"] == "ALARM"

    ec2.create_security_group(GroupName="fires-again", Description="d")
    path.wait_until_idle()
    assert path.inbox.messages("email")[-1] == mail, "actions are taken when the state changes, not on every datapoint"


def test_records_are_in_the_trail_s_log_group_while_it_is_logging(path: LocalCloud) -> None:
    logs, trail, ec2 = path.client("logs"), path.client("cloudtrail"), path.client("ec2")

    def delivered(name: str) -> bool:
        events = logs.filter_log_events(logGroupName="cloudtrail")["events"]
        return any(name in event["message"] for event in events)

    ec2.create_security_group(GroupName="while-logging", Description="d")
    trail.stop_logging(Name="management")
    ec2.create_security_group(GroupName="while-stopped", Description="d")
    trail.start_logging(Name="management")
    assert delivered("while-logging")
    assert not delivered("while-stopped")


@pytest.mark.parametrize(
    ("selectors", "delivered"),
    [
        ({"EventSelectors": [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]}, True),
        ({"EventSelectors": [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]}, False),
        ({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": False}]}, False),
        (
            {
                "AdvancedEventSelectors": [
                    {
                        "FieldSelectors": [
                            {"Field": "eventCategory", "Equals": ["Management"]},
                            {"Field": "eventSource", "NotEquals": ["ec2.amazonaws.com"]},
                        ]
                    }
                ]
            },
            False,
        ),
    ],
)
def test_a_trail_takes_what_its_selectors_select(
    path: LocalCloud, selectors: dict[str, Any], delivered: bool, request: pytest.FixtureRequest
) -> None:
    name = f"selected-{abs(hash(request.node.name))}"
    path.client("cloudtrail").put_event_selectors(TrailName="management", **selectors)
    path.client("ec2").create_security_group(GroupName=name, Description="d")
    events = path.client("logs").filter_log_events(logGroupName="cloudtrail")["events"]
    assert any(name in event["message"] for event in events) == delivered


def test_an_unconfirmed_subscription_is_counted_as_pending(path: LocalCloud) -> None:
    sns = path.client("sns")
    topic = sns.create_topic(Name="counted")["TopicArn"]
    assert sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")["SubscriptionArn"] == (
        "pending confirmation"
    )
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://hooks.example.com/x")
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (attributes["SubscriptionsPending"], attributes["SubscriptionsConfirmed"]) == ("2", "0")
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert {item["SubscriptionArn"] for item in listed} == {"PendingConfirmation"}
    path.wait_until_idle()
    kept = [item for item in path.inbox.messages("sns", accepted=False) if "hooks.example.com" in item.where]
    assert [item.note for item in kept] == ["kept here: only loopback is sent to"]


def test_a_topic_reaches_an_http_endpoint_on_loopback_once_confirmed(path: LocalCloud) -> None:
    sns = path.client("sns")
    topic = sns.create_topic(Name="over-http")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"{path.inbox_url}/sns/hook")
    path.wait_until_idle()
    asked = path.inbox.messages("sns")[-1]
    sns.confirm_subscription(TopicArn=topic, Token=asked.payload["Token"])
    sns.publish(
        TopicArn=topic,
        Message="hello",
        Subject="greeting",
        MessageAttributes={"severity": {"DataType": "String", "StringValue": "high"}},
    )
    path.wait_until_idle()
    message = path.inbox.messages("sns")[-1]
    assert (message.title, message.text, message.severity) == ("greeting", "hello", "high")


def test_a_log_transformer_is_collected_where_a_filter_reads_what_it_makes(path: LocalCloud) -> None:
    logs = path.client("logs")
    client = lambda service, region: path.client(service, region=region)  # noqa: E731
    assert "log_transformers" not in collect(client, home_region=path.region, now=NOW)["regions"][path.region]
    logs.put_metric_filter(
        logGroupName="cloudtrail",
        filterName="transformed",
        filterPattern=PATTERN,
        metricTransformations=[{"metricName": "Other", "metricNamespace": "CIS", "metricValue": "1"}],
        applyOnTransformedLogs=True,
    )
    without = collect(client, home_region=path.region, now=NOW)["regions"][path.region]
    assert (without["log_transformers"], without["transformer_policies"]) == ({"cloudtrail": {}}, [])
    logs.put_transformer(logGroupIdentifier="cloudtrail", transformerConfig=[{"parseJSON": {}}])
    found = collect(client, home_region=path.region, now=NOW)["regions"][path.region]["log_transformers"]
    assert found["cloudtrail"]["transformerConfig"] == [{"parseJSON": {}}]
