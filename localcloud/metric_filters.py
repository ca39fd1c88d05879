"""Metric filter patterns on records, by sgwatch's own reading of the grammar."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from chalicelib.alarm_path.patterns.evaluate import Verdict, matches
from chalicelib.alarm_path.patterns.parser import parse
from chalicelib.alarm_path.patterns.pattern_error import FilterPatternError
from chalicelib.alarm_path.patterns.syntax import Pattern


def pattern_matches(pattern: str, record: Mapping[str, Any]) -> bool:
    """Whether a record is counted; a pattern that AWS would refuse, or whose verdict is not known, counts none."""
    parsed = _parsed(pattern)
    return parsed is not None and matches(parsed, record) is Verdict.MATCH


@lru_cache(maxsize=256)
def _parsed(pattern: str) -> Pattern | None:
    try:
        return parse(pattern)
    except FilterPatternError:
        return None
