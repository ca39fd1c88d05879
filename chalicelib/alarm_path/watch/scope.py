"""Whether a record of the tamper group touches the alarm path or sgwatch itself.

Accounts are full of PutMetricAlarm and PutRule that have to do with neither: autoscaling alone puts alarms all day.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.alarm_path.watch.health import part_name

# The request parameters that name what a call is about, as CloudTrail writes them.
_NAMING = (
    *("filterName", "logGroupName", "logGroupIdentifier", "alarmName", "alarmNames"),
    *("subscriptionArn", "topicArn", "name", "trailName", "rule", "functionName"),
)
# A metric filter is what its own name says: that it sits on the trail's log group makes a new one no part of the path.
_ONLY = {"PutMetricFilter": ("filterName",), "DeleteMetricFilter": ("filterName",)}


def touches(
    event_name: str | None,
    parameters: Mapping[str, Any],
    before: frozenset[str] | None,
    now: frozenset[str] | None,
) -> bool | None:
    """Whether the call names a part of the path as it was or is; None where that cannot be told.

    What a call put or changed is there to be seen afterwards; what it deleted is known only from before.
    """
    names = _named(event_name or "", parameters)
    if not names:
        return None
    if "functionName" in parameters and any(name.startswith("sgwatch-") for name in names):
        return True  # sgwatch's own, also where its own path was not collected
    if any(name in (before or frozenset()) | (now or frozenset()) for name in names):
        return True
    puts = (event_name or "").startswith(("Put", "Set", "Update"))
    return False if before is not None or (puts and now is not None) else None


def _named(event_name: str, parameters: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for key in _ONLY.get(event_name, _NAMING):
        value = parameters.get(key)
        values = value if isinstance(value, list) else [value]
        found |= {part_name(item) for item in values if isinstance(item, str) and item}
    # Confirming by the link in a mail leaves no record, so a subscription may be younger than the last audit; its ARN
    # names the topic too. https://docs.aws.amazon.com/sns/latest/dg/logging-using-cloudtrail.html
    subscription = parameters.get("subscriptionArn")
    if isinstance(subscription, str) and ":" in subscription:
        found.add(part_name(subscription.rpartition(":")[0]))
    return found
