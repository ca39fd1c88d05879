"""What was collected of an account, in types.

Two absences differ, and everything that judges depends on it: a key of the document that is missing
was not collected (``None`` here), while a field that AWS leaves out of its own items is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from chalicelib.alarm_path.snapshot.cloudwatch_alarms import CompositeAlarm, Json, LogAlarm, MetricAlarm
from chalicelib.aws.arns import same_log_group

# The code of a call that the installed SDK does not know: AWS was not asked, and no permission is missing.
NOT_IN_SDK = "OperationNotInSdk"

# TrailNotFoundException, ResourceNotFoundException, NotFound, NotFoundException,
# AWS.SimpleQueueService.NonExistentQueue, QueueDoesNotExist, NoSuchEntity
_NOT_FOUND = re.compile(r"not_?found|doesnotexist|nonexistent|nosuch", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AccessError:
    """One call that AWS refused or did not answer while collecting."""

    call: str
    region: str | None
    resource: str | None
    code: str
    message: str

    @property
    def not_found(self) -> bool:
        """Whether AWS said that the thing is not there, which is an answer."""
        return bool(_NOT_FOUND.search(self.code))

    @property
    def not_in_sdk(self) -> bool:
        """Whether AWS was not asked, for want of an SDK that knows the call."""
        return self.code == NOT_IN_SDK

    def __str__(self) -> str:
        where = f" in {self.region}" if self.region else ""
        what = f" on {self.resource}" if self.resource else ""
        return f"{self.code or 'an error'} from {self.call}{what}{where}"


@dataclass(frozen=True, slots=True)
class TrailStatus:
    """GetTrailStatus."""

    is_logging: bool
    started_at: datetime | None
    delivered_at: datetime | None
    logs_delivered_at: datetime | None
    logs_error: str | None


@dataclass(frozen=True, slots=True)
class BasicSelector:
    """One of GetEventSelectors' EventSelectors."""

    read_write: str
    management: bool
    excluded_sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """One condition of an advanced selector: operator name → values."""

    field: str
    operators: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Selectors:
    """GetEventSelectors: a trail has either basic or advanced selectors."""

    basic: tuple[BasicSelector, ...]
    advanced: tuple[tuple[FieldSelector, ...], ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """One item of DescribeTrails with its status and selectors, each None where not collected."""

    name: str
    arn: str
    home_region: str
    multi_region: bool
    organization: bool
    custom_selectors: bool
    log_group_arn: str | None
    status: TrailStatus | None
    selectors: Selectors | None


@dataclass(frozen=True, slots=True)
class LogGroup:
    """One item of DescribeLogGroups."""

    name: str
    arn: str | None
    log_class: str
    masks_data: bool


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """One item of DescribeMetricFilters in a region; AWS allows exactly one transformation."""

    name: str
    region: str
    log_group: str
    pattern: str
    namespace: str
    metric: str
    value: str
    default: float | None
    unit: str
    dimensions: Mapping[str, str]
    on_transformed: bool
    criteria: str
    system_dimensions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subscription:
    """One item of ListSubscriptionsByTopic; ``attributes`` is None where they were not collected."""

    arn: str
    protocol: str
    endpoint: str
    attributes: Mapping[str, str] | None
    function_policy: Any = None
    policy_collected: bool = False

    def __str__(self) -> str:
        return f"{self.protocol}:{self.endpoint}" if self.endpoint else f"{self.protocol} {self.arn}"


class KeyUse(Enum):
    """What a KMS key is, as far as a topic minds."""

    UNKNOWN = "not collected"
    AWS_MANAGED = "managed by AWS"
    SYMMETRIC = "symmetric encryption"
    NOT_SYMMETRIC = "signing, message authentication or asymmetric encryption"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's attributes, subscriptions, key policy, state and use, each None or unknown where not collected."""

    arn: str
    attributes: Mapping[str, str] | None
    subscriptions: tuple[Subscription, ...] | None
    key_policy: Any
    key_policy_collected: bool
    key_state: str | None = None
    key_use: KeyUse = KeyUse.UNKNOWN


@dataclass(frozen=True, slots=True)
class Region:
    """What was collected in one region; a list is None where it was not collected."""

    name: str
    log_groups: tuple[LogGroup, ...] | None
    metric_filters: tuple[MetricFilter, ...] | None
    metric_alarms: tuple[MetricAlarm, ...] | None
    composite_alarms: tuple[CompositeAlarm, ...] | None
    topics: Mapping[str, Topic] | None
    transformers: Mapping[str, Any] | None
    transformer_policies: tuple[Json, ...] | None
    mute_rules: tuple[Json, ...]
    log_alarms: tuple[LogAlarm, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One account as AWS described it at ``collected_at``."""

    account_id: str
    partition: str
    collected_at: datetime | None
    trails: tuple[Trail, ...] | None
    regions: Mapping[str, Region]
    errors: tuple[AccessError, ...]
    own: Json | None = None
    document: Json = field(default_factory=dict, repr=False)

    def region(self, name: str) -> Region:
        """The region, with nothing collected where the snapshot does not have it."""
        return self.regions.get(name) or Region(name, None, None, None, None, None, None, None, ())

    def errors_of(self, *calls: str, region: str | None = None, resource: str | None = None) -> list[AccessError]:
        """The errors that these calls met, there and over that resource (or over no named one)."""
        wanted = {call.lower() for call in calls}
        return [error for error in self.errors if error.call.lower() in wanted and _over(error, region, resource)]


def _over(error: AccessError, region: str | None, resource: str | None) -> bool:
    if error.resource and resource:
        # An ARN says which region the thing is in, wherever the call was made.
        return same_log_group(error.resource, resource)
    return not (error.region and region and error.region != region)
