"""Every call of the tamper catalog made by the AWS CLI, and the alert that it leads to: its words, severity and blame.

In us-east-1, where EventBridge brings IAM's events. Each attempt is made by a user of its own and taken back after it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from chalicelib.cloudtrail.tamper_calls import TAMPER_CALLS
from localcloud import LocalCloud
from localcloud.awkward.awkwardness import MILD
from localcloud.baseline import EVENTS, make_alarm_path
from localcloud.deploy import deploy
from localcloud.receivers.webhook import SECRET
from tests.support.command_line import ROOT
from tests.support.local import Alert, alert_in
from tests.support.shell_aws import AwsShell

REGION, ACCOUNT = "us-east-1", "123456789012"
TRAIL, GROUP, FILTER, ALARM = "management", "cloudtrail", "security-group-changes", "security-group-changes"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:security-alarms"
FUNCTION, SPARE = "sgwatch-dev-alert_on_change", "sgwatch-dev-spare"
RULE = f"{FUNCTION}-event"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{SPARE}"
PARAMETER, SECRET_NAME = "/sgwatch/dev/spare", "sgwatch/dev/spare"
MANAGED = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ASSUMED_BY_LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
# The longest wait, not a delay: on a loaded machine a new process and a whole audit take that long.
SECONDS = 120.0
CLI_SECONDS = 60.0
Prepare = Callable[["Account"], object]


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


HARMLESS = policy({"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"})
DENY = policy({"Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": TOPIC})
ALL_OF_KEY = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "kms:*",
    "Resource": "*",
}
CLOUDWATCH_MAY = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
    "Resource": "*",
}


@dataclass
class Account:
    """The local cloud with a sound alarm path and sgwatch deployed; ``values`` are filled into the commands."""

    cloud: LocalCloud
    values: dict[str, str] = field(default_factory=dict)
    taken_back: list[Callable[[], object]] = field(default_factory=list)

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def after(self, undo: Callable[[], object]) -> None:
        self.taken_back.append(undo)

    def status(self) -> str:
        kept = self.client("ssm").get_parameter(Name="/sgwatch/dev/alarm-path")["Parameter"]["Value"]
        return str(json.loads(kept)["status"])

    def settle(self) -> None:
        assert self.cloud.wait_until_idle(SECONDS)

    def audit(self) -> None:
        self.cloud.schedules.tick("audit_on_schedule")
        self.settle()

    def make_sound(self) -> None:
        """Take back what was prepared and done, and let the audit find that."""
        while self.taken_back:
            self.taken_back.pop()()
        self.settle()
        if self.status() != "pass":
            self.audit()
        assert self.status() == "pass"


@dataclass(frozen=True)
class Attempt:
    """``command`` without ``aws``; ``says`` stands in the alert's title or summary; ``broke``: broken_by_this_call."""

    command: tuple[str, ...]
    says: str
    severity: str
    broke: bool = False
    prepare: Prepare = lambda _: None


def _filter(account: Account) -> None:
    logs = account.client("logs")
    (kept,) = logs.describe_metric_filters(logGroupName=GROUP, filterNamePrefix=FILTER)["metricFilters"]
    wanted = {name: kept[name] for name in ("filterName", "filterPattern", "metricTransformations", "logGroupName")}
    account.after(lambda: logs.put_metric_filter(**wanted))


def _log_group(account: Account) -> None:
    _filter(account)
    account.after(lambda: account.client("logs").create_log_group(logGroupName=GROUP))


def _second_filter(account: Account) -> None:
    account.after(lambda: account.client("logs").delete_metric_filter(logGroupName=GROUP, filterName="noise"))


def _transformer(account: Account) -> None:
    logs = account.client("logs")
    logs.put_transformer(logGroupIdentifier=GROUP, transformerConfig=[{"parseJSON": {}}])


def _without_transformer(account: Account) -> None:
    account.after(lambda: account.client("logs").delete_transformer(logGroupIdentifier=GROUP))


def _alarm(account: Account) -> None:
    cloudwatch = account.client("cloudwatch")
    (now,) = cloudwatch.describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
    names = (
        *("AlarmName", "Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods", "Threshold"),
        *("ComparisonOperator", "TreatMissingData", "AlarmActions"),
    )
    account.after(lambda: cloudwatch.put_metric_alarm(**{name: now[name] for name in names}))


def _alarm_by_composite(account: Account) -> None:
    """The path leads through a composite alarm, which the attempt then puts again."""
    cloudwatch = account.client("cloudwatch")
    _alarm(account)
    (now,) = cloudwatch.describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
    cloudwatch.put_composite_alarm(AlarmName="changed", AlarmRule=f"ALARM({ALARM})", AlarmActions=now["AlarmActions"])
    account.after(lambda: cloudwatch.delete_alarms(AlarmNames=["changed"]))
    without = {name: now[name] for name in ("AlarmName", "Namespace", "MetricName", "Statistic", "Period", "Threshold")}
    more = {name: now[name] for name in ("EvaluationPeriods", "ComparisonOperator", "TreatMissingData")}
    cloudwatch.put_metric_alarm(**without, **more)


def _state(account: Account) -> None:
    account.after(
        lambda: account.client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue="OK", StateReason="back")
    )


def _mute_rule(account: Account) -> None:
    account.after(lambda: account.client("cloudwatch").delete_alarm_mute_rule(AlarmMuteRuleName="quiet"))


def _subscribed(account: Account) -> str:
    (found,) = account.client("sns").list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
    arn: str = found["SubscriptionArn"]
    return arn


def _subscribe(account: Account) -> None:
    sns, inbox = account.client("sns"), account.cloud.inbox
    sns.subscribe(TopicArn=TOPIC, Protocol="email", Endpoint="oncall@example.com")
    asked = [item for item in inbox.messages("email") if item.link is not None][-1]
    sns.confirm_subscription(TopicArn=TOPIC, Token=asked.payload["Token"])


def _subscription(account: Account) -> None:
    account.values["subscription"] = _subscribed(account)
    account.after(lambda: _subscribe(account))


def _subscription_attribute(account: Account) -> None:
    account.values["subscription"] = arn = _subscribed(account)
    account.after(
        lambda: account.client("sns").set_subscription_attributes(
            SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue="{}"
        )
    )


def _topic(account: Account) -> None:
    _alarm(account)
    account.after(lambda: _subscribe(account))
    account.after(lambda: account.client("sns").create_topic(Name="security-alarms"))


def _attribute(name: str) -> Prepare:
    def prepare(account: Account) -> None:
        sns = account.client("sns")
        before = sns.get_topic_attributes(TopicArn=TOPIC)["Attributes"].get(name, "")
        account.after(lambda: sns.set_topic_attributes(TopicArn=TOPIC, AttributeName=name, AttributeValue=before))

    return prepare


def _permission_label(account: Account) -> None:
    account.after(lambda: account.client("sns").remove_permission(TopicArn=TOPIC, Label="extra"))


def _permitted(account: Account) -> None:
    account.client("sns").add_permission(TopicArn=TOPIC, Label="extra", AWSAccountId=[ACCOUNT], ActionName=["Publish"])


def _logging(account: Account) -> None:
    account.after(lambda: account.client("cloudtrail").start_logging(Name=TRAIL))


def _trail(account: Account) -> None:
    trails = account.client("cloudtrail")
    kept = trails.describe_trails(trailNameList=[TRAIL])["trailList"][0]
    names = ("Name", "S3BucketName", "IsMultiRegionTrail", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn")
    _logging(account)
    account.after(lambda: trails.create_trail(**{name: kept[name] for name in names}))


def _trail_update(account: Account) -> None:
    account.after(lambda: account.client("cloudtrail").update_trail(Name=TRAIL, IsMultiRegionTrail=True))


def _selectors(account: Account) -> None:
    selector = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}
    account.after(lambda: account.client("cloudtrail").put_event_selectors(TrailName=TRAIL, EventSelectors=[selector]))


def _rule(account: Account) -> None:
    events = account.client("events")
    kept = events.describe_rule(Name=RULE)
    targets = events.list_targets_by_rule(Rule=RULE)["Targets"]
    account.after(lambda: events.put_targets(Rule=RULE, Targets=targets))
    account.after(lambda: events.put_rule(Name=RULE, EventPattern=kept["EventPattern"], State="ENABLED"))


def _rule_without_targets(account: Account) -> None:
    _rule(account)
    _targets(account)
    account.client("events").remove_targets(Rule=RULE, Ids=[account.values["target"]])


def _targets(account: Account) -> None:
    _rule(account)
    (target,) = account.client("events").list_targets_by_rule(Rule=RULE)["Targets"]
    account.values |= {"target": target["Id"], "function": target["Arn"]}


def _key(account: Account) -> None:
    """The topic is encrypted with a key that CloudWatch may use."""
    key = account.client("kms").create_key(Policy=policy(ALL_OF_KEY, CLOUDWATCH_MAY))["KeyMetadata"]["Arn"]
    account.values["key"] = key
    sns = account.client("sns")
    sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="KmsMasterKeyId", AttributeValue=key)
    account.after(lambda: sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="KmsMasterKeyId", AttributeValue=""))


def _concurrency(account: Account) -> None:
    account.after(lambda: account.client("lambda").delete_function_concurrency(FunctionName=FUNCTION))


def _function_permission(account: Account) -> None:
    functions = account.client("lambda")
    (statement,) = json.loads(functions.get_policy(FunctionName=FUNCTION)["Policy"])["Statement"]
    account.values["statement"] = statement["Sid"]
    account.after(
        lambda: functions.add_permission(
            FunctionName=FUNCTION,
            StatementId=statement["Sid"],
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{RULE}",
        )
    )


def _mapping(account: Account) -> None:
    functions = account.client("lambda")
    made = functions.create_event_source_mapping(EventSourceArn=QUEUE, FunctionName=SPARE, Enabled=False)
    account.values["mapping"] = made["UUID"]


def _invoke_config(account: Account) -> None:
    account.client("lambda").put_function_event_invoke_config(FunctionName=SPARE, MaximumRetryAttempts=1)


def _secret_version(account: Account) -> None:
    secrets = account.client("secretsmanager")
    former = secrets.describe_secret(SecretId=SECRET_NAME)["VersionIdsToStages"]
    account.values["old"] = next(iter(former))
    account.values["new"] = secrets.put_secret_value(SecretId=SECRET_NAME, SecretString="b")["VersionId"]


def _attached(account: Account) -> None:
    account.client("iam").attach_role_policy(RoleName=SPARE, PolicyArn="{managed}".format(**account.values))


def _inline(account: Account) -> None:
    account.client("iam").put_role_policy(RoleName=SPARE, PolicyName="extra", PolicyDocument=HARMLESS)


BROKEN, SOUND = "is broken", "still works"
SIX = "--threshold 6 --metric-name SecurityGroupChanges --namespace CIS --statistic Sum --period 300"
COMPARED = "--evaluation-periods 1 --comparison-operator GreaterThanOrEqualToThreshold"


def made(command: str, *more: str) -> tuple[str, ...]:
    return (*command.split(), *more)


# By the name that CloudTrail gives the call.
ATTEMPTS: dict[str, tuple[Attempt, ...]] = {
    "DeleteMetricFilter": (
        Attempt(
            made(f"logs delete-metric-filter --log-group-name {GROUP} --filter-name {FILTER}"),
            f"metric filter {FILTER} was deleted",
            "high",
            broke=True,
            prepare=_filter,
        ),
    ),
    "PutMetricFilter": (
        Attempt(
            made(
                f"logs put-metric-filter --log-group-name {GROUP} --filter-name {FILTER} --metric-transformations"
                " metricName=SecurityGroupChanges,metricNamespace=CIS,metricValue=1 --filter-pattern",
                f"{{ $.eventName = {EVENTS[0]} }}",
            ),
            f"the pattern of metric filter {FILTER} was set",
            "high",
            broke=True,
            prepare=_filter,
        ),
        # A second filter on the same log group takes one away for every change.
        Attempt(
            made(
                f"logs put-metric-filter --log-group-name {GROUP} --filter-name noise --metric-transformations"
                " metricName=SecurityGroupChanges,metricNamespace=CIS,metricValue=-1 --filter-pattern",
                '{ $.eventSource = "ec2.amazonaws.com" }',
            ),
            "the pattern of metric filter noise was set",
            "high",
            broke=True,
            prepare=_second_filter,
        ),
    ),
    "DeleteLogGroup": (
        Attempt(
            made(f"logs delete-log-group --log-group-name {GROUP}"),
            f"log group {GROUP} was deleted",
            "high",
            broke=True,
            prepare=_log_group,
        ),
    ),
    "PutTransformer": (
        Attempt(
            made(f"logs put-transformer --log-group-identifier {GROUP} --transformer-config", '[{"parseJSON": {}}]'),
            f"log group {GROUP} was given another log transformer",
            "low",
            prepare=_without_transformer,
        ),
    ),
    "DeleteTransformer": (
        Attempt(
            made(f"logs delete-transformer --log-group-identifier {GROUP}"),
            f"log group {GROUP} was left without its log transformer",
            "low",
            prepare=_transformer,
        ),
    ),
    "PutAccountPolicy": (
        Attempt(
            made(
                "logs put-account-policy --policy-name all --policy-type TRANSFORMER_POLICY --policy-document",
                '{"processors": [{"parseJSON": {}}]}',
            ),
            "a transformer policy for the account's log groups was put: account policy all",
            "low",
        ),
    ),
    "DeleteAlarms": (
        Attempt(
            made(f"cloudwatch delete-alarms --alarm-names {ALARM}"),
            f"alarm {ALARM} was deleted",
            "high",
            broke=True,
            prepare=_alarm,
        ),
    ),
    "DisableAlarmActions": (
        Attempt(
            made(f"cloudwatch disable-alarm-actions --alarm-names {ALARM}"),
            f"alarm {ALARM} was left with actions disabled",
            "high",
            broke=True,
            prepare=_alarm,
        ),
    ),
    "PutMetricAlarm": (
        Attempt(
            made(f"cloudwatch put-metric-alarm --alarm-name {ALARM} {SIX} {COMPARED} --alarm-actions {TOPIC}"),
            f"alarm {ALARM} was created or changed",
            "high",
            broke=True,
            prepare=_alarm,
        ),
        Attempt(
            made(f"cloudwatch put-metric-alarm --alarm-name {ALARM} {SIX} {COMPARED} --no-actions-enabled"),
            f"alarm {ALARM} was created or changed with its actions disabled",
            "high",
            broke=True,
            prepare=_alarm,
        ),
    ),
    "PutCompositeAlarm": (
        Attempt(
            made(
                f"cloudwatch put-composite-alarm --alarm-name changed --alarm-actions {TOPIC} --alarm-rule",
                f"ALARM({ALARM}) AND FALSE",
            ),
            "alarm changed was created or changed",
            "high",
            broke=True,
            prepare=_alarm_by_composite,
        ),
    ),
    "SetAlarmState": (
        Attempt(
            made(f"cloudwatch set-alarm-state --alarm-name {ALARM} --state-value ALARM --state-reason quiet"),
            f"the state of alarm {ALARM} was set to ALARM by hand",
            "low",
            prepare=_state,
        ),
    ),
    "PutAlarmMuteRule": (
        Attempt(
            made(
                "cloudwatch put-alarm-mute-rule --name quiet --mute-targets",
                json.dumps({"AlarmNames": [ALARM]}),
                "--rule",
                json.dumps({"Schedule": {"Expression": "cron(* * * * *)", "Duration": "PT1H"}}),
            ),
            f"the actions of alarm {ALARM} are muted by mute rule quiet",
            "high",
            broke=True,
            prepare=_mute_rule,
        ),
    ),
    "Unsubscribe": (
        Attempt(
            made("sns unsubscribe --subscription-arn {subscription}"),
            "was deleted",
            "high",
            broke=True,
            prepare=_subscription,
        ),
    ),
    "DeleteTopic": (
        Attempt(
            made(f"sns delete-topic --topic-arn {TOPIC}"),
            "topic security-alarms was deleted",
            "high",
            broke=True,
            prepare=_topic,
        ),
    ),
    "SetTopicAttributes": (
        Attempt(
            made(f"sns set-topic-attributes --topic-arn {TOPIC} --attribute-name Policy --attribute-value", DENY),
            "the access policy of topic security-alarms was replaced",
            "high",
            broke=True,
            prepare=_attribute("Policy"),
        ),
        # The key that AWS manages lets no CloudWatch alarm use it.
        Attempt(
            made(
                f"sns set-topic-attributes --topic-arn {TOPIC} --attribute-name KmsMasterKeyId"
                " --attribute-value alias/aws/sns"
            ),
            "attribute KmsMasterKeyId of topic security-alarms was set",
            "high",
            broke=True,
            prepare=_attribute("KmsMasterKeyId"),
        ),
    ),
    "SetSubscriptionAttributes": (
        Attempt(
            made(
                "sns set-subscription-attributes --subscription-arn {subscription} --attribute-name FilterPolicy"
                " --attribute-value",
                '{"severity": ["none"]}',
            ),
            "are now filtered by a filter policy",
            "high",
            broke=True,
            prepare=_subscription_attribute,
        ),
    ),
    "AddPermission": (
        Attempt(
            made(
                f"sns add-permission --topic-arn {TOPIC} --label extra --aws-account-id {ACCOUNT} --action-name Publish"
            ),
            "topic security-alarms was given another permission",
            "low",
            prepare=_permission_label,
        ),
    ),
    "RemovePermission": (
        Attempt(
            made(f"sns remove-permission --topic-arn {TOPIC} --label extra"),
            "topic security-alarms was left without a permission",
            "low",
            prepare=_permitted,
        ),
    ),
    "StopLogging": (
        Attempt(
            made(f"cloudtrail stop-logging --name {TRAIL}"),
            f"trail {TRAIL} was stopped",
            "high",
            broke=True,
            prepare=_logging,
        ),
    ),
    "UpdateTrail": (
        Attempt(
            made(f"cloudtrail update-trail --name {TRAIL} --no-is-multi-region-trail"),
            f"trail {TRAIL} no longer logs other regions than its own",
            "high",
            broke=True,
            prepare=_trail_update,
        ),
    ),
    "DeleteTrail": (
        Attempt(
            made(f"cloudtrail delete-trail --name {TRAIL}"),
            f"trail {TRAIL} was deleted",
            "high",
            broke=True,
            prepare=_trail,
        ),
    ),
    "PutEventSelectors": (
        Attempt(
            made(
                f"cloudtrail put-event-selectors --trail-name {TRAIL} --event-selectors",
                '[{"ReadWriteType": "All", "IncludeManagementEvents": false, "DataResources": []}]',
            ),
            f"management events are no longer logged by trail {TRAIL}",
            "high",
            broke=True,
            prepare=_selectors,
        ),
        Attempt(
            made(
                f"cloudtrail put-event-selectors --trail-name {TRAIL} --event-selectors",
                '[{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": true, "DataResources": []}]',
            ),
            f"management write events are no longer logged by trail {TRAIL}",
            "high",
            broke=True,
            prepare=_selectors,
        ),
    ),
    "DisableRule": (
        Attempt(
            made(f"events disable-rule --name {RULE}"), f"rule {RULE} was disabled", "high", broke=True, prepare=_rule
        ),
    ),
    "DeleteRule": (
        Attempt(
            made(f"events delete-rule --name {RULE}"),
            f"rule {RULE} was deleted",
            "low",
            prepare=_rule_without_targets,
        ),
    ),
    "RemoveTargets": (
        Attempt(
            made(f"events remove-targets --rule {RULE} --ids", "{target}"),
            f"rule {RULE} was left without some or all of its targets",
            "high",
            broke=True,
            prepare=_targets,
        ),
    ),
    "PutRule": (
        Attempt(
            made(f"events put-rule --name {RULE} --event-pattern", '{"source": ["aws.none"]}'),
            f"the event pattern of rule {RULE} was set",
            "high",
            broke=True,
            prepare=_rule,
        ),
        Attempt(
            made(f"events put-rule --name {RULE} --state DISABLED --event-pattern", '{"source": ["aws.ec2"]}'),
            f"rule {RULE} is now disabled",
            "high",
            broke=True,
            prepare=_rule,
        ),
    ),
    "PutTargets": (
        Attempt(
            made(
                f"events put-targets --rule {RULE} --targets",
                '[{{"Id": "{target}", "Arn": "{function}", "Input": "1"}}]',
            ),
            f"a target of rule {RULE} now gets something else than the event itself",
            "high",
            broke=True,
            prepare=_targets,
        ),
    ),
    "DisableKey": (Attempt(made("kms disable-key --key-id {key}"), "was disabled", "high", broke=True, prepare=_key),),
    "ScheduleKeyDeletion": (
        Attempt(
            made("kms schedule-key-deletion --key-id {key} --pending-window-in-days 7"),
            "was scheduled for deletion",
            "high",
            broke=True,
            prepare=_key,
        ),
    ),
    "PutKeyPolicy": (
        Attempt(
            made("kms put-key-policy --key-id {key} --policy-name default --policy", "{only_us}"),
            "was given another policy",
            "high",
            broke=True,
            prepare=_key,
        ),
    ),
    "DeleteFunction20150331": (
        Attempt(
            made("lambda delete-function --function-name sgwatch-dev-old"),
            "function sgwatch-dev-old was deleted",
            "high",
        ),
    ),
    "UpdateFunctionCode20150331v2": (
        Attempt(
            made(f"lambda update-function-code --function-name {SPARE} --zip-file", "fileb://{zip}"),
            f"function {SPARE} was given other code",
            "medium",
        ),
    ),
    "UpdateFunctionConfiguration20150331v2": (
        Attempt(
            made(f"lambda update-function-configuration --function-name {SPARE} --timeout 7"),
            f"timeout of function {SPARE} changed",
            "medium",
        ),
    ),
    "PutFunctionConcurrency20171031": (
        Attempt(
            made(f"lambda put-function-concurrency --function-name {FUNCTION} --reserved-concurrent-executions 0"),
            f"function {FUNCTION} can no longer run (reserved concurrency of 0)",
            "high",
            broke=True,
            prepare=_concurrency,
        ),
    ),
    "AddPermission20150331v2": (
        Attempt(
            made(
                f"lambda add-permission --function-name {SPARE} --statement-id extra --principal events.amazonaws.com"
                " --action lambda:InvokeFunction"
            ),
            f"function {SPARE} was given another permission",
            "medium",
        ),
    ),
    "RemovePermission20150331v2": (
        Attempt(
            made(f"lambda remove-permission --function-name {FUNCTION} --statement-id", "{statement}"),
            f"function {FUNCTION} was left without a permission",
            "high",
            broke=True,
            prepare=_function_permission,
        ),
    ),
    "DeleteFunctionEventInvokeConfig": (
        Attempt(
            made(f"lambda delete-function-event-invoke-config --function-name {SPARE}"),
            f"function {SPARE} was left without its asynchronous settings",
            "high",
            prepare=_invoke_config,
        ),
    ),
    "PutFunctionEventInvokeConfig": (
        Attempt(
            made(f"lambda put-function-event-invoke-config --function-name {SPARE} --maximum-retry-attempts 0"),
            f"function {SPARE} was given other asynchronous settings",
            "medium",
        ),
    ),
    "UpdateFunctionEventInvokeConfig": (
        Attempt(
            made(f"lambda update-function-event-invoke-config --function-name {SPARE} --maximum-retry-attempts 0"),
            f"function {SPARE} was given other asynchronous settings",
            "medium",
            prepare=_invoke_config,
        ),
    ),
    "CreateEventSourceMapping20150331": (
        Attempt(
            made(f"lambda create-event-source-mapping --function-name {SPARE} --event-source-arn {QUEUE} --no-enabled"),
            f"event source mapping of function {SPARE} was added",
            "medium",
        ),
    ),
    "UpdateEventSourceMapping20150331": (
        Attempt(
            made("lambda update-event-source-mapping --uuid {mapping} --no-enabled"),
            f"event source mapping of function {SPARE} is now disabled",
            "high",
            prepare=_mapping,
        ),
    ),
    "DeleteEventSourceMapping20150331": (
        Attempt(
            made("lambda delete-event-source-mapping --uuid {mapping}"),
            f"event source mapping of function {SPARE} was deleted",
            "high",
            prepare=_mapping,
        ),
    ),
    "DeleteQueue": (
        Attempt(
            made("sqs --endpoint-url {endpoint} delete-queue --queue-url {old_queue}"),
            "queue sgwatch-dev-old was deleted",
            "high",
        ),
    ),
    "PurgeQueue": (
        Attempt(
            made("sqs --endpoint-url {endpoint} purge-queue --queue-url {queue}"), f"queue {SPARE} was emptied", "high"
        ),
    ),
    "SetQueueAttributes": (
        Attempt(
            made(
                "sqs --endpoint-url {endpoint} set-queue-attributes --queue-url {queue}"
                " --attributes VisibilityTimeout=1"
            ),
            f"VisibilityTimeout of queue {SPARE} changed",
            "medium",
        ),
    ),
    "DeleteTable": (
        Attempt(made(f"dynamodb delete-table --table-name {SPARE}"), f"table {SPARE} was deleted", "high"),
    ),
    "PutParameter": (
        Attempt(
            made(f"ssm put-parameter --name {PARAMETER} --value a --type String --overwrite"),
            f"parameter {PARAMETER} was created or changed",
            "medium",
        ),
    ),
    "DeleteParameter": (
        Attempt(made(f"ssm delete-parameter --name {PARAMETER}"), f"parameter {PARAMETER} was deleted", "high"),
    ),
    "DeleteParameters": (
        Attempt(
            made("ssm delete-parameters --names /sgwatch/dev/one /sgwatch/dev/two"),
            "2 parameters (/sgwatch/dev/one, /sgwatch/dev/two) were deleted",
            "high",
        ),
    ),
    "PutSecretValue": (
        Attempt(
            made(f"secretsmanager put-secret-value --secret-id {SECRET_NAME} --secret-string c"),
            f"secret {SECRET_NAME} was given another value",
            "medium",
        ),
    ),
    "UpdateSecret": (
        Attempt(
            made(f"secretsmanager update-secret --secret-id {SECRET_NAME} --description changed"),
            f"secret {SECRET_NAME} was changed",
            "medium",
        ),
    ),
    "UpdateSecretVersionStage": (
        Attempt(
            made(
                f"secretsmanager update-secret-version-stage --secret-id {SECRET_NAME} --version-stage AWSCURRENT"
                " --remove-from-version-id {new} --move-to-version-id {old}"
            ),
            f"secret {SECRET_NAME} was given another version",
            "medium",
            prepare=_secret_version,
        ),
    ),
    "PutResourcePolicy": (
        Attempt(
            made(
                f"secretsmanager put-resource-policy --secret-id {SECRET_NAME} --resource-policy",
                policy({**ALL_OF_KEY, "Action": "secretsmanager:*"}),
            ),
            f"secret {SECRET_NAME} was given another policy",
            "medium",
        ),
    ),
    "DeleteSecret": (
        Attempt(
            made(f"secretsmanager delete-secret --secret-id {SECRET_NAME}"),
            f"secret {SECRET_NAME} was deleted",
            "high",
        ),
    ),
    "DeleteRole": (
        Attempt(made("iam delete-role --role-name sgwatch-dev-old"), "role sgwatch-dev-old was deleted", "high"),
    ),
    "PutRolePolicy": (
        Attempt(
            made(f"iam put-role-policy --role-name {SPARE} --policy-name extra --policy-document", HARMLESS),
            f"role {SPARE} was given inline policy extra",
            "medium",
        ),
    ),
    "DeleteRolePolicy": (
        Attempt(
            made(f"iam delete-role-policy --role-name {SPARE} --policy-name extra"),
            f"role {SPARE} was left without inline policy extra",
            "high",
            prepare=_inline,
        ),
    ),
    "AttachRolePolicy": (
        Attempt(
            made(f"iam attach-role-policy --role-name {SPARE} --policy-arn", "{managed}"),
            f"role {SPARE} was given policy arn:",
            "medium",
        ),
    ),
    "DetachRolePolicy": (
        Attempt(
            made(f"iam detach-role-policy --role-name {SPARE} --policy-arn", "{managed}"),
            f"role {SPARE} was left without policy arn:",
            "high",
            prepare=_attached,
        ),
    ),
    "UpdateAssumeRolePolicy": (
        Attempt(
            made(f"iam update-assume-role-policy --role-name {SPARE} --policy-document", policy(ASSUMED_BY_LAMBDA)),
            f"role {SPARE} was given another trust policy",
            "medium",
        ),
    ),
    "PutRolePermissionsBoundary": (
        Attempt(
            made(f"iam put-role-permissions-boundary --role-name {SPARE} --permissions-boundary", "{managed}"),
            f"role {SPARE} was given permissions boundary arn:",
            "medium",
        ),
    ),
}
ROWS = [
    pytest.param(call.name, number, id=f"{call.name}-{number}" if number else call.name)
    for call in TAMPER_CALLS
    for number in range(len(ATTEMPTS.get(call.name, ())) or 1)
]


def test_each_call_of_the_catalog_is_attempted() -> None:
    calls = {call.name for call in TAMPER_CALLS}
    assert sorted(calls - ATTEMPTS.keys()) == [], "no row in ATTEMPTS of tests/localcloud/test_tamper_catalog.py"
    assert sorted(ATTEMPTS.keys() - calls) == [], "no row in TAMPER_CALLS of chalicelib/cloudtrail/tamper_calls.py"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("deploy")
    with LocalCloud(region=REGION, awkwardness=MILD) as cloud:
        make_alarm_path(cloud)
        found = Account(cloud)
        _make_spares(found, folder / "code.zip")
        variables = {"WEBHOOK_URL": cloud.webhook_url, "WEBHOOK_SECRET": SECRET}
        deploy(ROOT, folder, cloud.environment(), variables=variables)
        found.settle()
        found.audit()
        assert found.status() == "pass"
        yield found


def _make_spares(account: Account, code: Any) -> None:
    """Resources that are named like sgwatch's own, and nothing depends on."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): pass")
    code.write_bytes(body.getvalue())
    iam, sqs, functions = (account.client(service) for service in ("iam", "sqs", "lambda"))
    for name in (SPARE, "sgwatch-dev-old"):
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(ASSUMED_BY_LAMBDA))["Role"]["Arn"]
        functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": body.getvalue()},
        )
    for name in (SPARE, "sgwatch-dev-old"):
        sqs.create_queue(QueueName=name)
    account.client("dynamodb").create_table(
        TableName=SPARE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    for name in (PARAMETER, "/sgwatch/dev/one", "/sgwatch/dev/two"):
        account.client("ssm").put_parameter(Name=name, Value="a", Type="String")
    account.client("secretsmanager").create_secret(Name=SECRET_NAME, SecretString="a")
    managed = iam.create_policy(PolicyName="extra", PolicyDocument=HARMLESS)["Policy"]["Arn"]
    account.values |= {
        # In us-east-1 version 1 of the CLI calls queue.amazonaws.com, whatever AWS_ENDPOINT_URL says.
        "endpoint": account.cloud.endpoint,
        "queue": f"{account.cloud.endpoint}/{ACCOUNT}/{SPARE}",
        "old_queue": f"{account.cloud.endpoint}/{ACCOUNT}/sgwatch-dev-old",
        "managed": managed,
        "only_us": policy(ALL_OF_KEY),
        "zip": str(code),
    }


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), ROWS)
def test_the_call_is_alerted_with_its_words_and_its_caller(account: Account, name: str, number: int) -> None:
    attempt = ATTEMPTS[name][number]
    cloud = account.cloud
    attempt.prepare(account)
    account.settle()
    user = f"mallory-{name.lower()}-{number}"
    shell = AwsShell(cloud.environment(cloud.identities.user(user)))
    try:
        ran = shell.aws(*(_filled(word, account.values) for word in attempt.command))
    finally:
        shell.close()
    assert ran.code == 0, ran.err
    message = cloud.inbox.wait_for(lambda item: _is_of(alert_in(item.payload), name, user), SECONDS)
    assert message is not None, [item.title for item in cloud.inbox.messages("webhook")][-5:]
    alert = alert_in(message.payload)
    account.settle()
    account.make_sound()
    said = f"{alert['title']} {alert['summary']}"
    assert attempt.says.lower() in said.lower()
    assert (alert["kind"], alert["severity"]) == ("alarm_path", attempt.severity), said
    assert alert["alarm_path"]["broken_by_this_call"] is attempt.broke, said
    assert alert["event"]["outcome"] == "succeeded"
    assert alert["region"] == REGION
    assert cloud.seconds_to(message, alert["event"]["id"]) < CLI_SECONDS


def _filled(word: str, values: dict[str, str]) -> str:
    """The word with the values of what was made in the place of their names."""
    for name, value in values.items():
        word = word.replace("{" + name + "}", value)
    return word.replace("{{", "{").replace("}}", "}") if "{{" in word else word


def _is_of(alert: Alert, name: str, user: str) -> bool:
    return bool(alert["event"]["name"] == name and (alert["principal"] or {}).get("name") == user)
