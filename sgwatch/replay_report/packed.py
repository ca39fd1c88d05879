"""The alerts as the page carries them: columns to filter and sort by, and details in chunks, unpacked when read."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from chalicelib.alert.model import Alert, Severity
from chalicelib.text import visible
from sgwatch.replay_report.section_html import details, group_of, principal_of

# Alerts in one chunk: small enough to unpack in no time, large enough that what they share is written once.
CHUNK = 500
_RANKS = {severity: number for number, severity in enumerate(Severity)}


def columns(alerts: Sequence[Alert]) -> str:
    """The script element with everything that a row of the list shows and the filters read."""
    principals, groups = _indexed(map(principal_of, alerts)), _indexed(map(group_of, alerts))
    return _element(
        "columns",
        {
            "chunk": CHUNK,
            "severity": [_RANKS[alert.severity] for alert in alerts],
            "time": list(_steps(alerts)),
            "title": [visible(alert.title) for alert in alerts],
            "principal": [principals[principal_of(alert)] for alert in alerts],
            "group": [groups[group_of(alert)] for alert in alerts],
            "principals": list(principals),
            "groups": list(groups),
        },
    )


def chunks(
    alerts: Sequence[Alert], on_part: Callable[[int], object] = id, inside: Callable[[Alert], str] = details
) -> Iterator[str]:
    """The script elements with the details, as HTML; ``on_part`` is called with how many more alerts are in them."""
    for first in range(0, len(alerts), CHUNK):
        chunk = alerts[first : first + CHUNK]
        yield _element(f"details-{first // CHUNK}", [inside(alert) for alert in chunk])
        on_part(len(chunk))


def _indexed(values: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        found.setdefault(value, len(found))
    return found


def _steps(alerts: Iterable[Alert]) -> Iterator[int | None]:
    """Seconds since the alert before, which take less room than times."""
    before = 0
    for alert in alerts:
        if alert.occurred_at is None:
            yield None
        else:
            seconds = int(alert.occurred_at.timestamp())
            yield seconds - before
            before = seconds


def _element(name: str, content: object) -> str:
    packed = zlib.compress(json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode(), 9)
    text = base64.b64encode(packed).decode()
    return f'<script type="application/octet-stream" id="{name}">{text}</script>'
