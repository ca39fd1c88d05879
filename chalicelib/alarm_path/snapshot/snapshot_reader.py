"""Read the snapshot document, AWS's own answers as JSON, into types.

Two absences differ: a key of the document that is missing was not collected and becomes None, while a
field that AWS leaves out of its own items is empty.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from chalicelib.alarm_path.snapshot.cloudwatch_alarms import (
    CompositeAlarm,
    Json,
    LogAlarm,
    MetricAlarm,
    number_of,
    parse_time,
    text_or_none,
)
from chalicelib.alarm_path.snapshot.model import (
    AccessError,
    BasicSelector,
    FieldSelector,
    KeyUse,
    LogGroup,
    MetricFilter,
    Region,
    Selectors,
    Snapshot,
    Subscription,
    Topic,
    Trail,
    TrailStatus,
)
from chalicelib.aws.arns import Arn, parse_arn

_T = TypeVar("_T")


class SnapshotError(ValueError):
    """The document is not a snapshot; the text says where and what was expected."""


def read_snapshot(document: object) -> Snapshot:
    """Read the document of ``sgwatch audit --collect``. Raises SnapshotError with the place at fault."""
    try:
        return _snapshot(_object(document, "the snapshot"))
    except SnapshotError:
        raise
    except (AttributeError, TypeError, ValueError, LookupError, OverflowError) as error:
        raise SnapshotError(f"the snapshot holds a value of the wrong type: {error}") from error


def _snapshot(top: Json) -> Snapshot:
    version = top.get("version", "1")
    if version != "1":
        raise SnapshotError(f'version: {version!r} is not "1", the only one this release reads')
    account, partition = str(top.get("account_id") or ""), str(top.get("partition") or "aws")
    regions = _object({} if top.get("regions") is None else top["regions"], "regions")
    return Snapshot(
        account_id=account,
        partition=partition,
        collected_at=parse_time(top.get("collected_at")),
        trails=_each(top, "trails", _trail, "trails"),
        regions={
            name: _region(name, _object(item, f"regions.{name}"), Arn(partition, "cloudwatch", name, account, "alarm:"))
            for name, item in regions.items()
            if item is not None
        },
        errors=_each(top, "errors", _error, "errors") or (),
        own=_object(top["self"], "self") if top.get("self") is not None else None,
        document=top,
    )


def _object(value: object, where: str) -> Json:
    if not isinstance(value, Mapping):
        raise SnapshotError(f"{where}: expected an object, found {type(value).__name__}")
    return value


def _answered(value: Any, *keys: str) -> Any:
    """An answer of AWS, or None where it holds none of the keys that every such answer has."""
    return None if isinstance(value, Mapping) and not any(key in value for key in keys) else value


def _list(value: object, where: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise SnapshotError(f"{where}: expected a list, found {type(value).__name__}")
    return value


def _each(holder: Json, key: str, read: Callable[[Json, str], _T], where: str) -> tuple[_T, ...] | None:
    if holder.get(key) is None:
        return None
    items = _list(holder[key], where)
    return tuple(read(_object(item, f"{where}[{place}]"), f"{where}[{place}]") for place, item in enumerate(items))


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()


def _error(item: Json, _where: str) -> AccessError:
    return AccessError(
        call=str(item.get("call") or ""),
        region=text_or_none(item.get("region")),
        resource=text_or_none(item.get("resource")),
        code=str(item.get("code") or ""),
        message=str(item.get("message") or ""),
    )


def _trail(item: Json, where: str) -> Trail:
    arn = str(item.get("TrailARN") or "")
    parsed = parse_arn(arn)
    status = _answered(item.get("Status"), "IsLogging")
    selectors = _answered(item.get("EventSelectors"), "EventSelectors", "AdvancedEventSelectors")
    return Trail(
        name=str(item.get("Name") or (parsed.resource.removeprefix("trail/") if parsed else arn)),
        arn=arn,
        home_region=str(item.get("HomeRegion") or (parsed.region if parsed else "")),
        multi_region=bool(item.get("IsMultiRegionTrail")),
        organization=bool(item.get("IsOrganizationTrail")),
        custom_selectors=bool(item.get("HasCustomEventSelectors")),
        log_group_arn=text_or_none(item.get("CloudWatchLogsLogGroupArn")),
        status=None if status is None else _trail_status(_object(status, f"{where}.Status")),
        selectors=None if selectors is None else selectors_of(_object(selectors, f"{where}.EventSelectors")),
    )


def _trail_status(item: Json) -> TrailStatus:
    return TrailStatus(
        is_logging=bool(item.get("IsLogging")),
        started_at=parse_time(item.get("StartLoggingTime")),
        delivered_at=parse_time(item.get("LatestDeliveryTime")),
        logs_delivered_at=parse_time(item.get("LatestCloudWatchLogsDeliveryTime")),
        logs_error=text_or_none(item.get("LatestCloudWatchLogsDeliveryError")),
    )


def selectors_of(item: Json) -> Selectors:
    """What GetEventSelectors answers, read."""
    basic = tuple(
        BasicSelector(
            read_write=str(selector.get("ReadWriteType") or "All"),
            management=bool(selector.get("IncludeManagementEvents", True)),
            excluded_sources=_texts(selector.get("ExcludeManagementEventSources")),
        )
        for selector in item.get("EventSelectors") or ()
    )
    advanced = tuple(
        tuple(_field_selector(condition) for condition in selector.get("FieldSelectors") or ())
        for selector in item.get("AdvancedEventSelectors") or ()
    )
    return Selectors(basic, advanced)


def _field_selector(item: Json) -> FieldSelector:
    operators = {name: _texts(values) for name, values in item.items() if name != "Field" and values}
    return FieldSelector(str(item.get("Field") or ""), operators)


def _region(name: str, item: Json, alarms: Arn) -> Region:
    where = f"regions.{name}"
    topics = item.get("topics")
    transformers = item.get("log_transformers")

    def named(alarm: Json) -> Json:
        """AWS always gives an alarm's ARN; a snapshot written by hand may lack it."""
        return {"AlarmArn": f"{alarms}{alarm.get('AlarmName')}", **alarm}

    return Region(
        name=name,
        log_groups=_each(item, "log_groups", _log_group, f"{where}.log_groups"),
        metric_filters=_each(
            item, "metric_filters", lambda found, _: _metric_filter(found, name), f"{where}.metric_filters"
        ),
        metric_alarms=_each(
            item, "metric_alarms", lambda alarm, _: MetricAlarm.read(named(alarm)), f"{where}.metric_alarms"
        ),
        composite_alarms=_each(
            item, "composite_alarms", lambda alarm, _: CompositeAlarm.read(named(alarm)), f"{where}.composite_alarms"
        ),
        topics=None
        if topics is None
        else {
            arn: _topic(arn, _object(topic, f"{where}.topics.{arn}"), f"{where}.topics.{arn}")
            for arn, topic in _object(topics, f"{where}.topics").items()
            if topic is not None
        },
        transformers=None if transformers is None else _object(transformers, f"{where}.log_transformers"),
        transformer_policies=_each(
            item, "transformer_policies", lambda policy, _: policy, f"{where}.transformer_policies"
        ),
        mute_rules=_each(item, "alarm_mute_rules", lambda rule, _: rule, f"{where}.alarm_mute_rules") or (),
        log_alarms=_each(item, "log_alarms", lambda alarm, _: LogAlarm.read(named(alarm)), f"{where}.log_alarms") or (),
    )


def _log_group(item: Json, _where: str) -> LogGroup:
    return LogGroup(
        name=str(item.get("logGroupName") or ""),
        arn=text_or_none(item.get("logGroupArn") or item.get("arn")),
        log_class=str(item.get("logGroupClass") or "STANDARD"),
        masks_data=item.get("dataProtectionStatus") == "ACTIVATED"
        or "ACCOUNT_DATA_PROTECTION" in _texts(item.get("inheritedProperties")),
    )


def _metric_filter(item: Json, region: str) -> MetricFilter:
    transformations = item.get("metricTransformations") or [{}]
    first: Json = transformations[0]
    default = first.get("defaultValue")
    return MetricFilter(
        name=str(item.get("filterName") or ""),
        region=region,
        log_group=str(item.get("logGroupName") or ""),
        pattern=str(item.get("filterPattern") or ""),
        namespace=str(first.get("metricNamespace") or ""),
        metric=str(first.get("metricName") or ""),
        value=str(first.get("metricValue") if first.get("metricValue") is not None else ""),
        default=None if default is None else number_of(default),
        unit=str(first.get("unit") or "None"),
        dimensions={str(name): str(value) for name, value in (first.get("dimensions") or {}).items()},
        on_transformed=bool(item.get("applyOnTransformedLogs")),
        criteria=str(item.get("fieldSelectionCriteria") or ""),
        system_dimensions=_texts(item.get("emitSystemFieldDimensions")),
    )


def _topic(arn: str, item: Json, where: str) -> Topic:
    attributes = item.get("Attributes") or None
    return Topic(
        arn=arn,
        attributes=None if attributes is None else _object(attributes, f"{where}.Attributes"),
        subscriptions=_each(item, "Subscriptions", _subscription, f"{where}.Subscriptions"),
        key_policy=_parsed(item.get("KeyPolicy")),
        key_policy_collected="KeyPolicy" in item,
        key_state=_key_state(item.get("KeyMetadata")),
        key_use=_key_use(item.get("KeyMetadata")),
    )


def _key_state(metadata: object) -> str | None:
    """DescribeKey's KeyState; of an answer that has Enabled alone, the state that it means."""
    if not isinstance(metadata, Mapping):
        return None
    stated = text_or_none(metadata.get("KeyState"))
    return stated or ("Disabled" if metadata.get("Enabled") is False else None)


def _key_use(metadata: object) -> KeyUse:
    """DescribeKey's KeyManager and KeySpec (in older answers CustomerMasterKeySpec)."""
    if not isinstance(metadata, Mapping):
        return KeyUse.UNKNOWN
    if metadata.get("KeyManager") == "AWS":
        return KeyUse.AWS_MANAGED
    spec = metadata.get("KeySpec") or metadata.get("CustomerMasterKeySpec")
    if not spec:
        return KeyUse.UNKNOWN
    return KeyUse.SYMMETRIC if spec == "SYMMETRIC_DEFAULT" else KeyUse.NOT_SYMMETRIC


def _subscription(item: Json, where: str) -> Subscription:
    attributes = item.get("Attributes") or None
    return Subscription(
        arn=str(item.get("SubscriptionArn") or ""),
        protocol=str(item.get("Protocol") or ""),
        endpoint=str(item.get("Endpoint") or ""),
        attributes=None if attributes is None else _object(attributes, f"{where}.Attributes"),
        function_policy=_parsed(item.get("EndpointPolicy")),
        policy_collected="EndpointPolicy" in item,
    )


def _parsed(policy: object) -> Any:
    """A policy as an object; AWS gives policies as JSON text. Text that is not JSON is kept as it is."""
    if not isinstance(policy, str):
        return policy
    try:
        return json.loads(policy)
    except ValueError:
        return policy
