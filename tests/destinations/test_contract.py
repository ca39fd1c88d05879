"""What every destination promises, each against a real server (SNS: against a client's real errors)."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from chalicelib.alert.model import Alert
from chalicelib.destinations.contract import DeliveryError, Destination, Receipt
from chalicelib.destinations.http_door import HttpDoor, is_permanent, is_success
from chalicelib.destinations.slack import Slack
from chalicelib.destinations.sns import Sns, SnsPublisher
from chalicelib.destinations.webhook import Webhook
from tests.support.alerts import SAMPLES, critical_open_ssh, hostile
from tests.support.receiver import Answer, Receiver, receiver

DOOR = HttpDoor(0.5, 0.3, deadline=2)
SECRET = "whsec_eHl6enlYWVpaWXh5enp5WFlaWllYWVpaWQ=="
PATH = "/services/T0XYZZY/B0XYZZY/xyzzyXYZZYxyzzy"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"


@dataclass
class FakeSns:
    """An SNS client that answers HTTP statuses as botocore tells them."""

    answer: Answer
    published: list[dict[str, Any]]

    def publish(self, **kwargs: Any) -> dict[str, str]:
        self.published.append(kwargs)
        if is_success(self.answer.status):
            return {"MessageId": "8a1c"}
        code = "Throttled" if self.answer.status == 429 else f"Code{self.answer.status}"
        raise ClientError(
            {"Error": {"Code": code, "Message": PATH}, "ResponseMetadata": {"HTTPStatusCode": self.answer.status}},  # type: ignore[typeddict-item]
            "Publish",
        )


Make = Callable[[Receiver], Destination]


def fake_sns(inbox: Receiver) -> SnsPublisher:
    return FakeSns(inbox.answers[0], [])


DESTINATIONS: dict[str, Make] = {
    "slack": lambda inbox: Slack("slack", inbox.url + PATH, DOOR),
    "sns": lambda inbox: Sns("sns", TOPIC, "text", lambda: fake_sns(inbox)),
    "sns json": lambda inbox: Sns("sns.programs", TOPIC, "json", lambda: fake_sns(inbox)),
    "webhook": lambda inbox: Webhook("webhook", inbox.url + PATH, SECRET, DOOR),
    "webhook unsigned": lambda inbox: Webhook("webhook.open", inbox.url + PATH, None, DOOR),
}
OVER_HTTP = [name for name in DESTINATIONS if not name.startswith("sns")]


@pytest.fixture(params=DESTINATIONS)
def make(request: pytest.FixtureRequest) -> Make:
    return DESTINATIONS[str(request.param)]


@pytest.fixture(params=OVER_HTTP)
def make_over_http(request: pytest.FixtureRequest) -> Make:
    return DESTINATIONS[str(request.param)]


def failure(destination: Destination, alert: Alert) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        destination.send(alert)
    return caught.value


@pytest.mark.parametrize("sample", SAMPLES)
def test_it_returns_a_receipt_for_what_was_taken(make: Make, inbox: Receiver, sample: str) -> None:
    assert isinstance(make(inbox).send(SAMPLES[sample]()), Receipt)


def test_it_delivers_an_alert_whose_every_text_is_hostile(make: Make, inbox: Receiver) -> None:
    assert isinstance(make(inbox).send(hostile()), Receipt)


@pytest.mark.parametrize("status", [300, 302, 304, 307, 400, 401, 403, 404, 405, 408, 409, 410, 413, 422, 425, 429])
def test_it_takes_the_table_of_statuses_for_client_errors(make: Make, inbox: Receiver, status: int) -> None:
    inbox.will(Answer(status, b""))
    assert failure(make(inbox), critical_open_ssh()).permanent is is_permanent(status)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 529])
def test_a_server_error_is_worth_a_retry(make: Make, inbox: Receiver, status: int) -> None:
    inbox.will(Answer(status, b""))
    assert not failure(make(inbox), critical_open_ssh()).permanent


def test_a_failure_tells_the_status(make_over_http: Make, inbox: Receiver) -> None:
    inbox.will(Answer(418, b"short and stout"))
    assert failure(make_over_http(inbox), critical_open_ssh()).reason == "it answered HTTP 418"


@pytest.mark.parametrize("status", [429, 503])
def test_it_hands_on_how_long_to_wait(make_over_http: Make, inbox: Receiver, status: int) -> None:
    inbox.will(Answer(status, b"", {"Retry-After": "30"}))
    error = failure(make_over_http(inbox), critical_open_ssh())
    assert (error.permanent, error.retry_after) == (False, 30.0)


def test_a_permanent_failure_asks_for_no_wait(make_over_http: Make, inbox: Receiver) -> None:
    inbox.will(Answer(404, b"", {"Retry-After": "30"}))
    assert failure(make_over_http(inbox), critical_open_ssh()).retry_after is None


def test_it_sends_once_and_leaves_retrying_to_others(make_over_http: Make, inbox: Receiver) -> None:
    inbox.will(Answer(503, b""))
    failure(make_over_http(inbox), critical_open_ssh())
    assert len(inbox.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, PATH.encode()),
        Answer(500, PATH.encode()),
        Answer(302, b"", {"Location": PATH}),
        Answer(hang=True),
        Answer(garbage=True),
    ],
)
def test_no_error_log_or_repr_tells_the_secrets(
    make_over_http: Make, inbox: Receiver, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    caplog.set_level(logging.DEBUG)
    inbox.will(answer)
    destination = make_over_http(inbox)
    error = failure(destination, critical_open_ssh())
    assert error.__context__ is None
    told = "".join(traceback.format_exception(error)) + repr(error) + repr(destination) + caplog.text
    assert "XYZZY" not in told
    assert SECRET not in told
    assert inbox.url not in told


def test_a_dead_server_is_worth_a_retry(make_over_http: Make) -> None:
    with receiver() as gone:
        destination = make_over_http(gone)
    error = failure(destination, critical_open_ssh())
    assert (error.reason, error.permanent) == ("the connection was refused", False)


@pytest.mark.parametrize(
    ("raised", "permanent"),
    [
        (EndpointConnectionError(endpoint_url="https://sns.example.com/XYZZY"), False),
        (ReadTimeoutError(endpoint_url="https://sns.example.com/XYZZY"), False),
        (NoCredentialsError(), False),
        (RuntimeError("XYZZY"), False),
    ],
)
def test_what_keeps_the_sns_client_from_calling_is_worth_a_retry(raised: Exception, permanent: bool) -> None:
    def client() -> SnsPublisher:
        raise raised

    error = failure(Sns("sns", TOPIC, "text", client), critical_open_ssh())
    assert (error.reason, error.permanent) == (f"SNS could not be called: {type(raised).__name__}", permanent)
    assert error.__context__ is None
    assert "XYZZY" not in "".join(traceback.format_exception(error))
