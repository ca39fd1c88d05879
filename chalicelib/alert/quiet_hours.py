"""Hours of the day at which a destination wants little, and the time of day of its digest, each in a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

from chalicelib.named_tuple import NamedTuple

_TIME = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_ZONE = r"[A-Za-z]+(?:[/_+-][A-Za-z0-9]+)*"
DAILY = time(8)


class TimeOfDay(NamedTuple):
    """A time on the clock of a place."""

    at: time
    zone: tzinfo

    def next_after(self, moment: datetime) -> datetime:
        """The next time that the clock shows it, later than the moment; in UTC."""
        local = moment.astimezone(self.zone)
        shown = local.replace(hour=self.at.hour, minute=self.at.minute, second=0, microsecond=0)
        # A day later by the clock, which at a change of the clocks is an hour more or less.
        following = shown if shown > local else shown + timedelta(days=1)
        return following.astimezone(UTC)


class QuietHours(NamedTuple):
    """From a time of day until another, by the clock of one place."""

    begin: TimeOfDay
    end: TimeOfDay

    def covers(self, moment: datetime) -> bool:
        """Whether the moment is in them: the first minute is, the last is not."""
        shown = moment.astimezone(self.begin.zone).time()
        if self.begin.at < self.end.at:
            return self.begin.at <= shown < self.end.at
        return shown >= self.begin.at or shown < self.end.at


def parse_quiet_hours(text: str) -> QuietHours:
    """The hours of ``22:00-07:00 Europe/Berlin``; without a time zone in UTC.

    Raises:
        ValueError: it is not that.
    """
    match = re.fullmatch(rf"({_TIME})\s*-\s*({_TIME})(?:\s+({_ZONE}))?", text)
    if match is None:
        raise ValueError(f'"{text}" is not two times of day and a time zone, such as 22:00-07:00 Europe/Berlin')
    begin, end, zone = time.fromisoformat(match[1]), time.fromisoformat(match[4]), _zone(match[7])
    if begin == end:
        raise ValueError(f'"{text}" begins and ends at the same time')
    return QuietHours(TimeOfDay(begin, zone), TimeOfDay(end, zone))


def parse_daily(text: str) -> TimeOfDay:
    """The time of ``daily`` or ``daily 08:00 Europe/Berlin``; without one, 08:00 in UTC.

    Raises:
        ValueError: it is not that.
    """
    match = re.fullmatch(rf"daily(?:\s+({_TIME})(?:\s+({_ZONE}))?)?", text, re.IGNORECASE)
    if match is None:
        raise ValueError(f'"{text}" is neither daily nor a time for it such as daily 08:00 Europe/Berlin')
    return TimeOfDay(time.fromisoformat(match[1]) if match[1] else DAILY, _zone(match[4]))


def _zone(name: str | None) -> tzinfo:
    """The time zone of this name; Lambda's own files may lack it, and dateutil, a part of boto3, brings its own."""
    if name in (None, "UTC"):
        return UTC
    from dateutil.tz import gettz  # noqa: PLC0415 - where a time zone is named

    zone: tzinfo | None = gettz(name)
    if zone is None:
        raise ValueError(f'"{name}" is not a time zone such as Europe/Berlin')
    return zone
