"""Fixes of the trail, its selectors, its log group and its role."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.alarm_path.checks.selectors import SOURCE, select
from chalicelib.alarm_path.fix_calls import FixCall
from chalicelib.alarm_path.fix_context import FixContext, Raw
from chalicelib.alarm_path.snapshot.snapshot_reader import selectors_of
from chalicelib.alarm_path.standards import EVENTS
from chalicelib.alarm_path.verdicts import Status, all_of
from chalicelib.aws.arns import Arn, log_group_name, parse_arn

OWN_TRAIL, OWN_GROUP, OWN_ROLE = "sgwatch-trail", "sgwatch-trail", "sgwatch-trail-to-logs"
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
_MOST_SELECTORS = 5
# Sources that AWS lets a selector leave out of the management events for their number.
_EXCLUDABLE = ("kms.amazonaws.com", "rdsdata.amazonaws.com")


def start_logging(context: FixContext) -> tuple[FixCall, ...]:
    """Logging switched on."""
    name = {"Name": context.trail_arn}
    if context.raw_trail() is None:
        return ()
    undo = FixCall("cloudtrail", "StopLogging", _home(context), name)
    return (FixCall("cloudtrail", "StartLogging", _home(context), name, "Log again.", undo),)


def multi_region(context: FixContext) -> tuple[FixCall, ...]:
    """The trail made one of every region; UpdateTrail keeps what it is not given."""
    named = {"Name": context.trail_arn}
    undo = FixCall("cloudtrail", "UpdateTrail", _home(context), {**named, "IsMultiRegionTrail": False})
    parameters = {**named, "IsMultiRegionTrail": True}
    return (FixCall("cloudtrail", "UpdateTrail", _home(context), parameters, "Log every region.", undo),)


def _home(context: FixContext) -> str:
    raw = context.raw_trail() or {}
    arn = parse_arn(context.trail_arn)
    return str(raw.get("HomeRegion") or (arn.region if arn else ""))


def trail_events(context: FixContext) -> tuple[FixCall, ...]:
    """Selectors that let management writes through, with everything kept that they log besides."""
    answer = (context.raw_trail() or {}).get("EventSelectors") or {}
    advanced, basic = answer.get("AdvancedEventSelectors"), answer.get("EventSelectors")
    key, found = ("AdvancedEventSelectors", advanced) if advanced else ("EventSelectors", basic or [])
    candidates = _advanced(found) if advanced else _basic(found)
    for candidate in candidates:
        judged = select(selectors_of({key: candidate}), True, EVENTS)
        if all_of(judged.events.values()) is Status.PASS:
            named = {"TrailName": context.trail_arn}
            undo = FixCall("cloudtrail", "PutEventSelectors", _home(context), {**named, key: found}) if found else None
            parameters = {**named, key: candidate}
            why = "Log management events, and everything else as before."
            return (FixCall("cloudtrail", "PutEventSelectors", _home(context), parameters, why, undo),)
    return ()


def _basic(found: list[Raw]) -> list[list[Raw]]:
    """One selector changed, or one more: a selector's ReadWriteType counts for its data events, too."""
    whole = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}
    opened = [_opened(item) for item in found]
    changed = [
        [*found[:place], item, *found[place + 1 :]]
        for place, item in enumerate(opened)
        if not item.get("DataResources")
    ]
    alike = [
        [*found[:place], item, *found[place + 1 :]]
        for place, item in enumerate(opened)
        if item["ReadWriteType"] == found[place].get("ReadWriteType", "All")
    ]
    more = [[*found, whole]] if len(found) < _MOST_SELECTORS else []
    return [*alike, *changed, *more]


def _opened(item: Raw) -> Raw:
    excluded = [source for source in item.get("ExcludeManagementEventSources") or () if source != SOURCE]
    kept = {key: value for key, value in item.items() if key != "ExcludeManagementEventSources"}
    kept |= {"ExcludeManagementEventSources": excluded} if "ExcludeManagementEventSources" in item else {}
    type_ = "All" if item.get("ReadWriteType") == "ReadOnly" else item.get("ReadWriteType", "All")
    return {**kept, "ReadWriteType": type_, "IncludeManagementEvents": True}


def _advanced(found: list[Raw]) -> list[list[Raw]]:
    """The selector of management events without what stands in the way; else one more."""
    candidates = []
    for place, item in enumerate(found):
        if _equals(item, "eventCategory", "Management"):
            opened = {**item, "FieldSelectors": [one for field in item["FieldSelectors"] for one in _kept(field)]}
            candidates.append([*found[:place], opened, *found[place + 1 :]])
    whole = {
        "Name": "Management events",
        "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}],
    }
    return [*candidates, [*found, whole]]


def _equals(item: Raw, field: str, value: str) -> bool:
    return any(one.get("Field") == field and one.get("Equals") == [value] for one in item.get("FieldSelectors") or ())


def _kept(field: Raw) -> list[Raw]:
    if field.get("Field") == "eventCategory" or (field.get("Field") == "readOnly" and field.get("Equals") == ["false"]):
        return [field]
    sources = [source for source in field.get("NotEquals") or () if source in _EXCLUDABLE]
    return [{"Field": "eventSource", "NotEquals": sources}] if field.get("Field") == "eventSource" and sources else []


def to_log_group(context: FixContext) -> tuple[FixCall, ...]:
    """A log group of sgwatch's own with the role that delivers to it, and the trail set to them."""
    raw, region, group = context.raw_trail(), _home(context), log_group_arn(context)
    if raw is None or parse_arn(context.trail_arn) is None:
        return ()
    role = Arn(context.snapshot.partition, "iam", "", context.snapshot.account_id, f"role/{OWN_ROLE}")
    before = {key: raw[key] for key in ("CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn") if raw.get(key)}
    named: dict[str, Any] = {"Name": context.trail_arn}
    parameters = {**named, "CloudWatchLogsLogGroupArn": f"{group}:*", "CloudWatchLogsRoleArn": str(role)}
    undo = FixCall("cloudtrail", "UpdateTrail", region, {**named, **before}) if before else None
    update = FixCall("cloudtrail", "UpdateTrail", region, parameters, "Deliver to the log group.", undo)
    return (create_group(region, log_group_name(group)), *make_role(region, group), update)


def log_group_arn(context: FixContext) -> Arn:
    """The log group that sgwatch makes for a trail without one."""
    region = _home(context) or context.region
    return Arn(context.snapshot.partition, "logs", region, context.snapshot.account_id, f"log-group:{OWN_GROUP}")


def create_group(region: str, name: str) -> FixCall:
    """A log group made."""
    named = {"logGroupName": name}
    undo = FixCall("logs", "DeleteLogGroup", region, named)
    return FixCall("logs", "CreateLogGroup", region, named, "Make the log group.", undo)


def make_role(region: str, group: Arn) -> tuple[FixCall, ...]:
    """The role with which CloudTrail delivers.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
    """
    trusted = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    undo = FixCall("iam", "DeleteRole", region, {"RoleName": OWN_ROLE})
    parameters = {"RoleName": OWN_ROLE, "AssumeRolePolicyDocument": trust}
    return (
        FixCall("iam", "CreateRole", region, parameters, "The role that CloudTrail delivers with.", undo),
        let_deliver(region, OWN_ROLE, group),
    )


def let_deliver(region: str, role: str, group: Arn) -> FixCall:
    """A policy of its own on a role; what else the role has stays."""
    named = {"RoleName": role, "PolicyName": "sgwatch-trail-to-logs"}
    resource = f"{str(group).removesuffix(':*')}:log-stream:*"
    statement = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": resource}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    undo = FixCall("iam", "DeleteRolePolicy", region, named)
    why = "Let the trail's role write to the log group."
    return FixCall("iam", "PutRolePolicy", region, {**named, "PolicyDocument": policy}, why, undo)


def delivery(context: FixContext) -> tuple[FixCall, ...]:
    """The trail's role allowed to write to its log group."""
    raw = context.raw_trail() or {}
    role, group = parse_arn(raw.get("CloudWatchLogsRoleArn")), parse_arn(raw.get("CloudWatchLogsLogGroupArn"))
    there = {item.get("logGroupName") for item in context.collected.of_kind("log_groups")}
    if role is None or group is None or log_group_name(group) not in there:
        return ()
    return (let_deliver(_home(context), role.resource.rpartition("/")[2], group),)


def new_trail(context: FixContext) -> tuple[FixCall, ...]:
    """A trail of every region with its bucket, log group and role."""
    snapshot, region, group = context.snapshot, context.region, log_group_arn(context)
    bucket = f"sgwatch-trail-{snapshot.account_id}-{region}"
    arn = str(Arn(snapshot.partition, "cloudtrail", region, snapshot.account_id, f"trail/{OWN_TRAIL}"))
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    named = {"Bucket": bucket}
    role = Arn(snapshot.partition, "iam", "", snapshot.account_id, f"role/{OWN_ROLE}")
    trail = {
        "Name": OWN_TRAIL,
        "S3BucketName": bucket,
        "IsMultiRegionTrail": True,
        "CloudWatchLogsLogGroupArn": f"{group}:*",
        "CloudWatchLogsRoleArn": str(role),
    }
    policy = {**named, "Policy": json.dumps(_bucket_policy(snapshot.partition, bucket, snapshot.account_id, arn))}
    name = {"Name": OWN_TRAIL}
    delete = FixCall("s3", "DeleteBucket", region, named)
    let = "Let CloudTrail write to the bucket."
    made = FixCall("cloudtrail", "DeleteTrail", region, name)
    stop = FixCall("cloudtrail", "StopLogging", region, name)
    return (
        FixCall("s3", "CreateBucket", region, {**named, **where}, "The bucket of the trail.", delete),
        FixCall("s3", "PutBucketPolicy", region, policy, let, FixCall("s3", "DeleteBucketPolicy", region, named)),
        create_group(region, OWN_GROUP),
        *make_role(region, group),
        FixCall("cloudtrail", "CreateTrail", region, trail, "Log every region.", made),
        FixCall("cloudtrail", "StartLogging", region, name, "Begin to log.", stop),
    )


def _bucket_policy(partition: str, bucket: str, account: str, trail: str) -> Raw:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html"""
    who = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    only = {"aws:SourceArn": trail}
    place = f"arn:{partition}:s3:::{bucket}"
    write = {"s3:x-amz-acl": "bucket-owner-full-control", **only}
    put = {"Action": "s3:PutObject", "Resource": f"{place}/AWSLogs/{account}/*", "Condition": {"StringEquals": write}}
    get = {"Action": "s3:GetBucketAcl", "Resource": place, "Condition": {"StringEquals": only}}
    return {"Version": "2012-10-17", "Statement": [{**who, **get}, {**who, **put}]}
