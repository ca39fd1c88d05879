"""Discord: a channel's webhook. https://discord.com/developers/docs/resources/webhook#execute-webhook ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.receivers.http import Limiter, Reply, Request

if TYPE_CHECKING:
    from localcloud.inbox import Inbox

KINDS = ("discord",)
PREFIX = "/discord/"
# https://discord.com/developers/docs/resources/message#embed-object-embed-limits
MAX_EMBEDS = 10
MAX_EMBED = 6_000
LENGTHS = {"title": 256, "description": 4_096}
MAX_FIELDS = 25
MAX_CONTENT = 2_000


def receive(request: Request, inbox: Inbox) -> Reply:
    """Answer as Discord does: five messages in two seconds, then 429 with the seconds to wait."""
    where = request.path.removeprefix(PREFIX)
    if wait := request.limits.setdefault("discord", Limiter(rate=2.5, burst=5)).refused_for(where):
        return Reply(
            429,
            {"message": "You are being rate limited.", "retry_after": wait, "global": False},
            (("Retry-After", str(max(1, round(wait)))),),
        )
    message = request.json()
    if not isinstance(message, dict):
        return Reply(400, {"message": "The request body contains invalid JSON.", "code": 50109})
    if problem := problem_of(message):
        inbox.add("discord", where, message, title="refused", accepted=False, note=problem)
        return Reply(400, {"message": "Invalid Form Body", "code": 50035, "errors": {"embeds": problem}})
    embed = (message.get("embeds") or [{}])[0]
    title = str(embed.get("title") or message.get("content") or "")
    inbox.add("discord", where, message, title=title, text=str(embed.get("description", "")))
    return Reply(204, "")


def problem_of(message: Mapping[str, Any]) -> str | None:
    """What is wrong with a message; None where nothing is."""
    embeds = message.get("embeds") or []
    if not message.get("content") and not embeds:
        return "cannot send an empty message"
    if _length(message.get("content", "")) > MAX_CONTENT or len(embeds) > MAX_EMBEDS:
        return "content is too long"
    if sum(map(_weight, embeds)) > MAX_EMBED:
        return "embed size exceeds maximum size of 6000"
    return next((problem for embed in embeds if (problem := _embed_problem(embed))), None)


def _embed_problem(embed: Mapping[str, Any]) -> str | None:
    for name, limit in LENGTHS.items():
        if _length(embed.get(name, "")) > limit:
            return f"{name} must be {limit} or fewer in length"
    fields = embed.get("fields") or []
    if len(fields) > MAX_FIELDS:
        return "fields must be 25 or fewer"
    for field in fields:
        if not 0 < _length(field.get("name", "")) <= 256 or not 0 < _length(field.get("value", "")) <= 1_024:
            return "a field's name or value is empty or too long"
    return "footer is too long" if _length(embed.get("footer", {}).get("text", "")) > 2_048 else None


def _weight(embed: Mapping[str, Any]) -> int:
    texts = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
    texts += [field.get(part, "") for field in embed.get("fields") or () for part in ("name", "value")]
    return sum(map(_length, texts))


def _length(text: Any) -> int:
    return len(str(text).encode("utf-16-le", "surrogatepass")) // 2
