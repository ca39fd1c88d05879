"""The last delivery of each destination, by the metrics that sgwatch's functions write: collected and judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json
from chalicelib.alarm_path.verdicts import Finding, Status
from chalicelib.cloudtrail.records import parse_time
from chalicelib.observability.metrics import ALERTS_SENT, DELIVERY_FAILURES, NAMESPACE

CHECK = "own-delivery"
METRICS = (ALERTS_SENT, DELIVERY_FAILURES)
PERIOD = timedelta(hours=1)
# A destination that fails is retried; one period after the last success its failures count.
_PATIENCE = timedelta(minutes=15)


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
                "Period": int(PERIOD.total_seconds()),
                "Stat": "Sum",
            },
        }
        for place, destination in enumerate(destinations)
        for number, function in enumerate(functions)
        for metric in METRICS
    ]


def delivery_metrics_of(
    functions: Sequence[str], destinations: Sequence[str], results: Iterable[Json]
) -> dict[str, dict[str, str | None]]:
    """Destination → the latest hour in which it took an alert and in which one failed, None where there was none."""
    wanted = {
        f"d{place}_{number}_{metric.lower()}": (destination, metric)
        for place, destination in enumerate(destinations)
        for number, _ in enumerate(functions)
        for metric in METRICS
    }
    found: dict[str, dict[str, str | None]] = {name: dict.fromkeys(METRICS) for name in destinations}
    for result in results:
        if named := wanted.get(str(result.get("Id"))):
            destination, metric = named
            times = [at for at, value in zip(result["Timestamps"], result["Values"], strict=True) if value]
            texts = [at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in times]
            found[destination][metric] = max([*texts, found[destination][metric] or ""]) or None
    return found


def judge_deliveries(own: Json, now: datetime | None) -> list[Finding]:
    """One finding a destination: broken where its latest deliveries failed."""
    return [_judged(str(name), metrics, now) for name, metrics in (own.get("deliveries") or {}).items()]


def _judged(name: str, metrics: Json, now: datetime | None) -> Finding:
    sent, failed = (parse_time(metrics.get(metric)) for metric in METRICS)
    if failed is not None and (sent is None or failed > sent) and (now is None or now - failed >= _PATIENCE):
        since = f"the last that it took was in the hour of {metrics[ALERTS_SENT]}" if sent else "it took none this week"
        reason = f"The latest deliveries to destination {name} failed, at {metrics[DELIVERY_FAILURES]}; {since}."
        return Finding(CHECK, Status.FAIL, name, reason, "sgwatch send-test")
    if sent is None:
        return Finding(CHECK, Status.PASS, name, f"Destination {name} was sent no alert in the last 7 days.")
    return Finding(
        CHECK, Status.PASS, name, f"Destination {name} took its last alert in the hour of {metrics[ALERTS_SENT]}."
    )
