"""Whether an alarm with other fields, or a filter with another value, would do: the audit's own simulation."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from chalicelib.alarm_path.checks.alarm_checks import RegionIndex, judge_alarm
from chalicelib.alarm_path.checks.chains import Builder, Chain
from chalicelib.alarm_path.fix_context import Raw, WouldFire
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import MetricAlarm
from chalicelib.alarm_path.verdicts import Status

_DECIDING = {"alarm-metric", "alarm-fires", "alarm-leaves"}


def would_fire(builder: Builder, chain: Chain) -> WouldFire:
    """A judge of alarms on the chain's filter; what it judged once it knows."""
    known: dict[tuple[str, str], bool] = {}

    def judge(raw: Raw, value: str) -> bool:
        key = (json.dumps(raw, sort_keys=True, default=str), value)
        if key not in known:
            known[key] = _judged(builder, chain, raw, value)
        return known[key]

    return judge


def _judged(builder: Builder, chain: Chain, raw: Raw, value: str) -> bool:
    item, coverage = chain.metric_filter, chain.coverage
    if item is None or coverage is None or not _is_number(value):
        return False
    changed = replace(item, value=value)
    index = builder.index(chain.region)
    publishers = {
        key: [changed if found == item else found for found in filters] for key, filters in index.publishers.items()
    }
    fresh = RegionIndex(index.region, publishers=publishers, composites=index.composites)
    alarm = MetricAlarm.read({"AlarmArn": "", **raw})
    groups = builder.groups(chain.region)
    verdict = judge_alarm(builder.snapshot, fresh, alarm, changed, coverage, float(value), groups)
    return all(finding.status is Status.PASS for finding in verdict.findings if finding.check in _DECIDING)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
