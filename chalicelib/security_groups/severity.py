"""Severities, and an exposure: one reason for the severity of a change."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from chalicelib.security_groups.rules import SecurityGroupRule


class Severity(StrEnum):
    """How bad it is; the members stand in rising order and compare by ``rank``."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info up to 4 for critical."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Opens(StrEnum):
    """What an exposure says of traffic that was not allowed before."""

    WORLD = "world"
    SOME = "some"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Exposure:
    """One reason for the severity: a sentence, the controls it breaks, the rule it is about (if one).

    ``opens`` is for whoever puts the alert into words, and not published: whether the rule newly lets in the
    whole internet, newly allows something else, or nothing; None where the reason is of another kind.
    """

    severity: Severity
    reason: str
    controls: tuple[str, ...] = ()
    rule: SecurityGroupRule | None = None
    opens: Opens | None = field(default=None, compare=False)


def severity_of(exposures: tuple[Exposure, ...]) -> Severity:
    """The worst severity of the exposures."""
    return max((item.severity for item in exposures), key=lambda severity: severity.rank, default=Severity.INFO)
