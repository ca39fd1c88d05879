"""The last delivery of each destination, by the metrics that sgwatch's functions write."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.alarm_path.checks.own_fixes import OwnTools
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import Json
from chalicelib.alarm_path.snapshot.own_metrics import DELIVERY_METRICS
from chalicelib.alarm_path.verdicts import Finding, Status
from chalicelib.cloudtrail.records import parse_time
from chalicelib.observability.metrics import ALERTS_SENT, DELIVERY_FAILURES

CHECK = "own-delivery"
# A destination that fails is retried; one period after the last success its failures count.
_PATIENCE = timedelta(minutes=15)


def judge_deliveries(own: Json, now: datetime | None, tools: OwnTools) -> list[Finding]:
    """One finding a destination: broken where its latest deliveries failed."""
    return [_judged(str(name), metrics, now, tools) for name, metrics in (own.get("deliveries") or {}).items()]


def _judged(name: str, metrics: Json, now: datetime | None, tools: OwnTools) -> Finding:
    sent, failed = (parse_time(metrics.get(metric)) for metric in DELIVERY_METRICS)
    if failed is not None and (sent is None or failed > sent) and (now is None or now - failed >= _PATIENCE):
        since = f"the last that it took was in the hour of {metrics[ALERTS_SENT]}" if sent else "it took none this week"
        reason = f"The latest deliveries to destination {name} failed, at {metrics[DELIVERY_FAILURES]}; {since}."
        return Finding(CHECK, Status.FAIL, name, reason, tools.sgwatch("send-test"))
    if sent is None:
        return Finding(CHECK, Status.PASS, name, f"Destination {name} was sent no alert in the last 7 days.")
    return Finding(
        CHECK, Status.PASS, name, f"Destination {name} took its last alert in the hour of {metrics[ALERTS_SENT]}."
    )
