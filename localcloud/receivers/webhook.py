"""A webhook receiver that checks Standard Webhooks signatures.

A secret in the path makes it strict: ``/webhook/<anything>?`` takes everything, while a request that
carries a signature is checked against the secret that the receiver was given.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING

from localcloud.receivers.http import Reply, Request

if TYPE_CHECKING:
    from localcloud.inbox import Inbox

KINDS = ("webhook",)
PREFIX = "/webhook/"
FAILING = "/webhook/failing"
TOLERANCE_SECONDS = 300

# The secret that the local cloud gives to the app; whsec_ and base64, as the specification writes it.
SECRET = "whsec_" + base64.b64encode(b"the local cloud's own secret").decode()


def receive(request: Request, inbox: Inbox) -> Reply:
    """Take a JSON document; refuse a signature that is wrong or too old."""
    where = request.path.removeprefix(PREFIX)
    if request.path.startswith(FAILING):
        inbox.add("webhook", where, request.body.decode(errors="replace"), accepted=False, note="500")
        return Reply(500, {"error": "this receiver always fails"})
    payload = request.json()
    if payload is None:
        return Reply(400, {"error": "the body is not JSON"})
    if problem := signature_problem(request, SECRET):
        inbox.add("webhook", where, payload, title="refused", accepted=False, note=problem)
        return Reply(401, {"error": problem})
    title = str(payload.get("title") or payload.get("type") or "") if isinstance(payload, dict) else ""
    summary = str(payload.get("summary", "")) if isinstance(payload, dict) else ""
    headers = {name: value for name, value in request.headers.items() if name.startswith("webhook-")}
    inbox.add("webhook", where, payload, title=title, text=summary, headers=headers)
    return Reply(200, {"status": "received"})


def signature_problem(request: Request, secret: str) -> str | None:
    """What is wrong with a request's signature; None where it is right or there is none."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    values = [request.headers.get(name) for name in names]
    if not any(values):
        return None
    if not all(values):
        return f"missing {next(name for name, value in zip(names, values, strict=True) if not value)}"
    message_id, timestamp, signatures = (str(value) for value in values)
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return "webhook-timestamp is too far from now"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + request.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [item.partition(",")[2] for item in signatures.split() if item.startswith("v1,")]
    return None if any(hmac.compare_digest(expected, item) for item in given) else "webhook-signature does not match"
