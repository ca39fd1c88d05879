"""The alerts as CSV: one row each, with the columns that people sort and count by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib.alert.model import Alert, format_time
from sgwatch.csv_line import csv_line

COLUMNS = (
    "occurred_at",
    "severity",
    "title",
    "principal",
    "source_ip",
    "account",
    "region",
    "event",
    "outcome",
    "security_group",
    "group_name",
    "controls",
    "alert_id",
)


def rows(alerts: Iterable[Alert]) -> Iterator[str]:
    """The lines of the table, the names of its columns first."""
    yield csv_line(COLUMNS)
    for alert in alerts:
        yield csv_line(_values(alert))


def _values(alert: Alert) -> Iterator[object]:
    principal, group = alert.principal, alert.security_group
    yield format_time(alert.occurred_at) if alert.occurred_at else None
    yield from (alert.severity, alert.title)
    yield principal.name if principal else None
    yield principal.source_ip if principal else None
    yield from (alert.account.id, alert.region, alert.event.name, alert.event.outcome)
    yield group.id if group else None
    yield group.name if group else None
    yield " ".join(dict.fromkeys(control for item in alert.exposures for control in item.controls))
    yield alert.id
