"""An HTTP endpoint that an SNS topic may be subscribed to.

https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.receivers.http import Reply, Request

if TYPE_CHECKING:
    from localcloud.inbox import Inbox

KINDS = ("sns",)
PREFIX = "/sns/"


def receive(request: Request, inbox: Inbox) -> Reply:
    """Take a notification, or show a request to confirm a subscription with its link."""
    document = request.json()
    if not isinstance(document, dict) or "Type" not in document:
        return Reply(400, "not an SNS message")
    where = str(document.get("TopicArn", ""))
    if document["Type"] == "SubscriptionConfirmation":
        link = document.get("SubscribeURL")
        inbox.add("sns", where, document, title="Confirm this subscription", text=document["Message"], link=link)
        return Reply(200, "")
    text = str(document.get("Message", ""))
    inbox.add("sns", where, document, title=str(document.get("Subject") or ""), text=text, severity=_severity(document))
    return Reply(200, "")


def _severity(document: dict[str, Any]) -> str | None:
    attribute = (document.get("MessageAttributes") or {}).get("severity", {})
    if isinstance(attribute, dict) and attribute.get("Value"):
        return str(attribute["Value"])
    try:
        inner = json.loads(document.get("Message", ""))
    except ValueError:
        return None
    return inner.get("severity") if isinstance(inner, dict) else None
