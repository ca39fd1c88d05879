"""The alerts as CSV: one row each, with the columns that people sort and count by."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from chalicelib.alert.model import Alert, format_time
from chalicelib.text import visible

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
# A spreadsheet takes a cell that begins with one of these for a formula.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def rows(alerts: Iterable[Alert]) -> Iterator[str]:
    """The lines of the table, the names of its columns first."""
    yield _line(COLUMNS)
    for alert in alerts:
        yield _line([_cell(value) for value in _values(alert)])


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


def _cell(value: object) -> str:
    text = "" if value is None else visible(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue()
