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
# PagerDuty's keys are 32 letters and digits, Jira Service Management's are UUIDs.
_SHORTEST_KEY = 32
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
# Names that CloudFormation makes end in twelve random characters.
_SHORTEST_RANDOM_WORD = 20
_FEWEST_DIGITS = 4
# Between the words of a name.
_BETWEEN = str.maketrans("-_./,=+", "       ")


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
    return looks_like_url(text) or (re.fullmatch(_TOKEN, text) is not None and _is_mixed(text))


def looks_like_key(text: str) -> bool:
    """Whether the whole value has the form of a key, which no name of a table, a role or a tag has."""
    if len(text) < _SHORTEST_KEY or not _is_mixed(text):
        return False
    return (text.isascii() and text.isalnum()) or re.fullmatch(_UUID, text) is not None


def may_be_key(text: str) -> bool:
    """Whether a word in a value that a reader took looks random; ARNs and expressions are left alone."""
    if len(text) < _SHORTEST_RANDOM_WORD:  # most settings
        return False
    words = text.translate(_BETWEEN).split(" ")
    return looks_like_key(text) or (all(word.isalnum() or not word for word in words) and any(map(_is_random, words)))


def _is_random(word: str) -> bool:
    return len(word) >= _SHORTEST_RANDOM_WORD and sum(map(str.isdigit, word)) >= _FEWEST_DIGITS and _is_mixed(word)


def _is_mixed(text: str) -> bool:
    return any(map(str.isdigit, text)) and any(map(str.isalpha, text))


def hidden(text: str) -> str:
    """What stands in place of a secret."""
    return f"(secret, {len(text)} characters)"
