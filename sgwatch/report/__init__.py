"""The alerts of a replay as one HTML page that needs nothing else: chart, filters, tables, every alert."""

from sgwatch.report.page import page

__all__ = ["page"]
