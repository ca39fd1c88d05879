"""What the audit needs to know of a metric filter's pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chalicelib.alarm_path.verdicts import Status

ANSWERS = {"always": Status.PASS, "sometimes": Status.FAIL, "never": Status.FAIL, "unknown": Status.UNKNOWN}


@dataclass(frozen=True, slots=True)
class PatternCoverage:
    """Which successful calls a pattern matches.

    ``events`` maps event names to always, sometimes, never or unknown; ``conditions`` says for the
    sometimes in words when; ``exact`` whether the pattern means the six classic events and holds
    nothing else; ``over_matches`` whether it matches other calls too; ``error`` is AWS's complaint
    about an invalid pattern.
    """

    events: Mapping[str, str]
    conditions: Mapping[str, str] = field(default_factory=dict)
    exact: bool | None = False
    over_matches: bool | None = None
    error: str | None = None

    def covers(self, event: str) -> Status:
        """Whether every successful call of the event matches."""
        return ANSWERS[self.events.get(event, "never")]


# What one pattern, or several together, match.
CoverageOf = Callable[[tuple[str, ...]], PatternCoverage]
