"""What moto's log groups lack: filters put again and gone with their group, transformers, account policies."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from moto.logs.models import logs_backends

from localcloud.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiRequest

StandIns = dict[str, "Callable[[ApiRequest, str], Mapping[str, Any]]"]
POLICY_MEMBERS = ("policyName", "policyDocument", "policyType", "selectionCriteria")


def put_metric_filter(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
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


def delete_log_group(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """DeleteLogGroup: the metric filters go with their log group."""
    backend = logs_backends[account_id][call.region]
    group = call.params["logGroupName"]
    if backend.groups.pop(group, None) is None:
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    filters = backend.filters.metric_filters
    backend.filters.metric_filters = [item for item in filters if item["logGroupName"] != group]
    return {}


def put_transformer(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """PutTransformer: kept and returned, though log events stay as they are."""
    _log_group(call, account_id).transformer = call.params["transformerConfig"]
    return {}


def get_transformer(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """GetTransformer: nothing but metadata where the log group has none."""
    config = getattr(_log_group(call, account_id), "transformer", None)
    return {"logGroupIdentifier": call.params["logGroupIdentifier"], "transformerConfig": config} if config else {}


def delete_transformer(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """DeleteTransformer, which succeeds where the log group has none."""
    _log_group(call, account_id).transformer = None
    return {}


def put_account_policy(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """PutAccountPolicy: a policy of the same type and name is replaced. Kept and described; it acts on no log event."""
    params = call.params
    try:
        json.loads(params["policyDocument"])
    except ValueError as error:
        raise AwsError("InvalidParameterException", "Policy document is not valid JSON.") from error
    policy = {key: params[key] for key in POLICY_MEMBERS if key in params}
    policy |= {"scope": "ALL", "accountId": account_id, "lastUpdatedTime": int(time.time() * 1000)}
    if not params.get("dryRun"):
        _account_policies(call, account_id)[params["policyType"], params["policyName"]] = policy
    return {"accountPolicy": policy}


def delete_account_policy(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """DeleteAccountPolicy."""
    named = (call.params["policyType"], call.params["policyName"])
    if _account_policies(call, account_id).pop(named, None) is None:
        raise AwsError("ResourceNotFoundException", f"Policy {named[1]} does not exist.")
    return {}


def describe_account_policies(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """DescribeAccountPolicies, of one type, and by name where one is given."""
    wanted, name = call.params["policyType"], call.params.get("policyName")
    policies = _account_policies(call, account_id).values()
    found = [item for item in policies if item["policyType"] == wanted and name in (None, item["policyName"])]
    return {"accountPolicies": found}


def _account_policies(call: ApiRequest, account_id: str) -> dict[tuple[str, str], dict[str, Any]]:
    backend = logs_backends[account_id][call.region]
    kept: dict[tuple[str, str], dict[str, Any]] = backend.__dict__.setdefault("account_policies", {})
    return kept


def _log_group(call: ApiRequest, account_id: str) -> Any:
    wanted = str(call.params["logGroupIdentifier"])
    groups = logs_backends[account_id][call.region].groups
    for name, group in groups.items():
        if wanted in {name, group.arn, group.arn.removesuffix(":*")}:
            return group
    raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")


LOGS: StandIns = {
    "PutMetricFilter": put_metric_filter,
    "DeleteLogGroup": delete_log_group,
    "PutTransformer": put_transformer,
    "GetTransformer": get_transformer,
    "DeleteTransformer": delete_transformer,
    "PutAccountPolicy": put_account_policy,
    "DeleteAccountPolicy": delete_account_policy,
    "DescribeAccountPolicies": describe_account_policies,
}
