"""PagerDuty: Events API version 2. https://developer.pagerduty.com/docs/send-alert-event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.receivers.http import Reply, Request

if TYPE_CHECKING:
    from localcloud.inbox import Inbox

KINDS = ("pagerduty",)
PREFIX = "/pagerduty/"
ACTIONS = frozenset({"trigger", "acknowledge", "resolve"})
SEVERITIES = frozenset({"critical", "error", "warning", "info"})
MAX_BYTES = 512 * 1024
MAX_SUMMARY = 1024
MAX_DEDUP_KEY = 255


def receive(request: Request, inbox: Inbox) -> Reply:
    """Answer as PagerDuty does."""
    event = request.json()
    if not isinstance(event, dict) or len(request.body) > MAX_BYTES:
        return _invalid(["Event object is invalid"])
    payload = event.get("payload") or {}
    problems = []
    if len(str(event.get("routing_key", ""))) != 32:
        problems.append("'routing_key' is missing or blank")
    if event.get("event_action") not in ACTIONS:
        problems.append("'event_action' is invalid")
    if event.get("event_action") == "trigger":
        problems += [f"'payload.{name}' is missing or blank" for name in ("summary", "source") if not payload.get(name)]
        if payload.get("severity") not in SEVERITIES:
            problems.append("'payload.severity' is invalid")
        if len(str(payload.get("summary", ""))) > MAX_SUMMARY:
            problems.append("'payload.summary' is too long")
        problems += [
            f"'links.{n}.href' is missing" for n, link in enumerate(event.get("links") or ()) if not link.get("href")
        ]
    where = str(event.get("dedup_key", ""))
    if len(where) > MAX_DEDUP_KEY:
        problems.append("'dedup_key' is too long")
    if event.get("event_action") == "resolve" and not where:
        problems.append("'dedup_key' is missing or blank")
    if problems:
        inbox.add("pagerduty", where, event, title="refused", accepted=False, note="; ".join(problems))
        return _invalid(problems)
    inbox.add("pagerduty", where, event, title=str(payload.get("summary") or event["event_action"]))
    return Reply(202, {"status": "success", "message": "Event processed", "dedup_key": where})


def _invalid(problems: list[str]) -> Reply:
    return Reply(400, {"status": "invalid event", "message": "Event object is invalid", "errors": problems})
