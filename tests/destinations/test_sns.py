from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from chalicelib.alert.model import Alert, Changes, Undo, from_json, to_json
from chalicelib.destinations.aws_errors import error_from
from chalicelib.destinations.contract import DeliveryError
from chalicelib.destinations.sns import MAX_BYTES, Sns, SnsFormat, payload, subject
from tests.support.alerts import SAMPLES, critical_open_ssh, hostile, not_understood, rule, thousand_rules
from tests.support.examples import examples
from tests.support.goldens import check_golden
from tests.support.unknowns import sentences

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"


def size(request: dict[str, Any]) -> int:
    """What SNS counts: the message with the names, types and values of its attributes."""
    attributes = request["MessageAttributes"].items()
    return len(request["Message"].encode()) + sum(
        len(name.encode()) + len(item["DataType"].encode()) + len(item["StringValue"].encode())
        for name, item in attributes
    )


def check_limits(request: dict[str, Any]) -> None:
    assert re.fullmatch(r"[\x20-\x7e]{1,99}", request["Subject"])
    assert request["Message"]
    assert size(request) <= MAX_BYTES
    for item in request["MessageAttributes"].values():
        assert item["StringValue"]


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_mail_is_the_golden_one(sample: str) -> None:
    request = payload(SAMPLES[sample](), "text")
    check_limits(request)
    check_golden(Path("sns") / f"{sample}.txt", f"Subject: {request['Subject']}\n\n{request['Message']}")


def test_the_attributes_are_what_filter_policies_match_on() -> None:
    found = {
        name: item["StringValue"] for name, item in payload(critical_open_ssh(), "text")["MessageAttributes"].items()
    }
    assert found == {
        "severity": "critical",
        "account": "123456789012",
        "region": "eu-west-1",
        "event": "AuthorizeSecurityGroupIngress",
        "kind": "security_group_change",
    }


def test_what_is_not_known_has_no_attribute() -> None:
    assert set(payload(not_understood(), "json")["MessageAttributes"]) == {"severity", "kind"}


def test_the_subject_is_ascii_and_under_100_characters() -> None:
    alert = critical_open_ssh()._replace(title="tcp/22 → “the world” – é\r\nBcc: x@example.com " + "x" * 200)
    found = subject(alert)
    assert found.startswith('[CRITICAL] tcp/22 -> "the world" - ?\\r\\nBcc: x@example.com xxx')
    assert found.endswith("...")
    assert len(found) == 99


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_json_is_the_alert(sample: str) -> None:
    alert = SAMPLES[sample]()
    assert from_json(json.loads(payload(alert, "json")["Message"])) == alert


def huge(count: int, description: str = "x" * 200) -> Alert:
    rules = tuple(rule(f"10.{i // 250}.{i % 250}.0/24", description=description) for i in range(count))
    return critical_open_ssh()._replace(changes=Changes(added=rules), undo=Undo(("aws " + "y" * 300_000,)))


def test_a_mail_that_is_too_long_says_how_many_rules_are_left_out() -> None:
    request = payload(huge(3_000), "text")
    check_limits(request)
    shown = request["Message"].count("+ ingress")
    assert 500 < shown < 3_000
    assert f"… and {3_000 - shown:,} more rules" in request["Message"]
    assert "Not shown (1 command): it is too long for this message" in request["Message"]
    assert "yyy" not in request["Message"]


def test_json_that_is_too_long_says_in_its_unknowns_what_was_left_out() -> None:
    request = payload(huge(3_000), "json")
    check_limits(request)
    alert = from_json(json.loads(request["Message"]))
    assert alert.changes.added == huge(3_000).changes.added[: len(alert.changes.added)]
    left = 3_000 - len(alert.changes.added)
    assert f"{left:,} more rules: left out to fit into an SNS message" in sentences(alert.unknowns)
    assert alert.undo == Undo(None, "the commands are too long for an SNS message")


def test_the_attributes_count_towards_the_limit() -> None:
    alert = huge(400)._replace(undo=Undo(()), summary="")
    alone = len(payload(alert, "json")["Message"])
    request = payload(alert._replace(summary="s" * (MAX_BYTES - 20 - alone)), "json")
    assert len(from_json(json.loads(request["Message"])).changes.added) == 300
    check_limits(request)


def test_as_many_rules_stay_as_fit() -> None:
    alert = huge(1_200)._replace(undo=Undo(()))
    kept = from_json(json.loads(payload(alert, "json")["Message"]))
    assert len(kept.changes.added) == 300
    assert kept.exposures == alert.exposures


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("text", ["x" * 40_000, "\U0001f600" * 10_000, "\ud800" * 10_000, "\x00", ""])
def test_absurd_texts_stay_within_the_limits(form: SnsFormat, text: str) -> None:
    check_limits(payload(hostile(text), form))


@given(st.text())
@settings(max_examples=examples(100), deadline=None)
def test_no_text_at_all_is_refused_by_sns(text: str) -> None:
    for form in ("text", "json"):
        request = payload(hostile(text), form)
        check_limits(request)
        assert not re.search(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", request["Message"])


def test_what_is_left_of_an_absurd_alert_is_an_alert_still() -> None:
    alert = from_json(json.loads(payload(hostile("x" * 300_000), "json")["Message"]))
    assert from_json(to_json(alert)) == alert
    assert alert.severity == hostile().severity
    assert alert.principal
    assert sentences(alert.unknowns) == (
        "all but the headline, the call, who and which group: left out to fit into an SNS message",
    )


@pytest.mark.parametrize(
    ("code", "status", "permanent"),
    [
        ("NotFound", 404, True),
        ("AuthorizationError", 403, True),
        ("InvalidParameter", 400, True),
        ("ParameterValueInvalid", 400, True),
        ("InvalidSecurity", 403, True),
        ("KMSDisabled", 400, True),
        ("KMSAccessDenied", 400, True),
        ("InvalidClientTokenId", 403, True),
        ("KMSThrottling", 400, False),
        ("Throttling", 400, False),
        ("Throttled", 429, False),
        ("ExpiredToken", 403, False),
        ("RequestExpired", 400, False),
        ("InternalError", 500, False),
        ("ServiceUnavailable", 503, False),
    ],
)
def test_what_sns_answers_is_permanent_or_worth_a_retry(code: str, status: int, permanent: bool) -> None:
    answer: Any = {"Error": {"Code": code, "Message": TOPIC}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = error_from(ClientError(answer, "Publish"), "SNS")
    assert (error.reason, error.permanent) == (f"SNS answered {code}", permanent)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3


def subscribed(aws: Any, name: str, **attributes: str) -> tuple[str, str, Any, Any]:
    sns, sqs = aws.client("sns", region_name="eu-west-1"), aws.client("sqs", region_name="eu-west-1")
    topic = sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
    queue = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, queue, sns, sqs


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_aws_client_takes_every_alert(aws: Any, form: SnsFormat) -> None:
    topic, queue, sns, sqs = subscribed(aws, "alerts")
    for make in (*SAMPLES.values(), hostile):
        receipt = Sns("sns", topic, form, lambda: sns).send(make())
        assert receipt.reference
        (message,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)["Messages"]
        body = json.loads(message["Body"])
        assert body["MessageId"] == receipt.reference
        assert body["Message"] == payload(make(), form)["Message"]
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_a_fifo_topic_gets_the_ids_it_asks_for(aws: Any) -> None:
    topic, queue, sns, sqs = subscribed(aws, "alerts.fifo", FifoTopic="true", FifoQueue="true")
    destination = Sns("sns", topic, "text", lambda: sns)
    destination.send(thousand_rules())
    destination.send(hostile())
    assert len(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]) == 2


def test_two_destinations_on_one_fifo_topic_both_publish(aws: Any) -> None:
    topic, queue, sns, sqs = subscribed(aws, "alerts.fifo", FifoTopic="true", FifoQueue="true")
    Sns("sns", topic, "text", lambda: sns).send(critical_open_ssh())
    for _ in range(2):
        Sns("sns.programs", topic, "json", lambda: sns).send(critical_open_ssh())
    assert len(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]) == 2


def test_a_topic_that_is_gone_is_a_permanent_failure(aws: Any) -> None:
    sns = aws.client("sns", region_name="eu-west-1")
    with pytest.raises(DeliveryError) as caught:
        Sns("sns", TOPIC, "text", lambda: sns).send(critical_open_ssh())
    assert (caught.value.reason, caught.value.permanent) == ("SNS answered NotFound", True)


def test_the_client_is_not_asked_for_before_there_is_something_to_send() -> None:
    asked: list[int] = []
    Sns("sns", TOPIC, "text", lambda: asked.append(1))  # type: ignore[arg-type, return-value]
    assert asked == []
