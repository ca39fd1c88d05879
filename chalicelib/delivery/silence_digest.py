"""The daily digest of silences: who holds back what, why, until when, and how much that was.

The digest is written down whole before it is sent, under the day it is of: two functions at once send
one, and what a function that died has left unsent is sent as it was by the next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.alert.model import Account, Alert, AlertKind, Exposure, Severity, format_time
from chalicelib.delivery.alert_archive import pack, unpack
from chalicelib.delivery.silences import Silence, Silences
from chalicelib.security_groups.phrases import printable
from chalicelib.state.codec import StateItem, number_in
from chalicelib.state.state_table import StateTable
from chalicelib.text import number_of

KEY = ("silences-digest", "latest")
# Those that are left out are counted; `sgwatch silence list` names them all.
MOST_LINES = 100


@dataclass(frozen=True, slots=True)
class SilenceDigest:
    """The digest of the silences in the state table; ``stage`` is the one that its commands name."""

    table: StateTable
    silences: Silences
    now: Callable[[], datetime]
    stage: str | None = None

    def send(self, deliver: Callable[[Alert], None]) -> None:
        """Hand over the digest that is due, at most one for each day in UTC; none where nothing is silenced.

        Raises:
            StateError: it is not known whether one is due, or it will be handed over again.
            Exception: whatever ``deliver`` raises; the same digest will be handed over again.
        """
        alert = self._due()
        if alert is not None:
            deliver(alert)
            self.table.update(*KEY, "SET queued = :yes", yes=True)

    def _due(self) -> Alert | None:
        latest = self.table.get(*KEY)
        unsent = latest.get("alert") if latest is not None and latest.get("queued") is False else None
        if isinstance(unsent, bytes):
            with suppress(ValueError):  # one that cannot be read is made again
                return unpack(unsent)
        now = self.now()
        today = now.date().isoformat()
        if latest is not None and latest.get("told_on") == today:
            return None
        since = _since(latest, now)
        silences = [each for each in self.silences.all() if each.until > now or (each.count and each.until > since)]
        if not silences:
            return None
        alert = digest_alert(silences, _counts(latest), now, self.stage)
        return alert if self._claim(alert, silences, now) else None

    def _claim(self, alert: Alert, silences: Iterable[Silence], now: datetime) -> bool:
        pk, sk = KEY
        return self.table.put(
            {
                "pk": pk,
                "sk": sk,
                "told_on": now.date().isoformat(),
                "told_at": now.timestamp(),
                "counts": json.dumps({each.id: each.count for each in silences}),
                "alert": pack(alert),
                "queued": False,
            },
            "attribute_not_exists(pk) OR (queued = :yes AND told_on <> :today)",
            yes=True,
            today=now.date().isoformat(),
        )


def digest_alert(
    silences: Iterable[Silence], counts: Mapping[str, int] | None, now: datetime, stage: str | None
) -> Alert:
    """The digest, its id the same for the same day; ``counts`` are those of the previous one, None where none was."""
    reported = counts or {}
    known = sorted(silences, key=lambda each: (each.count - reported.get(each.id, 0), each.created_at), reverse=True)
    held_back = sum(each.count - reported.get(each.id, 0) for each in known)
    active = sum(each.until > now for each in known)
    lines = [_line(each, reported.get(each.id), now) for each in known[:MOST_LINES]]
    since = "" if counts is None else " since the last digest"
    if len(known) > MOST_LINES:
        lines.append(f"{number_of(len(known) - MOST_LINES, 'more silence')}: {_command('list --all', stage)}")
    return Alert(
        id=f"silences-{now.date().isoformat()}",
        kind=AlertKind.DELIVERY_PROBLEM,
        severity=Severity.INFO,
        title=f"Silences held back {number_of(held_back, 'alert')}{since}; {number_of(active, 'silence')} in force",
        summary="Somebody asked for these silences, and what they held back was sent to nobody. "
        f"To see what that was: {_command('list --suppressed ID', stage)}. "
        f"To end one: {_command('remove ID', stage)}.",
        occurred_at=now.replace(microsecond=0),
        account=Account(None),
        region=None,
        exposures=tuple(Exposure(Severity.INFO, line) for line in lines),
    )


def _line(silence: Silence, reported: int | None, now: datetime) -> str:
    """One silence in less than the 500 characters that messages show of a sentence."""
    fresh = "" if reported is None else f" ({silence.count - reported:,} since the last digest)"
    critical = ", critical ones too" if silence.critical_too else ""
    owner = f", owner {printable(silence.owner, 60)}" if silence.owner else ""
    return (
        f"{silence.id}, by {printable(silence.author, 120)}{owner}: {printable(silence.reason, 120)}; "
        f"{'until' if silence.until > now else 'ended'} {format_time(silence.until)}; "
        f"{number_of(silence.count, 'alert')} held back{fresh}, where {printable(silence.when, 100)}{critical}"
    )


def _command(arguments: str, stage: str | None) -> str:
    return f"`sgwatch silence {arguments}{f' --stage {stage}' if stage else ''}`"


def _since(latest: StateItem | None, now: datetime) -> datetime:
    """When the previous digest was made, a day ago where that is not known; never later than now."""
    sent_at = number_in(latest, "told_at") if latest is not None else None
    if sent_at is None or not 0 < sent_at <= now.timestamp():
        return now - timedelta(days=1)
    return datetime.fromtimestamp(sent_at, now.tzinfo)


def _counts(latest: StateItem | None) -> dict[str, int] | None:
    try:
        known = json.loads(str(latest.get("counts"))) if latest else None
    except ValueError:
        return None
    return known if isinstance(known, dict) and all(isinstance(each, int) for each in known.values()) else None
