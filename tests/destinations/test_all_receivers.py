"""Alerts of any records pass every receiver of the local cloud, which enforces its service's documented limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.alert.model import Alert
from chalicelib.destinations.http_door import HttpDoor, HttpResponse, encode_json
from localcloud.inbox import Inbox
from localcloud.receivers import SERVICES
from localcloud.receivers.http import Request
from localcloud.receivers.webhook import SECRET
from tests.destinations.test_any_record import alert_or_none, spoiled
from tests.destinations.test_payloads import nasty, validate
from tests.support.alerts import SAMPLES, hostile
from tests.support.destinations import ROWS, FakeAws, built
from tests.support.receiver import Answer

OPERATIONS = {"Publish": "sns", "PutEvents": "events", "BatchImportFindings": "securityhub"}
# https://docs.aws.amazon.com/general/latest/gr/sns.html and those of EventBridge and Security Hub: 256 KB, and 240.
MAX_BYTES = {"sns": 262_144, "events": 262_144, "securityhub": 240_000}
PREFIXES = {kind: service.PREFIX.strip("/") for service in SERVICES for kind in service.KINDS} | {"webhook": "webhook"}


class Door(HttpDoor):
    """Hands requests to the receivers themselves, without their limits of rate."""

    def __init__(self) -> None:
        super().__init__()
        self.inbox = Inbox()

    def post_json(
        self,
        url: str,
        body: Any,
        headers: Mapping[str, str] | None = None,
        max_response_bytes: int | None = None,
    ) -> HttpResponse:
        path = urlsplit(url).path
        (service,) = [each for each in SERVICES if path.startswith(each.PREFIX)]
        sent = {"content-type": "application/json"} | {name.lower(): text for name, text in (headers or {}).items()}
        content = body if isinstance(body, bytes) else encode_json(body)
        reply = service.receive(Request("POST", path, sent, content, {}), self.inbox)
        answer = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        return HttpResponse(reply.status, answer.encode())


class Aws(FakeAws):
    """Services that refuse what botocore's own model refuses, and what is too large."""

    def _answer(self, operation: str, request: dict[str, Any], success: Mapping[str, Any]) -> Any:
        service = OPERATIONS[operation]
        validate(service, operation, request)
        assert (
            len(json.dumps(request, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass"))
            < 2 * MAX_BYTES[service]
        )
        return super()._answer(operation, request, success)


def addressed(name: str) -> dict[str, str]:
    """The settings of a row, with the addresses of the receiver that plays its service."""
    base = f"https://example.com/{PREFIXES.get(ROWS[name].kind, '')}"
    given_settings = ROWS[name].settings(base + ("/api" if name == "slack bot" else ""))
    # The webhook's receiver takes nothing that is not signed.
    signed = [key for key in given_settings if key.startswith("WEBHOOK_") and key.endswith("URL")]
    return given_settings | {key.removesuffix("URL") + "SECRET": SECRET for key in signed}


def assert_taken_everywhere(alert: Alert) -> None:
    for name, row in ROWS.items():
        door, aws = Door(), Aws(Answer())
        built(addressed(name), aws, door).send(alert)
        refused = [message.note for message in door.inbox.messages(accepted=None) if not message.accepted]
        assert (name, refused) == (name, [])
        assert len(door.inbox.messages() if row.over_http else aws.asked) == 1, name


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_receiver_takes_every_sample(sample: str) -> None:
    assert_taken_everywhere(SAMPLES[sample]())


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_every_receiver_takes_what_any_record_makes(data: st.DataObject) -> None:
    take_any(data)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.data())
def test_every_receiver_takes_five_hundred_alerts_of_any_records(data: st.DataObject) -> None:
    take_any(data)


def take_any(data: st.DataObject) -> None:
    alert = hostile(data.draw(nasty)) if data.draw(st.booleans()) else alert_or_none(spoiled(data))
    if alert is not None:
        assert_taken_everywhere(alert)
