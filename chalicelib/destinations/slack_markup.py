"""The pieces of Slack's Block Kit that alerts are made of.

Text that somebody else chose goes into ``plain_text`` objects or between backticks, never into bare
mrkdwn: Slack has no way to escape ``*``, ``_`` and ``~``. https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from json.encoder import encode_basestring_ascii
from typing import Any

from chalicelib.rendering.lines import utc
from chalicelib.text import clip, visible

Block = dict[str, Any]

MAX_TEXT = 3_000
MAX_HEADER = 150

# Without brackets these notify only where a message asks for names to be linked, which ours do not; still.
_BROADCASTS = re.compile(r"@(?=(?:here|channel|everyone|group)\b)", re.IGNORECASE)
_CONSOLES = (
    "console.aws.amazon.com",
    "console.amazonaws.cn",
    "console.amazonaws-us-gov.com",
    "console.amazonaws-eusc.eu",
)
# The host ends at the first slash: no user, no port; and nothing behind it that ends a link anywhere.
_CONSOLE_URL = re.compile(
    rf"""https://(?:[a-z0-9-]+\.)*(?:{"|".join(map(re.escape, _CONSOLES))})(?:[/?#][^ "<>\\`|]*)?"""
)


def escape(text: str) -> str:
    """Text in which Slack finds no mention, link or date."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def weight(text: str) -> int:
    """How much of a limit a text uses: its length when escaped and encoded as JSON, never less than its own."""
    return _encoded_length(escape(text))


def _encoded_length(text: str) -> int:
    return len(encode_basestring_ascii(text)) - 2


def shortened(text: str, limit: int) -> str:
    """As much of the text as weighs no more than the limit, escaped."""
    escaped = escape(text)
    return escaped if _encoded_length(escaped) <= limit else escape(clip(text, limit, weight)[0])


def plain(text: str, limit: int) -> dict[str, Any]:
    """A text object in which nothing is markup."""
    return {"type": "plain_text", "text": shortened(mute(text), limit), "emoji": False}


def mrkdwn(text: str) -> dict[str, Any]:
    """A text object of our own making; ``verbatim`` keeps Slack from finding links and names in it."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def code(text: str, limit: int) -> str:
    """A value between backticks that it cannot close; nothing where there is nothing to show."""
    inner = shortened(in_code(visible(text)).strip(), limit)
    return f"`{inner}`" if inner else "—"


def code_block(lines: Iterable[str]) -> str:
    """Lines between fences; the caller makes sure that they hold no fence (``in_code``)."""
    return "```\n" + escape("\n".join(lines)) + "\n```"


def in_code(text: str) -> str:
    """Text that cannot close the code it stands in."""
    return mute(text.replace("`", "ˋ"))


def mute(text: str) -> str:
    """Text that notifies nobody, wherever it stands."""
    return _BROADCASTS.sub("＠", text) if "@" in text else text


def header(text: str) -> Block:
    """The large first line."""
    return {"type": "header", "text": plain(text, MAX_HEADER)}


def section(text: dict[str, Any]) -> Block:
    """A paragraph."""
    return {"type": "section", "text": text}


def date(moment: datetime) -> str:
    """The reader's own time with UTC beside it."""
    seconds, shown = int(moment.timestamp()), utc(moment)
    if seconds <= 0:
        return f"`{shown}`"
    return f"<!date^{seconds}^{{date_short_pretty}} {{time_secs}}|{shown}>\n`{shown}`"


def button(label: str, url: str) -> dict[str, Any]:
    """A button that opens a page."""
    return {"type": "button", "text": {"type": "plain_text", "text": label, "emoji": False}, "url": url}


def is_mention(text: str) -> bool:
    """Whether it is Slack's notation for whom a message notifies, with blanks between several.

    https://docs.slack.dev/messaging/formatting-message-text#mentioning-users
    """
    one = r"<!(?:here|channel|everyone|subteam\^[A-Z0-9]+)>|<@[A-Z0-9]+>"
    return re.fullmatch(rf"(?:{one})(?: +(?:{one}))*", text) is not None


def is_console_url(url: str | None) -> bool:
    """Whether it is a page of the AWS console, of any partition, and safe and short enough for a button."""
    if not url or len(url) > 600 or not url.isascii() or not url.isprintable():
        return False
    return _CONSOLE_URL.fullmatch(url) is not None
