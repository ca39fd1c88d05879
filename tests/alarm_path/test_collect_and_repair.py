"""Collecting from and repairing an account played by moto on loopback."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto.server import ThreadedMotoServer

from chalicelib.alarm_path.audit import audit
from chalicelib.alarm_path.audit_run import Auditor, NotAudited
from chalicelib.alarm_path.patterns.pattern_coverage import coverage_of
from chalicelib.alarm_path.repair import Plan, Subscriber, apply, plan
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.snapshot.collect import collect
from chalicelib.alarm_path.snapshot.collect_own_path import OwnPath
from chalicelib.alarm_path.snapshot.model import Snapshot
from chalicelib.alarm_path.snapshot.snapshot_reader import read_snapshot
from chalicelib.alarm_path.standards import Standard
from localcloud.functions.older_sdk import write_models
from tests.support.alarm_paths import ACCOUNT, REGION, Account, Document, alarm, metric_filter
from tests.support.command_line import ROOT

MAIL = Subscriber("email", "security@example.com")
Clients = Callable[[str, str], Any]

# An answer that a handler of before-call gives in place of the request: the HTTP response and what was read of it.
_NO_MUTE_RULES: tuple[AWSResponse, dict[str, Any]] = (
    AWSResponse("", 200, HTTPHeaders(), None),
    {"AlarmMuteRuleSummaries": []},
)


class Aws:
    """Clients of a moto server that count the calls they make."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.calls: list[str] = []
        self._made: dict[tuple[str, str], Any] = {}

    def __call__(self, service: str, region: str) -> Any:
        if (service, region) not in self._made:
            client = boto3.client(  # type: ignore[call-overload]
                service,
                region_name=region,
                endpoint_url=self.endpoint,
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
                config=Config(retries={"total_max_attempts": 1}),
            )
            client.meta.events.register("before-call.*.*", lambda model, **_: self.calls.append(model.name))
            # moto has no mute rules and answers with 500
            client.meta.events.register("before-call.cloudwatch.ListAlarmMuteRules", lambda **_: _NO_MUTE_RULES)
            self._made[service, region] = client
        return self._made[service, region]

    def collected(self) -> Document:
        return collect(self, home_region=REGION, now=datetime.now(UTC))

    def judged(self) -> tuple[Snapshot, Report]:
        document = self.collected()
        for item in document["trails"]:
            # moto never says that a trail delivered to CloudWatch Logs
            item["Status"]["LatestCloudWatchLogsDeliveryTime"] = document["collected_at"]
        snapshot = read_snapshot(document)
        return snapshot, audit(snapshot, coverage_of, checked_at=datetime.now(UTC))

    def with_trail(self) -> None:
        self("s3", REGION).create_bucket(Bucket="trail-bucket")
        self("logs", REGION).create_log_group(logGroupName="trail-logs")
        self("cloudtrail", REGION).create_trail(
            Name="main",
            S3BucketName="trail-bucket",
            IsMultiRegionTrail=True,
            CloudWatchLogsLogGroupArn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:trail-logs:*",
            CloudWatchLogsRoleArn=f"arn:aws:iam::{ACCOUNT}:role/trail",
        )
        self("cloudtrail", REGION).start_logging(Name="main")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def aws(server: str) -> Aws:
    import urllib.request  # noqa: PLC0415

    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST")).close()
    return Aws(server)


def test_an_empty_account_is_refused_with_exact_next_steps(aws: Aws) -> None:
    snapshot, report = aws.judged()
    assert report.status == "fail"
    planned = plan(snapshot, report, MAIL)
    assert planned.steps == ()
    assert "no CloudTrail trail" in planned.refusals[0]
    assert f" && aws cloudtrail create-trail --region {REGION} --name sgwatch-trail " in planned.next_steps[0]


def test_repair_makes_every_missing_link_and_a_second_run_finds_nothing(aws: Aws) -> None:
    aws.with_trail()
    snapshot, report = aws.judged()
    assert report.status == "fail"
    planned = plan(snapshot, report, MAIL)
    assert [step.action for step in planned.steps] == [
        "CreateTopic",
        "PutMetricFilter",
        "PutMetricAlarm",
        "PutMetricFilter",
        "PutMetricAlarm",
        "Subscribe",
    ]
    assert "Confirm the subscription" in planned.human[0]
    apply(planned.steps, aws)
    snapshot, report = aws.judged()
    assert {name: status.value for name, status in report.standards.items()} == dict.fromkeys(
        ("cis_1_to_4", "cis_5", "security_hub"), "pass"
    )
    assert plan(snapshot, report, MAIL) == Plan(())


def repaired(aws: Aws) -> None:
    aws.with_trail()
    snapshot, report = aws.judged()
    planned = plan(snapshot, report, MAIL)
    apply(planned.steps, aws)


def test_what_repair_makes_is_taken_back_in_its_own_region(aws: Aws) -> None:
    aws.with_trail()
    commands = [step.undo.command() for step in plan(*aws.judged(), MAIL).steps if step.undo]
    assert len(commands) == 5
    assert all(f" --region {REGION} " in command for command in commands)


def test_what_repair_changes_is_taken_back_as_it_was(aws: Aws) -> None:
    repaired(aws)
    aws("sns", REGION).set_topic_attributes(
        TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:sgwatch-alarms", AttributeName="Policy", AttributeValue='{"a": "b"}'
    )
    name = "sgwatch-security-group-changes"
    there = aws("logs", REGION).describe_metric_filters(filterNamePrefix=name)["metricFilters"]
    made = next(item for item in there if item["filterName"] == name)
    kept = {key: made[key] for key in ("logGroupName", "filterName", "metricTransformations")}
    # moto keeps a filter beside one of the same name that is put
    aws("logs", REGION).delete_metric_filter(logGroupName=kept["logGroupName"], filterName=name)
    aws("logs", REGION).put_metric_filter(**kept, filterPattern="{ $.a = b }")
    aws("cloudwatch", REGION).disable_alarm_actions(AlarmNames=[name])
    before = aws.collected()["regions"][REGION]
    planned = plan(*aws.judged())
    assert [step.action for step in planned.steps] == ["PutMetricFilter", "EnableAlarmActions", "SetTopicAttributes"]
    apply(planned.steps, aws)
    aws("logs", REGION).delete_metric_filter(logGroupName=kept["logGroupName"], filterName=name)
    for step in planned.steps:
        assert step.undo is not None
    apply([step.undo for step in planned.steps if step.undo], aws)
    after = aws.collected()["regions"][REGION]
    assert after["topics"] == before["topics"]
    for kind, key in (("metric_filters", "filterName"), ("metric_alarms", "AlarmName")):
        assert {item[key]: unstamped(item) for item in after[kind]} == {
            item[key]: unstamped(item) for item in before[kind]
        }


def unstamped(item: Document) -> Document:
    return {key: value for key, value in item.items() if "Timestamp" not in key and key != "creationTime"}


def test_a_filter_policy_on_its_own_topic_is_opened(aws: Aws) -> None:
    repaired(aws)
    subscription = aws("sns", REGION).list_subscriptions()["Subscriptions"][0]["SubscriptionArn"]
    aws("sns", REGION).set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue='{"severity": ["high"]}'
    )
    planned = plan(*aws.judged())
    assert [(step.action, step.parameters["AttributeValue"]) for step in planned.steps] == [
        ("SetSubscriptionAttributes", "{}")
    ]


def test_who_has_been_asked_is_to_confirm_and_not_to_be_asked_again(aws: Aws) -> None:
    repaired(aws)
    document = aws.collected()
    (topic,) = document["regions"][REGION]["topics"].values()
    topic["Subscriptions"] = [{**topic["Subscriptions"][0], "SubscriptionArn": "PendingConfirmation", "Attributes": {}}]
    snapshot = read_snapshot(document)
    planned = plan(snapshot, audit(snapshot, coverage_of, checked_at=datetime.now(UTC)))
    assert planned.steps == ()
    assert planned.human == (
        "Confirm the subscription: AWS sends a message to security@example.com with a link to follow.",
    )


def test_a_single_missing_link_is_made_alone(aws: Aws) -> None:
    repaired(aws)
    aws("cloudwatch", REGION).disable_alarm_actions(AlarmNames=["sgwatch-security-group-changes"])
    snapshot, report = aws.judged()
    assert report.status == "fail"
    again = plan(snapshot, report, MAIL)
    assert [(step.action, step.parameters["AlarmNames"]) for step in again.steps] == [
        ("EnableAlarmActions", ["sgwatch-security-group-changes"])
    ]
    apply(again.steps, aws)
    assert aws.judged()[1].status == "pass"


def test_a_stopped_trail_is_not_touched_and_the_command_is_reported(aws: Aws) -> None:
    aws.with_trail()
    aws("cloudtrail", REGION).stop_logging(Name="main")
    snapshot, report = aws.judged()
    planned = plan(snapshot, report, MAIL)
    assert planned.steps == ()
    assert any(step.startswith("aws cloudtrail start-logging") for step in planned.next_steps)


def test_everything_that_repair_makes_or_changes_bears_its_own_name() -> None:
    account = Account()
    account.alarms = []
    snapshot = read_snapshot(account.document())
    planned = plan(snapshot, audit(snapshot, coverage_of, checked_at=datetime.now(UTC)), MAIL)
    for step in planned.steps:
        named = [step.parameters.get(key) for key in ("filterName", "AlarmName", "Name", "TopicArn")]
        assert "sgwatch-" in str(next(name for name in named if name))


def test_where_somebody_elses_path_meets_one_text_only_the_other_is_made() -> None:
    snapshot = read_snapshot(Account().document())
    hub = Standard.SECURITY_HUB
    report = audit(snapshot, coverage_of, checked_at=datetime.now(UTC), standard=hub)
    planned = plan(snapshot, report, MAIL, standard=hub)
    made = [step.parameters["filterName"] for step in planned.steps if step.action == "PutMetricFilter"]
    assert made == ["sgwatch-security-group-changes-cis-1-to-4"]


def test_a_full_log_group_is_refused() -> None:
    account = Account()
    account.filters = [metric_filter(f"f{number}", ("Other",)) for number in range(100)]
    snapshot = read_snapshot(account.document())
    planned = plan(snapshot, audit(snapshot, coverage_of, checked_at=datetime.now(UTC)), MAIL)
    assert planned.steps == ()
    assert "AWS allows 100" in planned.refusals[0]


def test_what_could_not_be_read_is_not_repaired() -> None:
    document = Account().document()
    del document["regions"][REGION]["metric_alarms"]
    snapshot = read_snapshot(document)
    planned = plan(snapshot, audit(snapshot, coverage_of, checked_at=datetime.now(UTC)), MAIL)
    assert planned.steps == ()
    assert "metric_alarms" in planned.refusals[0]


def test_the_calls_grow_with_pages_and_not_with_items(aws: Aws) -> None:
    aws.with_trail()
    aws.collected()
    aws.calls.clear()
    aws.collected()
    before = sorted(aws.calls)
    for number in range(40):
        name = f"f{number}"
        aws("logs", REGION).put_metric_filter(
            logGroupName="trail-logs",
            filterName=name,
            filterPattern="{ $.eventName = x }",
            metricTransformations=[{"metricName": name, "metricNamespace": "n", "metricValue": "1"}],
        )
        item = alarm(name, name, AlarmActions=[])
        for key in ("AlarmArn", "StateValue"):
            del item[key]
        aws("cloudwatch", REGION).put_metric_alarm(**item)
    aws.calls.clear()
    document = aws.collected()
    assert sorted(aws.calls) == before
    assert len(document["regions"][REGION]["metric_alarms"]) == 40


class Refusing:
    """The clients of ``Aws`` with some calls refused."""

    def __init__(self, aws: Aws, action: str, error: Exception) -> None:
        self.aws, self.action, self.error = aws, action, error

    def __call__(self, service: str, region: str) -> Any:
        fresh = Aws(self.aws.endpoint)
        client = fresh(service, region)
        client.meta.events.register("before-call.*.*", self._refuse)
        return client

    def _refuse(self, model: Any, **_: object) -> None:
        if model.name == self.action:
            raise self.error


@pytest.mark.parametrize(
    ("action", "call"),
    [
        ("DescribeTrails", "cloudtrail:DescribeTrails"),
        ("GetTrailStatus", "cloudtrail:GetTrailStatus"),
        ("GetEventSelectors", "cloudtrail:GetEventSelectors"),
        ("DescribeLogGroups", "logs:DescribeLogGroups"),
        ("DescribeMetricFilters", "logs:DescribeMetricFilters"),
        ("DescribeAlarms", "cloudwatch:DescribeAlarms"),
        ("GetTopicAttributes", "sns:GetTopicAttributes"),
        ("ListSubscriptionsByTopic", "sns:ListSubscriptionsByTopic"),
        ("GetSubscriptionAttributes", "sns:GetSubscriptionAttributes"),
    ],
)
def test_a_refused_call_is_recorded_and_makes_the_answer_unknown(aws: Aws, action: str, call: str) -> None:
    aws.with_trail()
    snapshot, report = aws.judged()
    planned = plan(snapshot, report, MAIL)
    apply(planned.steps, aws)
    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, action)
    document = collect(Refusing(aws, action, refused), home_region=REGION, now=datetime.now(UTC))
    assert document["errors"][0] | {"resource": None, "message": ""} == {
        "call": call,
        "region": REGION,
        "resource": None,
        "code": "AccessDeniedException",
        "message": "",
    }
    for item in document.get("trails", []):
        item.get("Status", {})["LatestCloudWatchLogsDeliveryTime"] = document["collected_at"]
    assert audit(read_snapshot(document), coverage_of, checked_at=datetime.now(UTC)).status == "unknown"


class Answering:
    """The clients of ``Aws`` with the answers to some calls given, one after the other."""

    def __init__(self, aws: Aws, **answers: list[Document]) -> None:
        self.aws, self.answers = aws, answers

    def __call__(self, service: str, region: str) -> Any:
        client = Aws(self.aws.endpoint)(service, region)
        client.meta.events.register("before-call.*.*", self._answer)
        return client

    def _answer(self, model: Any, **_: object) -> tuple[Any, Document] | None:
        if not self.answers.get(model.name):
            return None
        return AWSResponse("", 200, HTTPHeaders(), None), self.answers[model.name].pop(0)


def test_every_page_of_the_accounts_transformers_is_read(aws: Aws) -> None:
    aws.with_trail()
    pages: list[Document] = [
        {"accountPolicies": [{"policyName": "a"}], "nextToken": "t"},
        {"accountPolicies": [{"policyName": "b"}]},
    ]
    filters = [{"metricFilters": [metric_filter(applyOnTransformedLogs=True)]}]
    clients = Answering(aws, DescribeMetricFilters=filters, GetTransformer=[{}], DescribeAccountPolicies=pages)
    region = collect(clients, home_region=REGION, now=datetime.now(UTC))["regions"][REGION]
    assert region["log_transformers"] == {"trail-logs": {}}
    assert [policy["policyName"] for policy in region["transformer_policies"]] == ["a", "b"]


class Body(io.BytesIO):
    """A body as the SDK reads it."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


class Garbled:
    """Clients for which something between them and AWS answers one call itself."""

    def __init__(self, aws: Aws, operation: str) -> None:
        self.aws, self.operation = aws, operation

    def __call__(self, service: str, region: str) -> Any:
        client = Aws(self.aws.endpoint)(service, region)
        client.meta.events.register(f"before-send.*.{self.operation}", self._answer)
        return client

    def _answer(self, **_: object) -> AWSResponse:
        return AWSResponse("", 200, HTTPHeaders(), Body(b"<p>Please log in"))


def test_an_answer_that_is_not_awss_is_recorded_too(aws: Aws) -> None:
    repaired(aws)
    document = collect(Garbled(aws, "GetTopicAttributes"), home_region=REGION, now=datetime.now(UTC))
    found = [error for error in document["errors"] if error["call"] == "sns:GetTopicAttributes"]
    assert found[0]["code"] == "ResponseParserError"
    with pytest.raises(NotAudited):
        Auditor(Garbled(aws, "GetCallerIdentity"), REGION, Standard.CIS_5, lambda: datetime.now(UTC)).audit()


def test_no_answer_at_all_is_recorded_too(aws: Aws) -> None:
    aws.with_trail()
    timeout = ConnectTimeoutError(endpoint_url="https://logs.example.com")
    document = collect(Refusing(aws, "DescribeLogGroups", timeout), home_region=REGION, now=datetime.now(UTC))
    assert document["errors"][0]["code"] == "ConnectTimeoutError"
    assert "log_groups" not in document["regions"][REGION]


def test_a_topic_that_is_gone_is_left_out_and_the_error_says_so(aws: Aws) -> None:
    aws.with_trail()
    snapshot, report = aws.judged()
    planned = plan(snapshot, report, MAIL)
    apply(planned.steps, aws)
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:sgwatch-alarms"
    aws("sns", REGION).delete_topic(TopicArn=topic)
    assert aws.collected()["regions"][REGION]["topics"] == {}
    snapshot, report = aws.judged()
    assert report.status == "fail"
    assert [step.action for step in plan(snapshot, report, MAIL).steps] == [
        "CreateTopic",
        "Subscribe",
    ]


def auditor(aws: Aws) -> Auditor:
    return Auditor(aws, REGION, Standard.CIS_5, lambda: datetime.now(UTC))


def test_the_function_repairs_what_sgwatch_made_and_nothing_of_others(aws: Aws) -> None:
    aws.with_trail()
    before = auditor(aws).audit()
    assert before.standing.status == "fail"
    assert auditor(aws).repair(before, None) == []
    snapshot, report = aws.judged()
    apply(plan(snapshot, report, MAIL).steps, aws)
    aws("logs", REGION).delete_metric_filter(logGroupName="trail-logs", filterName="sgwatch-security-group-changes")
    done = auditor(aws).repair(auditor(aws).audit(), None)
    assert [(step.call, step.failure) for step in done] == [("logs:PutMetricFilter", None)]
    assert aws.judged()[1].status == "pass"


def test_what_sgwatch_made_is_known_from_before_where_all_of_it_is_gone(aws: Aws) -> None:
    aws.with_trail()
    done = auditor(aws).repair(auditor(aws).audit(), frozenset({"sgwatch-alarms"}))
    assert [step.call for step in done][:2] == ["sns:CreateTopic", "logs:PutMetricFilter"]


def test_a_repair_ends_at_the_first_refusal_and_names_it(aws: Aws) -> None:
    aws.with_trail()
    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutMetricFilter")
    clients = Refusing(aws, "PutMetricFilter", refused)
    found = auditor(aws).audit()
    done = Auditor(clients, REGION, Standard.CIS_5, lambda: datetime.now(UTC)).repair(
        found, frozenset({"sgwatch-alarms"})
    )
    assert (done[-1].call, done[-1].failure) == ("logs:PutMetricFilter", "AccessDeniedException")


def test_an_account_that_cannot_be_asked_is_not_audited(aws: Aws) -> None:
    refused = ClientError({"Error": {"Code": "ExpiredToken", "Message": "no"}}, "GetCallerIdentity")
    clients = Refusing(aws, "GetCallerIdentity", refused)
    with pytest.raises(NotAudited, match="ExpiredToken on GetCallerIdentity"):
        Auditor(clients, REGION, Standard.CIS_5, lambda: datetime.now(UTC)).audit()


class Counted:
    """Clients that keep which operations were called how often, and whose SDK lacks some of them."""

    def __init__(self, aws: Aws, *missing: str) -> None:
        self.aws, self.missing, self.calls = aws, missing, list[tuple[str, dict[str, Any]]]()

    def __call__(self, service: str, region: str) -> Any:
        client = self.aws(service, region)
        client.meta.events.register("before-parameter-build.*", self._note, unique_id="counted")
        return _Older(client, self.missing)

    def _note(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        self.calls.append((model.name, dict(params)))


class _Older:
    def __init__(self, client: Any, missing: tuple[str, ...]) -> None:
        self._client, self._missing = client, missing

    def __getattr__(self, name: str) -> Any:
        if name in self._missing:
            raise AttributeError(name)
        return getattr(self._client, name)


def test_an_operation_that_the_sdk_does_not_know_is_an_error_and_no_crash(aws: Aws) -> None:
    aws.with_trail()
    clients = Counted(aws, "list_alarm_mute_rules")
    document = collect(clients, home_region=REGION, now=datetime.now(UTC))
    (error,) = [error for error in document["errors"] if error["call"] == "cloudwatch:ListAlarmMuteRules"]
    assert error["code"] == "OperationNotInSdk"
    assert "alarm_mute_rules" not in document["regions"][REGION]
    assert document["regions"][REGION]["metric_filters"] == []


class OlderSdk:
    """Clients of a moto server whose botocore has models without some operations."""

    def __init__(self, aws: Aws, folder: Path, lacking: Iterable[tuple[str, str]]) -> None:
        self._endpoint = aws.endpoint
        self._session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
        loader = self._session._session.get_component("data_loader")
        loader.search_paths.insert(0, str(write_models(folder, lacking)))

    def __call__(self, service: str, region: str) -> Any:
        return self._session.client(  # type: ignore[call-overload]
            service,
            region_name=region,
            endpoint_url=self._endpoint,
            config=Config(retries={"total_max_attempts": 1}),
        )


# What AWS added since the oldest release that pyproject.toml promises.
LATER = {("cloudwatch", "ListAlarmMuteRules"), ("cloudwatch", "GetAlarmMuteRule"), ("logs", "GetTransformer")}
# What an audit of this account asks, but for those without which there is nothing to collect.
ASKED = {
    *LATER,
    ("cloudtrail", "GetTrailStatus"),
    ("cloudtrail", "GetEventSelectors"),
    ("logs", "DescribeLogGroups"),
    ("logs", "DescribeMetricFilters"),
    ("cloudwatch", "DescribeAlarms"),
    *(("lambda", name) for name in ("GetFunction", "GetPolicy", "ListEventSourceMappings")),
    *(("sqs", name) for name in ("GetQueueUrl", "GetQueueAttributes")),
    ("dynamodb", "DescribeTable"),
}
OWN = OwnPath({"sgwatch-dev-alert_on_change": {}}, ("q",), "d.fifo", "t", "sgwatch-dev-deliver", "sgwatch-dev")


@pytest.mark.parametrize(("lacking", "status"), [(LATER, "fail"), (ASKED, "unknown")])
def test_an_audit_with_an_older_sdk_says_what_it_could_not_ask(
    aws: Aws, tmp_path: Path, lacking: set[tuple[str, str]], status: str
) -> None:
    aws.with_trail()
    auditor = Auditor(OlderSdk(aws, tmp_path, lacking), REGION, Standard.CIS_5, lambda: datetime.now(UTC), own=OWN)
    document = auditor.document(datetime.now(UTC))
    errors = {error["call"] for error in document["errors"] if error["code"] == "OperationNotInSdk"}
    assert errors <= {f"{service}:{operation}" for service, operation in lacking}
    assert "cloudwatch:ListAlarmMuteRules" in errors
    assert len(errors) == 1 if lacking is LATER else len(errors) > 6
    report = audit(read_snapshot(document), coverage_of, checked_at=datetime.now(UTC))
    assert report.status.value == status


def test_the_oldest_sdk_that_is_promised_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "boto3>=1.28" in project["dependencies"]
    assert "boto3 1.28" in (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_only_the_filters_of_the_trails_log_groups_are_read(aws: Aws) -> None:
    aws.with_trail()
    logs = aws("logs", REGION)
    for place in range(60):
        logs.create_log_group(logGroupName=f"/aws/lambda/f{place}")
    clients = Counted(aws)
    document = collect(clients, home_region=REGION, now=datetime.now(UTC))
    (group,) = document["regions"][REGION]["log_groups"]
    asked = [(name, params) for name, params in clients.calls if name in ("DescribeLogGroups", "DescribeMetricFilters")]
    assert asked == [
        ("DescribeLogGroups", {"logGroupNamePrefix": group["logGroupName"]}),
        ("DescribeMetricFilters", {"logGroupName": group["logGroupName"]}),
    ]
