"""Where moto does not do what AWS documents: thin stand-ins, one module per service.

Each module has tables (``ANSWERS``): operation name → a function that is given the call and its account and
returns the output by botocore's member names, or raises :class:`AwsError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.ec2.models.security_groups import SecurityGroup

from localcloud.calls import ApiRequest
from localcloud.gaps import (
    alarm_calls,
    concurrency,
    event_sources,
    function_metrics,
    groups,
    keys,
    log_groups,
    mute_rules,
    prefix_lists,
    security_group_calls,
    stack_models,
    stack_resources,
    trail_calls,
)
from localcloud.gaps.group_store import names_prefix_list

StandIn = Callable[[ApiRequest, str], Mapping[str, Any]]


def answers() -> dict[tuple[str, str], StandIn]:
    """Every stand-in that needs nothing but moto's own state, by service and operation."""
    SecurityGroup.filter_ip_permission__prefix_list_id = names_prefix_list
    parts = {
        "ec2": (security_group_calls.ANSWERS, groups.ANSWERS, prefix_lists.ANSWERS),
        "cloudtrail": (trail_calls.ANSWERS,),
        "logs": (log_groups.LOGS,),
        "cloudwatch": (alarm_calls.ANSWERS, mute_rules.ANSWERS, function_metrics.ANSWERS),
        "lambda": (event_sources.ANSWERS,),
        "kms": (keys.ANSWERS,),
    }
    return {
        (service, operation): answer
        for service, tables in parts.items()
        for table in tables
        for operation, answer in table.items()
    }


def amendments() -> dict[tuple[str, str], Callable[[ApiRequest, str, Mapping[str, Any]], Mapping[str, Any]]]:
    """What changes moto's outputs."""
    return {
        ("cloudwatch", "DescribeAlarms"): alarm_calls.describe_alarms,
        ("lambda", "GetFunction"): concurrency.get_function,
    }


def wrappers() -> dict[tuple[str, str], Callable[[ApiRequest, str, Callable[[], Any]], Any]]:
    """What stands around moto's own answers."""
    return {
        ("cloudwatch", "PutMetricAlarm"): alarm_calls.put_metric_alarm,
        ("cloudtrail", "CreateTrail"): trail_calls.with_log_group_checked,
        ("cloudtrail", "UpdateTrail"): trail_calls.with_log_group_checked,
        ("cloudformation", "CreateChangeSet"): stack_models.with_template_read,
        ("cloudformation", "CreateStack"): stack_resources.with_missing_resources,
        ("cloudformation", "UpdateStack"): stack_resources.with_missing_resources,
        ("cloudformation", "ExecuteChangeSet"): stack_resources.with_missing_resources,
        ("cloudformation", "DeleteStack"): stack_resources.without_missing_resources,
    }
