"""What is known of the alarms where not all metric filters could be read.

Some filter may be there that nobody saw. Where no alarm could carry on what it publishes, whatever that
is, the path is broken all the same, and known to be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chalicelib.alarm_path.alarms.simulation import simulate
from chalicelib.alarm_path.checks.alarm_checks import AlarmVerdict, RegionIndex, routes
from chalicelib.alarm_path.checks.metric_feeds import without_filter
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import MetricAlarm
from chalicelib.alarm_path.snapshot.model import Snapshot
from chalicelib.alarm_path.standards import EVENTS
from chalicelib.alarm_path.verdicts import Finding, Status

# Only AWS's own services publish to its namespaces.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_OF_AWS = "AWS/"


def alarms_for_any_filter(snapshot: Snapshot, index: RegionIndex) -> Iterator[tuple[MetricAlarm, AlarmVerdict]]:
    """Each alarm that a filter could feed, with what is known to be broken of it whatever the filter publishes.

    Those that look as if they were about security groups come first.
    """
    alarms = index.region.metric_alarms or ()
    known: dict[tuple[object, ...], bool] = {}
    for alarm in sorted(alarms, key=lambda item: not any("securitygroup" in name for name in _names(item))):
        if alarm.watched and all(query.namespace.startswith(_OF_AWS) for query in alarm.watched):
            continue
        if (how := _evaluated(alarm)) not in known:
            known[how] = _never_fires(alarm)
        findings = (_finding(alarm),) if known[how] else ()
        unknown = dict.fromkeys(EVENTS, Status.UNKNOWN)
        yield alarm, AlarmVerdict(findings, unknown, None, routes(snapshot, index, alarm, None), ())


def _names(alarm: MetricAlarm) -> Iterator[str]:
    names = (alarm.name, *(query.metric for query in alarm.watched))
    return (re.sub(r"[^a-z]", "", name.lower()) for name in names)


def _evaluated(alarm: MetricAlarm) -> tuple[object, ...]:
    """All that an alarm on one metric is evaluated by; large accounts have thousands of few kinds."""
    queries = tuple((query.statistic, query.period) for query in alarm.queries)
    return (
        *(alarm.is_math, alarm.is_anomaly, alarm.threshold, alarm.comparison, alarm.treat_missing),
        *(alarm.evaluation_periods, alarm.datapoints_to_alarm, alarm.low_sample_percentile, queries),
    )


def _never_fires(alarm: MetricAlarm) -> bool:
    """Whether an alarm fires on nothing that a filter could publish for one record."""
    limit = alarm.threshold or 0.0
    # On both sides of the threshold, alone and among default values on both sides of it.
    values = (limit + 1, limit, limit - 1)
    runs = (simulate(alarm, records) for records in without_filter(alarm, values, (None, *values)))
    return not alarm.is_math and all(run.fires is Status.FAIL for run in runs)


def _finding(alarm: MetricAlarm) -> Finding:
    fix = f"Put alarm {alarm.name} again so that one breaching datapoint of one period is enough."
    reason = f"Nothing that a metric filter publishes for one record puts alarm {alarm.name} into ALARM."
    return Finding("alarm-fires", Status.FAIL, alarm.name, reason, fix)
