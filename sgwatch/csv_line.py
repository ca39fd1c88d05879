"""A line of CSV that a spreadsheet takes for text alone, whatever others chose the names in it to be."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from chalicelib.text import visible

# A spreadsheet takes a cell that begins with one of these for a formula.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_line(values: Iterable[object]) -> str:
    """One line with its end; None is an empty cell."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow([_cell(value) for value in values])
    return written.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else visible(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text
