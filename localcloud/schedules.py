"""EventBridge schedules: ``rate(…)`` and ``cron(…)`` rules, in real time or at each tick.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.events.models import events_backends

from localcloud.eventbridge import EventBus, envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
CRON = re.compile(r"cron\(([^)]*)\)")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(slots=True)
class Schedules:
    """Fires the scheduled rules of the endpoint."""

    bus: EventBus
    every_second: Callable[[], None] = lambda: None
    _last: dict[str, datetime] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the clock."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="localcloud-schedules")
        self._thread.start()

    def stop(self) -> None:
        """Fire nothing any more."""
        self._stopping.set()

    def tick(self, name_contains: str = "") -> int:
        """Fire now every enabled scheduled rule whose name contains this; returns how many."""
        rules = [rule for rule in self._rules() if name_contains in rule.name]
        for rule in rules:
            self._fire(rule)
        return len(rules)

    def _rules(self) -> Iterator[Any]:
        with self.bus.lock:
            found = [
                rule
                for regions in list(events_backends.values())
                for backend in list(regions.values())
                for rule in list(backend.event_buses["default"].rules.values())
            ]
        return (rule for rule in found if rule.scheduled_expression and rule.state == "ENABLED")

    def _fire(self, rule: Any) -> None:
        event = envelope(
            "aws.events",
            "Scheduled Event",
            {},
            account_id=rule.account_id,
            region=rule.region_name,
            resources=[rule.arn],
        )
        for target in list(rule.targets):
            self.bus.feed(rule, target, event)

    def _run(self) -> None:
        while not self._stopping.wait(1):
            self.every_second()
            now = datetime.now(UTC)
            for rule in self._rules():
                last = self._last.setdefault(rule.arn, now)
                if is_due(rule.scheduled_expression, last, now):
                    self._last[rule.arn] = now
                    self._fire(rule)


def is_due(expression: str, last: datetime, now: datetime) -> bool:
    """Whether a schedule that fired last (or was made) at one time is due at another."""
    if rate := RATE.fullmatch(expression):
        return now - last >= timedelta(**{f"{rate[2]}s": int(rate[1])})
    if cron := CRON.fullmatch(expression):
        minute = last.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return minute <= now and cron_matches(cron[1], now)
    return False


def cron_matches(fields: str, at: datetime) -> bool:
    """Whether a time is in a cron expression of six fields: minutes hours day month weekday year."""
    minutes, hours, day, month, weekday, year = fields.split()
    return (
        _in(minutes, at.minute, 0, 59)
        and _in(hours, at.hour, 0, 23)
        and _in(day, at.day, 1, 31)
        and _in(month, at.month, 1, 12, MONTHS)
        and _in(weekday, at.isoweekday() % 7 + 1, 1, 7, DAYS)
        and _in(year, at.year, 1970, 2199)
    )


def _in(expression: str, value: int, low: int, high: int, names: tuple[str, ...] = ()) -> bool:
    for part in expression.upper().split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            first, last = low, high
        else:
            start, _, end = span.partition("-")
            first = _number(start, names)
            last = _number(end, names) if end else (high if step else first)
        if first <= value <= last and (value - first) % int(step or 1) == 0:
            return True
    return False


def _number(text: str, names: tuple[str, ...]) -> int:
    return names.index(text) + 1 if text in names else int(text)
