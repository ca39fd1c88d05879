"""Metrics for CloudWatch, as lines in the log in its embedded metric format; no call is made.

Every metric is there twice: with the destination it is about, and over all destinations.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

_COMPACT = json.JSONEncoder(separators=(",", ":"))

NAMESPACE = "sgwatch"

ALERTS_SENT = "AlertsSent"
ALERTS_SUPPRESSED = "AlertsSuppressed"
ALERTS_FOLDED = "AlertsFolded"
DELIVERY_FAILURES = "DeliveryFailures"
SECONDS_TO_DELIVERY = "SecondsToDelivery"
NOT_UNDERSTOOD = "NotUnderstood"
RECORDS_NOT_ALERTED = "RecordsNotAlerted"
STATE_FAULTS = "StateFaults"
SETTINGS_FAULTS = "SettingsFaults"
ALARM_PATH_BROKEN = "AlarmPathBroken"
AUDITS_FAILED = "AuditsFailed"
REPAIRS = "Repairs"

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
_UNITS = {SECONDS_TO_DELIVERY: "Seconds"}


def write_line(line: str) -> None:
    """To standard output, which Lambda hands to CloudWatch Logs; at once, and in one piece."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def embedded_metric(name: str, value: float, at_ms: int, function: str, destination: str | None) -> dict[str, Any]:
    """The document of one metric.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    dimensions = {"Function": function} | ({} if destination is None else {"Destination": destination})
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Function"], ["Function", "Destination"]] if destination is not None else [["Function"]],
        "Metrics": [{"Name": name, "Unit": _UNITS.get(name, "Count")}],
    }
    return {"_aws": {"Timestamp": at_ms, "CloudWatchMetrics": [directive]}, **dimensions, name: value}


class Metrics:
    """Writes metrics of one function."""

    def __init__(
        self,
        function: str,
        write: Callable[[str], None] = write_line,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._function = function
        self._write = write
        self._clock = clock

    def emit(self, name: str, value: float = 1, destination: str | None = None) -> None:
        """Write one value, now."""
        document = embedded_metric(name, value, int(self._clock() * 1000), self._function, destination)
        self._write(_COMPACT.encode(document))
