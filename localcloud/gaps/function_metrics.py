"""CloudWatch's numbers about functions: counted as they run, and answered quickly for long times.

moto looks at every datapoint once for each period of each query, which takes seconds for a week of five-minute periods.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.utils import parse_timestamp
from moto.cloudwatch.models import cloudwatch_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiRequest


def count_run(account_id: str, region: str, function_name: str, at: datetime, *, failed: bool) -> None:
    """The datapoints that Lambda publishes of one run."""
    dimensions = [{"Name": "FunctionName", "Value": function_name}]
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value, "Unit": "Count"}
        for name, value in (("Invocations", 1), ("Errors", int(failed)))
    ]
    cloudwatch_backends[account_id][region].put_metric_data("AWS/Lambda", data)


def get_metric_data(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """GetMetricData for sums of metrics, in whole periods since 1970."""
    stored = list(cloudwatch_backends[account_id][call.region].metric_data)
    begin, end = (_seconds(call.params[name]) for name in ("StartTime", "EndTime"))
    return {
        "MetricDataResults": [
            {
                "Id": query["Id"],
                "Label": query["MetricStat"]["Metric"]["MetricName"],
                "StatusCode": "Complete",
                **_series(stored, query["MetricStat"], begin, end),
            }
            for query in call.params["MetricDataQueries"]
        ]
    }


def _series(stored: list[Any], stat: Mapping[str, Any], begin: float, end: float) -> dict[str, list[Any]]:
    metric, period = stat["Metric"], int(stat["Period"])
    wanted = (metric["Namespace"], metric["MetricName"])
    dimensions = {(item["Name"], item["Value"]) for item in metric.get("Dimensions", [])}
    sums: Counter[int] = Counter()
    for item in stored:
        at = _seconds(item.timestamp)
        same = (item.namespace, item.name) == wanted and {
            (each.name, each.value) for each in item.dimensions
        } == dimensions
        if same and begin <= at < end:
            sums[int(at // period * period)] += item.value
    times = sorted(sums)
    return {"Timestamps": [datetime.fromtimestamp(at, UTC) for at in times], "Values": [sums[at] for at in times]}


def _seconds(at: Any) -> float:
    """Seconds since 1970 of a time as moto, CBOR, JSON or a form field has it."""
    time: datetime = at if isinstance(at, datetime) else parse_timestamp(at)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


ANSWERS: dict[str, Callable[[ApiRequest, str], Mapping[str, Any]]] = {"GetMetricData": get_metric_data}
