"""Jira Service Management: the alerts of an API integration.

https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v1/api-group-integration-events/
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localcloud.receivers.http import Reply, Request

if TYPE_CHECKING:
    from localcloud.inbox import Inbox

KINDS = ("jsm",)
PREFIX = "/jsm/"
ALERTS = "/jsm/v2/alerts"
# https://support.atlassian.com/jira-service-management-cloud/docs/what-are-alert-fields/
LENGTHS = {"message": 130, "alias": 512, "description": 15_000, "entity": 512, "source": 100, "note": 25_000}
MAX_TAGS = 20
MAX_TAG = 50
PRIORITIES = frozenset({"P1", "P2", "P3", "P4", "P5"})


def receive(request: Request, inbox: Inbox) -> Reply:
    """Answer as the alerts API does: 202, and what is wrong by 401 and 422."""
    if not request.headers.get("authorization", "").startswith("GenieKey "):
        return Reply(401, {"message": "Could not authenticate"})
    alert = request.json()
    if not isinstance(alert, dict):
        return Reply(400, {"message": "the body is not JSON"})
    closing = request.path.startswith(f"{ALERTS}/") and request.path.endswith("/close")
    if not closing and request.path != ALERTS:
        return Reply(404, {"message": "no such resource"})
    where = request.path.removeprefix(PREFIX)
    if problem := problem_of(alert, closing=closing):
        inbox.add("jsm", where, alert, title="refused", accepted=False, note=problem)
        return Reply(422, {"message": problem})
    inbox.add("jsm", where, alert, title=str(alert.get("message") or alert.get("note") or "closed"))
    return Reply(202, {"result": "Request will be processed", "took": 0.1, "requestId": str(uuid.uuid4())})


def problem_of(alert: Mapping[str, Any], *, closing: bool = False) -> str | None:
    """What is wrong with an alert; None where nothing is."""
    if not closing and not alert.get("message"):
        return "message is required"
    for name, limit in LENGTHS.items():
        if len(str(alert.get(name, ""))) > limit:
            return f"{name} is longer than {limit}"
    tags = alert.get("tags") or []
    if len(tags) > MAX_TAGS or any(len(tag) > MAX_TAG for tag in tags):
        return "too many or too long tags"
    if not closing and alert.get("priority", "P3") not in PRIORITIES:
        return "priority is none of P1 to P5"
    return None
