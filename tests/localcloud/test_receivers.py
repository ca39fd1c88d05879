"""The loopback services answer as the real ones are documented to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from slack_sdk.webhook import WebhookClient
from standardwebhooks import Webhook

from localcloud.inbox import Inbox
from localcloud.receivers import application
from localcloud.receivers.webhook import SECRET
from localcloud.servers import HttpServer


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def base(inbox: Inbox) -> Iterator[str]:
    server = HttpServer.start(application(inbox))
    yield server.url
    server.stop()


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_slack_takes_a_message_and_shows_it_in_the_inbox(base: str, inbox: Inbox) -> None:
    client = WebhookClient(f"{base}/slack/services/T1/B1/x")
    answer = client.send(text="critical: tcp/22 opened", blocks=[section("*web*")])
    assert (answer.status_code, answer.body) == (200, "ok")
    [message] = inbox.messages("slack")
    assert (message.title, message.severity) == ("critical: tcp/22 opened", "critical")
    assert message.text == "*web*"


@pytest.mark.parametrize("path", ["workflows/T1/A1/1/x", "triggers/E1/1/x"])
def test_a_slack_workflow_takes_one_flat_object_of_texts_and_nothing_else(base: str, inbox: Inbox, path: str) -> None:
    taken = requests.post(f"{base}/slack/{path}", json={"text": "critical: tcp/22 opened", "region": ""}, timeout=5)
    assert (taken.status_code, taken.json()) == (200, {"ok": True})
    [message] = inbox.messages("slack")
    assert (message.title, message.severity) == ("critical: tcp/22 opened", "critical")
    for wrong in ({"text": "x", "blocks": [section("x")]}, {"text": 1}, ["text"]):
        refused = requests.post(f"{base}/slack/{path}", json=wrong, timeout=5)
        assert (refused.status_code, refused.json()["ok"]) == (400, False)


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ({"blocks": [section("")]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}, "invalid_blocks"),
        ({"blocks": [section("x")] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "nothing"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "context", "elements": []}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"blocks": "x"}, "invalid_blocks_format"),
        ({"text": "x" * 40_001}, "msg_too_long"),
    ],
)
def test_slack_refuses_what_is_outside_its_limits(base: str, inbox: Inbox, payload: Any, error: str) -> None:
    answer = requests.post(f"{base}/slack/services/T1/B1/x", json=payload, timeout=5)
    assert (answer.status_code, answer.text) == (400, error)
    assert inbox.messages("slack") == []
    assert [message.note for message in inbox.messages(accepted=False)] == [error]


def test_slack_refuses_what_is_no_json_and_knows_no_other_webhook(base: str) -> None:
    broken = requests.post(f"{base}/slack/services/T1/B1/x", data=b"{", timeout=5)
    assert (broken.status_code, broken.text) == (400, "invalid_payload")
    gone = requests.post(f"{base}/slack/services/T00000000/B00000000/revoked", json={"text": "x"}, timeout=5)
    assert (gone.status_code, gone.text) == (404, "no_service")


def test_slack_takes_one_message_a_second_and_says_when_to_come_back(base: str) -> None:
    url = f"{base}/slack/services/T1/B1/x"
    first, second = (requests.post(url, json={"text": "x"}, timeout=5) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 429)
    assert second.headers["Retry-After"] == "1"
    assert requests.post(f"{base}/slack/services/T1/B2/y", json={"text": "x"}, timeout=5).status_code == 200
    time.sleep(1.05)
    assert requests.post(url, json={"text": "x"}, timeout=5).status_code == 200


def test_slack_s_api_wants_a_token_and_answers_errors_with_200(base: str) -> None:
    url = f"{base}/slack/api/chat.postMessage"
    message = {"channel": "C1", "text": "hello"}
    assert requests.post(url, json=message, timeout=5).json()["error"] == "not_authed"
    token = {"Authorization": "Bearer xoxb-1"}
    sent = requests.post(url, json=message, headers=token, timeout=5).json()
    assert sent["ok"]
    assert sent["channel"] == "C1"
    assert float(sent["ts"]) > 0
    limited = requests.post(url, json=message, headers=token, timeout=5)
    assert (limited.status_code, limited.json()["error"]) == (429, "ratelimited")


def test_a_webhook_s_signature_is_checked(base: str, inbox: Inbox) -> None:
    body = json.dumps({"title": "signed", "severity": "low"})
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", now, body),
    }
    assert requests.post(f"{base}/webhook/x", data=body, headers=headers, timeout=5).status_code == 200
    forged = requests.post(f"{base}/webhook/x", data=body + " ", headers=headers, timeout=5)
    assert forged.status_code == 401
    old = headers | {"webhook-timestamp": str(int(now.timestamp()) - 3600)}
    assert requests.post(f"{base}/webhook/x", data=body, headers=old, timeout=5).status_code == 401
    partial = {key: value for key, value in headers.items() if key != "webhook-id"}
    assert requests.post(f"{base}/webhook/x", data=body, headers=partial, timeout=5).status_code == 401
    assert [message.title for message in inbox.messages("webhook")] == ["signed"]


def test_pagerduty_checks_the_event(base: str, inbox: Inbox) -> None:
    event = {
        "routing_key": "0" * 32,
        "event_action": "trigger",
        "dedup_key": "d",
        "payload": {"summary": "s", "source": "x", "severity": "critical"},
    }
    url = f"{base}/pagerduty/v2/enqueue"
    assert requests.post(url, json=event, timeout=5).json()["dedup_key"] == "d"
    bad = requests.post(url, json={**event, "payload": {"severity": "worst"}}, timeout=5)
    assert bad.status_code == 400
    assert len(bad.json()["errors"]) == 3
    assert [message.severity for message in inbox.messages("pagerduty")] == ["critical"]


def test_teams_takes_adaptive_cards_only(base: str, inbox: Inbox) -> None:
    card = {"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "opened"}]}
    message = {"type": "message", "attachments": [{"content": card}]}
    assert requests.post(f"{base}/teams/x", json=message, timeout=5).status_code == 202
    assert requests.post(f"{base}/teams/x", json={"text": "x"}, timeout=5).status_code == 400
    assert [item.title for item in inbox.messages("teams")] == ["opened"]


def test_an_unknown_path_is_not_found(base: str) -> None:
    assert requests.get(f"{base}/nowhere", timeout=5).status_code == 404
