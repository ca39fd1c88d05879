"""What moto's alarm path lacks: when a trail last delivered to its log group, filters put again, mute rules."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from moto.cloudtrail.models import cloudtrail_backends
from moto.logs.models import logs_backends

from localcloud.errors import AwsError
from localcloud.trails import delivery_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiCall

Answers = dict[str, "Callable[[ApiCall, str], Mapping[str, Any]]"]


def get_trail_status(call: ApiCall, account_id: str) -> Mapping[str, Any]:
    """GetTrailStatus with the time or the error of the latest delivery to CloudWatch Logs."""
    wanted = str(call.params["Name"])
    for backend in list(cloudtrail_backends[account_id].values()):
        for trail in backend.trails.values():
            # By name a trail is found in its home region only; by its ARN, from everywhere.
            if wanted == trail.arn or (wanted == trail.trail_name and trail.region_name == call.region):
                return {**trail.status.description(), **delivery_of(trail)}
    raise AwsError("TrailNotFoundException", f"Unknown trail: {wanted} for the user: {account_id}")


def put_metric_filter(call: ApiCall, account_id: str) -> Mapping[str, Any]:
    """PutMetricFilter: a filter of the same name on the same log group is replaced."""
    backend = logs_backends[account_id][call.region]
    group, name = call.params["logGroupName"], call.params["filterName"]
    if group not in backend.groups:
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    kept = [
        item for item in backend.filters.metric_filters if (item["logGroupName"], item["filterName"]) != (group, name)
    ]
    made = {key: call.params[key] for key in ("logGroupName", "filterName", "filterPattern", "metricTransformations")}
    backend.filters.metric_filters = [*kept, {**made, "creationTime": int(time.time() * 1000)}]
    return {}


def list_alarm_mute_rules(_: ApiCall, __: str) -> Mapping[str, Any]:
    """ListAlarmMuteRules: there are none, since none can be made here."""
    return {"AlarmMuteRuleSummaries": []}


CLOUDTRAIL: Answers = {"GetTrailStatus": get_trail_status}
LOGS: Answers = {"PutMetricFilter": put_metric_filter}
CLOUDWATCH: Answers = {"ListAlarmMuteRules": list_alarm_mute_rules}
