"""What moto's CloudTrail does not answer: a new trail's own selector, its latest delivery, a log group refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.cloudtrail.models import cloudtrail_backends

from localcloud.aws_error import AwsError
from localcloud.trails import delivery_of, log_group_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiRequest

# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetEventSelectors.html
DEFAULT_SELECTOR = {
    "ReadWriteType": "All",
    "IncludeManagementEvents": True,
    "DataResources": [],
    "ExcludeManagementEventSources": [],
}


def get_event_selectors(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """GetEventSelectors: one selector of all management events where none was put."""
    backend = cloudtrail_backends[account_id][call.region]
    arn, basic, advanced = backend.get_event_selectors(call.params["TrailName"])
    answer: dict[str, Any] = {"TrailARN": arn}
    if advanced:
        return answer | {"AdvancedEventSelectors": advanced}
    return answer | {"EventSelectors": basic or [DEFAULT_SELECTOR]}


def get_trail_status(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """GetTrailStatus with the time or the error of the latest delivery to CloudWatch Logs."""
    wanted = str(call.params["Name"])
    for backend in list(cloudtrail_backends[account_id].values()):
        for trail in backend.trails.values():
            # By name a trail is found in its home region only; by its ARN, from everywhere.
            if wanted == trail.arn or (wanted == trail.trail_name and trail.region_name == call.region):
                return {**trail.status.description(), **delivery_of(trail)}
    raise AwsError("TrailNotFoundException", f"Unknown trail: {wanted} for the user: {account_id}")


def with_log_group_checked(call: ApiRequest, _account_id: str, ask: Callable[[], Any]) -> Any:
    """CreateTrail and UpdateTrail, refused where the ARN is not a log group's."""
    arn = call.params.get("CloudWatchLogsLogGroupArn")
    if arn and log_group_named(arn) is None:
        raise AwsError("InvalidCloudWatchLogsLogGroupArnException", f"{arn} is not the ARN of a log group.")
    return ask()


ANSWERS: dict[str, Callable[[ApiRequest, str], Mapping[str, Any]]] = {
    "GetEventSelectors": get_event_selectors,
    "GetTrailStatus": get_trail_status,
}
