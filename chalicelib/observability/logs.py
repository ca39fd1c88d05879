"""Log lines: one JSON object each, to standard output, with everything that is bound and no secret.

structlog is imported when the first line is written, not before: the alert is on its way by then.
Without bytecode that import takes 60 ms, a third of what ``import requests`` takes.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, MutableMapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from chalicelib.observability.metrics import write_line

MASK = "[secret]"
# What became of an alert: the functions write these lines, and `sgwatch watch` looks for them.
ALERT_SENT, ALERT_QUEUED = "alert sent", "alert queued"
ALERT_SUPPRESSED, DELIVERY_FAILED = "alert suppressed", "delivery failed"
# A Slack webhook's URL is its whole credential. https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
_SLACK_URL = re.compile(r"hooks\.slack(?:-gov)?\.com(?:/[^\s\"'<>\\]*)?", re.IGNORECASE)
# Shorter ones would mask ordinary words.
_SHORTEST_SECRET = 6
_RANKS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Redactor:
    """Masks secrets in text: those it was given, and whatever looks like a Slack webhook."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._known: tuple[str, ...] = ()
        self._lock = threading.Lock()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Mask this from now on; of a URL also the path, which is how errors quote it."""
        forms = {secret, _path(secret)}
        known = {form for form in forms if len(form) >= _SHORTEST_SECRET}
        # The longest first, or masking a path would leave the host of its URL unmasked.
        with self._lock:  # destinations look their secrets up at the same time
            self._known = tuple(sorted(known.union(self._known), key=len, reverse=True))

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        return _SLACK_URL.sub(MASK, text) if "slack" in text.casefold() else text

    def value(self, value: object) -> object:
        """The same of anything that JSON can hold; what it cannot is given as masked text."""
        if isinstance(value, str):  # most are
            return self.text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        return self.text(str(value))


def _path(secret: str) -> str:
    try:
        parts = urlsplit(secret)
    except ValueError:
        return ""
    if not parts.netloc:
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


class Log:
    """A log with fields bound to it: short fixed phrases, everything that varies in fields."""

    def __init__(
        self,
        redactor: Redactor,
        level: str = "info",
        write: Callable[[str], None] = write_line,
        bound: Mapping[str, object] | None = None,
        lines: Callable[[], Any] | None = None,
    ) -> None:
        self._redactor = redactor
        self._level = level
        self._write = write
        self._bound = dict(bound or {})
        self._lines = lines or cache(lambda: _structlog(redactor, write))

    def bind(self, **fields: object) -> Log:
        """The same log with these fields in every line."""
        return Log(self._redactor, self._level, self._write, {**self._bound, **fields}, self._lines)

    def debug(self, phrase: str, **fields: object) -> None:
        """For debugging."""
        self._line("debug", phrase, fields)

    def info(self, phrase: str, **fields: object) -> None:
        """What happened."""
        self._line("info", phrase, fields)

    def warning(self, phrase: str, **fields: object) -> None:
        """What went wrong and may mend itself."""
        self._line("warning", phrase, fields)

    def error(self, phrase: str, **fields: object) -> None:
        """What somebody has to mend; ``exc_info=True`` adds the traceback."""
        self._line("error", phrase, fields)

    def _line(self, level: str, phrase: str, fields: Mapping[str, object]) -> None:
        if _RANKS[level] >= _RANKS[self._level]:
            getattr(self._lines(), level)(phrase, **{**self._bound, **fields})


_FIRST_LINE = threading.Lock()
_JSON = json.JSONEncoder()


def _structlog(redactor: Redactor, write: Callable[[str], None]) -> Any:
    with _FIRST_LINE:  # two destinations' threads may log at the same moment
        import structlog  # noqa: PLC0415 - see the module's docstring

    def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {key: redactor.value(value) for key, value in event.items()}

    return structlog.wrap_logger(
        _Lines(write),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            lambda _logger, _method, event: _JSON.encode(event),  # structlog's own makes an encoder for each line
        ],
        wrapper_class=structlog.BoundLogger,
    ).bind()


class _Lines:
    """What structlog hands finished lines to."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.debug = self.info = self.warning = self.error = write
