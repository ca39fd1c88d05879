"""Where a finding stands, and AWS's own items of the snapshot that a fix keeps every field of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chalicelib.alarm_path.fix_calls import FixCall, accepted
from chalicelib.alarm_path.snapshot.model import MetricFilter, Snapshot

NAMESPACE = "sgwatch"
TOPIC = "sgwatch-alarms"
CHANGES = "sgwatch-security-group-changes"

Raw = dict[str, Any]
# Whether an alarm with these fields fires on one change and leaves ALARM again, where the filter publishes the value.
WouldFire = Callable[[Raw, str], bool]


class CollectedItems:
    """AWS's items of one region as they were collected; what thousands of paths ask of all of them is made once."""

    def __init__(self, snapshot: Snapshot, region: str) -> None:
        regions = snapshot.document.get("regions") or {}
        self._region: Raw = regions.get(region) or {}
        self._topics = snapshot.region(region).topics or {}

    def of_kind(self, kind: str) -> Sequence[Raw]:
        """The items of a kind, ``metric_alarms`` say."""
        return self._region.get(kind) or ()

    def topic(self, arn: str | None) -> Raw:
        """A topic; empty where it was not collected."""
        return (self._region.get("topics") or {}).get(arn) or {}

    @cached_property
    def metric_alarms(self) -> Mapping[str, Raw]:
        """The metric alarms by name."""
        return {str(raw.get("AlarmName")): raw for raw in self.of_kind("metric_alarms")}

    @cached_property
    def alarm_names(self) -> frozenset[str]:
        """The names of all alarms, composite ones included."""
        composites = (str(raw.get("AlarmName")) for raw in self.of_kind("composite_alarms"))
        return frozenset((*self.metric_alarms, *composites))

    @cached_property
    def topics_by_use(self) -> tuple[str, ...]:
        """The topics, those first that alarms about security groups notify."""
        about = [raw for raw in self.of_kind("metric_alarms") if is_about_groups(raw)]
        meant = [str(arn) for raw in about for arn in raw.get("AlarmActions") or () if arn in self._topics]
        return tuple(dict.fromkeys([*meant, *self._topics]))


def is_about_groups(raw: Raw) -> bool:
    """Whether an alarm or its metric is named after security groups."""
    named = "".join(filter(str.isalpha, f"{raw.get('AlarmName')}{raw.get('MetricName')}".lower()))
    return "securitygroup" in named


@dataclass(frozen=True, slots=True)
class FixContext:
    """The links of the finding's path: the trail, the log group with its region, the filter, the alarm, the topic.

    ``alarm_arn`` is that of the alarm whose actions count, which may be a composite one; ``alarm`` is the metric
    alarm's name; ``uncovered`` are the events that no filter of the path's group always matches.
    """

    snapshot: Snapshot
    region: str
    collected: CollectedItems
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

    def raw_filter(self) -> Raw | None:
        """The path's filter."""
        item = self.metric_filter
        found = (raw for raw in self.collected.of_kind("metric_filters") if item and raw.get("filterName") == item.name)
        return next((raw for raw in found if item and raw.get("logGroupName") == item.log_group), None)

    def raw_alarm(self) -> Raw | None:
        """The path's metric alarm."""
        return self.collected.metric_alarms.get(self.alarm or "")

    def raw_trail(self) -> Raw | None:
        """The path's trail."""
        trails = self.snapshot.document.get("trails") or ()
        return next((dict(raw) for raw in trails if raw.get("TrailARN") == self.trail_arn), None)


def put_alarm(context: FixContext, raw: Mapping[str, Any], why: str, **changes: Any) -> FixCall:
    """An alarm put again with every field of it but those changed (None leaves one out)."""
    before = accepted(raw)
    fields = {key: value for key, value in {**before, **changes}.items() if value is not None}
    undo = FixCall("cloudwatch", "PutMetricAlarm", context.region, before)
    return FixCall("cloudwatch", "PutMetricAlarm", context.region, fields, why, undo)


def put_filter(context: FixContext, raw: Mapping[str, Any], fields: Raw, why: str) -> FixCall:
    """A filter put again with other fields."""
    undo = FixCall("logs", "PutMetricFilter", context.region, accepted(raw))
    return FixCall("logs", "PutMetricFilter", context.region, accepted(fields), why, undo)


def free_name(base: str, taken: AbstractSet[str]) -> str:
    """A name that nothing has yet."""
    number = 2
    name = base
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name
