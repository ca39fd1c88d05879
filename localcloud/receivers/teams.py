"""Microsoft Teams: a workflow's incoming webhook, which takes Adaptive Cards.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.receivers.http import Limiter, Reply, Request

if TYPE_CHECKING:
    from localcloud.inbox import Inbox

KINDS = ("teams",)
PREFIX = "/teams/"
# https://learn.microsoft.com/microsoftteams/limits-specifications-teams
MAX_BYTES = 28 * 1024
CARD = "application/vnd.microsoft.card.adaptive"
# https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference#adaptive-card
MAX_VERSION = "1.5"
ELEMENTS = frozenset(
    {"TextBlock", "RichTextBlock", "Container", "ColumnSet", "FactSet", "ActionSet", "Image", "ImageSet", "Table"}
)
# Four requests a second: the same page as above.
RATE = 4


def receive(request: Request, inbox: Inbox) -> Reply:
    """Answer as a workflow does."""
    where = request.path.removeprefix(PREFIX)
    if wait := request.limits.setdefault("teams", Limiter(rate=RATE, burst=RATE)).refused_for(where):
        return Reply(429, "Too Many Requests", (("Retry-After", str(max(1, round(wait)))),))
    payload = request.json()
    if not isinstance(payload, dict):
        return Reply(400, "Invalid JSON")
    if len(request.body) > MAX_BYTES:
        inbox.add("teams", where, payload, title="refused", accepted=False, note="message too large")
        return Reply(413, "RequestEntityTooLarge")
    if problem := card_problem(payload):
        inbox.add("teams", where, payload, title="refused", accepted=False, note=problem)
        return Reply(400, f"Bad payload received by generic incoming webhook: {problem}")
    cards = [item.get("content", {}) for item in payload.get("attachments") or () if isinstance(item, Mapping)]
    texts = [text for card in cards for text in _texts(card)]
    inbox.add("teams", where, payload, title=texts[0] if texts else "", text="\n".join(texts))
    return Reply(202, "")


def card_problem(payload: Mapping[str, Any]) -> str | None:
    """Why a workflow's "Post card" step fails on a message; None where it does not."""
    attachments = [item for item in payload.get("attachments") or () if isinstance(item, Mapping)]
    cards = [item.get("content") or {} for item in attachments]
    if payload.get("type") != "message" or not cards or any(card.get("type") != "AdaptiveCard" for card in cards):
        return "not an Adaptive Card message"
    if any(item.get("contentType", CARD) != CARD for item in attachments):
        return "an attachment of another type"
    if any(str(card.get("version", "1.0")) > MAX_VERSION for card in cards):
        return "a card of a version that Teams does not show"
    elements = {element.get("type") for card in cards for element in card.get("body") or ()}
    return f"unknown elements: {sorted(map(str, elements - ELEMENTS))}" if elements - ELEMENTS else None


def _texts(node: Any) -> list[str]:
    if isinstance(node, Mapping):
        own = [node["text"]] if isinstance(node.get("text"), str) else []
        return own + [text for value in node.values() for text in _texts(value) if not isinstance(value, str)]
    if isinstance(node, list):
        return [text for item in node for text in _texts(item)]
    return []
