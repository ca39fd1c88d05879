from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
import standardwebhooks

from chalicelib.alert.model import from_json
from chalicelib.destinations.contract import DeliveryError
from chalicelib.destinations.delivery_ids import delivery_id
from chalicelib.destinations.http_door import HttpDoor
from chalicelib.destinations.webhook import Webhook, parse_headers, signature, signing_key
from tests.support.alerts import SAMPLES, critical_open_ssh, hostile, trial
from tests.support.receiver import Receiver

DOOR = HttpDoor(1, 1)
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_signature_verifies_with_the_standard_library(inbox: Receiver, sample: str) -> None:
    alert = SAMPLES[sample]()
    receipt = Webhook("webhook", inbox.url, SECRET, DOOR).send(alert)
    (request,) = inbox.requests
    document = standardwebhooks.Webhook(SECRET).verify(request.body, request.headers)
    assert from_json(document) == alert
    assert receipt.reference == request.headers["webhook-id"]


def test_a_signature_of_another_body_does_not_verify(inbox: Receiver) -> None:
    Webhook("webhook", inbox.url, SECRET, DOOR).send(critical_open_ssh())
    (request,) = inbox.requests
    with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(request.body + b" ", request.headers)


def test_the_example_of_the_specification_comes_out() -> None:
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/python/tests/test_webhooks.py
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert (
        signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_without_a_secret_it_goes_unsigned(inbox: Receiver) -> None:
    Webhook("webhook", inbox.url, None, DOOR).send(trial())
    (request,) = inbox.requests
    assert "webhook-signature" not in request.headers
    assert request.headers["webhook-id"] == "test-test-0001"


def test_the_body_is_compact_ascii_json_whatever_is_in_it(inbox: Receiver) -> None:
    Webhook("webhook", inbox.url, SECRET, DOOR).send(hostile())
    (request,) = inbox.requests
    assert from_json(json.loads(request.body)).title == hostile().title
    assert request.body.isascii()
    assert b'", "' not in request.body.replace(rb"\", \"", b"")


def test_every_attempt_has_the_same_id_and_its_own_time(inbox: Receiver) -> None:
    for second in (1, 2):
        at = datetime(2026, 11, 23, 10, 0, second, tzinfo=UTC)
        Webhook("webhook", inbox.url, SECRET, DOOR, now=lambda at=at: at).send(critical_open_ssh())  # type: ignore[misc]
    first, again = (request.headers for request in inbox.requests)
    assert first["webhook-id"] == again["webhook-id"]
    assert int(again["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 1
    assert first["webhook-signature"] != again["webhook-signature"]


def test_alerts_that_differ_in_kind_or_event_have_ids_of_their_own() -> None:
    alert = critical_open_ssh()
    others = [alert, alert._replace(kind=trial().kind), alert._replace(id="x")]
    assert len({delivery_id(other) for other in others}) == len(others)


def test_an_event_has_the_same_id_whether_or_not_its_group_could_be_looked_up() -> None:
    alert = critical_open_ssh()
    assert delivery_id(alert._replace(security_group=None)) == delivery_id(alert)


@pytest.mark.parametrize("alert_id", ["a.b", "a b", "a\r\nX-Evil: 1", "é", "\ud800", "x" * 200, ""])
def test_an_id_that_is_unfit_for_a_header_is_digested(inbox: Receiver, alert_id: str) -> None:
    alert = critical_open_ssh()._replace(id=alert_id)
    Webhook("webhook", inbox.url, SECRET, DOOR).send(alert)
    assert inbox.requests[0].headers["webhook-id"] == delivery_id(alert)
    assert "." not in delivery_id(alert)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "pässword", "whsec_\ud800"])
def test_a_secret_that_holds_no_key_is_refused_without_repeating_it(inbox: Receiver, secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_ and base64 behind it"):
        signing_key(secret)
    with pytest.raises(DeliveryError) as caught:
        Webhook("webhook", inbox.url, secret, DOOR).send(trial())
    assert caught.value.permanent
    assert inbox.requests == []


def test_the_prefix_and_the_padding_may_be_missing() -> None:
    assert signing_key(SECRET) == signing_key(SECRET.removeprefix("whsec_").rstrip("=")) == bytes(range(32))


def test_two_secrets_both_sign_so_that_receivers_can_change_over(inbox: Receiver) -> None:
    other = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
    Webhook("webhook", inbox.url, f"{other} {SECRET}", DOOR).send(critical_open_ssh())
    (request,) = inbox.requests
    for secret in (SECRET, other):
        standardwebhooks.Webhook(secret).verify(request.body, request.headers)


def test_headers_are_read_with_semicolons_of_their_own() -> None:
    assert parse_headers("Authorization: Bearer a;b; X-Key: c:d ;Cookie: x=1; y=2;") == {
        "Authorization": "Bearer a;b",
        "X-Key": "c:d",
        "Cookie": "x=1; y=2",
    }


@pytest.mark.parametrize(
    "text", ["hush", "X Y: hush", ": hush", "X: hush\nY: a", "Host: hush", "webhook-id: hush", "X:"]
)
def test_headers_that_cannot_be_sent_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(ValueError, match="header") as caught:
        parse_headers(text)
    assert "hush" not in str(caught.value)
