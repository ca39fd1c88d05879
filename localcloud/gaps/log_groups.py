"""What moto's alarm path lacks: a trail's latest delivery, filters put again, log transformers, mute rules."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from moto.cloudtrail.models import cloudtrail_backends
from moto.logs.models import logs_backends

from localcloud.aws_error import AwsError
from localcloud.trails import delivery_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiCall

StandIns = dict[str, "Callable[[ApiCall, str], Mapping[str, Any]]"]


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
    made["applyOnTransformedLogs"] = bool(call.params.get("applyOnTransformedLogs"))
    backend.filters.metric_filters = [*kept, {**made, "creationTime": int(time.time() * 1000)}]
    return {}


def put_transformer(call: ApiCall, account_id: str) -> Mapping[str, Any]:
    """PutTransformer: kept and told of, though log events stay as they are."""
    _log_group(call, account_id).transformer = call.params["transformerConfig"]
    return {}


def get_transformer(call: ApiCall, account_id: str) -> Mapping[str, Any]:
    """GetTransformer: nothing but metadata where the log group has none."""
    config = getattr(_log_group(call, account_id), "transformer", None)
    return {"logGroupIdentifier": call.params["logGroupIdentifier"], "transformerConfig": config} if config else {}


def describe_account_policies(_: ApiCall, __: str) -> Mapping[str, Any]:
    """DescribeAccountPolicies: there are none, since none can be made here."""
    return {"accountPolicies": []}


def _log_group(call: ApiCall, account_id: str) -> Any:
    wanted = str(call.params["logGroupIdentifier"])
    groups = logs_backends[account_id][call.region].groups
    for name, group in groups.items():
        if wanted in {name, group.arn, group.arn.removesuffix(":*")}:
            return group
    raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def list_alarm_mute_rules(_: ApiCall, __: str) -> Mapping[str, Any]:
    """ListAlarmMuteRules: there are none, since none can be made here."""
    return {"AlarmMuteRuleSummaries": []}


CLOUDTRAIL: StandIns = {"GetTrailStatus": get_trail_status}
LOGS: StandIns = {
    "PutMetricFilter": put_metric_filter,
    "PutTransformer": put_transformer,
    "GetTransformer": get_transformer,
    "DescribeAccountPolicies": describe_account_policies,
}
CLOUDWATCH: StandIns = {"ListAlarmMuteRules": list_alarm_mute_rules}
