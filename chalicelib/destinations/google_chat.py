"""A Google Chat space, by its incoming webhook.

https://developers.google.com/workspace/chat/format-messages: markup cannot be escaped, so what others chose stands
in code, or has its markup characters replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.alert.model import Alert
from chalicelib.destinations.contract import Receipt, Tools
from chalicelib.destinations.delivery_ids import group_key
from chalicelib.destinations.http_door import encode_json, error_for, is_success
from chalicelib.destinations.outline import Cut, Outline, first_fitting, outline
from chalicelib.named_tuple import NamedTuple

# "The maximum message size, including text and cards, is 32,000 bytes", measured here with all that is escaped.
# https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create
MAX_BYTES = 30_000
# A text field holds 4,096 characters: the same page.
MAX_TEXT = 4_000

_NO_MARKUP = str.maketrans({"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ", "<": "‹", ">": "›"})
_FENCES = {"```": "a code fence", "<": "a character that Google Chat reads as markup"}


def payload(alert: Alert, runbook: str | None = None) -> dict[str, Any]:
    """One text with the links as buttons under it; alerts on one group share a thread."""

    def sized(cut: Cut) -> bytes:
        message = _message(alert, cut, runbook)
        return encode_json(message) if len(message["text"]) <= MAX_TEXT else b"x" * (MAX_BYTES + 1)

    message = _message(alert, first_fitting(sized, MAX_BYTES), runbook)
    return {**message, "thread": {"threadKey": group_key(alert)}}


class GoogleChat(NamedTuple):
    """Posts alerts to the space that the webhook was made for."""

    name: str
    webhook_url: str
    tools: Tools

    def __repr__(self) -> str:
        return f"GoogleChat(name={self.name!r})"

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert.

        Raises:
            DeliveryError: it was not delivered.
        """
        mark = "&" if "?" in self.webhook_url else "?"
        url = f"{self.webhook_url}{mark}messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
        response = self.tools.http.post_json(url, payload(alert, self.tools.runbook(alert)))
        if not is_success(response.status):
            raise error_for(response)
        return Receipt()


def build(name: str, values: Mapping[str, str], tools: Tools) -> GoogleChat:
    """The destination of these settings."""
    return GoogleChat(name, values["WEBHOOK_URL"], tools)


def _message(alert: Alert, cut: Cut, runbook: str | None) -> dict[str, Any]:
    parts = outline(alert, cut, runbook, _FENCES)
    message: dict[str, Any] = {"text": "\n".join(_lines(alert, parts))}
    if parts.links:
        buttons = [{"text": link.label, "onClick": {"openLink": {"url": link.url}}} for link in parts.links]
        card = {"sections": [{"widgets": [{"buttonList": {"buttons": buttons}}]}]}
        message["cardsV2"] = [{"cardId": "links", "card": card}]
    return message


def _lines(alert: Alert, parts: Outline) -> Iterator[str]:
    yield f"*{_muted(parts.headline)}*"
    yield from map(_muted, parts.lead)
    if parts.diff:
        yield from (f"*{parts.diff_title}*", _block(parts.diff))
    if parts.why:
        yield f"*Why {alert.severity}*"
        yield from (f"• {_muted(item)}" for item in parts.why)
    if parts.undo_note or parts.commands:
        yield f"*{parts.undo_title}*"
        yield from [_muted(parts.undo_note)] if parts.undo_note else []
        # A command is shown exactly or not at all (_FENCES).
        yield from ["```\n" + "\n".join(parts.commands) + "\n```"] if parts.commands else []
    yield from (f"*{fact.label}* {_muted(', '.join(fact.lines))}" for fact in parts.facts)
    if parts.unknowns:
        yield "*Not known*"
        yield from (f"• {_muted(item)}" for item in parts.unknowns)


def _block(lines: tuple[str, ...]) -> str:
    return "```\n" + _muted("\n".join(lines), keep="*_~") + "\n```"


def _muted(text: str, keep: str = "") -> str:
    return text.translate({point: other for point, other in _NO_MARKUP.items() if chr(point) not in keep})
