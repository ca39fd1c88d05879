"""The inbox page: one HTML document, kept up to date by server-sent events, and the receivers below it."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from localcloud.receivers.slack import UPDATED

if TYPE_CHECKING:
    from localcloud.inbox import Inbox, InboxMessage
    from localcloud.servers import StartResponse

KEEP_ALIVE_SECONDS = 10.0
# Nothing on the page may come from, or go to, anywhere else.
POLICY = (
    "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_application(
    inbox: Inbox,
    confirm: Callable[[str], str | None],
    chain: Callable[[], list[dict[str, str]]],
    receivers: Callable[[Mapping[str, Any], StartResponse], Iterable[bytes]],
) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """The WSGI application of the page. ``confirm`` takes a subscription's token, ``chain`` draws the alarm path."""

    def serve(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/":
            return _answer(start_response, "text/html; charset=utf-8", with_drawing("inbox_page.html"))
        if path == "/events":
            start_response("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
            return _stream(inbox)
        if path == "/messages" and environ["REQUEST_METHOD"] == "DELETE":
            inbox.clear()
            return _answer(start_response, "text/plain; charset=utf-8", "The inbox is empty.")
        if path == "/messages":
            everything = [shown(message) for message in inbox.messages(accepted=None)]
            return _answer(start_response, "application/json", json.dumps(everything))
        if path == "/chain":
            return _answer(start_response, "application/json", json.dumps(chain()))
        if path == "/confirm":
            token = parse_qs(environ.get("QUERY_STRING", "")).get("token", [""])[0]
            arn = confirm(token)
            text = f"Subscription confirmed: {arn}" if arn else "This token is not known."
            return _answer(start_response, "text/plain; charset=utf-8", text)
        return receivers(environ, start_response)

    return serve


def with_drawing(name: str) -> str:
    """A page of this package, with the style and the script that draw a message."""
    folder = files("localcloud")
    page = folder.joinpath(name).read_text(encoding="utf-8")
    for part in ("message_drawing.css", "message_drawing.js"):
        page = page.replace(f"/* {part} */", folder.joinpath(part).read_text(encoding="utf-8").rstrip())
    return page


def _answer(start_response: StartResponse, kind: str, text: str) -> list[bytes]:
    raw = text.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(raw))), ("Cache-Control", "no-store")]
    start_response("200 OK", [*headers, ("Content-Security-Policy", POLICY)])
    return [raw]


def _stream(inbox: Inbox) -> Iterator[bytes]:
    yield b": hello\n\n"  # nothing is sent before the first bytes, not even that the stream is open
    with inbox.listening() as arrivals:
        for message in inbox.messages(accepted=None):
            yield _event(message)
        while True:
            try:
                yield _event(arrivals.get(timeout=KEEP_ALIVE_SECONDS))
            except queue.Empty:
                yield b": still here\n\n"


def _event(message: InboxMessage) -> bytes:
    return f"id: {message.number}\ndata: {json.dumps(shown(message))}\n\n".encode()


def shown(message: InboxMessage) -> dict[str, Any]:
    """A message as the page gets it."""
    return {
        "number": message.number,
        "service": message.service,
        "where": message.where,
        "title": message.title,
        "text": message.text,
        "payload": message.payload,
        "at": message.at.isoformat(),
        "severity": message.severity,
        "accepted": message.accepted,
        "note": message.note,
        "link": message.link,
        "thread": thread_key(message),
        "replaces": message.note == UPDATED,
    }


def thread_key(message: InboxMessage) -> str | None:
    """What the messages of one thread, or of one incident, have in common; None where there is no thread."""
    payload = message.payload
    if not isinstance(payload, Mapping) or not message.accepted:
        return None
    found: object = None
    match message.service:
        case "slack":
            found = payload.get("thread_ts") or message.headers.get("ts") or payload.get("ts")
        case "google_chat":
            found = (payload.get("thread") or {}).get("threadKey")
        case "pagerduty":
            found = payload.get("dedup_key")
        case "jsm":
            # An alert is closed by its alias, which is in the path then: v2/alerts/ALIAS/close.
            closed = message.where.split("/")
            found = payload.get("alias") or (unquote(closed[2]) if len(closed) > 3 else None)
    where = message.where if message.service == "slack" else ""
    return f"{message.service}/{where}/{found}" if found else None
