"""The dimensions under which a filter publishes, and whether an alarm's query reads those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.alarm_path.snapshot.cloudwatch_alarms import InsightsQuery, MetricQuery
from chalicelib.alarm_path.snapshot.model import MetricFilter
from chalicelib.alarm_path.standards import EVENTS
from chalicelib.alarm_path.verdicts import Status, all_of, status_of

# The same in every record of a security group call, as text.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
_CONSTANTS = {
    "$.eventSource": "ec2.amazonaws.com",
    "$.eventType": "AwsApiCall",
    "$.eventCategory": "Management",
}
# The same in every record, and no text: how CloudWatch Logs writes a truth value as a dimension is not documented.
_TRUTH_VALUES = {"$.readOnly": "false", "$.managementEvent": "true"}


@dataclass(frozen=True, slots=True)
class Perhaps:
    """A dimension's value where AWS documents no other, and not that it is this one."""

    text: str


DimensionValue = str | Perhaps | None


def published_dimensions(item: MetricFilter, event: str | None, account: str) -> dict[str, DimensionValue]:
    """Dimension names and their values for a record of an event (None: of another call).

    None stands for a value that varies from record to record.
    """
    constants: dict[str, DimensionValue] = {"$.recipientAccountId": account}
    if event is not None:
        truths = {selector: Perhaps(value) for selector, value in _TRUTH_VALUES.items()}
        constants |= {**_CONSTANTS, **truths, "$.eventName": event}
    fields = {name: constants.get(selector) for name, selector in item.dimensions.items()}
    # Documented of centralized logs; whether a trail's log events have the log group's region or the record's is not.
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
    system: dict[str, DimensionValue] = {"@aws.account": account, "@aws.region": Perhaps(item.region)}
    return {**fields, **{name: system.get(name) for name in item.system_dimensions}}


def reads_published(query: MetricQuery, published: Mapping[str, DimensionValue], account: str) -> Status:
    """Whether a query reads a metric published under these dimensions in an account."""
    if query.insights is not None:
        return _selected(query.insights, published, account)
    if set(published) != set(query.dimensions):
        return Status.FAIL
    return all_of(_agrees(published[name], wanted) for name, wanted in query.dimensions.items())


def _agrees(value: DimensionValue, wanted: str) -> Status:
    if isinstance(value, Perhaps):
        return Status.UNKNOWN if wanted.lower() == value.text else Status.FAIL
    return status_of(value == wanted)


def _selected(insights: InsightsQuery, published: Mapping[str, DimensionValue], account: str) -> Status:
    if insights.schema is not None and insights.schema != set(published):
        return Status.FAIL
    if insights.where is None:
        return Status.UNKNOWN
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
    known = {**published, "AWS.AccountId": account}
    return all_of(_agrees(known.get(name), wanted) for name, wanted in insights.where.items())


def dimension_answers(item: MetricFilter, query: MetricQuery, account: str) -> dict[str, Status]:
    """Per event: whether every match is published under exactly the dimensions that a query reads."""
    return {event: reads_published(query, published_dimensions(item, event, account), account) for event in EVENTS}
