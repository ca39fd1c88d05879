"""What CloudWatch counted of sgwatch's own functions, queue and destinations: GetMetricData's queries and answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json
from chalicelib.observability.metrics import ALERTS_SENT, DELIVERY_FAILURES, NAMESPACE

CALL = "cloudwatch:GetMetricData"
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
RUN_METRICS = ("Invocations", "Errors", "Throttles")
RUN_PERIOD = timedelta(minutes=5)
DELIVERY_METRICS = (ALERTS_SENT, DELIVERY_FAILURES)
DELIVERY_PERIOD = timedelta(hours=1)
# A function that failed and was not called since still fails, and must not be called mended because a day has
# passed. 2,016 periods of 3 metrics of 16 functions are 96,768 datapoints, under the 100,800 of one answer.
LOOK_BACK = timedelta(days=7)


def time_text(at: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def run_queries(names: Sequence[str]) -> list[dict[str, Any]]:
    """GetMetricData's queries for every metric of every function, their ids as ``run_metrics_of`` reads them."""
    return [
        {
            "Id": f"f{place}_{metric.lower()}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "FunctionName", "Value": name}],
                },
                "Period": int(RUN_PERIOD.total_seconds()),
                "Stat": "Sum",
            },
        }
        for place, name in enumerate(names)
        for metric in RUN_METRICS
    ]


def metrics_window(now: datetime) -> dict[str, datetime]:
    """GetMetricData's times: whole periods, which it answers quicker, up to the end of the current one."""
    seconds = int(RUN_PERIOD.total_seconds())
    end = datetime.fromtimestamp((int(now.timestamp()) // seconds + 1) * seconds, UTC)
    return {"StartTime": end - LOOK_BACK, "EndTime": end}


def run_metrics_of(place: int, results: Iterable[Json]) -> dict[str, Any]:
    """The datapoints of the function at this place of ``run_queries``, those of zero left out."""
    found: dict[str, Any] = {}
    wanted = {f"f{place}_{metric.lower()}": metric for metric in RUN_METRICS}
    for result in results:
        if metric := wanted.get(str(result.get("Id"))):
            kept = found.setdefault(metric, {"Timestamps": [], "Values": []})
            kept["StatusCode"] = result.get("StatusCode", "Complete")
            for at, value in zip(result.get("Timestamps", ()), result.get("Values", ()), strict=True):
                if value:
                    kept["Timestamps"].append(time_text(at))
                    kept["Values"].append(value)
    return found


def queue_age_query(queue: str, key: str = "queue_age", period: timedelta = RUN_PERIOD) -> dict[str, Any]:
    """GetMetricData's query, under this id, for the age of the oldest message of a queue: its name or ARN."""
    name = queue.rpartition(":")[2]
    dimensions = [{"Name": "QueueName", "Value": name}]
    metric = {"Namespace": "AWS/SQS", "MetricName": "ApproximateAgeOfOldestMessage", "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": int(period.total_seconds()), "Stat": "Maximum"}
    return {"Id": key, "MetricStat": stat}


def queue_age_of(results: Iterable[Json]) -> dict[str, Any] | None:
    """The latest datapoint of ``queue_age_query``: its time and seconds; None where there is none."""
    latest: dict[str, Any] | None = None
    for result in results:
        if result.get("Id") == "queue_age":
            for at, value in zip(result.get("Timestamps", ()), result.get("Values", ()), strict=True):
                latest = {"Timestamp": time_text(at), "Seconds": value}
    return latest


def delivery_queries(functions: Sequence[str], destinations: Sequence[str]) -> list[dict[str, Any]]:
    """GetMetricData's queries for what each function delivered to each destination."""
    return [
        {
            "Id": f"d{place}_{number}_{metric.lower()}",
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": metric,
                    "Dimensions": [
                        {"Name": "Function", "Value": function},
                        {"Name": "Destination", "Value": destination},
                    ],
                },
                "Period": int(DELIVERY_PERIOD.total_seconds()),
                "Stat": "Sum",
            },
        }
        for place, destination in enumerate(destinations)
        for number, function in enumerate(functions)
        for metric in DELIVERY_METRICS
    ]


def delivery_metrics_of(
    functions: Sequence[str], destinations: Sequence[str], results: Iterable[Json]
) -> dict[str, dict[str, str | None]]:
    """Destination → the latest hour in which it took an alert and in which one failed, None where there was none."""
    wanted = {
        f"d{place}_{number}_{metric.lower()}": (destination, metric)
        for place, destination in enumerate(destinations)
        for number, _ in enumerate(functions)
        for metric in DELIVERY_METRICS
    }
    found: dict[str, dict[str, str | None]] = {name: dict.fromkeys(DELIVERY_METRICS) for name in destinations}
    for result in results:
        if named := wanted.get(str(result.get("Id"))):
            destination, metric = named
            times = [at for at, value in zip(result["Timestamps"], result["Values"], strict=True) if value]
            texts = [time_text(at) for at in times]
            found[destination][metric] = max([*texts, found[destination][metric] or ""]) or None
    return found
