"""Services that webhooks reach by a template of one's own (docs/destinations.md), each with its documented form.

Splunk HEC https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector
ServiceNow https://www.servicenow.com/docs/bundle/zurich-it-operations-management/page/product/event-management/task/send-events-via-web-service.html
Jira https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
Datadog https://docs.datadoghq.com/api/latest/events/#post-an-event-v1
Mattermost https://developers.mattermost.com/integrate/webhooks/incoming/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from localcloud.receivers.http import Reply, Request

if TYPE_CHECKING:
    from localcloud.inbox import Inbox

KINDS = ("webhook",)
PREFIX = "/recipes/"
PayloadCheck = Callable[[Request, Any], str | None]


def receive(request: Request, inbox: Inbox) -> Reply:
    """Take what has the form of the service in the path."""
    name = request.path.removeprefix(PREFIX)
    document = request.json()
    if name not in CHECKS or not isinstance(document, dict):
        return Reply(404 if name not in CHECKS else 400, {"error": "no such service, or no JSON object"})
    if problem := CHECKS[name](request, document):
        inbox.add(name, name, document, title="refused", accepted=False, note=problem)
        return Reply(400, {"error": problem})
    inbox.add(name, name, document, title=name)
    return Reply(ANSWERS[name][0], ANSWERS[name][1])


def _splunk(request: Request, document: Mapping[str, Any]) -> str | None:
    known = {"time", "host", "source", "sourcetype", "index", "fields", "event"}
    if not request.headers.get("authorization", "").startswith("Splunk "):
        return "Token is required"
    if not document.get("event"):
        return "Event field is required"
    return "Invalid data format" if set(document) - known else None


def _servicenow(request: Request, document: Mapping[str, Any]) -> str | None:
    records = document.get("records")
    if not request.headers.get("authorization", "").startswith(("Basic ", "Bearer ")):
        return "User Not Authenticated"
    if not isinstance(records, list) or not records:
        return "records is required"
    for record in records:
        missing = {"source", "node", "type", "severity", "description", "message_key"} - set(record)
        if missing or str(record["severity"]) not in {"0", "1", "2", "3", "4", "5"}:
            return f"missing or wrong: {sorted(missing) or 'severity'}"
        if not isinstance(record.get("additional_info", ""), str) or len(str(record["message_key"])) > 1024:
            return "additional_info is a text, and message_key has 1,024 characters at most"
    return None


def _jira(request: Request, document: Mapping[str, Any]) -> str | None:
    fields = document.get("fields")
    if not request.headers.get("authorization", "").startswith("Basic "):
        return "Client must be authenticated to access this resource."
    if not isinstance(fields, dict) or not fields.get("project") or not fields.get("issuetype"):
        return "project and issuetype are required"
    summary, description = fields.get("summary"), fields.get("description")
    if not isinstance(summary, str) or not 0 < len(summary) <= 255 or "\n" in summary:
        return "Summary must be less than 255 characters, on one line."
    page = description if isinstance(description, dict) else {}
    paragraphs = page.get("content") or [None]
    if (page.get("type"), page.get("version")) != ("doc", 1) or not all(map(_is_paragraph, paragraphs)):
        return "Operation value must be an Atlassian Document"
    return "a label holds a blank" if any(" " in label for label in fields.get("labels") or ()) else None


def _is_paragraph(node: Any) -> bool:
    content = node.get("content") if isinstance(node, dict) and node.get("type") == "paragraph" else None
    return isinstance(content, list) and all(item.get("type") == "text" and item.get("text") for item in content)


def _datadog(request: Request, document: Mapping[str, Any]) -> str | None:
    if not request.headers.get("dd-api-key"):
        return "Forbidden"
    if not document.get("title") or not isinstance(document.get("text"), str) or len(document["text"]) > 4_000:
        return "title and text (4,000 characters) are required"
    if document.get("alert_type", "info") not in {"error", "warning", "info", "success"}:
        return "alert_type is wrong"
    if len(str(document.get("aggregation_key", ""))) > 100:
        return "aggregation_key has 100 characters at most"
    return None if isinstance(document.get("tags", []), list) else "tags is a list"


def _mattermost(request: Request, document: Mapping[str, Any]) -> str | None:  # noqa: ARG001 - the form of a check
    if not document.get("text") and not document.get("attachments"):
        return "No text specified"
    return "text is too long" if len(str(document.get("text", ""))) > 16_383 else None


CHECKS: Mapping[str, PayloadCheck] = {
    "splunk": _splunk,
    "servicenow": _servicenow,
    "jira": _jira,
    "datadog": _datadog,
    "mattermost": _mattermost,
}
ANSWERS: Mapping[str, tuple[int, str | dict[str, Any]]] = {
    "splunk": (200, {"text": "Success", "code": 0}),
    "servicenow": (200, {"result": {"Default Bulk Endpoint": "1 events were inserted"}}),
    "jira": (201, {"id": "10000", "key": "SEC-1"}),
    "datadog": (202, {"status": "ok"}),
    "mattermost": (200, "ok"),
}
