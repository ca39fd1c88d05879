"""The two readings of "security group changes are monitored", and the filter patterns that meet them.

CIS 1.x to 4.x and Security Hub name six events, CIS 5 and later a seventh. Security Hub wants a filter
that holds exactly its six, so one filter cannot meet both texts; two can.
https://docs.aws.amazon.com/securityhub/latest/userguide/cloudwatch-controls.html#cloudwatch-10
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from chalicelib.cloudtrail import standard_events

CLASSIC_EVENTS = standard_events.CLASSIC_EVENTS
EVENTS = standard_events.CIS_5_EVENTS


class Standard(StrEnum):
    """A standard the audit answers for, as named in ``AUDIT_STANDARD`` and in the report."""

    CIS_1_TO_4 = "cis_1_to_4"
    CIS_5 = "cis_5"
    SECURITY_HUB = "security_hub"

    @property
    def events(self) -> tuple[str, ...]:
        """The events that have to reach somebody."""
        return EVENTS if self is Standard.CIS_5 else CLASSIC_EVENTS

    @property
    def words(self) -> str:
        """The standard's name for people."""
        return {
            Standard.CIS_1_TO_4: "CIS AWS Foundations 1.x to 4.x (control 3.10 in 1.2, 4.10 since 1.3): six events",
            Standard.CIS_5: "CIS AWS Foundations 5 and later (control 4.10 in 5.0): seven events",
            Standard.SECURITY_HUB: "AWS Security Hub CloudWatch.10: exactly the six events in one filter",
        }[self]


WHY_TWO_FILTERS = (
    "One filter cannot satisfy both texts: Security Hub CloudWatch.10 wants a filter that holds exactly six events, "
    "CIS 5 wants a seventh, ModifySecurityGroupRules. Two filters can."
)


def pattern_for(events: Iterable[str]) -> str:
    """The filter pattern, in the form of the standards' own text, that matches exactly these events."""
    return "{" + " || ".join(f"($.eventName = {event})" for event in events) + "}"
