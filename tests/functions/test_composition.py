"""The alert function put together: from an event to real receivers, logs and metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmarks.cold_start import EVENT, RECORD
from chalicelib.delivery.direct import Direct, NotDelivered
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.functions.alert_function import AlertFunction
from chalicelib.functions.composition.alerting import assemble
from chalicelib.functions.composition.auditing import assemble_guard
from chalicelib.observability.logs import Log, Redactor
from chalicelib.observability.metrics import Metrics
from chalicelib.settings.environment import read_settings
from chalicelib.settings.model import SettingsError
from tests.support.receiver import Answer, Receiver, receiver

INVOCATION = InvocationContext("req-1", lambda: 60_000)
SLACK_PATH = "/services/T00000000/B00000000/abcdefghijklmnop"


class Ssm:
    """A parameter store that keeps count."""

    def __init__(self, *values: str) -> None:
        self.values = list(values)
        self.asked = 0

    def get_parameter(self, **request: object) -> dict[str, Any]:
        self.asked += 1
        return {"Parameter": {"Value": self.values.pop(0) if len(self.values) > 1 else self.values[0]}}


def function(written: list[str], client: Any = None, **environ: str) -> AlertFunction:
    """The alert function, its log and metrics into a list, its waits short."""
    faults: tuple[str, ...] = ()
    try:
        settings = read_settings(environ)
    except SettingsError as error:
        settings, faults = error.sound, error.faults
    made = assemble(settings, faults, "sgwatch-test", client or (lambda *_: pytest.fail("no AWS call was expected")))
    return made._replace(
        direct=Direct(sleep=lambda seconds: time.sleep(min(seconds, 0.01))),
        log=Log(Redactor(settings.secrets), settings.log_level, written.append).bind(function="sgwatch-test"),
        metrics=Metrics("sgwatch-test", written.append),
    )


@contextmanager
def receivers() -> Iterator[tuple[Receiver, Receiver]]:
    with receiver() as slack, receiver() as webhook:
        yield slack, webhook


def events(written: list[str]) -> list[str]:
    return [document["event"] for document in map(json.loads, written) if "event" in document]


def counted(written: list[str], name: str) -> list[str]:
    return [document.get("Destination", "") for document in map(json.loads, written) if name in document]


def test_a_change_reaches_every_destination_and_is_logged_and_counted() -> None:
    written: list[str] = []
    with receivers() as (slack, webhook):
        function(written, SLACK_WEBHOOK_URL=slack.url + SLACK_PATH, WEBHOOK_URL=webhook.url).handle(EVENT, INVOCATION)
        assert "sg-0a1b2c3d4e5f60718" in slack.requests[0].body.decode()
        assert json.loads(webhook.requests[0].body)["severity"] == "critical"
    assert events(written) == ["alert sent", "alert sent"]
    first = json.loads(written[0])
    assert {key: first[key] for key in ("event_id", "account", "region", "function", "request_id")} == {
        "event_id": RECORD["eventID"],
        "account": "123456789012",
        "region": "eu-west-1",
        "function": "sgwatch-test",
        "request_id": "req-1",
    }
    assert counted(written, "AlertsSent") == ["slack", "webhook"]
    assert counted(written, "SecondsToDelivery") == ["slack", "webhook"]


def test_a_webhook_that_slack_no_longer_has_fails_the_function_and_not_the_others() -> None:
    written: list[str] = []
    with receivers() as (slack, webhook):
        slack.will(Answer(404, b"no_service"))
        made = function(written, SLACK_WEBHOOK_URL=slack.url + SLACK_PATH, WEBHOOK_URL=webhook.url)
        with pytest.raises(NotDelivered, match="no_service") as caught:
            made.handle(EVENT, INVOCATION)
        assert len(webhook.requests) == 1
        with pytest.raises(NotDelivered):
            made.handle(EVENT, INVOCATION)
        assert (len(slack.requests), len(webhook.requests)) == (2, 1)
        assert slack.url not in str(caught.value)
        assert slack.url not in "".join(written)
    assert SLACK_PATH not in "".join(written) + str(caught.value)
    assert counted(written, "DeliveryFailures") == ["slack", "slack"]


def test_a_busy_slack_is_waited_for() -> None:
    written: list[str] = []
    with receiver() as slack:
        slack.will(Answer(429, b"rate_limited", {"Retry-After": "1"}), Answer())
        function(written, SLACK_WEBHOOK_URL=slack.url + SLACK_PATH).handle(EVENT, INVOCATION)
        assert len(slack.requests) == 2
    assert events(written) == ["delivery failed, trying again", "alert sent"]


def test_bad_settings_fail_loudly_and_sound_destinations_get_the_alert() -> None:
    written: list[str] = []
    with receiver() as webhook:
        made = function(written, WEBHOOK_URL=webhook.url, SLACK_WEBHOOK_URL="nonsense")
        with pytest.raises(SettingsError, match="SLACK_WEBHOOK_URL"):
            made.handle(EVENT, INVOCATION)
        assert len(webhook.requests) == 1
    assert "settings are faulty" in events(written)
    assert len(counted(written, "SettingsFaults")) == 1


def test_no_destination_at_all_is_never_a_success() -> None:
    with pytest.raises(SettingsError, match="no destination"):
        function([]).handle(EVENT, INVOCATION)


@pytest.mark.parametrize(
    ("setting", "value", "by", "destination"),
    [
        ("WEBHOOK_WHEN", "region == 'us-east-1'", "WHEN", "webhook"),
        ("IGNORE_WHEN", "region == 'eu-west-1'", "IGNORE_WHEN", ""),
    ],
)
def test_what_is_held_back_is_logged_and_counted(setting: str, value: str, by: str, destination: str) -> None:
    written: list[str] = []
    with receiver() as webhook:
        function(written, WEBHOOK_URL=webhook.url, **{setting: value}).handle(EVENT, INVOCATION)
        assert webhook.requests == []
    assert events(written) == ["alert suppressed"]
    assert json.loads(written[0])["by"] == by
    assert counted(written, "AlertsSuppressed") == [destination]


def test_a_watched_call_that_gets_no_alert_is_logged_and_counted() -> None:
    written: list[str] = []
    request = {"networkInterfaceId": "eni-1", "sourceDestCheck": {"value": False}}
    record = {**RECORD, "eventName": "ModifyNetworkInterfaceAttribute", "requestParameters": request}
    with receiver() as webhook:
        function(written, WEBHOOK_URL=webhook.url).handle({"detail": record}, INVOCATION)
        assert webhook.requests == []
    assert events(written) == ["record is not watched"]
    assert counted(written, "RecordsNotAlerted") == [""]


def test_the_heartbeat_goes_through_the_proxy() -> None:
    with receiver() as proxy:
        variables = {"HEARTBEAT_URL": "https://heartbeat.example.com/x", "HTTPS_PROXY_URL": proxy.url}
        settings = read_settings(variables | {"WEBHOOK_URL": "https://webhook.example.com"})
        heartbeat = assemble_guard(settings, region="eu-west-1").heartbeat
        assert heartbeat is not None
        assert heartbeat.ping(broken=False, body={}) == "the proxy refused the connection"


@pytest.mark.parametrize("setting", ["WEBHOOK_WHEN", "IGNORE_WHEN"])
def test_a_condition_that_fails_does_not_lose_the_alert(setting: str) -> None:
    written: list[str] = []
    with receiver() as webhook:
        made = function(written, WEBHOOK_URL=webhook.url, **{setting: "contains(account.name, 'x')"})
        made.handle(EVENT, INVOCATION)
        assert len(webhook.requests) == 1
    assert events(written) == ["condition failed, sending", "alert sent"]


@pytest.mark.parametrize(
    "document",
    [
        *(None, 1, "text", [], {}, [[]]),
        *({"detail": None}, {"Records": []}, {"CloudTrailEvent": "{"}),
        {"detail": {"eventName": "RunInstances"}, "x": 1},
        {"eventName": ["AuthorizeSecurityGroupIngress"]},
        {**RECORD, "requestParameters": "cut"},
    ],
)
def test_any_event_is_alerted(document: object) -> None:
    written: list[str] = []
    with receiver() as webhook:
        function(written, WEBHOOK_URL=webhook.url).handle(document, INVOCATION)
        if events(written)[0] == "record is not watched":
            alert = json.loads(webhook.requests[0].body)
            assert (alert["kind"], alert["severity"]) == ("alarm_path", "high")
            return
        assert json.loads(webhook.requests[0].body)["kind"] == "not_understood"
    assert events(written) == ["alert sent", "record was not understood"]
    assert counted(written, "NotUnderstood") == [""]


def test_what_the_rules_do_not_deliver_is_alerted_once_by_a_container() -> None:
    """As when somebody gives the rule's target a constant input."""
    constant = {"detail": {"eventName": "DescribeInstances", "eventSource": "ec2.amazonaws.com"}}
    with receiver() as webhook:
        made = function([], WEBHOOK_URL=webhook.url)
        made.handle(constant, INVOCATION)
        made.handle(constant, INVOCATION)
        (request,) = webhook.requests
    assert json.loads(request.body)["title"] == "sgwatch received an event that is not watched (DescribeInstances)"


def test_every_record_of_an_event_is_handled_before_a_failure_is_raised() -> None:
    with receiver() as webhook:
        webhook.will(Answer(400), Answer(200))
        made = function([], WEBHOOK_URL=webhook.url)
        with pytest.raises(NotDelivered, match=r"alert 1 was not delivered"):
            made.handle([{**RECORD, "eventID": "1"}, {**RECORD, "eventID": "2"}], INVOCATION)
        assert len(webhook.requests) == 2


def test_a_reference_is_looked_up_once_and_again_after_it_was_refused() -> None:
    written: list[str] = []
    with receiver() as webhook:
        webhook.will(Answer(), Answer(), Answer(404), Answer())
        ssm = Ssm(webhook.url + "/the-first-secret", webhook.url + "/the-second-secret")
        made = function(written, lambda service: ssm, WEBHOOK_URL="ssm:/sgwatch/webhook")
        assert ssm.asked == 0
        for number in range(2):
            made.handle({**RECORD, "eventID": str(number)}, INVOCATION)
        assert ssm.asked == 1
        with pytest.raises(NotDelivered):
            made.handle({**RECORD, "eventID": "refused"}, INVOCATION)
        made.handle({**RECORD, "eventID": "refused"}, INVOCATION)
        assert ssm.asked == 2
        assert [request.path for request in webhook.requests][-2:] == ["/the-first-secret", "/the-second-secret"]
    assert "-secret" not in "".join(written)


def test_a_reference_inside_a_header_is_looked_up_behind_its_scheme_and_again_after_it_was_refused() -> None:
    written: list[str] = []
    with receiver() as webhook:
        webhook.will(Answer(401), Answer())
        ssm = Ssm("the-first-secret", "the-second-secret")
        headers = "Authorization: Bearer ssm:/sgwatch/prod/token; X-Team: security people"
        made = function(written, lambda service: ssm, WEBHOOK_URL=webhook.url, WEBHOOK_HEADERS=headers)
        with pytest.raises(NotDelivered):
            made.handle(RECORD, INVOCATION)
        made.handle(RECORD, INVOCATION)
        sent = [request.headers["authorization"] for request in webhook.requests]
        assert sent == ["Bearer the-first-secret", "Bearer the-second-secret"]
        assert webhook.requests[0].headers["x-team"] == "security people"
    assert "-secret" not in "".join(written)
