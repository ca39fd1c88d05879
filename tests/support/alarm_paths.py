"""A sound alarm path as a snapshot, to be broken one link at a time, and a stand-in for the pattern evaluator."""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC, datetime
from typing import Any

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.patterns.pattern_coverage import PatternCoverage
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.standards import CLASSIC_EVENTS, EVENTS, Standard, pattern_for

ACCOUNT, OTHER_ACCOUNT, REGION = "123456789012", "444455556666", "us-east-1"
TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:trail-logs"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:security"
ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:sg-changes"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-0000-4000-8000-000000000000"
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
# A function's "Metrics" in the snapshot's "self" where CloudWatch has no datapoint of it.
NO_RUNS = {
    name: {"StatusCode": "Complete", "Timestamps": [], "Values": []} for name in ("Invocations", "Errors", "Throttles")
}

Document = dict[str, Any]


def trail(**changes: Any) -> Document:
    return {
        "Name": "main",
        "TrailARN": TRAIL,
        "HomeRegion": REGION,
        "IsMultiRegionTrail": True,
        "IncludeGlobalServiceEvents": True,
        "IsOrganizationTrail": False,
        "HasCustomEventSelectors": False,
        "CloudWatchLogsLogGroupArn": f"{GROUP}:*",
        "CloudWatchLogsRoleArn": f"arn:aws:iam::{ACCOUNT}:role/trail-to-logs",
        "Status": {
            "IsLogging": True,
            "StartLoggingTime": "2026-01-01T00:00:00Z",
            "LatestDeliveryTime": "2026-11-23T09:56:00Z",
            "LatestCloudWatchLogsDeliveryTime": "2026-11-23T09:57:00Z",
        },
        "EventSelectors": {
            "TrailARN": TRAIL,
            "EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}],
        },
        **changes,
    }


def metric_filter(name: str = "sg-changes", events: tuple[str, ...] = EVENTS, **changes: Any) -> Document:
    transformation = {"metricName": name, "metricNamespace": "CISBenchmark", "metricValue": "1"}
    transformation |= changes.pop("transformation", {})
    return {
        "filterName": name,
        "filterPattern": pattern_for(events),
        "logGroupName": "trail-logs",
        "creationTime": 1767225600000,
        "metricTransformations": [transformation],
        **changes,
    }


def alarm(name: str = "sg-changes", metric: str = "sg-changes", **changes: Any) -> Document:
    return {
        "AlarmName": name,
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}",
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [TOPIC],
        "InsufficientDataActions": [],
        "StateValue": "OK",
        "MetricName": metric,
        "Namespace": "CISBenchmark",
        "Statistic": "Sum",
        "Dimensions": [],
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        **changes,
    }


def composite(rule: str, name: str = "parent", **changes: Any) -> Document:
    return {
        "AlarmName": name,
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}",
        "AlarmRule": rule,
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "StateValue": "OK",
        **changes,
    }


def statement(**changes: Any) -> Document:
    return {
        "Sid": "alarms",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": TOPIC,
        **changes,
    }


def policy(*statements: Document) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def subscription(**changes: Any) -> Document:
    arn = f"{TOPIC}:11111111-2222-4333-8444-555555555555"
    return {
        "SubscriptionArn": arn,
        "Owner": ACCOUNT,
        "Protocol": "email",
        "Endpoint": "security@example.com",
        "TopicArn": TOPIC,
        "Attributes": {"SubscriptionArn": arn, "PendingConfirmation": "false"},
        **changes,
    }


def topic(**changes: Any) -> Document:
    return {
        "Attributes": {"TopicArn": TOPIC, "Owner": ACCOUNT, "Policy": policy(statement())},
        "Subscriptions": [subscription()],
        "KeyPolicy": None,
        **changes,
    }


def error(call: str, code: str = "AccessDenied", resource: str | None = None, region: str | None = REGION) -> Document:
    return {"call": call, "region": region, "resource": resource, "code": code, "message": "said AWS"}


class Account:
    """A sound account; tests change the parts they are about."""

    def __init__(self) -> None:
        self.trail = trail()
        self.filters = [metric_filter()]
        self.alarms = [alarm()]
        self.composites: list[Document] = []
        self.topic = topic()
        self.group: Document = {"logGroupName": "trail-logs", "arn": f"{GROUP}:*", "logGroupClass": "STANDARD"}
        self.errors: list[Document] = []
        self.more_trails: list[Document] = []

    @property
    def region(self) -> Document:
        return {
            "log_groups": [self.group],
            "metric_filters": self.filters,
            "metric_alarms": self.alarms,
            "composite_alarms": self.composites,
            "topics": {TOPIC: self.topic},
        }

    def document(self) -> Document:
        return copy.deepcopy(
            {
                "version": "1",
                "account_id": ACCOUNT,
                "partition": "aws",
                "collected_at": "2026-11-23T10:00:00Z",
                "trails": [self.trail, *self.more_trails],
                "regions": {REGION: self.region},
                "errors": self.errors,
            }
        )

    def report(self, standard: Standard = Standard.CIS_5) -> Report:
        return judge(self.document(), standard)


def judge(document: Document, standard: Standard = Standard.CIS_5) -> Report:
    return audit(read_snapshot(document), named_coverage, checked_at=NOW, standard=standard)


_NAMED = re.compile(r"\$\.eventName *= *\"?(\w+)\"?")


def named_coverage(patterns: tuple[str, ...]) -> PatternCoverage:
    """Understands only lists of event names, and ``only when`` for those that come with a further condition."""
    text = " ".join(patterns)
    found = set(_NAMED.findall(text))
    in_full = "always" if "userIdentity" not in text or len(patterns) > 1 else "sometimes"
    events = {event: in_full if event in found else "never" for event in EVENTS}
    exact = found == set(CLASSIC_EVENTS) and in_full == "always"
    return PatternCoverage(events, exact=exact, over_matches=not found <= set(EVENTS))


def broken(report: Report) -> set[tuple[str, str]]:
    """Check and status of everything on the paths that did not pass."""
    return {
        (finding.check, finding.status.value)
        for path in report.paths
        for finding in path.findings
        if finding.status.value != "pass"
    }


def reasons(report: Report) -> str:
    """Every sentence of the report that is not about something good."""
    findings = [*report.findings, *(finding for path in report.paths for finding in path.findings)]
    return "\n".join(finding.reason for finding in findings if finding.status.value != "pass")
