"""Google Chat: a space's incoming webhook.

https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.receivers.http import Limiter, Reply, Request

if TYPE_CHECKING:
    from localcloud.inbox import Inbox

KINDS = ("google_chat",)
PREFIX = "/google-chat/"
MAX_BYTES = 32_000
MAX_TEXT = 4_096
FIELDS = frozenset({"text", "cardsV2", "thread", "fallbackText", "accessoryWidgets"})


def receive(request: Request, inbox: Inbox) -> Reply:
    """Answer as Google Chat does: one message a second and space."""
    where = request.path.removeprefix(PREFIX)
    if request.limits.setdefault("google_chat", Limiter(rate=1, burst=1)).refused_for(where):
        return _refused(429, "RESOURCE_EXHAUSTED", "quota exceeded")
    message = request.json()
    if not isinstance(message, dict):
        return _refused(400, "INVALID_ARGUMENT", "invalid JSON payload received")
    if problem := problem_of(message, len(request.body)):
        inbox.add("google_chat", where, message, title="refused", accepted=False, note=problem)
        return _refused(400, "INVALID_ARGUMENT", problem)
    text = str(message.get("text", ""))
    inbox.add("google_chat", where, message, title=text.split("\n", maxsplit=1)[0].strip("*"), text=text)
    return Reply(200, {"name": f"spaces/{where}/messages/m", "thread": message.get("thread", {})})


def problem_of(message: dict[str, Any], size: int) -> str | None:
    """What is wrong with a message; None where nothing is."""
    unknown = sorted(set(message) - FIELDS)
    if unknown:
        return f'unknown name "{unknown[0]}"'
    if not message.get("text") and not message.get("cardsV2"):
        return "message cannot be empty"
    if len(str(message.get("text", ""))) > MAX_TEXT or size > MAX_BYTES:
        return "message is too long"
    for item in message.get("cardsV2") or ():
        if not item.get("card", {}).get("sections"):
            return "a card needs a section"
    return None


def _refused(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"error": {"code": status, "status": code, "message": message}})
