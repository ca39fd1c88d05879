"""Slack: incoming webhooks and the Web API's messages and threads, with Slack's limits and error codes.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
https://docs.slack.dev/reference/methods/chat.postMessage  https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from localcloud.receivers.http import Limiter, Reply, Request

if TYPE_CHECKING:
    from localcloud.inbox import Inbox

KINDS = ("slack",)
PREFIX = "/slack/"
WEBHOOKS = "/slack/services/"
REVOKED = "/slack/services/T00000000/B00000000/revoked"
API = "/slack/api/"
WORKFLOWS = ("/slack/workflows/", "/slack/triggers/")

MAX_BLOCKS = 50
MAX_TEXT = 40_000
# Block type → the length of its text. https://docs.slack.dev/reference/block-kit/blocks/section-block
MAX_BLOCK_TEXT = {"section": 3000, "header": 150}
BLOCK_TYPES = frozenset(
    [
        "actions",
        "alert",
        "context",
        "context_actions",
        "divider",
        "file",
        "header",
        "image",
        "input",
        "markdown",
        "rich_text",
        "section",
        "table",
        "video",
    ]
)
MAX_ELEMENTS = {"actions": 25, "context": 10}
MAX_FIELDS = 10
MAX_BLOCK_ID = 255
MAX_FIELD_TEXT = 2000
MAX_BUTTON_TEXT = 75
MAX_URL = 3000
SEVERITY_WORD = re.compile(r"\b(critical|high|medium|low|info)\b", re.IGNORECASE)
# One message a second and channel. https://docs.slack.dev/apis/web-api/rate-limits
BURST = 1


def receive(request: Request, inbox: Inbox) -> Reply:
    """Answer as Slack does."""
    if request.path.startswith(WEBHOOKS):
        return _webhook(request, inbox)
    if request.path.startswith(WORKFLOWS):
        return _workflow(request, inbox)
    if request.path.startswith(API) and request.path.removeprefix(API) in METHODS:
        return _api(request, inbox, request.path.removeprefix(API))
    return Reply(404, "no_service")


def _limited(request: Request, key: str) -> float:
    return request.limits.setdefault("slack", Limiter(rate=1.0, burst=BURST)).refused_for(key)


def _webhook(request: Request, inbox: Inbox) -> Reply:
    where = request.path.removeprefix(WEBHOOKS)
    if request.path == REVOKED or where.count("/") != 2:
        return Reply(404, "no_service")
    if wait := _limited(request, where):
        return Reply(429, "rate_limited", (("Retry-After", str(max(1, round(wait)))),))
    payload = _payload(request)
    if not isinstance(payload, dict):
        return _refused(inbox, where, request.body.decode(errors="replace"), "invalid_payload", 400)
    if problem := problem_of(payload):
        return _refused(inbox, where, payload, problem, 400)
    _accept(inbox, where, payload)
    return Reply(200, "ok")


def _workflow(request: Request, inbox: Inbox) -> Reply:
    """A workflow's webhook: one flat object, whose members are the workflow's variables.

    https://slack.com/help/articles/360041352714-Create-workflows-that-start-with-a-webhook
    """
    _, _, _, where = request.path.split("/", 3)
    payload = _payload(request)
    if not isinstance(payload, dict) or not all(isinstance(value, str) for value in payload.values()):
        _refused(inbox, where, payload, "invalid_workflow_input", 400)
        return Reply(400, {"ok": False, "error": "invalid_workflow_input"})
    _accept(inbox, where, payload)
    return Reply(200, {"ok": True})


def _api(request: Request, inbox: Inbox, method: str) -> Reply:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not token.startswith("xoxb-"):
        return _no("invalid_auth" if token else "not_authed")
    payload = _payload(request)
    if not isinstance(payload, dict):
        return _no("invalid_json")
    channel = str(payload.get("channel", ""))
    if not channel:
        return _no("channel_not_found")
    if method == "chat.postMessage" and (wait := _limited(request, channel)):
        return Reply(429, {"ok": False, "error": "ratelimited"}, (("Retry-After", str(max(1, round(wait)))),))
    return METHODS[method](inbox, channel, payload)


def _post_message(inbox: Inbox, channel: str, payload: dict[str, Any]) -> Reply:
    if problem := problem_of(payload):
        _refused(inbox, channel, payload, problem, 200)
        return _no(problem)
    parent = payload.get("thread_ts")
    if parent and parent not in _messages(inbox, channel):
        return _no("thread_not_found")
    if payload.get("reply_broadcast") and not parent:
        return _no("invalid_arguments")
    ts = f"{time.time():.6f}"
    _accept(inbox, channel, payload, ts)
    return Reply(200, {"ok": True, "channel": channel, "ts": ts, "message": payload})


def _update(inbox: Inbox, channel: str, payload: dict[str, Any]) -> Reply:
    if problem := problem_of(payload):
        return _no(problem)
    ts = str(payload.get("ts", ""))
    if ts not in _messages(inbox, channel):
        return _no("message_not_found")
    inbox.add("slack", channel, payload, title=str(payload.get("text", "")), text=plain_text(payload), note=UPDATED)
    return Reply(200, {"ok": True, "channel": channel, "ts": ts})


def _history(inbox: Inbox, channel: str, payload: dict[str, Any]) -> Reply:
    """The channel itself, newest first: replies are in it only where they were broadcast."""
    found = [
        message
        for message in thread_of(inbox, channel)
        if not message.get("thread_ts") or message.get("reply_broadcast")
    ]
    return _listed(reversed(found), payload)


def _replies(inbox: Inbox, channel: str, payload: dict[str, Any]) -> Reply:
    ts = payload.get("ts")
    return _listed((item for item in thread_of(inbox, channel) if ts in (item["ts"], item.get("thread_ts"))), payload)


def _listed(messages: Iterable[Mapping[str, Any]], payload: Mapping[str, Any]) -> Reply:
    oldest, most = float(payload.get("oldest", 0)), int(payload.get("limit", 100))
    kept = [dict(message) for message in messages if float(message["ts"]) >= oldest][:most]
    for message in kept:
        if not payload.get("include_all_metadata"):
            message.pop("metadata", None)
    return Reply(200, {"ok": True, "messages": kept, "has_more": False})


def thread_of(inbox: Inbox, channel: str) -> list[dict[str, Any]]:
    """What stands in a channel now, oldest first: each message as last updated, replies with their ``thread_ts``."""
    return list(_messages(inbox, channel).values())


def _messages(inbox: Inbox, channel: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for message in inbox.messages("slack"):
        if message.where != channel or not isinstance(message.payload, Mapping):
            continue
        ts = message.headers.get("ts") or str(message.payload.get("ts", ""))
        found[ts] = {**found.get(ts, {}), **message.payload, "ts": ts}
    return found


def _no(error: str) -> Reply:
    return Reply(200, {"ok": False, "error": error})


UPDATED = "updated"
METHODS = {
    "chat.postMessage": _post_message,
    "chat.update": _update,
    "conversations.history": _history,
    "conversations.replies": _replies,
}


def _payload(request: Request) -> Any:
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = parse_qs(request.body.decode(errors="replace"))
        encoded = form.get("payload", [""])[0]
        return Request(request.method, request.path, {}, encoded.encode(), request.limits).json()
    return request.json()


def _refused(inbox: Inbox, where: str, payload: Any, problem: str, status: int) -> Reply:
    inbox.add("slack", where, payload, title="refused", accepted=False, note=problem)
    return Reply(status, problem)


def _accept(inbox: Inbox, where: str, payload: Mapping[str, Any], ts: str = "") -> None:
    text = plain_text(payload)
    title = str(payload.get("text") or text).strip().split("\n", maxsplit=1)[0]
    word = SEVERITY_WORD.search(" ".join((str(payload.get("text", "")), text)))
    inbox.add(
        "slack",
        where,
        payload,
        title=title,
        text=text,
        severity=word[1].lower() if word else None,
        headers={"ts": ts} if ts else {},
    )


def problem_of(payload: Mapping[str, Any]) -> str | None:
    """The error code with which Slack refuses a message; None where it takes it."""
    if not isinstance(payload.get("blocks", []), list):
        return "invalid_blocks_format"
    blocks = _all_blocks(payload)
    if not payload.get("text") and not blocks and not payload.get("attachments"):
        return "no_text"
    if len(str(payload.get("text", ""))) > MAX_TEXT:
        return "msg_too_long"
    if len(payload.get("blocks") or []) > MAX_BLOCKS or not all(_is_sound(block) for block in blocks):
        return "invalid_blocks"
    return None


def _all_blocks(payload: Mapping[str, Any]) -> list[Any]:
    blocks = payload.get("blocks")
    found = list(blocks) if isinstance(blocks, list) else []
    for attachment in payload.get("attachments") or ():
        found += attachment.get("blocks") or []
    return found


def _is_sound(block: Any) -> bool:
    if not isinstance(block, dict) or block.get("type") not in BLOCK_TYPES:
        return False
    elements = block.get("elements") or []
    most = MAX_ELEMENTS.get(block["type"])
    return (
        len(str(block.get("block_id", ""))) <= MAX_BLOCK_ID
        and _block_text_fits(block)
        and (most is None or 1 <= len(elements) <= most)
        and all(_element_is_sound(element) for element in elements)
    )


def _block_text_fits(block: Mapping[str, Any]) -> bool:
    kind, fields = block["type"], block.get("fields") or []
    if kind == "header" and (block.get("text") or {}).get("type") != "plain_text":
        return False
    if kind == "section" and "text" not in block and not fields:
        return False
    if kind in MAX_BLOCK_TEXT and "text" in block and not _text_fits(block["text"], MAX_BLOCK_TEXT[kind]):
        return False
    return len(fields) <= MAX_FIELDS and all(_text_fits(item, MAX_FIELD_TEXT) for item in fields)


def _text_fits(text: Any, limit: int) -> bool:
    return (
        isinstance(text, dict)
        and text.get("type") in ("mrkdwn", "plain_text")
        and 0 < len(str(text.get("text", ""))) <= limit
    )


def _element_is_sound(element: Any) -> bool:
    if not isinstance(element, dict):
        return False
    if element.get("type") == "button":
        url = element.get("url", "")
        return _text_fits(element.get("text"), MAX_BUTTON_TEXT) and len(url) <= MAX_URL
    return True


def plain_text(payload: Mapping[str, Any]) -> str:
    """The words of a message, without its markup."""
    parts: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, Mapping):
            if isinstance(node.get("text"), str):
                parts.append(node["text"])
            for key in ("text", "fields", "elements", "blocks", "attachments"):
                if not isinstance(node.get(key), str):
                    walk(node.get(key))
        elif isinstance(node, list):
            for item in node:
                walk(item)

    walk({"blocks": payload.get("blocks"), "attachments": payload.get("attachments")})
    return "\n".join(parts) or str(payload.get("text", ""))
