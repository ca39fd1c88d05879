"""How long the audit takes on a large account, against reading the same snapshot's JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.standards import EVENTS, pattern_for

ALARMS, FILTERS = 5_000, 2_000
TARGET = 2.0
REGION, ACCOUNT = "us-east-1", "123456789012"


def large_account(alarms: int = ALARMS, filters: int = FILTERS) -> dict[str, Any]:
    """A snapshot in which every filter on the trail's log group has a pattern of its own."""
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:trail:*"
    trail = {
        "Name": "main",
        "TrailARN": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main",
        "HomeRegion": REGION,
        "IsMultiRegionTrail": True,
        "CloudWatchLogsLogGroupArn": group,
        "Status": {"IsLogging": True, "LatestCloudWatchLogsDeliveryTime": "2026-11-23T09:57:00Z"},
        "EventSelectors": {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]},
    }
    region = {
        "log_groups": [{"logGroupName": "trail", "arn": group}],
        "metric_filters": [_filter(number) for number in range(filters)],
        "metric_alarms": [_alarm(number, filters) for number in range(alarms)],
        "composite_alarms": [],
        "topics": {},
    }
    document = {"version": "1", "account_id": ACCOUNT, "partition": "aws", "collected_at": "2026-11-23T10:00:00Z"}
    return {**document, "trails": [trail], "regions": {REGION: region}, "errors": []}


def expression(metrics: int) -> dict[str, Any]:
    """One alarm on the sum of many metrics, each of a filter with a condition of its own, beside one without any."""
    document = large_account()
    region = document["regions"][REGION]
    region["metric_filters"] = [
        {
            **_filter(number),
            "filterPattern": f'{{ ($.eventName = {event}) && ($.userIdentity.userName = "user-{number}") }}',
        }
        for number, event in zip(range(1, metrics), EVENTS * metrics, strict=False)
    ]
    region["metric_filters"].append(_filter(0))
    entries = [
        {
            "Id": f"m{number}",
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "n", "MetricName": f"metric-{number}"},
                "Period": 300,
                "Stat": "Sum",
            },
        }
        for number in range(metrics)
    ]
    read = {"Metrics": [*entries, {"Id": "e1", "Expression": "SUM(METRICS())", "ReturnData": True}]}
    alarm = {key: value for key, value in _alarm(0).items() if key not in {"Namespace", "MetricName", "Statistic"}}
    region["metric_alarms"] = [{**alarm, **read}]
    return document


def one_metric(alarms: int) -> dict[str, Any]:
    """Many alarms on the metric of one filter."""
    document = large_account()
    region = document["regions"][REGION]
    region["metric_filters"] = [_filter(0)]
    region["metric_alarms"] = [{**_alarm(number), "MetricName": "metric-0"} for number in range(alarms)]
    return document


def conditional(filters: int) -> dict[str, Any]:
    """Filters with a condition of its own each, all of one metric that an alarm reads minute by minute."""
    document = large_account()
    region = document["regions"][REGION]
    metric = {"metricName": "metric-0", "metricNamespace": "n", "metricValue": "1", "defaultValue": 0.0}
    region["metric_filters"] = [
        {
            **_filter(number),
            "filterPattern": f'{{ ($.eventName = {event}) && ($.userIdentity.userName != "user-{number}") }}',
            "metricTransformations": [metric],
        }
        for number, event in zip(range(1, filters + 1), EVENTS * filters, strict=False)
    ]
    region["metric_alarms"] = [{**_alarm(0), "Period": 60}]
    return document


def _filter(number: int) -> dict[str, Any]:
    other = f'{{ ($.eventName = "Call{number}") || ($.errorCode = "*Denied{number}") }}'
    return {
        "filterName": f"filter-{number}",
        "filterPattern": pattern_for(EVENTS) if number == 0 else other,
        "logGroupName": "trail",
        "metricTransformations": [{"metricName": f"metric-{number}", "metricNamespace": "n", "metricValue": "1"}],
    }


def _alarm(number: int, filters: int = FILTERS) -> dict[str, Any]:
    return {
        "AlarmName": f"alarm-{number}",
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:alarm-{number}",
        "ActionsEnabled": True,
        "AlarmActions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"],
        "Namespace": "n",
        "MetricName": f"metric-{number % filters}",
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }


def measure() -> tuple[float, float]:
    """Seconds to judge the snapshot, and to read its JSON."""
    text = json.dumps(large_account())
    reading = _seconds(lambda: json.loads(text))
    document = json.loads(text)
    now = datetime.now(UTC)
    return _seconds(lambda: audit(read_snapshot(document), coverage_of, checked_at=now)), reading


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Measure, print, and say by the exit status whether the target is met."""
    judging, reading = measure()
    print(
        f"audit of {ALARMS:,} alarms and {FILTERS:,} filters {judging:.2f} s, {judging / reading:.0f} × reading the "
        f"snapshot's JSON (at most {TARGET} s: {'met' if judging <= TARGET else 'MISSED'})"
    )
    met = judging <= TARGET
    for name, document in SHAPES.items():
        seconds = judged_in(document)
        print(f"audit of {name} {seconds:.2f} s of CPU (target: at most {WORST} s)")
        met = met and seconds <= WORST
    return 0 if met else 1


def judged_in(document: dict[str, Any]) -> float:
    """Seconds of CPU to judge a snapshot."""
    start = time.process_time()
    audit(read_snapshot(document), coverage_of, checked_at=datetime.now(UTC))
    return time.process_time() - start


# An audit after a tamper call has 20 seconds, collecting included.
WORST = 10.0
SHAPES = {
    "100 metrics in one expression": expression(100),
    "2,000 alarms on one metric": one_metric(2_000),
    "100 conditional filters on one metric": conditional(100),
}


if __name__ == "__main__":
    raise SystemExit(main())
