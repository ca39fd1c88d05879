"""The dashboard of durable delivery: in CloudWatch's form, and of metrics, functions and alarms that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chalicelib.deployment import HANDLERS
from chalicelib.observability import metrics
from sgwatch.commands.deploy import COST, MAX_PATH_ALARMS
from sgwatch.durable_template import StagePlace, resources, template

PATH_ALARMS = ("arn:aws:cloudwatch:us-east-1:123456789012:alarm:changes", "arn:aws:cloudwatch:us-east-1:1:alarm:b")
PLACE = StagePlace("dev", "aws-cn", "cn-north-1", "123456789012")
# What AWS publishes, of what the dashboard may show.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
OF_AWS = {
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible",
    },
    "AWS/Lambda": {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"},
}
OURS = {
    value
    for name, value in vars(metrics).items()
    if name.isupper() and not name.startswith("_") and name != "NAMESPACE" and isinstance(value, str)
}
DIMENSIONS = {"AWS/SQS": "QueueName", "AWS/Lambda": "FunctionName", metrics.NAMESPACE: "Function"}
STATISTICS = {"Sum", "Maximum", "Minimum", "Average", "SampleCount", "p50", "p99"}


class Shown(NamedTuple):
    namespace: str
    name: str
    dimension: str
    value: str


def body(path_alarms: tuple[str, ...] = (), place: StagePlace = PLACE) -> dict[str, Any]:
    kind, properties = resources(StagePlace(*list_of(place), path_alarms=path_alarms))["Dashboard"]
    assert kind == "AWS::CloudWatch::Dashboard"
    assert properties["DashboardName"] == f"sgwatch-{place.stage}" == place.dashboard
    found: dict[str, Any] = json.loads(properties["DashboardBody"])
    return found


def list_of(place: StagePlace) -> tuple[str, str, str, str]:
    return place.stage, place.partition, place.region, place.account


WIDGETS: list[dict[str, Any]] = body()["widgets"]


def shown() -> Iterator[Shown]:
    for widget in WIDGETS:
        for item in widget["properties"].get("metrics", ()):
            yield Shown(*item[:4])


def test_every_metric_is_one_that_aws_or_a_function_publishes_of_something_that_there_is() -> None:
    queues = {PLACE.queue, PLACE.dead_letters, PLACE.failed_events}
    functions = {PLACE.function(handler) for handler in HANDLERS}
    for item in shown():
        assert item.name in (OURS if item.namespace == metrics.NAMESPACE else OF_AWS[item.namespace])
        assert item.dimension == DIMENSIONS[item.namespace]
        assert item.value in (queues if item.namespace == "AWS/SQS" else functions)


def test_no_metric_of_ours_no_function_and_no_queue_is_left_out() -> None:
    found = list(shown())
    assert {item.name for item in found if item.namespace == metrics.NAMESPACE} == OURS
    for name in ("Errors", "Throttles", "Duration"):
        assert {item.value for item in found if item.name == name} == {PLACE.function(each) for each in HANDLERS}
    visible = {item.value for item in found if item.name == "ApproximateNumberOfMessagesVisible"}
    assert visible == {PLACE.queue, PLACE.dead_letters, PLACE.failed_events}
    oldest = [item for item in found if item.name == "ApproximateAgeOfOldestMessage"]
    assert [item.value for item in oldest] == [PLACE.queue]


def test_it_shows_no_more_metrics_than_a_dashboard_that_costs_nothing_may() -> None:
    # https://aws.amazon.com/cloudwatch/pricing/
    assert len(set(shown())) <= 50
    assert "3 USD for its dashboard where the account has three others already" in COST


def test_every_alarm_of_the_stack_is_shown_and_those_of_the_alarm_path_where_they_are_known() -> None:
    (widget,) = [item for item in WIDGETS if item["type"] == "alarm"]
    stacks = {
        f"arn:aws-cn:cloudwatch:cn-north-1:123456789012:alarm:{properties['AlarmName']}"
        for kind, properties in resources(PLACE).values()
        if kind == "AWS::CloudWatch::Alarm"
    }
    assert set(widget["properties"]["alarms"]) == stacks
    (widget,) = [item for item in body(PATH_ALARMS)["widgets"] if item["type"] == "alarm"]
    assert set(widget["properties"]["alarms"]) == {*stacks, *PATH_ALARMS}
    assert len(stacks) + MAX_PATH_ALARMS <= 100


def test_it_has_cloudwatchs_form() -> None:
    for widget in WIDGETS:
        assert widget.keys() == {"type", "x", "y", "width", "height", "properties"}
        assert widget["type"] in {"metric", "alarm"}
        properties = widget["properties"]
        assert properties["title"]
        if widget["type"] == "metric":
            assert properties["region"] == "cn-north-1"
            assert properties["view"] in {"timeSeries", "singleValue", "bar", "gauge", "pie", "table"}
            assert properties["period"] % 60 == 0
            options = [item[4] for item in properties["metrics"]]
            assert all(option.keys() <= {"label", "stat"} for option in options)
            assert {properties["stat"], *(item.get("stat", "Sum") for item in options)} <= STATISTICS


def test_no_widget_lies_on_another_or_reaches_past_the_edge() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in WIDGETS:
        assert widget["x"] + widget["width"] <= 24
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not taken & cells
        taken |= cells


@pytest.mark.parametrize("stage", ["prod", "a_b-C9"])
def test_nothing_is_left_to_fill_in(stage: str) -> None:
    assert "${" not in json.dumps(body(place=StagePlace(stage, "aws", "eu-west-1", "123456789012")))
    text = template()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][0]
    assert set(re.findall(r"\$\{([^}]+)\}", text)) == {
        "Stage",
        "PathAlarms",
        "AWS::Region",
        "AWS::Partition",
        "AWS::AccountId",
    }


def test_the_page_on_operating_names_every_metric_of_the_dashboard() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operate.md").read_text()
    section = page.split("\n## The dashboard\n")[1].split("\n## ")[0]
    of_lambda_and_us = {item.name for item in shown() if item.namespace != "AWS/SQS"}
    assert {name for name in of_lambda_and_us if f"`{name}`" not in section} == set()
