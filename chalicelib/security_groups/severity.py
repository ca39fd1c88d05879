"""Severities, and an exposure: one reason for the severity of a change."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.rules import SecurityGroupRule


class Severity(StrEnum):
    """How bad it is; the members stand in rising order and compare by ``rank``: 0 for info up to 4 for critical."""

    rank: int

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


for _rank, _severity in enumerate(Severity):
    _severity.rank = _rank


class Opens(StrEnum):
    """What an exposure says of traffic that was not allowed before."""

    WORLD = "world"
    QUARTER = "quarter"
    SOME = "some"
    NOTHING = "nothing"


class ExposureKind(StrEnum):
    """What a reason for the severity is about."""

    OPENING = "opening"
    NOTHING_NEW = "nothing_new"
    DESCRIPTION = "description"
    REMOVAL = "removal"
    STILL_ALLOWED = "still_allowed"
    PARTLY_ALLOWED = "partly_allowed"
    DEFAULT_GROUP = "default_group"
    ROOT = "root"
    ATTEMPT = "attempt"
    UNREAD = "unread"
    GROUP = "group"
    ATTACHMENT = "attachment"
    PREFIX_LIST = "prefix_list"


class Exposure(NamedTuple):
    """One reason for the severity: a sentence, the controls it breaks, the rule it is about (if one).

    ``kind`` and ``opens`` are for the wording of the alert, and not published: what the reason is about,
    and whether the rule newly lets in the whole internet, a quarter of it or more, something else, or nothing.
    Exposures that are published alike are equal.
    """

    severity: Severity
    reason: str
    controls: tuple[str, ...] = ()
    rule: SecurityGroupRule | None = None
    opens: Opens | None = None
    kind: ExposureKind | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Exposure) and self[:4] == other[:4]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:4])


def most_telling_rule(exposures: Iterable[Exposure]) -> SecurityGroupRule | None:
    """The rule that the worst reason about a rule is about; titles and summaries both speak of it."""
    return next((item.rule for item in exposures if item.rule is not None), None)


def severity_of(exposures: tuple[Exposure, ...]) -> Severity:
    """The worst severity of the exposures."""
    return max((item.severity for item in exposures), key=lambda severity: severity.rank, default=Severity.INFO)
