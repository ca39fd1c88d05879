"""The latest runs of sgwatch's own functions: what CloudWatch counted of them.

A failed run that a later one made good is a note: Lambda runs an event up to three times, and what is undelivered after
that lies in a queue that is judged by itself. A function whose latest runs all failed is broken: what it does
next fails as well, as far as anybody knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from shlex import join

from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json, parse_time
from chalicelib.alarm_path.snapshot.model import AccessError
from chalicelib.alarm_path.snapshot.own_metrics import RUN_METRICS, time_text
from chalicelib.alarm_path.verdicts import Finding, Status
from chalicelib.aws.arns import parse_arn
from chalicelib.text import number_of

CHECK = "own-errors"
# Errors of a day are noted; the verdict goes by all that was collected.
RECENT = timedelta(days=1)
# Lambda tries an event again after one minute and after two more.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
STILL_TRIED = timedelta(minutes=15)


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
    return all((metrics.get(name) or {}).get("StatusCode") == "Complete" for name in RUN_METRICS)


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
    reason = f"The latest {runs} of function {arn} failed, since {time_text(since)}; none succeeded after."
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
            f"{time_text(since)}: {_read_log(arn, since)}"
        )
    throttled = {at: count for at, count in _counts(metrics, "Throttles").items() if at > now - RECENT}
    if throttled:
        count = number_of(sum(throttled.values()), "time")
        notes.append(f"Function {arn} was throttled {count} in the last 24 hours, since {time_text(min(throttled))}.")
    return notes


def _read_log(arn: str, since: datetime) -> str:
    parsed = parse_arn(arn)
    name, region = (parsed.resource.removeprefix("function:"), parsed.region) if parsed else (arn, "")
    words = ["aws", "logs", "tail", f"/aws/lambda/{name}", "--since", time_text(since)]
    return join([*words, "--region", region] if region else words)
