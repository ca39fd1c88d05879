"""Collect the snapshot of an account: AWS's own answers, page by page, with every refusal written down.

The calls grow with the pages of what is listed and with the trails, topics and subscribers at hand,
never with the alarms or filters. Nothing here judges.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from chalicelib.alarm_path.snapshot.model import NOT_IN_SDK
from chalicelib.aws.arns import Arn, log_group_name, parse_arn
from chalicelib.aws.clients import ClientFactory

SnapshotPart = dict[str, Any]


def not_in_sdk(call: str, region: str, resource: str | None) -> SnapshotPart:
    """The error of a call that the installed SDK does not know: the Lambda runtime's is often older than the newest."""
    message = "the installed SDK has no such operation"
    return {"call": call, "region": region, "resource": resource, "code": NOT_IN_SDK, "message": message}


def collect(clients: ClientFactory, *, home_region: str, now: datetime, regions: Iterable[str] = ()) -> SnapshotPart:
    """The snapshot document of the account that the clients belong to, asked from ``home_region``.

    Trails are looked for in the other ``regions`` too: one of a single region is listed there alone.

    Raises what STS raises: without knowing the account there is nothing to collect.
    """
    identity = clients("sts", home_region).get_caller_identity()
    caller = parse_arn(identity["Arn"])
    collector = _Collector(clients, identity["Account"], caller.partition if caller else "aws")
    trails = collector.trails(dict.fromkeys((home_region, *regions)))
    document: SnapshotPart = {
        "version": "1",
        "account_id": collector.account_id,
        "partition": collector.partition,
        "collected_at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if trails is not None:
        document["trails"] = trails
    groups = _log_groups(trails or [])
    document["regions"] = {
        region: collector.region(region, groups.get(region, ())) for region in _home_regions(trails or [], home_region)
    }
    document["errors"] = collector.errors
    return document


def _home_regions(trails: Iterable[SnapshotPart], home_region: str) -> list[str]:
    """Filters, alarms and topics live where the trail does; without any trail, where we are."""
    homes = {str(trail.get("HomeRegion") or home_region) for trail in trails}
    return sorted(homes | {home_region})


def _log_groups(trails: Iterable[SnapshotPart]) -> dict[str, list[Arn]]:
    """The log groups that trails deliver to, by region."""
    found: dict[str, dict[str, Arn]] = {}
    for trail in trails:
        if group := parse_arn(trail.get("CloudWatchLogsLogGroupArn")):
            found.setdefault(group.region, {})[log_group_name(group)] = group
    return {region: list(groups.values()) for region, groups in found.items()}


@dataclass(slots=True)
class _Collector:
    clients: ClientFactory
    account_id: str
    partition: str
    errors: list[SnapshotPart] = field(default_factory=list)

    def trails(self, regions: Iterable[str]) -> list[SnapshotPart] | None:
        asked = [self._call("cloudtrail", region, "DescribeTrails", includeShadowTrails=True) for region in regions]
        answers = [answer for answer in asked if answer is not None]
        if not answers:
            return None
        unique = {trail["TrailARN"]: trail for answer in answers for trail in answer.get("trailList", [])}
        return [self._trail(dict(trail)) for trail in unique.values()]

    def _trail(self, trail: SnapshotPart) -> SnapshotPart:
        arn, region = trail["TrailARN"], trail["HomeRegion"]
        status = self._call("cloudtrail", region, "GetTrailStatus", resource=arn, Name=arn)
        selectors = self._call("cloudtrail", region, "GetEventSelectors", resource=arn, TrailName=arn)
        return trail | _present(Status=status, EventSelectors=selectors)

    def region(self, region: str, groups: Iterable[Arn]) -> SnapshotPart:
        own = [group for group in groups if group.account == self.account_id]
        found = self._logs(region, own) | self._alarms(region)
        items = [*found.get("metric_alarms", []), *found.get("composite_alarms", [])]
        found["topics"] = self._topics(region, items)
        reading = {
            item["logGroupName"] for item in found.get("metric_filters", []) if item.get("applyOnTransformedLogs")
        }
        transformed = [group for group in own if log_group_name(group) in reading]
        return found | _present(alarm_mute_rules=self._mute_rules(region)) | self._transformers(region, transformed)

    def _logs(self, region: str, groups: Iterable[Arn]) -> SnapshotPart:
        """The trails' log groups and their filters; an account may have thousands of others."""
        found: list[SnapshotPart] = []
        filters: list[SnapshotPart] = []
        groups_read = filters_read = True
        for group in groups:
            name, arn = log_group_name(group), str(group).removesuffix(":*")
            listed = self._pages("logs", region, "DescribeLogGroups", "logGroups", logGroupNamePrefix=name)
            groups_read = groups_read and listed is not None
            found += [item for item in listed or () if item.get("logGroupName") == name]
            read = self._pages(
                "logs", region, "DescribeMetricFilters", "metricFilters", resource=arn, logGroupName=name
            )
            filters_read = filters_read and (read is not None or self._not_found())
            filters += read or []
        return _present(
            log_groups=found if groups_read else None, metric_filters=filters if filters or filters_read else None
        )

    def _transformers(self, region: str, groups: Iterable[Arn]) -> SnapshotPart:
        """The transformers of the trails' log groups that a filter reads transformed; others change nothing."""
        found: SnapshotPart = {}
        for group in groups:
            name = log_group_name(group)
            answer = self._call("logs", region, "GetTransformer", resource=str(group), logGroupIdentifier=name)
            if answer is not None or self._not_found():
                found[name] = answer
        if not found:
            return {}
        return {"log_transformers": found} | _present(transformer_policies=self._transformer_policies(region))

    def _transformer_policies(self, region: str) -> list[SnapshotPart] | None:
        """The account's own transformers; boto3 has no paginator for them."""
        policies: list[SnapshotPart] = []
        more: SnapshotPart = {"policyType": "TRANSFORMER_POLICY"}
        while True:
            answer = self._call("logs", region, "DescribeAccountPolicies", **more)
            if answer is None:
                return None
            policies += answer.get("accountPolicies", [])
            if not answer.get("nextToken"):
                return policies
            more["nextToken"] = answer["nextToken"]

    def _alarms(self, region: str) -> SnapshotPart:
        """All alarms of the region: DescribeAlarmsForMetric knows neither metric math nor composite alarms."""
        keys = {"MetricAlarms": "metric_alarms", "CompositeAlarms": "composite_alarms", "LogAlarms": "log_alarms"}
        found: dict[str, list[SnapshotPart]] = {name: [] for name in keys.values()}
        types = ["MetricAlarm", "CompositeAlarm", "LogAlarm"]
        read = False
        for page in self._paged("cloudwatch", region, "DescribeAlarms", AlarmTypes=types):
            read = True
            for key, name in keys.items():
                found[name] += page.get(key, [])
        return dict(found) if read else {}

    def _mute_rules(self, region: str) -> list[SnapshotPart] | None:
        """The rules that silence alarms now or on a schedule; AWS lists them by ARN only."""
        statuses = ["ACTIVE", "SCHEDULED"]
        listed = self._pages("cloudwatch", region, "ListAlarmMuteRules", "AlarmMuteRuleSummaries", Statuses=statuses)
        if listed is None:
            return None
        names = [str(item["AlarmMuteRuleArn"]).rpartition(":")[2] for item in listed]
        rules = [
            self._call("cloudwatch", region, "GetAlarmMuteRule", resource=name, AlarmMuteRuleName=name)
            for name in names
        ]
        return [rule for rule in rules if rule is not None]

    def _topics(self, region: str, alarms: Iterable[SnapshotPart]) -> SnapshotPart:
        """The topics that alarms of custom metrics and composite alarms name; those that are gone are left out."""
        wanted = {
            action: None
            for alarm in alarms
            if not str(alarm.get("Namespace") or "").startswith("AWS/")
            for action in alarm.get("AlarmActions") or ()
            if (arn := parse_arn(action)) and arn.service == "sns" and arn.region == region
        }
        topics = {arn: self._topic(region, arn) for arn in wanted}
        return {arn: topic for arn, topic in topics.items() if topic is not None}

    def _topic(self, region: str, arn: str) -> SnapshotPart | None:
        answer = self._call("sns", region, "GetTopicAttributes", resource=arn, TopicArn=arn)
        if answer is None and self._not_found():
            return None
        topic = _present(Attributes=answer and answer.get("Attributes", {}))
        subscriptions = self._pages(
            "sns", region, "ListSubscriptionsByTopic", "Subscriptions", resource=arn, TopicArn=arn
        )
        if subscriptions is not None:
            topic["Subscriptions"] = [self._subscription(region, dict(item)) for item in subscriptions]
        return topic | self._key_policy(region, topic.get("Attributes", {}))

    def _subscription(self, region: str, item: SnapshotPart) -> SnapshotPart:
        arn = str(item.get("SubscriptionArn"))
        if arn.startswith("arn:"):
            answer = self._call("sns", region, "GetSubscriptionAttributes", resource=arn, SubscriptionArn=arn)
            item |= _present(Attributes=answer and answer.get("Attributes", {}))
        return item | self._endpoint_policy(item)

    def _endpoint_policy(self, item: SnapshotPart) -> SnapshotPart:
        """The policy of a function or queue that is subscribed: it has to let SNS in."""
        endpoint = parse_arn(item.get("Endpoint"))
        if endpoint is not None and item.get("Protocol") == "sqs":
            return self._queue_policy(endpoint)
        if endpoint is None or item.get("Protocol") != "lambda":
            return {}
        answer = self._call("lambda", endpoint.region, "GetPolicy", resource=str(endpoint), FunctionName=str(endpoint))
        return {} if answer is None else {"EndpointPolicy": json.loads(answer["Policy"])}

    def _queue_policy(self, queue: Arn) -> SnapshotPart:
        owner = {"QueueName": queue.resource, "QueueOwnerAWSAccountId": queue.account}
        located = self._call("sqs", queue.region, "GetQueueUrl", resource=str(queue), **owner)
        if located is None:
            return {}
        asked = {"QueueUrl": located["QueueUrl"], "AttributeNames": ["Policy"]}
        answer = self._call("sqs", queue.region, "GetQueueAttributes", resource=str(queue), **asked)
        if answer is None:
            return {}
        policy = answer.get("Attributes", {}).get("Policy")
        return {"EndpointPolicy": json.loads(policy) if policy else None}

    def _key_policy(self, region: str, attributes: Mapping[str, str]) -> SnapshotPart:
        key = attributes.get("KmsMasterKeyId")
        if not key or key.endswith("alias/aws/sns"):
            return {"KeyPolicy": None}
        described = self._call("kms", region, "DescribeKey", resource=key, KeyId=key)
        if described is None:
            return {}
        metadata = described["KeyMetadata"]
        if metadata.get("KeyManager") == "AWS":
            return {"KeyPolicy": None, "KeyMetadata": metadata}
        answer = self._call("kms", region, "GetKeyPolicy", resource=key, KeyId=metadata["Arn"], PolicyName="default")
        policy = {} if answer is None else {"KeyPolicy": json.loads(answer["Policy"])}
        return policy | {"KeyMetadata": metadata}

    def _call(
        self, service: str, region: str, action: str, *, resource: str | None = None, **parameters: Any
    ) -> SnapshotPart | None:
        """One call; None, and an entry among the errors, where AWS refuses it or does not answer."""

        def once(client: Any, method: str) -> Iterator[SnapshotPart]:
            return iter([getattr(client, method)(**parameters)])

        return next(self._asked(service, region, action, resource, once), None)

    def _pages(
        self, service: str, region: str, action: str, key: str, *, resource: str | None = None, **parameters: Any
    ) -> list[SnapshotPart] | None:
        """A whole list; half of it where a later page fails, which the errors then say."""
        pages = list(self._paged(service, region, action, resource=resource, **parameters))
        return [item for page in pages for item in page.get(key, [])] if pages else None

    def _paged(
        self, service: str, region: str, action: str, *, resource: str | None = None, **parameters: Any
    ) -> Iterator[SnapshotPart]:
        def pages(client: Any, method: str) -> Iterator[SnapshotPart]:
            return iter(client.get_paginator(method).paginate(**parameters))

        return self._asked(service, region, action, resource, pages)

    def _asked(
        self,
        service: str,
        region: str,
        action: str,
        resource: str | None,
        ask: Callable[[Any, str], Iterator[SnapshotPart]],
    ) -> Iterator[SnapshotPart]:
        method = _method(action)
        try:
            client = self.clients(service, region)
            if not hasattr(client, method):
                self.errors.append(not_in_sdk(f"{service}:{action}", region, resource))
                return
            for answer in ask(client, method):
                yield _plain({key: value for key, value in answer.items() if key != "ResponseMetadata"})
        except ClientError as error:
            said = error.response.get("Error", {})
            self._refused(service, region, action, resource, said.get("Code", ""), said.get("Message", ""))
        except (BotoCoreError, ResponseParserError) as error:
            self._refused(service, region, action, resource, type(error).__name__, str(error))

    def _not_found(self) -> bool:
        """Whether the latest refusal says that the thing is not there."""
        return self.errors[-1]["code"] in {"NotFound", "NotFoundException", "ResourceNotFoundException"}

    def _refused(self, service: str, region: str, action: str, resource: str | None, code: str, message: str) -> None:
        call = f"{service}:{action}"
        self.errors.append({"call": call, "region": region, "resource": resource, "code": code, "message": message})


def _method(action: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in action).lstrip("_")


def _present(**values: Any) -> SnapshotPart:
    """A document without what could not be collected."""
    return {name: value for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    """JSON's own types: times as ISO 8601."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
