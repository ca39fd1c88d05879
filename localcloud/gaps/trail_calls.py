"""What moto's CloudTrail does not answer: a new trail's own selector, trailNameList."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.cloudtrail.models import cloudtrail_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiCall

# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetEventSelectors.html
DEFAULT_SELECTOR = {
    "ReadWriteType": "All",
    "IncludeManagementEvents": True,
    "DataResources": [],
    "ExcludeManagementEventSources": [],
}


def get_event_selectors(call: ApiCall, account_id: str) -> Mapping[str, Any]:
    """GetEventSelectors: one selector of all management events where none was put."""
    backend = cloudtrail_backends[account_id][call.region]
    arn, basic, advanced = backend.get_event_selectors(call.params["TrailName"])
    answer: dict[str, Any] = {"TrailARN": arn}
    if advanced:
        return answer | {"AdvancedEventSelectors": advanced}
    return answer | {"EventSelectors": basic or [DEFAULT_SELECTOR]}


ANSWERS: dict[str, Callable[[ApiCall, str], Mapping[str, Any]]] = {"GetEventSelectors": get_event_selectors}
