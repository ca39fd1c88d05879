"""Where a finding stands, and AWS's own items of the snapshot that a fix keeps every field of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.alarm_path.api_calls import ApiCall
from chalicelib.alarm_path.snapshot.model import MetricFilter, Snapshot

NAMESPACE = "sgwatch"
TOPIC = "sgwatch-alarms"
CHANGES = "sgwatch-security-group-changes"

Raw = dict[str, Any]
# Whether an alarm with these fields fires on one change and leaves ALARM again, where the filter publishes the value.
WouldFire = Callable[[Raw, str], bool]

# What AWS says of a filter, an alarm, a composite alarm or a mute rule and does not take.
_NOT_PUT = re.compile(
    r"creationTime|AlarmArn|AlarmMuteRuleArn|State.*|AlarmConfigurationUpdatedTimestamp|EvaluationState|"
    r"ActionsSuppressedBy|ActionsSuppressedReason|Status|LastUpdatedTimestamp|MuteType"
)


@dataclass(frozen=True, slots=True)
class FixContext:
    """The links of the finding's path: the trail, the log group with its region, the filter, the alarm, the topic.

    ``alarm_arn`` is that of the alarm whose actions count, which may be a composite one; ``alarm`` is the metric
    alarm's name; ``uncovered`` are the events that no filter of the path's group always matches.
    """

    snapshot: Snapshot
    region: str
    trail_arn: str = ""
    log_group: str | None = None
    metric_filter: MetricFilter | None = None
    alarm: str | None = None
    alarm_arn: str = ""
    topic: str | None = None
    uncovered: tuple[str, ...] = ()
    would_fire: WouldFire = lambda _raw, _value: False
    profile: str | None = None
    stage: str | None = None

    def items(self, kind: str) -> list[Raw]:
        """AWS's items of a kind (``metric_alarms``, say) in the path's region."""
        regions = self.snapshot.document.get("regions") or {}
        return [dict(item) for item in (regions.get(self.region) or {}).get(kind) or ()]

    def raw_filter(self) -> Raw | None:
        """The path's filter."""
        item = self.metric_filter
        found = (raw for raw in self.items("metric_filters") if item and raw.get("filterName") == item.name)
        return next((raw for raw in found if item and raw.get("logGroupName") == item.log_group), None)

    def raw_alarm(self) -> Raw | None:
        """The path's metric alarm."""
        return next((raw for raw in self.items("metric_alarms") if raw.get("AlarmName") == self.alarm), None)

    def raw_trail(self) -> Raw | None:
        """The path's trail."""
        trails = self.snapshot.document.get("trails") or ()
        return next((dict(raw) for raw in trails if raw.get("TrailARN") == self.trail_arn), None)

    def raw_topic(self, arn: str | None) -> Raw:
        """A topic as it was collected; empty where it was not."""
        regions = self.snapshot.document.get("regions") or {}
        topics = (regions.get(self.region) or {}).get("topics") or {}
        return dict(topics.get(arn) or {})


def accepted(raw: Mapping[str, Any]) -> Raw:
    """The fields of an item that AWS takes when it is put again."""
    return {key: value for key, value in raw.items() if not _NOT_PUT.fullmatch(key)}


def put_alarm(context: FixContext, raw: Mapping[str, Any], why: str, **changes: Any) -> ApiCall:
    """An alarm put again with every field of it but those changed (None leaves one out)."""
    before = accepted(raw)
    fields = {key: value for key, value in {**before, **changes}.items() if value is not None}
    undo = ApiCall("cloudwatch", "PutMetricAlarm", context.region, before)
    return ApiCall("cloudwatch", "PutMetricAlarm", context.region, fields, why, undo)


def put_filter(context: FixContext, raw: Mapping[str, Any], fields: Raw, why: str) -> ApiCall:
    """A filter put again with other fields."""
    undo = ApiCall("logs", "PutMetricFilter", context.region, accepted(raw))
    return ApiCall("logs", "PutMetricFilter", context.region, accepted(fields), why, undo)


def free_name(base: str, taken: set[str]) -> str:
    """A name that nothing has yet."""
    number = 2
    name = base
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name
