"""What alarms do in the local cloud: metric math, composites, defaults, mute rules and states set by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.alarm_series import statistic
from localcloud.awkward.awkwardness import MILD
from localcloud.baseline import ONCALL, confirmed_topic, make_alarm_path_to

COUNT = {"Metric": {"Namespace": "CIS", "MetricName": "SecurityGroupChanges"}, "Period": 300, "Stat": "Sum"}
ALWAYS = {"Schedule": {"Expression": "cron(* * * * *)", "Duration": "PT1H"}}


@pytest.fixture(scope="module")
def path() -> Iterator[LocalCloud]:
    with LocalCloud(awkwardness=MILD) as cloud:
        make_alarm_path_to(confirmed_topic(cloud, "alarms", ONCALL), cloud)
        yield cloud


@pytest.fixture
def change(path: LocalCloud, request: pytest.FixtureRequest) -> Callable[[], None]:
    """Makes a change that the metric filter counts."""
    made = iter(range(100))

    def act() -> None:
        name = f"{request.node.name}-{next(made)}"[:200]
        path.client("ec2").create_security_group(GroupName=name, Description="d")
        assert path.wait_until_idle()

    return act


def topic(path: LocalCloud, name: str) -> str:
    return confirmed_topic(path, name, f"{name}@example.com")


def mails(path: LocalCloud, name: str) -> list[str]:
    path.wait_until_idle()
    return [item.title for item in path.inbox.messages("email") if item.where == f"{name}@example.com"]


def math_alarm(path: LocalCloud, name: str, expression: str, threshold: float, **more: Any) -> None:
    metrics = [
        {"Id": "m1", "MetricStat": COUNT, "ReturnData": False},
        {"Id": "e1", "Expression": expression, "ReturnData": True},
    ]
    path.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Metrics=metrics,
        EvaluationPeriods=1,
        Threshold=threshold,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic(path, name)],
        **more,
    )


def idle_alarm(path: LocalCloud, name: str) -> None:
    """An alarm without a datapoint: it stays in the state that it is set to."""
    path.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="Idle",
        MetricName=name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )


def state(path: LocalCloud, name: str) -> str:
    kinds = ["MetricAlarm", "CompositeAlarm"]
    found = path.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=kinds)
    states: list[str] = [alarm["StateValue"] for alarm in (*found["MetricAlarms"], *found["CompositeAlarms"])]
    return states[0]


def await_alarm(path: LocalCloud, name: str) -> None:
    """Wait for the evaluation, which is made every second."""
    deadline = time.monotonic() + 10
    while state(path, name) != "ALARM":
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "expression", "threshold", "fires"),
    [
        ("math-filled", "FILL(m1, 0)", 1.0, True),
        ("math-scaled", "m1 * 0", 1.0, False),
        ("math-metrics", "SUM(METRICS())", 1.0, True),
        ("math-if", "IF(m1 > 0, 5, 0)", 5.0, True),
    ],
)
def test_an_alarm_on_metric_math_is_evaluated(
    path: LocalCloud, change: Callable[[], None], name: str, expression: str, threshold: float, fires: bool
) -> None:
    math_alarm(path, name, expression, threshold)
    change()
    assert (state(path, name) == "ALARM") is fires
    assert bool(mails(path, name)) is fires


def test_an_expression_over_an_expression_is_evaluated_in_order(path: LocalCloud, change: Callable[[], None]) -> None:
    metrics = [
        {"Id": "e2", "Expression": "e1 + 10", "ReturnData": True},
        {"Id": "e1", "Expression": "m1 * 0", "ReturnData": False},
        {"Id": "m1", "MetricStat": COUNT, "ReturnData": False},
    ]
    path.client("cloudwatch").put_metric_alarm(
        AlarmName="chained",
        Metrics=metrics,
        EvaluationPeriods=1,
        Threshold=10.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    change()
    assert state(path, "chained") == "ALARM"


def test_a_composite_alarm_follows_the_alarms_that_it_names(path: LocalCloud) -> None:
    cloudwatch = path.client("cloudwatch")
    for name in ("left", "right"):
        idle_alarm(path, name)
    rule = 'ALARM("left") AND NOT OK(right)'
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule=rule, AlarmActions=[topic(path, "both")])
    cloudwatch.set_alarm_state(AlarmName="left", StateValue="ALARM", StateReason="r")
    assert state(path, "both") == "OK"
    cloudwatch.set_alarm_state(AlarmName="right", StateValue="ALARM", StateReason="r")
    assert mails(path, "both") == ['ALARM: "both" in eu-west-1']


def test_a_composite_alarm_is_silent_while_its_suppressor_is_in_alarm(path: LocalCloud) -> None:
    cloudwatch = path.client("cloudwatch")
    for name in ("cause", "maintenance"):
        idle_alarm(path, name)
    arn = f"arn:aws:cloudwatch:{path.region}:{path.account_id}:alarm:maintenance"
    cloudwatch.put_composite_alarm(
        AlarmName="suppressed",
        AlarmRule="ALARM(cause)",
        AlarmActions=[topic(path, "suppressed")],
        ActionsSuppressor=arn,
        ActionsSuppressorWaitPeriod=60,
        ActionsSuppressorExtensionPeriod=60,
    )
    cloudwatch.set_alarm_state(AlarmName="maintenance", StateValue="ALARM", StateReason="r")
    cloudwatch.set_alarm_state(AlarmName="cause", StateValue="ALARM", StateReason="r")
    assert (state(path, "suppressed"), mails(path, "suppressed")) == ("ALARM", [])


def test_a_muted_alarm_changes_its_state_and_sends_nothing(path: LocalCloud, change: Callable[[], None]) -> None:
    math_alarm(path, "muted", "m1", 1.0)
    path.client("cloudwatch").put_alarm_mute_rule(Name="quiet", Rule=ALWAYS, MuteTargets={"AlarmNames": ["muted"]})
    change()
    assert (state(path, "muted"), mails(path, "muted")) == ("ALARM", [])


def test_a_state_that_was_set_by_hand_lasts_until_the_next_evaluation(
    path: LocalCloud, change: Callable[[], None]
) -> None:
    math_alarm(path, "by-hand", "m1", 1.0)
    change()
    assert state(path, "by-hand") == "ALARM"
    path.client("cloudwatch").set_alarm_state(AlarmName="by-hand", StateValue="OK", StateReason="calm")
    await_alarm(path, "by-hand")


def test_a_filter_publishes_its_default_for_events_that_do_not_match(path: LocalCloud) -> None:
    metric = {"metricName": "Quiet", "metricNamespace": "CIS", "metricValue": "1", "defaultValue": 7}
    path.client("logs").put_metric_filter(
        logGroupName="cloudtrail",
        filterName="never",
        filterPattern="{ $.eventName = Never }",
        metricTransformations=[metric],
    )
    path.client("cloudwatch").put_metric_alarm(
        AlarmName="default",
        Namespace="CIS",
        MetricName="Quiet",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=7,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    path.client("ec2").describe_vpcs()
    await_alarm(path, "default")


def test_the_notice_of_an_alarm_has_its_reason(path: LocalCloud, change: Callable[[], None]) -> None:
    math_alarm(path, "noticed", "m1", 1.0)
    change()
    mail = [item for item in path.inbox.messages("email") if item.where == "noticed@example.com"][-1]
    notice = json.loads(mail.text)
    assert (notice["AlarmName"], notice["NewStateValue"], notice["OldStateValue"]) == ("noticed", "ALARM", "OK")
    assert notice["NewStateReason"]


@pytest.mark.parametrize(("name", "value"), [("Sum", 6), ("Average", 2), ("SampleCount", 3), ("p99", 3), ("p0", 1)])
def test_a_statistic_is_of_all_values_of_a_period(name: str, value: float) -> None:
    assert statistic(name, [1.0, 3.0, 2.0]) == value
