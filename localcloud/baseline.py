"""What an account has before sgwatch comes: the alarm path that CIS asks for, and a topic for alerts."""

from __future__ import annotations

from localcloud.callers import PARTITION
from localcloud.cloud import LocalCloud

# CIS AWS Foundations Benchmark, "security group changes are monitored", with ModifySecurityGroupRules as of version 5.
EVENTS = (
    "AuthorizeSecurityGroupIngress",
    "AuthorizeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
    "RevokeSecurityGroupEgress",
    "CreateSecurityGroup",
    "DeleteSecurityGroup",
    "ModifySecurityGroupRules",
)
PATTERN = "{ " + " || ".join(f"($.eventName = {name})" for name in EVENTS) + " }"
ONCALL = "oncall@example.com"
READER = "security@example.com"


def make_alarm_path(cloud: LocalCloud) -> None:
    """Trail, log group, metric filter, alarm, topic and a confirmed subscriber."""
    make_alarm_path_to(confirmed_topic(cloud, "security-alarms", ONCALL), cloud)


def make_alarm_path_to(topic: str, cloud: LocalCloud) -> None:
    """Trail, log group, metric filter and alarm, which notifies this topic."""
    _trail(cloud)
    cloud.client("logs").put_metric_filter(
        logGroupName="cloudtrail",
        filterName="security-group-changes",
        filterPattern=PATTERN,
        metricTransformations=[{"metricName": "SecurityGroupChanges", "metricNamespace": "CIS", "metricValue": "1"}],
    )
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName="security-group-changes",
        Namespace="CIS",
        MetricName="SecurityGroupChanges",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
    )


def confirmed_topic(cloud: LocalCloud, name: str, address: str) -> str:
    """The ARN of a topic whose one subscriber, an e-mail address, has confirmed."""
    sns = cloud.client("sns")
    topic: str = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    [asked] = [item for item in cloud.inbox.messages("email") if item.where == address]
    sns.confirm_subscription(TopicArn=topic, Token=asked.payload["Token"])
    cloud.inbox.clear()
    return topic


def _trail(cloud: LocalCloud) -> None:
    cloud.client("s3", region="us-east-1").create_bucket(Bucket="management-trail")
    cloud.client("logs").create_log_group(logGroupName="cloudtrail")
    trail = cloud.client("cloudtrail")
    trail.create_trail(
        Name="management",
        S3BucketName="management-trail",
        IsMultiRegionTrail=True,
        CloudWatchLogsLogGroupArn=f"arn:{PARTITION}:logs:{cloud.region}:{cloud.account_id}:log-group:cloudtrail:*",
        CloudWatchLogsRoleArn=f"arn:{PARTITION}:iam::{cloud.account_id}:role/cloudtrail-to-logs",
    )
    trail.start_logging(Name="management")
