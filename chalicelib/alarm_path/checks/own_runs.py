"""The latest runs of sgwatch's own functions: what CloudWatch counted of them, collected and judged.

A failed run that a later one made good is a note: Lambda runs an event up to three times, and what is undelivered after
that lies in a queue that is judged by itself. A function whose latest runs all failed is broken: what it does
next fails as well, as far as anybody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from shlex import join
from typing import Any

from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json, parse_time
from chalicelib.alarm_path.snapshot.model import AccessError
from chalicelib.alarm_path.verdicts import Finding, Status
from chalicelib.aws.arns import parse_arn
from chalicelib.text import number_of

CHECK = "own-errors"
CALL = "cloudwatch:GetMetricData"
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
METRICS = ("Invocations", "Errors", "Throttles")
PERIOD = timedelta(minutes=5)
# Errors of a day are noted. The verdict looks back further: a function that failed and was not called since still
# fails, and must not be called mended because a day has passed. 2,016 periods of 3 metrics of 16 functions are
# 96,768 datapoints, under the 100,800 of one answer.
RECENT = timedelta(days=1)
LOOK_BACK = timedelta(days=7)
# Lambda tries an event again after one minute and after two more.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
STILL_TRIED = timedelta(minutes=15)


def queries(names: Sequence[str]) -> list[dict[str, Any]]:
    """GetMetricData's queries for every metric of every function, their ids as ``metrics_of`` reads them."""
    return [
        {
            "Id": f"f{place}_{metric.lower()}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "FunctionName", "Value": name}],
                },
                "Period": int(PERIOD.total_seconds()),
                "Stat": "Sum",
            },
        }
        for place, name in enumerate(names)
        for metric in METRICS
    ]


def window(now: datetime) -> dict[str, datetime]:
    """GetMetricData's times: whole periods, which it answers quicker, up to the end of the current one."""
    seconds = int(PERIOD.total_seconds())
    end = datetime.fromtimestamp((int(now.timestamp()) // seconds + 1) * seconds, UTC)
    return {"StartTime": end - LOOK_BACK, "EndTime": end}


def metrics_of(place: int, results: Iterable[Json]) -> dict[str, Any]:
    """The datapoints of the function at this place of ``queries``, those of zero left out."""
    found: dict[str, Any] = {}
    wanted = {f"f{place}_{metric.lower()}": metric for metric in METRICS}
    for result in results:
        if metric := wanted.get(str(result.get("Id"))):
            kept = found.setdefault(metric, {"Timestamps": [], "Values": []})
            kept["StatusCode"] = result.get("StatusCode", "Complete")
            for at, value in zip(result.get("Timestamps", ()), result.get("Values", ()), strict=True):
                if value:
                    kept["Timestamps"].append(at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
                    kept["Values"].append(value)
    return found


def queue_age_query(queue: str) -> dict[str, Any]:
    """GetMetricData's query for the age of the oldest message of a queue."""
    name = queue.rpartition(":")[2]
    dimensions = [{"Name": "QueueName", "Value": name}]
    metric = {"Namespace": "AWS/SQS", "MetricName": "ApproximateAgeOfOldestMessage", "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": int(PERIOD.total_seconds()), "Stat": "Maximum"}
    return {"Id": "queue_age", "MetricStat": stat}


def queue_age_of(results: Iterable[Json]) -> dict[str, Any] | None:
    """The latest datapoint of ``queue_age_query``: its time and seconds; None where there is none."""
    latest: dict[str, Any] | None = None
    for result in results:
        if result.get("Id") == "queue_age":
            for at, value in zip(result.get("Timestamps", ()), result.get("Values", ()), strict=True):
                latest = {"Timestamp": _text(at.astimezone(UTC)), "Seconds": value}
    return latest


@dataclass(frozen=True, slots=True)
class _RunCount:
    """What was counted in one period."""

    began_at: datetime
    runs: int
    errors: int

    @property
    def all_failed(self) -> bool:
        return self.errors >= self.runs


def judge_runs(
    arn: str, function: Json, now: datetime | None, refused: Sequence[AccessError]
) -> tuple[Finding, list[str]]:
    """The finding about a function's runs, and what is worth a note though the path is whole."""
    metrics: Json | None = function.get("Metrics")
    if now is None or metrics is None or not _read(metrics):
        why = f"could not be read ({refused[0]})" if refused else "was not collected"
        return Finding(CHECK, Status.UNKNOWN, arn, f"How the latest runs of function {arn} ended {why}."), []
    spans = _spans(metrics)
    failing = list(takewhile(lambda span: span.all_failed, reversed(spans)))
    if failing and now - failing[-1].began_at >= STILL_TRIED:
        return _failing(arn, failing), []
    return _sound(arn, spans, now), _notes(arn, spans, metrics, now)


def _read(metrics: Json) -> bool:
    return all((metrics.get(name) or {}).get("StatusCode") == "Complete" for name in METRICS)


def _counts(metrics: Json, name: str) -> dict[datetime, int]:
    series = metrics[name]
    pairs = zip(series.get("Timestamps", ()), series.get("Values", ()), strict=False)
    return {at: int(value) for text, value in pairs if (at := parse_time(text)) is not None}


def _spans(metrics: Json) -> list[_RunCount]:
    """The periods with a run, oldest first."""
    runs, errors = _counts(metrics, "Invocations"), _counts(metrics, "Errors")
    return [_RunCount(at, runs.get(at, 0), errors.get(at, 0)) for at in sorted({*runs, *errors})]


def _failing(arn: str, failing: Sequence[_RunCount]) -> Finding:
    runs, since = number_of(sum(span.errors for span in failing), "run"), failing[-1].began_at
    reason = f"The latest {runs} of function {arn} failed, since {_text(since)}; none succeeded after."
    return Finding(CHECK, Status.FAIL, arn, reason, _read_log(arn, since))


def _sound(arn: str, spans: Sequence[_RunCount], now: datetime) -> Finding:
    recent = [span for span in spans if span.began_at > now - RECENT]
    count = number_of(sum(span.runs for span in recent), "time")
    reason = (
        f"Function {arn} ran {count} in the last 24 hours."
        if recent
        else f"Function {arn} was not run in the last 24 hours."
    )
    return Finding(CHECK, Status.PASS, arn, reason)


def _notes(arn: str, spans: Sequence[_RunCount], metrics: Json, now: datetime) -> list[str]:
    """Errors and throttles of the last day."""
    notes = []
    failed = [span for span in spans if span.errors and span.began_at > now - RECENT]
    if failed:
        hour = sum(span.errors for span in failed if span.began_at > now - timedelta(hours=1))
        count, since = number_of(sum(span.errors for span in failed), "error"), failed[0].began_at
        notes.append(
            f"Function {arn} had {count} in the last 24 hours ({hour} in the last hour), the first at "
            f"{_text(since)}: {_read_log(arn, since)}"
        )
    throttled = {at: count for at, count in _counts(metrics, "Throttles").items() if at > now - RECENT}
    if throttled:
        count = number_of(sum(throttled.values()), "time")
        notes.append(f"Function {arn} was throttled {count} in the last 24 hours, since {_text(min(throttled))}.")
    return notes


def _read_log(arn: str, since: datetime) -> str:
    parsed = parse_arn(arn)
    name, region = (parsed.resource.removeprefix("function:"), parsed.region) if parsed else (arn, "")
    words = ["aws", "logs", "tail", f"/aws/lambda/{name}", "--since", _text(since)]
    return join([*words, "--region", region] if region else words)


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
