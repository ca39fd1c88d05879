"""Whatever a caller writes into a request, the messages about it keep their services' limits and hide no text."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert, to_json
from chalicelib.cloudtrail.tamper_calls import TAMPER_CALLS
from chalicelib.delivery.envelope import Delivery, encode, read
from chalicelib.destinations import slack_message, sns, webhook
from chalicelib.rendering.plain_text import plain_text
from chalicelib.security_groups.changes import NotWatched
from tests.support import records as r

QUEUED_AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOSTILE = (
    "\x1b]0;x\x07\x1b[2J\x9b31m\u202e\u200b\ufeff\u2066\r\nCRITICAL\x08\x00</script><!channel>&lt;!here&gt;```'\"`"
)
TAMPERING = [
    r.record(call.name, {"name": "sgwatch-x", "alarmNames": ["sgwatch-a"], "functionName": "sgwatch-prod-x"}, None)
    | {"eventSource": call.source}
    for call in TAMPER_CALLS
]
RECORDS = [*r.samples().values(), *TAMPERING]
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(HOSTILE, HOSTILE * 40, "sg-" + "f" * 400, "0.0.0.0/0", "", None, True, -1, 65535, 2**70, 1e300),
        *([], {}, [HOSTILE] * 200, {"items": [{}] * 70}, [[[]]], {HOSTILE: HOSTILE}),
    ]
)


def alert_or_none(raw: dict[str, Any]) -> Alert | None:
    try:
        return alert_of(raw)
    except NotWatched:
        return None


def assert_sound(alert: Alert) -> None:
    message = slack_message.payload(alert)
    assert len(json.dumps(message)) < 9500 * 1.2
    assert len(message["blocks"]) <= 50
    texts = list(_texts(message))
    assert all(len(text) <= 3000 for text in texts)
    assert not any(mark in text for text in texts for mark in ("<!channel", "<!here", "<@"))
    forms: tuple[sns.SnsFormat, ...] = ("text", "json")
    for form in forms:
        published = sns.payload(alert, form)
        assert len(published["Subject"]) < 100
        assert published["Subject"].isascii()
        assert published["Subject"].isprintable()
        assert published["Message"].encode()
    assert json.dumps(webhook.payload(alert), allow_nan=False)
    delivered = read(encode(Delivery("slack", alert, QUEUED_AT)))
    assert isinstance(delivered, Delivery)
    assert to_json(delivered.alert) == to_json(alert)
    assert not [found for found in plain_text(alert) if found != "\n" and unicodedata.category(found) in ("Cc", "Cf")]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def spoiled(data: st.DataObject) -> dict[str, Any]:
    """A record with up to four of its values replaced."""
    raw: dict[str, Any] = json.loads(json.dumps(data.draw(st.sampled_from(RECORDS))))
    for _ in range(data.draw(st.integers(1, 4))):
        places = [place for place in _places(raw) if place[1] not in ("eventName", "eventSource")]
        container, key = data.draw(st.sampled_from(places))
        container[key] = json.loads(json.dumps(data.draw(VALUES)))
    return raw


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_record_gives_messages_within_their_limits_or_a_reason(data: st.DataObject) -> None:
    if (alert := alert_or_none(spoiled(data))) is not None:
        assert_sound(alert)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(st.data())
def test_very_many_records_give_messages_within_their_limits_or_a_reason(data: st.DataObject) -> None:
    if (alert := alert_or_none(spoiled(data))) is not None:
        assert_sound(alert)
