"""A Microsoft Teams channel, by a workflow that takes a webhook: an Adaptive Card.

Text that others chose goes into TextRun elements: a TextBlock reads Markdown, in which a name could be a link.
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.alert.model import Alert, Severity
from chalicelib.destinations.contract import Receipt, Tools
from chalicelib.destinations.http_door import HttpDoor, encode_json, error_for, is_success
from chalicelib.destinations.outline import Cut, Outline, first_fitting, outline
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.lines import is_closing

# Teams takes 28 KB with what the workflow adds, and drops a larger one after its 202.
MAX_BYTES = 20_000
CARD = "application/vnd.microsoft.card.adaptive"
VERSION = "1.4"

_COLORS = {Severity.CRITICAL: "Attention", Severity.HIGH: "Attention", Severity.MEDIUM: "Warning"}
Element = dict[str, Any]


def payload(alert: Alert, runbook: str | None = None) -> dict[str, Any]:
    """A message with one card, under Teams' limit."""
    cut = first_fitting(lambda each: encode_json(_message(alert, each, runbook)), MAX_BYTES - 1)
    return _message(alert, cut, runbook)


class Teams(NamedTuple):
    """Posts alerts to the channel that the workflow posts to; a 202 says that the workflow was started, not more."""

    name: str
    webhook_url: str
    tools: Tools

    def __repr__(self) -> str:
        return f"Teams(name={self.name!r})"

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert.

        Raises:
            DeliveryError: it was not delivered.
        """
        http: HttpDoor = self.tools.http
        response = http.post_json(self.webhook_url, payload(alert, self.tools.runbook(alert)))
        if not is_success(response.status):
            raise error_for(response)
        return Receipt()


def build(name: str, values: Mapping[str, str], tools: Tools) -> Teams:
    """The destination of these settings."""
    return Teams(name, values["WEBHOOK_URL"], tools)


def _message(alert: Alert, cut: Cut, runbook: str | None) -> dict[str, Any]:
    parts = outline(alert, cut, runbook)
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "msteams": {"width": "Full"},
        # What a notification and a screen reader get.
        "fallbackText": parts.headline,
        "speak": parts.headline,
        "body": list(_body(alert, parts)),
    }
    if parts.links:
        card["actions"] = [{"type": "Action.OpenUrl", "title": link.label, "url": link.url} for link in parts.links]
    return {"type": "message", "attachments": [{"contentType": CARD, "contentUrl": None, "content": card}]}


def _body(alert: Alert, parts: Outline) -> Iterator[Element]:
    color = "Good" if is_closing(alert) else _COLORS.get(alert.severity, "Default")
    yield _line({"text": parts.headline, "weight": "Bolder", "size": "Large", "color": color}, spacing="None")
    yield from (_line({"text": text}) for text in parts.lead)
    if parts.diff:
        yield from _titled(parts.diff_title, _code(parts.diff))
    if parts.why:
        yield from _titled(f"Why {alert.severity}", (_line({"text": f"• {item}"}, "None") for item in parts.why))
    if parts.undo_note or parts.commands:
        note = [_line({"text": parts.undo_note}, "None")] if parts.undo_note else []
        yield from _titled(parts.undo_title, [*note, *_code(parts.commands)])
    for fact in parts.facts:
        label = {"text": f"{fact.label}: ", "weight": "Bolder"}
        yield _line(label, "Small", {"text": ", ".join(fact.lines)})
    if parts.unknowns:
        yield from _titled("Not known", (_line({"text": f"• {item}"}, "None") for item in parts.unknowns))


def _titled(title: str, elements: Iterator[Element] | list[Element]) -> Iterator[Element]:
    yield _line({"text": title, "weight": "Bolder"}, "Medium")
    yield from elements


def _code(lines: tuple[str, ...]) -> Iterator[Element]:
    for line in lines:
        yield from (_line({"text": part, "fontType": "Monospace"}, "None") for part in line.split("\n"))


def _line(run: dict[str, Any], spacing: str = "Small", *more: dict[str, Any]) -> Element:
    runs = [{"type": "TextRun", **item} for item in (run, *more)]
    return {"type": "RichTextBlock", "spacing": spacing, "inlines": runs}
