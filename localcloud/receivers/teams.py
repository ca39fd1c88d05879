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
    cards = [item.get("content", {}) for item in payload.get("attachments") or () if isinstance(item, Mapping)]
    if payload.get("type") != "message" or not cards or any(card.get("type") != "AdaptiveCard" for card in cards):
        inbox.add("teams", where, payload, title="refused", accepted=False, note="not an Adaptive Card message")
        return Reply(400, "Bad payload received by generic incoming webhook.")
    texts = [text for card in cards for text in _texts(card)]
    inbox.add("teams", where, payload, title=texts[0] if texts else "", text="\n".join(texts))
    return Reply(202, "")


def _texts(node: Any) -> list[str]:
    if isinstance(node, Mapping):
        own = [node["text"]] if isinstance(node.get("text"), str) else []
        return own + [text for value in node.values() for text in _texts(value) if not isinstance(value, str)]
    if isinstance(node, list):
        return [text for item in node for text in _texts(item)]
    return []
