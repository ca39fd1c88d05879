"""CloudTrail's delivery of records to the log groups of the trails that are logging."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.cloudtrail.models import cloudtrail_backends
from moto.logs.models import logs_backends

# arn:partition:logs:region:account:log-group:name, with ":*" behind it or not.
LOG_GROUP_ARN_PARTS = 7


def trails() -> Iterator[Any]:
    """Every trail of every account."""
    for regions in list(cloudtrail_backends.values()):
        for backend in list(regions.values()):
            yield from list(backend.trails.values())


def takes(trail: Any, record: Mapping[str, Any]) -> bool:
    """Whether a trail is logging and takes a record's account, region and kind."""
    if not trail.status.is_logging or trail.account_id != record["recipientAccountId"]:
        return False
    if not trail.is_multi_region and trail.region_name != record["awsRegion"]:
        return False
    if trail.advanced_event_selectors:
        return any(_advanced(selector, record) for selector in trail.advanced_event_selectors)
    selectors = trail.event_selectors or [{}]
    return any(_basic(selector, record) for selector in selectors)


def _basic(selector: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    kinds = {"All": (True, False), "ReadOnly": (True,), "WriteOnly": (False,)}
    return (
        selector.get("IncludeManagementEvents", True) is True
        and record["readOnly"] in kinds[selector.get("ReadWriteType") or "All"]
        and record["eventSource"] not in (selector.get("ExcludeManagementEventSources") or ())
    )


def _advanced(selector: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    return all(_field(condition, record) for condition in selector.get("FieldSelectors", ()))


def _field(condition: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    value: Any = record
    for part in str(condition["Field"]).split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    tests: dict[str, Callable[[str], bool]] = {
        "Equals": text.__eq__,
        "StartsWith": text.startswith,
        "EndsWith": text.endswith,
    }
    return all(
        any(map(tests[operator.removeprefix("Not")], wanted)) != operator.startswith("Not")
        for operator, wanted in condition.items()
        if operator != "Field"
    )


def log_group_of(trail: Any) -> tuple[str, str, str] | None:
    """Account, region and name of the log group that a trail delivers to; None where it delivers to none."""
    return log_group_named(str(trail.cw_log_group_arn or ""))


def log_group_named(arn: str) -> tuple[str, str, str] | None:
    """Account, region and name of the log group with this ARN; None where it is no log group's ARN."""
    parts = arn.split(":")
    if len(parts) < LOG_GROUP_ARN_PARTS or parts[2] != "logs" or parts[5] != "log-group":
        return None
    return parts[4], parts[3], parts[6]


def deliver(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Write a record to every log group that gets it; returns these groups."""
    reached = []
    for trail in trails():
        target = log_group_of(trail) if takes(trail, record) else None
        if target is None or target in reached:
            continue
        account_id, region, name = target
        group = logs_backends[account_id][region].groups.get(name)
        if group is None:
            trail.status.logs_error = "ResourceNotFoundException"
            continue
        trail.status.logs_delivered_at, trail.status.logs_error = time.time(), None
        write_log(
            account_id, region, name, f"{account_id}_CloudTrail_{region}", json.dumps(record, separators=(",", ":"))
        )
        reached.append(target)
    return reached


def delivery_of(trail: Any) -> dict[str, Any]:
    """What GetTrailStatus says of the latest delivery to CloudWatch Logs."""
    at, error = (getattr(trail.status, name, None) for name in ("logs_delivered_at", "logs_error"))
    delivered = {} if at is None else {"LatestCloudWatchLogsDeliveryTime": int(at)}
    return delivered if error is None else {**delivered, "LatestCloudWatchLogsDeliveryError": error}


def write_log(account_id: str, region: str, group_name: str, stream_name: str, line: str) -> None:
    """Append one line to a log stream, which is made if need be."""
    backend = logs_backends[account_id][region]
    if group_name not in backend.groups:
        backend.create_log_group(group_name, {})
    group = backend.groups[group_name]
    if stream_name not in group.streams:
        group.create_log_stream(stream_name)
    group.streams[stream_name].put_log_events([{"timestamp": int(time.time() * 1000), "message": line}])


# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupAttribute.html
_LOOKED_UP_BY = {"EventId": "eventID", "EventName": "eventName", "EventSource": "eventSource"}
# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
MOST_LOOKED_UP = 50


def look_up(records: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> dict[str, Any]:
    """LookupEvents by EventId, EventName, EventSource or ResourceName, newest first; without AWS's delay.

    A resource's events are those whose record names it anywhere in its parameters or its response.
    """
    start = int(params.get("NextToken") or 0)
    end = start + (params.get("MaxResults") or MOST_LOOKED_UP)
    found = [record for record in reversed(records) if _is_wanted(record, params)]
    answer = {"Events": [_looked_up(record) for record in found[start:end]]}
    return answer | {"NextToken": str(end)} if end < len(found) else answer


def _is_wanted(record: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    at = datetime.fromisoformat(record["eventTime"])
    bounds = [_time(params.get(name)) for name in ("StartTime", "EndTime")]
    in_time = (bounds[0] is None or at >= bounds[0]) and (bounds[1] is None or at <= bounds[1])
    return in_time and all(
        item["AttributeValue"] in _named(record)
        if item["AttributeKey"] == "ResourceName"
        else record.get(_LOOKED_UP_BY.get(item["AttributeKey"], "")) == item["AttributeValue"]
        for item in params.get("LookupAttributes", ())
    )


def _time(value: object) -> datetime | None:
    """A time as clients send it: seconds since 1970."""
    return None if value is None else datetime.fromtimestamp(float(str(value)), UTC)


def _named(record: Mapping[str, Any]) -> set[str]:
    return {*_texts(record["requestParameters"]), *_texts(record["responseElements"])}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _looked_up(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "EventSource": record["eventSource"],
        "EventTime": datetime.fromisoformat(record["eventTime"]),
        "CloudTrailEvent": json.dumps(record),
    }
