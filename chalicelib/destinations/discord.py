r"""A Discord channel, by its webhook: one embed.

``allowed_mentions`` keeps every name from notifying; Markdown is escaped with ``\``.
https://discord.com/developers/docs/resources/webhook#execute-webhook
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.alert.model import Alert, Severity, format_time
from chalicelib.destinations.contract import Receipt, Tools
from chalicelib.destinations.http_door import error_for, is_success
from chalicelib.destinations.outline import Cut, Outline, first_fitting, outline
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.lines import is_closing
from chalicelib.text import clip

# https://discord.com/developers/docs/resources/message#embed-object-embed-limits
MAX_TITLE = 256
MAX_DESCRIPTION = 4_096
MAX_FIELDS = 25
MAX_FIELD = 1_024
MAX_EMBED = 6_000

_COLORS = {
    Severity.CRITICAL: 0xD1242F,
    Severity.HIGH: 0xE16F24,
    Severity.MEDIUM: 0xD4A72C,
    Severity.LOW: 0x218BFF,
    Severity.INFO: 0x8C959F,
}
_CLOSING = 0x2DA44E


def payload(alert: Alert, runbook: str | None = None) -> dict[str, Any]:
    """One embed within Discord's limits."""
    cut = first_fitting(lambda each: b"x" * _weight(_embed(alert, each, runbook)), MAX_EMBED)
    return {"embeds": [_embed(alert, cut, runbook)], "allowed_mentions": {"parse": []}}


class Discord(NamedTuple):
    """Posts alerts to the channel that the webhook was made for."""

    name: str
    webhook_url: str
    tools: Tools

    def __repr__(self) -> str:
        return f"Discord(name={self.name!r})"

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert.

        Raises:
            DeliveryError: it was not delivered.
        """
        response = self.tools.http.post_json(self.webhook_url, payload(alert, self.tools.runbook(alert)))
        if not is_success(response.status):
            raise error_for(response)
        return Receipt()


def build(name: str, values: Mapping[str, str], tools: Tools) -> Discord:
    """The destination of these settings."""
    return Discord(name, values["WEBHOOK_URL"], tools)


def _embed(alert: Alert, cut: Cut, runbook: str | None) -> dict[str, Any]:
    parts = outline(alert, cut, runbook, {"```": "a code fence"})
    embed: dict[str, Any] = {
        "title": clip(_escaped(parts.headline), MAX_TITLE)[0].rstrip("\\"),
        "description": "\n".join(_lines(alert, parts)),
        "color": _CLOSING if is_closing(alert) else _COLORS[alert.severity],
        "fields": [
            {
                "name": fact.label,
                "value": clip(_escaped(", ".join(fact.lines)), 300)[0].rstrip("\\") or "—",
                "inline": True,
            }
            for fact in parts.facts
        ][:MAX_FIELDS],
    }
    if alert.occurred_at:
        embed["timestamp"] = format_time(alert.occurred_at)
    return embed


def _lines(alert: Alert, parts: Outline) -> Iterator[str]:
    yield from map(_escaped, parts.lead)
    if parts.diff:
        yield from (f"**{parts.diff_title}**", _block(parts.diff))
    if parts.why:
        yield f"**Why {alert.severity}**"
        yield from (f"• {_escaped(item)}" for item in parts.why)
    if parts.undo_note or parts.commands:
        yield f"**{parts.undo_title}**"
        yield from [_escaped(parts.undo_note)] if parts.undo_note else []
        yield from ["```\n" + "\n".join(parts.commands) + "\n```"] if parts.commands else []
    if parts.unknowns:
        yield "**Not known**"
        yield from (f"• {_escaped(item)}" for item in parts.unknowns)
    yield from (f"[{link.label}](<{link.url}>)" for link in parts.links)


def _block(lines: tuple[str, ...]) -> str:
    return "```diff\n" + "\n".join(lines).replace("`", "ˋ") + "\n```"


def _escaped(text: str) -> str:
    # A scheme without its colon is no link: Discord makes one of every bare URL.
    return re.sub(r"([\\*_~|>\[\]()#`@<-])", r"\\\1", text.replace("://", ":∕∕"))


def _weight(embed: Mapping[str, Any]) -> int:
    """What counts towards the embed's limit, and more than that where one of its parts is over its own."""
    parts = [embed["title"], embed["description"]]
    fields = [text for field in embed["fields"] for text in (field["name"], field["value"])]
    size = sum(map(_utf16, [*parts, *fields]))
    over = _utf16(embed["description"]) > MAX_DESCRIPTION
    return MAX_EMBED + 1 if over else size


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
