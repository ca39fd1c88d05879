"""What must not be shown: secrets, and what looks like one where none belongs."""

from __future__ import annotations

import re

# Slack's, Discord's and Teams' webhooks, signing secrets, Slack's tokens, PagerDuty's and AWS's keys, private keys.
_KNOWN = (
    r"hooks\.slack|discord(?:app)?\.com/api/webhooks|webhook\.office\.com|chat\.googleapis\.com|whsec_|xox[a-z]-|"
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:AKIA|ASIA)[A-Z2-7]{16}\b|\beyJ[\w-]{10,}\.eyJ"
)
_SHORTEST_KNOWN = 5  # xoxb-
_URL = r"[\"'<`\s]*[A-Za-z][A-Za-z0-9+.-]*://"
_TOKEN = r"[A-Za-z0-9_+/=-]{24,}"  # noqa: S105 - what a key may look like


def looks_like_secret(text: str) -> bool:
    """Whether it has the form of a known secret, wherever in the text."""
    if len(text) < _SHORTEST_KNOWN:  # most settings, and the expression takes a millisecond to compile
        return False
    return re.search(_KNOWN, text, re.IGNORECASE) is not None


def looks_like_url(text: str) -> bool:
    """Whether it is a URL, of whatever scheme."""
    return "://" in text and re.match(_URL, text) is not None


def may_hold_secret(text: str) -> bool:
    """Whether a value that no reader took may be a key or a webhook put into the wrong variable.

    A key is long, with letters and digits; a webhook is a URL.
    """
    return looks_like_url(text) or (
        re.fullmatch(_TOKEN, text) is not None
        and re.search(r"[0-9]", text) is not None
        and re.search(r"[A-Za-z]", text) is not None
    )


def hidden(text: str) -> str:
    """What stands in place of a secret."""
    return f"(secret, {len(text)} characters)"
